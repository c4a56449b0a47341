"""A bare Textual app to measure beside: a clock, 10,000 plain lines, a pane that opens, an input.

python -m tests.bench.bare            as a program in a terminal
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import ClassVar

from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

LINES = 10_000


class Lines(ScrollView, can_focus=True):
    """Plain lines on the Line API: the least that a list of 10,000 rows can be."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("pagedown", "page_down"), Binding("pageup", "page_up")]

    def on_mount(self) -> None:
        self.virtual_size = Size(self.size.width, LINES)

    def render_line(self, y: int) -> Strip:
        number = y + self.scroll_offset.y
        return Strip([Segment(f"line {number} of plain text without any colour at all".ljust(self.size.width))])

    def action_page_down(self) -> None:
        self.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)


class Bare(App[None]):
    """The same gestures as the board, with nothing behind them."""

    CSS = """
    #clock { width: 8; height: 1; dock: right; }
    Lines { height: 1fr; }
    #pane { height: 12; display: none; }
    Input { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pane"),
        Binding("slash", "filter"),
        Binding("q", "quit"),
    ]

    def compose(self) -> ComposeResult:
        yield Static(datetime.now(UTC).strftime("%H:%M:%S"), id="clock", markup=False)
        yield Lines()
        yield Static("\n".join(f"detail {n}" for n in range(12)), id="pane", markup=False)
        yield Input()

    def on_mount(self) -> None:
        self.query_one(Lines).focus()
        self.set_interval(1, self._tick)

    def _tick(self) -> None:
        self.query_one("#clock", Static).update(datetime.now(UTC).strftime("%H:%M:%S"))

    def action_pane(self) -> None:
        pane = self.query_one("#pane")
        pane.display = not pane.display

    def action_filter(self) -> None:
        field = self.query_one(Input)
        field.display = True
        field.focus()


if __name__ == "__main__":
    sys.exit(Bare().run())
