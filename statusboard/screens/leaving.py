"""What a screen is that lies on top of another one and is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.await_complete import AwaitComplete
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Static

from widgets.layout import LEAST_HEIGHT, LEAST_WIDTH

if TYPE_CHECKING:
    _Base = Screen[Any]
else:
    _Base = object


class LeftOnce(_Base):
    """A screen that is left once, however many keys or clicks ask for it.

    Textual takes away whatever is on top: the second click of a double click, or the second of two keys that came at
    once, would take the screen below with it.
    """

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """As Textual's, while this screen is on top."""
        if self.app.screen is not self:
            return AwaitComplete()
        leaving: AwaitComplete = super().dismiss(result)
        return leaving


class Needs(Static):
    """What the terminal would have to be."""

    DEFAULT_CSS = """
    Needs { display: none; dock: bottom; height: 1; width: 1fr; background: $panel; color: $text-warning; }
    """

    def __init__(self) -> None:
        super().__init__(f" Needs {LEAST_WIDTH}x{LEAST_HEIGHT}", markup=False)


class OnTop(LeftOnce):
    """A screen that lies on the board, and says so where the terminal is too small for both."""

    def on_resize(self, event: Resize) -> None:
        """The line stands there while it is true."""
        small = event.size.width < LEAST_WIDTH or event.size.height < LEAST_HEIGHT
        needs = self.query(Needs)
        if small and not needs:
            self.mount(Needs())
        self.query(Needs).set(display=small)
