"""Sentry (SaaS and self-hosted): issues as incidents, releases and their deploys as releases.

Unresolved issues pile up by the thousand, so only those are read that were seen within ``period``: an issue that has
gone quiet is over for a board, and one that comes back shows again. Sentry sends a next page always, with
``results="false"`` when there is nothing on it, which the client looks at. Its list of releases names the last deploy
only; where there were more they are read once, and again when there is a further one.

Queries take projects by their numeric ids alone, and without any mean those that the token's owner has joined; -1 means
all that the token may see (getsentry/sentry, api/bases/organization.py).

What Sentry's words mean is in `sources._sentry`.  Docs: docs.sentry.io/api; getsentry/sentry-api-schema.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec

from sources._sentry import (
    LONGEST_VERSION,
    Deploy,
    Issue,
    Version,
    cursor_of,
    deployment_of,
    incident_of,
    last_deploy,
    page_of,
    publication_of,
)
from sources._shared.answers import one
from sources._shared.rows import Rows, need
from statusboard.api import (
    Context,
    Duration,
    Http,
    Incident,
    Item,
    ItemKind,
    LookupUnsupported,
    NotFound,
    Part,
    Past,
    Release,
    Reply,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    option,
    parse_time,
)

ISSUE_PAGES: Final = 5
PAGE: Final = 100
ALL_PROJECTS: Final = "-1"
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class SentryOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: sentry``."""

    organization: Annotated[str, option("the organization's slug, as in the address of its pages")]
    projects: Annotated[tuple[str, ...], option("only these projects, by slug")] = ()
    environments: Annotated[tuple[str, ...], option("only issues and releases of these environments")] = ()
    query: Annotated[str, option("which issues, as in Sentry's search")] = "is:unresolved"
    period: Annotated[Duration, option("only issues that were seen within this time")] = Duration(86_400)
    releases: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many releases to read of each project")] = 20

    def __post_init__(self) -> None:
        for field, slugs in (("organization", (self.organization,)), ("projects", self.projects)):
            for slug in slugs:
                if not _SLUG.fullmatch(slug):
                    raise ValueError(f"`{field}`: {slug[:80]!r} is no slug; write it as in the address of its pages")
        if not self.query.strip():
            raise ValueError("`query` is empty, which would be all issues ever; write is:unresolved")
        if self.period < 60:
            raise ValueError("`period` is at least 1m")


class _Project(msgspec.Struct, frozen=True):
    id: str | int | None = None


class _Deploys(msgspec.Struct, frozen=True):
    """The deploys of one version as last read, and how many there were then."""

    count: int | None
    newest: str | int | None
    rows: list[Any]


