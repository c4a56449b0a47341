"""What else happened to the same service: releases and broken or mended builds before an incident, incidents after a
release, the release that a build became.

All of it comes from the rows that are on the board (48 hours of them, unless the config says otherwise); where nothing
is known it says so, and which sources could not be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from statusboard import clock
from statusboard.board import Board, Row
from statusboard.current import UNREAD, on_default_branch, verdict_of
from statusboard.model import Build, Incident, Item, Release, Ticket
from statusboard.presenting.glyphs import Cell, Glyphs
from statusboard.presenting.lines import Line, Section, setting_of, short_revision
from statusboard.presenting.rows import status_cell

MOST: Final = 6
"""How many neighbours are told one by one."""
_LEAST_DIGITS: Final = 7
"""So much of a commit's hash must agree."""


def around(row: Row, board: Board, *, glyphs: Glyphs) -> list[Section]:
    """What happened to the service of an item before or after it, the nearest first."""
    fact = row.fact
    match fact:
        case Incident() | Ticket():
            return [("Changed before it", _before(fact, board, glyphs))]
        case Release():
            return [("Incidents after it", _after(fact, board, glyphs)), ("Built by", _builds(fact, board, glyphs))]
        case Build():
            return [("Released", _releases(fact, board, glyphs))]
        case _:
            return []


def _before(fact: Incident | Ticket, board: Board, glyphs: Glyphs) -> list[Line]:
    began = fact.started_at or fact.updated_at
    owner = _owner(fact)
    if not owner or began is None:
        if isinstance(fact, Ticket):
            return []
        why = "its source does not say when it began" if owner else "nobody owns it: what changed before is not known"
        return [("", why, "muted")]
    wanted = (Release, Build)
    found = [row for row in _of_owner(fact, board, wanted) if (at := _moment(row.fact)) is not None and at <= began]
    turned = dict(_turning(found, board))
    rows = [row for row in found if _reached(row.fact) or row.key in turned]
    if isinstance(fact, Ticket) and not rows:
        return []  # most are older than anything on the board
    rows.sort(key=lambda row: (_moment(row.fact), row.key), reverse=True)
    lines = [
        _event(row, board, f"{_span(began, row.fact)} before", fact, glyphs, turned.get(row.key, ""))
        for row in rows[:MOST]
    ]
    if len(rows) > MOST:
        lines.append(("", f"and {len(rows) - MOST} more", "muted"))
    if not rows:
        lines.append(("", f"no release and no broken or mended build of {owner} is known from before it", "muted"))
    return lines + _unread(board, wanted)


def _after(fact: Release, board: Board, glyphs: Glyphs) -> list[Line]:
    began = fact.started_at or fact.updated_at or fact.ended_at
    owner = _owner(fact)
    if not owner or began is None:
        return [("", "nobody owns it" if not owner else "its source does not say when it was", "muted")]
    rows = [
        row for row in _of_owner(fact, board, (Incident,)) if (at := row.fact.started_at) is not None and at >= began
    ]
    rows.sort(key=lambda row: (row.fact.started_at, row.key))
    lines = [_event(row, board, f"{_span(began, row.fact)} after", fact, glyphs) for row in rows[:MOST]]
    if len(rows) > MOST:
        lines.append(("", f"and {len(rows) - MOST} more", "muted"))
    if not rows:
        lines.append(("", f"no incident of {owner} is known since", "muted"))
    return lines + _unread(board, (Incident,))


def _releases(fact: Build, board: Board, glyphs: Glyphs) -> list[Line]:
    """The releases made from a build's revision."""
    if fact.change or fact.fork or fact.state not in ("success", "warning"):
        return []
    if not fact.revision:
        return [("", "its revision is not known, hence not what was released from it", "muted")]
    rows = _of_revision(fact, board, Release)
    rows.sort(key=lambda row: row.order, reverse=True)
    lines = [_event(row, board, _when(fact, row.fact), fact, glyphs) for row in rows[:MOST]]
    return lines or [("", f"no release of {short_revision(fact.revision)} is known", "muted")]


def _builds(fact: Release, board: Board, glyphs: Glyphs) -> list[Line]:
    """The builds of a release's revision."""
    if not fact.revision:
        return []
    rows = _of_revision(fact, board, Build)
    rows.sort(key=lambda row: row.order, reverse=True)
    return [_event(row, board, _when(fact, row.fact), fact, glyphs) for row in rows[:MOST]]


def _of_revision(fact: Build | Release, board: Board, kind: type[Build | Release]) -> list[Row]:
    """The rows of a kind that are of the item's revision."""
    digits = fact.revision[:_LEAST_DIGITS].lower()
    rows = [row for row in board.rows.values() if type(row.fact) is kind]
    return [
        row
        for row in rows
        if isinstance(other := row.fact, Build | Release)
        and other.revision[:_LEAST_DIGITS].lower() == digits
        and _same_revision(fact, other)
    ]


def _same_revision(fact: Build | Release, other: Build | Release) -> bool:
    """Of one commit; where the revision is no hash (``r123``) also of one repository or service."""
    a, b = fact.revision.lower(), other.revision.lower()
    if not (a.startswith(b) or b.startswith(a)):
        return False
    if min(len(a), len(b)) >= _LEAST_DIGITS and all(sign in "0123456789abcdef" for sign in a + b):
        return True
    related = bool(fact.repository) and fact.repository == other.repository
    return a == b and (related or not set(fact.services).isdisjoint(other.services))


