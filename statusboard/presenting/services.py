"""The matrix of services as words: a line for each service, a column for each environment.

A cell of an environment is a sign where something is not plain, the version that runs there, and the age of its
release: ``✗ 1.4.2    3h``.  A version that is the same where people are served is muted: what stands out is what waits
to be released.  What a source that is not read any more told loses its colour and says what it was: ``? was 1.4.2``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from statusboard import clock
from statusboard.board import Row
from statusboard.columns import ColumnSpec
from statusboard.current import UNREAD, verdict_of
from statusboard.model import Build, HealthState, Item, Release
from statusboard.presenting.glyphs import STYLES, UNICODE, Cell, Glyphs
from statusboard.presenting.rows import RowText, cells
from statusboard.services import NO_SERVICE, Deployed, Health, Service, ServiceMatrix, version_of
from statusboard.services.entry import UNDER_WAY
from statusboard.text import cell_len, clip, fit

SIGN: Final = 2
VERSION: Final = 10
AGE: Final = 4
PLACE: Final = SIGN + VERSION + 1 + AGE
"""Cells of an environment's column: sign, version, age."""
NAME: Final = (12, 32)
"""The least and the most cells for a service's name."""
WHY: Final = 24
"""The least cells that are worth saying in what is wrong."""

_HEALTH = ColumnSpec("health", "Health", 9, 9, 100)
_INCIDENTS = ColumnSpec("incidents", "Incidents", 13, 10, 95)
_BUILDS = ColumnSpec("builds", "Builds", 6, 6, 80)
_TEAM = ColumnSpec("team", "Team", 12, 8, 40)
_PUBLISHED = ColumnSpec("published", "Published", 15, 15, 20)
_TICKETS = ColumnSpec("tickets", "Tickets", 7, 7, 10, "right")

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


def service_columns(matrix: ServiceMatrix, width: int) -> list[ColumnSpec]:
    """The columns that fit into ``width`` cells, from left to right; what changes often stands left.

    Where there is room beyond all environments, the last column tells what is wrong.
    """
    least, most = NAME
    named = max(least, min(most, matrix.names_width))
    environments = [
        ColumnSpec(f"at:{name}", " " * SIGN + (name or "no environment"), PLACE, PLACE, 78 - 2 * place if place else 94)
        for place, name in enumerate(matrix.environments)
    ]
    fixed = [_HEALTH, _INCIDENTS, _BUILDS, *environments, _TEAM]
    told = 1 + sum(column.min_width + 1 for column in fixed) + named + 1 + WHY <= width
    if told:
        service = ColumnSpec("service", "Service", named, least, 100)
        rest = [ColumnSpec("why", "What is wrong", None, WHY, 100)]
    else:
        service = ColumnSpec("service", "Service", None, least, 100)
        rest = []
    more = [column for column, wanted in ((_PUBLISHED, matrix.has_published), (_TICKETS, matrix.has_tickets)) if wanted]
    return [_HEALTH, service, _INCIDENTS, _BUILDS, *environments, *more, _TEAM, *rest]


def service_cells(
    service: Service,
    now: datetime,
    *,
    first: str = "production",
    glyphs: Glyphs = UNICODE,
    state_of: Callable[[str], HealthState] = lambda source: "fresh",
    zone: tzinfo = UTC,
) -> RowText:
    """What a service's line says.  ``first`` is the environment that the versions in the others are compared with."""
    found: dict[str, Cell] = {
        "health": health_cell(service, glyphs),
        "service": (service.name, "") if service.name != NO_SERVICE else ("(no service)", "unknown"),
        "incidents": _incidents(service, glyphs),
        "builds": _builds(service, glyphs),
        "team": _team(service, glyphs),
        "why": _why(service, now, glyphs, state_of, zone),
        "tickets": (str(service.tickets or ""), ""),
    }
    if service.published is not None:
        text = f"{fit(version_of(service.published), VERSION)} {_age(service.published, now, glyphs):>{AGE}}"
        found["published"] = (text, "stale" if state_of(service.published.fact.source) in UNREAD else "muted")
    if not service.places and service.releases_unread:
        found[f"at:{first}"] = (" " * SIGN + "?", "unknown")
    serving = service.places.get(first)
    for environment, place in service.places.items():
        same = environment != first and _runs(place) == _runs(serving) != ""
        found[f"at:{environment}"] = place_cell(place, now, glyphs, state_of, same=same)
    return RowText(
        {name: cell for name, cell in found.items() if cell[0]}, "muted" if service.health == "nothing" else ""
    )


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
    """``2 critical +5``: the worst by number, then how many more."""
    if not service.severities:
        return ("?", "unknown") if service.incidents_unread else ("", "")
    severity, count = service.severities[0]
    more = sum(number for _, number in service.severities[1:])
    text = f"{count} {severity}" + (f" +{more}" if more else "")
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


