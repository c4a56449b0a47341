"""Opening a store, and what happens when its file cannot be used: a board that runs is never refused one."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from statusboard.clock import Clock, SystemClock
from statusboard.errors import StoreUnusable
from statusboard.store._database import Setup, connect
from statusboard.store._errors import translated
from statusboard.store._reads import picture
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore


async def open_store(path: Path, *, read_only: bool = False, clock: Clock | None = None) -> tuple[Store, str]:
    """Open the database at ``path``; returns the open store and a notice for the person, ``""`` when all is well.

    A damaged file is set aside and a new history begins in its place.  One that is full, locked, not writable or on a
    network file system gives a `MemoryStore`.  `NewerSchema` is raised, and so is `StoreUnusable` with ``read_only``:
    nothing can be followed then.
    """
    clock = clock or SystemClock()
    store = SQLiteStore(path, read_only=read_only, clock=clock)
    try:
        await store.open()
    except StoreUnusable as error:
        if read_only:
            raise
        return await replacement(path, error, clock=clock)
    return store, ""


async def replacement(path: Path, error: StoreUnusable, *, clock: Clock | None = None) -> tuple[Store, str]:
    """The store to go on with after ``error``, and a notice.  Also for one that fails while it runs: close it first."""
    clock = clock or SystemClock()
    if error.reason == "damaged":
        store = SQLiteStore(path, clock=clock)
        try:
            aside = await asyncio.to_thread(set_aside, path)
            await store.open()
        except StoreUnusable as again:
            error = again
        except OSError as again:
            error = StoreUnusable(f"{error}, and it cannot be renamed: {again.strerror}", reason="damaged")
        else:
            if aside is None:
                return store, ""
            return store, f"the history was damaged and a new one begins; the damaged file is kept as {aside}"
    notice = f"nothing is stored, this board runs from memory: {error}"
    memory = MemoryStore(notice, clock=clock)
    await memory.open()
    return memory, notice


def set_aside(path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Path | None:
    """Rename a damaged database, with its log, to ``name.damaged-<UTC time>``; returns the new path.

    ``None`` when the file turns out to be sound: another board that met the damage has been here already.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not path.exists() or _sound(path):
            return None
        name = f"{path.name}.damaged-{now().astimezone(UTC):%Y%m%dT%H%M%SZ}"
        target, count = path.with_name(name), 1
        while target.exists():
            count += 1
            target = path.with_name(f"{name}-{count}")
        # The log first: one that is left alone would be played into the database that comes next.
        for suffix in ("-wal", "-shm", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(target.with_name(target.name + suffix))
        return target
    finally:
        os.close(folder)


def _sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file, nor we with what is live in it."""
    try:
        database = connect(Setup(path=path, read_only=True))
    except StoreUnusable as error:
        return error.reason != "damaged"
    try:
        intact: bool = database.connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        picture(database)
        return intact
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        unusable = translated(error, path)
        return not (isinstance(unusable, StoreUnusable) and unusable.reason == "damaged")
    finally:
        database.close()
