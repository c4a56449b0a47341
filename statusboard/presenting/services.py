"""The matrix of services as words: a line for each service, a column for each environment, and what counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Final, Literal

from msgspec.structs import replace

from statusboard.columns import ColumnSpec, Times
from statusboard.current import UNREAD, verdict_of
from statusboard.model import Build, Incident, Release, Severity, Ticket
from statusboard.presenting.deployed import AGE, SIGN, VERSION, Telling, place_cell, version_text
from statusboard.presenting.glyphs import UNICODE, Cell, Glyphs, word_of
from statusboard.presenting.lines import Line
from statusboard.presenting.rows import RowText, cells
from statusboard.services import (
    MOST_ENVIRONMENTS,
    NO_SERVICE,
    WRONG,
    Health,
    Service,
    ServiceMatrix,
    version_of,
)

NAMES: Final = (12, 14, 24, 32)
"""Cells for a service's name: the fewest, and how many it gets before further columns do."""
TEAMS: Final = (7, 14)
"""The fewest and the most cells for the name of a team."""
WHY: Final = 24
"""The fewest cells that are worth saying in what is wrong."""

_WORDS: Final[Mapping[Health, str]] = {
    "failing": "failing",
    "acknowledged": "acked",
    "hidden": "hidden",
    "unknown": "unknown",
    "unread": "unread",
    "warning": "warning",
    "ok": "ok",
    "nothing": "no data",
}
_SHORT: Final[Mapping[Severity, str]] = {
    "critical": "crit",
    "high": "high",
    "medium": "med",
    "low": "low",
    "info": "info",
    "unknown": "unkn",
}
_STYLES: Final[Mapping[Health, str]] = {
    "failing": "failed",
    "acknowledged": "warning",
    "hidden": "failed",
    "unknown": "unknown",
    "unread": "unknown",
    "warning": "warning",
    "ok": "success",
    "nothing": "muted",
}


def service_columns(matrix: ServiceMatrix, width: int, *, times: Times = "ago") -> list[ColumnSpec]:
    """The columns that fit into ``width`` cells, from left to right; what changes often stands left.

    Where people are served is shown before anything else, then builds, then the other environments as far as names
    can still be told apart, whose it is, and what is wrong.
    """
    dated = VERSION + 1 + AGE[times]
    room = width - 1  # for the mark of the cursor
    columns = {
        "health": ColumnSpec("health", "Health", 9, 9),
        "service": ColumnSpec("service", "Service", NAMES[0], NAMES[0]),
    }
    room -= sum(column.min_width for column in columns.values()) + 1

    def add(id: str, title: str, cells: int, align: Literal["left", "right"] = "left") -> None:
        nonlocal room
        if cells + 1 <= room:
            columns[id] = ColumnSpec(id, title, cells, cells, align=align)
            room -= cells + 1

    def widen(id: str, cells: int) -> None:
        nonlocal room
        if id in columns:
            more = max(0, min(room, cells - columns[id].min_width))
            columns[id] = replace(
                columns[id], width=columns[id].min_width + more, min_width=columns[id].min_width + more
            )
            room -= more

    def add_environment(name: str) -> None:
        add(f"at:{name}", " " * SIGN + (name or "no environment"), SIGN + dated)

    environments = matrix.environments
    add("incidents", "Incidents", 10)
    for name in environments[:1]:
        add_environment(name)
    add("builds", "Builds", 6)
    for name, names in zip(environments[1:], chain(NAMES[1:2], repeat(NAMES[2])), strict=False):
        widen("service", min(matrix.names_width, names))
        add_environment(name)
    widen("service", min(matrix.names_width, NAMES[2]))
    add("team", "Team", max(TEAMS[0], min(matrix.teams_width, TEAMS[1])))
    if told := room > WHY:
        room -= WHY + 1
    widen("service", min(matrix.names_width, NAMES[3]))
    widen("incidents", 13)
    if matrix.has_published:
        add("published", "Published", dated)
    if matrix.has_tickets:
        add("tickets", "Tickets", 7, "right")
    if told:
        columns["why"] = ColumnSpec("why", "What is wrong", None, WHY)
    else:
        columns["service"] = replace(columns["service"], width=None)
    order = ["health", "service", "incidents", "builds", *(f"at:{name}" for name in matrix.environments)]
    return [columns[id] for id in (*order, "published", "tickets", "team", "why") if id in columns]


