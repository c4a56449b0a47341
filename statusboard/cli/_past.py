"""What the commands that tell of the past share: the store as it is, and moments in the board's zone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import click

from statusboard.errors import MomentError

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.store.base import Store


@asynccontextmanager
async def history_of(config: Config, *, follow_only: bool = False) -> AsyncIterator[Store]:
    """The store of this board, to be read.  `StoreUnusable` where there is none yet.

    One of an older version is migrated, unless it is somebody else's or ``follow_only``.
    """
    from statusboard.errors import StoreUnusable
    from statusboard.store.sqlite import SQLiteStore
    from statusboard.wiring import store_of

    path, foreign = store_of(config)
    store = SQLiteStore(path, read_only=True)
    try:
        await store.open()
    except StoreUnusable as error:
        if error.reason != "older" or foreign or follow_only:
            raise
        store = SQLiteStore(path)
        await store.open()
    try:
        yield store
    finally:
        await store.close()


def moment_of(option: str, text: str, now: datetime, zone: tzinfo) -> datetime:
    """What somebody wrote for a moment; what must be said of it goes to standard error.  UsageError for none."""
    from statusboard.moments import meant

    try:
        found = meant(text, now, zone)
    except MomentError as error:
        raise click.UsageError(f"{option}: {error}") from None
    if found.note:
        click.echo(f"statusboard: {option} {text}: {found.note}", err=True)
    return found.at


def told(at: datetime, zone: tzinfo) -> str:
    """A moment in full: ``2026-11-20 14:00:00 CET``."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}".rstrip()
