"""What the details pane shows of the item under the cursor: at once what the board knows, then what the store does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from statusboard import presenting
from statusboard.board import Delta, Row
from statusboard.errors import StoreError
from statusboard.model import Build, Change, Incident, Release, Ticket, health_key
from statusboard.screens.live import Live
from statusboard.screens.work import begin_work
from widgets.details import DetailsPane, Section

if TYPE_CHECKING:
    from statusboard.screens.lineage import Lineage

IN_PASSING: Final = 0.2
"""Seconds between two items within which a cursor is on its way to another: what it passes is not read."""


Chosen: TypeAlias = tuple[str | None, Row | None, list[Section]]
"""What is under the cursor: its key, its row if it is an item, and what its face says of it."""


class Teller:
    """Keeps the pane up to date.  What is painted never waits for the store."""

    def __init__(self, live: Live, pane: DetailsPane, chosen: Callable[[], Chosen]) -> None:
        self.live = live
        self._pane = pane
        self._chosen = chosen
        self._key: str | None = None
        self._history: Sequence[Change] | None = None
        self._unreadable = ""
        self._read: tuple[str, int] | None = None
        self._moved = 0.0
        self._lineage: Lineage | None = None

    def tell(self) -> None:
        """Show what is known of what is under the cursor, or that nothing is chosen."""
        if not self._pane.display:
            return
        live = self.live
        subject, row, sections = self._chosen()
        if row is not None and row.slot is not None:
            hurried = self._turn_to(row.key)
            self._follow_line(row, IN_PASSING if hurried else 0.0)
            found = [*self._details(row)]
            if isinstance(row.fact, Incident | Release):
                from statusboard.screens.suspecting import suspect_sections

                found[1:1] = suspect_sections(live, row)
            sections = [*sections, *found]
            stands = (live.cells.board.store_id, row.seq)
            if stands != self._read:
                self._read = stands
                begin_work(
                    self._pane,
                    partial(self._look_up, row.key, IN_PASSING if hurried else 0.0),
                    group="history",
                    exclusive=True,
                )
        self._pane.show(subject or "", sections or [("", [("", "Nothing is chosen", "muted")])])

    def turn_to(self, live: Live) -> None:
        """Tell of the present, or of a past moment."""
        self.live = live
        self._key = None

    def _turn_to(self, key: str) -> bool:
        """Another item, perhaps; True if the one before was looked at for a moment only."""
        if key == self._key:
            return False
        now = asyncio.get_running_loop().time()
        hurried = now - self._moved < IN_PASSING
        self._key, self._moved = key, now
        self._history, self._unreadable, self._read = None, "", None
        return hurried

    def _follow_line(self, row: Row, patience: float) -> None:
        """Of a build: have read what its pipeline did before."""
        if self._lineage is None:
            if not isinstance(row.fact, Build):
                return
            from statusboard.screens.lineage import Lineage

            self._lineage = Lineage()
        if self._lineage.turn_to(row, self.live):
            reading = partial(self._lineage.read, self.live, patience, self.tell)
            begin_work(self._pane, reading, group="lineage", exclusive=True)

    def _details(self, row: Row) -> Sequence[Section]:
        live = self.live
        return presenting.details(
            row,
            live.cells.board,
            live.now,
            live.statuses,
            history=self._history,
            unreadable=self._unreadable,
            line=self._lineage.lines(row, live) if self._lineage is not None else (),
            older=self._lineage.older if self._lineage is not None else (),
            glyphs=live.glyphs,
            zone=UTC if live.cells.times == "utc" else live.cells.zone,
        )

    def follow(self, delta: Delta) -> None:
        """A flush changed these: tell it anew where that may concern what is shown."""
        if self._pane.display and self._concerned(delta):
            self.tell()

    def _concerned(self, delta: Delta) -> bool:
        _, row, sections = self._chosen()
        if delta.gone or sections or row is None or row.key in delta.changed:
            return True
        if health_key(row.fact.source) in delta.changed:
            return True
        rows = self.live.cells.board.rows
        return any(_related(row, rows[key]) for key in delta.changed if key in rows)

    async def _look_up(self, key: str, patience: float) -> None:
        """Read the item's past."""
        await asyncio.sleep(patience)
        history: Sequence[Change] | None = None
        unreadable = ""
        try:
            history = await self.live.store.history(key, presenting.HISTORY)
        except StoreError as error:
            unreadable = f"its past cannot be read: {error}"
        if key == self._key:
            self._history, self._unreadable = history, unreadable
            self.tell()


def _related(row: Row, other: Row) -> bool:
    """Whether what happens to one is told in the details of the other."""
    fact, more = row.fact, other.fact
    if not isinstance(fact, Build | Incident | Release | Ticket):
        return False
    if not isinstance(more, Build | Incident | Release | Ticket):
        return False
    if row.slot == other.slot or not set(fact.services).isdisjoint(more.services):
        return True
    return bool(fact.repository) and fact.repository == more.repository
