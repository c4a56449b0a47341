"""CircleCI (API v2, also of CircleCI Server): the workflows of some projects' pipelines.

A list of pipelines says which there are and not how they went: that takes a request each, for its workflows. A workflow
that has ended never changes, so those of a pipeline are read until all have ended, and kept. A rerun is a further
workflow of the same pipeline, which nothing in the list tells of: pipelines that may well be rerun (the last of their
branch, when not all is well) are looked at again every two minutes, the others a few at a time every quarter of an
hour. A rerun is the same build, with a higher attempt.

An errored pipeline (its configuration cannot be had, read or allowed) has no workflows and is a failed build itself.
It goes by the name of the workflow that mostly runs on its branch, so that the next run of that tells how it went on.

At first, and after a gap, the pipelines of the default branch are read further back, since most others may be of side
branches.  What CircleCI's words mean is in `sources._circleci`, what is read again when in `sources._circleci_reading`.
Docs: circleci.com/docs/api/v2, and circleci.com/docs/guides/toolkit/api-developers-guide (tokens, limits, page tokens).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from sources._circleci import (
    ID,
    Details,
    Pipeline,
    Project,
    VcsInfo,
    attempts_of,
    build_of,
    pages_of,
    repository,
    same_project,
    whole_build_of,
)
from sources._circleci_reading import LONGEST_TOKEN, Memory, Page, read_pages, read_workflows
from sources._shared.rows import Rows
from statusboard.api import (
    BadAnswer,
    Context,
    Credentials,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    clean,
    option,
    parse_time,
)

DETAILS_KEPT: Final = 3600.0
#: How many pipelines of the default branch are read at first and after a gap, at least.
FURTHER: Final = 20
_SLUG: Final = re.compile(r"[a-z]+(?:/(?!\.\.?(?:/|$))[A-Za-z0-9_.~-]+){2}")


class CircleCIOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: circleci``."""

    projects: Annotated[tuple[str, ...], option("projects, by the slug in their settings: gh/acme/checkout")]
    branches: Annotated[tuple[str, ...], option("only builds of these branches, read one by one")] = ()
    builds: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many pipelines to read of each project")] = 20
    default_branch: Annotated[
        str, option("failures on other branches are no faults; by default what CircleCI calls the default branch")
    ] = ""

    def __post_init__(self) -> None:
        if not self.projects:
            raise ValueError("`projects` is empty; name at least one by its slug, as gh/acme/checkout")
        for slug in self.projects:
            if not _SLUG.fullmatch(slug):
                raise ValueError(
                    f"`projects`: {slug[:80]!r} is no project slug; "
                    "copy it from Project Settings > Overview, as gh/acme/checkout or circleci/<org id>/<project id>"
                )
        if not all(branch.strip() for branch in self.branches):
            raise ValueError("`branches`: a name is empty; write main, or leave `branches` out for all of them")


