"""Octopus Deploy: deployments as releases.

The dashboard of a space has the newest deployment of each project to each environment (and tenant) with its state, in
one answer.  The list of recent deployments, newest first, has those between and who made them, but neither versions
nor states: these are the states of their tasks.  What is finished is not read again.

The dashboard shows what its user chose to see, hence ``showAll``, and may be limited to some number of projects; then
it is not the whole.

Docs: octopus.com/docs/octopus-rest-api, and octopus.com's reference of the API (dashboard, deployments, tasks).
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from sources._octopus import (
    FINISHED,
    Collection,
    Dashboard,
    DashboardItem,
    Deployment,
    Names,
    Space,
    Task,
    Version,
    id_of,
    is_id,
    named,
    names_of,
    release_of,
    state_of,
)
from sources._shared.owners import Owners
from sources._shared.rows import Rows
from statusboard.api import (
    AuthError,
    Context,
    Credentials,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    Release,
    Scope,
    Source,
    SourceOptions,
    TooLarge,
    clean,
    option,
)

if TYPE_CHECKING:
    from sources._octopus_history import History

T = TypeVar("T")

#: How long the names of spaces are kept (seconds).
SPACES_KEPT: Final = 3600.0
#: How many things one request names by id, in its URL.
IDS_AT_ONCE: Final = 50


class OctopusOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: octopus``."""

    spaces: Annotated[tuple[str, ...], option("names or ids of the spaces to read; by default the default space")] = ()
    deployments: Annotated[
        int, msgspec.Meta(ge=1, le=100), option("how many recent deployments to read beside the dashboard's")
    ] = 30

    def __post_init__(self) -> None:
        if not all(self.spaces):
            raise ValueError("`spaces`: an empty name; leave `spaces` out for the default space")


class _Known(msgspec.Struct):
    """What was read of a space and stays as it is: by the id of a deployment, and versions by that of a release."""

    names: Names = Names()
    deployments: dict[str, Deployment] = {}
    finished: dict[str, Task] = {}
    versions: dict[str, str] = {}

    def keep(self, rows: Mapping[str, Deployment]) -> None:
        """Forget what is of none of these."""
        self.deployments = {id: row for id, row in self.deployments.items() if id in rows}
        self.finished = {id: task for id, task in self.finished.items() if id in rows}
        releases = {row.release_id for row in rows.values()}
        self.versions = {id: version for id, version in self.versions.items() if id in releases}


