"""Argo CD: every sync of an application as a release, and what is wrong with an application as an incident.

The list of applications is asked for with ``fields=``, which keeps it small (a whole application has tens of
kilobytes) but leaves out the history and all messages; `sources._argocd.FIELDS` has the names.  So an application is
read by itself once for each of its operations, and now and then while something is wrong with it: some at a poll, the
troubled ones first.  The two parts of a project share what a round has read.

The server answers 200 and an empty list to who names a project that does not exist, and to who may see nothing
(server/application/application.go), so an empty list is believed only when the server says so in other words.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec

from sources._argocd import FIELDS, HEALTH_INCIDENTS, PHASES, Application, Deploy, Status, deploys_of
from sources._argocd_items import health_incident_of, release_of, sync_incident_of
from sources._shared.owners import Owners
from sources._shared.rows import Rows, need
from sources._shared.words import meaning
from statusboard.api import (
    AuthError,
    BadAnswer,
    Context,
    Http,
    Incident,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    Release,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    clean,
    option,
    parse_time,
)

#: How many applications are read by themselves at one poll ...
DETAILS_AT_ONCE: Final = 30
#: ... but no more when so many could not be ...
FAILURES_AT_ONCE: Final = 3
#: ... and how often one that something is wrong with, or that could not be read (seconds).
TROUBLE_KEPT: Final = 300.0


if TYPE_CHECKING:
    from sources._argocd_history import History


class ArgoCDOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: argocd``."""

    projects: Annotated[tuple[str, ...], option("only the applications of these projects; by default all")] = ()
    applications: Annotated[
        tuple[str, ...], option("only applications with these names (or namespace/name); * and ? match anything")
    ] = ()
    selector: Annotated[str, option("only applications with these labels, written as for kubectl: team=payments")] = ""
    history: Annotated[int, msgspec.Meta(ge=1, le=10), option("how many past syncs to read of each application")] = 3

    def __post_init__(self) -> None:
        if not all(self.projects):
            raise ValueError("`projects`: an empty name; leave `projects` out for all projects")
        if not all(self.applications):
            raise ValueError("`applications`: an empty name; leave `applications` out for all applications")


class _List(msgspec.Struct, frozen=True):
    items: list[Any] | None


class _Answer(msgspec.Struct, frozen=True):
    value: str


class _Detail(msgspec.Struct, frozen=True):
    """What an application's own answer said, when, and what the list said of the application then."""

    status: Status
    at: float
    operation: tuple[Any, ...]
    health: tuple[Any, ...]


class _Reading(msgspec.Struct, frozen=True):
    """What one round read of some projects: the applications that are asked for, by place.

    ``fault`` is why some of them could not be read by themselves.
    """

    rows: Rows[Application]
    apps: dict[str, Application]
    missing: tuple[str, ...]
    fault: SourceError | None


class _Refusal(msgspec.Struct, frozen=True):
    """Why an application could not be read by itself, and when."""

    error: SourceError
    at: float


