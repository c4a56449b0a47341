"""What runs where, as words: a service in an environment.

A cell is a sign where something is not plain, the version, and the age of its release: ``✗ 1.4.2    3h``.  A version
that is the same where people are served is muted: what stands out is what waits to be released.  What a source that is
not read any more told loses its colour and says what it was: ``? was 1.4.2``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

from statusboard.board import Row
from statusboard.columns import Times
from statusboard.current import UNDER_WAY, UNREAD, verdict_of
from statusboard.model import Annotation, Release, ShownHealth
from statusboard.presenting.glyphs import STYLES, UNICODE, Cell, Glyphs
from statusboard.presenting.rows import age_cell, time_cell
from statusboard.services import Deployed, Service, version_of
from statusboard.text import cell_len, clip, fit

SIGN: Final = 2
VERSION: Final = 10
AGE: Final[Mapping[Times, int]] = {"ago": 4, "local": 12, "utc": 12}
"""Cells of an environment's column: for the sign, the version, and the age or time of its release."""


class Telling(NamedTuple):
    """What the words depend on beside what they tell of.

    ``first`` is the environment that the versions in the others are compared with; ``state_of`` knows how a source is,
    ``said_of`` what people said of an item, by its key.
    """

    now: datetime
    first: str = "production"
    glyphs: Glyphs = UNICODE
    state_of: Callable[[str], ShownHealth] = lambda source: "fresh"
    said_of: Callable[[str], Sequence[Annotation]] = lambda key: ()
    zone: tzinfo = UTC
    times: Times = "ago"


def version_text(row: Row, telling: Telling, note: str = "", cells: int = VERSION) -> str:
    """The version of a release, a note after it, and its age or time: ``1.4.2 2/3   3h``, always as wide."""
    fact = row.fact
    assert isinstance(fact, Release)
    if telling.times == "ago":
        when = age_cell(fact, telling.now, telling.glyphs)
    else:
        when = time_cell(fact, telling.now, telling.glyphs, telling.zone)
    version = clip(version_of(row) or telling.glyphs.nothing, max(1, cells - cell_len(note))) + note
    wide = AGE[telling.times]
    return f"{fit(version, cells - max(0, cell_len(when) - wide))} {when:>{wide}}"


def place_cell(service: Service, environment: str, telling: Telling) -> Cell:
    """A service in one of its environments."""
    place, glyphs = service.places[environment], telling.glyphs
    row = place.coming or place.row
    alarm = glyphs.of("incident", "open") if place.severity and not place.was else ""
    style: str = ("high" if place.severity == "critical" else place.severity) if alarm else ""
    if row is None:
        return (f"{alarm or '?'} {glyphs.nothing}", style or "stale")
    fact = row.fact
    assert isinstance(fact, Release)
    if telling.state_of(fact.source) in UNREAD:
        return (f"{alarm or '?'} was {version_of(row) or glyphs.nothing}", style or "stale")
    lead, motion, own_style = _signs(place, row, fact, glyphs)
    signs = alarm + (lead or motion) if alarm else lead + motion
    if place.was and not signs:
        signs, own_style = "?", "stale"  # it was burning when that was read last
    style = style or own_style or ("muted" if is_same(service, environment, telling.first) else "")
    note = f" {place.same}/{place.targets}" if place.coming is None and place.same < place.targets else ""
    if len(signs) < SIGN:
        return (f"{signs:<{SIGN}}{version_text(row, telling, note)}", style)
    return (f"{signs} {version_text(row, telling, note, VERSION - 1)}", style)


def is_same(service: Service, environment: str, first: str) -> bool:
    """Whether what runs there is known, and is what runs where people are served."""
    here, there = service.places[environment].row, service.places.get(first, Deployed()).row
    if environment == first or here is None or there is None:
        return False
    return version_of(here) == version_of(there) != ""


def _signs(place: Deployed, row: Row, fact: Release, glyphs: Glyphs) -> tuple[str, str, str]:
    """What is wrong there and what moves, as signs, and the style of both."""
    told = place.row if place.row is not None else row
    if row.ahead:
        return "", glyphs.of("release", "queued"), "muted"
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
