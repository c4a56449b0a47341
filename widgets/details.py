"""The pane that tells everything of one item: headings, labels, values that wrap beside their label.

Only the lines that are in sight are drawn, and of those only what looks different: a description of 10 kB and a
hundred labels cost no more than a few words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from statusboard.text import cell_len, clip, fit, safe_url
from widgets.words import Word, rich_style

Line = tuple[str, str | tuple[Word, ...], str]
"""(label, text or words, style name of what has none). Words are parted before one that begins with a blank."""
Section = tuple[str, Sequence[Line]]
"""(heading, lines). One without a heading stands at the top."""

LABEL: Final = 16
"""Cells that a label may take at most, with the blanks after it."""
LEAST: Final = 24
"""Cells that a value needs to stand beside its label."""
AIRY: Final = 16
"""Lines from which on sections are parted by a blank one."""


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` cells, broken at blanks where that is possible."""
    if width <= 0:
        return []
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        while cell_len(word) > width:
            if line and cell_len(line) < width - 1:
                room = width - cell_len(line) - 1
                head = _head(word, room)
                line, word = f"{line} {head}" if head else line, word[len(head) :]
            lines += [line] if line else []
            line = ""
            if cell_len(word) <= width:
                break
            head = _head(word, width) or word[0]
            lines.append(head)
            word = word[len(head) :]
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
        else:
            lines.append(line)
            line = word
    return [*lines, line] if line or not lines else lines


def _head(word: str, cells: int) -> str:
    """The longest beginning of at most ``cells`` cells."""
    if cells <= 0:
        return ""
    if word.isascii():
        return word[:cells]
    end = 0
    while end < len(word) and cell_len(word[: end + 1]) <= cells:
        end += 1
    return word[:end]


def wrap_words(words: Sequence[Word], width: int) -> list[list[Word]]:
    """Words in lines of at most ``width`` cells.

    A word that begins with a blank, and those that follow it without one, go to the next line together, without that
    blank, where they do not fit any more.  What is longer than a line is broken as `wrap` breaks it.
    """
    lines: list[list[Word]] = [[]]
    used = 0
    for group in _groups(words):
        needed = sum(cell_len(text) for text, _ in group)
        if used and used + needed > width:
            lines.append([])
            used = 0
        if not used:
            group = [(group[0][0].lstrip(" "), group[0][1]), *group[1:]]
        for text, style in group:
            pieces = [text] if used + cell_len(text) <= width else wrap(text, width)
            if len(pieces) > 1 and used:
                lines.append([])
                used = 0
            for number, piece in enumerate(pieces):
                if number or used + cell_len(piece) > width:
                    lines.append([])
                    used = 0
                lines[-1].append((piece, style))
                used += cell_len(piece)
    return [[word for word in line if word[0]] for line in lines]


def _groups(words: Sequence[Word]) -> list[list[Word]]:
    groups: list[list[Word]] = []
    for text, style in words:
        if groups and not text.startswith(" "):
            groups[-1].append((text, style))
        else:
            groups.append([(text, style)])
    return groups


class Row(NamedTuple):
    """A line of the pane: its words, and where its last one leads."""

    words: list[Word]
    url: str = ""


def lay_sections(sections: Iterable[Section], width: int, *, airy: bool = True) -> list[Row]:
    """The sections as lines.  A link that takes several lines leads to the whole URL from each.

    Labels take no more room than those of their section need.  ``airy``: a blank line stands between two sections.
    """
    rows: list[Row] = []
    for heading, lines in sections:
        if rows and airy:
            rows.append(Row([]))
        if heading:
            rows.append(Row([(clip(heading, width), "heading")]))
        rows += _lay_lines(lines, width, indent=1 if heading else 0)
    return rows


def _lay_lines(lines: Sequence[Line], width: int, indent: int) -> list[Row]:
    rows: list[Row] = []
    longest = max((cell_len(label) for label, _, _ in lines), default=0)
    column = min(LABEL, longest + 2) if longest else 0
    beside = width - indent - column >= LEAST
    lead = indent + (column if beside else min(column, 1))
    for label, value, style in lines:
        before = " " * lead
        if label and beside:
            before = " " * indent + fit(label, column - 2) + "  "
        elif label:
            rows.append(Row([(clip(" " * indent + label, width), "muted")]))
        if isinstance(value, str):
            url = safe_url(value) if style == "link" else ""
            laid = [[(piece, style)] for piece in wrap(value, width - lead)]
        else:
            url = ""
            laid = wrap_words([(text, name or style) for text, name in value], width - lead)
        for words in laid:
            rows.append(Row([(before, "muted"), *words] if before else words, url))
            before = " " * lead
    return rows


class DetailsPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Everything that is known of the item under the cursor.  Mounted once, shown and hidden."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", "Down", show=False, id="details.down"),
        Binding("k,up", "scroll_up", "Up", show=False, id="details.up"),
        Binding("g,home", "scroll_home", "Begin", show=False, id="details.first"),
        Binding("G,end", "scroll_end", "End", show=False, id="details.last"),
        Binding("pagedown,ctrl+d", "page_down", "Page down", show=False, id="details.page_down"),
        Binding("pageup,ctrl+u", "page_up", "Page up", show=False, id="details.page_up"),
    ]

    def __init__(self, *, links: bool = True, id: str | None = None) -> None:
        """``links``: what leads somewhere is told to the terminal as a link (OSC 8), so that it can be clicked."""
        super().__init__(id=id)
        self._links = links
        self._sections: tuple[Section, ...] = ()
        self._subject = ""
        self._laid_for: tuple[int, bool] = (0, False)
        self._is_old = False  # told of something while it was not seen
        self._rows: list[Row] = []
        self._styles_of: dict[str, Style] = {}
        self._links_to: dict[str, Style] = {}
        self._base = Style()

    # -- what the owner calls

    def show(self, subject: str, sections: Iterable[Section]) -> None:
        """Show these sections; another ``subject`` than before is shown from its beginning."""
        self._sections = tuple(sections)
        another = subject != self._subject
        if another:
            self._links_to.clear()
        self._subject = subject
        self._lay(anew=True)
        if another:
            self.scroll_home(animate=False)

    def repaint(self) -> None:
        """After a change of theme."""
        self._styles_of.clear()
        self.refresh()

    # -- lines

    def on_resize(self) -> None:
        """Lines break elsewhere."""
        self._lay()

    def _lay(self, *, anew: bool = False) -> None:
        """Lay the lines for the size there is, and repaint those in sight that look different."""
        width, height = self.scrollable_content_region.size
        size = (width - 2, height >= AIRY)  # a cell is left blank at either side
        if not self.display or width <= 2:
            self._is_old = self._is_old or anew
            return
        if not (anew or self._is_old or size != self._laid_for):
            return
        self._is_old = False
        before, self._rows = self._rows, lay_sections(self._sections, size[0], airy=size[1])
        resized = size != self._laid_for
        self._laid_for = size
        if len(before) != len(self._rows):
            self._resize_content(Size(width, len(self._rows)))
        if resized:
            self.refresh()
            return
        top = self.scroll_offset.y
        different = [y for y in range(height) if self._at(before, top + y) != self._at(self._rows, top + y)]
        if different:
            self.refresh(*(Region(0, y, width, 1) for y in different))

    def _resize_content(self, size: Size) -> None:
        """Tell Textual how many lines there are.

        The reactive `virtual_size` lays out the whole screen, which depends on it only where the scrollbar comes or
        goes.
        """
        overflows = size.height > self.container_size.height
        if not self.is_mounted or overflows != self.show_vertical_scrollbar:
            self.virtual_size = size
            return
        self.set_reactive(Widget.virtual_size, size)
        if overflows:
            self.vertical_scrollbar.window_virtual_size = size.height
        if self.scroll_y > self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y)

    @staticmethod
    def _at(rows: Sequence[Row], index: int) -> Row | None:
        return rows[index] if index < len(rows) else None

    def scroll_to(self, x: float | None = None, y: float | None = None, **options: Any) -> None:
        """As Textual's, but at once: an animated board is unreadable, and costs a repaint a frame."""
        super().scroll_to(x, y, **(options | {"animate": False}))

    # -- painting

    def notify_style_update(self) -> None:
        """Textual applied styles: of another theme, of the focus, of a class."""
        super().notify_style_update()
        self._styles_of.clear()

    def render_line(self, y: int) -> Strip:
        """Line ``y`` of what is in sight."""
        if not self._styles_of:
            self._base = self.rich_style
        width = self.scrollable_content_region.width
        row = self._at(self._rows, self.scroll_offset.y + y)
        segments = [Segment(" ", self._base)]
        used = 1
        for number, (text, name) in enumerate(row.words if row is not None else ()):
            style = self._style(name)
            if row is not None and row.url and self._links and number == len(row.words) - 1:
                style += self._link(row.url)
            segments.append(Segment(text, style))
            used += cell_len(text)
        segments.append(Segment(" " * max(0, width - used), self._base))
        return Strip(segments, max(width, used)).crop(0, width)

    def _link(self, url: str) -> Style:
        # One style a URL: its lines share an id, by which a terminal knows them for one link.
        style = self._links_to.get(url)
        if style is None:
            style = self._links_to[url] = Style(link=url)
        return style

    def _style(self, name: str) -> Style:
        style = self._styles_of.get(name)
        if style is None:
            style = self._styles_of[name] = self._base + rich_style(name, ansi=self.app.native_ansi_color)
        return style
