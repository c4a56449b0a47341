"""The Textual app: one process's board on a terminal.

It paints what was known last, then loads the rest (configuration, sources, HTTP) in a thread, starts the engine, and
gathers what changes into at most four flushes a second.  Widgets never ask a source for anything: what they show came
through the engine's board.

Until the first paint nothing is imported that it does not need; hence the imports inside functions.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Event, Key, MouseDown, MouseScrollDown, MouseScrollUp

from statusboard import heap
from statusboard.errors import ConfigError, StatusboardError
from statusboard.screens import first
from statusboard.screens.first import First
from statusboard.screens.guarded import Guarded
from statusboard.screens.keyboard import Typed
from statusboard.screens.terminal import TerminalApp
from statusboard.screens.work import VITAL, begin_work
from statusboard.text import clean
from statusboard.themes import Look, look_of
from widgets.glance import Glance

if TYPE_CHECKING:
    from statusboard.board import Delta
    from statusboard.engine import Engine
    from statusboard.noticing.herald import Herald
    from statusboard.screens.board import BoardScreen
    from statusboard.screens.live import Live
    from statusboard.screens.reloading import Reloader
    from statusboard.screens.settings import Settings

log = logging.getLogger("statusboard.app")

Load: TypeAlias = "Callable[[], tuple[Settings, Engine]]"
"""Reads the configuration and makes the engine; runs in a thread. StatusboardError tells what a person must mend."""

FLUSH_EVERY = 0.25
AGES_EVERY = 15.0
FIRST_EVERY = 60.0
STOP_WITHIN = 5.0
NOTICE_FOR = 8.0
_PRESENCE = (MouseDown, MouseScrollDown, MouseScrollUp)
"""What of the mouse says that somebody is there."""


class BoardApp(TerminalApp[None]):
    """The board.  ``run_async``, then ``close``; ``farewell`` and ``return_code`` tell how it ended."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("colon,ctrl+p", "command_palette", "Commands", key_display=":", show=False, id="palette"),
        Binding("question_mark", "keys", "Keys of this screen", key_display="?", show=False, id="help"),
        Binding("M", "mouse", "The mouse for the board, or to select text", show=False, id="mouse"),
        Binding("ctrl+z", "suspend_process", "To the background: fg brings it back", show=False, id="suspend"),
        Binding("q", "quit", "Quit", show=False, id="quit"),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", show=False, priority=True, id="quit_always"),
    ]

    _board: BoardScreen | None = None  # of the class: a theme is chosen while the base is made

    def __init__(
        self,
        load: Load,
        *,
        last: First | None = None,
        keep_first: Path | None = None,
        title: str = "statusboard",
        look: Look | None = None,
        reloader: Reloader | None = None,
        begin: Callable[[BoardScreen], None] | None = None,
    ) -> None:
        """``last`` is the picture of the last run, ``keep_first`` where the next one is kept, None for nowhere.

        ``reloader`` follows what changes in the configuration.  ``begin`` is called once the board is shown.
        """
        wanted = last.theme if last is not None else ""
        encoding = sys.__stderr__.encoding if sys.__stderr__ is not None else ""  # where Textual draws
        super().__init__(look or look_of(os.environ, encoding, wanted), last.palettes if last is not None else ())
        self.live: Live | None = None
        self._picture = last.picture if last is not None else first.nothing_known(title)
        self._load_engine = load
        self._keep_at = keep_first
        self._reloader = reloader
        self._begin_with = begin
        self._engine: Engine | None = None
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._due = False
        self._flushed = 0.0
        self._herald: Herald | None = None
        self._wanted = ("", "")
        self._first_kept = 0.0
        self.hold_keys()

    # -- its life

    def compose(self) -> ComposeResult:
        """What was known last."""
        yield Glance(self._picture)

    def on_mount(self) -> None:
        """Everything that the first paint does not need comes after it."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        heap.keep_little()
        begin_work(self, self._start, name="start", group=VITAL)

    async def _start(self) -> None:
        try:
            settings, engine = await asyncio.to_thread(self._load_all)
            self._engine = engine
            engine.subscribe(self._hear)
            await engine.open()
        except StatusboardError as error:
            self.leave(2, told(error))
            return
        await self._go_live(engine, settings)
        self.release_keys()
        if self._reloader is not None:
            begin_work(self, partial(self._reloader.follow, self), name="following the config")
        begin_work(self, partial(self._take_part, engine), name="join", group=VITAL)

    async def _take_part(self, engine: Engine) -> None:
        """Poll, if nobody else does: what the store has is on the screen already."""
        try:
            await engine.join()
        except StatusboardError as error:
            self.leave(2, told(error))

    def _load_all(self) -> tuple[Settings, Engine]:
        """In a thread: what takes long to import, and the configuration."""
        loaded = self._load_engine()
        import statusboard.noticing.herald
        import statusboard.screens.board  # noqa: F401

        return loaded

    async def _go_live(self, engine: Engine, settings: Settings) -> None:
        """The engine has read its store: put up the lanes, filled."""
        from statusboard.screens.board import BoardScreen
        from statusboard.screens.live import Live

        self.dress(settings)
        self.set_keymap(settings.keys)
        self.live = live = Live(engine, settings, ascii_only=self.look.ascii_only)
        # What was heard until now is on the board that the lanes are built from.
        self._changed.clear()
        self._gone.clear()
        async for _ in live.lanes.rebuild(live.cells.board, live.clock):
            pass  # it lets others run itself
        self._board = BoardScreen(live)
        await self.push_screen(self._board)
        begin_work(self, partial(self._give_notice, live), name="notices")
        self.set_interval(1.0, self._tick)
        self.set_interval(AGES_EVERY, self._board.age_rows)
        if self._begin_with is not None:
            self._begin_with(self._board)
        self._wake()
        # What is in memory now stays: the collector need not look at it again.
        gc.enable()
        gc.freeze()

    async def close(self) -> None:
        """After the app has run: keep the first picture of the next run, and end the engine."""
        engine = self._engine
        if engine is None:
            return
        if self._herald is not None:
            await self._herald.close()
        if self.live is not None and self._keep_at is not None:
            from statusboard.view import LANES, Lane

            lanes = {kind: Lane(kind) for kind in LANES}
            for lane in lanes.values():
                lane.rebuild(self.live.cells.board, self.live.now)
            keys = {kind: lane.keys for kind, lane in lanes.items()}
            first.save(self._keep_at, first.encode(self.live.cells, keys, self.live.settings, self.live.now))
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await engine.stop()
        except TimeoutError:
            log.warning("the engine did not end within %.0f s", STOP_WITHIN)

    # -- following the engine

    def _hear(self, delta: Delta) -> None:
        """Gather what changed."""
        self._changed |= delta.changed
        self._gone -= delta.changed
        self._gone |= delta.gone
        self._changed -= delta.gone
        self._wake()

    def _wake(self) -> None:
        """Have what was gathered applied, at most four times a second; there is no timer while nothing waits."""
        if (self._changed or self._gone) and not self._due and self._board is not None and self.is_running:
            self._due = True
            waited = asyncio.get_running_loop().time() - self._flushed
            self.set_timer(max(0.01, FLUSH_EVERY - waited), self._apply)

    def _apply(self) -> None:
        self._due = False
        self._flushed = asyncio.get_running_loop().time()
        board, live = self._board, self.live
        if board is None or live is None or not board.is_attached:
            return
        from statusboard.board import Delta

        delta = Delta(frozenset(self._changed), frozenset(self._gone))
        self._changed.clear()
        self._gone.clear()
        if live.engine.board is not live.cells.board:
            # The engine has read its store anew: another board, of which everything may be different.
            live.cells.board = live.engine.board
            board.anew()
        else:
            board.follow(delta)

    def _tick(self) -> None:
        """Once a second: the clock, and what only time changes. What is equal is not written."""
        if self._board is None or not self._board.is_attached:
            return
        self._board.tick()
        now = asyncio.get_running_loop().time()
        if now - self._first_kept >= FIRST_EVERY:
            self._first_kept = now
            self._keep_first()

    def _keep_first(self) -> None:
        """Keep the picture, as far as the lanes hold all there is."""
        live = self.live
        if self._keep_at is None or live is None or not live.lanes.has_everything:
            return
        keys = {kind: lane.keys for kind, lane in live.lanes.lanes.items()}
        made = first.encode(live.cells, keys, live.settings, live.now)
        begin_work(self, partial(asyncio.to_thread, first.save, self._keep_at, made), name="keeping the picture")

    # -- notices of what changed

    async def _give_notice(self, live: Live) -> None:
        """From now on: what is on the board is no news."""
        from statusboard.noticing.herald import Herald

        settings = live.settings
        self._herald = herald = Herald(
            settings.notices,
            live.engine,
            self,
            zone=live.cells.zone,
            chatter=live.chatter,
            secrets=settings.secret_variables,
        )
        live.engine.subscribe(herald.hear)
        await herald.begin()
        self.set_interval(1.0, herald.tick)

    @property
    def shows_wall(self) -> bool:
        """Whether a wall is on top."""
        return isinstance(self.screen, Guarded)

    def show_notice(self, text: str, *, severity: str = "information") -> None:
        """What happened, in one line, or in two: more would cover too many rows."""
        line = clean(text, max(40, 2 * (self.size.width * 4 // 5 - 7)))
        self.notify(line, severity=severity, timeout=NOTICE_FOR, markup=False)  # type: ignore[arg-type]

    def write_to_terminal(self, data: str) -> None:
        """As Textual's bell: the driver writes it whole, between two frames."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(data)

    async def take_key(self, event: Typed) -> None:
        """A key says that somebody is there."""
        if self._herald is not None and isinstance(event, Key):
            self._herald.key_pressed()
        if self._board is not None and isinstance(event, Key):
            self._board.attendance.pressed(event.key)
        await super().take_key(event)

    async def on_event(self, event: Event) -> None:
        """So does the mouse."""
        if self._board is not None and isinstance(event, _PRESENCE) and not event.is_forwarded:
            self._board.attendance.pressed()
        await super().on_event(event)

    # -- what people ask for

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
        if self.live is None:
            return
        engine = self.live.engine
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

    def use_settings(self, settings: Settings) -> None:
        """Those of another configuration, in the place of those so far."""
        if self.live is None:
            return
        before = self.live.settings
        self.live.use(settings)
        self.dress(settings)
        if settings.keys != before.keys:
            self.set_keymap(settings.keys)
        if self._herald is not None:
            self._herald.use(settings.notices, zone=self.live.cells.zone, secrets=settings.secret_variables)
        if self._board is not None and settings != before:
            self._board.settings_changed(before)

    def dress(self, settings: Settings) -> None:
        """The themes that a config adds, the one that it names, and its signs."""
        self.add_themes(settings.palettes)
        wanted = (settings.theme, settings.glyphs)
        if wanted != self._wanted:  # what was picked in the palette outlives a config that says the same as before
            self._wanted = wanted
            self.use_look(look_of(os.environ, self.look.encoding, *wanted))

    def _watch_theme(self, theme_name: str) -> None:
        super()._watch_theme(theme_name)
        if self._board is not None:
            self.call_after_refresh(self._board.theme_changed)

    def action_command_palette(self) -> None:
        """Commands by name."""
        from statusboard.commands import BoardPalette

        if self.live is not None and not isinstance(self.screen, BoardPalette):
            self.push_screen(BoardPalette())

    def action_sources(self) -> None:
        """The view of the sources, or back from there."""
        if self._board is not None:
            self._board.show_layout("sources")

    def action_keys(self) -> None:
        """The keys of the current screen."""
        from statusboard.screens.help import HelpScreen

        if self.live is not None and not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_wall(self) -> None:
        """The wall."""
        from statusboard.keys import key_name
        from statusboard.screens.wall import WallScreen

        if self.live is not None and not isinstance(self.screen, WallScreen):
            self.push_screen(WallScreen(self.live))
            self.say(f"{key_name(self.live.keys_of('leave_wall')[0])} leaves the wall")

    async def action_quit(self) -> None:
        """End the board, unless the screen wants to be asked once more."""
        if not isinstance(self.screen, Guarded) or self.screen.may_end():
            self.leave(0)


def told(error: StatusboardError) -> str:
    """What a person must mend, as the command line tells it."""
    if isinstance(error, ConfigError):
        return "\n".join(f"config: {problem}" for problem in error.problems)
    return f"statusboard: {error}"
