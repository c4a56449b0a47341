"""Whatever is appended and retired, in whatever order: live rows, digest, feed and past pictures agree with a fold."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.clock import EPOCH, from_us
from statusboard.errors import HistoryGone
from statusboard.model import Change, Draft, Kind, Origin
from statusboard.store._database import Setup
from statusboard.store._reads import packed, unpacked
from statusboard.store._rules import RETENTION
from statusboard.store.base import Batch, Head, Remembered, Store, bundled, digest_sum
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.store.kit import T0, folded, read_all, same_rows

Sort = Literal["sqlite", "memory"]
KINDS: tuple[Kind, ...] = ("build", "incident", "release", "ticket")
DAY = timedelta(days=1)


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    number = draw(st.integers(0, 11))
    kind = KINDS[number % len(KINDS)]  # a key never changes its kind
    origin: Origin = draw(st.sampled_from(("person", "person", "person", "backfill")))
    body = draw(st.none() | st.binary(max_size=6))
    return Draft(key=f"s:{kind}:{number}", kind=kind, source="s", type="t", origin=origin, body=body)


#: (days since the batch before, what is written), or (days, None) for a round of retention.
steps = st.lists(
    st.tuples(st.sampled_from((-3, 0, 0, 1, 1, 20, 100)), st.none() | st.lists(drafts(), min_size=1, max_size=8)),
    max_size=14,
)


async def _open(sort: Sort, folder: str) -> Store:
    # A list of live rows every 5 changes, so that short histories have some.
    setup = Setup(path=Path(folder, "board.db"), fold_every=5)
    store: Store = SQLiteStore.set_up(setup) if sort == "sqlite" else MemoryStore()
    await store.open()
    return store


async def _check(store: Store, written: list[Change], complete_since: timedelta | None, now: timedelta) -> None:
    live = folded(written)
    picture = await store.snapshot()
    same_rows(picture, live)
    assert picture.seq == len(written)
    assert {row.key for row in await store.get([change.key for change in written])} == live.keys()

    oldest = (await store.health()).oldest_seq
    assert await read_all(store, len(written), after=oldest - 1) == written[oldest - 1 :]
    for key, change in live.items():
        assert (await store.history(key))[0].seq >= change.seq

    await _check_remembered(store, live)

    moments = {change.observed_at for change in written}
    for moment in moments | {m - timedelta(microseconds=1) for m in moments} | {T0 - DAY, T0 + now}:
        try:
            past = await store.snapshot(moment)
        except HistoryGone:
            # Only what lies before the horizon may be gone.
            assert complete_since is not None
            assert moment < T0 + complete_since
        else:
            same_rows(past, folded(written, as_of=moment))


async def _check_remembered(store: Store, live: dict[str, Change]) -> None:
    """What is remembered is said by a change that is kept, and what is on the board is remembered."""
    facts = [fact for kind in KINDS for fact in await store.remembered(kind, since=EPOCH)]
    for kind in KINDS:
        words = await store.remembered(kind, since=EPOCH)
        middle = words[len(words) // 2].at if words else T0
        stretches = [(EPOCH, middle), (middle, None)]
        bundles = [each for since, until in stretches for each in await store.bundled(kind, since=since, until=until)]
        assert [head for bundle in bundles for head in bundle.heads] == [_head(word) for word in words]
        assert b"".join(bundle.bodies for bundle in bundles) == b"".join(word.body for word in words)
        after = words[0].seq if words else 0
        newer = await store.bundled(kind, since=EPOCH, after=after)
        assert newer == bundled(await store.remembered(kind, since=EPOCH, after=after))
    kept = {change.seq: change for change in await store.recorded([fact.seq for fact in facts])}
    for fact in facts:
        assert (kept[fact.seq].key, kept[fact.seq].body) == (fact.key, fact.body)
    assert {c.seq for c in live.values() if c.kind != "ticket"} <= kept.keys()
    assert {fact.kind for fact in facts} <= {"build", "incident", "release"}


def _head(word: Remembered) -> Head:
    (bundle,) = bundled([word])
    (head,) = bundle.heads
    assert (from_us(head.at), from_us(head.observed_at)) == (word.at, word.observed_at)
    return head


async def _run(sort: Sort, steps: list[tuple[int, list[Draft] | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await _open(sort, folder)
        written: list[Change] = []
        now, complete_since = timedelta(0), None
        for days, batch in steps:
            now += days * DAY
            if batch is None:
                await store.retain(T0 + now)
                longest_ago = now - min(retention.keep for retention in RETENTION)
                complete_since = max(complete_since or longest_ago, longest_ago)
            else:
                written += await store.append(Batch(observed_at=T0 + now, drafts=tuple(batch)))
        await _check(store, written, complete_since, now)
        await store.close()
        if sort == "sqlite":
            again = await _open(sort, folder)
            await _check(again, written, complete_since, now)
            await again.close()


@pytest.mark.parametrize("sort", ["sqlite", "memory"])
@given(steps=steps)
@settings(max_examples=60, deadline=None)
def test_the_store_agrees_with_a_fold(sort: Sort, steps: list[tuple[int, list[Draft] | None]]):
    asyncio.run(_run(sort, steps))


@given(st.lists(st.integers(1, 1 << 40), unique=True).map(sorted))
def test_packed_numbers_come_back(seqs: list[int]):
    assert unpacked(packed(seqs)) == seqs


@given(st.lists(st.binary(min_size=16, max_size=16)), st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_order(hashes: list[bytes], random):
    shuffled = list(hashes)
    random.shuffle(shuffled)
    assert digest_sum(shuffled) == digest_sum(hashes)
    assert len(digest_sum(hashes)) == 32
