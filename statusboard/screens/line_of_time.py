"""What the scrubber's track shows: read from the store beside everything else, and told once it is there."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from statusboard.errors import StoreError
from statusboard.screens.live import Live
from statusboard.screens.rewound import gaps_of, stretch_of
from widgets.scrubber import Mark, Track

if TYPE_CHECKING:
    pass

log = logging.getLogger("statusboard.rewind")

AGAIN: Final = 15.0
"""Seconds after which it is read anew."""
CELLS: Final = 200
"""Steps of time that marks are counted in: more than the track has cells in most terminals."""
_INTERVALS: Final = 4
"""So many intervals without a success and a source was not watched."""


class LineOfTime:
    """The track of one stretch of time.  Another one takes its place when it has been read; until then nothing is told
    of what is not known."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._track: Track | None = None
        self._read_at = float("-inf")
        self._reading: tuple[datetime, datetime] | None = None

    @property
    def is_old(self) -> bool:
        """Whether something may have happened since it was read."""
        return asyncio.get_running_loop().time() - self._read_at >= AGAIN

    def track(self, at: datetime | None, days: int) -> Track:
        """The track with this moment on it; None: the present."""
        track = self._track
        if track is None:
            since, until, ends_now = stretch_of(at or self._live.now, self._live.now, days)
            return Track(since, until, at, zone=self._live.cells.zone, ends_now=ends_now, known=False)
        return track._replace(at=at, zone=self._live.cells.zone)

    def fits(self, at: datetime, days: int) -> bool:
        """Whether the stretch is that of this moment, and was read not long ago."""
        track = self._track
        if track is None or self.is_old:
            return False
        since, until, ends_now = stretch_of(at, self._live.now, days)
        return track.ends_now == ends_now and abs(track.since - since) < (until - since) / 50 and track.since <= at

    async def read(self, at: datetime, days: int) -> bool:
        """Read the stretch of this moment; False where that cannot be."""
        now = self._live.now
        since, until, ends_now = stretch_of(at, now, days)
        store = self._live.engine.store
        self._read_at = asyncio.get_running_loop().time()
        try:
            marks = await store.marks(since, min(until, now), step=(until - since) / CELLS)
            coverage = await store.coverage()
        except StoreError as error:
            log.warning("the line of time cannot be read: %s", error)
            return False
        health = self._live.engine.board.health
        slack = timedelta(seconds=_INTERVALS * max((each.interval for each in health.values()), default=30.0))
        gaps = await asyncio.to_thread(gaps_of, coverage, since, until, set(health), slack=slack)
        found = [
            Mark(mark.at, mark.kind, mark.what in ("failed", "rolled_back"))
            for mark in marks
            if mark.kind in ("incident", "release", "build")
        ]
        self._track = Track(since, until, None, found, gaps, self._live.cells.zone, ends_now)
        return True