def service_cells(service: Service, telling: Telling) -> RowText:
    """What a service's line says, by column."""
    glyphs = telling.glyphs
    found: dict[str, Cell] = {
        "health": health_cell(service, glyphs),
        "service": _named(service),
        "incidents": _incidents(service, glyphs),
        "builds": _builds(service, glyphs),
        "team": _team(service, glyphs),
        "why": _why(service, telling),
        "tickets": (str(service.tickets or ""), ""),
    }
    if (row := service.published) is not None:
        unread = telling.state_of(row.fact.source) in UNREAD
        found["published"] = (version_text(row, telling), "stale" if unread else "muted")
    if not service.places and service.releases_unread:
        found[f"at:{telling.first}"] = ("?", "unknown")
    for environment in service.places:
        found[f"at:{environment}"] = place_cell(service, environment, telling)
    return RowText(
        {name: cell for name, cell in found.items() if cell[0]}, "muted" if service.health == "nothing" else ""
    )


def _named(service: Service) -> Cell:
    return (service.name, "") if service.name != NO_SERVICE else ("(no service)", "unknown")


def health_cell(service: Service, glyphs: Glyphs = UNICODE) -> Cell:
    """Sign, word and style of how a service is: ``✗ failing``; ``? failing`` where that is only the last we know."""
    health = service.health
    if service.was:
        return (f"? {_WORDS[health]}", "unknown")
    style = _STYLES[health]
    if health == "failing" and service.severities and service.severities[0][0] == "critical":
        style = "critical"
    return (f"{_sign(health, glyphs)} {_WORDS[health]}", style)


def _sign(health: Health, glyphs: Glyphs) -> str:
    match health:
        case "failing" | "hidden":
            return glyphs.of("build", "failed")
        case "acknowledged":
            return glyphs.of("incident", "acknowledged")
        case "warning":
            return glyphs.of("build", "warning")
        case "ok":
            return glyphs.of("build", "success")
        case "nothing":
            return glyphs.nothing
        case _:
            return glyphs.of("build", "unknown")


def _incidents(service: Service, glyphs: Glyphs) -> Cell:
    """``2 critical``, ``2 crit +5``: the worst by number, then how many more; without any, how many are suppressed."""
    if not service.severities:
        if service.incidents_unread:
            return ("?", "unknown")
        return (
            (f"{glyphs.of('incident', 'suppressed')} {service.suppressed}", "muted") if service.suppressed else ("", "")
        )
    severity, count = service.severities[0]
    more = sum(number for _, number in service.severities[1:])
    text = f"{count} {_SHORT[severity]} +{more}" if more else f"{count} {severity}"
    if service.incidents_were:
        return (f"? {text}", "stale")
    return (text, "high" if severity == "critical" else severity)


def _builds(service: Service, glyphs: Glyphs) -> Cell:
    builds = service.builds
    if builds.failing:
        sign = "?" if builds.was else glyphs.of("build", "failed")
        return (f"{sign} {builds.failing}", "stale" if builds.was else "failed")
    if builds.unknown:
        return (f"{glyphs.of('build', 'unknown')} {builds.unknown}", "unknown")
    if builds.unread:
        return ("?", "unknown")
    if builds.running:
        return (f"{glyphs.of('build', 'running')} {builds.running}", "running")
    return (glyphs.of("build", "success"), "muted") if builds.known else ("", "")


def _team(service: Service, glyphs: Glyphs) -> Cell:
    if service.team:
        return (service.team, "")
    if service.owned or service.name == NO_SERVICE:
        return (glyphs.nothing, "muted")
    return ("unowned", "unknown" if service.health in ("failing", "acknowledged") else "muted")


def _why(service: Service, telling: Telling) -> Cell:
    """What is most wrong, in words."""
    if service.worst is not None and service.health not in ("hidden", "unread"):
        unread = telling.state_of(service.worst.fact.source) in UNREAD
        return (_told(service, telling), "stale" if unread else "")
    if service.hidden:
        return (f"{service.hidden} failing hidden by the filter", "failed")
    if service.health == "unread":
        more = f" and {len(service.blind) - 2} more" if len(service.blind) > 2 else ""
        in_part = any(telling.state_of(name) in ("partial", "aging") for name in service.blind)
        return (f"{', '.join(service.blind[:2])}{more} not read{' in full' if in_part else ''}", "unknown")
    return ("", "")


