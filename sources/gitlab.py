"""GitLab (REST v4, GraphQL for what REST lacks): pipelines, deployments, releases, issues, incidents and alerts.

A list of pipelines has neither start nor duration, nor does it tell a success with warnings: that takes a request for
each, made for those that matter and never twice while nothing changed. It is read newest first by id: ordering by
``updated_at`` is slow enough to time out (mvisonneau/gitlab-ci-pipelines-exporter#992), and for deployments is to be
refused without ``updated_after`` (app/finders/deployments_finder.rb). An older pipeline that is retried is therefore
seen only while it is among the newest.

GitLab makes a deployment for each job that may deploy, also for those that nobody starts: of an environment's waiting
deployments only the newest is shown. Without permission its alerts are an empty list (alerts_finder.rb), hence the
look at the permissions that come with the same role.

What GitLab's words mean is in `sources._gitlab`.  Docs: docs.gitlab.com/api (pipelines, deployments, environments,
releases, issues, rest/authentication, graphql).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from sources._gitlab import (
    Pipeline,
    Project,
    PublishedRelease,
    build_of,
    publication_of,
)
from sources._gitlab_deployments import Deployments
from sources._gitlab_graphql import alerts, escalation
from sources._gitlab_issues import Issue, incident_of, incident_of_alert, ticket_of
from sources._gitlab_options import GitLabOptions
from sources._gitlab_pipelines import Details, read_details
from sources._shared.answers import every, one
from sources._shared.decoding import as_documented
from sources._shared.listing import Listings
from sources._shared.rows import Rows
from statusboard.api import (
    AuthError,
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
    Scope,
    Source,
    SourceError,
    TooLarge,
    basic,
)

if TYPE_CHECKING:
    from sources._gitlab_history import History

PROJECT_KEPT: Final = 3600.0
GROUP_KEPT: Final = 600.0
GROUP_PAGES: Final = 2
ISSUE_PAGES: Final = 10
#: The kind of each part of a project or group.
KINDS: Mapping[str, ItemKind] = {
    "builds": "build",
    "deployments": "release",
    "releases": "release",
    "tickets": "ticket",
    "incidents": "incident",
    "alerts": "incident",
}


class Place(msgspec.Struct, frozen=True):
    """What a scope reads: ``owner`` (a project or a group) below ``path`` of the API."""

    what: str
    path: str
    owner: str
    grouped: bool = False
    branch: str = ""
    error: SourceError | None = None

    @property
    def name(self) -> str:
        owner = f"{self.owner}/*" if self.grouped else self.owner
        return f"{owner} {self.what}{f' on {self.branch}' if self.branch else ''}"


class GitLab(Source[GitLabOptions]):
    """Builds from pipelines, releases from deployments and releases, tickets from issues, incidents and alerts."""

    type = "gitlab"
    kinds = frozenset({"build", "release", "ticket", "incident"})
    Options = GitLabOptions
    summary = "GitLab pipelines, deployments, releases, issues, incidents and alerts"
    default_url = "https://gitlab.com"
    default_interval = 60.0
    scopes_needed = (
        "a personal, group or project access token with the scope read_api and the role Reporter (Developer to read "
        "alerts); none for the builds, releases and issues of public projects"
    )
    requests = (6, "project (of `groups` 3, and 2 for each group)")
    example = """\
projects: [acme/checkout]   # or groups: [acme]
token: "keyring:gitlab"
"""
    setup = """\
- Make a token: for a group or project **Settings > Access tokens** (role Reporter), for yourself
  **Edit profile > Access tokens**. Its only scope: `read_api`.
- Store it with `statusboard login gitlab`; it is shown only once. Then `token: "keyring:gitlab"`.
- `url:` is the root of your instance (`https://gitlab.example`, with its prefix if it has one), without `/api/v4`;
  leave it out for gitlab.com.
- `projects:` are paths as in the browser's address: `acme/checkout` or `acme/shop/checkout`. `groups:` takes all
  projects of a group and its subgroups (archived ones aside) and finds new ones within ten minutes.
