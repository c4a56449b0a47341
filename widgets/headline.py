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
REVISION_WIDTH = 10


def lay_all(
    words: Sequence[Word], more: Sequence[Word], corner: Sequence[Word], width: int, lines: int
) -> list[list[Word]]:
    """As `lay_words`, with ``corner`` at the right of the first line that has room for it.

    Where none has, the least important words of the last line give way to it, never the verdict.
    """
    rows = lay_words(words, more, width, lines)
    if not corner:
        return rows
    needed = width_of(corner) + len(GAP)
    if all(width - width_of(row) < needed for row in rows):
        rows = lay_words(words, more, width, lines, spare=needed)
    for row in rows:
        free = width - width_of(row)
        if free >= needed:
            row += [(" " * (free - needed + len(GAP)), ""), *corner]
            break
    return rows


def lay_words(
    words: Sequence[Word], more: Sequence[Word], width: int, lines: int, *, spare: int = 0
) -> list[list[Word]]:
    """``words`` and then ``more``, by importance, on one line or two of ``width`` cells; what does not fit is left out.

    Of two lines the second is for ``more``, and what it cannot hold goes where the first has room.  The very first word
    is always there, clipped if it must be: it is the verdict.  The last line is left ``spare`` cells.
    """
    first: list[Word] = [(clip(text, width), name) for text, name in words[:1]]
    if lines < 2:
        _append(first, [*words[1:], *more], width - spare)
        return [first]
    rest = _append(first, words[1:], width)
    second: list[Word] = []
    _append(first, _append(second, [*rest, *more], width - spare), width)
    return [first, second]


def _append(row: list[Word], words: Sequence[Word], width: int) -> list[Word]:
    """Adds to a row what it can hold; returns what it cannot."""
    left: list[Word] = []
    used = width_of(row)
    for text, name in words:
        if not text:
            continue
        needed = cell_len(text) + (len(GAP) if row else 0)
        if used + needed > width:
            left.append((text, name))
            continue
        if row:
            row.append((GAP, ""))
        row.append((text, name))
        used += needed
    return left


class Headline(Widget):
    """The board's header: the verdict first, a clock of fixed width at the right."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._words: tuple[Word, ...] = ()
        self._more: tuple[Word, ...] = ()
        self._corner: tuple[Word, ...] = ()
        self._shown: object = None
        self._field = Static(id="headline-words", markup=False)
        self._clock = Static(" " * CLOCK_WIDTH, id="headline-clock", markup=False)

    def compose(self) -> ComposeResult:
        yield self._field
        yield self._clock

    def show(self, words: Sequence[Word], more: Sequence[Word], corner: Sequence[Word]) -> None:
        """``words`` and ``more`` by importance; ``corner`` stands at the right, see `lay_all`."""
        self._words, self._more, self._corner = tuple(words), tuple(more), tuple(corner)
        self._paint()

    def tick(self, time: str, revision: str) -> None:
        """What the clock says, with the revision beside it where there is room: once a second, whatever changes."""
        if self.is_mounted:
            text = clip(time, CLOCK_WIDTH)
            if not self.has_class("-narrow"):
                text = f"{clip(revision, REVISION_WIDTH):>{REVISION_WIDTH}} {text}"
            if str(self._clock.content) != text:  # at a past moment it stands
                self._clock.update(Content(text), layout=False)

    def on_resize(self) -> None:
        """Another width holds other words."""
        self._paint()

    def _paint(self) -> None:
        if not self.is_mounted or not self.size:
            return
        width, lines = self._field.size
        ansi = self.app.native_ansi_color
        rows = lay_all(self._words, self._more, self._corner, width, lines)
        content = Content("\n").join([styled(row, ansi=ansi) for row in rows])
        state = (content.markup, width, lines, ansi)
        if state != self._shown:
            self._shown = state
            self._field.update(content, layout=False)
