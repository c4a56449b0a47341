"""The table that every lane of the board uses: up to 50,000 keyed rows on Textual's Line API.

Only visible rows are ever asked for. After each change the table compares what a line shows with what it should show,
and repaints from the first cell that differs to the last one; what is equal or out of sight costs no byte. The
compositor crops an update on its right only, so columns that change often belong on the left.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence, Set
from pathlib import Path
from typing import Any, ClassVar, Self

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from widgets.joining import Palette
from widgets.layout import Column, Place, follow, lay_out
from widgets.lines import CURSOR, MARKED, PLAIN, Cell, Line, LineMaker, RowCells
from widgets.placed import PlacedScrollBar
from widgets.words import rich_style

__all__ = ["STYLE_NAMES", "BoardTable", "Cell", "Column", "Place", "RowCells", "follow", "lay_out"]

STYLE_NAMES = (
    *("critical", "high", "medium", "low", "info", "unknown"),
    *("failed", "warning", "running", "success"),
    *("muted", "stale", "link", "plain", "marker"),
)
"""Styles by meaning, those of `widgets.words`: component classes would be computed anew whenever anything is styled."""

_KEPT_LINES = 500  # of 6 kB each: four lanes must not cost more than 12 MB


class BoardTable(ScrollView, inherit_bindings=False):
    """Keyed rows under a cursor. Give it `set_source` once and `set_rows` whenever the order or a content changes."""

    ALLOW_SELECT = False
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "board-table--header",
        "board-table--cursor",
        "board-table--cursor-blurred",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_down", "Down", show=False, id="table.down"),
        Binding("k,up", "cursor_up", "Up", show=False, id="table.up"),
        Binding("g,home", "first", "First", show=False, id="table.first"),
        Binding("G,end", "last", "Last", show=False, id="table.last"),
        Binding("pagedown", "page_down", "Page down", show=False, id="table.page_down"),
        Binding("pageup", "page_up", "Page up", show=False, id="table.page_up"),
        Binding("ctrl+d", "half_page_down", "Half a page down", show=False, id="table.half_page_down"),
        Binding("ctrl+u", "half_page_up", "Half a page up", show=False, id="table.half_page_up"),
        Binding("enter", "select", "Details", show=False, id="table.select"),
    ]

    show_header: reactive[bool] = reactive(True)
    """Whether the first line holds the titles of the columns."""

    class Highlighted(Message):
        """The cursor is on another key, by a person or because its row went; None: there are no rows."""

        def __init__(self, table: BoardTable, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> BoardTable:
            """The table that sent this."""
            return self.table

    class Scrolled(Message):
        """Other rows are above those in sight, or another number of them."""

        def __init__(self, table: BoardTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> BoardTable:
            """The table that sent this."""
            return self.table

    class Selected(Message):
        """Enter or a double click on the row of `key`."""

        def __init__(self, table: BoardTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> BoardTable:
            """The table that sent this."""
            return self.table

    class HeaderClicked(Message):
        """A person clicked the title of a column."""

        def __init__(self, table: BoardTable, column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> BoardTable:
            """The table that sent this."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column] = (),
        *,
        show_header: bool = True,
        empty: Content | None = None,
        ascii_only: bool = False,
        shy: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        """`empty` is shown when there are no rows. `ascii_only` marks the cursor with a sign that any font has. A
        `shy` table shows no cursor before a person has asked for one: every row has its own colours."""
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self.set_reactive(BoardTable.show_header, show_header)
        self._shy = shy
        self._columns = tuple(columns)
        self._empty = empty or Content("")
        self._render_row: Callable[[str], RowCells] = lambda key: RowCells({})
        self._keys: list[str] = []
        self._cursor = -1
        self._cursor_key: str | None = None
        self._held = False  # a person has placed the cursor
        self._cursor_in_sight = True
        self._rows_above = 0
        self._maker = LineMaker(lay_out((), 0), ascii_only=ascii_only)
        self._palette_is_old = True
        self._lines: OrderedDict[tuple[str, int], Line] = OrderedDict()
        self._shown: list[Line | None] = []
        self._header_line: Line | None = None
        self._blank_line: Line | None = None
        self._empty_lines: list[Line] = []
        self._bar_cells: list[Segment] = []

    # -- what the owner calls

    @property
    def held(self) -> bool:
        """Whether a person has placed the cursor."""
        return self._held

    @property
    def cursor_key(self) -> str | None:
        """The key under the cursor; None when there are no rows."""
        return self._cursor_key

    @property
    def row_count(self) -> int:
        """How many rows there are, seen or not."""
        return len(self._keys)

    @property
    def rows_above(self) -> int:
        """How many rows stand above those in sight."""
        return self._rows_above

    @property
    def kept_lines(self) -> int:
        """How many painted lines are kept for the next time; at most 500."""
        return len(self._lines)

    def set_source(self, render: Callable[[str], RowCells]) -> None:
        """`render` makes the cells of a key; it must not raise for any key of the last `set_rows`.

        It is called for visible rows only, while painting: after a resize too, when some may have gone meanwhile.
        """
        self._render_row = render
        self._lines.clear()
        self._paint()

    @property
    def shown_columns(self) -> list[str]:
        """The ids of the columns that there is room for, from left to right."""
        return [column.id for column in self._maker.layout.columns]

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Replaces the columns, in the order they are shown; the same ones again cost nothing."""
        if tuple(columns) == self._columns:
            return
        self._columns = tuple(columns)
        self._maker.layout = lay_out((), 0)
        self._paint()

    def set_empty(self, message: Content) -> None:
        """What to show when there are no rows."""
        if message != self._empty:
            self._empty = message
            self._empty_lines = []
            if not self._keys:
                self._paint()

    def set_rows(self, keys: Sequence[str], changed: Collection[str] = ()) -> None:
        """The rows are `keys` (unique), in this order; those in `changed` may show something else than before.

        A key that is new, or unchanged but moved, need not be in `changed`; `keys` itself says that any may be. The
        sequence may be one given before, altered in place.
        """
        everything = changed is keys
        keys = list(keys)
        if keys != self._keys:
            # A key that comes back later may show something else by then.
            present = set(keys)
            for gone in [line for line in self._lines if line[0] not in present]:
                del self._lines[gone]
        top, page = self.scroll_offset.y, self._page
        before = self._cursor_key
        # A cursor that nobody has seen yet waits at the top, whatever comes in there.
        followed = before if self._step else None
        place = follow(keys, Place(self._cursor, top), followed, self._keys[top : top + page], page, self._held)
        self._keys = keys
        self._cursor = place.cursor
        self._cursor_key = keys[place.cursor] if keys else None
        self._forget({key for key, _ in self._lines} if everything else changed, keys[place.top : place.top + page])
        self._resize_content()
        self._scroll_to_row(place.top)
        if self._cursor_key != before:
            self.post_message(self.Highlighted(self, self._cursor_key))

    def move_to(self, key: str) -> bool:
        """Puts the cursor on `key` and brings it into view; False if there is no such row."""
        try:
            index = self._keys.index(key)
        except ValueError:
            return False
        self._move(index)
        return True

    # -- the cursor

    def hold(self) -> None:
        """Shows the cursor where it is, as if a person had placed it there."""
        self._move(self._cursor)

    def action_cursor_down(self) -> None:
        """One row down; a cursor that was not shown yet is shown where it is."""
        self._move(self._cursor + self._step)

    def action_cursor_up(self) -> None:
        """One row up; a cursor that was not shown yet is shown where it is."""
        self._move(self._cursor - self._step)

    @property
    def _step(self) -> int:
        return 0 if self._shy and not self._held else 1

    def action_first(self) -> None:
        """To the first row."""
        self._move(0)

    def action_last(self) -> None:
        """To the last row."""
        self._move(len(self._keys) - 1)

    def action_page_down(self) -> None:
        """Cursor and view one page down."""
        self._move_and_scroll(self._page)

    def action_page_up(self) -> None:
        """Cursor and view one page up."""
        self._move_and_scroll(-self._page)

    def action_half_page_down(self) -> None:
        """Cursor and view half a page down."""
        self._move_and_scroll(max(1, self._page // 2))

    def action_half_page_up(self) -> None:
        """Cursor and view half a page up."""
        self._move_and_scroll(-max(1, self._page // 2))

    def action_select(self) -> None:
        """Opens the row under the cursor."""
        self.hold()
        if self._cursor_key is not None:
            self.post_message(self.Selected(self, self._cursor_key))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a double click opens the row; one on a title tells of the column."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self._header_rows:
            layout = self._maker.layout
            for column, start, end in zip(layout.columns, layout.starts, layout.ends, strict=True):
                if start <= offset.x < end:
                    self.post_message(self.HeaderClicked(self, column.id))
            return
        index = self.scroll_offset.y + offset.y - self._header_rows
        if index < len(self._keys):
            self._move(index)
            if event.chain == 2:
                self.action_select()

    def _move(self, index: int, top: int | None = None) -> None:
        if not self._keys:
            return
        self._held = True
        index = max(0, min(index, len(self._keys) - 1))
        top = self.scroll_offset.y if top is None else top
        if page := self._page:
            top = max(index - page + 1, min(top, index))
        moved = self._keys[index] != self._cursor_key
        self._cursor, self._cursor_key = index, self._keys[index]
        self._scroll_to_row(top)
        if moved:
            self.post_message(self.Highlighted(self, self._cursor_key))

    def _move_and_scroll(self, rows: int) -> None:
        self._move(self._cursor + rows, self.scroll_offset.y + rows)

    # -- size and scrolling

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """As Textual's; another length of it lays nothing out anew."""
        if self._vertical_scrollbar is None:
            bar = PlacedScrollBar(vertical=True, name="vertical", thickness=self.scrollbar_size_vertical)
            bar.display = False
            self._vertical_scrollbar = bar
            self.app._start_widget(self, bar)
        return self._vertical_scrollbar

    @property
    def _header_rows(self) -> int:
        return 1 if self.show_header else 0

    @property
    def _page(self) -> int:
        """How many rows fit; 0 while the table is not laid out."""
        return max(0, self.scrollable_content_region.height - self._header_rows)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """All there is: a table has no width of its own."""
        return container.width

    def _resize_content(self) -> None:
        """Tells Textual how many lines there are.

        The reactive `virtual_size` repaints the whole table and lays out the screen, although neither depends on the
        number of rows, unless the scrollbar comes or goes or the table is as high as its rows.
        """
        size = Size(1, len(self._keys) + self._header_rows)
        if size == self.virtual_size:
            return
        overflows = size.height > self.container_size.height
        if not self.is_mounted or self.styles.is_auto_height or overflows != self.show_vertical_scrollbar:
            self.virtual_size = size
        else:
            self.set_reactive(Widget.virtual_size, size)

    def _scroll_to_row(self, top: int) -> None:
        """Makes `top` the first visible row, as far as there are rows, and paints once, scrolled or not."""
        top = max(0, min(top, len(self._keys) - self._page))
        self.set_reactive(Widget.scroll_y, float(top))
        self.set_reactive(Widget.scroll_target_y, float(top))
        self._paint_scrollbar()
        self._paint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled by wheel, scrollbar or Textual itself."""
        self._paint_scrollbar()
        if round(old_value) != round(new_value):
            self._paint()

    def scroll_to(self, x: float | None = None, y: float | None = None, **options: Any) -> None:
        """As Textual's, but at once: an animated board is unreadable, and costs a repaint a frame."""
        super().scroll_to(x, y, **(options | {"animate": False}))

    def _paint_scrollbar(self) -> None:
        """Brings the scrollbar up to date, repainting only the cells that look different."""
        if not self.show_vertical_scrollbar:
            return
        bar = self.vertical_scrollbar
        page = self.scrollable_content_region.height
        bar.set_reactive(ScrollBar.window_virtual_size, self.virtual_size.height)
        bar.set_reactive(ScrollBar.window_size, page)
        bar.set_reactive(ScrollBar.position, self.scroll_y)
        cells = bar.renderer.render_bar(
            page, self.virtual_size.height, page if page < self.virtual_size.height else 0, self.scroll_y
        ).segments
        if len(cells) != len(self._bar_cells):
            bar.refresh()
        else:
            different = [y for y, (new, old) in enumerate(zip(cells, self._bar_cells, strict=True)) if new != old]
            if different:
                bar.refresh(*(Region(0, y, 1, 1) for y in different))
        self._bar_cells = cells

    def on_resize(self) -> None:
        """Keeps a cursor in sight that was in sight before."""
        if self._cursor_in_sight and self._cursor >= 0 and (page := self._page):
            top = self.scroll_offset.y
            self._scroll_to_row(max(self._cursor - page + 1, min(top, self._cursor)))
        else:
            self._paint()

    def watch_show_header(self) -> None:
        """The header takes a line from the rows."""
        self._resize_content()
        self._paint()

    # -- painting

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As Textual's; a repaint of everything may be due to other styles, here or in an ancestor."""
        if repaint and not regions:
            self._palette_is_old = True
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """Textual applied styles: of another theme, of the focus, of a class."""
        super().notify_style_update()
        self._palette_is_old = True

    def render_lines(self, crop: Region) -> list[Strip]:
        """Called by the compositor; whatever the lines depend on is brought up to date first."""
        self._prepare()
        lines = super().render_lines(crop)
        if crop.size == self.size:
            # A new layout paints what waited to be repainted, and Textual would paint it again with the next cell.
            self._repaint_regions.clear()
        return lines

    def render_line(self, y: int) -> Strip:
        """Line `y` of what is visible, the header first."""
        line = self._line_at(y)
        if y < len(self._shown):
            self._shown[y] = line
        return line.strip

    def _prepare(self) -> None:
        """Follows changes of size, columns and styles, each of which makes every line void."""
        width, height = self.scrollable_content_region.size
        void = False
        if self._palette_is_old and self.is_mounted:
            self._palette_is_old = False
            palette = self._resolve_palette()
            before = self._maker.palette
            if palette != before:
                # The focus changes the header alone.
                void = palette._replace(header=before.header) != before
                self._maker.palette = palette
                self._header_line = None
        if width != self._maker.layout.width:
            self._maker.layout = lay_out(self._columns, width)
            void = True
        if void:
            self._lines.clear()
            self._header_line = self._blank_line = None
            self._empty_lines = []
        if void or height != len(self._shown):
            self._shown = [None] * height

    def _paint(self) -> None:
        """Repaints the cells that no longer show what they should."""
        if not self.is_mounted:
            return
        if not self.size:  # not shown: what Textual keeps of it must not come back as it was
            super().refresh()
            return
        self._prepare()
        top, page = self.scroll_offset.y, self._page
        self._cursor_in_sight = top <= self._cursor < top + page
        if top != self._rows_above:
            self._rows_above = top
            self.post_message(self.Scrolled(self))
        width = self._maker.layout.width
        regions: list[Region] = []
        for y, old in enumerate(self._shown):
            new = self._line_at(y)
            if new is old:
                continue
            self._shown[y] = new
            x, end = (0, width) if old is None else self._maker.difference(old, new)
            if end > x:
                regions.append(Region(x, y, end - x, 1))
        if regions:
            self.refresh(*regions)

    def _forget(self, changed: Collection[str], visible: Sequence[str]) -> None:
        """Drops the lines of changed keys, except of those that are visible and turn out to be equal."""
        lines = self._lines
        if len(changed) > len(lines):
            keys = changed if isinstance(changed, Set) else set(changed)
            changed = {key for key, _ in lines if key in keys}
        seen = set(visible)
        for key in changed:
            for look in (PLAIN, MARKED, CURSOR):
                line = lines.get((key, look))
                if line is not None and not (key in seen and line.row == self._render_row(key)):
                    del lines[key, look]

    # -- lines

    def _line_at(self, y: int) -> Line:
        y -= self._header_rows
        if y < 0:
            if self._header_line is None:
                self._header_line = self._maker.header()
            return self._header_line
        index = self.scroll_offset.y + y
        if index < len(self._keys):
            look = PLAIN
            if index == self._cursor and (self._held or not self._shy):
                look = CURSOR if self.has_focus else MARKED if self._held else PLAIN
            return self._row_line(self._keys[index], look)
        if not self._keys and self._empty:
            if not self._empty_lines:
                self._empty_lines = self._maker.message(
                    Visual.to_strips(self, self._empty, max(1, self._maker.layout.width - 2), None, self.visual_style)
                )
            if y < len(self._empty_lines):
                return self._empty_lines[y]
        if self._blank_line is None:
            self._blank_line = self._maker.blank()
        return self._blank_line

    def _row_line(self, key: str, look: int) -> Line:
        lines = self._lines
        line = lines.get((key, look))
        if line is None:
            line = lines[key, look] = self._maker.row(self._render_row(key), look)
            if len(lines) > _KEPT_LINES:
                lines.popitem(last=False)
        else:
            lines.move_to_end((key, look))
        return line

    # -- styles

    def _resolve_palette(self) -> Palette:
        return Palette(
            self.rich_style,
            self.get_component_rich_style("board-table--header"),
            self.get_component_rich_style("board-table--cursor"),
            self.get_component_rich_style("board-table--cursor-blurred"),
            {name: rich_style(name, ansi=self.app.native_ansi_color) for name in STYLE_NAMES},
        )