- Alerts (**Monitor > Alerts**) need the role Developer. Review apps (`review/*`) are left out unless `environments:`
  names them.
- A token that may not see a project gets *404 Not Found* from GitLab, not *403*. *401 invalid_token*: it has expired,
  or was revoked.
- A pipeline that waits for a manual job is shown as blocked, and counts as what its jobs have said so far. GitLab does
  not tell which schedule a pipeline is of: of several schedules on one branch the last pipeline counts.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = (
        "of builds the lists tell when they were made and last changed, which stands for when they began and ended; of "
        "incidents nobody tells when they were acknowledged"
    )

    def __init__(self, options: GitLabOptions, context: Context) -> None:
        super().__init__(options, context)
        self._named: dict[str, str] = {}  # by lower-case path: GitLab does not mind the case
        for project in options.projects:
            self._named.setdefault(project.lower(), project)
        self._projects: dict[str, tuple[Project, float]] = {}
        self._groups: Listings[str] = Listings(context.clock, GROUP_KEPT)
        self._details = Details(context.clock)
        self._newest: dict[str, int] = {}
        self.deployments = Deployments(self, self._named, self.project)
        self._escalation: dict[str, dict[str, str | None]] = {}
        self._history: History | None = None

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        if self.options.auth == "bearer" or not credentials.token:
            return super().sign(credentials)
        headers = {"PRIVATE-TOKEN": credentials.token}
        if credentials.username or credentials.password:
            headers["Authorization"] = basic(credentials.username, credentials.password)
        return headers

    # -- what to read --------------------------------------------------------------------------------------------

    async def scopes(self, http: Http) -> Sequence[Scope]:
        groups = list(dict.fromkeys(self.options.groups))
        listed = [await self._groups.of(group, partial(self._list, group, http)) for group in groups]
        grouped = {path: name for group in listed for path, name in group.members.items()}
        found = [place for name in self._named.values() for place in self._places(name, name.lower() in grouped)]
        for path, name in grouped.items():
            if path not in self._named:
                found += self._places(name, True)
        for group, known in zip(groups, listed, strict=True):
            path = f"/api/v4/groups/{quote(group, safe='')}"
            found += [Place(what=what, path=path, owner=group, grouped=True) for what in ("tickets", "incidents")]
            if known.error is not None:
                found.append(Place(what="projects", path=path, owner=group, grouped=True, error=known.error))
        some_kind = min(self.options.kinds or self.kinds)
        return [
            Scope(name=place.name, kind=kind, reach="complete" if kind == "incident" else "window", data=place)
            for place in found
            if self.wants(kind := KINDS.get(place.what, some_kind))
        ]

    def _places(self, project: str, grouped: bool) -> list[Place]:
        """The parts of one project; where its group is read, that tells of its issues."""
        path = f"/api/v4/projects/{quote(project, safe='')}"
        found = [Place(what="builds", path=path, owner=project, branch=b) for b in self.options.branches or ("",)]
        found += [Place(what=what, path=path, owner=project) for what in ("deployments", "releases")]
        if not grouped:
            found += [Place(what=what, path=path, owner=project) for what in ("tickets", "incidents")]
        alerts = self.options.alerts
        if alerts or (alerts is None and self.deployments.has_credential and project.lower() in self._named):
            found.append(Place(what="alerts", path=path, owner=project))
        return found

    async def _list(self, group: str, http: Http) -> tuple[dict[str, str], TooLarge | None]:
        """The projects of a group by lower-case path."""
        path = f"/api/v4/groups/{quote(group, safe='')}/projects"
        params = {"include_subgroups": "true", "archived": "false", "with_shared": "false"}
        order = {"order_by": "id", "sort": "asc", "per_page": "100"}
        projects: dict[str, str] = {}
        error: TooLarge | None = None
        pages = 0
        try:
            async for reply in http.pages(path, params={**params, **order}, limit=GROUP_PAGES):
                pages += 1
                for project in every(reply, Project):
                    name = _path_of(project)
                    if not self.options.excludes(name):
                        projects[name.lower()] = name
                        self._projects[name] = project, self.clock.monotonic()
        except TooLarge:
            if pages < GROUP_PAGES:
                raise
            error = TooLarge(f"{group} has more than {GROUP_PAGES * 100} projects: name smaller groups, or projects")
        if not projects:
            raise NotFound(f"the group {group} has no projects that this credential may see")
        return projects, error

    async def read(self, scope: Scope, http: Http) -> Part:
        place: Place = scope.data
        if place.error is not None:
            raise place.error
        readers: Mapping[str, Callable[[Scope, Place, Http], Awaitable[Part]]] = {
            "builds": self._read_pipelines,
            "deployments": lambda scope, place, http: self.deployments.read(scope, place.owner, place.path, http),
            "releases": self._read_publications,
            "tickets": self._read_tickets,
            "incidents": self._read_incidents,
            "alerts": self._read_alerts,
        }
        return await readers[place.what](scope, place, http)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._gitlab_history import History  # nobody else needs it

        place: Place = scope.data
        if place.error is not None:
            raise place.error
        if self._history is None:
            self._history = History(self)
        return await self._history.read(place, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        repo, _, rest = remote_id.partition("/-/")
        what, _, number = rest.partition("/")
        if what == "alerts":
            raise LookupUnsupported
        path = f"/api/v4/projects/{quote(repo, safe='')}"
        if what == "pipelines":
            project = await self.project(repo, path, http)
            seen = await read_details(path, Pipeline(id=int(number)), http)
            return build_of(self, project, repo, seen.details, seen.failed_jobs)
        reply = await http.get(f"{path}/{what}/{quote(number, safe='')}")
        match what:
            case "deployments":
                return await self.deployments.one(repo, path, reply, http)
            case "releases":
                return publication_of(self, repo, one(reply, PublishedRelease))
            case _:
                issue = one(reply, Issue)
                return ticket_of(self, repo, issue) if kind == "ticket" else incident_of(self, repo, issue, None)

    async def project(self, name: str, path: str, http: Http) -> Project:
        """What is said of a project itself; asked for hourly."""
        project, at = self._projects.get(name, (Project(), float("-inf")))
        now = self.clock.monotonic()
        if now - at >= PROJECT_KEPT:
            project = one(await http.get(path), Project)
            _path_of(project)
            self._projects[name] = project, now
        return project

    # -- builds --------------------------------------------------------------------------------------------------

    async def _read_pipelines(self, scope: Scope, place: Place, http: Http) -> Part:
        project = await self.project(place.owner, place.path, http)
        if project.builds_access_level == "disabled":
            return scope.part((), notes=[f"{place.owner}: CI/CD is turned off"])
        path, limit = f"{place.path}/pipelines", self.options.builds
        params: dict[str, str | int] = {"per_page": limit, **({"ref": place.branch} if place.branch else {})}
        reply = await http.get(path, params=params, conditional=scope.name not in self._details.wanting)
        rows = Rows("pipeline", Pipeline, as_documented(reply, list[Pipeline], list[Any]))
        ids = [row.id for row in rows.good if row.id]
        if place.branch and not rows.good:
            await http.get(f"{place.path}/repository/branches/{quote(place.branch, safe='')}")  # it may well not exist
        missed = len(ids) >= limit and min(ids) > self._newest.get(scope.name, 0)
        if missed and not place.branch and project.default_branch:
            # What the default branch's last pipelines said must not be among those between the last poll and now.
            reply = await http.get(path, params={"ref": project.default_branch, "per_page": 50})
            rows.add(as_documented(reply, list[Pipeline], list[Any]))
        self._newest[scope.name] = max(ids, default=0)
        default_branch = project.default_branch or ""
        seen, error = await self._details.of(scope.name, place.path, rows.good, default_branch, http)
        repo = project.path

        def convert(row: Pipeline) -> Item | None:
            # Newer servers answer for a branch with the pipelines of its merge requests as well.
            if place.branch and row.ref != place.branch:
                return None
            known = seen.get(row.id or 0)
            if known is None:
                return build_of(self, project, repo, row)
            return build_of(self, project, repo, known.details, known.failed_jobs)

        part = rows.part(scope, convert)
        return msgspec.structs.replace(part, error=part.error or error)

    # -- releases ------------------------------------------------------------------------------------------------

    async def _read_publications(self, scope: Scope, place: Place, http: Http) -> Part:
        project = await self.project(place.owner, place.path, http)
        if project.releases_access_level == "disabled":
            return scope.part((), notes=[f"{place.owner}: releases are turned off"])
        reply = await http.get(f"{place.path}/releases", params={"per_page": 10}, conditional=True)
        rows = Rows("release", PublishedRelease, as_documented(reply, list[PublishedRelease], list[Any]))
        return rows.part(scope, lambda row: publication_of(self, project.path, row))

    # -- tickets and incidents -----------------------------------------------------------------------------------

    async def _read_tickets(self, scope: Scope, place: Place, http: Http) -> Part:
        params: dict[str, str | int] = {
            "state": "opened", "scope": "all", "order_by": "updated_at", "sort": "desc", "per_page": 100
        }  # fmt: skip
        if self.options.labels:
            params["labels"] = ",".join(self.options.labels)
        rows: Rows[Issue] = Rows("issue", Issue)
        notes: list[str] = []
        pages = 0
        try:
            async for reply in http.pages(f"{place.path}/issues", params=params, conditional=True, limit=ISSUE_PAGES):
                rows.add(as_documented(reply, list[Issue], list[Any]))
                pages += 1
        except TooLarge:
            if pages < ISSUE_PAGES:
                raise
            notes.append(f"{place.owner}: only the {ISSUE_PAGES * 100} open issues that changed last are read")
        if not rows.good:
            for label in self.options.labels:  # a label that does not exist matches nothing as well
                await http.get(f"{place.path}/labels/{quote(label, safe='')}")
        incidents = self.wants("incident")

        def convert(issue: Issue) -> Item | None:
            repo = issue.repository(place.owner)
            if (incidents and issue.is_incident) or self.leaves_out(place, repo):
                return None
            return ticket_of(self, repo, issue)

        return rows.part(scope, convert, notes=notes)

    async def _read_incidents(self, scope: Scope, place: Place, http: Http) -> Part:
        params = {"issue_type": "incident", "state": "opened", "scope": "all", "per_page": "100"}
        rows: Rows[Issue] = Rows("incident", Issue)
        async for reply in http.pages(f"{place.path}/issues", params=params, limit=ISSUE_PAGES):
            rows.add(as_documented(reply, list[Issue], list[Any]))
        notes: list[str] = []
        if rows.good:
            try:
                owner = place.owner if place.grouped else (await self.project(place.owner, place.path, http)).path
                self._escalation[scope.name] = await escalation(owner, http, group=place.grouped)
            except BadAnswer as exc:  # older servers have no such field
                notes.append(f"{place.owner}: which incidents are acknowledged is not told: {exc}"[:300])
        statuses = self._escalation.get(scope.name, {})

        def convert(issue: Issue) -> Item | None:
            repo = issue.repository(place.owner)
            # Servers before 13.12 do not know the parameter and answer with all issues.
            if (issue.issue_type and not issue.is_incident) or self.leaves_out(place, repo):
                return None
            return incident_of(self, repo, issue, statuses.get(f"gid://gitlab/Issue/{issue.id}"))

        return rows.part(scope, convert, notes=notes)

    def leaves_out(self, place: Place, repo: str) -> bool:
        """Whether an issue of a group belongs to a project that is not read."""
        return place.grouped and repo.lower() not in self._groups[place.owner]

    async def _read_alerts(self, scope: Scope, place: Place, http: Http) -> Part:
        repo = (await self.project(place.owner, place.path, http)).path
        rows, permitted = await alerts(repo, http)
        notes: list[str] = []
        if not permitted:
            text = f"{place.owner}: alerts are only shown to the role Developer"
            if self.options.alerts:
                raise AuthError(text)
            notes.append(text)
        return rows.part(scope, lambda alert: incident_of_alert(self, repo, alert), notes=notes)


def _path_of(project: Project) -> str:
    if not project.path:
        raise BadAnswer("a project has no path")
    return project.path
