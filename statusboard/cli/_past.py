"""What the commands that tell of the past share: the store as it is, and moments in the board's zone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

import click

from statusboard.errors import MomentError

#: So many stretches of one source are told one by one.
_MOST_STRETCHES: Final = 3
#: Shorter ones are no news: a board that was started again.
_SHORTEST: Final = timedelta(seconds=1)

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


async def blanks(store: Store, since: datetime, until: datetime) -> list[tuple[str, datetime, datetime]]:
    """Which source nobody watched from when to when, between two moments; the earliest first.

    Before a source was watched for the first time it was not there, so nothing of it is missing.
    """
    from statusboard.model import SourceHealth, decode
    from statusboard.rewind import Watching

    picture = await store.snapshot()
    healths = [decode(row.body) for row in picture.rows if row.kind == "source"]
    intervals = {fact.source: fact.interval for fact in healths if isinstance(fact, SourceHealth)}
    watching = Watching(await store.coverage())
    found = [
        (source, max(begin, since), min(end, until))
        for source, interval in intervals.items()
        for begin, end in watching.gaps(source, interval, until)
        if begin < until and end > since and end - begin >= _SHORTEST
    ]
    return sorted(found, key=lambda blank: (blank[1], blank[0]))


def blank_lines(blanks: Sequence[tuple[str, datetime, datetime]], zone: tzinfo) -> list[str]:
    """What `blanks` found, in words: a line a stretch, of many stretches of one source a line together."""
    from statusboard.presenting.lines import length

    by_source: dict[str, list[tuple[datetime, datetime]]] = {}
    for source, begin, end in blanks:
        by_source.setdefault(source, []).append((begin, end))
    lines = []
    for source, stretches in by_source.items():
        if len(stretches) <= _MOST_STRETCHES:
            lines += [
                f"not watched: {source} from {told(begin, zone)} to {told(end, zone)}" for begin, end in stretches
            ]
            continue
        altogether = length(sum((end - begin).total_seconds() for begin, end in stretches))
        begin, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
        longest = f"the longest from {told(begin, zone)} to {told(end, zone)}"
        lines.append(f"not watched: {source} for {altogether} in {len(stretches)} stretches, {longest}")
    return lines


def told(at: datetime, zone: tzinfo) -> str:
    """A moment in full: ``2026-11-20 14:00:00 CET``."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}".rstrip()
