"""What a tile of a wall says of one fault.  Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

from statusboard.board import Board, Row
from statusboard.clock import age
from statusboard.current import UNREAD, is_unowned, moment_of, verdict_of
from statusboard.model import Build, Incident, Item, Release, Ticket
from statusboard.presenting import Glyphs, word_of
from statusboard.presenting.lines import since
from statusboard.wall import Deployed
from widgets.tiles import Tile

JUST_BEFORE: Final = timedelta(hours=1)
"""A release that came so shortly before a fault is told as what changed just before."""
_KINDS: Final = {"build": "BUILD", "incident": "INCIDENT", "release": "RELEASE", "ticket": "TICKET"}


def tile_of(row: Row, board: Board, deployed: Deployed, now: datetime, glyphs: Glyphs, zone: tzinfo) -> Tile:
    """The tile of a failing or unknown row."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    unread = board.state_of(fact.source) in UNREAD
    sign, word, style = _state(row, fact, glyphs, unread=unread)
    change, change_style = _change(fact, board, deployed, now)
    return Tile(
        key=row.key,
        sign=sign,
        word=word,
        style=style,
        since=_since(fact, now, zone),
        name=fact.service or fact.repository or fact.team or fact.source,
        place=fact.environment,
        team="UNOWNED" if is_unowned(fact) else fact.team,
        person=_person(fact),
        what=_what(fact, glyphs),
        change=change,
        change_style=change_style,
    )


def _state(row: Row, fact: Item, glyphs: Glyphs, *, unread: bool) -> tuple[str, str, str]:
    """Sign, word and style.  What is no longer read only *was* so."""
    kind = _KINDS[fact.kind]
    if row.unknown:
        return glyphs.of(fact.kind, "unknown"), f"{kind} UNKNOWN", "unknown"
    if isinstance(fact, Incident):
        word = "SEVERITY UNKNOWN" if fact.severity == "unknown" else fact.severity.upper()
        state: str = fact.state
        style: str = fact.severity
        word += " acked" if fact.state == "acknowledged" else ""
    else:
        assert isinstance(fact, Build | Release)
        state, style = verdict_of(fact), "failed"
        word = f"{kind} {word_of(state).upper()}" + (f", {word_of(fact.state)} again" if fact.state != state else "")
    if unread:
        return "?", f"WAS {word}", "unknown"
    return glyphs.of(fact.kind, state), word, style


def _since(fact: Item, now: datetime, zone: tzinfo) -> str:
    """``since 09:37, 4m``: the time stands still, and the age is coarse."""
    began = fact.started_at or moment_of(fact)
    if began is None:
        return ""
    local = began.astimezone(zone)
    when = f"{local:%H:%M}" if local.date() == now.astimezone(zone).date() else f"{local.day} {local:%b}"
    return f"{'~' if fact.approximate else ''}{when}, {since(now, began)}"


def _person(fact: Item) -> str:
    """Who has it in hand, or did it."""
    if isinstance(fact, Incident):
        return fact.acknowledged_by or fact.assignee
    return fact.actor


def _what(fact: Item, glyphs: Glyphs) -> str:
    """What is wrong, in a line."""
    title = fact.title or fact.description
    if isinstance(fact, Build):
        line = " ".join(filter(None, (fact.pipeline, fact.branch)))
        title = fact.reason or title
        return f"{line}: {title}" if line and title else line or title
    if fact.reason and fact.reason != title:
        return f"{title} {glyphs.dash} {fact.reason}" if title else fact.reason
    return title


def _change(fact: Item, board: Board, deployed: Deployed, now: datetime) -> tuple[str, str]:
    """The newest release of the same service, and whether it came just before."""
    if isinstance(fact, Release):
        return (f"before {fact.previous_version}", "muted") if fact.previous_version else ("", "muted")
    release = deployed.newest(board, fact.service, fact.environment) if fact.service else None
    moment = moment_of(release) if release is not None else None
    if release is None or moment is None:
        return "", "muted"
    version = release.version or release.revision[:10] or release.title
    state = "" if release.state in ("success", "inactive") else f" {word_of(release.state)}"
    told = f"{version}{state}, {age(now, moment)} ago"
    began = fact.started_at
    if began is not None and moment > began:
        return f"since then {told}", "warning"
    if began is not None and began - moment <= JUST_BEFORE:
        return f"JUST BEFORE {told}", "warning"
    return f"last release {told}", "muted"
