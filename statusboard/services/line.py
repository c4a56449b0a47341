"""One line of the matrix: what a service's items come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from statusboard.board import Board, Row
from statusboard.current import SEVERITY_RANK, UNDER_WAY, UNREAD, moment_of, verdict_of
from statusboard.model import SEVERITIES, Build, Incident, ItemKind, Release, Severity, Ticket
from statusboard.notes import acknowledgement
from statusboard.services.entry import Entry, rows_of

Health: TypeAlias = Literal["failing", "acknowledged", "hidden", "unknown", "unread", "warning", "ok", "nothing"]
SortKey: TypeAlias = tuple[int, bool, str, str]

WRONG: Final[frozenset[Health]] = frozenset({"failing", "acknowledged", "hidden", "unknown", "unread"})
"""What "faults only" shows: what is failing, and what may be."""
NO_SERVICE: Final = ""
"""The key of the line for what belongs to no service."""

_WORST_FIRST: Final[tuple[Severity, ...]] = tuple(sorted(SEVERITIES, key=SEVERITY_RANK.__getitem__))
_RANK: Final[Mapping[Health, int]] = {"hidden": 20, "unknown": 30, "unread": 31, "warning": 40, "ok": 40, "nothing": 50}


class Deployed(Struct, frozen=True):
    """A service in one environment.

    ``row`` is the release that tells what runs there, ``coming`` a newer one under way.  ``same`` of ``targets``
    (regions, clusters) run that version.  ``severity`` is that of the worst incident open there, ``""`` without one;
    ``was``: only sources that are not read any more told of those.
    """

    row: Row | None = None
    coming: Row | None = None
    same: int = 0
    targets: int = 0
    severity: Severity | Literal[""] = ""
    was: bool = False


class Builds(Struct, frozen=True):
    """A service's builds in numbers.

    ``unread``: a source that told of some is not read any more; ``was``: only such ones told of those that fail.
    """

    failing: int = 0
    unknown: int = 0
    running: int = 0
    known: int = 0
    unread: bool = False
    was: bool = False


class Service(Struct, frozen=True, kw_only=True):
    """One line of the matrix.

    ``severities`` counts open incidents, worst first.  ``was`` and ``incidents_were``: only sources that are not read
    any more told of what is failing, of the incidents.  ``blind`` names the sources that keep it from being called
    well, ``worst`` is what is most wrong.  ``owned``: it is configured, or a team is known.
    """

    name: str
    team: str = ""
    owned: bool = True
    health: Health = "nothing"
    rank: int = 0
    was: bool = False
    severities: tuple[tuple[Severity, int], ...] = ()
    incidents_were: bool = False
    incidents_unread: bool = False
    suppressed: int = 0
    builds: Builds = Builds()
    places: dict[str, Deployed] = {}
    releases_unread: bool = False
    published: Row | None = None
    tickets: int = 0
    hidden: int = 0
    blind: tuple[str, ...] = ()
    worst: Row | None = None

    @property
    def well(self) -> bool:
        """Whether it is known and nothing is wrong with it."""
        return self.health in ("ok", "warning")


class Sight(Struct, frozen=True):
    """What the lines of all services have in common.

    ``teams`` are those of the configured services, ``first`` is the environment where people are served, ``blind`` the
    sources whose silence proves nothing, ``of_incidents`` the required ones among them that may tell of incidents, and
    ``releases_unread`` whether one may tell of releases.
    """

    teams: Mapping[str, str]
    first: str
    blind: frozenset[str] = frozenset()
    of_incidents: tuple[str, ...] = ()
    releases_unread: bool = False


class Group(Struct, frozen=True):
    """Services that belong together, in order."""

    name: str
    services: tuple[Service, ...]

    @property
    def well(self) -> int:
        """How many of them are known and have nothing wrong."""
        return sum(service.well for service in self.services)

    @property
    def worst(self) -> Service:
        """The one that stands first."""
        return self.services[0]


def sort_key(service: Service) -> SortKey:
    """Where a service stands; see `statusboard.services`."""
    return (service.rank, service.name == NO_SERVICE, service.name.casefold(), service.name)


def by_team(services: Iterable[Service]) -> list[Group]:
    """The services in groups, the team with the worst one first; what no team claims is the group ``""``."""
    teams: dict[str, list[Service]] = {}
    for service in sorted(services, key=sort_key):
        teams.setdefault(service.team, []).append(service)
    groups = [Group(name, tuple(members)) for name, members in teams.items()]
    return sorted(groups, key=lambda group: (group.worst.rank, not group.name, group.name.casefold(), group.name))


def version_of(row: Row) -> str:
    """What a release calls its version: that, else the first digits of its revision, else ``""``."""
    fact = row.fact
    return (fact.version or fact.revision[:10]) if isinstance(fact, Release) else ""


def time_of(row: Row) -> float:
    """When the item's age begins, in seconds since 1970; 0 where no time is known."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    moment = moment_of(fact)
    return moment.timestamp() if moment is not None else 0.0


