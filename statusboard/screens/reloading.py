"""A running board that follows its config: what changes there is on the screen within two seconds.

What is broken keeps what is in force, and says so in the notice under the header until it is mended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import structs

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.engine import Engine
    from statusboard.reloading import ConfigFile
    from statusboard.screens.live import Live
    from statusboard.screens.settings import Settings
    from statusboard.wiring import Wiring

log = logging.getLogger("statusboard.app")

LOOK_EVERY: Final = 1.0


class Shown(Protocol):
    """What a reloader needs of the app."""

    @property
    def live(self) -> Live | None: ...
    @property
    def shows_wall(self) -> bool:
        """Whether nobody is there who could have changed it."""

    def use_settings(self, settings: Settings) -> None:
        """Show these in the place of those so far."""

    def say(self, text: str, *, severity: str = "information") -> None:
        """A short notice."""


class Reloader:
    """Reads the config for the app at first, and applies what changes in it afterwards.

    ``find`` gives the config file: in a thread, after the first paint.  ``adapt`` makes the settings those of this
    process (a wall of one view); it raises `StatusboardError` where they cannot be.
    """

    def __init__(
        self,
        find: Callable[[], ConfigFile],
        *,
        read_only: bool = False,
        demo: bool = False,
        adapt: Callable[[Settings], Settings] = lambda settings: settings,
    ) -> None:
        self._find = find
        self._read_only = read_only
        self._demo = demo
        self._adapt = adapt
        self._file: ConfigFile | None = None
        self._wiring: Wiring | None = None
        #: What of the config that was read last waits for a restart.
        self._waits = ""

    def load(self) -> tuple[Settings, Engine]:
        """The settings and the engine to begin with.  Blocks.  Raises `ConfigError`."""
        from statusboard.screens.settings import settings_of
        from statusboard.wiring import Wiring

        self._file = self._find()
        config = self._file.load()
        settings = self._adapt(settings_of(config, demo=self._demo))
        self._wiring = Wiring(config, read_only=self._read_only)
        return settings, self._wiring.engine

    async def follow(self, app: Shown) -> None:
        """Look once a second, for as long as the app runs."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.look(app)
            except Exception:  # boundary: a board must not end for a change of its config
                log.exception("the changed config was not applied")
                self._waits = "the changed config was not applied whole: a fault of ours, the log has the details"

    async def look(self, app: Shown) -> None:
        """Apply what has changed since the last look, and say what is wrong."""
        file, wiring, live = self._file, self._wiring, app.live
        if file is None or wiring is None or live is None:
            return
        before = file.config
        changed = await file.look()
        if changed is not None and before is not None:
            await self._apply(app, live, wiring, before, changed)
        live.config_notice = file.notice or self._waits

    async def _apply(self, app: Shown, live: Live, wiring: Wiring, before: Config, config: Config) -> None:
        from statusboard.errors import StatusboardError
        from statusboard.reloading import differences
        from statusboard.screens.settings import settings_of

        self._waits = await wiring.apply(config)
        settings = await asyncio.to_thread(settings_of, config, demo=self._demo)
        if wiring.config is not config:  # the sources are still those of the store that is shown
            kept = live.settings
            settings = structs.replace(
                settings, reads=kept.reads, services=kept.services, environments=kept.environments
            )
        try:
            settings = self._adapt(settings)
        except StatusboardError as error:
            self._waits = f"not all of the changed config is shown: {error}"
        else:
            app.use_settings(settings)
        differing = ", ".join(differences(before, config))
        if differing:
            log.info("the config has changed: %s", self._waits or differing)
        if differing and not self._waits and not app.shows_wall:
            app.say(f"config: {differing}")
