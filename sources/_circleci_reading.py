"""Reading CircleCI's lists: page by page, and the workflows of each pipeline no more often than they may have changed.

`sources.circleci` says what is read when; see there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from sources._circleci import (
    ID,
    Attempt,
    Pipeline,
    Project,
    Workflow,
    attempts_of,
    build_of,
    kind_of,
    whole_build_of,
)
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, Build, Clock, Http, Item, Part, Scope, Source, TooLarge, parse_time

#: How seldom a pipeline that has ended is looked at for reruns (s): the last of its branch, unless all is well ...
RERUN_SOON: Final = 120.0
#: ... and any other, so many of them in one poll.
RERUN_LATE: Final = 900.0
LATE_ONES: Final = 3
#: After what time a pipeline is no longer expected to get its first workflow ...
EMPTY: Final = timedelta(minutes=10)
#: ... and its unfinished ones to move (one may be on hold for ever).
ABANDONED: Final = timedelta(days=1)
PAGES: Final = 10
LONGEST_TOKEN: Final = 1_000


class Page(msgspec.Struct, frozen=True):
    items: list[Any]
    next_page_token: str | None = None


class Held(msgspec.Struct, frozen=True):
    """A pipeline's workflows as last read, and what may have been different then.

    ``settled``: all have ended; ``well``: and all with success; ``at`` is in monotonic seconds.
    """

    state: str | None
    updated_at: int | float | str | None
    workflows: Rows[Workflow]
    settled: bool
    well: bool
    at: float


async def read_pages(
    path: str, params: Mapping[str, str], rows: Rows[Any], http: Http, *, wanted: int | None = None
) -> int:
    """Read a list, or until ``wanted`` of its rows are there; returns how many there are."""
    found, token = 0, ""
    tokens: set[str] = set()
    for _ in range(PAGES):
        more = {"page-token": token} if token else {}
        page = (await http.get(path, params={**params, **more})).decode(Page)
        rows.add(page.items)
        found, token = found + len(page.items), page.next_page_token or ""
        if not token or (wanted is not None and found >= wanted):
            return found
        if token in tokens or len(token) > LONGEST_TOKEN:
            raise BadAnswer(f"GET {path}: its pages run in a circle, or their tokens are none")
        tokens.add(token)
    raise TooLarge(f"GET {path}: more than {PAGES} pages")


async def read_workflows(pipeline: Pipeline, http: Http, clock: Clock) -> Held:
    """All workflows of a pipeline."""
    rows = Rows("workflow", Workflow)
    found = await read_pages(f"/api/v2/pipeline/{pipeline.id}/workflow", {}, rows, http)
    created_at = parse_time(pipeline.created_at)
    old = created_at is not None and clock.now() - created_at >= EMPTY
    attempts = attempts_of(rows.good)
    ended = len(rows.good) == found and all(row.final for row in rows.good)
    return Held(
        state=pipeline.state,
        updated_at=pipeline.updated_at,
        workflows=rows,
        settled=ended and (found > 0 or old) and kind_of(pipeline) == "complete",
        well=all((row.status or "").lower() == "success" for row in rows.good if row.id in attempts),
        at=clock.monotonic(),
    )


class Memory:
    """What was read of the pipelines of one scope; bounded by what is in its list."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, Held] = {}
        self.names: dict[str, str] = {}
        """The names that pipelines go by which stand for themselves, by id."""

    async def read(self, pipelines: Sequence[Pipeline], http: Http) -> None:
        """Read the workflows that may have changed.  What was read stays, also when the rest fails."""
        present: dict[str, Pipeline] = {}
        for row in sorted(pipelines, key=lambda row: row.number or 0, reverse=True):
            if row.id and ID.fullmatch(row.id):
                present.setdefault(row.id, row)
        for gone in self._held.keys() - present.keys():
            del self._held[gone]
        branches: set[str] = set()
        late = 0
        for key, pipeline in present.items():
            newest = pipeline.branch not in branches
            branches.add(pipeline.branch)
            if kind_of(pipeline) == "errored":
                continue
            before = self._held.get(key)
            if before is not None and not self._moving(pipeline, before):
                age = self._clock.monotonic() - before.at
                soon = newest and not before.well and age >= RERUN_SOON
                if not soon and (age < RERUN_LATE or late >= LATE_ONES):
                    continue
                late += not soon
            self._held[key] = await read_workflows(pipeline, http, self._clock)
        self._name(pipelines)

    def part(
        self, scope: Scope, source: Source[Any], project: Project, pipelines: Rows[Pipeline], **extra: Any
    ) -> Part:
        """The builds of these pipelines: of their workflows, and of those that stand for themselves."""
        whole = pipelines.part(
            scope, lambda row: whole_build_of(source, project, row, self.names.get(row.id or "", "")), **extra
        )
        items: list[Item] = list(whole.items)
        error = whole.error
        newest: dict[tuple[str, str], int] = {}  # by branch and name of a workflow
        for row in pipelines.good:
            for workflow in self._held[row.id].workflows.good if row.id in self._held else ():
                line = row.branch, workflow.name or ""
                newest[line] = max(row.number or 0, newest.get(line, 0))
        for pipeline in {row.id: row for row in pipelines.good}.values():
            key = pipeline.id or ""
            if key not in self._held or kind_of(pipeline) == "errored":
                continue
            workflows = self._held[key].workflows
            part = workflows.part(scope, _Runs(source, project, pipeline, workflows.good, newest))
            items += part.items
            error = error or part.error
        return msgspec.structs.replace(whole, items=tuple(items), error=error)

    def _moving(self, pipeline: Pipeline, before: Held) -> bool:
        """Whether a pipeline's workflows are expected to be others than they were."""
        if (pipeline.state, pipeline.updated_at) != (before.state, before.updated_at):
            return True
        created_at = parse_time(pipeline.created_at)
        return not before.settled and (created_at is None or self._clock.now() - created_at < ABANDONED)

    def _name(self, pipelines: Sequence[Pipeline]) -> None:
        """Find names for those that stand for themselves.  One that was once given stays."""
        names: dict[str, str] = {}
        for pipeline in pipelines:
            if not pipeline.id or kind_of(pipeline) in ("coming", "complete"):
                continue
            on_branch = [row for row in pipelines if row.branch == pipeline.branch]
            name = self.names.get(pipeline.id) or self._usual(on_branch) or self._usual(pipelines)
            if name:
                names[pipeline.id] = name
        self.names = names

    def _usual(self, pipelines: Sequence[Pipeline]) -> str:
        """The name of the workflow that most of these ran; ``""`` where none ran any."""
        counts: Counter[str] = Counter()
        for key in {row.id for row in pipelines if row.id}:
            workflows = self._held[key].workflows.good if key in self._held else ()
            counts.update({row.name for row in workflows if row.name and not row.tag})
        return max(sorted(counts), key=counts.__getitem__, default="")


class _Runs:
    """The builds of one pipeline's workflows: called with each, it gives the build of a last attempt."""

    def __init__(
        self,
        source: Source[Any],
        project: Project,
        pipeline: Pipeline,
        workflows: Sequence[Workflow],
        newest: Mapping[tuple[str, str], int],
    ) -> None:
        self._of = source, project, pipeline
        self._attempts = attempts_of(workflows)
        self._newest = newest

    def __call__(self, workflow: Workflow) -> Build | None:
        if workflow.id and workflow.id not in self._attempts:
            return None  # it was rerun
        pipeline = self._of[2]
        overtaken = (pipeline.number or 0) < self._newest.get((pipeline.branch, workflow.name or ""), 0)
        attempt = self._attempts.get(workflow.id or "", Attempt())
        return build_of(*self._of, workflow, attempt, overtaken=overtaken)
