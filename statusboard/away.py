"""What changed while nobody looked: which rows are marked, and what it comes to in one line.

**Marked** is what changed since the last key press in a way that matters: a state, a severity, another attempt, another
version, or that it is there at all.  Whoever presses keys sees the rows change, so each key press takes the marks of
the moment away.  Whoever comes back after `AWAY` or starts the board again finds marks that stay, until `Marks.seen`.

The moment of the last key press is kept in a small file of the person's own, beside the data.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Struct

from statusboard.board import Board, Delta, Row
from statusboard.clock import Duration
from statusboard.model import Build, Fact, Incident, Release, Ticket
from statusboard.paths import private_dir
from statusboard.timeline import Entry, Event

AWAY: Final = timedelta(minutes=5)
"""Whoever presses no key for so long is away."""

Stamp: TypeAlias = tuple[str, str, str]


def stamp(fact: Fact) -> Stamp | None:
    """What of an item must differ for it to have changed; None for what is no item."""
    match fact:
        case Build():
            return (fact.state, fact.verdict, str(fact.attempt))
        case Incident():
            return (fact.state, fact.severity, str(fact.started_at))
        case Release():
            return (fact.state, fact.verdict, fact.version)
        case Ticket():
            return (fact.state, fact.priority, "")
        case _:
            return None


class Marks(Mapping[str, int]):
    """The rows that changed while nobody looked: key -> the first change of it that nobody saw.

    ``since`` is when a key was pressed last.
    """

    def __init__(self, now: datetime) -> None:
        self.since = now
        self._begun = False
        self._read: set[str] = set()
        self._stamps: dict[str, int] = {}
        self._fresh: dict[str, int] = {}
        self._kept: dict[str, int] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._fresh or key in self._kept

    def __getitem__(self, key: str) -> int:
        found = [marks[key] for marks in (self._kept, self._fresh) if key in marks]
        if not found:
            raise KeyError(key)
        return min(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept.keys() | self._fresh.keys())

    def __len__(self) -> int:
        return len(self._kept.keys() | self._fresh.keys())

    def learn(self, rows: Iterable[Row]) -> None:
        """How these rows are now."""
        self._stamps |= {row.key: hash(told) for row in rows if (told := stamp(row.fact)) is not None}

    def begin(self, board: Board) -> None:
        """All rows were learned: what changes from here on is marked."""
        self._begun = True
        self._note_sources(board)

    def _note_sources(self, board: Board) -> None:
        if self._begun:
            self._read |= {name for name, health in board.health.items() if health.last_success is not None}

    def follow(self, board: Board, delta: Delta) -> None:
        """Mark what a fold changed.  What a source says when it is read for the first time is no change."""
        for key in delta.gone:
            for known in (self._stamps, self._fresh, self._kept):
                known.pop(key, None)
        for key in delta.changed:
            row = board.rows.get(key)
            told = stamp(row.fact) if row is not None else None
            if row is None or told is None:
                continue
            if self._stamps.get(key) != (now := hash(told)):
                self._stamps[key] = now
                if row.fact.source in self._read:
                    self._fresh.setdefault(key, row.seq)
        self._note_sources(board)

    def keep(self, entries: Iterable[Entry], board: Board) -> frozenset[str]:
        """Mark what changed before this board began; returns the keys that are on it."""
        found: dict[str, int] = {}
        for entry in entries:
            row = board.rows.get(entry.key)
            if row is not None and row.slot is not None and entry.event != "said":
                found[entry.key] = min(entry.seq, found.get(entry.key, entry.seq))
        self._kept |= found
        return frozenset(found)

    def pressed(self, now: datetime, *, looking: bool = False) -> tuple[timedelta, frozenset[str]]:
        """A key was pressed.  Returns for how long somebody was away (zero for nobody), and whose marks went.

        ``looking``: the key asks for what is marked, so nothing goes.
        """
        gone = now - self.since
        self.since = max(now, self.since)
        if gone >= AWAY or looking:
            self._kept = self._fresh | self._kept
            self._fresh = {}
            return (gone if gone >= AWAY else timedelta()), frozenset()
        lost = frozenset(self._fresh.keys() - self._kept.keys())
        self._fresh = {}
        return timedelta(), lost

    def seen(self, keys: Iterable[str]) -> frozenset[str]:
        """These were looked at; returns those that were marked."""
        found = frozenset(key for key in keys if key in self)
        for key in found:
            self._fresh.pop(key, None)
            self._kept.pop(key, None)
        return found


# -- in one line ---------------------------------------------------------------------------------------------------

_COUNTED: Final[tuple[tuple[str, Event, str, str], ...]] = (
    ("incident", "opened", "1 incident opened", "{} incidents opened"),
    ("incident", "closed", "1 resolved", "{} resolved"),
    ("build", "failed", "1 build broke", "{} builds broke"),
    ("build", "mended", "1 build fixed", "{} builds fixed"),
    ("release", "released", "1 release", "{} releases"),
    ("release", "failed", "1 release failed", "{} releases failed"),
    ("ticket", "opened", "1 ticket opened", "{} tickets opened"),
    ("ticket", "closed", "1 ticket closed", "{} tickets closed"),
    ("source", "lost", "1 source was not read", "{} sources were not read"),
)


def digest(entries: Iterable[Entry]) -> str:
    """What happened, in numbers: ``2 incidents opened, 1 resolved, 5 releases``; ``""`` where nothing did.

    An item counts once, however often it changed.
    """
    keys: dict[tuple[str, str], set[str]] = {}
    said = 0
    for entry in entries:
        if entry.event == "said":
            said += 1
        else:
            keys.setdefault((entry.kind, entry.event), set()).add(entry.key)
    told = []
    for kind, event, one, many in _COUNTED:
        count = len(keys.get((kind, event), ()))
        if kind == "incident" and event == "closed" and count and ("incident", "opened") not in keys:
            one, many = "1 incident resolved", "{} incidents resolved"
        if count:
            told.append(one if count == 1 else many.format(count))
    if said:
        told.append("1 note by a person" if said == 1 else f"{said} notes by people")
    return ", ".join(told)


def digest_line(entries: Iterable[Entry], gone: timedelta, *, visit: bool = False) -> str:
    """The digest as it is shown: ``while you were away (2h): 2 incidents opened``; ``visit``: since the last one."""
    told = digest(entries)
    if not told:
        return ""
    return f"{'since your last visit' if visit else 'while you were away'} ({_coarse(gone)}): {told}"


def _coarse(length: timedelta) -> str:
    """A length of time in its greatest unit, two of them where the first is small."""
    minutes = max(1, round(length.total_seconds() / 60))
    if minutes < 120:
        return str(Duration(minutes * 60))
    return str(Duration(round(minutes / 60) * 3600)) if minutes < 48 * 60 else f"{round(minutes / 1440)}d"


# -- from one run to the next ----------------------------------------------------------------------------------------


class Visits(Struct, frozen=True):
    """When a person last pressed a key, by store id."""

    visits: dict[str, Annotated[datetime, msgspec.Meta(tz=True)]] = {}


_MOST_VISITS: Final = 20


def read_visits(path: Path) -> Mapping[str, datetime]:
    """The last visits, by store id; none where the file is missing or is not ours to read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Visits).visits
    except (OSError, msgspec.MsgspecError):
        return {}


def write_visit(path: Path, store_id: str, moment: datetime) -> None:
    """Note a visit; one that another board of this person noted later stays.  `OSError` where it cannot be kept."""
    visits = dict(read_visits(path))
    visits[store_id] = max(moment, visits.get(store_id, moment))
    newest = sorted(visits, key=lambda name: visits[name])[-_MOST_VISITS:]
    private_dir(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(Visits({name: visits[name] for name in newest})))
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