# -- of the same service


def _owner(fact: Item) -> str:
    return ", ".join(fact.services) or fact.repository


def _of_owner(fact: Item, board: Board, kinds: tuple[type, ...]) -> list[Row]:
    """The rows of these kinds that share a service with the item; of one without any, its repository."""
    services, repository = fact.services, fact.repository
    # Every row of the board is looked at, each time that somebody moves the cursor.
    pairs: list[tuple[Row, Any]] = [(row, other) for row in board.rows.values() if type(other := row.fact) in kinds]
    if not services:
        return [row for row, other in pairs if other.repository == repository]
    if len(services) == 1:
        only = services[0]
        return [row for row, other in pairs if only in other.services]
    wanted = set(services)
    return [row for row, other in pairs if not wanted.isdisjoint(other.services)]


def _reached(fact: object) -> bool:
    """Whether it is a release that came as far as changing anything."""
    return isinstance(fact, Release) and fact.state not in ("queued", "blocked", "cancelled")


def _turning(rows: Iterable[Row], board: Board) -> Iterator[tuple[str, str]]:
    """Of these builds those that ``broke`` or ``mended`` a line of a default branch; those between say nothing new."""
    lines: set[tuple[str, ...]] = set()
    wanted = {row.key for row in rows if isinstance(row.fact, Build) and on_default_branch(row.fact)}
    for row in rows:
        if row.key not in wanted or row.slot is None or row.slot in lines:
            continue
        lines.add(row.slot)
        before = ""
        for run in reversed(board.neighbours(row)):
            fact = run.fact
            assert isinstance(fact, Build)
            verdict = verdict_of(fact)
            if not verdict:
                continue
            if run.key in wanted and (verdict == "failed") != (before == "failed"):
                if verdict == "failed":
                    yield run.key, "broke"
                elif before and verdict in ("success", "warning"):
                    yield run.key, "mended"
            before = verdict


def _moment(fact: object) -> datetime | None:
    """When a change reached the service: a release as it began to, a build as it was over."""
    if isinstance(fact, Build):
        return fact.ended_at or fact.started_at or fact.updated_at
    if isinstance(fact, Release):
        return fact.started_at or fact.ended_at or fact.updated_at
    return getattr(fact, "started_at", None)


def _span(at: datetime, fact: object) -> str:
    other = _moment(fact)
    assert other is not None
    return clock.age(max(at, other), min(at, other))


def _when(fact: Item, other: object) -> str:
    """How long before or after ``fact`` the other thing was."""
    here, there = _moment(fact), _moment(other)
    if here is None or there is None:
        return ""
    return f"{clock.age(max(here, there), min(here, there))} {'after' if there >= here else 'before'}"


def _event(row: Row, board: Board, when: str, beside: Item, glyphs: Glyphs, turned: str = "") -> Line:
    """One thing that happened, dim where it happened in another environment than what it stands beside.

    ``turned`` is what a build did to its line: it broke or mended it.
    """
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    unread = board.state_of(fact.source) in UNREAD
    text, style = status_cell(row, fact, glyphs, unread)
    if turned and not unread:
        text, style = f"{text[0]} {turned}", "success" if turned == "mended" else "warning"
    elsewhere = bool(fact.environment and beside.environment and fact.environment != beside.environment)
    words: list[Cell] = [(text, "stale" if unread else style)]
    words += [(f" {word}", "") for word in _named(fact) if word]
    if fact.environment and not isinstance(fact, Build):
        words.append((f" {fact.environment}", "muted" if elsewhere else ""))
    if fact.actor:
        words.append((f" by {fact.actor}", "muted"))
    if elsewhere:
        words = [words[0], *((word, "muted") for word, _ in words[1:])]
    return (when, tuple(words), "")


def _named(fact: Item) -> Sequence[str]:
    match fact:
        case Release() if fact.type == "configuration":
            return ("setting", setting_of(fact))
        case Release():
            return (fact.type.replace("deployment", "release"), fact.version or fact.title)
        case Build():
            number = f"#{fact.run_number}" if fact.run_number is not None else ""
            return (fact.pipeline or "build", number, fact.title)
        case Incident():
            return (fact.severity, fact.title)
        case _:
            return (fact.title,)


def _unread(board: Board, kinds: tuple[type, ...]) -> list[Line]:
    """Which sources may know more and were not read: those that gave such items, and those that never gave any."""
    silent = {name for name in board.health if board.is_blind(name)}
    if not silent:
        return []
    given: dict[str, bool] = dict.fromkeys(silent, False)
    gave_any: set[str] = set()
    for row in board.items():
        source = row.fact.source
        if source in silent:
            gave_any.add(source)
            given[source] = given[source] or isinstance(row.fact, kinds)
    names = sorted(name for name in silent if given[name] or name not in gave_any)
    if not names:
        return []
    told = ", ".join(f"{name} is {board.state_of(name)}" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [("", f"there may be more: {told}{more}", "unknown")]
