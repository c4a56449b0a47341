"""Reading a board once: what a live board has stored if that is young enough, else one round of all sources."""

from __future__ import annotations

import asyncio
from datetime import datetime

from statusboard import sourcing
from statusboard.engine import Engine
from statusboard.errors import StoreError, Timeout

#: Seconds between two looks at what whoever polls has done.
LOOK_EVERY = 1.0


async def read_once(engine: Engine, *, force: bool = False, deadline: float = 30.0) -> frozenset[str]:
    """Start the engine and return when its board is worth showing, with the sources that were not read in time.

    What is stored counts as live while every source was attempted less than one interval ago.  With ``force``, or
    where it is older, this process polls once, or asks the one that polls and waits for it, at most ``deadline``
    seconds.  A source that this process could not read by then is failed, on the board and in the store.
    """
    asked_at = engine.clock.now()
    engine.keep_polling = False
    await engine.start()
    if engine.role == "reading" or (not force and engine.setups and young(engine, asked_at)):
        return frozenset()
    try:
        async with asyncio.timeout(deadline):
            await _round(engine, asked_at)
    except TimeoutError:
        late = Timeout(f"not read within {deadline:g} s")
        polls = engine.poller is not None
        unread = await engine.give_up(asked_at, late) if polls else _unread(engine, asked_at)
    else:
        unread = frozenset()
    if engine.ingest is not None:
        await engine.settled(engine.ingest.mark)
    engine.judge_ages()  # of what was old when the board was opened, and has been read since
    return unread


async def _round(engine: Engine, since: datetime) -> None:
    """One round of all sources: our own, or that of whoever polls; should it die meanwhile, ours."""
    await engine.refresh()
    while True:
        if engine.poller is not None:
            if await engine.poll_once():
                return
            continue
        try:
            if await _others_read(engine, since):
                return
            await engine.store.wait_activity(LOOK_EVERY)
        except StoreError:
            await engine.clock.sleep(LOOK_EVERY / 4)  # the engine is about to replace it


def young(engine: Engine, now: datetime) -> bool:
    """Whether every configured source was attempted, as it is configured now, less than one interval ago.

    A source that a person has paused is as young as it can be.
    """
    for name, setup in engine.setups.items():
        health, status = engine.board.health.get(name), engine.statuses.get(name)
        if health is None or name in engine.renewed:
            return False
        if health.state == "paused":
            continue
        if status is None or status.last_attempt is None:
            return False
        # One that lies ahead was told by a clock that has been set back since.
        if abs((now - status.last_attempt).total_seconds()) > setup.interval:
            return False
    return True


def _unread(engine: Engine, since: datetime) -> frozenset[str]:
    """The sources that were not attempted since then."""
    unread: set[str] = set()
    for name in engine.setups:
        health = engine.board.health.get(name)
        if health is not None and health.state == "paused":
            continue
        if sourcing.late(engine.statuses.get(name), since):
            unread.add(name)
    return frozenset(unread)


async def _others_read(engine: Engine, since: datetime) -> bool:
    """Whether whoever polls has attempted every source since then; if so, the board shows it."""
    engine.statuses = {status.source: status for status in await engine.store.statuses()}
    if _unread(engine, since):
        return False
    await engine.settled((await engine.store.health()).seq)
    return True
