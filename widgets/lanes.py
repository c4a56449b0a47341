"""The lanes: a title and a table each, and the area that divides its lines among them by need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget
from textual.widgets import Static

from widgets.layout import HEADER, TITLE, Column, place
from widgets.placed import Placed
from widgets.table import BoardTable
from widgets.words import Word, styled


class _ByNeed(Layout):
    """Gives each lane its lines; two columns where there is room for them."""

    name = "by-need"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        lanes = [child for child in children if isinstance(child, LanePanel)]
        return [
            WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, lane)
            for lane, region in zip(lanes, places(lanes, size), strict=True)
        ]


def places(lanes: Sequence[LanePanel], size: Size) -> list[Region]:
    """Where each lane stands in an area of this size."""
    favoured = next((index for index, lane in enumerate(lanes) if lane.favoured), 0)
    return [Region(*where) for where in place([lane.need for lane in lanes], *size, favoured)]


class Lanes(Placed):
    """Holds `LanePanel`s, and nothing else."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    _by_need = _ByNeed()

    @property
    def layout(self) -> Layout:
        """Lines by need."""
        return self._by_need

    def divide(self) -> None:
        """Divide the lines anew if the lanes' needs ask for it.  What was never laid out will be, by its needs."""
        if not self.size:
            return
        lanes = [lane for lane in self.children if isinstance(lane, LanePanel) and lane.display]
        wanted = places(lanes, self.size)
        if lanes and any(lane.outer_size != region.size for lane, region in zip(lanes, wanted, strict=True)):
            lanes[0].refresh(layout=True)


class LanePanel(Placed):
    """One lane: `title` says what it holds, `table` shows it.  An empty lane is its title alone."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, columns: Sequence[Column], *, ascii_only: bool = False, name: str | None = None) -> None:
        super().__init__(name=name)
        self.table = BoardTable(columns, ascii_only=ascii_only, shy=True)
        self.need = TITLE
        self.favoured = False
        self._title = Static(markup=False, classes="lane-title")
        self._told: tuple[Word, ...] | None = None

    def compose(self) -> ComposeResult:
        yield self._title
        yield self.table

    def on_descendant_focus(self) -> None:
        """The title says where the focus is.

        By a class: for ``:focus-within`` Textual would style the table and its scrollbar anew as well, twice.
        """
        self._title.add_class("-focused")

    def on_descendant_blur(self) -> None:
        """It went elsewhere."""
        self._title.remove_class("-focused")

    def tell(self, words: Sequence[Word]) -> None:
        """What the title says."""
        told = tuple(words)
        if told != self._told:
            self._told = told
            self._title.update(self._content(), layout=False)

    def repaint_title(self) -> None:
        """After a change of theme."""
        self._title.update(self._content(), layout=False)

    def _content(self) -> Content:
        return styled(self._told or (), ansi=self.app.native_ansi_color)

    def want(self, rows: int) -> None:
        """How many rows there are to show; `Lanes.divide` then gives the lane its lines."""
        self.need = TITLE + HEADER + rows if rows else TITLE