class CircleCI(Source[CircleCIOptions]):
    """Builds from workflows."""

    type = "circleci"
    kinds = frozenset({"build"})
    Options = CircleCIOptions
    summary = "Workflows of CircleCI's pipelines, in the cloud or on a server of your own"
    default_url = "https://circleci.com"
    default_interval = 60.0
    scopes_needed = "a personal API token of a user who may see the projects; CircleCI has no narrower one for API v2"
    requests = (3, "project (and each of its `branches`)")
    example = """\
projects: [gh/acme/checkout, gh/acme/ledger]
token: "keyring:circleci"
"""
    setup = """\
- *User Settings > Personal API Tokens > Create New Token* (app.circleci.com/settings/user/tokens). It can do whatever
  its user can, so let it be a user who only reads; project tokens do not work with API v2. It expires within a year.
- Store it with `statusboard login circleci`; it is shown only once. Then `token: "keyring:circleci"`.
- A slug stands in *Project Settings > Overview*: `gh/acme/checkout`, `bb/acme/checkout`, or
  `circleci/<org id>/<project id>` for projects of the GitHub App, GitLab and Bitbucket Data Center.
- CircleCI Server: `url: https://circleci.acme.example`, without `app.` and without `/api/v2`.
- The first poll asks once for each pipeline; after that only for those that run, and now and then for reruns.
- A workflow that waits to be approved is shown as blocked and counts as passed.
- A rerun of a pipeline that is not the last of its branch may be seen only after some minutes.
- Where failures on the default branch do not count, or others do, name it: `default_branch: main`.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = "of each pipeline the workflows are asked for by themselves, which takes its time"

    def __init__(self, options: CircleCIOptions, context: Context) -> None:
        super().__init__(options, context)
        self._details: dict[str, tuple[Details, float]] = {}
        self._memory: dict[str, Memory] = {}  # by scope
        self._newest: dict[str, int] = {}
        self._confirmed: set[str] = set()

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        return {"Circle-Token": credentials.token} if credentials.token else {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [
            Scope(name=f"{slug} builds" + (f" on {branch}" if branch else ""), kind="build", reach="window", data=data)
            for slug in dict.fromkeys(self.options.projects)
            for branch in dict.fromkeys(self.options.branches or ("",))
            for data in [(slug, branch)]
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        slug, branch = scope.data
        path = f"/api/v2/project/{slug}/pipeline"
        wanted = self.options.builds
        pipelines = Rows("pipeline", Pipeline)
        found = await read_pages(path, {"branch": branch} if branch else {}, pipelines, http, wanted=wanted)
        if branch and not found:
            raise NotFound(f"{slug}: no pipeline of the branch {clean(branch, 100)}")
        details = await self._project(slug, http)
        default_branch = self._default_branch(details, pipelines.good)
        numbers = [row.number for row in pipelines.good if row.number]
        if not branch and default_branch and found >= wanted and min(numbers, default=1) > self._newest.get(slug, 0):
            # Pipelines before these may have been missed: what the default branch last said must not be among them.
            await read_pages(path, {"branch": default_branch}, pipelines, http, wanted=max(wanted, FURTHER))
        memory = self._memory.setdefault(scope.name, Memory(self.clock))
        await memory.read(pipelines.good, http)
        project = self._common(slug, details, default_branch, pipelines.good)
        notes = [] if found else [f"{slug}: no pipelines yet"]
        part = memory.part(scope, self, project, pipelines, notes=notes)
        if part.error is None and numbers:
            self._newest[slug] = max(numbers)
        return part

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import oldest  # nobody else needs it

        slug, branch = scope.data
        params = {name: value for name, value in (("branch", branch), ("page-token", cursor)) if value}
        page = (await http.get(f"/api/v2/project/{slug}/pipeline", params=params)).decode(Page)
        pipelines = Rows("pipeline", Pipeline, page.items)
        details = await self._project(slug, http)
        memory = Memory(self.clock)
        await memory.read(pipelines.good, http)
        project = self._common(slug, details, self._default_branch(details, pipelines.good), pipelines.good)
        part = memory.part(scope, self, project, pipelines)
        older = page.next_page_token or ""
        if len(older) > LONGEST_TOKEN or not older.isprintable():
            raise BadAnswer("the token of the next page is none")
        reached = oldest([parse_time(row.created_at) for row in pipelines.good])
        error = part.error if isinstance(part.error, SourceError) else None
        return Past(items=part.items, older=older, reached=reached, error=error)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        number, _, name = remote_id.partition("/")
        if not ID.fullmatch(number):
            return None
        pipeline = (await http.get(f"/api/v2/pipeline/{number}")).decode(Pipeline)
        slug = next((slug for slug in self.options.projects if same_project(slug, pipeline.project_slug or "")), "")
        if not slug:
            return None
        details = await self._project(slug, http)
        project = self._common(slug, details, self._default_branch(details, [pipeline]), [pipeline])
        if not name:
            known = (memory.names.get(number) for memory in self._memory.values())
            return whole_build_of(self, project, pipeline, next(filter(None, known), ""))
        workflows = (await read_workflows(pipeline, http, self.clock)).workflows.good
        attempts = attempts_of(workflows)
        items = (
            build_of(self, project, pipeline, row, attempts[row.id], overtaken=True)
            for row in workflows
            if row.id in attempts
        )
        return next((item for item in items if item.key == self.key(kind, remote_id)), None)

    # -- projects ------------------------------------------------------------------------------------------------

    async def _project(self, slug: str, http: Http) -> Details:
        now = self.clock.monotonic()
        details, read_at = self._details.get(slug, (None, float("-inf")))
        if details is None or now - read_at >= DETAILS_KEPT:
            details = (await http.get(f"/api/v2/project/{slug}")).decode(Details)
            self._details[slug] = details, now
        return details

    def _default_branch(self, details: Details, pipelines: Sequence[Pipeline]) -> str:
        told = next((name for row in pipelines if (name := row.gitlab.default_branch)), "")
        vcs = details.vcs_info or VcsInfo()
        return self.options.default_branch or told or vcs.default_branch or ""

    def _common(self, slug: str, details: Details, default_branch: str, pipelines: Sequence[Pipeline]) -> Project:
        """What all builds of a project have in common."""
        vcs = details.vcs_info or VcsInfo()
        if default_branch != self.options.default_branch and (vcs.provider or "").lower() == "circleci":
            # Projects of the GitHub App and of GitLab are CircleCI's own, and their default branch may be no more than
            # a guess. With a wrong one no failure would count, so it must have been seen once.
            if any(row.branch == default_branch for row in pipelines):
                self._confirmed.add(slug)
            elif slug not in self._confirmed:
                default_branch = ""
        base = self.options.url or self.default_url
        return Project(default_branch=default_branch, repository=repository(slug, details), pages=pages_of(base, slug))
