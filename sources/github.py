"""GitHub and GitHub Enterprise Server (REST): workflow runs, deployments, published releases and issues.

A list of runs says all there is to say of them, so its ETag vouches for the part; at first, and after a gap, the runs
of the default branch are read further back, for workflows that seldom run. A list of deployments does not say how
they went: that takes a request each, made for new ones, for those on their way, and now and then for the newest of
each environment; what was read is kept.

What GitHub's words mean is in `sources._github`.  Docs: docs.github.com/en/rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec

from sources._github import (
    DEPLOYMENT_STATES,
    PATHS,
    Deployment,
    DeploymentStatus,
    Issue,
    PublishedRelease,
    Repository,
    Run,
    Runs,
    build_of,
    deployment_of,
    publication_of,
    ticket_of,
)
from sources._shared.rows import Rows, need
from statusboard.api import (
    Context,
    Http,
    Item,
    ItemKind,
    NotFound,
    NotModified,
    Part,
    Release,
    Scope,
    Source,
    SourceOptions,
    TooLarge,
    option,
    parse_time,
)

DEFAULT_BRANCH_KEPT: Final = 3600.0
#: How seldom the status of a deployment is read again that is not expected to move (seconds) ...
STATUS_KEPT: Final = 900.0
#: ... and after what time an unfinished one is no longer expected to.
ABANDONED: Final = timedelta(days=1)
ISSUE_PAGES: Final = 10
_REPO = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/(?!\.\.?$)[A-Za-z0-9_.-]+")


class GitHubOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: github``."""

    repos: Annotated[tuple[str, ...], option("repositories, as owner/name")]
    runs: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many workflow runs to read of each")] = 30
    deployments: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many deployments to read of each")] = 10

    def __post_init__(self) -> None:
        if not self.repos:
            raise ValueError("`repos` is empty; name at least one repository as owner/name")
        for repo in self.repos:
            if not _REPO.fullmatch(repo):
                raise ValueError(f"`repos`: {repo[:80]!r} is not of the form owner/name")


class _Read(msgspec.Struct, frozen=True):
    """A deployment's status as last read, and what may have been different then."""

    status: DeploymentStatus
    updated_at: str | None
    newest: bool
    at: float


class _Releases(msgspec.Struct, frozen=True):
    """What the last good poll of a repository's deployments found."""

    deployments: Rows[Deployment]
    read: dict[int, _Read]


