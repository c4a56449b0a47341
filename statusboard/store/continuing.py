"""Putting behind what one store holds what another one has been told meanwhile."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from math import inf

from statusboard.clock import EPOCH
from statusboard.model import Change, Draft
from statusboard.store.base import Batch, Lease, Store, Watched
from statusboard.store.sqlite import SQLiteStore


async def gone_on(store: SQLiteStore, live: Store, lease: Lease | None) -> SQLiteStore:
    """The store as it was, and behind it what ``live`` was told meanwhile; of two boards' pasts only what people said.

    Where another board has stored what it saw meanwhile, that is the history.
    """
    if lease is not None and await _ended_before(store, live):
        await continue_with(store, live, lease)
    else:
        await _add_said(store, live)
    return store


async def continue_with(store: SQLiteStore, live: Store, lease: Lease | None) -> None:
    """Put behind the history in ``store`` what ``live`` holds, as far as it says anything new.

    ``lease`` is that of ``store``, which must have been told nothing since ``live`` began: see `_ended_before`.
    """
    for source in await live.registered():
        await store.forget_validators(source.source)  # what they vouch for is not what was seen last
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
    await store.append_all(batches, lease)
    if lease is not None:
        await store.register(await live.registered(), lease)


async def _add_said(store: SQLiteStore, live: Store) -> None:
    """Put behind the history in ``store`` what people have said in ``live``, and nothing else of it."""
    said = [change for change in await _all(live) if change.origin == "person"]
    for at, changes in groupby(said, key=_observed_at):
        await store.append(Batch(observed_at=at, drafts=tuple(_draft(change) for change in changes)))


async def _ended_before(store: SQLiteStore, live: Store) -> bool:
    """Whether nothing was stored in ``store`` since ``live`` began."""
    seq = (await store.health()).seq
    begun = await _all(live)
    if not seq or not begun:
        return True
    async for changes in store.changes(seq - 1):
        return changes[-1].observed_at <= begun[0].observed_at
    return True


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
