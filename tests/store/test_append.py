"""Many batches at once: what is stored is what one after the other would have stored."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.clock import EPOCH
from statusboard.errors import LeaseLost
from statusboard.model import Change, Draft
from statusboard.store._database import Setup
from statusboard.store.base import Batch, Picture, Remembered, Watched
from statusboard.store.sqlite import SQLiteStore
from tests.store.kit import T0, at, draft, read_all
from tests.store.test_remembered_laws import drafts

batches = st.lists(
    st.builds(
        lambda given, seconds: Batch(
            observed_at=at(seconds),
            drafts=tuple(given),
            watched=(Watched(source="s", part="p", at=at(seconds), gap=5.0),),
        ),
        st.lists(drafts(), max_size=4),
        st.integers(-5, 30),
    ),
    max_size=8,
)


async def contents(store: SQLiteStore) -> tuple[object, ...]:
    seq = (await store.health()).seq
    changes: list[Change] = await read_all(store, seq)
    picture: Picture = await store.snapshot()
    facts: list[Remembered] = []
    for kind in ("build", "release", "incident"):
        facts += await store.remembered(kind, since=EPOCH)
    rows = sorted(picture.rows, key=lambda row: row.key)
    return changes, rows, facts, await store.coverage()


@settings(max_examples=15, deadline=None)
@given(batches)
def test_all_at_once_is_one_after_the_other(given: list[Batch]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            one, all_ = SQLiteStore(Path(folder) / "one.db"), SQLiteStore(Path(folder) / "all.db")
            for store in (one, all_):
                await store.open()
            try:
                apart = [change for batch in given for change in await one.append(batch)]
                assert await all_.append_all(given) == apart
                assert await contents(all_) == await contents(one)
            finally:
                for store in (one, all_):
                    await store.close()

    asyncio.run(run())


async def test_what_was_polled_needs_a_lease(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    try:
        polled: Draft = draft(origin="poll")
        with pytest.raises(LeaseLost):
            await store.append_all([Batch(observed_at=T0, drafts=(draft(2),)), Batch(observed_at=T0, drafts=(polled,))])
        assert (await store.health()).seq == 0
    finally:
        await store.close()


async def test_new_keys_beside_known_ones_are_told_apart(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    try:
        for names in ("a", "b", "ca", "da", "eb"):
            await store.append(Batch(observed_at=T0, drafts=tuple(draft(n, n.encode()) for n in names)))
        assert {row.key: row.body for row in (await store.snapshot()).rows} == {
            f"ci:build:{name}": name.encode() for name in "abcde"
        }
    finally:
        await store.close()


async def test_an_append_is_few_statements(path: Path) -> None:
    statements: list[str] = []
    setup = Setup(path=path, on_connect=lambda connection: connection.set_trace_callback(statements.append))
    store = SQLiteStore.set_up(setup)
    await store.open()
    lease = await store.lease("poll", "me")
    watched = tuple(Watched(source="s", part=f"p{n}", at=at(), gap=60.0) for n in range(9))
    for text in (b"1", b"2"):
        statements.clear()
        drafts_ = tuple(draft(n, text, kind="incident", origin="poll") for n in range(9))
        await store.append(Batch(observed_at=at(), drafts=drafts_, watched=watched), lease)
    # Each may wait for 5 ms until a busy event loop gives the interpreter's lock away.
    assert len(statements) <= 17, "\n".join(statements)
    await store.close()
