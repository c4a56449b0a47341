"""What Drone and Woodpecker, which came out of it, have in common: words, builds, releases, and how lists are read.

Both list a repository's builds newest first, with a number that counts up; a restarted one gets a new number and names
the one before as its ``parent``. A deployment is such a build too, for another event. Neither says anything of its
limits, and there are no ETags.

Words from drone/drone, core/status.go and core/event.go, and woodpecker-ci/woodpecker, server/model/const.go.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

import msgspec

from sources._shared.reruns import overtaken
from sources._shared.rows import Rows, remote_id
from sources._shared.words import meaning
from statusboard.api import (
    BadAnswer,
    Build,
    BuildState,
    Context,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Release,
    ReleaseState,
    Scope,
    Source,
    SourceOptions,
    option,
    parse_time,
)

#: build.status (Drone) and pipeline.status (Woodpecker)
BUILD_STATES: Mapping[str, BuildState] = {
    "created": "queued",  # Woodpecker
    "pending": "queued",
    "waiting_on_dependencies": "queued",  # Drone
    "running": "running",
    "blocked": "blocked",  # waits to be approved
    "success": "success",
    "failure": "failed",
    "error": "failed",  # the configuration, or the system
    "killed": "cancelled",
    "canceled": "cancelled",  # Woodpecker
    "declined": "cancelled",
    "skipped": "skipped",
}
#: The same of a deployment.
RELEASE_STATES: Mapping[str, ReleaseState] = {
    "created": "queued",
    "pending": "queued",
    "waiting_on_dependencies": "queued",
    "running": "running",
    "blocked": "blocked",
    "success": "success",
    "failure": "failed",
    "error": "failed",
    "killed": "cancelled",
    "canceled": "cancelled",
    "declined": "cancelled",
    "skipped": "cancelled",
}
#: event of what is a deployment: Drone's promotions and rollbacks, Woodpecker's deployments.
DEPLOYS: Final = frozenset({"promote", "rollback", "deployment"})
#: event of what is of a pull request; the rest is Woodpecker's.
PULLS: Final = frozenset({"pull_request", "pull_request_closed", "pull_request_metadata"})
ENDED: Final = frozenset({"success", "failed", "cancelled", "skipped"})

REPOSITORY_KEPT: Final = 3600.0
_PULL: Final = re.compile(r"refs/(?:pull|pull-requests|merge-requests)/(\d+)(?:/.*)?")
_REPO: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/(?!\.\.?(?:/|$))[A-Za-z0-9_.-]+)+")

Time = int | float | str | None


class FamilyOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both take."""

    repos: Annotated[tuple[str, ...], option("repositories, as owner/name")]
    builds: Annotated[int, msgspec.Meta(ge=1, le=50), option("how many builds to read of each repository")] = 25

    def __post_init__(self) -> None:
        if not self.repos:
            raise ValueError("`repos` is empty; name at least one as owner/name")
        for repo in self.repos:
            if not _REPO.fullmatch(repo):
                raise ValueError(f"`repos`: {repo[:80]!r} is not of the form owner/name")


class Repository(msgspec.Struct, frozen=True):
    """A repository: its name, and where its builds are, in the API and for people."""

    name: str
    default_branch: str
    api: str
    pages: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What both say of a build, in the same words.

    ``parent`` is the number of the build that this one repeats or deploys, ``rerun_count`` Woodpecker's alone.
    """

    number: int | None = None
    parent: int | None = None
    rerun_count: int | None = None
    status: str | None = None
    event: str | None = None
    title: str | None = None
    message: str | None = None
    ref: str | None = None
    cron: str | None = None
    deploy_to: str | None = None
    sender: str | None = None
    created: Time = None
    started: Time = None
    finished: Time = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A build or a deployment, the same for both vendors but for the words of ``status`` and ``event``."""

    number: int
    status: str
    event: str
    title: str = ""
    reason: str = ""
    branch: str = ""
    ref: str = ""
    fork: str = ""
    revision: str = ""
    actor: str = ""
    cron: str = ""
    deploy_to: str = ""
    link: str = ""
    parent: int = 0
    labels: Mapping[str, str] = {}
    created: Time = None
    started: Time = None
    finished: Time = None

    @property
    def tag(self) -> str:
        return self.ref.removeprefix("refs/tags/") if self.ref.startswith("refs/tags/") else ""


class Attempt(msgspec.Struct, frozen=True):
    """Which attempt a build is: the number of the first one, and when that was made."""

    number: int = 1
    first: int = 0
    first_at: Time = None


