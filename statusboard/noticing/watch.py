"""What a fold of changes means: transitions of slots, told once, and only when something changed.

Pure but for what it remembers: of each slot that is failing, who fails; of each that was released to, what is there.
A slot is looked at as a whole, so that twins of one alert speak once, and a pipeline's runs are one pipeline.

**What is no news.**  What was there when the board started; what left the board (withdrawn by a filter, kept long
enough), and what stands in its place since; what a source gives at the first answer since the board started, unless
it says that it happened later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from statusboard.board import Board, Delta, Row
from statusboard.chatter import FLIPS, FLIPS_WITHIN, Chatter, Verdict
from statusboard.current import Slot, verdict_of
from statusboard.diff import time_of
from statusboard.model import Build, Fact, HealthState, Incident, Release, SourceHealth, health_key
from statusboard.noticing.options import What

RANK: Final = {"info": 0, "low": 1, "medium": 2, "high": 3, "unknown": 3, "critical": 4}
_GOOD: Final = frozenset({"success", "warning", "inactive"})
_DONE: Final = frozenset({"success", "warning"})
CHUNK: Final = 500
"""Rows taken in one step of beginning."""
_ON_ITS_WAY: Final = frozenset({"queued", "running", "blocked"})
#: Not read since they were never asked, or by a person's wish: nothing that went wrong.
_NOT_ASKED: Final[frozenset[HealthState]] = frozenset({"starting", "paused"})


class Transition(Struct, frozen=True, kw_only=True):
    """What became of a slot.  ``whats`` are its names (a release that mends a slot recovered and was released);
    ``fact`` is what it is now, ``current`` and ``failing`` how that stands on the board; ``at`` when it was seen."""

    whats: tuple[What, ...]
    slot: Slot
    fact: Fact
    current: bool
    failing: bool
    at: datetime


class _Held(Struct):
    """What fails in a slot.  ``silenced``: an incident that is suppressed meanwhile."""

    key: str
    rank: int = 0
    episode: datetime | None = None
    silenced: bool = False


class Watch:
    """Follows one board.  What flips and what is new goes to ``chatter`` as well.

    ``read`` names the sources of which everything that is new is news.
    """

    def __init__(self, chatter: Chatter) -> None:
        self.read: set[str] = set()
        self._chatter = chatter
        self._began: datetime | None = None
        self._held: dict[Slot, _Held] = {}
        self._released: dict[Slot, str] = {}
        self._slots: dict[str, Slot] = {}  # of the keys in the two above
        self._blind: set[str] = set()
        self._revision = ("", 0)

    def begin(self, board: Board, now: datetime) -> None:
        """Take what is on the board as what was there before."""
        for _ in self.begin_steps(board, now):
            pass

    def begin_steps(self, board: Board, now: datetime) -> Iterator[None]:
        """Like `begin`, yielding after every `CHUNK` rows so that the caller can let others run.

        What the first step finds counts, whatever changes meanwhile; `follow` only after the last one.
        """
        self._began = now
        self._revision = board.revision
        self.read = {name for name in board.health if board.state_of(name) in ("fresh", "partial")}
        self._blind = {name for name in board.health if _is_blind(board, name)}
        since = now - FLIPS_WITHIN
        runs = [row for row in board.items() if isinstance(row.fact, Build | Release | Incident)]
        standing = [(row, row.failing) for row in runs if row.current]
        yield
        for start in range(0, len(standing), CHUNK):
            for row, failing in standing[start : start + CHUNK]:
                if row.slot is not None:
                    self._remember(row.slot, row, failing)
            yield
        recent = [row for row in runs if row.observed_at > since and isinstance(row.fact, Build | Release)]
        counted = Counter(row.slot for row in recent)
        often = {row.slot: row for row in recent if counted[row.slot] >= FLIPS}
        yield
        for n, (slot, row) in enumerate(often.items(), 1):
            neighbours = board.neighbours(row)
            if slot is not None and sum((time_of(run.fact) or now) > since for run in neighbours) >= FLIPS:
                self._chatter.ran(slot, verdicts(neighbours, since))
            if n % CHUNK == 0:
                yield

    def follow(self, board: Board, delta: Delta, now: datetime) -> list[Transition]:
        """What a fold changed; ``board`` is as it is after it."""
        left = {self._left(key) for key in delta.gone}
        known, self._revision = self._revision, board.revision
        newer_than = known[1] if known[0] == board.store_id else 0
        found: list[Transition] = []
        sources: list[SourceHealth] = []
        touched: dict[Slot, list[Row]] = {}
        for key in delta.changed:
            row = board.rows.get(key)
            if row is None:
                continue
            if key in self._slots and row.slot is not None and self._slots[key] != row.slot:
                left |= {self._left(key), row.slot}  # it belongs to another service, or to another branch, now
            if row.slot is not None and row.slot[0] != "ticket":
                touched.setdefault(row.slot, []).append(row)
            elif isinstance(row.fact, SourceHealth):
                sources.append(row.fact)
        for slot, rows in touched.items():
            row = _current(board, rows)
            new: Transition | None = None
            if slot in left or (row is not None and row.seq <= newer_than):
                # It is as it was, and stands there since another one has left.
                if row is not None and not row.unknown:
                    self._forget(slot)
                    self._remember(slot, row, row.failing)
            elif isinstance(rows[0].fact, Incident):
                new = self._incident(slot, row, rows)
            elif row is not None and not (len(rows) == 1 and self._stands(slot, row)):
                new = self._run(board, slot, row, now)
            if new is not None:
                found.append(new)
        found += (new for health in sources if (new := self._source(board, health, now)) is not None)
        return found

    def _incident(self, slot: Slot, row: Row | None, rows: Sequence[Row]) -> Transition | None:
        held = self._held.get(slot)
        if row is None:
            ended = next((r for r in rows if isinstance(r.fact, Incident) and r.fact.state == "resolved"), None)
            return self._ended(slot, held, ended)
        fact = row.fact
        assert isinstance(fact, Incident)
        if fact.state == "pending":
            return self._ended(slot, held, row)
        if row.unknown:
            return None  # neither opened nor resolved: what was known last still stands
        if fact.state == "suppressed":
            self._remember(slot, row, row.failing)
            return None
        again = held is not None and held.key == row.key and _another(held.episode, fact.started_at)
        worse = held is not None and RANK[fact.severity] > held.rank
        lapsed = held is not None and held.silenced
        self._remember(slot, row, row.failing)
        if held is None or again:
            at = self._moment(row)
            self._chatter.opened(slot, at)
            self._chatter.flip(slot, at)
            if again:
                self._chatter.flip(slot, at)  # it ended in between, unseen
        if held is None or again or lapsed:
            return self._news(("opened",), slot, row)
        return self._news(("worsened",), slot, row) if worse else None

    def _ended(self, slot: Slot, held: _Held | None, row: Row | None) -> Transition | None:
        """No longer failing, as ``row`` says."""
        if held is None or row is None:
            return None
        self._forget(slot)
        self._chatter.flip(slot, self._moment(row))
        return None if held.silenced else self._news(("resolved",), slot, row)

    def _stands(self, slot: Slot, row: Row) -> bool:
        """Whether this run failed, or was released, as far as is known already: only its words are others."""
        held = self._held.get(slot)
        if row.failing:
            return held is not None and held.key == row.key
        return held is None and self._released.get(slot) == row.key and getattr(row.fact, "state", "") in _DONE

    def _run(self, board: Board, slot: Slot, row: Row, now: datetime) -> Transition | None:
        """A build's or a release's slot whose current row is new or says something new."""
        fact = row.fact
        assert isinstance(fact, Build | Release)
        held = self._held.get(slot)
        runs = board.neighbours(row)
        if len(runs) > 1 or row.failing or held is not None or self._chatter.heard_of(slot):
            self._chatter.ran(slot, verdicts(runs, now - FLIPS_WITHIN))
        failed = held is None and row.failing
        mended = held is not None and not row.failing and verdict_of(fact) in _GOOD
        released = isinstance(fact, Release) and fact.state in _DONE and self._released.get(slot) != row.key
        if mended:
            self._forget(slot)
        self._remember(slot, row, row.failing)
        if mended or failed:
            self._chatter.flip(slot, self._moment(row))
        told: dict[What, bool] = {"failed": failed, "recovered": mended, "released": released}
        whats = tuple(what for what, so in told.items() if so)
        return self._news(whats, slot, row) if whats else None

    def _source(self, board: Board, health: SourceHealth, now: datetime) -> Transition | None:
        name, slot = health.source, ("source", health.source)
        blind = _is_blind(board, name)
        if blind == (name in self._blind):
            return None
        (self._blind.add if blind else self._blind.discard)(name)
        if board.state_of(name) in _NOT_ASKED:
            return None
        self._chatter.flip(slot, now)
        what: What = "blind" if blind else "readable"
        return Transition(whats=(what,), slot=slot, fact=health, current=True, failing=blind, at=now)

    # -- what is remembered

    def fails(self, slot: Slot) -> bool:
        """Whether something fails in this slot now, as far as is known, that nobody has silenced."""
        held = self._held.get(slot)
        return (held is not None and not held.silenced) or (slot[0] == "source" and slot[1] in self._blind)

    def _remember(self, slot: Slot, row: Row, failing: bool) -> None:
        fact = row.fact
        if isinstance(fact, Incident):
            if failing or fact.state == "suppressed":
                silenced = fact.state == "suppressed"
                self._hold(slot, _Held(row.key, RANK[fact.severity], fact.started_at, silenced))
        elif failing:
            self._hold(slot, _Held(row.key))
        if isinstance(fact, Release):
            before = self._released.get(slot)
            if fact.state in _DONE and before != row.key:
                self._released[slot] = row.key
                self._drop(before, slot)
                self._slots[row.key] = slot
            elif fact.state in _ON_ITS_WAY and before == row.key:
                del self._released[slot]  # it is being deployed once more
                self._drop(row.key, slot)

    def _hold(self, slot: Slot, held: _Held) -> None:
        self._forget(slot)
        self._held[slot] = held
        self._slots[held.key] = slot

    def _forget(self, slot: Slot) -> None:
        held = self._held.pop(slot, None)
        if held is not None:
            self._drop(held.key, slot)

    def _drop(self, key: str | None, slot: Slot) -> None:
        """Forget whose slot this key's is, unless it is still needed."""
        held = self._held.get(slot)
        if key is not None and key != self._released.get(slot) and (held is None or held.key != key):
            self._slots.pop(key, None)

    def _left(self, key: str) -> Slot | None:
        """A key has left the board; the slot in which it was what we remember."""
        if key in self._slots:
            slot = self._slots.pop(key)
            if (held := self._held.get(slot)) is not None and held.key == key:
                del self._held[slot]
            if self._released.get(slot) == key:
                del self._released[slot]
            return slot
        source = key.partition(":")[0]
        if key == health_key(source):
            self._blind.discard(source)
        return None

    # -- news or not

    def _news(self, whats: tuple[What, ...], slot: Slot, row: Row) -> Transition | None:
        """The transition, unless it is none to the people of this board."""
        fact = row.fact
        at = self._happened(fact)
        if fact.source not in self.read and (at is None or self._began is None or at < self._began):
            return None
        return Transition(
            whats=whats, slot=slot, fact=fact, current=row.current, failing=row.failing, at=row.observed_at
        )

    @staticmethod
    def _happened(fact: Fact) -> datetime | None:
        """When the vendor says that it happened; an end that was only seen is none."""
        return None if getattr(fact, "approximate", False) else time_of(fact)

    def _moment(self, row: Row) -> datetime:
        """When it happened, as far as counting goes: what is no news happened when it says, if it says so."""
        if row.fact.source in self.read:
            return row.observed_at
        at = self._happened(row.fact)
        return min(at, row.observed_at) if at is not None else row.observed_at - FLIPS_WITHIN


def verdicts(runs: Iterable[Row], since: datetime) -> Iterator[Verdict]:
    """How a slot's runs (newest first) ended: those after ``since``, and the one before.  One that is on its way again
    only carries the verdict of its last attempt."""
    for run in runs:
        fact = run.fact
        if isinstance(fact, Build | Release) and (fact.state == "failed" or fact.state in _GOOD):
            at = time_of(fact) or run.observed_at
            yield Verdict(run.order, fact.state == "failed", at)
            if at <= since:
                return


def _current(board: Board, rows: Sequence[Row]) -> Row | None:
    """The current row of the slot that these belong to."""
    for row in rows:
        if row.current:
            return row
    return next((row for row in board.neighbours(rows[0]) if row.current), None)


def _another(before: datetime | None, after: datetime | None) -> bool:
    """Whether these are the starts of two episodes."""
    return before is not None and after is not None and before != after


def _is_blind(board: Board, name: str) -> bool:
    return board.is_blind(name) and board.state_of(name) not in _NOT_ASKED
