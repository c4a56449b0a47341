"""A past moment, for the widgets that show the present: its board, its time, and of the store what was there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from statusboard.chatter import Chatter
from statusboard.clock import Clock
from statusboard.model import Change, Status
from statusboard.rewind import Past
from statusboard.screens.lanes import Cells
from statusboard.screens.laneset import LaneSet
from statusboard.screens.live import Live

if TYPE_CHECKING:
    from statusboard.measuring import Knowledge
    from statusboard.screens.settings import Settings
    from statusboard.store.base import Store


class Standing(Clock):
    """A clock that stands at the moment that is shown."""

    def __init__(self, then: Then, clock: Clock) -> None:
        self._then = then
        self._clock = clock

    def now(self) -> datetime:
        """The moment."""
        return self._then.moment

    def monotonic(self) -> float:
        """That of the present."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """As in the present."""
        await self._clock.sleep(seconds)


class Until:
    """A store of which nothing is read that came after the moment that is shown."""

    def __init__(self, store: Store, then: Then) -> None:
        self._store = store
        self._then = then

    @property
    def store_id(self) -> str:
        """The store's."""
        return self._store.store_id

    async def history(self, key: str, limit: int = 100) -> list[Change]:
        """As the store's."""
        newest, wanted = self._then.newest, limit
        while True:
            found = await self._store.history(key, wanted)
            known = [change for change in found if change.seq <= newest]
            if len(known) >= limit or len(found) < wanted:
                return known[:limit]
            wanted *= 4  # it has changed often since

    async def past(self, *, before: int | None = None, since: datetime | None = None, limit: int = 200) -> list[Change]:
        """As the store's."""
        end = self._then.newest + 1
        return await self._store.past(before=end if before is None else min(before, end), since=since, limit=limit)

    async def recorded(self, seqs: Collection[int]) -> list[Change]:
        """As the store's."""
        return await self._store.recorded([seq for seq in seqs if seq <= self._then.newest])


class Then(Live):
    """A past moment for the widgets of the board: its board, its time, and no more of the store than was known."""

    def __init__(self, present: Live, past: Past, store: Store) -> None:
        self.present = present
        self.past = past
        self.engine = present.engine
        self.ascii_only = present.ascii_only
        self.glyphs = present.glyphs
        self.chatter = Chatter()  # what flips and floods is told of the present alone
        self._clock = Standing(self, present.engine.clock)
        self._whole = store
        self._store = Until(store, self)
        cells = present.cells
        self.cells = Cells(past.board, self._clock, self.glyphs, cells.zone, self.chatter)
        self.cells.times = cells.times
        self.lanes = LaneSet(self.settings.views[0])
        self.lanes.folded = set(present.lanes.folded)

    def stand(self) -> None:
        """The past has moved."""
        if self.cells.board is not self.past.board:
            self.cells.board = self.past.board
            self.cells.suspicion = None  # another board has others: they are found once it is shown

    @property
    def moment(self) -> datetime:
        """The one that is shown."""
        return self.past.at

    @property
    def newest(self) -> int:  # type: ignore[override]
        """The last change that was known."""
        return self.past.seq

    @property
    def settings(self) -> Settings:  # type: ignore[override]
        """Those of the present."""
        return self.present.settings

    @property
    def notice(self) -> str:
        """What a person must know now."""
        return self.present.notice

    @property
    def clock(self) -> Clock:
        """One that stands at the moment."""
        return self._clock

    @property
    def store(self) -> Until:
        """What was stored by then."""
        return self._store

    def knowledge(self) -> Knowledge:
        """What was known by then."""
        from statusboard.hindsight import Hindsight

        return Hindsight(self._whole, self.newest, self.moment, self.cells.board.rows)

    @property
    def statuses(self) -> Mapping[str, Status]:
        """What is known of when each source was read."""
        return self.past.statuses