def build_of(
    source: Source[Any], repository: Repository, run: Run, attempt: Attempt, noun: str, *, overtaken: bool = False
) -> Build:
    """A build.  ``noun`` is what the vendor calls one: all of a branch that no cron job starts are one pipeline.

    A restart of one that is ``overtaken`` by a newer one takes its place: how older code does now says nothing of the
    newer.
    """
    state = meaning(BUILD_STATES, run.status)
    pull = run.event in PULLS
    number = _PULL.fullmatch(run.ref)
    labels = dict(run.labels)
    if run.parent:
        labels["restarted_from"] = f"#{run.parent}"
    common = _common(repository, run, state)
    if overtaken and run.number != attempt.first:
        common["started_at"] = parse_time(attempt.first_at) or common["started_at"]
    elif parse_time(run.started):
        common["queued_at"] = parse_time(run.created)
    return Build(
        key=source.key("build", remote_id(f"{repository.name}/{run.number}")),
        source=source.name,
        title=run.title or f"{noun} {run.number}",
        state=state,
        raw_state=run.status,
        reason=_reason(run, state),
        pipeline=run.cron or noun,
        run_number=run.number,
        attempt=attempt.number,
        branch=run.branch,
        default_branch=repository.default_branch,
        fork=run.fork if pull else "",
        revision=run.revision,
        change=(number[1] if number else "unknown") if pull else "",
        labels=labels,
        links={"pull request" if pull else "commit": run.link} if run.link else {},
        **common,
    )


def release_of(source: Source[Any], repository: Repository, run: Run, noun: str) -> Release:
    """A deployment to an environment.  One that went back to an older build, and well, is a rollback."""
    state = meaning(RELEASE_STATES, run.status)
    back = run.event == "rollback"
    what = run.tag or (f"{noun} {run.parent}" if run.parent else run.revision[:10])
    words = ("back to", what, "in") if back else (what, "to")
    return Release(
        key=source.key("release", remote_id(f"{repository.name}/{run.number}")),
        source=source.name,
        title=" ".join(filter(None, (*words, run.deploy_to or "no environment"))),
        description=run.title,
        state="rolled_back" if back and state == "success" else state,
        raw_state="/".join(filter(None, (run.event if back else "", run.status))),
        reason=_reason(run, state),
        environment=run.deploy_to,
        version=run.tag,
        revision=run.revision,
        labels=dict(run.labels),
        links={noun: f"{repository.pages}/{run.parent}"} if run.parent else {},
        **_common(repository, run, state),
    )


def attempts_of(rows: Iterable[Row], known: Mapping[int, Attempt]) -> dict[int, Attempt]:
    """Which attempt each build is, by its number: what the server says, else one more than that of its parent.

    What was known of a build stays: its parent leaves the list sooner.
    """
    attempts: dict[int, Attempt] = {}
    numbered = {row.number: row for row in rows if row.number}
    for number, row in sorted(numbered.items()):
        if number in known:
            attempts[number] = known[number]
            continue
        former = Attempt(number=0, first=number, first_at=row.created)
        if row.parent:
            former = attempts.get(row.parent) or known.get(row.parent) or Attempt(first=row.parent)
        count = former.number if row.rerun_count is None else row.rerun_count
        attempts[number] = Attempt(number=count + 1, first=former.first, first_at=former.first_at)
    return attempts


def first_line(*texts: str | None) -> str:
    """The first line of the first of these that is not empty."""
    return next((line for text in texts if text and (line := text.strip().split("\n", 1)[0])), "")


def _reason(run: Run, state: str) -> str:
    if state == "blocked":
        return "waits to be approved"
    return run.reason or ("declined" if run.status.lower() == "declined" else "")


def _common(repository: Repository, run: Run, state: str) -> dict[str, Any]:
    ended_at = parse_time(run.finished) if state in ENDED else None
    return {
        "repository": repository.name,
        "url": f"{repository.pages}/{run.number}",
        "actor": run.actor,
        "trigger": run.event,
        "started_at": parse_time(run.started) or parse_time(run.created),
        "updated_at": ended_at,
        "ended_at": ended_at,
    }


O = TypeVar("O", bound=FamilyOptions)  # noqa: E741 - as in statusboard.source
R = TypeVar("R", bound=Row)


