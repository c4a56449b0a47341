"""Gitea and Forgejo (REST v1): runs of Actions, published releases and issues.  Neither knows deployments.

Gitea tells of runs since 1.25, in GitHub's words (go-gitea/gitea#33964); so does Forgejo, in a shape and in words of
its own; older servers tell only of tasks, which are the jobs that a runner took (#26673). Which of it a server has is
found out by asking, and remembered. From its tasks alone a run cannot be judged, since its other jobs may not have
begun: there each job is a build.

Forgejo minds ``limit`` only beside ``page``, and serves at most what its administrator allows (50 as it comes), so
whether a list is whole is told by ``total_count``.

What the words mean is in `sources._gitea`.  Docs: docs.gitea.com/api, and /api/swagger on every server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from sources._gitea import (
    PATHS,
    REPO,
    AnyRuns,
    Issue,
    PublishedRelease,
    Repository,
    Run,
    Runs,
    build_of,
    line_of,
    publication_of,
    ticket_of,
)
from sources._shared.answers import every, one
from sources._shared.decoding import as_documented
from sources._shared.listing import Listings
from sources._shared.reruns import overtaken
from sources._shared.rows import Rows
from statusboard.api import (
    BadAnswer,
    Context,
    Credentials,
    Http,
    Item,
    ItemKind,
    LookupUnsupported,
    NotFound,
    Part,
    Past,
    Reply,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    option,
)

REPOSITORY_KEPT: Final = 3600.0
ORG_KEPT: Final = 600.0
#: How seldom a server without runs is asked for them again, since it may have been upgraded (seconds).
ENDPOINT_KEPT: Final = 86_400.0
PAGE: Final = 50
ORG_PAGES: Final = 4
ISSUE_PAGES: Final = 10
#: How far back tasks are read where some may have been missed: they cannot be asked for by branch.
TASK_PAGES: Final = 3
_ORG = re.compile(r"(?!\.\.?$)[A-Za-z0-9_.-]{1,100}")


class GiteaOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: gitea``."""

    repos: Annotated[tuple[str, ...], option("repositories, as owner/name")] = ()
    org: Annotated[
        str | tuple[str, ...],
        option("an organisation, or several: all their repositories that are not archived, at most 200 each"),
    ] = ()
    exclude: Annotated[tuple[str, ...], option("repositories of `org` to leave out; * and ? match anything")] = ()
    builds: Annotated[int, msgspec.Meta(ge=1, le=PAGE), option("how many runs to read of each repository")] = 30

    @property
    def orgs(self) -> tuple[str, ...]:
        """The organisations."""
        return (self.org,) if isinstance(self.org, str) else self.org

    def __post_init__(self) -> None:
        if not self.repos and not any(self.orgs):
            raise ValueError("name at least one of `repos` (as owner/name) and `org`")
        for repo in self.repos:
            if not REPO.fullmatch(repo):
                raise ValueError(f"`repos`: {repo[:80]!r} is not of the form owner/name")
        for org in self.orgs:
            if not _ORG.fullmatch(org):
                raise ValueError(f"`org`: {org[:80]!r} is no organisation's name, which stands alone, without a slash")


class Place(msgspec.Struct, frozen=True):
    """What a scope reads: of a repository, or of a whole organisation."""

    what: str
    owner: str
    grouped: bool = False
    error: SourceError | None = None

    @property
    def name(self) -> str:
        return f"{self.owner}{'/*' if self.grouped else ''} {self.what}"


KINDS: Final[Mapping[str, ItemKind]] = {"builds": "build", "releases": "release", "tickets": "ticket"}


