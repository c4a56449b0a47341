"""What every app of ours is on a terminal: its look, plain notices, and faults told in one line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from textual.app import App, ReturnType
from textual.filter import LineFilter

from statusboard import crash
from statusboard.text import clean
from statusboard.themes import THEMES, Look, PlainSigns

log = logging.getLogger("statusboard.app")


class TerminalApp(App[ReturnType]):
    """``farewell`` and ``return_code`` tell how it ended."""

    TITLE = "statusboard"
    NOTIFICATION_TIMEOUT = 4

    def __init__(self, look: Look) -> None:
        # A filter that takes all colour away is chosen in the constructor, by whether colours are the terminal's own.
        super().__init__(ansi_color=True if look.no_color else None)
        self.look = look
        self.farewell = ""
        self._plain = PlainSigns(look.encoding)
        self._crashed: BaseException | None = None
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = look.theme if look.theme in self.available_themes else THEMES[0].name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, and one for terminals that have few signs."""
        filters = super().get_line_filters()
        return [*filters, self._plain] if self.look.ascii_only else filters

    def leave(self, code: int, farewell: str = "") -> None:
        """End, with an exit code and a line for the person."""
        self.farewell = self.farewell or farewell
        self.exit(return_code=code)

    async def close(self) -> None:
        """After the app has run: give back what it held."""

    def say(self, text: str, *, severity: str = "information") -> None:
        """A short notice, always as plain text."""
        self.notify(clean(text, 200), severity=severity, markup=False)  # type: ignore[arg-type]

    # -- faults of ours

    def _handle_exception(self, error: Exception) -> None:
        """As Textual's, but no traceback reaches the screen: it would show what stood in local variables."""
        if self._crashed is None:
            self._crashed = error
            self.farewell = crash.told(error)
            if self._exception is None:
                self._exception = error
                self._exception_event.set()
        self._return_code = crash.EXIT_BUG
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        self._handle_exception(self._exception or RuntimeError("an error that was not told"))

    def panic(self, *renderables: object) -> None:
        """As Textual's, without showing anything: it is called with a traceback when the keyboard cannot be read."""
        if sys.__stdin__ is not None and sys.__stdin__.isatty():
            self._handle_exception(RuntimeError("the keyboard cannot be read"))
        else:
            log.info("the terminal is gone")
            self.leave(0)

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()
