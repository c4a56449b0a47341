"""The lines of a table: cells laid out, styled and joined into strips.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final, NamedTuple

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from statusboard.text import cell_len, clip
from widgets.joining import Palette, blank_alike, joined
from widgets.layout import GUTTER, Layout

Cell = tuple[str, str]
"""(text, style name). The text is cleaned (`statusboard.text.clean`) and is never read as markup; a style name is one
of `STYLE_NAMES`, or "" for the row's own style. An unknown name counts as ""."""


class RowCells(Struct, frozen=True):
    """What a row shows: cells by column id (a missing one is blank), and the style name of its plain cells.

    With ``line`` it has no columns: these words stand side by side over the whole width.  A ``marked`` row has a sign
    before its first column, as long as no cursor stands there.
    """

    cells: Mapping[str, Cell]
    row_style: str = ""
    line: tuple[Cell, ...] = ()
    marked: bool = False


class Line(NamedTuple):
    """A line ready to be shown: its cells as they are compared (gutter first), and the strip that is painted."""

    cells: tuple[tuple[Segment, ...], ...]
    strip: Strip
    row: RowCells | None = None


PLAIN, MARKED, CURSOR = range(3)
"""How a row is drawn: as any other, with the faint mark of an unfocused cursor, or under the cursor."""
NO_PALETTE: Final = Palette(Style(), Style(), Style(), Style(), {})
_BLANK: Final[Cell] = ("", "")
_NO_STYLE: Final = Style()


class LineMaker:
    """Makes the lines of one table, by its layout and its colours, each of which may be set anew."""

    def __init__(self, layout: Layout, *, ascii_only: bool) -> None:
        self.layout = layout
        self._palette = NO_PALETTE
        self._marks = (" ", "-", ">") if ascii_only else (" ", "▏", "▌")
        self._changed_mark = "*" if ascii_only else "✱"  # as wide as `*` in every terminal, as a bullet is not
        self._styles_of: dict[tuple[str, str], tuple[Style, Style]] = {}

    @property
    def palette(self) -> Palette:
        """The colours."""
        return self._palette

    @palette.setter
    def palette(self, palette: Palette) -> None:
        self._palette = palette
        self._styles_of.clear()

    def row(self, row: RowCells, look: int) -> Line:
        """A row in one of the looks."""
        palette = self._palette
        mark_style = (palette.base, palette.marked, palette.cursor)[look]
        mark = self._marks[look]
        if row.marked and look != CURSOR:
            mark, mark_style = self._changed_mark, palette.base + palette.named["marker"]
        cells = [self._gutter(mark, mark_style)]
        if row.line:
            return self._line((*cells, self._across(row, mark_style if look == CURSOR else None)), row)
        for index, column in enumerate(self.layout.columns):
            text, name = row.cells.get(column.id, _BLANK)
            if look == CURSOR:
                # One style for the whole row: no state's colour is sure to be legible on the cursor's.
                style = blank = mark_style
            else:
                style, blank = self._style_of(row.row_style, name)
            cells.append(self._cell(index, text, style, blank))
        return self._line(tuple(cells), row)

    def header(self) -> Line:
        """The titles of the columns."""
        style = self._palette.header
        titles = (self._cell(i, column.title, style, style) for i, column in enumerate(self.layout.columns))
        return self._line((self._gutter(" ", style), *titles))

    def message(self, strips: Iterable[Strip]) -> list[Line]:
        """A text in lines of at most two cells less than the table has, one cell clear of either edge."""
        width, base = self.layout.width, self._palette.base
        lines = []
        for strip in strips:
            rest = Segment(" " * (width - GUTTER - strip.cell_length), base)
            lines.append(self._line(((*self._gutter(" ", base)[:GUTTER], *strip, rest),)))
        return lines

    def blank(self) -> Line:
        """A line of a table with nothing on it."""
        return self._line(((Segment(" " * self.layout.width, self._palette.base),),))

    def _gutter(self, mark: str, style: Style) -> tuple[Segment, ...]:
        """The cells before the first column: all of them when there is no column."""
        layout = self.layout
        return (Segment(mark.ljust(layout.starts[0] if layout.starts else layout.width)[: layout.width], style),)

    def _across(self, row: RowCells, only: Style | None) -> tuple[Segment, ...]:
        """The words of a row without columns, in the style ``only`` if there is one."""
        layout = self.layout
        room = max(0, layout.width - (layout.starts[0] if layout.starts else layout.width))
        segments: list[Segment] = []
        for text, name in row.line:
            text = clip(text, room)
            room -= cell_len(text)
            segments.append(Segment(text, only or self._style_of(row.row_style, name)[0]))
        return (*segments, Segment(" " * room, only or self._style_of(row.row_style, "")[0]))

    def _cell(self, index: int, text: str, style: Style, blank: Style) -> tuple[Segment, ...]:
        """Text of column `index`, aligned, with what divides it from the next column."""
        layout = self.layout
        width = layout.widths[index]
        text = clip(text, width)
        padding = " " * (width - cell_len(text))
        divider = " " * (layout.ends[index] - layout.starts[index] - width)
        if layout.columns[index].align == "right":
            before, after = padding, divider
        else:
            before, after = "", padding + divider
        if style == blank:
            return (Segment(before + text + after, style),)
        return (Segment(before, blank), Segment(text, style), Segment(after, blank))

    def _line(self, cells: tuple[tuple[Segment, ...], ...], row: RowCells | None = None) -> Line:
        segments = joined(chain.from_iterable(cells), self._palette.base)
        return Line(cells, Strip(segments, self.layout.width), row)

    def _style_of(self, row_name: str, name: str) -> tuple[Style, Style]:
        """The style of a cell's text, and the one of the blank around it."""
        styles = self._styles_of.get((row_name, name))
        if styles is None:
            named = self._palette.named
            row = self._palette.base + named.get(row_name, _NO_STYLE)
            style = row + named.get(name, _NO_STYLE)
            styles = self._styles_of[row_name, name] = (style, style if blank_alike(style, row) else row)
        return styles

    def difference(self, old: Line, new: Line) -> tuple[int, int]:
        """From which cell to before which one two lines differ; (0, 0) if they do not."""
        if len(old.cells) != len(new.cells):
            return 0, self.layout.width
        different = [index for index, (a, b) in enumerate(zip(old.cells, new.cells, strict=True)) if a != b]
        if not different:
            return 0, 0
        starts = (0, *self.layout.starts)
        if len(new.cells) != len(starts):
            return 0, self.layout.width
        last = different[-1]
        end = self.layout.ends[last - 1] if last else GUTTER
        before, after = old.cells[last], new.cells[last]
        if len(before) == len(after) == 1 and before[0].style == after[0].style:
            # Where only the text differs, what both have blank at their ends need not be painted.
            end = starts[last] + max(cell_len(before[0].text.rstrip()), cell_len(after[0].text.rstrip()))
        return starts[different[0]], end
