"""What flips and what floods: bookkeeping of what was observed, fed by whoever looks at the changes.

Pure: it is told times and never asks for one.  It holds what happened in the last half hour and forgets the rest, so
it can be filled at start from the store's history and be none the worse for a restart.

    chatter.flip(slot, at)      this slot began to fail, or ceased to
    chatter.opened(slot, at)    an incident is new
    chatter.age(now)            time has passed
    chatter.flips(slot)         how often it flipped, while it counts as flipping; else 0
    chatter.flood               what is known of a flood of incidents; None while there is none
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from statusboard.current import Slot

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


class Chatter:
    """Flips by slot, and new incidents.  A slot's flips are counted from what was seen of it or, where that tells of
    more, from what it tells itself (a pipeline's runs)."""

    def __init__(self) -> None:
        self.flood: Flood | None = None
        self._seen: dict[Slot, list[datetime]] = {}
        self._told: dict[Slot, list[datetime]] = {}
        self._flipping: set[Slot] = set()
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

    def runs(self, slot: Slot, flips: Iterable[datetime]) -> None:
        """All flips that a slot's own items tell of, in place of what they told before."""
        times = sorted(flips)[-MOST_FLIPS:]
        self._touched.add(slot)
        if times:
            self._keep(self._told, slot, times)
        else:
            self._told.pop(slot, None)

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
            slots = {*self._seen, *self._told, *self._flipping}
            self._opened = _recent(self._opened, now)
        rested: set[Slot] = set()
        for slot in slots:
            for known in (self._seen, self._told):
                if (times := known.get(slot)) is not None:
                    _trim(times, now - FLIPS_WITHIN, now + _AHEAD)
                    if not times:
                        del known[slot]
            count = self._count(slot)
            if count >= FLIPS:
                self._flipping.add(slot)
            elif count <= STILL and slot in self._flipping:
                self._flipping.discard(slot)
                rested.add(slot)
        self._touched.clear()
        self._ebb(now)
        return frozenset(rested)

    # -- telling

    def flips(self, slot: Slot | None) -> int:
        """How often a slot flipped in the last half hour, as of the last `age`; 0 unless it counts as flipping."""
        return self._count(slot) if slot is not None and slot in self._flipping else 0

    # -- inside

    def _count(self, slot: Slot) -> int:
        return max(len(self._seen.get(slot, ())), len(self._told.get(slot, ())))

    def _keep(self, known: dict[Slot, list[datetime]], slot: Slot, times: list[datetime]) -> None:
        known[slot] = times  # as the newest of the dict
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