class Family(Source[O], Generic[O, R]):
    """Builds and releases of some repositories.  A vendor says how a repository is found and what its rows mean."""

    kinds = frozenset({"build", "release"})
    #: What the vendor calls a build, and the shape of one.
    noun: ClassVar[str]
    shape: type[R]

    def __init__(self, options: O, context: Context) -> None:
        super().__init__(options, context)
        self._repos = {repo.lower(): repo for repo in reversed(options.repos)}
        self._found: dict[str, tuple[Repository, float]] = {}
        self._finding: dict[str, asyncio.Lock] = {}
        self._newest: dict[str, int] = {}
        self._attempts: dict[str, dict[int, Attempt]] = {}

    # -- what a vendor writes ------------------------------------------------------------------------------------

    async def find(self, repo: str, before: Repository | None, http: Http) -> Repository:
        """Read a repository's details, which ``before`` are an hour old if there are any."""
        raise NotImplementedError

    def window(self, repository: Repository, kind: ItemKind) -> Mapping[str, str | int]:
        """The parameters of a list of the newest builds."""
        raise NotImplementedError

    def further(self, repository: Repository, kind: ItemKind) -> tuple[str, Mapping[str, str | int]] | None:
        """Another list, that holds what may have dropped out of the window unseen; its address and parameters."""
        raise NotImplementedError

    def run_of(self, repository: Repository, row: R) -> Run:
        """What a row says; `BadAnswer` for one that cannot be told apart."""
        raise NotImplementedError

    # -- what the board calls ------------------------------------------------------------------------------------

    async def scopes(self, http: Http) -> Sequence[Scope]:
        kinds: tuple[ItemKind, ...] = ("build", "release")
        return [
            Scope(name=f"{repo} {kind}s", kind=kind, reach="window", data=repo)
            for repo in dict.fromkeys(self._repos[repo.lower()] for repo in self.options.repos)
            for kind in kinds
            if self.wants(kind)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        repository = await self._repository(scope.data, http)
        params = self.window(repository, scope.kind)
        try:
            page = (await http.get(repository.api, params=params)).decode(list[Any])
        except NotFound:
            self._found.pop(scope.data, None)  # it may have been removed, and added again
            raise
        rows = Rows(self.noun, self.shape, page)
        numbers = [number for row in rows.good if (number := row.number)]
        further = self.further(repository, scope.kind)
        if further and len(page) >= self.options.builds and min(numbers, default=1) > self._newest.get(scope.name, 0):
            rows.add((await http.get(further[0], params=further[1])).decode(list[Any]))
        attempts = attempts_of(rows.good, self._attempts.get(scope.name, {}))

        late = self._overtaken(repository, rows.good, attempts)

        def item(row: R) -> Item | None:
            return self._item(repository, self.run_of(repository, row), scope.kind, attempts, late)

        part = rows.part(scope, item)
        if part.error is None and numbers:
            self._attempts[scope.name] = attempts
            self._newest[scope.name] = max(numbers)
        return part

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        repo, _, number = remote_id.rpartition("/")
        if repo.lower() not in self._repos or not number.isdecimal():
            return None
        repository = await self._repository(self._repos[repo.lower()], http)
        row = (await http.get(f"{repository.api}/{number}")).decode(self.shape)
        attempts = attempts_of([row], self._attempts.get(f"{repository.name} builds", {}))
        late = frozenset(attempt.first for attempt in attempts.values())  # it has fallen out of its list
        return self._item(repository, self.run_of(repository, row), kind, attempts, late)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _repository(self, repo: str, http: Http) -> Repository:
        try:
            async with self._finding.setdefault(repo, asyncio.Lock()):  # its two parts are read at once
                before, read_at = self._found.get(repo, (None, float("-inf")))
                now = self.clock.monotonic()
                if before is None or now - read_at >= REPOSITORY_KEPT:
                    before = await self.find(repo, before, http)
                    self._found[repo] = before, now
                return before
        except NotFound:
            self._found.pop(repo, None)
            raise
        finally:
            self._finding.pop(repo, None)

    def _overtaken(self, repository: Repository, rows: Iterable[R], attempts: Mapping[int, Attempt]) -> frozenset[int]:
        """The first attempts that builds of newer code have followed."""
        lines: list[tuple[int, tuple[str, ...]]] = []
        for row in rows:
            try:
                run = self.run_of(repository, row)
            except BadAnswer:  # it is told of with the items
                continue
            if run.event not in DEPLOYS:
                pull = run.ref if run.event in PULLS else ""
                attempt = attempts.get(run.number, Attempt())  # a number may be 0
                lines.append((attempt.first, (run.cron, run.branch, pull)))
        return overtaken(lines)

    def _item(
        self,
        repository: Repository,
        run: Run,
        kind: ItemKind,
        attempts: Mapping[int, Attempt],
        late: Container[int],
    ) -> Item | None:
        """The item of a run; None for one of the other kind."""
        if run.event in DEPLOYS:
            return release_of(self, repository, run, self.noun) if kind == "release" else None
        if kind != "build":
            return None
        attempt = attempts.get(run.number, Attempt())
        return build_of(self, repository, run, attempt, self.noun, overtaken=attempt.first in late)
