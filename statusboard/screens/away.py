"""For who comes back to the board: marks on what changed, one line that sums it up, a key that goes through it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.widgets import Input, Static

from statusboard.away import AWAY, Marks, digest_line, read_visits, write_visit
from statusboard.board import Delta
from statusboard.errors import StoreError
from statusboard.keys import key_named
from statusboard.model import Build, Incident, Release, Ticket
from statusboard.query import parse
from statusboard.screens.feed import BoardAround, entries_since
from statusboard.screens.live import Live
from statusboard.screens.work import begin_work
from statusboard.text import cell_len
from statusboard.timeline import LATE
from statusboard.view import stands
from widgets.table import BoardTable
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.screens.board import BoardScreen

log = logging.getLogger("statusboard.away")

CHUNK: Final = 1_000
"""Rows learned in one step: 2 ms."""
SAVE_EVERY: Final = timedelta(minutes=1)
PATIENCE: Final = 15.0
"""Seconds to wait for slow sources before what happened since the last visit is summed up."""
NEXT, ALL = "next_unseen", "all_seen"
"""The actions that do not take the marks away."""


class DigestLine(Static):
    """One line above the lanes; the next key takes it away."""

    DEFAULT_CSS = """
    DigestLine { display: none; height: auto; max-height: 3; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)

    def tell(self, digest: str, hint: str) -> None:
        """What happened, and beside or below it what can be done."""
        room = self.app.size.width - 2
        beside = cell_len(digest) + 3 + cell_len(hint) <= room
        words: list[Word] = [(digest, "strong"), ("   " if beside else "\n", ""), (hint, "muted")]
        self.update(styled(words if hint else words[:1], ansi=self.app.native_ansi_color))
        self.display = True

    def hide(self) -> None:
        """It was read."""
        if self.display:
            self.display = False