def _runs(place: Deployed | None) -> str:
    """The version that runs there, as far as it is known."""
    return version_of(place.row) if place is not None and place.row is not None else ""


def place_cell(
    place: Deployed,
    now: datetime,
    glyphs: Glyphs = UNICODE,
    state_of: Callable[[str], HealthState] = lambda source: "fresh",
    *,
    same: bool = False,
) -> Cell:
    """A service in an environment.  ``same``: the version is that of where people are served."""
    row = place.coming or place.row
    alarm = place.severity if not place.was else ""
    if row is None:
        sign = glyphs.of("incident", "open") if alarm else "?"
        return (f"{sign} {glyphs.nothing}", _alarm(alarm) if alarm else "stale")
    fact = row.fact
    assert isinstance(fact, Release)
    version = version_of(row) or glyphs.nothing
    if state_of(fact.source) in UNREAD:
        sign = glyphs.of("incident", "open") if alarm else "?"
        return (f"{sign} was {version}", _alarm(alarm) if alarm else "stale")
    if place.coming is None and place.same < place.targets:
        told = f" {place.same}/{place.targets}"
        version = clip(version, VERSION - cell_len(told)) + told
    lead, motion, style = _signs(place, fact, row, glyphs)
    if alarm:
        sign, style = f"{glyphs.of('incident', 'open')}{(lead or motion or ' ')}", _alarm(alarm)
    else:
        sign = f"{lead or motion or ' '}{motion if lead and motion else ' '}"
    text = f"{sign}{fit(version, VERSION)} {_age(row, now, glyphs):>{AGE}}"
    return (text, style or ("muted" if same else ""))


def _signs(place: Deployed, fact: Release, row: Row, glyphs: Glyphs) -> tuple[str, str, str]:
    """What is wrong there and what moves, as signs, and the style of both."""
    told = place.row if place.row is not None else row
    verdict = verdict_of(told.fact) if isinstance(told.fact, Release) else ""
    motion = glyphs.of("release", fact.state) if fact.state in UNDER_WAY else ""
    if told.failing:
        return glyphs.of("release", "failed"), motion, "failed"
    if verdict in ("", "success", "inactive"):
        if motion:
            return "", motion, STYLES.get(fact.state, "plain")
        # Nothing has said how it went, and nothing is under way: it was called off.
        return ("", "", "") if verdict else (glyphs.of("release", fact.state), "", "muted")
    return glyphs.of("release", verdict), motion, STYLES.get(verdict, "")


def _alarm(severity: str) -> str:
    return "high" if severity == "critical" else severity


def _age(row: Row, now: datetime, glyphs: Glyphs) -> str:
    """How long ago it was released."""
    fact = row.fact
    assert isinstance(fact, Release)
    began = fact.started_at or fact.updated_at
    if began is None:
        return glyphs.nothing
    return ("~" if fact.approximate else "") + clock.age(now, began)


def _why(service: Service, now: datetime, glyphs: Glyphs, state_of: Callable[[str], HealthState], zone: tzinfo) -> Cell:
    """What is most wrong, in words."""
    if service.worst is not None and service.health not in ("hidden", "unread"):
        row = service.worst
        state = state_of(row.fact.source)
        title = cells(row, now, glyphs=glyphs, source_state=state, zone=zone).cells.get("title", ("", ""))[0]
        return (_where(row.fact, title), "stale" if state in UNREAD else "")  # type: ignore[arg-type]
    if service.hidden:
        return (f"{service.hidden} failing hidden by the filter", "failed")
    if service.health == "unread":
        return (f"{', '.join(service.blind[:2])} not read", "unknown")
    return ("", "")


def _where(fact: Item, title: str) -> str:
    """The title, after the pipeline of a build or the environment of a release."""
    where = fact.pipeline if isinstance(fact, Build) else fact.environment if isinstance(fact, Release) else ""
    return f"{where}: {title}" if where and title and where not in title else title or where


def services_title(matrix: ServiceMatrix, glyphs: Glyphs = UNICODE, *, unread: Sequence[Cell] = ()) -> list[Cell]:
    """How many services are how; ``unread`` tells of sources."""
    counts = matrix.counts
    total = sum(counts.values())
    words: list[Cell] = [("Services ", "strong"), (f" {total}", "")]
    for health, word in _WORDS.items():
        if (count := counts[health]) and health != "hidden":
            words.append((f"  {_sign(health, glyphs)} {count} {word}", _STYLES[health]))
    if matrix.unowned:
        words.append((f"  {matrix.unowned} unowned", "muted"))
    if matrix.left_out:
        words.append((f"  {matrix.left_out} hidden", "muted"))
    if matrix.hidden_faults:
        words.append((f"  {matrix.hidden_faults} failing hidden", "failed"))
    if matrix.more_environments:
        words.append((f"  {matrix.more_environments} more environments", "muted"))
    return [*words, *unread]
