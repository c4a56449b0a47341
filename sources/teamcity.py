"""TeamCity (REST API): the newest builds of projects and build configurations, with what runs and waits.

Without ``defaultFilter:false`` the server leaves out what was cancelled, what failed to start, and all branches but the
default one.  Running and waiting builds are asked for by themselves, since they come first in a common list.

A configuration that is seldom built may not be among the newest builds of its project: every quarter of an hour, and
when builds may have been missed, the newest ones of each configuration's default branch are read.  Paused
configurations are left out, as in TeamCity's own CCTray feed.

What TeamCity's words mean is in `sources._teamcity`.  Docs: jetbrains.com/help/teamcity/rest (get-build-details,
buildlocator, manage-builds); defaults and order in JetBrains/teamcity-rest, BuildPromotionFinder.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from sources._shared.rows import Rows
from sources._teamcity import DEFAULT, FIELDS, BuildRow, build_of, state_of
from statusboard.api import (
    BadAnswer,
    Build,
    Context,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    Scope,
    Source,
    SourceOptions,
    TooLarge,
    option,
    parse_time,
)

CONFIGURATIONS_KEPT: Final = 900.0
#: Pages of configurations, a hundred each.
PAGES: Final = 20
#: Running and waiting builds of one project that are read.
MOST_UNFINISHED: Final = 100
#: Builds of a configuration's default branch that are looked at for one with a verdict.
LOOK_BACK: Final = 5
#: Builds on one page of the past, and how many a server may look at for it (by itself it gives up after 5,000).
PAGE: Final = 100
LOOKED_AT: Final = 100_000
VERDICTS: Final = frozenset({"success", "failed", "unknown"})
_ID: Final = re.compile(r"[A-Za-z0-9_]+")


class TeamCityOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: teamcity``."""

    projects: Annotated[tuple[str, ...], option("only these projects with their subprojects, by id (Shop_Web)")] = ()
    build_types: Annotated[tuple[str, ...], option("only these build configurations, by id (Shop_Web_Build)")] = ()
    builds: Annotated[
        int, msgspec.Meta(ge=1, le=500), option("how many builds to read of each project or build configuration")
    ] = 50
    personal: Annotated[bool, option("whether to read personal builds too")] = False

    def __post_init__(self) -> None:
        for field, ids in (("projects", self.projects), ("build_types", self.build_types)):
            if not all(_ID.fullmatch(one) for one in ids):
                raise ValueError(f"`{field}`: write ids such as Shop_Web, as in the address of their page, not names")


class Builds(msgspec.Struct, frozen=True):
    count: int
    build: list[Any] = []


class Configuration(msgspec.Struct, frozen=True):
    """A build configuration with the newest builds of its default branch."""

    id: str
    builds: Builds
    paused: bool | None = None


class Configurations(msgspec.Struct, frozen=True, rename="camel"):
    count: int
    next_href: str | None = None
    build_type: list[Any] = []


class Target(msgspec.Struct, frozen=True):
    """What one part reads: the locator of its builds, and of the configuration where it is a single one."""

    name: str
    builds: str
    configuration: str = ""


class Known(msgspec.Struct):
    """What is remembered of a project.

    ``newest`` has the newest build with a verdict on the default branch of each configuration, ``paused`` those of
    configurations that are left out; ``window`` what the last answer held, ``withdrawn`` what was taken off the board.
    """

    newest: dict[str, BuildRow] = {}
    paused: dict[str, BuildRow | None] = {}
    read_at: float = float("-inf")
    window: frozenset[int | None] = frozenset()
    withdrawn: frozenset[str] = frozenset()