class Attendance:
    """Marks what changes while nobody presses a key.  Belongs to the board's screen, which tells it what happens."""

    def __init__(self, live: Live, screen: BoardScreen) -> None:
        self.line = DigestLine()
        self.marks = Marks(live.now)
        self._live = live
        self._screen = screen
        self._board = live.cells.board
        self._begun = False
        self._saved: datetime | None = None
        #: A digest that nobody has seen yet.
        self._told = ""
        live.cells.marked = self.marks

    @property
    def _file(self) -> Path | None:
        return self._live.settings.visits_file

    # -- what the screen tells

    async def begin(self) -> None:
        """Learn how everything is, and what changed since the last visit."""
        board = self._live.cells.board
        keys = list(board.rows)
        for start in range(0, len(keys), CHUNK):
            self.marks.learn(row for key in keys[start : start + CHUNK] if (row := board.rows.get(key)) is not None)
            await asyncio.sleep(0)
        self.marks.begin(board)
        if self._file is None:
            return
        visits = await asyncio.to_thread(read_visits, self._file)
        now, last = self._live.now, visits.get(board.store_id)
        self._begun = True
        self._save()
        if last is not None and last < now:
            await self._first_round(now)
            await self._welcome(last, now - last, visit=True)

    async def _first_round(self, began: datetime) -> None:
        """Wait until every source was asked once: what happened while no board ran is read only now."""
        engine = self._live.engine
        await engine.ready.wait()
        for _ in range(int(PATIENCE / 0.25)):
            asked = [status.last_attempt for status in engine.statuses.values()]
            if engine.role != "polling" or all(at is not None and at >= began for at in asked):
                break
            await asyncio.sleep(0.25)
        await asyncio.sleep(0.5)  # and until what they said is on the board

    def follow(self, delta: Delta) -> None:
        """A fold changed these."""
        board = self._live.cells.board
        if board is not self._board:  # another one: whatever is on it may be different
            delta = Delta(frozenset(board.rows), delta.gone | (self.marks.keys() - board.rows.keys()))
            self._board = board
        self.marks.follow(board, delta)

    def pressed(self, key: str = "") -> None:
        """A person is there, and looks at the present."""
        if self._screen.then is not None:
            return
        now = self._live.now
        since = self.marks.since
        self.line.hide()
        typing = isinstance(self._screen.app.focused, Input)
        away, lost = self.marks.pressed(now, looking=not typing and key in self._looking())
        self._repaint(lost)
        if away:
            begin_work(self._screen, partial(self._welcome, since, away), group="welcome", exclusive=True)
        if self._saved is None or now - self._saved >= SAVE_EVERY:
            self._save()

    def come_back(self) -> None:
        """From the past: what has changed meanwhile nobody has seen."""
        since = self.marks.since
        away, _ = self.marks.pressed(self._live.now, looking=True)
        if away:
            begin_work(self._screen, partial(self._welcome, since, away), group="welcome", exclusive=True)
        else:
            self._tell()

    def leave(self) -> None:
        """The board ends: this was the last visit."""
        if self._file is not None and self._begun:
            self._write(self._file, self._live.cells.board.store_id, self.marks.since)

    # -- the digest

    async def _welcome(self, since: datetime, away: timedelta, *, visit: bool = False) -> None:
        """Read what happened since; mark it, and sum it up for who was away for long."""
        live = self._live
        board = live.cells.board
        try:
            entries = await entries_since(live.engine.store, BoardAround(board), since)
            # What happened long before and was only learned since is no news.
            entries = [entry for entry in entries if entry.at >= since - LATE]
        except StoreError as error:
            log.warning("what happened since %s cannot be told: %s", since, error)
            return
        if visit:
            self._repaint(self.marks.keep(entries, board))
        self._told = digest_line(entries, away, visit=visit) if away >= AWAY else ""
        self._tell()

    def _tell(self) -> None:
        """The digest, while the present is looked at."""
        if self._told and self._screen.then is None and self.line.is_mounted:
            self.line.tell(self._told, self._hint())
            self._told = ""

    def _hint(self) -> str:
        rows, keys = self._live.cells.board.rows, self._live.keys_of
        count = sum(1 for key in self.marks if (row := rows.get(key)) is not None and stands(row))
        return f"{count} marked: {keys(NEXT)[0]} goes through them, {keys(ALL)[0]} clears" if count else ""

    def _looking(self) -> set[str]:
        return {key_named(key) for action in (NEXT, ALL) for key in self._live.keys_of(action)}

    # -- going through what is marked

    def next_unseen(self) -> None:
        """Put the cursor on the next marked row, in this view or in another one."""
        if not self.marks:
            self._screen.app.say("nothing has changed since you looked")
        elif self._go_on():
            return
        elif self._screen.filtered:
            self._screen.app.say("what else has changed is hidden by the filter")
        elif (view := self._view_with_some()) is not None:
            self._screen.choose_view(view)
            begin_work(self._screen, self._go_on_there, group="unseen", exclusive=True)
        else:
            self.all_seen()

    async def _go_on_there(self) -> None:
        """As soon as the view is built."""
        for _ in range(100):
            await asyncio.sleep(0.02)
            if self._screen.settled:
                break
        self._go_on()

    def _go_on(self) -> bool:
        """To the next marked row of the face that is shown; False where it has none."""
        face = self._screen.face
        unseen = face.unseen()
        if not unseen:
            return False
        order = {match: place for place, match in enumerate(face.matches())}
        place = face.place
        here = -1
        if isinstance(place, BoardTable) and place.cursor_key is not None:
            here = order.get((place, place.cursor_key), -1)
        table, key = next((match for match in unseen if order.get(match, -1) >= here), unseen[0])
        face.reveal(table, key)
        table.hold()
        self._repaint(self.marks.seen([face.about(key)]))
        return True

    def _view_with_some(self) -> int | None:
        """A view whose lanes have a marked row; None where those that are marked stand in no view."""
        live = self._live
        board, now = live.cells.board, live.now
        rows = [row for key in self.marks if (row := board.rows.get(key)) is not None and stands(row)]
        for index, view in enumerate(live.settings.views):
            if view.layout != "lanes" or view is self._screen.view:
                continue
            query = parse(view.filter)
            for row in rows:
                fact = row.fact
                if not isinstance(fact, Build | Incident | Release | Ticket) or fact.kind not in view.lanes:
                    continue
                health = board.state_of(fact.source)
                if query.matches(fact, current=row.current, failing=row.failing, now=now, health=health):
                    return index
        return None

    def all_seen(self) -> None:
        """Take all marks away."""
        self._repaint(self.marks.seen(list(self.marks)))
        self.line.hide()
        self._screen.app.say("all changes are seen")

    # -- painting and keeping

    def _repaint(self, keys: Iterable[str]) -> None:
        """The rows of these keys look different now."""
        rows = self._live.cells.board.rows
        shown = frozenset(key for key in keys if key in rows)
        if shown:
            for face in self._screen.faces:
                face.follow(Delta(shown, frozenset()))

    def _save(self) -> None:
        """Note that somebody is there, in a thread."""
        self._saved = self._live.now
        if self._file is not None and self._begun:
            made = partial(
                asyncio.to_thread, self._write, self._file, self._live.cells.board.store_id, self.marks.since
            )
            begin_work(self._screen, made, group="visit")

    def _write(self, path: Path, store_id: str, moment: datetime) -> None:
        try:
            write_visit(path, store_id, moment)
        except OSError as error:
            log.warning("the visit cannot be kept in %s: %s", path, error.strerror or error)
