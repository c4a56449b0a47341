"""The feed of what changed, apart from any widget: read from the store in pages, newest first, and kept in order.

Entries stand by when they happened, pages come by when they were seen.  What is older than the oldest page that was
read may still get company, so it is kept back until the pages have passed it: the list only ever grows at its end, and
on top.  At most `MOST` entries are held.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, TypeAlias

from statusboard.board import Board, Row
from statusboard.clock import from_us, to_us
from statusboard.current import order_of, verdict_of
from statusboard.model import Build, Change, Fact, Item, Release
from statusboard.presenting import Glyphs
from statusboard.presenting.timeline import LATE, late_sign
from statusboard.screens.live import History
from statusboard.timeline import Around, Entry, Shows, entry_of
from widgets.words import Word

MOST: Final = 4_000
"""Entries held at most."""
PAGE: Final = 400
"""Changes read at a time: some 10 ms."""
FEW: Final = 40
"""Changes looked at first for what is new: more than a flush mostly has."""
CHUNK: Final = 100
"""Changes looked at in one step: 2 ms."""
PATIENCE: Final = 50
"""Pages read for one request: a filter that finds nothing must not read the history of a year at once."""
BACKFILLED: Final = 0.05
"""What a page counts as that holds nothing but what was backfilled, all of which came in at once."""

_Place: TypeAlias = tuple[int, int]
"""Where an entry stands: microseconds before now as a negative number, and the negative ``seq``."""


class BoardAround(Around):
    """What a board knows around a change."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def fact(self, key: str) -> Fact | None:
        """What is on the board under this key."""
        row = self.board.rows.get(key)
        return row.fact if row is not None else None

    def earlier(self, fact: Item) -> str:
        """The verdict of the newest run before this one in its slot, as far as the board still has one."""
        order = order_of(fact)
        for row in self.board.neighbours(Row(0, _EPOCH, fact, b"")):
            other = row.fact
            if row.order < order and isinstance(other, Build | Release) and (verdict := verdict_of(other)):
                return verdict
        return ""


_EPOCH = from_us(0)


