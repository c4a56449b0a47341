"""A table that notes what it asks for and repaints, and an app around it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from rich.style import Style
from textual import on
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot

from widgets.table import BoardTable, Column, RowCells

STATE = Column("state", "STATE", width=8, min_width=4, priority=9)
TITLE = Column("title", "TITLE", min_width=10, priority=8)
TEAM = Column("team", "TEAM", width=6, min_width=6, priority=1)
AGE = Column("age", "AGE", width=4, min_width=4, priority=5, align="right")
COLUMNS = (STATE, TITLE, TEAM, AGE)


class Table(BoardTable):
    """Notes which regions it asks to be repainted, and which keys it asked for."""

    def __init__(self, columns: Sequence[Column] = COLUMNS, **options: Any) -> None:
        self.regions: list[Region] = []
        self.whole = 0
        self.asked: list[str] = []
        self.items: dict[str, RowCells] = {}
        super().__init__(columns, **options)
        self.set_source(self._cells_of)

    def _cells_of(self, key: str) -> RowCells:
        self.asked.append(key)
        return self.items[key]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Table:
        self.regions += regions
        self.whole += repaint and not regions
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def forget(self) -> None:
        self.regions, self.whole, self.asked = [], 0, []

    def lines(self) -> list[str]:
        return [self.render_line(y).text for y in range(self.size.height)]

    def style_at(self, x: int, y: int) -> Style:
        end = 0
        for segment in self.render_line(y):
            end += segment.cell_length
            if x < end:
                assert segment.style is not None
                return segment.style
        raise IndexError(x)


class Board(App[None]):
    def __init__(self, *tables: Table) -> None:
        super().__init__()
        self.tables = tables
        self.heard: list[tuple[str, str | None]] = []

    def compose(self) -> ComposeResult:
        yield from self.tables

    @on(BoardTable.Highlighted)
    @on(BoardTable.Selected)
    def note(self, message: Message) -> None:
        assert isinstance(message, BoardTable.Highlighted | BoardTable.Selected)
        assert message.control in self.tables
        self.heard.append((type(message).__name__, message.key))


def row(title: str = "", state: str = "failed", age: str = "1m", row_style: str = "") -> RowCells:
    return RowCells(
        {"state": (state, state), "title": (title, ""), "team": ("core", "muted"), "age": (age, "")}, row_style
    )


def filled(count: int, **options: Any) -> Table:
    table = Table(**options)
    table.items = {f"k{n}": row(f"title {n}") for n in range(count)}
    table.set_rows(list(table.items))
    return table


def running(*tables: Table, size: tuple[int, int] = (40, 8)) -> tuple[Board, AbstractAsyncContextManager[Pilot[None]]]:
    board = Board(*tables)
    return board, board.run_test(size=size, notifications=True)
