"""The matrix of services by environments: how we are, in one look."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC
from typing import Final

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget

from statusboard.board import BLIND, Delta
from statusboard.columns import Times
from statusboard.presenting.deployed import Telling
from statusboard.presenting.services import service_cells, service_columns, service_lines, services_title
from statusboard.query import Query, parse
from statusboard.query.language import quote
from statusboard.screens.faces import Face
from statusboard.screens.lanes import GONE, told
from statusboard.screens.live import Live
from statusboard.services import MOST_ENVIRONMENTS, WRONG, ServiceMatrix
from statusboard.view import ViewSpec
from widgets.details import Section
from widgets.lanes import LanePanel, Lanes
from widgets.table import BoardTable, Column, RowCells
from widgets.words import Word

DATED: Final = 68
"""Cells from which on there is room for times instead of ages, beside everything that must be seen."""
KEPT: Final = 3
"""Matrices that are kept up to date: of the view that is shown, and of those that were shown before."""
_KEPT_ROWS: Final = 2_000


class ServicesFace(Face):
    """One row a service, a column for each environment."""

    def __init__(self, live: Live) -> None:
        super().__init__(live, id="services")
        self._area = Lanes()
        self._panel = LanePanel((), ascii_only=live.ascii_only, name="services")
        self._query = parse("")
        self._faults_only = False
        #: Those that were built, by what was asked for; all of them follow the board.
        self._built: dict[tuple[str, bool], ServiceMatrix] = {}
        self._matrix = self._new()
        self._coming: ServiceMatrix | None = None
        self._subject: str | None = None
        #: How many environments have a column.
        self._places = MOST_ENVIRONMENTS
        self._made: dict[str, RowCells] = {}

    def compose(self) -> ComposeResult:
        with self._area:
            yield self._panel

    def on_mount(self) -> None:
        """The cells are made when they come into sight."""
        self._table.set_source(self._cells)
        self._fit()

    @property
    def _table(self) -> BoardTable:
        return self._panel.table

    # -- what is shown

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """The services that this filter lets through; those that were built already are shown at once."""
        self._query, self._faults_only = query, faults_only
        if query.needs_clock:
            self._built.pop(self._asked, None)
        if (matrix := self._built.get(self._asked)) is not None:
            for _ in matrix.settle_steps(self.live.cells.board, self.live.now) if matrix.waiting else ():
                pass  # at once: what waits shows what was, and is about to be seen
            self._turn_to(matrix)

    @property
    def _asked(self) -> tuple[str, bool]:
        return (self._query.text, self._faults_only)

    def _new(self) -> ServiceMatrix:
        settings = self.live.settings
        return ServiceMatrix(
            settings.services, settings.environments, settings.reads, self._query, faults_only=self._faults_only
        )

    def forget(self) -> None:
        """The next rebuild looks at everything again."""
        self._built.clear()

    async def rebuild(self) -> None:
        """Another matrix in the place of this one when it is ready; what comes meanwhile reaches both."""
        asked = self._asked
        self._coming = None  # one for what is no longer asked for is given up
        if self.settled:
            return
        if asked not in self._built:
            self._coming = coming = self._new()
            for _ in coming.build_steps(self.live.cells.board, self.live.now):
                await asyncio.sleep(0)
                if self._coming is not coming:
                    return
            self._coming = None
            while len(self._built) >= KEPT:
                del self._built[next(iter(self._built))]
            self._built[asked] = coming
        self._matrix = self._built[asked]
        await self._settle()
        self._turn_to(self._matrix)

    def _turn_to(self, matrix: ServiceMatrix) -> None:
        self._matrix = matrix
        self._fit()
        self._show(matrix.keys)

    async def _settle(self) -> None:
        """Have the lines folded that wait, in steps."""
        if (matrix := self._matrix).waiting:
            for _ in matrix.settle_steps(self.live.cells.board, self.live.now):
                await asyncio.sleep(0)

    @work(exclusive=True, group="settle")
    async def _catch_up(self) -> None:
        await self._settle()
        if self.display:
            self._turn_to(self._matrix)

    def follow(self, delta: Delta) -> None:
        """Services that look different now, or stand elsewhere."""
        board, now = self.live.cells.board, self.live.now
        if self._coming is not None:
            self._coming.update(board, delta, now)
        for matrix in self._built.values():
            change = matrix.update(board, delta, now)
            if matrix is not self._matrix:
                continue
            if matrix.waiting:
                self._catch_up()
            if not self.display:
                continue
            if change.columns_changed:
                self._fit()
            if change:
                self._show(change.changed)

    def age(self) -> None:
        """Ages move on."""
        self._turn_to(self._matrix)

    def tell(self) -> None:
        """The title: how many services are how, and which sources are not read."""
        live, board = self.live, self.live.cells.board
        if self._matrix not in self._built.values():
            self._panel.tell([("Services", "strong")])
            return
        names = sorted({*board.health, *live.settings.reads})
        unread = [(name, state) for name in names if (state := board.state_of(name)) in BLIND or state == "aging"]
        style = "unknown" if any(state in BLIND for _, state in unread) else "warning"
        words: list[Word] = [(f"  {told(unread)}", style)] if unread else []
        if not any("incident" in kinds for kinds in live.settings.reads.values()):
            words.append(("  no source reads incidents", "muted"))
        self._panel.tell(services_title(self._matrix, live.glyphs, shown=self._places, unread=words))

    def repaint(self) -> None:
        """The title in other colours."""
        self._panel.repaint_title()

    def resized(self) -> None:
        """Other columns fit."""
        self._fit()
        self._area.divide()

    def on_resize(self) -> None:
        """At once, so that nothing is drawn with the columns of the old size."""
        self._fit()

    def _fit(self) -> None:
        """The columns that there is room for."""
        width = self.size.width - self._table.styles.scrollbar_size_vertical
        if width <= 0:
            return
        specs = service_columns(self._matrix, width, times=self._times)
        self._places = sum(column.id.startswith("at:") for column in specs)
        self._table.set_columns([Column(c.id, c.title, c.width, c.min_width, c.priority, c.align) for c in specs])

    def _show(self, changed: Collection[str]) -> None:
        keys = self._matrix.keys
        told = "no service passes the filter" if self._matrix.left_out else "no service is known"
        self._table.set_empty(Content("" if keys else told))
        self._table.set_rows(keys, changed)
        self._panel.want(max(1, len(keys)))  # an empty one says why
        self._area.divide()
        subject = self.subject
        if subject != self._subject:
            self._subject = subject
            self.post_message(self.Moved())

    @property
    def _telling(self) -> Telling:
        cells, board = self.live.cells, self.live.cells.board
        times = self._times
        zone = UTC if times == "utc" else cells.zone
        return Telling(
            self.live.now, self._matrix.first, self.live.glyphs, board.state_of, board.annotations, zone, times
        )

    @property
    def _times(self) -> Times:
        """How times are told: as a person wants, where there is room for it."""
        return self.live.cells.times if self.size.width >= DATED else "ago"

    def _cells(self, key: str) -> RowCells:
        """The cells of a service; of one that has gone since, what it said last."""
        service = self._matrix.service(key)
        if service is None:
            return self._made.get(key, GONE)
        text = service_cells(service, self._telling)
        made = RowCells(text.cells, text.style)
        if len(self._made) >= _KEPT_ROWS:
            self._made.clear()
        self._made[key] = made
        return made

    # -- what it says of itself

    @property
    def settled(self) -> bool:
        """Whether the services that were asked for are shown."""
        return self._built.get(self._asked) is self._matrix and not self._matrix.waiting

    @property
    def faults(self) -> int:
        """How many failing items are counted."""
        return self._matrix.faults

    # -- places and the cursor

    @property
    def places(self) -> Sequence[Widget]:
        """The table, where it has rows."""
        return [self._table] if self._table.row_count else []

    def focus_something(self) -> None:
        """The table, rows or none."""
        self._table.focus()

    @property
    def subject(self) -> str | None:
        """The key of the item that the service under the cursor stands for: what is worst, else what is newest."""
        key = self._table.cursor_key
        return self._matrix.subject(key, self.live.cells.board) if key is not None else None

    def matches(self) -> list[tuple[BoardTable, str]]:
        """All services."""
        return [(self._table, key) for key in self._matrix.keys]

    def faulty(self) -> list[tuple[BoardTable, str]]:
        """The services that are failing, or may be."""
        return [(self._table, service.name) for service in self._matrix.services if service.health in WRONG]

    def fold(self) -> bool:
        """Show the items behind the service under the cursor."""
        key = self._table.cursor_key
        if key is None:
            return False
        self.post_message(self.ItemsAsked(f"service:{quote(key)}"))
        return True

    def sections(self) -> list[Section]:
        """What is known of the service itself."""
        key = self._table.cursor_key
        service = self._matrix.service(key) if key is not None else None
        if service is None:
            return []
        lines = service_lines(service, self._matrix.environments, self._telling)
        return [("Service", lines)]

    @on(BoardTable.Highlighted)
    def _moved(self, event: BoardTable.Highlighted) -> None:
        event.stop()
        self._subject = self.subject
        if event.table is self.screen.focused:
            self.post_message(self.Moved())

    @on(BoardTable.Selected)
    def _selected(self, event: BoardTable.Selected) -> None:
        event.stop()
        self.post_message(self.Opened())
