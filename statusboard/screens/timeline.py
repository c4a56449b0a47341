"""The timeline: everything that changed, newest first, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, tzinfo
from typing import Final

from textual import on, work
from textual.app import ComposeResult
from textual.widget import Widget

from statusboard.board import Delta, Row
from statusboard.clock import age
from statusboard.current import is_failing
from statusboard.errors import StoreError
from statusboard.model import Build, Fact, Incident, Release, Ticket, decode
from statusboard.presenting.sources import source_lines
from statusboard.presenting.timeline import COLUMNS, LATE, day_cells, entry_cells, sign_of
from statusboard.query import Query, parse
from statusboard.screens.faces import Face
from statusboard.screens.feed import BoardAround, Feed, end_words, title_words
from statusboard.screens.lanes import GONE
from statusboard.screens.live import Live
from statusboard.screens.work import begin_work
from statusboard.timeline import Entry, Shows
from statusboard.view import ViewSpec
from widgets.details import Section
from widgets.lanes import LanePanel, Lanes
from widgets.table import BoardTable, Column, RowCells
from widgets.words import Word

FIRST: Final = 200
"""Entries read before anything is shown."""
AHEAD: Final = 100
"""Rows below the last one in sight from which on older entries are read."""
MORE: Final = 400
"""Entries read then."""
WIDE: Final = 150
"""Cells from which on there is room for who and where from."""
_END: Final = "end"
_KEPT_ROWS: Final = 200


class TimelineFace(Face):
    """One row a change, under its day.  Older ones are read as one goes down; new ones come in on top."""

    def __init__(self, live: Live) -> None:
        super().__init__(live, id="timeline")
        self._area = Lanes()
        self._panel = LanePanel(columns(), ascii_only=live.ascii_only, name="timeline")
        self._view = ViewSpec(layout="timeline")
        self._query = parse("")
        self._faults_only = False
        self._feed: Feed | None = None
        self._shown: tuple[object, ...] = ()
        self._rows: list[str] = []
        self._settled = False
        self._stirred = False
        self._catching = False
        self._stalled = False
        self._problem = ""
        #: Items that are no longer on the board, as they were last, by key.
        self._left: dict[str, Row] = {}

    def compose(self) -> ComposeResult:
        with self._area:
            yield self._panel

    def on_mount(self) -> None:
        """The cells are made when they come into sight."""
        self._table.set_source(self._cells)
        self.watch(self._table, "scroll_y", self._scrolled, init=False)

    @property
    def _zone(self) -> tzinfo:
        """Where it is day."""
        return UTC if self.live.cells.times == "utc" else self.live.cells.zone

    @property
    def _table(self) -> BoardTable:
        return self._panel.table

    # -- what is shown

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """The changes of the items that pass this filter."""
        self._view, self._query, self._faults_only = view, query, faults_only
        self._set_columns()
        self._settled = self._shown == self._asked and not query.needs_clock and not self._stirred
        if self._shown == self._asked:
            self._show(anew=True)

    @property
    def _asked(self) -> tuple[object, ...]:
        store = self.live.store
        return (self.live.cells.board, store, store.store_id, self._query.text, self._faults_only)

    async def rebuild(self) -> None:
        """Read the feed anew, unless it is there already: then only what happened since."""
        asked = self._asked
        self._stirred = False
        self._forget_later()
        try:
            if self._feed is None or asked != self._shown or self._query.needs_clock:
                feed = Feed(self.live.store, self._around, self._shows(), faults_only=self._faults_only)
                self._stalled = not await feed.fill(FIRST)
                self._feed, self._shown = feed, asked
            else:
                await self._feed.catch_up()
                if self._feed.missed:
                    self.refeed()
            self._problem = ""
        except StoreError as error:
            self._problem = str(error)
        self._settled = True
        self._show()

    def refeed(self) -> None:
        """So much happened that the feed is read anew."""
        self._shown = ()
        begin_work(self, self.rebuild, group="refeed", exclusive=True)

    @property
    def _around(self) -> BoardAround:
        return BoardAround(self.live.cells.board)

    def _shows(self) -> Shows | None:
        query, cells = self._query, self.live.cells
        if query.matches_all:
            return None
        now = self.live.now

        def shows(fact: Fact) -> bool:
            health = cells.board.state_of(fact.source) if query.needs_health else ""
            return query.matches(fact, current=True, failing=is_failing(fact), now=now, health=health)

        return shows

    def follow(self, delta: Delta) -> None:
        """Something was stored: read what it was."""
        self._stirred = True
        self._forget_later()
        if not self.display:
            return
        if self._feed is not None:  # their marks may have come or gone
            entries = self._feed.entries.values()
            told = [str(entry.seq) for entry in entries if entry.key in delta.changed]
            if told:
                self._table.set_rows(self._rows, told)
        if not self._catching:
            self._catch_up()

    @work(group="catch-up")
    async def _catch_up(self) -> None:
        self._catching = True
        try:
            while self._stirred and (feed := self._feed) is not None:
                self._stirred = False
                changed = await feed.catch_up()
                if feed is not self._feed:
                    continue
                if feed.missed:
                    self.refeed()
                elif changed:
                    self._show()
        except StoreError as error:
            self._problem = str(error)
        finally:
            self._catching = False

    def _forget_later(self) -> None:
        """Of a past moment nothing is listed that was not known then."""
        feed, newest = self._feed, self.live.newest
        if feed is not None and newest is not None and feed.forget_after(newest):
            self._left.clear()
            if self.display:
                self._show()
                self._look_ahead()

    def forget(self) -> None:
        """At another past moment other changes are known; what is stored in the present is read as it comes."""
        if self.live.newest is not None:
            self._shown = ()

    def age(self) -> None:
        """Ages move on, and at midnight the names of the days; in another zone other days begin."""
        self._show(anew=True)

    def tell(self) -> None:
        """The title."""
        self._panel.tell(self._title())

    def repaint(self) -> None:
        """The title in other colours."""
        self._panel.repaint_title()

    def resized(self) -> None:
        """Another number of rows fits."""
        self._area.divide()

    def on_resize(self) -> None:
        """Another number of columns may fit."""
        self._set_columns()

    def _set_columns(self) -> None:
        self._table.set_columns(columns(wide=self._view.wide or self.size.width >= WIDE))

    def _show(self, *, anew: bool = False) -> None:
        feed = self._feed
        rows = feed.rows(self._zone) if feed is not None else []
        if feed is not None and (self._stalled or (feed.done and rows)):
            rows.append(_END)
        self._rows = rows
        self._table.set_rows(rows, rows if anew else [_END])
        self._panel.want(len(rows))
        self._area.divide()
        self.tell()

    def _title(self) -> list[Word]:
        feed = self._feed
        name: list[Word] = [(f"{self._view.name} ", "strong")]
        if self._problem:
            return [*name, (f" the history cannot be read: {self._problem}", "failed")]
        if feed is None or not self._settled:
            return [*name, (" is being read", "muted")]
        filtered = self._faults_only or not self._query.matches_all
        return name + title_words(feed, self._zone, self.live.glyphs, filtered=filtered)

    # -- older ones

    def _scrolled(self) -> None:
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Read older entries before the end of the list comes into sight."""
        feed, table = self._feed, self._table
        if feed is None or feed.done or not self._settled:
            return
        bottom = max(table.scroll_offset.y + table.size.height, self._index(table.cursor_key))
        if bottom + AHEAD >= len(self._rows):
            self._read_older()

    @work(exclusive=True, group="older")
    async def _read_older(self) -> None:
        feed = self._feed
        if feed is None:
            return
        try:
            self._stalled = not await feed.fill(feed.shown + MORE)
        except StoreError as error:
            self._problem = str(error)
        if feed is self._feed:
            self._show()

    # -- rows

    def _entry(self, key: str | None) -> Entry | None:
        if key is None or self._feed is None or not key.isdecimal():
            return None
        return self._feed.entries.get(int(key))

    def _cells(self, key: str) -> RowCells:
        now, zone = self.live.now, self._zone
        if key == _END:
            return RowCells({}, line=((f" {end_words(self._feed, zone)}", "muted"),))
        if key.startswith("d"):
            today = self.live.engine.clock.now()  # "Today" is never said of the past
            name, style = day_cells(date.fromisoformat(key[1:]), today, zone).cells["what"]
            return RowCells({}, line=((name, style),))
        entry = self._entry(key)
        if entry is None:
            return GONE
        text = entry_cells(entry, now, glyphs=self.live.glyphs, zone=zone, times=self.live.cells.times)
        return RowCells(text.cells, text.style, marked=self._is_new(entry))

    def _is_new(self, entry: Entry) -> bool:
        """Whether this change is one that its item is marked for."""
        first = self.live.cells.marked.get(entry.key)
        return first is not None and entry.seq >= first

    def _index(self, key: str | None) -> int:
        return self._rows.index(key) if key in self._rows else -1

    def _chosen(self) -> Entry | None:
        """The entry under the cursor; on the row of a day, the first one of that day."""
        key = self._table.cursor_key
        if key is not None and key.startswith("d"):
            below = self._index(key) + 1
            key = self._rows[below] if 0 < below < len(self._rows) else None
        return self._entry(key)

    # -- what it says of itself

    @property
    def settled(self) -> bool:
        """Whether the feed that was asked for is shown."""
        return self._settled

    @property
    def places(self) -> Sequence[Widget]:
        """The table, where it has rows."""
        return [self._table] if self._rows else []

    @property
    def subject(self) -> str | None:
        """The key of the item that the change under the cursor is about."""
        entry = self._chosen()
        return entry.key if entry is not None else None

    def hold(self) -> None:
        """Show the cursor, on a change."""
        super().hold()
        key = self._table.cursor_key
        if key is not None and key.startswith("d") and (entry := self._chosen()) is not None:
            self._table.move_to(str(entry.seq))

    def focus_something(self) -> None:
        """The table, rows or none."""
        self._table.focus()

    def matches(self) -> list[tuple[BoardTable, str]]:
        """All changes that are listed."""
        return [(self._table, key) for key in self._rows if key.isdecimal()]

    def faulty(self) -> list[tuple[BoardTable, str]]:
        """The changes by which something was failing, or could not be read any more."""
        return [
            (table, key) for table, key in self.matches() if (entry := self._entry(key)) is not None and entry.fault
        ]

    def about(self, key: str) -> str:
        """The item of a change."""
        entry = self._entry(key)
        return entry.key if entry is not None else key

    def unseen(self) -> list[tuple[BoardTable, str]]:
        """The changes that nobody saw."""
        return [match for match in self.matches() if (entry := self._entry(match[1])) and self._is_new(entry)]

    # -- details

    def row(self, key: str) -> Row | None:
        """The row of an item: of one that has left the board, as it was last."""
        return self.live.cells.row(key) or self._left.get(key)

    def sections(self) -> list[Section]:
        """The change itself, and of a source how it is read now."""
        entry = self._chosen()
        if entry is None:
            return []
        live, now = self.live, self.live.now
        sign, style = sign_of(entry, live.glyphs)
        zone = self._zone
        told = f"{entry.at.astimezone(zone):%a %Y-%m-%d %H:%M:%S} ({age(now, entry.at)} ago)"
        lines = [
            ("what", f"{sign} {entry.words}", style),
            ("to what", entry.about, ""),
            ("when", told, ""),
            (LATE, f"{entry.seen_at.astimezone(zone):%a %Y-%m-%d %H:%M:%S}" if entry.late else "", ""),
        ]
        sections: list[Section] = [("Change", [line for line in lines if line[1]])]
        if entry.kind == "source":
            name, board = entry.source, live.cells.board
            found = source_lines(
                name, board.state_of(name), board.health.get(name), live.status(name), now, glyphs=live.glyphs
            )
            sections.append(
                ("Source now" if live.newest is None else "Source then", [line for line in found if line[1]])
            )
        return sections

    @work(exclusive=True, group="left")
    async def _recall(self, entry: Entry) -> None:
        """Look up in the store what an item was that has left the board."""
        try:
            changes = await self.live.store.history(entry.key, 5)
        except StoreError as error:
            self._problem = str(error)
            return
        for change in changes:
            if change.body is None:
                continue
            fact = decode(change.body)
            if isinstance(fact, Build | Incident | Release | Ticket):
                if len(self._left) >= _KEPT_ROWS:
                    self._left.clear()
                self._left[entry.key] = Row(change.seq, change.observed_at, fact, change.body_hash)
                self.post_message(self.Moved())
                return

    @on(BoardTable.Highlighted)
    def _moved(self, event: BoardTable.Highlighted) -> None:
        event.stop()
        self._look_ahead()
        if event.table is not self.screen.focused:
            return
        entry = self._chosen()
        if entry is not None and entry.kind != "source" and self.row(entry.key) is None:
            self._recall(entry)
        self.post_message(self.Moved())

    @on(BoardTable.Selected)
    def _selected(self, event: BoardTable.Selected) -> None:
        event.stop()
        if event.key == _END:
            if self._stalled:
                self._read_older()
            return
        self.hold()
        self.post_message(self.Opened())


def columns(*, wide: bool = False) -> list[Column]:
    """The columns as the table wants them."""
    return [
        Column(spec.id, spec.title, spec.width, spec.min_width, spec.priority, spec.align)
        for spec in COLUMNS
        if wide or not spec.wide
    ]
