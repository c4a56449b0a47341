"""The line or two at the top of the board: words by importance, as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from statusboard.text import cell_len, clip
from widgets.words import Word, styled, width_of

GAP = "  "
CLOCK_WIDTH = 8


def lay_words(words: Sequence[Word], width: int, lines: int) -> list[list[Word]]:
    """The words in order on at most ``lines`` lines of ``width`` cells; what no longer fits is left out.

    The first word is always there, clipped if it must be: it is the verdict.
    """
    rows: list[list[Word]] = [[]]
    for position, (text, name) in enumerate(words):
        if not text:
            continue
        if position == 0:
            rows[0].append((clip(text, width), name))
            continue
        needed = cell_len(text) + (len(GAP) if rows[-1] else 0)
        if width_of(rows[-1]) + needed > width:
            if len(rows) < lines and cell_len(text) <= width:
                rows.append([])
            else:
                continue
        if rows[-1]:
            rows[-1].append((GAP, ""))
        rows[-1].append((text, name))
    return rows


class Headline(Widget):
    """The board's header: the verdict first, a clock of fixed width at the right."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._words: tuple[Word, ...] = ()
        self._corner: tuple[Word, ...] = ()
        self._shown: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="headline-words", markup=False)
        yield Static(" " * CLOCK_WIDTH, id="headline-clock", markup=False)

    def show(self, words: Sequence[Word], corner: Sequence[Word] = ()) -> None:
        """``words`` by importance; ``corner`` stands at the right, above or beside them, where there is room."""
        self._words, self._corner = tuple(words), tuple(corner)
        self._paint()

    def tick(self, time: str) -> None:
        """What the clock says, in at most `CLOCK_WIDTH` cells."""
        if self.is_mounted:
            self.query_one("#headline-clock", Static).update(Content(clip(time, CLOCK_WIDTH)), layout=False)

    def on_resize(self) -> None:
        """Another width holds other words."""
        self._paint()

    def _paint(self) -> None:
        if not self.is_mounted or not self.size:
            return
        field = self.query_one("#headline-words", Static)
        width, lines = field.size
        ansi = self.app.native_ansi_color
        corner_width = width_of(self._corner) + len(GAP) if self._corner else 0
        rows = lay_words(self._words, width, lines)
        if corner_width:
            for row in rows:
                free = width - width_of(row)
                if free >= corner_width:
                    row += [(" " * (free - corner_width + len(GAP)), ""), *self._corner]
                    break
        content = Content("\n").join([styled(row, ansi=ansi) for row in rows])
        state = (content.markup, width, lines, ansi)
        if state != self._shown:
            self._shown = state
            field.update(content, layout=False)
