"""Reading a board once: what a live board has stored if that is young enough, else one round of all sources."""

from __future__ import annotations

import asyncio
from datetime import datetime

from statusboard.engine import Engine


async def read_once(engine: Engine, *, force: bool = False, deadline: float = 30.0) -> bool:
    """Start the engine and return when its board is worth showing; False where the deadline came first.

    What is stored counts as live while every source was attempted less than one interval ago.  With ``force``, or
    where it is older, this process polls once, or asks the one that polls and waits for it.
    """
    asked_at = engine.clock.now()
    engine.keep_polling = False
    await engine.start()
    if engine.role == "reading" or (not force and engine.setups and young(engine, asked_at)):
        return True
    try:
        async with asyncio.timeout(deadline):
            await _round(engine, asked_at)
    except TimeoutError:
        in_time = False
    else:
        in_time = True
    if engine.ingest is not None:
        await engine.settled(engine.ingest.mark)
    return in_time


async def _round(engine: Engine, since: datetime) -> None:
    """One round of all sources: our own, or that of whoever polls; should it die meanwhile, ours."""
    await engine.refresh()
    while engine.poller is None:
        if await _others_read(engine, since):
            return
        await engine.store.wait_activity(1.0)
    await engine.poll_once()


def young(engine: Engine, now: datetime) -> bool:
    """Whether every configured source was attempted less than one interval ago."""
    for name, setup in engine.setups.items():
        status = engine.statuses.get(name)
        if status is None or status.last_attempt is None or name not in engine.board.health:
            return False
        if (now - status.last_attempt).total_seconds() > setup.interval:
            return False
    return True


async def _others_read(engine: Engine, since: datetime) -> bool:
    """Whether whoever polls has attempted every source since then; if so, the board shows it."""
    statuses = {status.source: status for status in await engine.store.statuses()}
    for name in engine.setups:
        attempt = statuses[name].last_attempt if name in statuses else None
        if attempt is None or attempt < since:
            return False
    engine.statuses = statuses
    await engine.settled((await engine.store.health()).seq)
    return True
