"""The Textual app: one process's board on a terminal.

It paints what was known last, then loads the rest (configuration, sources, HTTP) in a thread, starts the engine, and
gathers what changes into at most four flushes a second.  Widgets never ask a source for anything: what they show came
through the engine's board.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme

from statusboard import crash, front, presenting
from statusboard.board import Delta
from statusboard.clock import Clock, SystemClock
from statusboard.errors import StatusboardError
from statusboard.front import Front
from statusboard.screens.board import BoardScreen
from statusboard.screens.lanes import Cells
from statusboard.screens.settings import Settings
from statusboard.screens.ticking import Ticking
from statusboard.text import clean
from statusboard.themes import ANSI, THEMES, Look, look_of
from statusboard.view import LANES, Lane

if TYPE_CHECKING:
    from textual.command import Provider

    from statusboard.engine import Engine

log = logging.getLogger("statusboard.app")

Load: TypeAlias = "Callable[[], tuple[Settings, Engine]]"
"""Reads the configuration and makes the engine; runs in a thread. StatusboardError tells what a person must mend."""

SCREENS = Path(__file__).parent / "screens"
FLUSH_EVERY = 0.25
AGES_EVERY = 15.0
FRONT_EVERY = 60.0
STOP_WITHIN = 5.0


def board_commands() -> type[Provider]:
    """Imported when the palette is first opened."""
    from statusboard.commands import BoardCommands

    return BoardCommands


class BoardApp(App[None]):
    """The board.  ``run_async``, then ``close``; ``farewell`` and ``return_code`` tell how it ended."""

    TITLE = "statusboard"
    # That of the default screen, too: Textual loads a CSS_PATH only of screens that are pushed.
    CSS_PATH: ClassVar[list[str | PurePath]] = [SCREENS / "app.tcss", SCREENS / "board.tcss"]
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {board_commands}
    NOTIFICATION_TIMEOUT = 4
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("colon,ctrl+p", "command_palette", "Commands", key_display=":", show=False, id="palette"),
        Binding("question_mark", "keys", "Keys of this screen", key_display="?", show=False, id="help"),
        Binding("q", "quit", "Quit", show=False, id="quit"),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", show=False, priority=True, id="quit_always"),
    ]

    def __init__(
        self,
        load: Load,
        *,
        settings: Settings | None = None,
        last: Front | None = None,
        keep_front: Path | None = None,
        look: Look | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``settings`` and ``last`` are those of the last run, for the first paint; ``keep_front`` is where the next
        ones are kept, None for nowhere."""
        self.settings = settings or Settings()
        self.look = look or look_of(os.environ, sys.__stdout__.encoding if sys.__stdout__ else "", self.settings.theme)
        # A filter that takes all colour away is chosen in the constructor, by whether colours are the terminal's own.
        super().__init__(ansi_color=True if self.look.no_color else None)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.look.theme if self.look.theme in self.available_themes else THEMES[0].name
        self.clock: Clock = clock or SystemClock()
        self.glyphs = presenting.ASCII if self.look.ascii_only else presenting.UNICODE
        self.cells = Cells(self.clock, self.glyphs, zone_of(self.settings.timezone), last)
        self.engine: Engine | None = None
        self.farewell = ""
        self._load_engine = load
        self._keep_front = keep_front
        self._board_screen = BoardScreen()
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._flush_is_due = False
        self._flushed = 0.0
        self._kept = 0.0
        self._filled = False
        self._crashed: BaseException | None = None

    # -- its life

    def get_default_screen(self) -> Screen[None]:
        """The board is all there is at first."""
        return self._board_screen

    def on_mount(self) -> None:
        """Timers, and everything that the first paint does not need."""
        self.set_keymap(self.settings.keys)
        self.set_interval(1.0, self._tick)
        self.set_interval(AGES_EVERY, self._board_screen.age_rows)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.run_worker(self._start(), name="start", exclusive=True)

    async def _start(self) -> None:
        try:
            settings, engine = await asyncio.to_thread(self._load_engine)
            self._use(settings)
            self.engine = engine
            engine.subscribe(self._hear)
            await engine.start()
        except StatusboardError as error:
            self.leave(2, str(error))
            return
        self._adopt()

    def _use(self, settings: Settings) -> None:
        """The configuration as it is now may differ from the last run's."""
        if settings == self.settings:
            return
        before, self.settings = self.settings, settings
        self.cells.zone = zone_of(settings.timezone)
        self.set_keymap(settings.keys)
        if settings.theme != before.theme:
            self.use_theme(look_of(os.environ, "utf-8", settings.theme).theme)
        self._board_screen.repaint_words()

    def _adopt(self) -> None:
        """The engine has read its store (once more, perhaps): the rows are those of its board now."""
        engine = self.engine
        if engine is not None and engine.board is not self.cells.board:
            self.cells.go_live(engine.board)
            self._changed.clear()
            self._gone.clear()
            self._board_screen.rebuild()

    def filled(self) -> None:
        """The lanes show all there is: what is in memory now stays, the collector need not look at it again."""
        if self.cells.live and not self._filled:
            self._filled = True
            gc.enable()
            gc.freeze()

    async def close(self) -> None:
        """After the app has run: keep the first screen of the next run, and end the engine."""
        engine = self.engine
        if engine is None:
            return
        if self._keep_front is not None and self.cells.live and self.cells.board is engine.board:
            lanes = {kind: Lane(kind) for kind in LANES}
            for lane in lanes.values():
                lane.rebuild(engine.board, self.clock.now())
            keys = {kind: lane.keys for kind, lane in lanes.items()}
            front.save(self._keep_front, front.make(engine.board, keys, self.clock.now()))
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await engine.stop()
        except TimeoutError:
            log.warning("the engine did not end within %.0f s", STOP_WITHIN)

    def leave(self, code: int, farewell: str = "") -> None:
        """End, with an exit code and a line for the person."""
        self.farewell = self.farewell or farewell
        self.exit(return_code=code)

    # -- following the engine

    def _hear(self, delta: Delta) -> None:
        self._changed |= delta.changed
        self._gone -= delta.changed
        self._gone |= delta.gone
        self._changed -= delta.gone
        if not self._flush_is_due and self.is_running:
            self._flush_is_due = True
            waited = self.clock.monotonic() - self._flushed
            self.set_timer(max(0.01, FLUSH_EVERY - waited), self._apply)

    def _apply(self) -> None:
        self._flush_is_due = False
        self._flushed = self.clock.monotonic()
        engine = self.engine
        if engine is None or not self.cells.live or not self._board_screen.is_attached:
            return
        if engine.board is not self.cells.board:
            self._adopt()
            return
        delta = Delta(frozenset(self._changed), frozenset(self._gone))
        self._changed.clear()
        self._gone.clear()
        if delta:
            self._board_screen.follow(delta)

    def _tick(self) -> None:
        """Once a second: the clock, and what only time changes. What is equal is not written."""
        self._board_screen.repaint_words()
        if isinstance(self.screen, Ticking):
            self.screen.tick()
        now = self.clock.monotonic()
        if now - self._kept >= FRONT_EVERY and self._filled:
            self._kept = now
            self._keep()

    def _keep(self) -> None:
        """Keep the first screen, as far as the lanes hold all there is."""
        screen = self._board_screen
        if self._keep_front is None or not screen.shows_everything or not screen.set.settled:
            return
        keys = {kind: lane.keys for kind, lane in screen.set.lanes.items()}
        made = front.make(self.cells.board, keys, self.clock.now())
        self.run_worker(asyncio.to_thread(front.save, self._keep_front, made), name="front", exit_on_error=False)

    def local_time(self) -> str:
        """The time of day where the board's people are."""
        return f"{self.clock.now().astimezone(self.cells.zone):%H:%M:%S}"

    def known_values(self) -> dict[str, Iterable[str]]:
        """What a filter may ask for, by key, from what is on the board."""
        values: dict[str, set[str]] = {key: set() for key in ("team", "service", "environment", "source", "repository")}
        for row in self.cells.board.items():
            fact = row.fact
            values["source"].add(fact.source)
            for key in ("team", "environment", "repository"):
                values[key].add(getattr(fact, key))
            values["service"].update(getattr(fact, "services", ()))
        return {key: sorted(found - {""}) for key, found in values.items()}

    # -- what people ask for

    def say(self, text: str, *, severity: str = "information") -> None:
        """A short notice, always as plain text."""
        self.notify(clean(text, 200), severity=severity, markup=False)  # type: ignore[arg-type]

    def copy(self, text: str) -> None:
        """To the terminal's clipboard (OSC 52), as one clean line."""
        line = clean(text, 2_000)
        self.copy_to_clipboard(line)
        self.say(f"copied {line}")

    def open_page(self, url: str) -> None:
        """Open a link in a browser, or copy it and say why."""
        from statusboard.browser import open_link

        if not url:
            self.say("this row has no link")
            return
        outcome = open_link(url)
        if outcome.what == "copied":
            self.copy_to_clipboard(clean(url, 2_000))
        self.say(outcome.text, severity="warning" if outcome.what == "refused" else "information")

    async def refresh_sources(self, names: Sequence[str] | None) -> None:
        """Ask for these sources to be read now, or for all."""
        engine = self.engine
        if engine is None or not engine.ready.is_set():
            self.say("not started yet")
            return
        try:
            for name in [None] if names is None else names:
                await engine.refresh(name)
        except StatusboardError as error:
            self.say(str(error), severity="error")
            return
        if engine.role == "reading":
            self.say("this board only follows: whoever polls decides when", severity="warning")
        else:
            self.say("reading " + ("all sources" if names is None else ", ".join(names) or "nothing"))

    def use_theme(self, name: str) -> None:
        """Another theme; without colours there is only one."""
        if self.look.no_color or name not in self.available_themes:
            return
        self.theme = name

    def _watch_theme(self, theme_name: str) -> None:
        super()._watch_theme(theme_name)
        if self.is_running:
            self.call_after_refresh(self._board_screen.theme_changed)

    @property
    def own_themes(self) -> tuple[Theme, ...]:
        """The themes to offer."""
        return (ANSI,) if self.look.no_color else THEMES

    def action_sources(self) -> None:
        """The screen of sources."""
        from statusboard.screens.sources import SourcesScreen

        if not isinstance(self.screen, SourcesScreen):
            self.push_screen(SourcesScreen())

    def action_keys(self) -> None:
        """The keys of the current screen."""
        from statusboard.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    async def action_quit(self) -> None:
        """End the board."""
        self.leave(0)

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
        """As Textual's, without showing anything: it is called with a traceback when reading the keyboard fails."""
        if not self._exit:
            self._handle_exception(RuntimeError("the terminal cannot be read"))

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()


def zone_of(name: str) -> tzinfo:
    """The board's time zone; that of this machine where the config names none."""
    if name:
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            return UTC
    return datetime.now().astimezone().tzinfo or UTC
