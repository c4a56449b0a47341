"""What the tests of stores share: drafts, batches, and a fold so simple that it can only be right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from statusboard.model import Change, Draft, Kind, Origin
from statusboard.store.base import Batch, Lease, Live, Picture, Store, digest_of, digest_sum

T0 = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
PATIENCE = 20.0
"""Seconds after which a test that waits has failed; nothing here takes as long."""


def at(seconds: float = 0, **more: float) -> datetime:
    """A moment after the start of the tests' time."""
    return T0 + timedelta(seconds=seconds, **more)


def draft(
    name: object = 1,
    body: bytes | None = b'{"a":1}',
    *,
    kind: Kind = "build",
    origin: Origin = "person",
    part: str = "",
) -> Draft:
    """A draft of the key ``ci:<kind>:<name>``; a person's, which needs no lease."""
    return Draft(
        key=f"ci:{kind}:{name}", kind=kind, source="ci", type="build.finished", origin=origin, body=body, part=part
    )


def batch(*drafts: Draft, seconds: float = 0) -> Batch:
    """A batch observed so many seconds after the start."""
    return Batch(observed_at=at(seconds), drafts=drafts)


async def poll_lease(store: Store, holder: str = "me") -> Lease:
    """The right to poll, which must be free."""
    lease = await store.lease("poll", holder)
    assert lease is not None
    return lease


async def read_all(store: Store, upto: int, after: int = 0) -> list[Change]:
    """The changes after a number, up to another one."""
    found: list[Change] = []
    if after >= upto:
        return found
    async with asyncio.timeout(PATIENCE):
        async for changes in store.changes(after):
            found += changes
            if found[-1].seq >= upto:
                return found
    raise AssertionError("the feed ended")


def folded(changes: Iterable[Change], as_of: datetime | None = None) -> dict[str, Change]:
    """What is live after these changes, or after those observed up to a moment."""
    live: dict[str, Change] = {}
    for change in changes:
        if change.origin == "backfill" or (as_of is not None and change.observed_at > as_of):
            continue
        live.pop(change.key, None)
        if change.body is not None:
            live[change.key] = change
    return live


def same_rows(picture: Picture, live: dict[str, Change]) -> None:
    """Asserts that a picture shows exactly these changes, and has their digest."""
    assert {row.key: row.seq for row in picture.rows} == {key: change.seq for key, change in live.items()}
    for row in picture.rows:
        same_row(row, live[row.key])
    expected = digest_sum([digest_of(c.key, c.body) for c in live.values() if c.body is not None])
    assert digest_sum([row.body_hash for row in picture.rows]) == expected


def same_row(row: Live, change: Change) -> None:
    """Asserts that a live row shows this change in all its fields."""
    for name in row.__struct_fields__:
        assert getattr(row, name) == getattr(change, name), name