class Gitea(Source[GiteaOptions]):
    """Builds from Actions, releases from published ones, tickets from issues; of Gitea and of Forgejo."""

    type = "gitea"
    kinds = frozenset({"build", "release", "ticket"})
    Options = GiteaOptions
    summary = "Gitea and Forgejo: runs of Actions, releases and issues"
    default_interval = 60.0
    scopes_needed = (
        "a token with read access to repository and issue (and organization for `org`); none for public repositories"
    )
    requests = (3, "repository (of `org` 2, and 1 for each of them)")
    example = """\
url: https://git.example.com
repos: [acme/checkout]   # or all of an organisation: org: acme
token: "keyring:gitea"
"""
    setup = """\
- `url:` is the root of the server (`https://codeberg.org`, or `https://example.com/git` with its prefix), without
  `/api/v1`.
- Make a token in **Settings > Applications > Generate new token** (on Forgejo **Access tokens**): permissions *read*
  for **repository** and **issue**, for `org:` also for **organization**.
- Store it with `statusboard login gitea`; it is shown only once. Then `token: "keyring:gitea"`.
- The token sees what its user sees. *404 Not Found* means that it may not see a repository, or that there is none.
- Gitea before 1.25 and old Forgejo tell of single jobs only: each job of a workflow is then a build of its own.
- Codeberg and others limit how often they are asked; raise `interval:` rather than dropping repositories.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = "neither Gitea nor Forgejo knows deployments, only published releases"

    def __init__(self, options: GiteaOptions, context: Context) -> None:
        super().__init__(options, context)
        self._named: dict[str, str] = {}  # by lower-case name: the servers do not mind the case
        for repo in options.repos:
            self._named.setdefault(repo.lower(), repo)
        self.organisations: Listings[str] = Listings(context.clock, ORG_KEPT)
        self._repositories: dict[str, tuple[Repository, float]] = {}
        self._newest: dict[str, int] = {}
        self._only_tasks_since = float("-inf")

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        if credentials.token:
            return {"Authorization": f"token {credentials.token}"}
        return super().sign(credentials)

    # -- what to read --------------------------------------------------------------------------------------------

    async def scopes(self, http: Http) -> Sequence[Scope]:
        orgs = list(dict.fromkeys(org.lower() for org in self.options.orgs))
        listed = [await self.organisations.of(org, partial(self._list, org, http)) for org in orgs]
        grouped = {path: name for org in listed for path, name in org.members.items()}
        found: list[Place] = []
        for path, name in {**grouped, **self._named}.items():
            # An organisation's issues are read at once.
            found += [Place(what=what, owner=name) for what in KINDS if what != "tickets" or path not in grouped]
        for org, known in zip(orgs, listed, strict=True):
            found.append(Place(what="tickets", owner=org, grouped=True))
            if known.error is not None:
                found.append(Place(what="repositories", owner=org, grouped=True, error=known.error))
        some_kind = min(self.options.kinds or self.kinds)
        return [
            Scope(name=place.name, kind=kind, reach="window", data=place)
            for place in found
            if self.wants(kind := KINDS.get(place.what, some_kind))
        ]

    async def _list(self, org: str, http: Http) -> tuple[dict[str, str], TooLarge | None]:
        """The repositories of an organisation by lower-case name, archived ones aside."""
        repos: dict[str, str] = {}
        error: TooLarge | None = None
        pages = 0
        try:
            async for reply in http.pages(
                f"/api/v1/orgs/{org}/repos", params={"page": 1, "limit": PAGE}, limit=ORG_PAGES
            ):
                pages += 1
                for repository in every(reply, Repository):
                    name = _name_of(repository)
                    left_out = any(fnmatchcase(name.lower(), pattern.lower()) for pattern in self.options.exclude)
                    if not repository.archived and not left_out:
                        repos[name.lower()] = name
                        self._repositories[name] = repository, self.clock.monotonic()
        except TooLarge:
            if pages < ORG_PAGES:
                raise
            error = TooLarge(f"{org} has more than {ORG_PAGES * PAGE} repositories: name those that matter in `repos`")
        if not repos:
            raise NotFound(f"the organisation {org} has no repositories that this credential may see")
        return repos, error

    async def read(self, scope: Scope, http: Http) -> Part:
        place: Place = scope.data
        if place.error is not None:
            raise place.error
        match place.what:
            case "builds":
                return await self._read_builds(scope, place.owner, http)
            case "releases":
                return await self._read_releases(scope, place.owner, http)
            case _:
                return await self._read_issues(scope, place, http)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._gitea_history import History  # nobody else needs it

        place: Place = scope.data
        if place.error is not None:
            raise place.error
        return await History(self).read(place, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        repo, what, number = remote_id.rsplit("/", 2)
        if what == "task":
            return await self._find_task(repo, int(number), http)
        reply = await http.get(f"/api/v1/repos/{repo}/{PATHS[what]}/{number}")
        match what:
            case "run":
                run = one(reply, Run)
                return build_of(self, repo, (await self.repository(repo, http)).default_branch or "", run)
            case "release":
                return publication_of(self, repo, one(reply, PublishedRelease))
            case _:
                return ticket_of(self, repo, one(reply, Issue))

    async def repository(self, repo: str, http: Http) -> Repository:
        """What is said of a repository itself; asked for hourly."""
        repository, read_at = self._repositories.get(repo, (Repository(), float("-inf")))
        now = self.clock.monotonic()
        if now - read_at >= REPOSITORY_KEPT:
            repository = one(await http.get(f"/api/v1/repos/{repo}"), Repository)
            _name_of(repository)
            self._repositories[repo] = repository, now
        return repository

    # -- builds --------------------------------------------------------------------------------------------------

    async def _read_builds(self, scope: Scope, repo: str, http: Http) -> Part:
        repository = await self.repository(repo, http)
        if repository.has_actions is False:
            return scope.part((), notes=[f"{repo}: Actions are turned off"])
        reply, tasks = await self._newest_runs(repo, http)
        found = _runs_of(reply)
        rows = Rows("run", Run, found.workflow_runs)
        ids = [run.id for run in rows.good if run.id]
        whole = len(ids) >= found.total_count if isinstance(found.total_count, int) else len(ids) < self.options.builds
        if ids and not whole and min(ids) > self._newest.get(scope.name, 0):
            # Runs between the last poll and this window may have been missed: what the default branch's last said
            # must not be among them.
            await self._add_older(rows, repo, repository.default_branch or "", tasks, http)
        self._newest[scope.name] = max(ids, default=0)
        branch = repository.default_branch or ""
        late = overtaken((run.id, line_of(run, task=tasks)) for run in rows.good)

        def build(run: Run) -> Item:
            return build_of(self, repository.name, branch, run, task=tasks, overtaken=run.id in late)

        return rows.part(scope, build)

    async def _newest_runs(self, repo: str, http: Http) -> tuple[Reply, bool]:
        """The newest runs, else tasks; and whether it is tasks."""
        path = f"/api/v1/repos/{repo}/actions"
        params = {"page": 1, "limit": self.options.builds}
        now = self.clock.monotonic()
        if now - self._only_tasks_since >= ENDPOINT_KEPT:
            try:
                return await http.get(f"{path}/runs", params=params, conditional=True), False
            except NotFound:
                pass  # the server is older than that, or these are not for us: the tasks tell
        try:
            reply = await http.get(f"{path}/tasks", params={"page": 1, "limit": PAGE}, conditional=True)
        except NotFound as exc:
            text = f"{repo}: Actions are turned off, or not for this credential to see"
            raise NotFound(text, status=exc.status) from None
        if now - self._only_tasks_since >= ENDPOINT_KEPT:
            self._only_tasks_since = now
        return reply, True

    async def _add_older(self, rows: Rows[Run], repo: str, branch: str, tasks: bool, http: Http) -> None:
        path = f"/api/v1/repos/{repo}/actions"
        if not tasks:
            if branch:  # Gitea knows `branch`, Forgejo `ref`; each leaves the other aside
                wanted = {"branch": branch, "ref": f"refs/heads/{branch}", "page": "1", "limit": str(PAGE)}
                rows.add(_runs_of(await http.get(f"{path}/runs", params=wanted)).workflow_runs)
            return
        for page in range(2, TASK_PAGES + 1):
            more = _runs_of(await http.get(f"{path}/tasks", params={"page": page, "limit": PAGE})).workflow_runs
            rows.add(more)
            if not more:
                return

    async def _find_task(self, repo: str, number: int, http: Http) -> Item | None:
        """A task by its id, for which there is no request: in the list, newest first."""
        branch = (await self.repository(repo, http)).default_branch or ""
        for page in range(1, TASK_PAGES + 1):
            reply = await http.get(f"/api/v1/repos/{repo}/actions/tasks", params={"page": page, "limit": PAGE})
            tasks = Rows("task", Run, _runs_of(reply).workflow_runs).good
            for task in tasks:
                if task.id == number:
                    return build_of(self, repo, branch, task, task=True)
            if not tasks or min(task.id or 0 for task in tasks) < number:
                return None
        raise LookupUnsupported

    # -- releases and tickets ------------------------------------------------------------------------------------

    async def _read_releases(self, scope: Scope, repo: str, http: Http) -> Part:
        repository = await self.repository(repo, http)
        if repository.has_releases is False:
            return scope.part((), notes=[f"{repo}: releases are turned off"])
        params = {"draft": "false", "page": "1", "limit": "10"}
        reply = await http.get(f"/api/v1/repos/{repo}/releases", params=params, conditional=True)
        rows = Rows("release", PublishedRelease, as_documented(reply, list[PublishedRelease], list[Any]))
        return rows.part(scope, lambda row: publication_of(self, repository.name, row))

    async def _read_issues(self, scope: Scope, place: Place, http: Http) -> Part:
        params: dict[str, str | int] = {"state": "open", "type": "issues", "page": 1, "limit": PAGE}
        name, path = place.owner, "/api/v1/repos/issues/search"
        if place.grouped:
            params["owner"] = place.owner
        else:
            repository = await self.repository(place.owner, http)
            if repository.has_issues is False or repository.external_tracker is not None:
                return scope.part((), notes=[f"{place.owner}: issues are turned off, or kept elsewhere"])
            name, path = repository.name, f"/api/v1/repos/{place.owner}/issues"
        rows: Rows[Issue] = Rows("issue", Issue)
        notes: list[str] = []
        pages = 0
        try:
            async for reply in http.pages(path, params=params, conditional=True, limit=ISSUE_PAGES):
                rows.add(as_documented(reply, list[Issue], list[Any]))
                pages += 1
        except TooLarge:
            if pages < ISSUE_PAGES:
                raise
            notes.append(f"{place.owner}: only the {ISSUE_PAGES * PAGE} newest open issues are read")

        def convert(issue: Issue) -> Item | None:
            if not place.grouped:
                return ticket_of(self, name, issue)
            repo = issue.repository.name if issue.repository else ""
            if not repo:
                raise BadAnswer("an issue tells no repository")
            return ticket_of(self, repo, issue) if repo.lower() in self.organisations[place.owner] else None

        return rows.part(scope, convert, notes=notes)


def _runs_of(reply: Reply) -> Runs | AnyRuns:
    return as_documented(reply, Runs, AnyRuns)


def _name_of(repository: Repository) -> str:
    if not repository.name:
        raise BadAnswer("a repository has no name")
    return repository.name
