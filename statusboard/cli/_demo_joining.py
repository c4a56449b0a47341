"""How the demo's board comes by its past: it is made by another process while the board is up, and joined then.

The board polls into a store of its own from the first second.  When the history is there, what was stored meanwhile is
put behind it, and the board goes on with that: to the board it is as if it had been there all the time.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import msgspec

from statusboard.errors import StoreError
from statusboard.screens.work import begin_work
from statusboard.store.base import Store
from statusboard.store.continuing import continue_with
from statusboard.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from statusboard.app import BoardApp
    from statusboard.demo import Demo
    from statusboard.engine import Engine

log = logging.getLogger("statusboard.demo")

LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether the board is there yet."""


class Joining:
    """While it is entered the history of ``demo`` is made at ``path``, and joined to what ``app`` shows.

    ``config``: the file with the demo's configuration.
    """

    def __init__(self, demo: Demo, config: Path, path: Path, app: BoardApp) -> None:
        world = demo.world
        self._order = {
            "config": str(config),
            "path": str(path),
            "seed": world.seed,
            "size": world.size,
            "speed": world.speed,
            "start": world.start,
            "urls": dict(demo.urls),
            "log": str(demo.log_path),
        }
        self._path = path
        self._app = app
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Joining:
        self._task = asyncio.create_task(self._run(), name="the demo's past")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        # What is first on the screen must not have to share the machine.
        while self._app.live is None:  # noqa: ASYNC110 - nobody is told when the board is live
            await asyncio.sleep(LOOK_EVERY)
        engine = self._app.live.engine
        try:
            made = await self._make()
        except OSError as error:
            log.error("the demo goes on without its past: %s", error)
            return
        if made:
            # A worker of the app: what the board is told is told to the screen as well.
            begin_work(self._app, partial(self._join, engine), name="the demo's past")

    async def _make(self) -> bool:
        """Have the history made; whether it was."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "statusboard.cli._demo_past",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, told = await process.communicate(msgspec.json.encode(self._order))
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            log.error("the demo's past could not be made: %s", told.decode(errors="replace")[-2_000:])
        return process.returncode == 0

    async def _join(self, engine: Engine) -> None:
        await engine.ready.wait()
        try:
            await engine.go_on_with(self._path, self._continue)
        except StoreError as error:
            log.error("the demo goes on without its past: %s", error)

    async def _continue(self, live: Store) -> Store:
        """The history, and behind it what the live board has stored so far."""
        store = SQLiteStore(self._path)
        await store.open()
        try:
            lease = await store.lease("poll", "demo")
            await continue_with(store, live, lease)
            if lease is not None:
                await store.release(lease)
        except BaseException:
            await store.close()
            raise
        return store
