"""The app of a process that is a wall and nothing else: no lanes, no cursor, nothing of the last run."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from statusboard.app import BoardApp

if TYPE_CHECKING:
    from statusboard.board import Delta
    from statusboard.engine import Engine
    from statusboard.screens.settings import Settings


class WallApp(BoardApp):
    """Shows the wall as soon as the engine has read its store, and ends at a key pressed twice."""

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
        self._give_notice(live)
        # What is in memory now stays: the collector need not look at it again.
        gc.enable()
        gc.freeze()

    def _hear(self, delta: Delta) -> None:
        """The wall listens itself."""
