"""The contract of `statusboard.store.base.Store`, on every store: what is appended and read again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from statusboard.clock import FakeClock
from statusboard.errors import StoreError
from statusboard.model import Change, Status
from statusboard.store._rules import CHUNK
from statusboard.store.base import Batch, Lease, Store, Stored, digest_of
from tests.store.kit import PATIENCE, T0, at, batch, draft, read_all, same_rows

# -- appending -----------------------------------------------------------------------------------------------------


async def test_an_empty_store_has_an_id_and_no_rows(store: Store):
    picture = await store.snapshot()
    assert picture.store_id == store.store_id != ""
    assert (picture.seq, picture.rows) == (0, ())
    assert await store.history("ci:build:1") == []
    assert store.writable


async def test_a_change_is_the_draft_with_its_place(store: Store):
    given = draft(1, b'{"x":"\xc3\xa4"}', part="acme/x")
    (first,) = await store.append(batch(given))
    (second,) = await store.append(batch(draft(1, None), seconds=1))
    for name in given.__struct_fields__:
        assert getattr(first, name) == getattr(given, name), name
    assert (first.seq, first.observed_at, first.prev_seq) == (1, at(), None)
    assert first.body_hash == digest_of(given.key, b'{"x":"\xc3\xa4"}')
    assert (second.seq, second.observed_at, second.prev_seq) == (2, at(1), 1)
    assert (second.body, second.body_hash) == (None, b"")
    assert await read_all(store, 2) == [first, second]


async def test_the_time_it_happened_is_kept_as_it_is(store: Store):
    given = replace(draft(1), time=at(-99))
    (change,) = await store.append(batch(given))
    assert change.time == at(-99)
    assert (await store.history(given.key))[0].time == at(-99)


async def test_numbers_have_no_gaps_across_batches(store: Store):
    for size in (3, 1, 5):
        await store.append(batch(*(draft(i) for i in range(size))))
    assert [change.seq for change in await read_all(store, 9)] == list(range(1, 10))


async def test_a_key_may_change_twice_in_one_batch(store: Store):
    first, second, third = await store.append(batch(draft(1, b"1"), draft(1, b"2"), draft(2, b"3")))
    assert (second.prev_seq, third.prev_seq) == (first.seq, None)
    assert {row.body for row in (await store.snapshot()).rows} == {b"2", b"3"}


async def test_a_key_may_come_and_go_in_one_batch(store: Store):
    await store.append(batch(draft(1, b"1"), draft(1, None)))
    assert (await store.snapshot()).rows == ()
    await store.append(batch(draft(1, None), draft(1, b"2")))
    assert [row.body for row in (await store.snapshot()).rows] == [b"2"]


async def test_observed_at_never_decreases(store: Store):
    await store.append(batch(draft(1), seconds=10))
    (late,) = await store.append(batch(draft(2), seconds=3))
    (later,) = await store.append(batch(draft(3), seconds=11))
    assert (late.observed_at, later.observed_at) == (at(10), at(11))


async def test_backfill_is_stored_and_not_shown(store: Store):
    await store.append(batch(draft(1, b"new")))
    old, other = await store.append(batch(draft(1, b"old", origin="backfill"), draft(2, b"only", origin="backfill")))
    (next_,) = await store.append(batch(draft(1, b"newer")))
    assert [row.body for row in (await store.snapshot()).rows] == [b"newer"]
    assert await store.get([old.key, other.key]) == list((await store.snapshot()).rows)
    assert (old.prev_seq, other.prev_seq, next_.prev_seq) == (1, None, 1)
    assert [change.body for change in await store.history("ci:build:1")] == [b"newer", b"old", b"new"]
    assert [change.seq for change in await store.history("ci:build:2")] == [other.seq]


async def test_a_backfilled_key_appears_with_its_first_poll(store: Store):
    await store.append(batch(draft(1, b"old", origin="backfill")))
    (change,) = await store.append(batch(draft(1, b"new")))
    assert change.prev_seq is None
    same_rows(await store.snapshot(), {change.key: change})


async def test_an_empty_batch_writes_nothing(store: Store):
    assert await store.append(batch()) == []
    assert (await store.health()).seq == 0


async def test_get_finds_the_live_rows_of_keys(store: Store):
    await store.append(batch(draft(1), draft(2), draft(3)))
    await store.append(batch(draft(2, None)))
    rows = await store.get(["ci:build:3", "ci:build:2", "ci:build:1", "ci:build:1", "none"])
    assert sorted(row.key for row in rows) == ["ci:build:1", "ci:build:3"]
    assert await store.get([]) == []


async def test_history_is_newest_first_and_limited(store: Store):
    for number in range(5):
        await store.append(batch(draft(1, b"%d" % number), draft(2)))
    assert [change.body for change in await store.history("ci:build:1", 3)] == [b"4", b"3", b"2"]
    assert await store.history("ci:build:1", 0) == []
    assert len(await store.history("ci:build:1")) == 5


async def test_the_past_of_all_keys_comes_in_pages_newest_first(store: Store):
    for number in range(4):
        await store.append(batch(draft(1, b"%d" % number), draft(2, None), seconds=number))
    await store.append(batch(draft(3, b"old", origin="backfill"), seconds=4))
    first = await store.past(limit=4)
    assert [change.seq for change in first] == [9, 8, 7, 6]
    assert first[0].origin == "backfill" and first[1].body is None and first[2].body == b"3"
    assert first == sorted(await read_all(store, 9, after=5), key=lambda change: -change.seq)
    assert [change.seq for change in await store.past(before=6, limit=3)] == [5, 4, 3]
    assert [change.seq for change in await store.past(before=3)] == [2, 1]
    assert await store.past(before=1) == await store.past(limit=0) == []
    assert len(await store.past()) == 9


async def test_the_past_since_a_moment(store: Store):
    assert await store.past(since=T0) == []
    for number in range(4):
        await store.append(batch(draft(1, b"%d" % number), draft(2), seconds=number * 10))
    assert [change.seq for change in await store.past(since=at(20))] == [8, 7, 6, 5]
    assert [change.seq for change in await store.past(since=at(20), limit=1)] == [8]
    assert [change.seq for change in await store.past(since=at(20), before=7)] == [6, 5]
    assert await store.past(since=at(31)) == []
    assert len(await store.past(since=at(-1))) == 8


async def test_changes_are_found_by_their_numbers(store: Store):
    changes = [*await store.append(batch(draft(1, b"a"), draft(2, b"b"))), *await store.append(batch(draft(1, None)))]
    assert await store.recorded([1, 3, 3, 7, 0]) == [changes[2], changes[0]]
    assert await store.recorded([]) == []
    many = await store.append(batch(*(draft(number) for number in range(4_500))))
    assert await store.recorded([change.seq for change in many]) == many[::-1] == await store.past(limit=4_500)


async def test_a_big_batch_is_whole(store: Store):
    drafts = [draft(i, b"%d" % i) for i in range(3_000)]
    await store.append(batch(*drafts))
    again = await store.append(batch(*drafts, seconds=1))
    picture = await store.snapshot()
    assert picture.seq == 6_000
    same_rows(picture, {change.key: change for change in again})
    assert len(await store.get([d.key for d in drafts])) == 3_000


@pytest.mark.parametrize("text", ["", "'; DROP TABLE changes; --", 'a"b\\c', "nul\0inside", "tab\tline\n", "ä🚀\u202e"])
async def test_any_text_comes_back_as_it_was(store: Store, text: str):
    given = draft(text, text.encode(), part=text)
    (change,) = await store.append(batch(given))
    (row,) = await store.get([given.key])
    assert (row.key, row.part, row.body) == (given.key, text, text.encode())
    assert await store.history(given.key) == [change]
    (again,) = await store.append(batch(given))
    assert again.prev_seq == change.seq


async def test_any_bytes_come_back_as_they_were(store: Store):
    bodies = [b"", b"\0", b"\xff\xfe", bytes(range(256)), b"plain"]
    changes = await store.append(batch(*(draft(i, body) for i, body in enumerate(bodies))))
    assert [row.body for row in sorted((await store.snapshot()).rows, key=lambda row: row.seq)] == bodies
    assert [change.body for change in await read_all(store, len(changes))] == bodies


# -- pictures of the past ------------------------------------------------------------------------------------------


async def test_as_of_shows_what_was_shown_then(store: Store):
    await store.append(batch(draft(1, b"a"), seconds=0))
    await store.append(batch(draft(2, b"b"), draft(1, b"c"), seconds=10))
    await store.append(batch(draft(1, None), draft(2, b"x", origin="backfill"), seconds=20))
    shown = {}
    for seconds in (-1, 0, 9, 10, 19, 20, 99):
        picture = await store.snapshot(at(seconds))
        shown[seconds] = (picture.seq, {row.key[-1]: row.body for row in picture.rows})
    assert shown == {
        -1: (0, {}),
        0: (1, {"1": b"a"}),
        9: (1, {"1": b"a"}),
        10: (3, {"1": b"c", "2": b"b"}),
        19: (3, {"1": b"c", "2": b"b"}),
        20: (5, {"2": b"b"}),
        99: (5, {"2": b"b"}),
    }


async def test_as_of_goes_by_what_was_seen_not_by_what_happened(store: Store):
    given = draft(1)
    await store.append(batch(given, seconds=100))
    assert (await store.snapshot(at(99))).rows == ()


async def test_a_picture_can_be_read_in_two_steps(store: Store):
    await store.append(batch(draft(1, b"a"), draft(2, b"\xff"), seconds=0))
    await store.append(batch(draft(3, b"c", origin="backfill"), draft(1, b"d"), seconds=10))
    await store.append(batch(draft(2, None), draft(4, b""), seconds=20))
    for seconds in (-1, 0, 9, 10, 20, 99):
        picture, outline = await store.snapshot(at(seconds)), await store.outline(at(seconds))
        assert (outline.store_id, outline.seq) == (picture.store_id, picture.seq)
        assert outline.live == sorted(row.seq for row in picture.rows)
        rows = sorted(picture.rows, key=lambda row: row.seq)
        assert await store.stored(outline.live) == [
            Stored(row.seq, row.observed_at, row.body, row.body_hash) for row in rows
        ]


async def test_what_was_not_written_is_left_out(store: Store):
    await store.append(batch(draft(1, b"a"), draft(1, None), draft(2, b"b")))
    assert [row.seq for row in await store.stored([1, 2, 3, 4])] == [1, 3]
    assert await store.stored([2, 9]) == await store.stored([]) == []


# -- the feed ------------------------------------------------------------------------------------------------------


async def test_changes_come_in_order_in_lists_of_bounded_size(store: Store):
    await store.append(batch(*(draft(i) for i in range(CHUNK + 5))))
    sizes = []
    async with asyncio.timeout(PATIENCE):
        async for changes in store.changes(2):
            sizes.append(len(changes))
            if changes[-1].seq == CHUNK + 5:
                break
    assert sizes == [CHUNK, 3]


async def test_the_feed_waits_for_what_comes(store: Store):
    seen: list[Change] = []
    three = asyncio.Event()

    async def follow() -> None:
        async for changes in store.changes(0):
            seen.extend(changes)
            if len(seen) == 3:
                three.set()

    follower = asyncio.create_task(follow())
    for number in range(3):
        await store.append(batch(draft(number)))
    async with asyncio.timeout(PATIENCE):
        await three.wait()
    follower.cancel()
    assert [change.seq for change in seen] == [1, 2, 3]


async def test_two_followers_see_the_same(store: Store):
    first = asyncio.create_task(read_all(store, 4))
    second = asyncio.create_task(read_all(store, 4, after=2))
    for number in range(4):
        await store.append(batch(draft(number)))
    assert (await first)[2:] == await second


async def test_closing_ends_the_wait_with_an_error(store: Store):
    follower = asyncio.create_task(read_all(store, 1))
    waiter = asyncio.create_task(store.wait_activity(1_000))
    await asyncio.sleep(0.05)
    await store.close()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StoreError):
            await follower
        with pytest.raises(StoreError):
            await waiter


USES: dict[str, Callable[[Store], Awaitable[object]]] = {
    "append": lambda store: store.append(batch(draft())),
    "snapshot": lambda store: store.snapshot(),
    "as_of": lambda store: store.snapshot(T0),
    "outline": lambda store: store.outline(T0),
    "stored": lambda store: store.stored([1]),
    "get": lambda store: store.get(["k"]),
    "history": lambda store: store.history("k"),
    "past": lambda store: store.past(),
    "recorded": lambda store: store.recorded([1]),
    "seq_at": lambda store: store.seq_at(T0),
    "neighbour": lambda store: store.neighbour(1, 1),
    "remembered": lambda store: store.remembered("release", since=T0),
    "bundled": lambda store: store.bundled("release", since=T0),
    "marks": lambda store: store.marks(T0, at(1)),
    "backfilled": lambda store: store.backfilled(),
    "forget_backfilled": lambda store: store.forget_backfilled("ci"),
    "changes": lambda store: read_all(store, 1),
    "lease": lambda store: store.lease("poll", "me"),
    "release": lambda store: store.release(Lease(name="poll", holder="me", token=1)),
    "retain": lambda store: store.retain(T0),
    "health": lambda store: store.health(),
    "register": lambda store: store.register([], Lease(name="poll", holder="me", token=1)),
    "registered": lambda store: store.registered(),
    "validators": lambda store: store.validators("ci"),
    "forget_validators": lambda store: store.forget_validators("ci"),
    "coverage": lambda store: store.coverage(),
    "statuses": lambda store: store.statuses(),
    "request_poll": lambda store: store.request_poll(),
    "poll_requests": lambda store: store.poll_requests(0),
    "wait_activity": lambda store: store.wait_activity(0.01),
}


@pytest.mark.parametrize("use", USES)
async def test_a_closed_store_says_so(store: Store, use: str):
    await store.close()
    await store.close()
    with pytest.raises(StoreError):
        await USES[use](store)


# -- waiting for anything ------------------------------------------------------------------------------------------


async def test_waiting_ends_in_time_when_nothing_is_written(store: Store, clock: FakeClock):
    waiter = asyncio.create_task(store.wait_activity(5))
    await clock.run_for(4.9)
    assert not waiter.done()
    await clock.run_for(0.1)
    assert await waiter is False


async def test_a_request_ends_the_wait(store: Store):
    waiter = asyncio.create_task(store.wait_activity(1_000))
    await asyncio.sleep(0)
    await store.request_poll("ci")
    async with asyncio.timeout(PATIENCE):
        assert await waiter is True


async def test_what_is_written_between_two_waits_is_not_missed(store: Store):
    async with asyncio.timeout(PATIENCE):
        writer = asyncio.create_task(store.request_poll())
        assert await store.wait_activity(1_000) is True
        await writer
        await store.append(Batch(observed_at=T0, statuses=(Status(source="ci"),)))
        assert await store.wait_activity(1_000) is True
