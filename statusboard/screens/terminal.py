"""What every app of ours is on a terminal: its look, plain notices, and faults told in one line."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual.app import ReturnType
from textual.filter import LineFilter
from textual.notifications import Notification, Notify
from textual.screen import SystemModalScreen
from textual.theme import Theme
from textual.worker import Worker, WorkerFailed, active_worker

from statusboard import crash
from statusboard.palettes import Palette
from statusboard.paths import log_file
from statusboard.screens.keyboard import KeyByKey
from statusboard.screens.work import VITAL, called
from statusboard.text import clean
from statusboard.themes import ANSI, ANSI_LIGHT, THEMES, Look, NoColors, PlainSigns, theme_of

log = logging.getLogger("statusboard.app")

MOUSE_MODES = (1000, 1003, 1015, 1006)
"""Private modes of xterm that tell a program of buttons, of motion, and in which form; Textual asks for these."""
FAULT_FOR = 15.0
"""Seconds for which a notice of a fault of ours stands."""
_TELL_EVERY = 60.0
"""Seconds in which one and the same fault is logged and told once: some work is done again several times a second."""


class TerminalApp(KeyByKey[ReturnType]):
    """``farewell`` and ``return_code`` tell how it ended."""

    TITLE = "statusboard"
    NOTIFICATION_TIMEOUT = 4
    # Text is selected by the terminal; Textual's own selection fails on a widget that goes while it is clicked on.
    ALLOW_SELECT = False
    CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")

    def __init__(self, look: Look, palettes: Iterable[Palette] = ()) -> None:
        """``palettes`` are themes beside our own."""
        # A filter that takes all colour away is chosen in the constructor, by whether colours are the terminal's own.
        super().__init__(ansi_color=True if look.no_color else None)
        self.no_color = look.no_color  # Textual asks the environment alone
        self.look = look
        self._colorless = NoColors()
        self.mouse = True
        self.farewell = ""
        self._plain = PlainSigns(look.encoding, few_signs=look.few_signs)
        self._crashed: BaseException | None = None
        self._said: Notification | None = None
        self._faults: dict[tuple[str, str], float] = {}
        self.own_themes: tuple[Theme, ...] = (ANSI, ANSI_LIGHT) if look.own_colors else THEMES
        for theme in self.own_themes:
            self.register_theme(theme)
        self.add_themes(palettes)
        self.theme = look.theme if look.theme in self.available_themes else self.own_themes[0].name

    def add_themes(self, palettes: Iterable[Palette]) -> None:
        """Offer these themes, too.  In a terminal that has no colours for them it stays as it is."""
        if self.look.own_colors:
            return
        added = {palette.name: theme_of(palette) for palette in palettes}
        self.own_themes = (*THEMES, *added.values())
        for theme in added.values():
            before = self.get_theme(theme.name)
            self.register_theme(theme)
            if theme.name == self.theme and theme != before and self.is_running:
                self._watch_theme(theme.name)

    def use_theme(self, name: str) -> None:
        """Another theme, one of `own_themes`."""
        if any(theme.name == name for theme in self.own_themes):
            self.theme = name

    def use_look(self, look: Look) -> None:
        """Another look for the same terminal, for instance by another config."""
        self.look = look
        self._plain = PlainSigns(look.encoding, few_signs=look.few_signs)
        self.use_theme(look.theme)

    def refresh_css(self, animate: bool = True) -> None:
        """As Textual's, which forgets the palette where that is on top: it tries on themes."""
        super().refresh_css(animate=animate)
        top = self.screen_stack[-1:]
        if top and isinstance(top[0], SystemModalScreen):
            self.stylesheet.update(top[0], animate=animate)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, and those for terminals that have few signs or no colours."""
        filters = [*super().get_line_filters()]
        if self.look.ascii_only:
            filters.append(self._plain)
        if self.look.no_color:
            filters.append(self._colorless)
        return filters

    def leave(self, code: int, farewell: str = "") -> None:
        """End, with an exit code and a line for the person."""
        self.farewell = self.farewell or farewell
        self.exit(return_code=code)

    async def close(self) -> None:
        """After the app has run: give back what it held."""

    def say(self, text: str, *, severity: str = "information") -> None:
        """A short notice in answer to a key, always as plain text; it takes the place of the answer before."""
        line = clean(text, 200)
        said = Notification(line, severity=severity, timeout=self.NOTIFICATION_TIMEOUT, markup=False)  # type: ignore[arg-type]
        if self._said is not None and self._said in self._notifications:
            self._unnotify(self._said, refresh=False)  # a key pressed five times must not cover five rows
        self._said = said if severity == "information" else None
        self.post_message(Notify(said))

    def on_mount(self) -> None:
        """Textual asks for the mouse again whenever the program comes back from the background."""
        self.app_resume_signal.subscribe(self, lambda _: None if self.mouse else self.use_mouse(False))

    def use_mouse(self, on: bool) -> None:
        """Whether clicks and the wheel are ours; while they are not, the terminal selects text with them."""
        self.mouse = on
        if self._driver is not None:
            self._driver.write("".join(f"\x1b[?{mode}{'h' if on else 'l'}" for mode in MOUSE_MODES))
            self._driver.flush()

    def action_mouse(self) -> None:
        """The mouse for the board, or for the terminal."""
        self.use_mouse(not self.mouse)
        self.say("the mouse is the board's" if self.mouse else "the mouse is the terminal's: select text with it")

    # -- faults of ours

    def _handle_exception(self, error: Exception) -> None:
        """As Textual's, but no traceback reaches the screen: it would show what stood in local variables.

        What fails in a worker that is not vital ends the work, and nothing else.
        """
        worker = active_worker.get(None)
        failed = error.error if isinstance(error, WorkerFailed) else None
        if worker is not None and failed is not None and worker.error is failed and worker.group != VITAL:
            self._work_failed(worker, failed)
            return
        if self._crashed is None:
            self._crashed = error
            self.farewell = crash.told(error)
            if self._exception is None:
                self._exception = error
                self._exception_event.set()
        self._return_code = crash.EXIT_BUG
        self._close_messages_no_wait()

    def _work_failed(self, worker: Worker[object], error: BaseException) -> None:
        """Log it with its traceback, and tell it in words."""
        what, now = called(worker), time.monotonic()
        known = (what, repr(error))
        if now - self._faults.get(known, -_TELL_EVERY) < _TELL_EVERY:
            return
        self._faults = {key: at for key, at in self._faults.items() if now - at < _TELL_EVERY} | {known: now}
        crash.told(error)
        line = clean(f"{what}: {failed_words(error)}", 400)
        self.notify(line, severity="error", timeout=FAULT_FOR, markup=False)

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


def failed_words(error: BaseException) -> str:
    """An unexpected fault of ours as a screen tells it, without what it says: that may be anything."""
    return f"this failed ({type(error).__name__}), the log has it: {log_file()}"