class Octopus(Source[OctopusOptions]):
    """Releases from the dashboard and the recent deployments of some spaces."""

    type = "octopus"
    kinds = frozenset({"release"})
    Options = OctopusOptions
    summary = "Deployments of Octopus Deploy"
    default_interval = 60.0
    requests = (2, "space")
    scopes_needed = "a read-only API key of a service account that may view projects, environments, releases and tasks"
    example = """\
url: https://octopus.example
token: "keyring:octopus"
spaces: [Default]
"""
    setup = """\
- In *Configuration*, *Users* create a service account, and put it into a team with the roles *Project viewer* and
  *Environment viewer* in the spaces that you want to see (*Tenant viewer* where there are tenants).
- On the account's page make an API key with read-only access (it begins with `API-`); it is shown only once: store it
  with `statusboard login octopus`.
- `url` is the address of the web portal, with its virtual directory if it has one.
- `spaces` by name or id. Projects that the account may not see are missing without a word: give it all of a space.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = "Octopus forgets deployments when a retention policy deletes their releases"

    def __init__(self, options: OctopusOptions, context: Context) -> None:
        super().__init__(options, context)
        self._root = options.url.rstrip("/")
        self._spaces: list[Space] = []
        self._spaces_at = float("-inf")
        self._lock = asyncio.Lock()
        self._known: dict[str, _Known] = {}
        self._owners = Owners()
        self._history: History | None = None

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        token = credentials.token
        if token and not token.startswith("eyJ"):  # no JSON Web Token, so an API key
            return {"X-Octopus-ApiKey": token}
        return super().sign(credentials)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        names = dict.fromkeys(self.options.spaces) or {"": None}
        return [
            Scope(name=f"{name or 'default space'} releases", kind="release", reach="window", data=name)
            for name in names
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        space = await self.space(scope.data, http)
        known = self._known.setdefault(space.id or "", _Known())
        dashboard = await self.dashboard(space, http)
        projects = named(dashboard.projects)
        known.names = names_of(dashboard)
        shown = Rows("deployment", DashboardItem, dashboard.items)
        items = {id: item for item in shown.good if (id := item.deployment_id or item.id) and is_id(id)}
        params = {"take": self.options.deployments}
        reply = await http.get(f"/api/{space.id}/deployments", params=params)
        recent = Rows("deployment", Deployment, reply.decode(Collection).items)
        known.deployments |= {row.id: row for row in recent.good if row.id and is_id(row.id)}
        await self._read_rest(space, known, items, http)
        rows = {row.id: row for row in recent.good if row.id and is_id(row.id)}
        rows = {id: known.deployments.get(id) or _as_row(id, item) for id, item in items.items()} | rows

        for id, item in items.items():
            if item.release_id and item.release_version:
                known.versions[item.release_id] = item.release_version
            if state_of(item) in FINISHED:
                known.finished[id] = item
        tasks = await self._tasks(space, known, items, rows, http)
        await self._read_versions(space, known, rows.values(), http)
        every: Rows[Deployment] = Rows("deployment", Deployment)
        every.good += rows.values()
        owners: dict[str, str] = {}

        def release(row: Deployment) -> Release:
            found = self._release(space, known, row, tasks.get(row.id or "", Task()))
            owners[found.key] = row.project_id or ""
            return found

        part = every.part(scope, release)
        known.keep(rows)
        error = recent.part(scope, _check).error or shown.part(scope, _check).error or part.error
        if dashboard.project_limit and len(dashboard.projects) >= dashboard.project_limit:
            error = TooLarge(f"the dashboard shows no more than {dashboard.project_limit} projects")
        part = msgspec.structs.replace(part, error=error)
        if len(projects) < len(dashboard.projects):  # one is odd: it may be any
            return part
        return self._owners.part(part, owners, {"", *(project.id or "" for project in projects)})

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._octopus_history import History  # nobody else needs it

        if self._history is None:
            self._history = History(self)
        return await self._history.read(scope, http, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        space_id, _, id = remote_id.partition("/")
        space = next((space for space in await self._all_spaces(http) if space.id == space_id), None)
        if space is None:
            return None
        known = self._known.setdefault(space_id, _Known())
        row = (await http.get(f"/api/{space_id}/deployments/{quote(id, safe='')}")).decode(Deployment)
        tasks = await self._tasks(space, known, {}, {id: row}, http)
        await self._read_versions(space, known, [row], http)
        return self._release(space, known, row, tasks.get(id, Task()))

    def _release(self, space: Space, known: _Known, row: Deployment, task: Task) -> Release:
        return self.release(space, known.names, row, task, known.versions.get(row.release_id or "", ""))

    # -- reading -------------------------------------------------------------------------------------------------

    def release(self, space: Space, names: Names, row: Deployment, task: Task, version: str) -> Release:
        """A deployment of a space as a release."""
        return release_of(self, self._root, space, names, row, task, version)

    async def dashboard(self, space: Space, http: Http) -> Dashboard:
        """The dashboard of a space, in which there is a project at least."""
        dashboard = (await http.get(f"/api/{space.id}/dashboard", params={"showAll": "true"})).decode(Dashboard)
        if not dashboard.projects:
            raise AuthError(f"the key may see no project of the space {clean(space.name, 80)}")
        return dashboard

    async def by_id(self, http: Http, space: Space, what: str, ids: Sequence[str], kind: builtins.type[T]) -> list[T]:
        """The things with these ids; what was deleted since is not among them."""
        found: list[T] = []
        ids = [id for id in ids if is_id(id)]
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = ids[start : start + IDS_AT_ONCE]
            params: dict[str, str | int] = {"ids": ",".join(some), "take": len(some)}
            reply = await http.get(f"/api/{space.id}/{what}", params=params)
            found += Rows(what.removesuffix("s"), kind, reply.decode(Collection).items).good
        return found

    async def space(self, name: str, http: Http) -> Space:
        """The space with this name, slug or id; the default one for ``""``."""
        for space in await self._all_spaces(http):
            if not name and space.is_default:
                return space
            if name and name.lower() in ((word or "").lower() for word in (space.name, space.slug, space.id)):
                return space
        self._spaces_at = float("-inf")  # it may be made, or opened to us, any moment
        what = f"space {clean(name, 80)}" if name else "default space (name one in `spaces`)"
        raise NotFound(f"there is no {what} that the key may see")

    async def _all_spaces(self, http: Http) -> list[Space]:
        async with self._lock:
            now = self.clock.monotonic()
            if now - self._spaces_at >= SPACES_KEPT:
                rows = Rows("space", Space, (await http.get("/api/spaces/all")).decode(list[Any]))
                self._spaces = [space for space in rows.good if is_id(space.id)]
                self._spaces_at = now
            return self._spaces

    async def _read_rest(self, space: Space, known: _Known, items: Mapping[str, DashboardItem], http: Http) -> None:
        """Read who made the deployments that only the dashboard shows; some at a poll."""
        new = [id for id in items if id not in known.deployments][:IDS_AT_ONCE]
        found = {row.id: row for row in await self.by_id(http, space, "deployments", new, Deployment)}
        known.deployments |= {id: found.get(id) or _as_row(id, items[id]) for id in new}

    async def _tasks(
        self,
        space: Space,
        known: _Known,
        items: Mapping[str, DashboardItem],
        rows: Mapping[str, Deployment],
        http: Http,
    ) -> dict[str, Task]:
        """How each deployment goes: as the dashboard says, or as its task says or said at its end."""
        due = {
            row.task_id: id for id, row in rows.items() if row.task_id and id not in items and id not in known.finished
        }
        tasks: dict[str, Task] = dict(items)
        for task in await self.by_id(http, space, "tasks", list(due), Task):
            if task.id in due:
                tasks[due[task.id]] = task
                if state_of(task) in FINISHED:
                    known.finished[due[task.id]] = task
        return known.finished | tasks

    async def _read_versions(self, space: Space, known: _Known, rows: Iterable[Deployment], http: Http) -> None:
        new = dict.fromkeys(row.release_id for row in rows if row.release_id and row.release_id not in known.versions)
        for release in await self.by_id(http, space, "releases", list(filter(None, new)), Version):
            if release.id and release.version:
                known.versions[release.id] = release.version


def _as_row(id: str, item: DashboardItem) -> Deployment:
    """What the dashboard tells of a deployment."""
    return Deployment(
        id=id,
        project_id=item.project_id,
        environment_id=item.environment_id,
        tenant_id=item.tenant_id,
        release_id=item.release_id,
        task_id=item.task_id,
        created=item.created,
    )


def _check(row: DashboardItem | Deployment) -> None:
    """`BadAnswer` for a deployment that cannot be told from others."""
    id_of(row)