class Feed:
    """The entries of one store that a filter lets pass, as far back as was asked for.

    ``missed``: so much happened since it was read last that it must be read anew.  Raises `StoreError`.
    """

    def __init__(
        self, store: History, around: Around, shows: Shows | None = None, *, faults_only: bool = False, most: int = MOST
    ) -> None:
        self.store = store
        self.entries: dict[int, Entry] = {}
        self.missed = False
        self._around = around
        self._shows = shows
        self._faults_only = faults_only
        self._most = most
        self._order: list[_Place] = []
        self._newest: int | None = None
        self._before: int | None = None
        self._passed: int | None = None  # pages have been read down to this moment
        self._floor: _Place | None = None  # what stands there or below it was dropped
        self._ended = False

    # -- reading

    async def fill(self, wanted: int) -> bool:
        """Read back until so many entries can be shown, or there is no more; False where `PATIENCE` ended before."""
        looked = 0.0
        while looked < PATIENCE:
            if self.done or (self._passed is not None and self.shown >= wanted):
                return True
            looked += await self._read_older()
        return self.done or self.shown >= wanted

    async def _read_older(self) -> float:
        """Read one more page; returns what it counts as."""
        changes = await self.store.past(before=self._before, limit=PAGE)
        if self._newest is None:
            self._newest = changes[0].seq if changes else 0
        await self._take(changes)
        if changes:
            self._before = changes[-1].seq
            self._passed = to_us(changes[-1].observed_at)
        self._ended = len(changes) < PAGE
        return 1.0 if any(change.origin != "backfill" for change in changes) else BACKFILLED

    async def catch_up(self) -> bool:
        """Read what was stored since; returns whether that changed anything to see."""
        if self._newest is None:
            return False
        found: list[Change] = []
        before: int | None = None
        limit = FEW
        while len(found) <= self._most:
            page = await self.store.past(before=before, limit=limit)
            new = [change for change in page if change.seq > self._newest]
            found += new
            if len(new) < limit:
                break
            before, limit = page[-1].seq, PAGE
        else:
            self.missed = True
            return False
        if not found:
            return False
        changed = await self._take(found)
        self._newest = max(self._newest, found[0].seq)
        return changed

    def forget_after(self, newest: int) -> bool:
        """Leave out what was stored after this change, for now; returns whether that changes anything to see."""
        if self._newest is None or self._newest <= newest:
            return False
        self._newest = newest
        later = [place for place in self._order if -place[1] > newest]
        for _, seq in later:
            del self.entries[-seq]
        self._order = [place for place in self._order if -place[1] <= newest]
        return bool(later)

    async def _take(self, changes: Sequence[Change]) -> bool:
        """Make entries of changes that come newest first."""
        by_seq = {change.seq: change for change in changes}
        elsewhere = [c.prev_seq for c in changes if c.prev_seq is not None and c.prev_seq not in by_seq]
        by_seq |= {change.seq: change for change in await self.store.recorded(elsewhere)}
        before = len(self._order)
        for start in range(0, len(changes), CHUNK):
            if start:
                await asyncio.sleep(0)
            for change in changes[start : start + CHUNK]:
                previous = by_seq.get(change.prev_seq) if change.prev_seq is not None else None
                entry = entry_of(change, previous, self._around, self._shows)
                if entry is not None and entry.seq not in self.entries and (entry.fault or not self._faults_only):
                    self._put(entry)
        changed = len(self._order) != before
        self._bound()
        return changed

    def _put(self, entry: Entry) -> None:
        place = (-to_us(entry.at), -entry.seq)
        if self._floor is None or place < self._floor:
            self.entries[entry.seq] = entry
            insort(self._order, place)

    def _bound(self) -> None:
        if len(self._order) <= self._most:
            return
        self._floor = self._order[self._most]
        for _, seq in self._order[self._most :]:
            del self.entries[-seq]
        del self._order[self._most :]

    # -- what there is

    @property
    def shown(self) -> int:
        """How many entries can be shown: those that nothing older can come between any more."""
        if self.done or self._passed is None:
            return len(self._order)
        return bisect_left(self._order, (-self._passed, -(1 << 62)))

    @property
    def done(self) -> bool:
        """Whether there is nothing older to be had."""
        return self._ended or (self._floor is not None and self._passed is not None and self._passed <= -self._floor[0])

    @property
    def reaches(self) -> datetime | None:
        """Back to when everything is shown; None: to the beginning of what the store keeps."""
        moments = [-self._floor[0]] if self._floor is not None else []
        if not self._ended and self._passed is not None:
            moments.append(self._passed)
        return from_us(max(moments)) if moments else None

    @property
    def full(self) -> bool:
        """Whether the list ends where it does because it holds no more."""
        return self._floor is not None

    def rows(self, zone: tzinfo) -> list[str]:
        """The keys of the rows, newest first: the number of each entry, and before the first of each day ``d`` and its
        date in ``zone``."""
        order = self._order[: self.shown]
        found: list[str] = []
        start = 0
        while start < len(order):
            day = from_us(-order[start][0]).astimezone(zone).date()
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            end = bisect_right(order, (-to_us(midnight), 1 << 62), lo=start)
            end = max(end, start + 1)  # a day of a zone that skips its midnight
            found.append(f"d{day.isoformat()}")
            found += [str(-seq) for _, seq in order[start:end]]
            start = end
        return found


async def entries_since(store: History, around: Around, moment: datetime, *, most: int = MOST) -> list[Entry]:
    """What was seen from a moment on, newest first; of very much the newest.  What was only backfilled was not seen."""
    changes: list[Change] = []
    before: int | None = None
    while len(changes) < most:
        page = await store.past(before=before, since=moment + timedelta(microseconds=1), limit=most)
        changes += [change for change in page if change.origin != "backfill"]
        if len(page) < most:
            break
        before = page[-1].seq
    del changes[most:]
    feed = Feed(store, around, most=most)
    await feed._take(changes)
    return [feed.entries[-seq] for _, seq in feed._order]


# -- what it says of itself ------------------------------------------------------------------------------------------


def title_words(feed: Feed, zone: tzinfo, glyphs: Glyphs, *, filtered: bool) -> list[Word]:
    """How many changes are listed, what their marks mean, and back to when."""
    count = feed.shown
    changes = f"{count} change" + ("s" if count != 1 else "") if count else "no change"
    words: list[Word] = [(f" {changes}", "" if count else "muted")]
    if filtered:
        words.append((" that passes" if count <= 1 else " that pass", "muted"))
    if any(entry.late for entry in feed.entries.values()):
        words.append((f"  {late_sign(glyphs)} {LATE}", "muted"))
    if feed.reaches is not None:
        words.append((f"  back to {feed.reaches.astimezone(zone):%a %d %b %H:%M}", "muted"))
    return words


def end_words(feed: Feed | None, zone: tzinfo) -> str:
    """Why the list ends where it does."""
    if feed is None or (feed.done and not feed.full):
        return "nothing older is stored"
    if feed.done:
        return "older changes are not listed: a filter leaves room for them"
    since = f" back to {feed.reaches.astimezone(zone):%a %d %b %H:%M}" if feed.reaches is not None else ""
    return f"searched{since}: enter searches on"