def _told(service: Service, telling: Telling) -> str:
    """The worst item: an incident's title, ``CI: Fix it`` of a build, ``1.4.2 failed in production`` of a release."""
    row = service.worst
    assert row is not None
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    if isinstance(fact, Release):
        told = f"{version_of(row) or 'a release'} {word_of(verdict_of(fact))}"
        where = " ".join(filter(None, (fact.environment, fact.target)))
        return " ".join(
            filter(None, (told, where and f"in {where}", fact.reason and f"{telling.glyphs.dash} {fact.reason}"))
        )
    text = cells(
        row,
        telling.now,
        glyphs=telling.glyphs,
        source_state=telling.state_of(fact.source),
        zone=telling.zone,
        said=telling.said_of(row.key),
    )
    title = text.cells.get("title", ("", ""))[0]
    if isinstance(fact, Build) and fact.pipeline and fact.pipeline not in title:
        return f"{fact.pipeline}: {title}"
    return title


def service_lines(service: Service, environments: Sequence[str], telling: Telling) -> list[Line]:
    """What is known of a service, for the details: how it is and whose, what is open, and what runs where."""
    health, style = health_cell(service, telling.glyphs)
    team = service.team or ("" if service.owned or service.name == NO_SERVICE else "unowned")
    builds = service.builds
    counted = [
        *((count, severity) for severity, count in service.severities),
        (service.suppressed, "suppressed"),
        (builds.failing, "failing builds" if builds.failing > 1 else "failing build"),
        (builds.unknown, "unknown builds" if builds.unknown > 1 else "unknown build"),
        (builds.running, "running builds" if builds.running > 1 else "running build"),
        (service.tickets, "tickets" if service.tickets > 1 else "ticket"),
    ]
    runs: list[Cell] = []
    for environment in dict.fromkeys((*environments, *service.places)):
        if environment in service.places:
            text, place_style = place_cell(service, environment, telling)
            lead = "  " if runs else ""
            runs += [(f"{lead}{environment or 'no environment'}", "muted"), (f" {' '.join(text.split())}", place_style)]
    if service.published is not None:
        published = " ".join(version_text(service.published, telling).split())
        runs += [("  published" if runs else "published", "muted"), (f" {published}", "")]
    lines: list[Line] = [
        ("service", (_named(service), (f"  {health}", style), (f"  {team}" if team else "", "")), ""),
        ("open", ", ".join(f"{count} {what}" for count, what in counted if count), ""),
        ("runs", tuple(runs), ""),
        ("hidden", f"{service.hidden} failing, by the filter" if service.hidden else "", "failed"),
        ("not read", ", ".join(service.blind), "unknown"),
    ]
    return [line for line in lines if line[1]]


def services_title(
    matrix: ServiceMatrix, glyphs: Glyphs = UNICODE, *, shown: int = MOST_ENVIRONMENTS, unread: Sequence[Cell] = ()
) -> list[Cell]:
    """How many services are how, what is wrong first; ``shown`` environments have columns, ``unread`` tells of
    sources."""
    counts, rest = matrix.counts, matrix.service(NO_SERVICE)
    if rest is not None:
        counts[rest.health] -= 1
    words: list[Cell] = [("Services ", "strong"), (f" {sum(counts.values())}", "")]

    def tell(*healths: Health) -> None:
        words.extend(
            (f"  {_sign(health, glyphs)} {count} {_WORDS[health]}", _STYLES[health])
            for health in healths
            if (count := counts[health])
        )

    tell("failing", "acknowledged", "unknown", "unread")
    if rest is not None and rest.health in WRONG:
        words.append((f"  {_sign(rest.health, glyphs)} {_WORDS[rest.health]} without a service", _STYLES[rest.health]))
    if matrix.hidden_faults:
        words.append((f"  {matrix.hidden_faults} failing hidden", "failed"))
    tell("warning", "ok")
    words += unread
    tell("nothing")
    if matrix.unowned:
        words.append((f"  {matrix.unowned} unowned", "muted"))
    if matrix.left_out:
        words.append((f"  {matrix.left_out} hidden", "muted"))
    if more := max(0, len(matrix.environments) - shown) + matrix.more_environments:
        words.append((f"  {more} more environment{'s' if more > 1 else ''}", "muted"))
    return words