class GitHub(Source[GitHubOptions]):
    """Builds from Actions runs, releases from deployments and published releases, tickets from issues."""

    type = "github"
    kinds = frozenset({"build", "release", "ticket"})
    Options = GitHubOptions
    summary = "GitHub Actions runs, deployments, releases and issues"
    default_url = "https://api.github.com"
    default_interval = 60.0
    concurrency = 1  # GitHub asks for it: its secondary limits count requests at once
    scopes_needed = (
        "a fine-grained token with read access to Actions, Deployments, Contents, Issues and Metadata of the "
        "repositories; none for public ones (60 requests an hour)"
    )

    def __init__(self, options: GitHubOptions, context: Context) -> None:
        super().__init__(options, context)
        self._repos: dict[str, str] = {}  # by lower-case name: GitHub does not mind the case
        for repo in options.repos:
            self._repos.setdefault(repo.lower(), repo)
        self._branches: dict[str, tuple[str, float]] = {}
        self._releases: dict[str, _Releases] = {}
        self._newest_run: dict[str, int] = {}

    def request_headers(self) -> Mapping[str, str]:
        return {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [
            Scope(name=f"{repo} {kind}", kind=kind, reach="window", data=repo)
            for repo in self._repos.values()
            for kind in ("build", "release", "ticket")
            if self.wants(kind)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        match scope.kind:
            case "build":
                return await self._read_runs(scope, http)
            case "release":
                return await self._read_releases(scope, http)
            case _:
                return await self._read_issues(scope, http)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        repo, what, number = remote_id.rsplit("/", 2)
        if repo.lower() not in self._repos:
            return None
        reply = await http.get(f"/repos/{repo}/{PATHS[what]}/{number}")
        match what:
            case "run":
                run = reply.decode(Run)
                return build_of(self, repo, await self._default_branch(repo, [run], http), run)
            case "deployment":
                deployment = reply.decode(Deployment)
                return deployment_of(self, repo, deployment, await self._status(repo, deployment, http))
            case "release":
                return publication_of(self, repo, reply.decode(PublishedRelease))
            case _:
                return ticket_of(self, repo, reply.decode(Issue))

    # -- builds --------------------------------------------------------------------------------------------------

    async def _read_runs(self, scope: Scope, http: Http) -> Part:
        repo: str = scope.data
        path = f"/repos/{repo}/actions/runs"
        reply = await http.get(path, params={"per_page": self.options.runs}, conditional=True)
        rows = Rows("run", Run, reply.decode(Runs).workflow_runs)
        default_branch = await self._default_branch(repo, rows.good, http)
        ids = [run.id for run in rows.good if run.id]
        if default_branch and len(ids) >= self.options.runs and min(ids) > self._newest_run.get(repo, 0):
            # Runs between the last poll and this window may have been missed: what the default branch's workflows
            # last said must not be among them.
            reply = await http.get(path, params={"branch": default_branch, "per_page": 100})
            rows.add(reply.decode(Runs).workflow_runs)
        if ids:
            self._newest_run[repo] = max(ids)
        return rows.part(scope, lambda run: build_of(self, repo, default_branch, run))

    async def _default_branch(self, repo: str, runs: Sequence[Run], http: Http) -> str:
        """The repository's default branch: from a run where it says so (GitHub's do not), else asked for hourly."""
        for run in runs:
            if run.repository and run.repository.default_branch:
                return run.repository.default_branch
        branch, read_at = self._branches.get(repo, ("", float("-inf")))
        now = self.clock.monotonic()
        if runs and now - read_at >= DEFAULT_BRANCH_KEPT:
            branch = (await http.get(f"/repos/{repo}")).decode(Repository).default_branch or ""
            self._branches[repo] = branch, now
        return branch

    # -- releases ------------------------------------------------------------------------------------------------

    async def _read_releases(self, scope: Scope, http: Http) -> Part:
        repo: str = scope.data
        # Taken away first: after a failure all is read anew. For the same reason nothing is conditional while nothing
        # is known: a 304 would leave us without the list that it vouches for.
        known = self._releases.pop(repo, None)
        try:
            params = {"per_page": self.options.deployments}
            reply = await http.get(f"/repos/{repo}/deployments", params=params, conditional=known is not None)
            deployments = Rows("deployment", Deployment, reply.decode(list[Any]))
        except NotModified:
            assert known is not None
            deployments = known.deployments
        reply = await http.get(f"/repos/{repo}/releases", params={"per_page": 10})
        published = Rows("release", PublishedRelease, reply.decode(list[Any]))
        read = await self._statuses(repo, deployments.good, known.read if known else {}, http)

        def deployment(row: Deployment) -> Release:
            return deployment_of(self, repo, row, read[need(row.id, "id")].status)

        part = deployments.part(scope, deployment)
        more = published.part(scope, lambda row: publication_of(self, repo, row))
        if part.error is None and more.error is None:
            self._releases[repo] = _Releases(deployments=deployments, read=read)
        return msgspec.structs.replace(part, items=part.items + more.items, error=part.error or more.error)

    async def _statuses(
        self, repo: str, deployments: Sequence[Deployment], known: Mapping[int, _Read], http: Http
    ) -> dict[int, _Read]:
        """How each deployment went, by id; newest first, so the first of an environment is its newest."""
        read: dict[int, _Read] = {}
        environments: set[str] = set()
        for deployment in deployments:
            if deployment.id is None:
                continue
            newest = (deployment.environment or "") not in environments
            environments.add(deployment.environment or "")
            before = known.get(deployment.id)
            if before is None or self._due(deployment, before, newest):
                status = await self._status(repo, deployment, http)
                now = self.clock.monotonic()
                before = _Read(status=status, updated_at=deployment.updated_at, newest=newest, at=now)
            read[deployment.id] = before
        return read

    def _due(self, deployment: Deployment, before: _Read, newest: bool) -> bool:
        """Whether a deployment's status may have changed since it was read."""
        if before.updated_at != deployment.updated_at or before.newest != newest:
            return True
        state = DEPLOYMENT_STATES.get((before.status.state or "pending").lower(), "unknown")
        unfinished = state in ("queued", "running", "blocked", "unknown")
        created_at = parse_time(deployment.created_at)
        if unfinished and created_at is not None and self.clock.now() - created_at < ABANDONED:
            return True
        return (unfinished or newest) and self.clock.monotonic() - before.at >= STATUS_KEPT

    async def _status(self, repo: str, deployment: Deployment, http: Http) -> DeploymentStatus:
        path = f"/repos/{repo}/deployments/{need(deployment.id, 'id')}/statuses"
        try:
            statuses = (await http.get(path, params={"per_page": 1})).decode(list[DeploymentStatus])
        except NotFound:  # deleted since the list was made
            return DeploymentStatus()
        return statuses[0] if statuses else DeploymentStatus(state="pending")

    # -- tickets -------------------------------------------------------------------------------------------------

    async def _read_issues(self, scope: Scope, http: Http) -> Part:
        repo: str = scope.data
        params: dict[str, str | int] = {"state": "open", "sort": "updated", "direction": "desc", "per_page": 100}
        rows: Rows[Issue] = Rows("issue", Issue)
        notes: list[str] = []
        pages = 0
        try:
            async for reply in http.pages(f"/repos/{repo}/issues", params=params, conditional=True, limit=ISSUE_PAGES):
                rows.add(reply.decode(list[Any]))
                pages += 1
        except TooLarge:
            if pages < ISSUE_PAGES:
                raise
            notes.append(f"{repo}: only the {ISSUE_PAGES * 100} open issues that changed last are read")
        except NotFound as exc:
            if exc.status != 410:
                raise
            notes.append(f"{repo}: issues are turned off")
        return rows.part(scope, lambda issue: ticket_of(self, repo, issue), notes=notes)
