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

from widgets.table import BoardTable, Column
from widgets.words import Word, styled

TITLE = 1
"""Lines of a lane's title."""
HEADER = 1
"""Lines of a table's header."""
LEAST_ROWS = 3
"""Rows that a lane is worth having open for."""
TWO_COLUMNS = 150
"""Cells from which on lanes stand in two columns."""


def share(needs: Sequence[int], room: int, favoured: int = 0) -> list[int]:
    """Lines for each lane, given how many each could use (1 is an empty lane: its title alone).

    Nobody gets more than it needs while another has too little; what nobody needs goes to the last lane that has rows.
    Where little room is left, the ``favoured`` lane and then the upper ones get enough to be read, the others their
    title; where there is not even room for titles, the last lanes get nothing.
    """
    if not needs:
        return []
    if sum(needs) <= room:
        given = list(needs)
        open_lanes = [index for index, need in enumerate(needs) if need > TITLE]
        if open_lanes:
            given[open_lanes[-1]] += room - sum(needs)
        return given
    order = sorted(range(len(needs)), key=lambda index: index != favoured)
    given = [0] * len(needs)
    for index in order[: max(0, room)]:
        given[index] = TITLE
    spare = room - sum(given)
    for index in order:
        wanted = min(needs[index] - TITLE, HEADER + LEAST_ROWS)
        taken = wanted if wanted <= spare else spare if index == favoured else 0
        given[index] += taken if given[index] else 0
        spare = room - sum(given)
    while spare > 0:
        hungry = [index for index, need in enumerate(needs) if TITLE < given[index] < need]
        if not hungry:
            # Nobody that is open needs more: the favoured one takes it rather than a lane that could not be read.
            given[favoured] += spare
            break
        given[min(hungry, key=lambda index: given[index])] += 1
        spare -= 1
    return given


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
    double = size.width >= TWO_COLUMNS and len(lanes) > 1
    left = (size.width - 1) // 2 if double else size.width
    regions: list[Region] = []
    columns = [lanes[0::2], lanes[1::2]] if double else [lanes]
    heights = [_share(column, size.height) for column in columns]
    tops = [0] * len(columns)
    for index in range(len(lanes)):
        column = index % len(columns)
        height = heights[column][index // len(columns)]
        x, width = (left + 1, size.width - left - 1) if column else (0, left)
        regions.append(Region(x, tops[column], width, height))
        tops[column] += height
    return regions


def _share(lanes: Sequence[LanePanel], room: int) -> list[int]:
    favoured = next((index for index, lane in enumerate(lanes) if lane.favoured), 0)
    return share([lane.need for lane in lanes], room, favoured)


class Lanes(Widget):
    """Holds `LanePanel`s, and nothing else."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    _by_need = _ByNeed()

    @property
    def layout(self) -> Layout:
        """Lines by need."""
        return self._by_need

    def divide(self) -> None:
        """Divide the lines anew if the lanes' needs ask for it."""
        lanes = [lane for lane in self.children if isinstance(lane, LanePanel) and lane.display]
        wanted = places(lanes, self.size)
        if lanes and any(lane.outer_size != region.size for lane, region in zip(lanes, wanted, strict=True)):
            lanes[0].refresh(layout=True)


class LanePanel(Widget):
    """One lane: `title` says what it holds, `table` shows it.  An empty lane is its title alone."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, columns: Sequence[Column], *, ascii_only: bool = False, name: str | None = None) -> None:
        super().__init__(name=name)
        self.table = BoardTable(columns, ascii_only=ascii_only)
        self.need = TITLE
        self.favoured = False
        self._title = Static(markup=False, classes="lane-title")
        self._told: tuple[Word, ...] | None = None

    def compose(self) -> ComposeResult:
        yield self._title
        yield self.table

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