class ArgoCD(Source[ArgoCDOptions]):
    """Releases from syncs and their history, incidents from health and failed syncs."""

    type = "argocd"
    kinds = frozenset({"release", "incident"})
    Options = ArgoCDOptions
    summary = "Syncs of Argo CD applications as releases; bad health and failed syncs as incidents"
    default_interval = 30.0
    requests = (1, "project")
    scopes_needed = "an API token that may `get` applications and projects"
    example = """\
url: https://argocd.example
token: "keyring:argocd"
projects: [payments]
"""
    setup = """\
- Make an account that can have tokens and nothing else: in the ConfigMap `argocd-cm`, `accounts.board: apiKey`.
- Let it read, in `argocd-rbac-cm`: `p, board, applications, get, */*, allow` and `p, board, projects, get, *, allow`
  (or `payments/*` and `payments` to keep it to one project).
- Make the token with `argocd account generate-token --account board`; store it with `statusboard login argocd`.
  A token of a project's role does as well, with `projects: [that project]`.
- `url` is the address of the web interface, with its path if it has one (`--rootpath`).
- An application that is only OutOfSync is no incident; the label `sync` of its newest release tells.
"""
    verified = "documented"
    history_kinds = frozenset({"release"})
    no_history = (
        "Argo CD keeps the last ten syncs of an application, and of health and failed syncs only how they are now"
    )

    def __init__(self, options: ArgoCDOptions, context: Context) -> None:
        super().__init__(options, context)
        self._root = options.url.rstrip("/")
        self._round: dict[tuple[str, ...], _Reading] = {}
        #: How many scopes are still to be made of each reading of this poll.
        self._readers: Counter[tuple[str, ...]] = Counter()
        self._locks: dict[tuple[str, ...], asyncio.Lock] = {}
        self._details: dict[tuple[str, ...], dict[str, _Detail]] = {}
        self._refused: dict[tuple[str, ...], dict[str, _Refusal]] = {}
        self._failed: dict[str, dict[str, Incident]] = {}
        self._projects: dict[str, str] = {}
        self._owners = Owners()
        self._history: History | None = None

    async def scopes(self, http: Http) -> Sequence[Scope]:
        self._round.clear()
        projects = tuple(dict.fromkeys(self.options.projects))
        # Named applications may be in any of the projects, so these are one part.
        groups = [projects] if self.options.applications or not projects else [(name,) for name in projects]
        scopes = [
            Scope(
                name=f"{', '.join(group) or 'all projects'} {kind}s",
                kind=kind,
                reach="window" if kind == "release" else "complete",
                data=group,
            )
            for group in groups
            for kind in ("release", "incident")
            if self.wants(kind)
        ]
        self._readers = Counter(scope.data for scope in scopes)
        return scopes

    async def read(self, scope: Scope, http: Http) -> Part:
        async with self._locks.setdefault(scope.data, asyncio.Lock()):
            if scope.data not in self._round:
                self._round[scope.data] = await self.read_list(scope.data, http)
            reading = self._round[scope.data]
        self._readers[scope.data] -= 1
        if not self._readers[scope.data]:  # until the next poll it would only weigh
            del self._round[scope.data]
        unreadable = reading.rows.part(scope, _check).error
        owners: dict[str, str] = {}
        part = self._releases(scope, reading, owners) if scope.kind == "release" else self._incidents(scope, reading)
        missing = clean(", ".join(reading.missing), 200)
        gone = NotFound(f"there is no application {missing}") if missing else None
        # The list alone tells of incidents: those of an application that could not be read only lack words.
        fault = reading.fault if scope.kind == "release" else None
        part = msgspec.structs.replace(part, error=unreadable or part.error or gone or fault)
        return self._owners.part(part, owners, reading.apps) if scope.kind == "release" else part

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._argocd_history import History  # nobody else needs it

        if self._history is None:
            self._history = History(self, self._root)
        return await self._history.read(scope, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        place = remote_id.rpartition("/")[0]
        app = await self.application(place, http)
        found = (release_of(self, self._root, deploy) for deploy in deploys_of(app, 100))
        return next((release for release in found if release.key == self.key(kind, remote_id)), None)

    def _releases(self, scope: Scope, reading: _Reading, owners: dict[str, str]) -> Part:
        """The syncs; notes in ``owners`` which application each is of."""
        deploys: Rows[Deploy] = Rows("sync", Deploy)
        for app in reading.apps.values():
            deploys.good += deploys_of(app, self.options.history)

        def release(deploy: Deploy) -> Release:
            found = release_of(self, self._root, deploy)
            owners[found.key] = deploy.app.place
            return found

        return deploys.part(scope, release)

    def _incidents(self, scope: Scope, reading: _Reading) -> Part:
        before, failed = self._failed.get(scope.name, {}), {}
        items: list[Incident] = []
        for place, app in reading.apps.items():
            unhealthy = health_incident_of(self, self._root, app)
            unsynced = sync_incident_of(self, self._root, app, before.get(place))
            items += filter(None, (unhealthy, unsynced))
            if unsynced is not None:
                failed[place] = unsynced
        self._failed[scope.name] = failed
        return scope.part(items, notes=[str(reading.fault)] if reading.fault else [])

    # -- reading -------------------------------------------------------------------------------------------------

    async def read_list(self, projects: tuple[str, ...], http: Http) -> _Reading:
        params: dict[str, str | Sequence[str]] = {"fields": ",".join(f"items.{field}" for field in FIELDS)}
        if projects:
            params["projects"] = projects
        if self.options.selector:
            params["selector"] = self.options.selector
        reply = await http.get("/api/v1/applications", params=params)
        items = reply.decode(_List).items or []
        rows = Rows("application", Application, items)
        if not items:
            await self._prove_empty(projects, http)
        listed = {app.place: app for app in rows.good if _can_be_told(app)}
        wanted = self.options.applications
        missing = tuple(w for w in wanted if not any(_is(app, w) for app in listed.values()))
        apps = {p: app for p, app in listed.items() if not wanted or any(_is(app, w) for w in wanted)}
        for place, app in apps.items():
            self._projects[place] = clean(app.spec.project or "default", 253)
        apps = await self._with_details(projects, apps, http)
        refused = [refusal.error for refusal in self._refused[projects].values()]
        return _Reading(rows=rows, apps=apps, missing=missing, fault=refused[-1] if refused else None)

    async def _prove_empty(self, projects: tuple[str, ...], http: Http) -> None:
        """Raise unless the server says that the projects are there and that we may see what is in them."""
        if self.options.selector or self.options.applications:
            raise NotFound("no application has the names and labels that are asked for, or the token may see none")
        for project in projects or ("*",):
            path = f"/api/v1/account/can-i/applications/get/{quote(project, safe='*')}/*"
            if (await http.get(path)).decode(_Answer).value.lower() != "yes":
                where = f"of the project {project}" if projects else "of all projects (is `projects` missing?)"
                raise AuthError(f"the token may not read the applications {where}")
            if projects:
                await http.get(f"/api/v1/projects/{quote(project, safe='')}")

    async def _with_details(
        self, projects: tuple[str, ...], apps: dict[str, Application], http: Http
    ) -> dict[str, Application]:
        """The applications with what only the answer for each of them tells, as far as it was read."""
        known = {place: d for place, d in self._details.get(projects, {}).items() if place in apps}
        now = self.clock.monotonic()
        refused = {
            place: refusal
            for place, refusal in self._refused.get(projects, {}).items()
            if place in apps and now - refusal.at < TROUBLE_KEPT
        }
        due = [app for place, app in apps.items() if place not in refused and _is_due(app, known.get(place), now)]
        if not self.wants("release"):
            due = [app for app in due if _is_troubled(app)]
        failures = 0
        for app in sorted(due, key=_urgency)[:DETAILS_AT_ONCE]:
            try:
                status = (await self.application(app.place, http)).status
            except NotFound:  # deleted since the list was made
                del apps[app.place]
                continue
            except SourceError as exc:
                refused[app.place] = _Refusal(type(exc)(f"{app.place}: {exc}", status=exc.status), now)
                failures += 1
                if failures == FAILURES_AT_ONCE:
                    break
                continue
            status = msgspec.structs.replace(
                status,
                history=(status.history or [])[-self.options.history - 1 :],
                resources=status.resources if _is_troubled(app) else None,
            )
            known[app.place] = _Detail(status=status, at=now, operation=_operation(app), health=_health(app))
        self._details[projects], self._refused[projects] = known, refused
        return {place: _combined(app, known[place]) if place in known else app for place, app in apps.items()}

    async def application(self, place: str, http: Http) -> Application:
        namespace, _, name = place.rpartition("/")
        # Without the project the server answers 403 where there is no such application.
        known = {"appNamespace": namespace, "project": self._projects.get(place, "")}
        params = {parameter: value for parameter, value in known.items() if value}
        app = (await http.get(f"/api/v1/applications/{quote(name, safe='')}", params=params)).decode(Application)
        if app.place != place:
            raise BadAnswer(f"the answer for {place} is of another application")
        return app


def _check(app: Application) -> None:
    """`BadAnswer` for an application that cannot be told from others."""
    need(app.place, "name")


def _can_be_told(app: Application) -> bool:
    try:
        return bool(app.place)
    except BadAnswer:  # `_check` will say so
        return False


def _is(app: Application, wanted: str) -> bool:
    return fnmatchcase(app.place if "/" in wanted else app.name, wanted)


def _operation(app: Application) -> tuple[Any, ...]:
    return app.operation.phase, app.operation.started_at, app.operation.finished_at


def _health(app: Application) -> tuple[Any, ...]:
    return app.health.status, app.health.last_transition_time


def _is_troubled(app: Application) -> bool:
    """Whether there may be an incident."""
    if meaning(HEALTH_INCIDENTS, app.health.status) != "none" or not app.is_compared:
        return True
    return app.status.operation_state is not None and meaning(PHASES, app.operation.phase) in ("failed", "unknown")


def _is_due(app: Application, known: _Detail | None, now: float) -> bool:
    if known is None or known.operation != _operation(app):
        return True
    if not _is_troubled(app):
        return False
    return known.health != _health(app) or now - known.at >= TROUBLE_KEPT


def _urgency(app: Application) -> tuple[bool, bool, float]:
    """Troubled ones first, then those at work, then the newest."""
    started_at = parse_time(app.operation.started_at)
    running = meaning(PHASES, app.operation.phase) == "running"
    return not _is_troubled(app), not running, -(started_at.timestamp() if started_at else 0.0)


def _combined(app: Application, detail: _Detail) -> Application:
    """What the list says of an application now, with what its own answer said beside that."""
    more = detail.status
    current = more.operation_state is not None and detail.operation == _operation(app)
    status = msgspec.structs.replace(
        app.status,
        operation_state=more.operation_state if current else app.status.operation_state,
        history=more.history,
        conditions=more.conditions,
        resources=more.resources,
    )
    return msgspec.structs.replace(app, status=status)
