"""The board at a past moment, which can move.

What is shown of a moment is what had been observed by then: no later word of it, and nothing that was only backfilled.
A `Past` reads only what differs from what it shows, and folds the changes of a step into its board, forwards or
backwards.  What nobody watched then (`Watching`) is shown as not watched, whatever was known last.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

from msgspec import Struct

from statusboard.board import Board, Delta, Row, StoredRow
from statusboard.clock import EPOCH, Clock, SystemClock, breathe
from statusboard.current import Slot
from statusboard.errors import HistoryGone, MomentError
from statusboard.health import AGING, aged
from statusboard.model import Change, ShownHealth, SourceHealth, Status
from statusboard.store.base import Coverage, Moment, Outline, Store, Stored

Way = Literal[-1, 1]
"""Back, or forward."""

#: Where more differs than so many rows, or changes, a board is made anew.
NEAR: Final = 2_000
#: Whoever polls judges each source every second: what it has not noticed after so long, nobody has.
NOTICED: Final = timedelta(seconds=10)
#: Rows read at a time.
PIECE: Final = 1_000
#: Rows folded between two turns of the event loop.
CHUNK: Final = 500
_AFTER_ALL: Final = 1 << 62
#: Stored states that say that it was read.
_READ: Final = frozenset({"fresh", "partial", "aging", "stale"})
_INSTANT: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)


class Since(Struct, frozen=True, kw_only=True):
    """What has happened from a moment until now: incidents, releases and failed builds that began, and all changes."""

    changes: int
    incidents: int
    releases: int
    failed_builds: int


class Watching:
    """When each source was watched, of the stretches that the store keeps.  Pure.

    A stretch says that its successes lay at most two intervals apart, not when each was.
    """

    def __init__(self, stretches: Iterable[Coverage]) -> None:
        by_source: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
        for row in stretches:
            by_source[row.source].append((row.since, row.last_success))
        self._since: dict[str, list[datetime]] = {}
        self._until: dict[str, list[datetime]] = {}
        for source, rows in by_source.items():
            rows.sort()
            latest = rows[0][1]
            self._since[source] = [since for since, _ in rows]
            # Several parts: by then the newest success of any of them.
            self._until[source] = [latest := max(latest, until) for _, until in rows]

    def read(self, source: str, at: datetime) -> datetime | None:
        """The newest success up to a moment; within a stretch the moment itself.  None before the first."""
        found = bisect_right(self._since.get(source, []), at)
        return min(at, self._until[source][found - 1]) if found else None

    def gaps(self, source: str, interval: float, until: datetime) -> list[tuple[datetime, datetime]]:
        """From when to when nobody watched this source after it was watched for the first time, up to ``until``.

        A stretch reaches two ``interval`` (seconds) beyond its last success.
        """
        reach = timedelta(seconds=AGING * interval)
        since, last = self._since.get(source, []), self._until.get(source, [])
        gaps = [(a + reach, b) for a, b in zip(last, [*since[1:], until], strict=False)]
        return [(begin, end) for begin, end in gaps if begin < end]

    def overlay(self, healths: Mapping[str, SourceHealth], at: datetime) -> dict[str, ShownHealth]:
        """What is to be shown of sources in the place of their stored health.

        A stored state that age outdid is one that nobody judged any more: not watched.  While other sources are known
        to have been read, it is what every board of then made of the age, until whoever polled had noticed as well.
        Where nobody polled, what had been found unread before was not watched either.
        """
        polled = any(self.read(source, at) == at for source in self._since)
        shown: dict[str, ShownHealth] = {}
        for name, health in healths.items():
            if health.last_success is None:
                continue  # not read yet, as it is configured by then
            last = self.read(name, at)
            if last is None:
                if health.state in _READ:
                    shown[name] = "unwatched"
                continue
            state = aged(health.state, last, health.interval, at)
            if state is not None:
                noticed = aged(health.state, last, health.interval, at - NOTICED) is None
                shown[name] = state if polled and noticed else "unwatched"
        if shown and not polled:
            shown |= {name: "unwatched" for name, health in healths.items() if self._away(name, health, at)}
        return shown

    def _away(self, name: str, health: SourceHealth, at: datetime) -> bool:
        last = self.read(name, at)
        return last is None or (at - last).total_seconds() > AGING * health.interval


class Past:
    """A board as it was at one moment; `go` and `step` move it.

    ``board`` is another one after a long way; ``seq`` is its revision, ``at`` the moment that is shown, and
    ``unwatched`` are the sources that nobody watched then.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock | None = None,
        zone: tzinfo = UTC,
        near: int = NEAR,
        like: Board | None = None,
    ) -> None:
        self.board = Board(store.store_id)
        self._known = like or Board()
        self.at = EPOCH
        self.statuses: dict[str, Status] = {}
        self._store = store
        self._clock = clock or SystemClock()
        self._zone = zone
        self._near = near
        self._here: Moment | None = None
        self._watching = Watching(())
        self._watching_until = EPOCH
        self._moving = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        store: Store,
        at: datetime,
        *,
        clock: Clock | None = None,
        zone: tzinfo = UTC,
        near: int = NEAR,
        like: Board | None = None,
    ) -> Past:
        """The board at a moment; where more than ``near`` rows differ it is made anew, else the one there is changed.

        What is on a board ``like`` it, of the same store, is not read again.

        Raises `MomentError`, which tells the earliest moment or what time it is (in ``zone``): for one that lies ahead,
        before the first change, or of which something is no longer kept.  `StoreError` where the store cannot be read.
        """
        past = cls(store, clock=clock, zone=zone, near=near, like=like)
        await past.go(at)
        return past

    @property
    def seq(self) -> int:
        """The revision that is shown."""
        return self.board.seq

    @property
    def unwatched(self) -> frozenset[str]:
        """The sources that nobody watched then."""
        return frozenset(name for name, state in self.board.overlay.items() if state == "unwatched")

    # -- moving --------------------------------------------------------------------------------------------------

    async def go(self, at: datetime) -> Delta:
        """Show another moment.  Raises as `open` does, and then shows what it did."""
        async with self._moving:
            outline = await self._outline(at)
            if not outline.live or at > self._clock.now():
                await self._refuse(at)
            return await self._move(at, None, outline)

    async def step(self, step: Way) -> Delta | None:
        """Go to the previous or next moment at which something came in; None where there is no whole one.

        What came in at one moment is one step, and the board is shown with it.
        """
        async with self._moving:
            return await self._step(step)

    async def to_incident(self, step: Way) -> Delta | None:
        """Go to the previous or next moment at which an incident was seen for the first time; None as of `step`."""
        async with self._moving:
            return await self._step(step, incidents=True)

    async def since(self) -> Since:
        """What has happened from this moment until now."""
        now = self._clock.now()
        marks = await self._store.marks(self.at, now, step=max(now - self.at, _INSTANT))
        counts: defaultdict[str, int] = defaultdict(int)
        for mark in marks:
            counts[mark.kind] += mark.count
        newest = (await self._store.health()).seq
        return Since(
            changes=max(0, newest - self.seq),
            incidents=counts["incident"],
            releases=counts["release"],
            failed_builds=counts["build"],
        )

    async def _step(self, step: Way, *, incidents: bool = False) -> Delta | None:
        moment = await self._next(step, incidents)
        return await self._move(moment.observed_at, moment) if moment is not None else None

    async def _next(self, step: Way, incidents: bool) -> Moment | None:
        store = self._store
        if step > 0 or (self._here is not None and self._here.observed_at == self.at):
            return await store.neighbour(self.seq, step, incidents=incidents)
        # Where we stand after the last change, that one comes first.
        later = await store.neighbour(self.seq, 1)
        last = await store.neighbour(_AFTER_ALL if later is None else later.seq, -1, incidents=incidents)
        if last is None or last.observed_at < self.at:
            return last
        return await store.neighbour(self.seq, -1, incidents=incidents)

    async def _move(self, at: datetime, here: Moment | None, outline: Outline | None = None) -> Delta:
        """Show this moment; ``here`` is given where it is one at which something came in.  Nothing changes if it fails.

        Without an ``outline`` it is a step, most of which are short: what came in between is folded, if it is not much.
        Nobody sees the board between two moments: it changes at once, when all has been read.
        """
        watching = await self._watched_until(at)
        shown = self.board.overlay
        delta = None
        if outline is None:
            delta = await (self._back(at) if at < self.at else self._forward(at))
        if delta is None:
            delta = await self._turn(outline or await self._outline(at))
        if self._known is not self.board:
            _let_go(list(self._known.rows.values()))
        board = self._known = self.board
        self.at, self._here = at, here
        board.overlay = shown
        turned = board.lay_over(watching.overlay(board.health, at)) | board.reach(at)
        self.statuses = {name: _status(health, watching.read(name, at)) for name, health in board.health.items()}
        return Delta(delta.changed | turned, delta.gone) if turned else delta

    async def _back(self, at: datetime) -> Delta | None:
        """Take back what came later than ``at``; None where that is too much, or what it replaced is gone."""
        if any(change.observed_at > at for change in await self._store.recorded([self.seq - self._near])):
            return None
        changes = await self._store.past(before=self.seq + 1, since=at + _INSTANT, limit=self._near + 1)
        if len(changes) > self._near:
            return None
        replaced = _replaced(changes)
        before = await self._store.recorded(replaced)
        if len(before) < len(replaced):
            return None
        return self.board.revert(changes, before)

    async def _forward(self, at: datetime) -> Delta | None:
        """Fold in what came up to ``at``; None where that is too much."""
        last = await self._store.seq_at(at)
        if last - self.seq > self._near:
            return None
        changes = await self._store.recorded(range(self.seq + 1, last + 1))
        return self.board.fold(reversed(changes))

    async def _outline(self, at: datetime) -> Outline:
        try:
            return await self._store.outline(at)
        except HistoryGone:
            raise await self._too_early() from None

    async def _turn(self, outline: Outline) -> Delta:
        """Show what was live then.  What is known already (it is shown now) is not read again."""
        known = {row.seq: row for row in self._known.rows.values()} if self._known.store_id == outline.store_id else {}
        live = set(outline.live)
        wanted = [seq for seq in outline.live if seq not in known]
        left = [row.key for seq, row in known.items() if seq not in live]
        pieces = [wanted[start : start + PIECE] for start in range(0, len(wanted), PIECE)]
        reading = [asyncio.ensure_future(self._store.stored(piece)) for piece in pieces]
        try:
            if self._known is self.board and len(wanted) + len(left) <= self._near:
                rows = [row for piece in reading for row in await piece]
                if len(rows) < len(wanted):  # something has become too old meanwhile
                    raise await self._too_early()
                return self.board.turn(left, rows, outline.seq)
            board = await self._make(outline, known, reading)
        finally:
            for piece in reading:
                piece.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
        before, self.board = self.board, board
        return Delta(frozenset(board.rows), frozenset(before.rows.keys() - board.rows.keys()))

    async def _make(
        self, outline: Outline, known: Mapping[int, Row], reading: list[asyncio.Task[list[Stored]]]
    ) -> Board:
        """Another board.  While one piece is loaded the next is read; ``reading`` is empty in the end."""
        board = Board(outline.store_id)
        touched: set[Slot] = set()

        async def load(rows: Sequence[StoredRow | Row]) -> None:
            for start in range(0, len(rows), CHUNK):
                board.load_unsettled(rows[start : start + CHUNK], touched)
                await breathe()

        await load([known[seq] for seq in outline.live if seq in known])
        while reading:  # what has been loaded is let go of
            await load(await reading.pop(0))
        if len(board) < len(outline.live):
            raise await self._too_early()
        slots = list(touched)
        for start in range(0, len(slots), CHUNK):
            board.settle(slots[start : start + CHUNK])
            await breathe()
        board.seq = outline.seq
        return board

    async def _watched_until(self, at: datetime) -> Watching:
        """Who was watched when; read again for moments that came after it was read."""
        if at > self._watching_until:
            now = self._clock.now()
            self._watching = Watching(await self._store.coverage())
            self._watching_until = now
        return self._watching

    # -- what cannot be shown ------------------------------------------------------------------------------------

    async def _refuse(self, at: datetime) -> None:
        now = self._clock.now()
        first = await earliest(self._store)
        if first is None:
            raise MomentError("nothing has been stored yet: there is no past to show")
        if at < first:
            raise await self._too_early()
        if at > now:
            # A clock that was set back is behind what it told before.
            newest = await self._store.past(limit=1)
            if not newest or at > newest[0].observed_at:
                raise MomentError(f"{self._words(at)} lies ahead: it is {self._words(now)} now")

    async def _too_early(self) -> MomentError:
        first = await earliest(self._store)
        if first is None:
            return MomentError("nothing has been stored yet: there is no past to show")
        # Told in full seconds, it must be one that can be shown.
        told = self._words(first + (_SECOND - _INSTANT))
        return MomentError(f"nothing is kept of that time: the earliest is {told}", earliest=first)

    def _words(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M:%S %Z}"


async def earliest(store: Store) -> datetime | None:
    """The first moment that can be shown; None where nothing was stored yet."""
    try:
        await store.outline(EPOCH)
    except HistoryGone as gone:
        # A picture with holes would look fine, so it begins with this change.
        whole = await store.recorded([gone.oldest]) or await store.past(before=gone.oldest + 1, limit=1)
        if whole:
            return whole[0].observed_at
    first = await store.neighbour(0, 1)
    return first.observed_at if first is not None else None


def _replaced(changes: Iterable[Change]) -> Collection[int]:
    """The numbers of what the oldest of each key among these changes, newest first, replaced."""
    oldest = {change.key: change.prev_seq for change in changes if change.origin != "backfill"}
    return {seq for seq in oldest.values() if seq is not None}


def _let_go(rows: list[Row]) -> None:
    """Free rows of a board that is no longer shown, some at each turn of the loop: all at once would hold it up."""
    del rows[-CHUNK:]
    if rows:
        asyncio.get_running_loop().call_soon(_let_go, rows)


def _status(health: SourceHealth, read: datetime | None) -> Status:
    """What is known of then of what moves at every poll."""
    return Status(source=health.source, type=health.type, interval=health.interval, last_success=read)
