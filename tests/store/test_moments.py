"""Stepping from moment to moment, and backfill's book, on every store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statusboard.errors import LeaseLost
from statusboard.model import Draft, Incident, Origin, encode
from statusboard.store.base import Backfilled, Batch, Registration, Store
from tests.store.kit import at, batch, draft, poll_lease

DAY = 86_400.0


async def steps(store: Store, seq: int, step: int, **more: bool) -> list[tuple[int, float]]:
    """All steps one way from a revision: their numbers, and seconds since the start."""
    found = []
    while (moment := await store.neighbour(seq, 1 if step > 0 else -1, **more)) is not None:
        seq = moment.seq
        found.append((seq, (moment.observed_at - at()).total_seconds()))
    return found


async def incident(store: Store, seconds: float, n: int, state: str = "open", origin: Origin = "person") -> None:
    item = Incident(key=f"s:incident:{n}", source="s", state=state, started_at=at(seconds))  # type: ignore[arg-type]
    await store.append(batch(draft(n, encode(item), kind="incident", origin=origin), seconds=seconds))


# -- steps ---------------------------------------------------------------------------------------------------------


async def test_all_that_came_in_at_once_is_one_step(store: Store):
    await store.append(batch(draft(1), draft(2), seconds=0))
    await store.append(batch(draft(3), seconds=10))
    await store.append(batch(draft(4), seconds=10))
    await store.append(batch(draft(1, None), seconds=20))
    assert await steps(store, 0, 1) == [(2, 0), (4, 10), (5, 20)]
    assert await steps(store, 6, -1) == [(5, 20), (4, 10), (2, 0)]
    assert await steps(store, 5, -1) == [(4, 10), (2, 0)]
    assert await steps(store, 3, 1) == [(5, 20)]
    assert await steps(store, 3, -1) == [(2, 0)]
    for seq, seconds in await steps(store, 0, 1):
        assert (await store.snapshot(at(seconds))).seq == seq


async def test_there_is_nothing_beside_nothing(store: Store):
    for seq in (0, 1, 9):
        assert await steps(store, seq, 1) == await steps(store, seq, -1) == []
    await store.append(batch(draft(1)))
    assert await steps(store, 1, 1) == await steps(store, 1, -1) == []
    assert await steps(store, 7, 1) == []


async def test_a_clock_that_went_back_makes_one_step(store: Store):
    for seconds in (10, 3, 5, 10, 11):
        await store.append(batch(draft(seconds), seconds=seconds))
    assert await steps(store, 0, 1) == [(4, 10), (5, 11)]


async def test_what_was_backfilled_is_leapt_over(store: Store):
    def old(n: int, count: int = 3) -> list[Draft]:
        return [draft(f"{n}-{i}", origin="backfill") for i in range(count)]

    await store.append(batch(*old(1), seconds=0))
    await store.append(batch(draft(1), seconds=10))
    for seconds in range(20, 25):
        await store.append(batch(*old(seconds), seconds=seconds))
    await store.append(batch(*old(2), draft(2), *old(3), draft(3), *old(4), seconds=30))
    await store.append(batch(*old(5), seconds=40))
    assert [seconds for _, seconds in await steps(store, 0, 1)] == [10, 30]
    newest = (await store.snapshot()).seq
    assert [seconds for _, seconds in await steps(store, newest + 1, -1)] == [30, 10]
    assert [seconds for _, seconds in await steps(store, newest, -1)] == [10]
    assert [seconds for _, seconds in await steps(store, 6, 1)] == [30]
    assert await steps(store, 2, -1) == []
    assert (await steps(store, 0, 1))[0][0] == 4


async def test_moments_whose_picture_is_gone_are_no_steps(store: Store):
    await store.append(batch(draft(0, kind="release", origin="backfill"), draft(1, kind="release"), seconds=0))
    for day in range(1, 11):
        await store.append(batch(draft(1, b"%d" % day), draft(day, origin="backfill"), seconds=day * DAY))
    await store.retain(at(95 * DAY))
    shown = [seconds / DAY for _, seconds in await steps(store, 99, -1)]
    assert shown == [10, 9, 8, 7, 6, 5, 4]
    assert [seconds / DAY for _, seconds in await steps(store, 0, 1)] == shown[::-1]


async def test_the_last_change_up_to_a_moment(store: Store):
    assert await store.seq_at(at()) == 0
    await store.append(batch(draft(1), draft(2), seconds=10))
    await store.append(batch(draft(3, origin="backfill"), seconds=20))
    await store.append(batch(draft(4), seconds=5))
    assert [await store.seq_at(at(seconds)) for seconds in (9, 10, 19, 20, 99)] == [0, 2, 2, 4, 4]


# -- from incident to incident -------------------------------------------------------------------------------------


async def test_from_incident_to_incident(store: Store):
    await incident(store, 0, 1)
    await store.append(batch(draft(1), seconds=5))
    await incident(store, 10, 2, "pending")
    await incident(store, 20, 3)
    await incident(store, 30, 4, origin="backfill")
    await store.append(batch(draft(2), draft(5, b"{}", kind="incident"), seconds=40))
    await store.append(batch(draft(2, None), seconds=50))
    assert await steps(store, 0, 1, incidents=True) == [(1, 0), (4, 20), (7, 40)]
    newest = (await store.snapshot()).seq
    assert await steps(store, newest, -1, incidents=True) == [(7, 40), (4, 20), (1, 0)]
    assert await steps(store, 3, -1, incidents=True) == [(1, 0)]
    assert await steps(store, newest, 1, incidents=True) == []


# -- backfill's book -----------------------------------------------------------------------------------------------


def stretch(part: str = "a", until: float = 0, since: float = -10, source: str = "ci", **more: object) -> Backfilled:
    return Backfilled(source=source, part=part, until=at(until), since=at(since), **more)  # type: ignore[arg-type]


async def note(store: Store, *stretches: Backfilled) -> None:
    await store.append(Batch(observed_at=at(), backfilled=stretches))


async def test_how_far_backfill_has_come(store: Store):
    assert await store.backfilled() == []
    await note(store, stretch("b", cursor="page 2"), stretch("a"))
    await note(store, stretch("b", since=-99, cursor="page 3"), stretch("b", until=50, done=True), stretch(source="x"))
    assert await store.backfilled() == [
        stretch("a"),
        stretch("b", since=-99, cursor="page 3"),
        stretch("b", until=50, done=True),
        stretch(source="x"),
    ]
    assert await store.backfilled("x") == [stretch(source="x")]
    await store.forget_backfilled("ci", "b")
    assert await store.backfilled() == [stretch("a"), stretch(source="x")]
    await store.forget_backfilled("ci")
    assert await store.backfilled() == [stretch(source="x")]


async def test_a_page_and_how_far_it_led_are_stored_together(store: Store):
    lease = await poll_lease(store)
    await store.release(lease)
    page = Batch(observed_at=at(), drafts=(draft(1, origin="backfill"),), backfilled=(stretch(),))
    with pytest.raises(LeaseLost):
        await store.append(page, lease)
    assert await store.backfilled() == []
    await store.append(page)  # whoever backfills need not poll
    assert await store.backfilled() == [stretch()]


async def test_a_source_that_is_configured_no_more_begins_anew(store: Store):
    lease = await poll_lease(store)
    both = [Registration(source=name, type="t", identity="1") for name in ("ci", "x")]
    await store.register(both, lease)
    await note(store, stretch(), stretch(source="x"))
    await store.register(both[:1], lease)
    assert await store.backfilled() == [stretch()]


async def test_stretches_go_with_the_oldest_changes(store: Store):
    await note(store, stretch(until=0), stretch(until=10))
    await store.retain(at(5) + timedelta(days=400))
    assert [row.until for row in await store.backfilled()] == [at(10)]
