"""The contract of `statusboard.store.base.Store`, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from statusboard.clock import FakeClock
from statusboard.errors import HistoryGone, LeaseLost, StoreError
from statusboard.model import Change, Kind, Origin, Status, Validator
from statusboard.store._rules import CHUNK, REQUESTS_KEPT
from statusboard.store.base import Batch, Lease, Registration, Store, Watched, digest_of
from tests.store.kit import PATIENCE, T0, at, batch, draft, folded, poll_lease, read_all, same_rows

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
    "get": lambda store: store.get(["k"]),
    "history": lambda store: store.history("k"),
    "past": lambda store: store.past(),
    "recorded": lambda store: store.recorded([1]),
    "seq_at": lambda store: store.seq_at(T0),
    "neighbour": lambda store: store.neighbour(1, 1),
    "remembered": lambda store: store.remembered("release", since=T0),
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


# -- the lease -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["poll", "push"])
async def test_what_was_polled_needs_the_lease(store: Store, origin: Origin):
    with pytest.raises(LeaseLost):
        await store.append(batch(draft(origin=origin)))
    assert (await store.health()).seq == 0
    lease = await poll_lease(store)
    assert len(await store.append(batch(draft(origin=origin)), lease)) == 1


async def test_renewing_gives_the_same_lease(store: Store):
    lease = await poll_lease(store)
    assert await store.lease("poll", "me") == lease
    assert (lease.name, lease.holder, lease.token) == ("poll", "me", 1)


async def test_one_holder_at_a_time_and_takeover_when_it_stands_still(store: Store, clock: FakeClock):
    mine = await poll_lease(store)
    assert await store.lease("poll", "other") is None
    clock.advance(5.9)
    assert await store.lease("poll", "other") is None
    assert await store.lease("poll", "me") == mine
    clock.advance(5.9)
    assert await store.lease("poll", "other") is None
    clock.advance(6)
    theirs = await store.lease("poll", "other")
    assert theirs is not None
    assert theirs.token == mine.token + 1
    assert await store.lease("poll", "me") is None


async def test_a_write_under_an_old_lease_is_refused_whole(store: Store, clock: FakeClock):
    mine = await poll_lease(store)
    await store.lease("poll", "other")
    clock.advance(6)
    assert await store.lease("poll", "other") is not None
    everything = Batch(
        observed_at=at(),
        drafts=(draft(1, origin="poll"), draft(2)),
        watched=(Watched(source="ci", part="p", at=at(), gap=60),),
        validators=(Validator(source="ci", part="p", request="r", etag="e"),),
        statuses=(Status(source="ci"),),
    )
    with pytest.raises(LeaseLost):
        await store.append(everything, mine)
    with pytest.raises(LeaseLost):
        await store.register([], mine)
    assert (await store.snapshot()).seq == 0
    assert await store.coverage() == []
    assert await store.validators("ci") == []
    assert await store.statuses() == []


async def test_a_released_lease_is_free_at_once_and_its_token_used(store: Store):
    mine = await poll_lease(store)
    await store.release(mine)
    with pytest.raises(LeaseLost):
        await store.append(batch(draft(origin="poll")), mine)
    theirs = await poll_lease(store, "other")
    assert theirs.token == mine.token + 1
    await store.release(mine)  # too late: it is not ours any more
    assert await store.lease("poll", "other") == theirs


async def test_leases_of_different_names_are_apart(store: Store):
    await poll_lease(store)
    assert await store.lease("tidy", "other") is not None


# -- watched time --------------------------------------------------------------------------------------------------


def watched(seconds: float, part: str = "p", gap: float = 60) -> Batch:
    return Batch(observed_at=at(seconds), watched=(Watched(source="ci", part=part, at=at(seconds), gap=gap),))


async def test_each_success_extends_the_watched_time(store: Store):
    for seconds in (0, 60, 119):
        await store.append(watched(seconds))
    (row,) = await store.coverage()
    assert (row.source, row.part, row.since, row.last_success, row.epoch) == ("ci", "p", at(0), at(119), 0)


async def test_a_gap_starts_a_new_stretch(store: Store):
    for seconds in (0, 60, 121, 130):
        await store.append(watched(seconds))
    assert [(row.since, row.last_success) for row in await store.coverage()] == [(at(0), at(60)), (at(121), at(130))]


async def test_another_lease_starts_a_new_stretch(store: Store):
    lease = await poll_lease(store)
    await store.append(watched(0), lease)
    await store.append(watched(1), lease)
    await store.release(lease)
    await store.append(watched(2), await poll_lease(store, "other"))
    assert [(row.since, row.last_success, row.epoch) for row in await store.coverage()] == [
        (at(0), at(1), 1),
        (at(2), at(2), 2),
    ]


async def test_watched_time_never_runs_back(store: Store):
    await store.append(watched(50))
    await store.append(watched(10))
    await store.append(watched(200))
    await store.append(watched(0))
    assert [(row.since, row.last_success) for row in await store.coverage()] == [(at(50), at(50)), (at(200), at(200))]


async def test_coverage_by_source_part_and_time(store: Store):
    await store.append(watched(100, "b"))
    await store.append(watched(200, "a"))
    other = Watched(source="other", part="p", at=at(50), gap=1)
    await store.append(Batch(observed_at=at(200), watched=(other,)))
    assert [row.part for row in await store.coverage()] == ["p", "b", "a"]
    assert [row.part for row in await store.coverage("ci")] == ["b", "a"]
    assert [row.part for row in await store.coverage("ci", at(101))] == ["a"]
    assert [row.part for row in await store.coverage(since=at(100))] == ["b", "a"]


# -- retention -----------------------------------------------------------------------------------------------------

DAY = 86_400.0


async def test_what_is_on_the_board_is_never_retired(store: Store):
    await store.append(batch(draft(1), draft(2, kind="release"), seconds=0))
    assert await store.retain(at(1_000 * DAY)) == 0
    assert len((await store.snapshot()).rows) == 2
    assert len(await read_all(store, 2)) == 2


@pytest.mark.parametrize(
    "kind,days",
    [("build", 90), ("ticket", 90), ("annotation", 400), ("source", 90), ("release", 400), ("incident", 400)],
)
async def test_each_kind_has_its_time(store: Store, kind: Kind, days: int):
    await store.append(batch(draft(1, b"a", kind=kind), seconds=0))
    await store.append(batch(draft(1, b"b", kind=kind), seconds=1))
    assert await store.retain(at(1) + timedelta(days=days)) == 0
    assert await store.retain(at(2) + timedelta(days=days)) == 1
    assert [change.body for change in await store.history(f"ci:{kind}:1")] == [b"b"]


async def test_what_was_still_shown_at_the_horizon_stays(store: Store):
    await store.append(batch(draft(1, b"a"), seconds=0))
    await store.append(batch(draft(1, b"b"), seconds=100 * DAY))
    assert await store.retain(at(101 * DAY)) == 0
    assert [row.body for row in (await store.snapshot(at(99 * DAY))).rows] == [b"a"]


async def test_a_key_that_left_is_forgotten(store: Store):
    await store.append(batch(draft(1), draft(2)))
    await store.append(batch(draft(1, None), draft(3, origin="backfill"), seconds=1))
    assert await store.retain(at(91 * DAY)) == 3
    assert await store.history("ci:build:1") == await store.history("ci:build:3") == []
    (change,) = await store.append(batch(draft(1, b"again"), seconds=92 * DAY))
    assert (change.seq, change.prev_seq) == (5, None)


async def test_numbers_are_not_used_again(store: Store):
    await store.append(batch(draft(1), draft(1, None)))
    assert await store.retain(at(91 * DAY)) == 2
    (change,) = await store.append(batch(draft(2), seconds=91 * DAY))
    assert change.seq == 3


async def test_the_feed_below_the_oldest_is_gone(store: Store):
    await store.append(batch(draft(1, b"a"), draft(2, b"b"), draft(1, b"c"), draft(2, b"d")))
    await store.append(batch(draft(3), seconds=100 * DAY))
    await store.retain(at(101 * DAY))
    with pytest.raises(HistoryGone) as gone:
        await read_all(store, 5, after=1)
    assert gone.value.oldest == 3 == (await store.health()).oldest_seq
    assert [change.seq for change in await read_all(store, 5, after=2)] == [3, 4, 5]


async def test_the_past_leaves_out_what_was_retired(store: Store):
    await store.append(batch(draft(1, b"a"), draft(2, b"b"), draft(1, b"c")))
    await store.append(batch(draft(3), seconds=100 * DAY))
    await store.retain(at(101 * DAY))
    assert [change.seq for change in await store.past()] == [4, 3, 2]
    assert [change.seq for change in await store.past(before=4, limit=1)] == [3]
    assert [change.seq for change in await store.recorded([1, 2])] == [2]


async def test_a_moment_with_holes_is_gone(store: Store):
    await store.append(batch(draft(1, b"a"), seconds=0))
    await store.append(batch(draft(1, b"b"), seconds=10))
    await store.append(batch(draft(2), seconds=20))
    await store.append(batch(draft(2), seconds=100 * DAY))
    await store.retain(at(99 * DAY))
    with pytest.raises(HistoryGone):
        await store.snapshot(at(9))
    assert [row.body for row in (await store.snapshot(at(10))).rows] == [b"b"]
    assert len((await store.snapshot(at(20))).rows) == 2


async def test_watched_time_is_kept_as_long_as_the_oldest_changes(store: Store):
    lease = await poll_lease(store)

    async def watched(part: str, seconds: float) -> None:
        success = Watched(source="ci", part=part, at=at(seconds), gap=60)
        await store.append(Batch(observed_at=at(seconds), watched=(success,)), lease)

    for minute in range(300):
        await watched("a", minute * 120)
    await watched("a", 500 * DAY)
    await watched("b", 0)
    await watched("b", 30)
    await store.retain(at(401 * DAY))
    assert [(row.part, row.since) for row in await store.coverage()] == [("a", at(500 * DAY))]
    await watched("a", 500 * DAY + 60)
    await watched("b", 501 * DAY)
    assert [(row.part, row.since, row.last_success) for row in await store.coverage()] == [
        ("a", at(500 * DAY), at(500 * DAY + 60)),
        ("b", at(501 * DAY), at(501 * DAY)),
    ]


@pytest.mark.parametrize("again", [(), (Validator(source="ci", part="a", request="2", etag="y"),)])
async def test_a_part_s_validators_are_replaced_as_a_whole(store: Store, again: tuple[Validator, ...]):
    lease = await poll_lease(store)
    first = [Validator(source="ci", part=part, request="1", etag="x") for part in ("a", "b")]
    await store.append(Batch(observed_at=at(), validators=tuple(first)), lease)
    await store.append(Batch(observed_at=at(), void=(("ci", "a"),), validators=again), lease)
    assert await store.validators("ci") == [*again, first[1]]


async def test_retaining_much_takes_many_steps(store: Store):
    for round_ in range(4):
        await store.append(batch(*(draft(i, b"%d" % round_) for i in range(400)), seconds=round_))
    assert await store.retain(at(91 * DAY)) == 1_200
    changes = await read_all(store, 1_600, after=1_200)
    same_rows(await store.snapshot(), folded(changes))
    assert await store.retain(at(91 * DAY)) == 0


# -- sources, statuses, requests -----------------------------------------------------------------------------------


def registration(name: str, identity: str = "1") -> Registration:
    return Registration(source=name, type="github", identity=identity)


async def test_registering_tells_what_is_new_or_changed(store: Store):
    lease = await poll_lease(store)
    assert await store.register([registration("b"), registration("a")], lease) == ["b", "a"]
    assert await store.register([registration("a"), registration("b")], lease) == []
    assert await store.register([registration("a", "2"), registration("c")], lease) == ["a", "c"]
    assert await store.registered() == [registration("a", "2"), registration("c")]


async def test_validators_are_void_with_their_source(store: Store):
    lease = await poll_lease(store)
    await store.register([registration("a"), registration("b"), registration("c")], lease)
    given = tuple(Validator(source=name, part="p", request="r", etag="e") for name in "abc")
    statuses = tuple(Status(source=name) for name in "abc")
    await store.append(Batch(observed_at=at(), validators=given, statuses=statuses), lease)
    await store.register([registration("a"), registration("b", "2")], lease)
    assert [len(await store.validators(name)) for name in "abc"] == [1, 0, 0]
    assert [status.source for status in await store.statuses()] == ["a", "b"]


async def test_validators_are_kept_by_request(store: Store):
    old = Validator(source="a", part="p", request="1", etag="old")
    new = Validator(source="a", part="p", request="1", etag="new", last_modified="Mon")
    second = Validator(source="a", part="p", request="2", etag="x")
    other = Validator(source="a", part="q", request="1", etag="y")
    await store.append(Batch(observed_at=at(), validators=(old, second, other)))
    await store.append(Batch(observed_at=at(), validators=(new,)))
    assert await store.validators("a") == [new, second, other]
    await store.forget_validators("a", "p")
    assert await store.validators("a") == [other]
    await store.forget_validators("a")
    assert await store.validators("a") == []


async def test_the_newest_status_of_each_source(store: Store):
    first = Status(source="a", duration=0.5, notes=("x",), last_success=at(1))
    second = Status(source="a", budget_left=7, next_poll=at(2))
    await store.append(Batch(observed_at=at(), statuses=(Status(source="b"), first)))
    await store.append(Batch(observed_at=at(), statuses=(second,)))
    assert await store.statuses() == [second, Status(source="b")]
    assert (await store.health()).seq == 0


async def test_requests_to_poll_are_numbered(store: Store):
    assert await store.request_poll("ci") == 1
    assert await store.request_poll() == 2
    assert await store.poll_requests(0) == [(1, "ci"), (2, None)]
    assert await store.poll_requests(1) == [(2, None)]
    assert await store.poll_requests(2) == []


async def test_old_requests_are_forgotten(store: Store):
    last = [await store.request_poll() for _ in range(REQUESTS_KEPT + 2)][-1]
    requests = await store.poll_requests(0)
    assert len(requests) == REQUESTS_KEPT
    assert requests[-1][0] == last == REQUESTS_KEPT + 2


async def test_health_tells_where_it_stands(store: Store):
    empty = await store.health()
    assert (empty.store_id, empty.seq, empty.oldest_seq, empty.problem) == (store.store_id, 0, 1, "")
    await store.append(batch(draft(1), draft(2)))
    health = await store.health()
    assert (health.seq, health.oldest_seq) == (2, 1)
    assert health.size > 0