def fold(name: str, entry: Entry, board: Board, sight: Sight) -> Service:
    """The line of a service from its items."""
    incidents = entry.rows(board, "incident")
    published = entry.rows(board, "published")
    releases = {environment: rows_of(board, keys) for environment, keys in entry.releases.items()}
    released = [row for rows in releases.values() for row in rows]
    failing = [*incidents, *entry.rows(board, "build"), *(row for row in released if row.failing)]
    unknown = [*entry.rows(board, "unknown"), *(row for row in (*released, *published) if row.unknown)]
    warnings = [*entry.rows(board, "warning"), *(row for row in released if _warns(row))]
    blind = {source for source, _ in entry.sources if source in sight.blind}.union(sight.of_incidents)

    health: Health
    worst: Row | None = None
    if failing:
        ranks = {row.key: _fault_rank(row, sight.first) for row in failing}
        worst = min(failing, key=lambda row: (ranks[row.key], -time_of(row), row.key))
        at_it = all(_attended(row, board) for row in failing)
        health = "acknowledged" if at_it else "failing"
        rank = 2 * ranks[worst.key] + at_it
    else:
        health = _calm(entry, bool(unknown), bool(blind), bool(warnings))
        rank = _RANK[health]
        if telling := unknown or warnings:
            worst = max(telling, key=lambda row: (time_of(row), row.key))

    team = sight.teams.get(name, "") or _commonest(entry.teams)
    found = Counter(row.fact.severity for row in incidents if isinstance(row.fact, Incident))
    return Service(
        name=name,
        team=team,
        owned=bool(team) or name in sight.teams,
        health=health,
        rank=rank,
        was=_were(failing, board),
        severities=tuple((severity, found[severity]) for severity in _WORST_FIRST if found[severity]),
        incidents_were=_were(incidents, board),
        incidents_unread=bool(sight.of_incidents),
        suppressed=entry.count("suppressed"),
        builds=_builds(entry, board),
        places=_places(releases, incidents, board),
        releases_unread=sight.releases_unread or _unread(entry, board, "release"),
        published=max(published, key=lambda row: (row.current, row.order), default=None),
        tickets=entry.count("ticket"),
        hidden=len(entry.hidden),
        blind=tuple(sorted(blind)),
        worst=worst,
    )


def _calm(entry: Entry, unknown: bool, blind: bool, warnings: bool) -> Health:
    """How a service is of whose counted items none is failing."""
    if entry.hidden:
        return "hidden"
    if unknown:
        return "unknown"
    if not entry.known:
        return "nothing"
    if blind:
        return "unread"
    return "warning" if warnings else "ok"


def _fault_rank(row: Row, first: str) -> int:
    """How bad a failing item is, beside incidents."""
    fact = row.fact
    if isinstance(fact, Incident):
        return SEVERITY_RANK[fact.severity]
    if isinstance(fact, Release):
        return 1 if fact.environment == first else 3
    return 2


def _attended(row: Row, board: Board) -> bool:
    """Whether somebody is at it, as its source says or a person said here."""
    fact = row.fact
    if isinstance(fact, Incident) and fact.state == "acknowledged":
        return True
    said = board.annotations(row.key)
    return isinstance(fact, Build | Incident | Release) and acknowledgement(said, fact) is not None


def _warns(row: Row) -> bool:
    fact = row.fact
    return row.current and isinstance(fact, Release) and verdict_of(fact) in ("warning", "rolled_back")


def _were(rows: list[Row], board: Board) -> bool:
    """Whether there are any, and none of their sources is read any more."""
    return bool(rows) and all(board.state_of(row.fact.source) in UNREAD for row in rows)


def _builds(entry: Entry, board: Board) -> Builds:
    unknown = sum(isinstance(row.fact, Build) for row in entry.rows(board, "unknown"))
    failing, running = entry.rows(board, "build"), entry.count("building")
    known = len(failing) + unknown + running + entry.count("warning") + entry.count("built")
    return Builds(len(failing), unknown, running, known, _unread(entry, board, "build"), _were(failing, board))


def _unread(entry: Entry, board: Board, kind: ItemKind) -> bool:
    """Whether a source that told of items of this kind is not read any more."""
    return any(board.state_of(source) in UNREAD for source, told in entry.sources if told == kind)


def _places(releases: Mapping[str, list[Row]], incidents: list[Row], board: Board) -> dict[str, Deployed]:
    """By environment what runs there, what comes, and what is open there."""
    if not releases and not incidents:
        return {}
    opened: dict[str, list[Row]] = {}
    for row in incidents:
        if environment := getattr(row.fact, "environment", ""):
            opened.setdefault(environment, []).append(row)
    return {
        environment: _deployed(releases.get(environment, []), opened.get(environment, []), board)
        for environment in {**releases, **opened}
    }


def _deployed(rows: list[Row], incidents: list[Row], board: Board) -> Deployed:
    if len(rows) == 1 and not incidents:  # nearly always
        counted = int(rows[0].current)
        return Deployed(rows[0], None, counted, counted)
    settled = [row for row in rows if row.current]
    newest = [row for row in rows if row.newest]
    # Of several targets the one that failed is told; where nothing has a verdict yet, whatever was tried last.
    row = max(settled or newest, key=lambda row: (row.failing, row.order), default=None)
    coming = [row for row in newest if not row.current and getattr(row.fact, "state", "") in UNDER_WAY]
    severities = {row.fact.severity for row in incidents if isinstance(row.fact, Incident)}
    return Deployed(
        row=row,
        coming=max(coming, key=lambda row: row.order, default=None),
        same=sum(version_of(other) == version_of(row) for other in settled) if row is not None else 0,
        targets=len(settled),
        severity=next((severity for severity in _WORST_FIRST if severity in severities), ""),
        was=_were(incidents, board),
    )


def _commonest(counted: Mapping[str, int]) -> str:
    return min(counted, key=lambda name: (-counted[name], name), default="")
