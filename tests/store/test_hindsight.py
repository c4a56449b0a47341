"""What was remembered at an earlier revision is what a store remembered then."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from statusboard.clock import EPOCH
from statusboard.diff import draft
from statusboard.model import Release
from statusboard.store.base import Backfilled, Batch, Remembered, Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.store.kit import T0, at
from tests.store.test_remembered_laws import KINDS, batches


async def _all(store: Store, upto: int | None = None, after: int = 0) -> list[Remembered]:
    return [fact for kind in KINDS for fact in await store.remembered(kind, since=EPOCH, after=after, upto=upto)]


async def _check(written: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for store in (SQLiteStore(Path(folder, "board.db")), MemoryStore()):
            await store.open()
            then: dict[int, list[Remembered]] = {0: []}
            for batch in written:
                changes = await store.append(batch)
                then[changes[-1].seq] = await _all(store)
            for seq, facts in then.items():
                assert await _all(store, seq) == facts
                assert await _all(store, seq, after=3) == [fact for fact in facts if fact.seq > 3]
                some = [fact for fact in facts if at(-5) <= fact.at < at(5)]
                for kind in KINDS:
                    told = await store.remembered(kind, since=at(-5), until=at(5), upto=seq)
                    assert told == [fact for fact in some if fact.kind == kind]
            await store.close()


@settings(max_examples=40, deadline=None)
@given(batches())
def test_an_earlier_revision_is_remembered_as_it_was(written: list[Batch]):
    asyncio.run(_check(written))


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    found: Store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "store.sqlite")
    await found.open()
    yield found
    await found.close()


def _page(number: int, *, since: timedelta) -> Batch:
    """A page of what was read back, which led so far."""
    release = Release(
        key=f"cd:release:{number}", source="cd", state="success", started_at=T0 - since, ended_at=T0 - since
    )
    stretch = Backfilled(source="cd", part="all", until=T0, since=T0 - since - timedelta(hours=1))
    drafts = (draft(None, release, part="all", origin="backfill"),)
    return Batch(observed_at=T0 + timedelta(minutes=number), drafts=drafts, backfilled=(stretch,))


async def test_what_was_read_back_later_was_not_known(store: Store):
    await store.append(_page(1, since=timedelta(days=10)))
    (known,) = await store.backfilled(upto=1)
    assert known.since == T0 - timedelta(days=10, hours=1)
    await store.append(_page(2, since=timedelta(days=20)))
    assert await store.backfilled(upto=2) == await store.backfilled()
    (known,) = await store.backfilled(upto=1)
    assert (known.since, known.until, known.done) == (T0 - timedelta(days=10), T0, False)
    assert await store.backfilled(upto=0) == []