class TeamCity(Source[TeamCityOptions]):
    """Builds of a server, or of some of its projects and build configurations."""

    type = "teamcity"
    kinds = frozenset({"build"})
    Options = TeamCityOptions
    summary = "Builds of TeamCity, with those that run and wait"
    scopes_needed = "an access token with the permission View project, for the projects that are read"
    requests = (2, "project or build configuration")
    example = """
        url: https://teamcity.example.com
        projects: [Shop]
        token: "keyring:teamcity"
    """
    setup = """
        `url` is the server's root as in the browser, with its prefix if it has one.

        - *Your avatar > Profile > Access Tokens > Create access token*, with the permission scope *Limit per project*
          and no more than *View project* for the projects to be read. Then `token: "keyring:teamcity"`.
        - Without a token (or `username` and `password`) the board is a guest: an administrator must allow that
          (*Administration > Authentication > Allow login as guest user*).
        - Ids are in the address of a project's or configuration's page (`.../buildConfiguration/Shop_Web_Build`).
          Without `projects` and `build_types` the whole server is read.
        - Failures count on the default branch; other branches and pull requests are shown.
        - Paused configurations are left out (within a quarter of an hour), personal builds too unless `personal: true`.
    """
    verified = "documented"
    history_kinds = kinds
    no_history = "TeamCity's clean-up rules say how long builds are kept; what is gone is gone"

    def __init__(self, options: TeamCityOptions, context: Context) -> None:
        super().__init__(options, context)
        signed = any(name.lower() == "authorization" for name in options.headers)
        guest = not (options.token or options.username or options.password or signed)
        self._api = "/guestAuth/app/rest" if guest else "/app/rest"
        self._filter = "defaultFilter:false,branch:(default:any)" + ("" if options.personal else ",personal:false")
        self._known: dict[str, Known] = {}
        self._default_branches: dict[str | None, str] = {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        wanted = [Target(name, f"affectedProject:(id:{name})") for name in self.options.projects]
        wanted += [Target(name, f"buildType:(id:{name})", f"id:{name}") for name in self.options.build_types]
        return [
            Scope(name=f"{target.name} builds", kind="build", reach="window", data=target)
            for target in wanted or [Target("all", "affectedProject:(id:_Root)")]
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        target: Target = scope.data
        known = self._known.setdefault(scope.name, Known())
        unfinished = await self._builds(
            f"{target.builds},state:(queued:true,running:true),count:{MOST_UNFINISHED}", http
        )
        finished = await self._builds(f"{target.builds},state:finished,count:{self.options.builds}", http)
        rows = Rows("build", BuildRow, unfinished)
        begun = len(rows.good)
        rows.add(finished)
        window = rows.good[begun:]
        ids = frozenset(row.id for row in window)
        missed = len(ids) >= self.options.builds and ids.isdisjoint(known.window)
        before = dict(known.newest)
        error: Exception | None = None
        if missed or self.clock.monotonic() - known.read_at >= CONFIGURATIONS_KEPT:
            error = await self._read_configurations(scope, target, known, http)
        known.window = ids
        _remember(known.newest, window)
        rows.good += known.newest.values()
        self._default_branches.update(
            {row.build_type_id: row.branch_name for row in rows.good if row.default_branch and row.branch_name}
        )
        part = rows.part(scope, lambda row: None if row.build_type_id in known.paused else self._build(row))
        notes = (f"only {MOST_UNFINISHED} running and waiting builds are read",) if begun >= MOST_UNFINISHED else ()
        part = msgspec.structs.replace(part, error=part.error or error, notes=notes)
        gone = [row for name, row in before.items() if name not in known.newest]
        off = [row for row in rows.good if row.build_type_id in known.paused]
        return self._withdrawn(part, known, [*gone, *off, *filter(None, known.paused.values())])

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import Until, past  # nobody else needs it

        target: Target = scope.data
        until = Until.of(cursor)
        span = f"startDate:(date:{_date(since)},condition:after)"
        if until.at is not None:
            span += f",startDate:(date:{_date(until.at + timedelta(seconds=1))},condition:before)"
        page = f"start:{(until.page - 1) * PAGE},count:{PAGE},lookupLimit:{LOOKED_AT}"
        found = await self._builds(f"{target.builds},state:finished,{span},{page}", http)
        rows = Rows("build", BuildRow, found)
        self._default_branches.update(
            {row.build_type_id: row.branch_name for row in rows.good if row.default_branch and row.branch_name}
        )
        times = [parse_time(row.start_date) for row in rows.good]
        older, reached = until.older(times, more=len(found) >= PAGE)
        return past(rows, self._build, older=older, reached=reached)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        reply = await http.get(f"{self._api}/builds/id:{int(remote_id)}", params={"fields": FIELDS})
        for row in Rows("build", BuildRow, [reply.decode(dict[str, Any])]).good:
            # A waiting build may be replaced by an equal one, with another id.
            return self._build(row) if str(row.id) == remote_id else None
        raise BadAnswer("the build could not be read")

    def _build(self, row: BuildRow) -> Build | None:
        if row.personal and not self.options.personal:
            return None
        return build_of(self, row, self._default_branches.get(row.build_type_id, DEFAULT))

    def _withdrawn(self, part: Part, known: Known, rows: Iterable[BuildRow]) -> Part:
        """The part, which takes builds of configurations that are gone or paused off the board once."""
        keys = frozenset(self.key("build", row.id) for row in rows if row.id is not None)
        if part.error is not None:
            return part
        before, known.withdrawn = known.withdrawn, keys
        if keys <= before:
            return part
        return msgspec.structs.replace(part, reach="complete", retire_only=keys)

    async def _builds(self, where: str, http: Http) -> list[Any]:
        params = {"locator": f"{self._filter},{where}", "fields": f"count,build({FIELDS})"}
        return _whole((await http.get(f"{self._api}/builds", params=params)).decode(Builds))

    # -- configurations ------------------------------------------------------------------------------------------

    async def _read_configurations(self, scope: Scope, target: Target, known: Known, http: Http) -> Exception | None:
        """Put what the server says of the configurations into ``known``; returns why some could not be read."""
        found: Rows[Configuration] = Rows("configuration", Configuration)
        builds: Rows[BuildRow] = Rows("build", BuildRow)
        async for page in self._pages(target.configuration or f"{target.builds},count:100", http):
            found.add(page)
        for configuration in found.good:
            builds.add(_whole(configuration.builds))
        error = found.part(scope, lambda row: None).error or builds.part(scope, lambda row: None).error
        if not found.good:
            raise error or NotFound(f"there is no build configuration of {target.name} that this credential may see")
        newest: dict[str, BuildRow] = {}
        _remember(newest, builds.good)
        for configuration in found.good:
            if configuration.builds.build and configuration.id in known.newest:  # all of the last ones were cancelled
                newest.setdefault(configuration.id, known.newest[configuration.id])
        known.paused = {one.id: newest.pop(one.id, None) for one in found.good if one.paused}
        known.newest = newest
        known.read_at = self.clock.monotonic() if error is None else float("-inf")
        return error

    async def _pages(self, where: str, http: Http) -> AsyncIterator[list[Any]]:
        filters = "defaultFilter:false,state:finished,branch:(default:true)"
        filters += "" if self.options.personal else ",personal:false"
        builds = f"builds($locator({filters},count:{LOOK_BACK}),count,build({FIELDS}))"
        params = {"locator": where, "fields": f"count,nextHref,buildType(id,paused,{builds})"}
        reply = await http.get(f"{self._api}/buildTypes", params=params)
        seen: set[str] = set()
        for _ in range(PAGES):
            page = reply.decode(Configurations)
            if len(page.build_type) < page.count:
                raise BadAnswer(f"{page.count} build configurations are announced, and {len(page.build_type)} came")
            yield page.build_type
            if not page.next_href:
                return
            if page.next_href in seen:
                raise BadAnswer("the pages run in a circle")
            seen.add(page.next_href)
            # It begins with the server's own prefix, which may not be ours.
            _, found, path = page.next_href.partition("/app/rest/")
            if not found:
                raise BadAnswer("the address of the next page is none of the REST API")
            reply = await http.get(f"{self._api}/{path}")
        raise TooLarge(f"there are more than {PAGES * 100} build configurations: name some under `projects`")


def _date(at: datetime) -> str:
    """A moment as locators have it."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S}+0000"


def _whole(builds: Builds) -> list[Any]:
    if len(builds.build) < builds.count:
        raise BadAnswer(f"{builds.count} builds are announced, and {len(builds.build)} came")
    return builds.build


def _remember(newest: dict[str, BuildRow], rows: Iterable[BuildRow]) -> None:
    """Note the newest build of each configuration's default branch that has a verdict."""
    for row in rows:
        if row.id is None or not row.build_type_id or row.default_branch is False or state_of(row) not in VERDICTS:
            continue
        before = newest.get(row.build_type_id)
        if before is None or before.id is None or row.id >= before.id:
            newest[row.build_type_id] = row
