"""The app of a process that is a wall and nothing else: no lanes, no cursor, nothing of the last run."""

from __future__ import annotations

import gc
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from textual import events

from statusboard.app import BoardApp
from statusboard.screens import presence
from statusboard.screens.work import begin_work

if TYPE_CHECKING:
    from statusboard.board import Delta
    from statusboard.engine import Engine
    from statusboard.screens.settings import Settings


class WallApp(BoardApp):
    """Shows the wall as soon as the engine has read its store, and ends at a key pressed twice."""

    _presence: presence.Presence | None = None

    def _load_all(self) -> tuple[Settings, Engine]:
        loaded = self._load_engine()
        import statusboard.noticing.herald
        import statusboard.screens.wall  # noqa: F401

        return loaded

    async def _go_live(self, engine: Engine, settings: Settings) -> None:
        """The engine has read its store: put up the wall."""
        from statusboard.screens.live import Live
        from statusboard.screens.wall import WallScreen

        self.dress(settings)
        self.set_keymap(settings.keys)
        self.live = live = Live(engine, settings, ascii_only=self.look.ascii_only)
        await self.push_screen(WallScreen(live, locked=True))
        if "SSH_CONNECTION" in os.environ:
            self._presence = presence.Presence(time.monotonic())
            self._presence.guard(time.monotonic)
            self.set_interval(presence.ASK_EVERY, self._ask)
            self._ask()
        begin_work(self, partial(self._give_notice, live), name="notices")
        # What is in memory now stays: the collector need not look at it again.
        gc.enable()
        gc.freeze()

    def _ask(self) -> None:
        """Ask the terminal whether it is there; without an answer nobody sees the wall any more."""
        if self._presence is None or self._driver is None:
            return
        if self._presence.gone(time.monotonic()):
            self.leave(0, "the terminal answers no more")
            return
        self._driver.write(presence.QUESTION)
        self._driver.flush()

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """The terminal has answered."""
        if self._presence is not None:
            self._presence.heard(time.monotonic())

    def _hear(self, delta: Delta) -> None:
        """The wall listens itself."""
