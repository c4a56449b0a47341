"""The pane that tells everything of one item: headings, labels, values that wrap beside their label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from statusboard.text import cell_len, clip, fit, safe_url
from widgets.words import Word, styled

Line = tuple[str, str, str]
"""(label, text, style name)."""
Section = tuple[str, Sequence[Line]]
"""(heading, lines)."""

LABEL = 13
"""Cells for a label and the blank after it."""
LEAST = 16
"""Cells that a value needs to stand beside its label."""


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


class Row(NamedTuple):
    """A line of the pane: its words, and where its last one leads."""

    words: list[Word]
    url: str = ""


def lay_sections(sections: Iterable[Section], width: int) -> list[Row]:
    """The sections as lines.  A link that takes several lines leads to the whole URL from each."""
    rows: list[Row] = []
    for heading, lines in sections:
        if rows:
            rows.append(Row([]))
        rows.append(Row([(clip(heading, width), "heading")]))
        for label, text, style in lines:
            beside = width - LABEL >= LEAST
            values = wrap(text, width - LABEL if beside else width - 2)
            if not beside and label:
                rows.append(Row([(clip(label, width), "muted")]))
            for number, value in enumerate(values):
                lead = fit(label if number == 0 else "", LABEL - 1) + " " if beside else "  "
                rows.append(Row([(lead, "muted"), (value, style)], safe_url(text) if style == "link" else ""))
    return rows


class DetailsPane(VerticalScroll, can_focus=True, inherit_bindings=False):
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

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sections: tuple[Section, ...] = ()
        self._subject = ""
        self._shown: object = None
        self._text = Static(markup=False)

    def compose(self) -> ComposeResult:
        yield self._text

    def show(self, subject: str, sections: Iterable[Section]) -> None:
        """Show these sections; another ``subject`` than before is shown from its beginning."""
        self._sections = tuple(sections)
        if subject != self._subject:
            self._subject = subject
            self.scroll_home(animate=False)
        self._paint()

    def on_resize(self) -> None:
        """Lines break elsewhere."""
        self._paint()

    def repaint(self) -> None:
        """After a change of theme."""
        self._shown = None
        self._paint()

    def _paint(self) -> None:
        width = self.scrollable_content_region.width
        if not self.display or width <= 0:
            return
        rows = lay_sections(self._sections, width)
        if rows == self._shown:
            return
        self._shown = rows
        self._text.update(Content("\n").join([self._line(row) for row in rows]))

    def _line(self, row: Row) -> Content:
        content = styled(row.words, ansi=self.app.native_ansi_color)
        if not row.url:
            return content
        return content.stylize(Style(link=row.url), len(content.plain) - len(row.words[-1][0]))
