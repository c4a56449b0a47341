"""What became of an item from change to change, in one flow: ``14:02 open › 14:05 acked by ann › 14:31 resolved``.

Of what a vendor changes without a word only what a person cares about is told: state, severity, assignee, attempt and
version.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Final

from msgspec import Struct

from statusboard.model import UNFINISHED, Build, Change, Incident, Item, Release, Ticket, decode
from statusboard.presenting.glyphs import STYLES, Cell, Glyphs, word_of
from statusboard.presenting.lines import Line, length, time_of_day

MOST_STEPS: Final = 8
"""How many steps are told, the newest ones; the others are counted."""
HISTORY: Final = 100
"""How many changes of an item are worth reading."""


class Step(Struct, frozen=True):
    """One transition: when (``seen``: the time is when we first saw it), and what."""

    at: datetime
    seen: bool
    words: tuple[Cell, ...]


def past(changes: Iterable[Change], now: datetime, *, glyphs: Glyphs, zone: tzinfo) -> list[Line]:
    """The transitions of an item from its stored ``changes`` (newest first), as one line to be wrapped."""
    steps = steps_of(changes, glyphs)
    words: list[Cell] = []
    arrow = ">" if glyphs.dash == "-" else "›"
    if len(steps) > MOST_STEPS:
        words.append((f"{len(steps) - MOST_STEPS} earlier", "muted"))
    day = now
    for step in steps[-MOST_STEPS:]:
        time = ("~" if step.seen else "") + time_of_day(step.at, day, zone)
        day = step.at
        words += [(f" {arrow} {time} " if words else f"{time} ", "muted"), *step.words]
    return [("", tuple(words), "")] if words else []


def steps_of(changes: Iterable[Change], glyphs: Glyphs) -> list[Step]:
    """The transitions in ``changes`` (newest first), oldest first."""
    # What was filled in later happened before anything that was seen.
    ordered = sorted(changes, key=lambda change: (change.origin != "backfill", change.seq))
    steps: list[Step] = []
    before: Item | None = None
    for change in ordered:
        fact = decode(change.body) if change.body is not None else None
        if not isinstance(fact, Build | Incident | Release | Ticket):
            if before is not None:
                steps.append(Step(change.observed_at, False, (("taken off the board", "muted"),)))
            before = None
            continue
        words = _told(before, fact, glyphs)
        if words:
            at = _began(fact) if _turned(before, fact) else None
            if at is not None and steps and at <= steps[-1].at:
                at = None  # that is when all of it began
            steps.append(Step(at or change.observed_at, at is None, tuple(words)))
        before = fact
    return steps


def _turned(before: Item | None, fact: Item) -> bool:
    """Whether it is in another state than before, or in the same one anew."""
    if before is None or before.state != fact.state or _attempt(before) != _attempt(fact):
        return True
    return isinstance(fact, Incident) and fact.state != "resolved" and before.started_at != fact.started_at


def _told(before: Item | None, fact: Item, glyphs: Glyphs) -> list[Cell]:
    words: list[Cell] = []
    if _turned(before, fact):
        words.append((f"{glyphs.of(fact.kind, fact.state)} {word_of(fact.state)}", STYLES.get(fact.state, "plain")))
        words.append((_how(before, fact), ""))
    if before is None:
        return [word for word in words if word[0]]
    if isinstance(fact, Incident) and isinstance(before, Incident) and fact.severity != before.severity:
        words.append((f" now {fact.severity}, was {before.severity}", fact.severity))
    assignee, former = _assignee(fact), _assignee(before)
    if assignee != former and not (isinstance(fact, Incident) and assignee == fact.acknowledged_by):
        words.append((f" given to {assignee}" if assignee else f" no longer {former}'s", ""))
    if isinstance(fact, Release) and isinstance(before, Release) and fact.version != before.version and fact.version:
        words.append((f" version {fact.version}", ""))
    if words:  # the first stands right after its time
        words[0] = (words[0][0].lstrip(), words[0][1])
    return [word for word in words if word[0]]


def _how(before: Item | None, fact: Item) -> str:
    """By whom, in which attempt, after how long."""
    told = ""
    if isinstance(fact, Incident):
        if fact.state == "acknowledged" and fact.acknowledged_by:
            told = f" by {fact.acknowledged_by}"
        elif fact.state == "suppressed" and fact.suppressed_by:
            told = f": {fact.suppressed_by}"
    if before is not None and _attempt(fact) > 1 and _attempt(fact) != _attempt(before):
        told += f" attempt {_attempt(fact)}"
    if fact.state not in UNFINISHED[fact.kind] and fact.started_at is not None and fact.ended_at is not None:
        seconds = (fact.ended_at - fact.started_at).total_seconds()
        told += f" ({length(seconds)})" if seconds >= 1 else ""
    return told


def _began(fact: Item) -> datetime | None:
    """When its present state began, as far as the vendor says."""
    if fact.state not in UNFINISHED[fact.kind]:
        return None if fact.approximate else fact.ended_at
    if isinstance(fact, Incident) and fact.state == "acknowledged":
        return fact.acknowledged_at
    if fact.state in ("open", "pending", "queued", "running"):
        return fact.started_at
    return None


def _attempt(fact: Item) -> int:
    return fact.attempt if isinstance(fact, Build) else 1


def _assignee(fact: Item) -> str:
    return fact.assignee if isinstance(fact, Incident | Ticket) else ""
