"""What flips and what floods: bookkeeping of what was observed, fed by whoever looks at the changes.

Pure: it is told times and never asks for one.  It holds what happened in the last half hour and forgets the rest, so
it can be filled at start from the store's history and be none the worse for a restart.

    chatter.flip(slot, at)      this slot began to fail, or ceased to
    chatter.ran(slot, verdicts) its runs ended so, one after the other
    chatter.opened(slot, at)    an incident is new
    chatter.age(now)            time has passed
    chatter.flips(slot)         how often it flipped, while it counts as flipping; else 0
    chatter.flood               what is known of a flood of incidents; None while there is none
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct

from statusboard.current import Order, Slot

T = TypeVar("T")

FLIPS: Final = 3
"""So many flips within `FLIPS_WITHIN` make a slot a flipping one, until at most `STILL` are left in that time."""
STILL: Final = 1
FLIPS_WITHIN: Final = timedelta(minutes=30)
FLOOD: Final = 10
"""So many new incidents within `FLOOD_WITHIN` are a flood, until fewer than `EBB` are left in that time."""
EBB: Final = 5
FLOOD_WITHIN: Final = timedelta(minutes=10)
MOST_SLOTS: Final = 5_000
"""Of more slots than this those are forgotten that have been quiet for longest."""
MOST_FLIPS: Final = 99
_AHEAD: Final = timedelta(minutes=1)
_SWEEP_EVERY: Final = timedelta(seconds=1)


class Flood(Struct, frozen=True):
    """``count`` incidents were new within the last ten minutes; it began at ``since``."""

    since: datetime
    count: int


class Verdict(NamedTuple):
    """How one attempt of one run ended, and when.  ``order`` is its place among the slot's runs; a run whose vendor
    counts no attempts may end twice."""

    order: Order
    failed: bool
    at: datetime


class Chatter:
    """Flips by slot, and new incidents.  A slot's flips are counted from what was seen of it or, where that tells of
    more, from the verdicts of its runs: of several that come in one answer only the last one is seen to count."""

    def __init__(self) -> None:
        self.flood: Flood | None = None
        self._seen: dict[Slot, list[datetime]] = {}
        self._runs: dict[Slot, list[Verdict]] = {}
        self._counts: dict[Slot, int] = {}  # of those that flip
        self._opened: dict[Slot, datetime] = {}
        self._touched: set[Slot] = set()
        self._swept: datetime | None = None

    # -- being told

    def flip(self, slot: Slot, at: datetime) -> None:
        """A slot began to fail or ceased to, at ``at``; earlier ones may be told later."""
        times = self._seen.pop(slot, [])
        insort(times, at)
        _trim(times, times[-1] - FLIPS_WITHIN)
        self._touched.add(slot)
        self._keep(self._seen, slot, times)

    def ran(self, slot: Slot, verdicts: Iterable[Verdict]) -> None:
        """Runs of a slot ended so.  What was told of others before still counts, also where a run ends anew."""
        known = {verdict[:2]: verdict for verdict in self._runs.pop(slot, ())}
        for verdict in verdicts:
            known.setdefault(verdict[:2], verdict)
        self._touched.add(slot)
        self._keep(self._runs, slot, sorted(known.values())[-MOST_FLIPS - 1 :])

    def opened(self, slot: Slot, at: datetime) -> None:
        """An incident is new.  One that opens again and again is no flood: it counts once."""
        before = self._opened.pop(slot, at)
        self._opened[slot] = max(before, at)
        self._swept = None
        if len(self._opened) > MOST_SLOTS:
            del self._opened[next(iter(self._opened))]

    def age(self, now: datetime) -> frozenset[Slot]:
        """Forget what is too old by now and judge anew; returns the slots that have come to rest.

        Call it after what was told, and now and then.  What was observed after ``now`` belongs to a clock that has
        been set back: nothing can be said of it.
        """
        if self._swept is not None and self._swept <= now < self._swept + _SWEEP_EVERY:
            slots = self._touched
        else:
            self._swept = now
            slots = {*self._seen, *self._runs, *self._counts}
            self._opened = _recent(self._opened, now)
        rested = {slot for slot in slots if self._judge(slot, now)}
        self._touched.clear()
        self._ebb(now)
        return frozenset(rested)

    # -- telling

    def flips(self, slot: Slot | None) -> int:
        """How often a slot flipped in the last half hour, as of the last `age`; 0 unless it counts as flipping."""
        return self._counts.get(slot, 0) if slot is not None else 0

    def heard_of(self, slot: Slot) -> bool:
        """Whether anything is remembered of a slot."""
        return slot in self._runs or slot in self._seen

    # -- inside

    def _judge(self, slot: Slot, now: datetime) -> bool:
        """Count its flips anew; True if it flips no more."""
        since, until = now - FLIPS_WITHIN, now + _AHEAD
        times, runs = self._seen.get(slot, []), self._runs.get(slot, [])
        _trim(times, since, until)
        while len(runs) > 1 and runs[1].at <= since:
            del runs[0]
        turns = [later.at for before, later in pairwise(runs) if before.failed != later.failed]
        count = max(len(times), sum(since < at <= until for at in turns))
        if not times:
            self._seen.pop(slot, None)
        if not any(since < run.at <= until for run in runs):
            self._runs.pop(slot, None)
        if count >= FLIPS or (count > STILL and slot in self._counts):
            self._counts[slot] = count
            return False
        return self._counts.pop(slot, None) is not None

    def _keep(self, known: dict[Slot, list[T]], slot: Slot, what: list[T]) -> None:
        known[slot] = what  # as the newest of the dict
        if len(known) > MOST_SLOTS:
            del known[next(iter(known))]

    def _ebb(self, now: datetime) -> None:
        count = len(self._opened)
        if count >= (FLOOD if self.flood is None else EBB):
            since = now if self.flood is None else self.flood.since
            flood = Flood(min(since, now), count)
            self.flood = self.flood if flood == self.flood else flood
        else:
            self.flood = None


def _recent(opened: Mapping[Slot, datetime], now: datetime) -> dict[Slot, datetime]:
    return {slot: at for slot, at in opened.items() if now - FLOOD_WITHIN < at <= now + _AHEAD}


def _trim(times: list[datetime], since: datetime, until: datetime | None = None) -> None:
    """Leave only what is later than ``since`` and no later than ``until``."""
    if until is not None and times and times[-1] > until:
        del times[bisect_right(times, until) :]
    del times[: max(bisect_right(times, since), len(times) - MOST_FLIPS)]
