"""A field of a wall: lines of words as they are given, of which only those that differ are written again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from statusboard.text import cell_len, clip
from widgets.words import Word, rich_style, width_of

Line = tuple[Word, ...]
"""Words from left to right; the rest of the line is blank."""


class WallCanvas(Widget):
    """Shows `Line`s from its top; a line that is equal to what stands there costs no byte.

    The compositor crops an update on its right only: what changes often belongs into a narrow canvas of its own.
    """

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = "WallCanvas { height: 1fr; width: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._faint = False
        self._styles: dict[str, Style] = {}

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    def show(self, lines: Sequence[Line], *, faint: bool = False) -> None:
        """Show these lines from now on; ``faint``: dimmed, where colours cannot be chosen."""
        before, self._lines = self._lines, tuple(lines)
        if faint != self._faint:
            self._faint = faint
            self.repaint()
            return
        width = self.size.width
        for y in range(max(len(before), len(self._lines))):
            old = before[y] if y < len(before) else ()
            new = self._lines[y] if y < len(self._lines) else ()
            if old != new and width:
                self.refresh(Region(0, y, max(width_of(old), width_of(new), 1), 1))

    def repaint(self) -> None:
        """Colours are others now."""
        self._styles.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        """The theme has changed, or this widget's own style."""
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """Line ``y``, as wide as the widget."""
        width = self.size.width
        base = self.rich_style
        if y >= len(self._lines):
            return Strip.blank(width, base)
        room = width
        segments: list[Segment] = []
        for text, name in self._lines[y]:
            shown = clip(text, room)
            if shown:
                segments.append(Segment(shown, base + self._style(name)))
                room -= cell_len(shown)
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = rich_style(name, ansi=self.app.native_ansi_color)
            if self._faint:
                style += Style(dim=True)
            self._styles[name] = style
        return style
