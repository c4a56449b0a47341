"""How the pipeline of a build does: at once from the runs on the board, then from older ones that the store remembers.

Imported when the details of a build are open for the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import DecodeError, json

from statusboard.board import Row
from statusboard.current import Slot, on_default_branch, slot_of
from statusboard.errors import StoreError
from statusboard.model import Build, decode
from statusboard.pipelines import PipelineHealth, line_health
from statusboard.presenting import Line
from statusboard.presenting.pipelines import health_lines
from statusboard.screens.live import Live

DAYS: Final = 14
"""So long a stretch is told, beside as long a one before it."""
SLICE: Final = timedelta(days=1)
"""So much is read in one go: others get the store in between."""
AHEAD: Final = timedelta(minutes=5)
"""A vendor's clock may be ahead of ours by so much."""


class Lineage:
    """The line of one build at a time.  What is read of it stays until another line is looked at."""

    def __init__(self) -> None:
        #: Runs of the line that the store remembers, those on the board perhaps among them.
        self.older: Sequence[Build] = ()
        self._asked: tuple[object, ...] = ()
        self._slot: Slot | None = None
        self._reading = False
        self._problem = ""
        self._known: tuple[object, PipelineHealth | None] = ((), None)

    def turn_to(self, row: Row, live: Live) -> bool:
        """Another build is looked at; whether its line is to be `read`."""
        fact = row.fact
        told = isinstance(fact, Build) and on_default_branch(fact)
        asked = (live.cells.board.store_id, live.newest, row.slot) if told else ()
        if asked == self._asked:
            return False
        self._asked, self._slot = asked, row.slot if told else None
        self.older, self._reading, self._problem = (), told, ""
        return told

    async def read(self, live: Live, patience: float, done: Callable[[], None]) -> None:
        """Read what the store remembers of the line, newest first; ``done`` when that is over, well or not."""
        await asyncio.sleep(patience)
        asked, slot, now = self._asked, self._slot, live.now
        if slot is None:
            return
        found: list[Build] = []
        problem = ""
        try:
            for number in range(2 * DAYS):
                until = now + AHEAD - number * SLICE
                found += await _remembered(live, until - SLICE, until, slot)
                if asked != self._asked:
                    return
        except StoreError as error:
            problem = f"older runs cannot be read: {error}"
        self.older, self._problem, self._reading = found, problem, False
        done()

    def lines(self, row: Row, live: Live) -> list[Line]:
        """How the line does, from all that is known of it now."""
        if self._slot is None:
            return []
        line = self._health(row, live)
        zone = UTC if live.cells.times == "utc" else live.cells.zone
        return health_lines(line, days=DAYS, reading=self._reading, problem=self._problem, now=live.now, zone=zone)

    def _health(self, row: Row, live: Live) -> PipelineHealth | None:
        """As it was found last, unless something happened or a minute went by."""
        assert self._slot is not None
        rows = live.cells.board.neighbours(row)
        minute = int(live.now.timestamp()) // 60
        state = (self._asked, self._reading, minute, *(other.seq for other in rows))
        if self._known[0] != state:
            runs = {(run.key, run.attempt): run for run in self.older}
            runs.update({(run.key, run.attempt): run for other in rows if isinstance(run := other.fact, Build)})
            until = live.now + AHEAD
            since = until - timedelta(days=DAYS)
            self._known = (state, line_health(self._slot, list(runs.values()), since=since, until=until))
        return self._known[1]


async def _remembered(live: Live, since: datetime, until: datetime, slot: Slot) -> list[Build]:
    """The attempts of one line that began in a stretch of time, as far as they were known at the moment shown."""
    name = json.encode(slot[3])
    found = []
    for kept in await live.engine.store.remembered("build", since=since, until=until):
        # Most are of other pipelines: looking for its name spares reading them.
        if name not in kept.body or (live.newest is not None and kept.seq > live.newest):
            continue
        try:
            fact = decode(kept.body)
        except DecodeError:  # by a version to come
            continue
        if isinstance(fact, Build) and slot_of(fact) == slot and on_default_branch(fact):
            found.append(fact)
    return found
