"""The contract of `statusboard.store.base.Store`, on every store: who polls, what was watched, what is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statusboard.clock import FakeClock
from statusboard.errors import HistoryGone, LeaseLost
from statusboard.model import Kind, Origin, Status, Validator
from statusboard.store._rules import REQUESTS_KEPT
from statusboard.store.base import Batch, Registration, Store, Watched
from tests.store.kit import at, batch, draft, folded, poll_lease, read_all, same_rows

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
    with pytest.raises(HistoryGone):
        await store.outline(at(9))
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


async def test_what_was_worked_out_is_kept_by_part(store: Store):
    assert await store.kept("suspects") == {}
    await store.keep("suspects", {"1": b"one", "2": b"\x00two"})
    await store.keep("others", {"1": b"other"})
    assert await store.kept("suspects") == {"1": b"one", "2": b"\x00two"}
    await store.keep("suspects", {"2": None, "3": b"three", "9": None, "1": b"again"})
    assert await store.kept("suspects") == {"1": b"again", "3": b"three"}
    assert await store.kept("others") == {"1": b"other"}
    assert (await store.health()).seq == 0
