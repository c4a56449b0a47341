"""GitHub, GitHub Enterprise Server and GHE.com (REST): workflow runs, deployments, published releases and issues.

A list of runs says all there is to say of them, so its ETag vouches for the part; at first, and after a gap, the runs
of the default branch are read further back, for workflows that seldom run.  A list of deployments does not say how
they went: see `sources._github_statuses`.  ETags are bound to the token, and an App's token is another one every hour
(github/docs issue 34689): lists are read in full then, but what is known of deployments, default branches and
workflows is kept.  Only the first part asks with a token that may have expired, and the others wait for how that went.

A search joins several ``repo:`` by AND and leaves out what it may not see (docs.github.com/rest/search), so there is
one for each place.  What GitHub's words mean is in `sources._github`.  Docs: docs.github.com/en/rest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from sources._github import PATHS
from sources._github_builds import Builds
from sources._github_options import REPO, GitHubOptions, unique
from sources._github_org import Organisation
from sources._github_releases import MANY, Releases
from sources._github_tickets import Tickets
from statusboard.api import AuthError, Context, Http, Item, ItemKind, Part, Past, Scope, Source, SourceError

if TYPE_CHECKING:
    from sources._github_history import History

KINDS: Final[tuple[ItemKind, ...]] = ("build", "release", "ticket")


class GitHub(Source[GitHubOptions]):
    """Builds from Actions runs, releases from deployments and published releases, tickets from issues."""

    type = "github"
    kinds = frozenset({"build", "release", "ticket"})
    Options = GitHubOptions
    summary = "GitHub Actions runs, deployments, releases and issues"
    version = 2
    default_url = "https://api.github.com"
    default_interval = 60.0
    concurrency = 1  # GitHub asks for it: its secondary limits count requests at once
    scopes_needed = (
        "a fine-grained token with read access to Actions, Deployments, Contents, Issues and Metadata of the "
        "repositories; none for public ones (60 requests an hour)"
    )
    requests = (4, "repository (of builds, 1 for each of `branches` and `workflows`)")
    example = """
        repos: [acme/checkout, acme/shop]   # or all of an organisation: org: acme
        branches: [main]
        token: "keyring:github"
    """
    setup = """
        - Make a fine-grained token: on GitHub your picture, Settings, Developer settings, Personal access tokens,
          Fine-grained tokens. Choose the organisation and the repositories to be shown, and as repository permissions,
          all read-only: Actions, Contents, Deployments, Issues.
        - Store it with `statusboard login github` and set `token: "keyring:github"`. Without a token only public
          repositories can be read, in 60 requests an hour.
        - For github.com leave `url` out. GitHub Enterprise Server: `url: https://github.example.com/api/v3`. GHE.com:
          `url: https://api.SUBDOMAIN.ghe.com`.
        - *404 Not Found*: there is no such repository, or the token may not see it. *401 Bad credentials*: the token is
          wrong, or has expired.
        - `org` reads the repositories that were pushed to last, 50 unless `org_repos` says otherwise, and looks for new
          ones every 10 minutes.
        - `query` is what you would type into GitHub's search for issues, such as `label:incident`; it searches `org`
          and `repos` unless it names a place itself. GitHub allows 30 searches a minute.
        - What has not changed costs nothing of the 5,000 requests an hour that a token has. When they run low, the
          board asks less often.
    """
    verified = "documented"
    history_kinds = kinds
    no_history = "of a run that was run again only the last attempt is told"

    #: How long the other parts wait for the first one's answer (seconds), lest one that hangs holds them all up.
    patience: ClassVar[float] = 2.0

    def __init__(self, options: GitHubOptions, context: Context) -> None:
        super().__init__(options, context)
        self._named = unique(options.repos)
        self._repos: dict[str, str] = {}  # by lower-case name: GitHub does not mind the case
        self._organisation = Organisation(options.org, options.org_repos, options.exclude, self.clock)
        self._builds = Builds(self, self._named)
        self._releases = Releases(self)
        self._tickets = Tickets(self)
        self._history: History | None = None
        self._noted = ""
        self._first: asyncio.Event | None = None
        self._refused: AuthError | None = None
        self._know_repositories()

    def request_headers(self) -> Mapping[str, str]:
        return {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        self._first = self._refused = None
        organisation = self._organisation
        await organisation.look(http)
        without_issues = self._know_repositories()
        scopes: list[Scope] = []
        for key, repo in self._repos.items():
            if self.wants("build"):
                scopes += self._builds.scopes(repo)
            if self.wants("release"):
                scopes.append(Scope(name=f"{repo} releases", kind="release", reach="window", data=repo))
            if self.wants("ticket") and not self.options.query and key not in without_issues:
                scopes.append(Scope(name=f"{repo} tickets", kind="ticket", reach="window", data=repo))
        scopes += self._tickets.searches()
        if organisation.error is not None:
            if not scopes or _is_401(organisation.error):
                raise organisation.error
            # What is known already, and what is named, is read all the same.
            kind = next(kind for kind in KINDS if self.wants(kind))
            name = f"{organisation.org} repositories"
            scopes.append(Scope(name=name, kind=kind, reach="delta", data=organisation.error))
        self._noted = scopes[0].name if scopes else ""
        return scopes

    def _know_repositories(self) -> set[str]:
        """Take over what is named and what the organisation has; returns which of it have no issues."""
        self._repos = {repo.lower(): repo for repo in self._named}
        without_issues = set()
        for name, repository in self._organisation:
            repo = self._repos.setdefault(name.lower(), name)
            if repository.default_branch:
                self._builds.knows(repo, repository.default_branch)
            if repository.has_issues is False:
                without_issues.add(name.lower())
        self._builds.repos = frozenset(self._repos.values())
        self._releases.many = len(self._repos) > MANY
        return without_issues

    async def read(self, scope: Scope, http: Http) -> Part:
        if isinstance(scope.data, SourceError):
            raise scope.data
        if self._first is None:
            return await self._read_first(scope, http)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self._first.wait()
        if self._refused is not None:
            raise self._refused
        return await self._read(scope, http)

    async def _read_first(self, scope: Scope, http: Http) -> Part:
        """Read a poll's first part.  GitHub locks out for a while who goes on asking with a token that is void."""
        self._first = first = asyncio.Event()
        try:
            return await self._read(scope, http)
        except AuthError as exc:
            if _is_401(exc):
                self._refused = exc
            raise
        finally:
            first.set()

    async def _read(self, scope: Scope, http: Http) -> Part:
        match scope.kind:
            case "build":
                part = await self._builds.read(scope, http)
            case "release":
                part = await self._releases.read(scope, http)
            case _:
                part = await self._tickets.read(scope, http)
        if self._organisation.note and scope.name == self._noted:
            part = msgspec.structs.replace(part, notes=(*part.notes, self._organisation.note))
        return part

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._github_history import History  # nobody else needs it

        if isinstance(scope.data, SourceError):
            raise scope.data
        if self._history is None:
            self._history = History(self, self._builds, self._releases)
        return await self._history.read(scope, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        repo, what, number = remote_id.rsplit("/", 2)
        found_by_search = what == "issue" and self.options.query and REPO.fullmatch(repo)
        if repo.lower() not in self._repos and not found_by_search:
            return None
        path = f"/repos/{repo}/{PATHS[what]}/{number}"
        match what:
            case "run":
                return await self._builds.one(repo, path, http)
            case "deployment":
                return await self._releases.deployment(repo, path, http)
            case "release":
                return await self._releases.publication(repo, path, http)
            case _:
                return await self._tickets.one(repo, path, http)


def _is_401(error: SourceError) -> bool:
    return isinstance(error, AuthError) and error.status == 401