class Sentry(Source[SentryOptions]):
    """Issues and releases of an organization, or of some of its projects."""

    type = "sentry"
    kinds = frozenset({"incident", "release"})
    Options = SentryOptions
    summary = "Unresolved issues of Sentry as incidents, its releases and deploys"
    default_url = "https://sentry.io"
    default_interval = 60.0
    concurrency = 1  # some quotas are for a single second
    scopes_needed = "event:read and project:read"
    requests = (1, "project and kind")
    example = """\
token: "keyring:sentry"
organization: acme
projects: [checkout, web]
query: "is:unresolved issue.priority:high"
"""
    setup = """\
- *Settings > Custom Integrations > Create New Integration > Internal Integration*; managers and owners may.
- Permissions: *Issue & Event: Read* and *Project: Read*. Copy its token, at the bottom of the page.
- Store it with `statusboard login sentry`. Then `token: "keyring:sentry"`. Organization tokens (`sntrys_`) cannot read.
- Self-hosted: `url` is your server's address. Data kept in the EU: `url: https://de.sentry.io`.
- `projects` and `organization` are slugs, as in the address of their pages. Without
  `projects` all that the token may see are read.
- All that was seen in the last 24 hours and is unresolved is an open incident. If that is too much, narrow `query`.
- Up to 500 issues of each project are read; with more, the source counts as partly read.
- For issues alone write `kinds: [incident]`.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = "of an issue that came back only its last story is told"

    def __init__(self, options: SentryOptions, context: Context) -> None:
        super().__init__(options, context)
        self._path = f"/api/0/organizations/{options.organization}"
        self._deploys: dict[str, dict[str, _Deploys]] = {}
        self._ids: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def scopes(self, http: Http) -> Sequence[Scope]:
        kinds: tuple[tuple[ItemKind, str], ...] = (("incident", "issues"), ("release", "releases"))
        return [
            Scope(name=f"{project or self.options.organization} {word}", kind=kind, reach="window", data=project)
            for project in dict.fromkeys(self.options.projects or ("",))
            for kind, word in kinds
            if self.wants(kind)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        narrowed = await self._narrowed(scope, http)
        if scope.kind == "release":
            return await self._read_releases(scope, narrowed, http)
        return await self._read_issues(scope, narrowed, http)

    async def _narrowed(self, scope: Scope, http: Http) -> dict[str, str | int | Sequence[str]]:
        narrowed: dict[str, str | int | Sequence[str]] = {"project": await self._id_of(scope.data, http)}
        if self.options.environments:
            narrowed["environment"] = self.options.environments
        return narrowed

    async def _id_of(self, project: str, http: Http) -> str:
        """The id of a project, which stays its own; what becomes of the project is told by each answer."""
        if not project:
            return ALL_PROJECTS
        async with self._lock:  # both parts of a project ask
            if project not in self._ids:
                reply = await http.get(f"/api/0/projects/{self.options.organization}/{project}/")
                self._ids[project] = str(need(one(reply, _Project).id, "id of the project"))
            return self._ids[project]

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._sentry_history import History  # nobody else needs it

        narrowed = await self._narrowed(scope, http)
        return await History(self, self._path).read(scope, narrowed, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        """An issue that has left the list.  One that is quiet, merged, or archived for good, is no longer there."""
        if kind != "incident":
            raise LookupUnsupported
        reply = await http.get(f"{self._path}/issues/{quote(remote_id, safe='')}/")
        issue = one(reply, Issue)
        incident = self.incident(issue)
        merged = str(issue.id) != remote_id
        archived = incident.state == "suppressed" and incident.suppressed_until is None
        return None if merged or archived or (incident.state == "open" and self._quiet(issue)) else incident

    # -- issues --------------------------------------------------------------------------------------------------

    async def _read_issues(self, scope: Scope, narrowed: Mapping[str, Any], http: Http) -> Part:
        params = {
            **narrowed,
            "query": self.options.query,
            "statsPeriod": f"{int(self.options.period) // 60}m",
            "sort": "date",  # the last seen first
            "limit": PAGE,
        }
        rows: Rows[Issue] = Rows("issue", Issue)
        reply: Reply = await http.get(f"{self._path}/issues/", params=params)
        for page in range(ISSUE_PAGES):
            rows.add(reply.decode(list[Any]))
            # Some servers do without `statsPeriod` where they can answer the rest of the query from their database.
            if not reply.next_url or (rows.good and self._quiet(rows.good[-1])):
                break
            if page == ISSUE_PAGES - 1:
                fault = TooLarge(f"more than {ISSUE_PAGES * PAGE} issues; narrow them by `query` or `period`")
                part = rows.part(scope, self._seen)
                return msgspec.structs.replace(part, error=part.error or fault)
            reply = await http.get(f"{self._path}/issues/", params={**params, "cursor": cursor_of(reply)})
        return rows.part(scope, self._seen)

    def _seen(self, issue: Issue) -> Incident | None:
        return None if self._quiet(issue) else self.incident(issue)

    def incident(self, issue: Issue) -> Incident:
        environments = self.options.environments
        return incident_of(self, issue, environments[0] if len(environments) == 1 else "")

    def _quiet(self, issue: Issue) -> bool:
        last_seen = parse_time(issue.last_seen)
        return last_seen is not None and self.clock.now() - last_seen > timedelta(seconds=self.options.period)

    # -- releases ------------------------------------------------------------------------------------------------

    async def _read_releases(self, scope: Scope, narrowed: Mapping[str, Any], http: Http) -> Part:
        reply = await http.get(f"{self._path}/releases/", params={**narrowed, "per_page": self.options.releases})
        rows = Rows("release", Version, reply.decode(list[Any])[: self.options.releases])
        known, self._deploys[scope.data] = self._deploys.get(scope.data, {}), {}
        part = rows.part(scope, lambda row: publication_of(self, row, self.page(row)))
        fault: SourceError | None = None
        for row in rows.good:
            deploys = Rows("deploy", Deploy, last_deploy(row))
            if fault is None:
                try:
                    deploys = Rows("deploy", Deploy, await self._deploys_of(row, scope.data, known, http))
                except SourceError as exc:
                    fault = exc  # of the others the last ones will do as well, until the next poll
            more = deploys.part(scope, partial(self.deployment, row))
            part = msgspec.structs.replace(part, items=part.items + more.items, error=part.error or more.error)
        once = {item.key: item for item in part.items}  # a release may be in the list twice
        return msgspec.structs.replace(part, items=tuple(once.values()), error=part.error or fault)

    async def _deploys_of(self, row: Version, project: str, known: Mapping[str, _Deploys], http: Http) -> list[Any]:
        """The deploys of a release, asked for where there are more than the last one."""
        last = last_deploy(row)
        if not row.version or len(row.version) > LONGEST_VERSION or (row.deploy_count or 0) <= len(last):
            return last
        before, newest = known.get(row.version), row.last_deploy.id if row.last_deploy else None
        if before is None or (before.count, before.newest) != (row.deploy_count, newest):
            try:
                reply = await http.get(f"{self._path}/releases/{quote(row.version, safe='')}/deploys/")
                rows = reply.decode(list[Any])
            except NotFound:  # deleted since, or a version that no path can hold
                rows = last
            before = _Deploys(count=row.deploy_count, newest=newest, rows=rows)
        self._deploys[project][row.version] = before
        return before.rows

    def deployment(self, row: Version, deploy: Deploy) -> Release:
        return deployment_of(self, row, deploy, self.page(row))

    def page(self, row: Version) -> str:
        return page_of(self.options.url or self.default_url, self.options.organization, need(row.version, "version"))
