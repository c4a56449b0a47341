"""The very first picture of the board: what was known last, drawn by one widget that costs next to nothing.

It stands until the lanes themselves are ready. Every row is shown as what it was, in the colour of stale things.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from statusboard.text import cell_len, clip, fit
from widgets.layout import (
    GUTTER,
    HEADER,
    LEAST_HEIGHT,
    LEAST_WIDTH,
    LOW,
    ONE_LINE,
    TITLE,
    Column,
    Layout,
    lay_out,
    place,
)


class GlanceLane(NamedTuple):
    """A lane as it was: its name, how many rows there were, and the uppermost of them as texts by column id."""

    name: str
    told: str
    columns: Sequence[Column]
    rows: Sequence[dict[str, str]]


class Picture(NamedTuple):
    """All of it. `verdict` is never one of now."""

    verdict: str
    title: str
    counts: Sequence[str]
    lanes: Sequence[GlanceLane]


Line = list[tuple[str, str]]
"""(text, component class) from left to right."""


class Glance(Widget):
    """Draws a `Picture` as the board would, without tables, titles or anything else that must be mounted."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "glance--verdict",
        "glance--head",
        "glance--title",
        "glance--columns",
        "glance--row",
    }

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self._picture = picture
        self._lines: list[Line] = []
        self._size_of_lines = (-1, -1)

    def render_line(self, y: int) -> Strip:
        """Line ``y``."""
        if self._size_of_lines != self.size:
            self._size_of_lines = self.size
            self._lines = draw(self._picture, *self.size)
        if y >= len(self._lines):
            return Strip.blank(self.size.width, self.rich_style)
        style = self.get_component_rich_style
        strip = Strip([Segment(text, style(name) if name else self.rich_style) for text, name in self._lines[y]])
        return strip.adjust_cell_length(self.size.width, self.rich_style)


def draw(picture: Picture, width: int, height: int) -> list[Line]:
    """The picture in lines of ``width`` cells."""
    verdict = clip(picture.verdict, width - 1)
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return [[(fit(verdict, width), "glance--verdict")]]
    counts = "  ".join(picture.counts)
    rest = width - 1 - cell_len(verdict)
    if width >= ONE_LINE or height < LOW:
        lines = [_head(verdict, f"  {picture.title}  {counts}", rest)]
    else:
        lines = [_head(verdict, f"  {picture.title}", rest), [(fit(f" {counts}", width), "glance--head")]]
    room = height - len(lines) - (1 if height >= LOW else 0)
    needs = [TITLE + HEADER + len(lane.rows) if lane.rows else TITLE for lane in picture.lanes]
    pieces: list[list[tuple[int, Line]]] = [[] for _ in range(room)]
    for lane, (x, top, cells, count) in zip(picture.lanes, place(needs, width, room), strict=True):
        for number, line in enumerate(_lane(lane, cells, count)):
            pieces[top + number].append((x, line))
    rows = [_beside(row) for row in pieces]
    bottom: Line = [(fit(" reading…", width), "glance--head")]
    return [*lines, *rows, bottom] if height >= LOW else [*lines, *rows]


def _beside(pieces: list[tuple[int, Line]]) -> Line:
    """Lanes that stand side by side, as one line."""
    row: Line = []
    for x, line in sorted(pieces, key=lambda piece: piece[0]):
        used = sum(cell_len(text) for text, _ in row)
        row += [(" " * (x - used), ""), *line]
    return row


def _head(verdict: str, text: str, room: int) -> Line:
    return [(" ", "glance--head"), (verdict, "glance--verdict"), (fit(text, room), "glance--head")]


def _lane(lane: GlanceLane, width: int, height: int) -> list[Line]:
    if height < 1:
        return []
    lines: list[Line] = [[(fit(f" {lane.name}   {lane.told}", width), "glance--title")]]
    if height < TITLE + HEADER:
        return lines
    # One cell less: the board keeps it for the scrollbar.
    layout = lay_out(lane.columns, width - 1)
    titles = {column.id: column.title for column in lane.columns}
    lines.append([(fit(_row(layout, titles), width), "glance--columns")])
    lines += [[(fit(_row(layout, row), width), "glance--row")] for row in lane.rows[: height - TITLE - HEADER]]
    return lines


def _row(layout: Layout, cells: dict[str, str]) -> str:
    text = " " * GUTTER
    for column, start, width in zip(layout.columns, layout.starts, layout.widths, strict=True):
        cell = clip(cells.get(column.id, ""), width)
        text += " " * (start - cell_len(text))
        text += " " * (width - cell_len(cell)) + cell if column.align == "right" else cell
    return text
