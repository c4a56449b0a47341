"""How the demo's board comes by its past: it is made by another process while the board is up, and joined then.

The board polls into a store of its own from the first second.  When the history is there, what was stored meanwhile is
put behind it, and the board goes on with that: to the board it is as if it had been there all the time.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import groupby
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import msgspec

from statusboard.clock import EPOCH
from statusboard.errors import StoreError
from statusboard.model import Change, Draft
from statusboard.screens.work import begin_work
from statusboard.store.base import Batch, Store, Watched
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
            await continue_with(store, live)
        except BaseException:
            await store.close()
            raise
        return store


async def continue_with(store: SQLiteStore, live: Store) -> None:
    """Put behind the history in ``store`` what ``live`` holds, as far as it says anything new."""
    known = {row.key: row.body for row in (await store.snapshot()).rows}
    batches: list[Batch] = []
    for at, changes in groupby(await _all(live), key=_observed_at):
        drafts = []
        for change in changes:
            if known.get(change.key) == change.body or (change.type == "source.starting" and change.key in known):
                continue
            drafts.append(_draft(change))
            if change.body is None:
                del known[change.key]
            else:
                known[change.key] = change.body
        batches.append(Batch(observed_at=at, drafts=tuple(drafts)))
    stretches = await live.coverage()
    first = [Watched(source=c.source, part=c.part, at=c.since, gap=0.0) for c in stretches]
    last = [Watched(source=c.source, part=c.part, at=c.last_success, gap=inf) for c in stretches]
    statuses = tuple(await live.statuses())
    batches.append(Batch(observed_at=EPOCH, watched=(*first, *last), statuses=statuses))
    lease = await store.lease("poll", "demo")
    await store.append_all(batches, lease)
    if lease is not None:
        await store.register(await live.registered(), lease)
        await store.release(lease)


async def _all(store: Store) -> list[Change]:
    """All that is stored so far."""
    found: list[Change] = []
    newest = (await store.health()).seq
    if newest:
        async for changes in store.changes(0):
            found += changes
            if found[-1].seq >= newest:
                break
    return found


def _observed_at(change: Change) -> datetime:
    return change.observed_at


def _draft(change: Change) -> Draft:
    return Draft(
        key=change.key,
        kind=change.kind,
        source=change.source,
        type=change.type,
        origin=change.origin,
        body=change.body,
        part=change.part,
        time=change.time,
    )
