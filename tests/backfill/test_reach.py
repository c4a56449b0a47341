"""How far it reads back: pages to the horizon and no further, going on where it was, and storing once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from statusboard.backfill import Backfill
from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.model import decode
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from tests.backfill.kit import DAY, NOW, Configured, run, stored


async def test_it_pages_to_the_horizon_and_no_further(store: Store, clock: FakeClock):
    setup = Configured()
    progress = (await run(store, clock, setup))["ci"]
    changes = await stored(store)
    assert progress.state == "done" and progress.changes == len(changes)
    assert len(setup.source.asked) == 13  # 30 days of 4 builds, and the one that ended just before them
    assert min(c.time for c in changes if c.time) >= NOW - DAY * 33  # a page that was read is stored in full
    assert {c.origin for c in changes} == {"backfill"} and min(c.observed_at for c in changes) >= NOW
    assert all(c.type == "pipelinerun.finished" for c in changes)
    assert decode(changes[0].body or b"").services == ("shop",)  # type: ignore[union-attr]


async def test_nothing_of_it_is_live_or_was_seen_then(store: Store, clock: FakeClock):
    await run(store, clock)
    assert (await store.snapshot()).rows == ()
    assert (await store.snapshot(clock.now())).rows == ()
    board = Board()
    board.fold(list(reversed(await stored(store))))
    assert not board.rows
    remembered = await store.remembered("build", since=NOW - DAY * 30)
    assert len(remembered) >= 119 and {fact.origin for fact in remembered} == {"backfill"}
    assert all(fact.first_seen >= NOW for fact in remembered)


async def test_all_that_is_there_is_less_than_was_asked_for(memory: MemoryStore, clock: FakeClock):
    progress = (await run(memory, clock, days=365))["ci"]
    (part,) = progress.parts.values()
    assert part.ended and progress.changes == 800
    again = Configured()
    await run(memory, clock, again, days=365)
    assert again.source.asked == []
    (stretch,) = await memory.backfilled("ci")
    assert stretch.done and stretch.since == NOW - DAY * 200 + timedelta(hours=6)  # and not 365 days ago
    deeper = Configured()
    assert (await run(memory, clock, deeper, days=400))["ci"].changes == 0
    assert len(deeper.source.asked) == 80  # the list that ended was that of 365 days


async def test_twice_stores_nothing_twice(store: Store, clock: FakeClock):
    await run(store, clock)
    before = len(await stored(store))
    again = Configured()
    await run(store, clock, again)
    assert again.source.asked == []  # all of it was read a moment ago
    anew = Configured()
    progress = await run(store, clock, anew, anew=True)
    assert len(anew.source.asked) > 10 and progress["ci"].changes == 0
    assert len(await stored(store)) == before


async def test_further_back_is_another_list_and_stores_nothing_twice(store: Store, clock: FakeClock):
    """Where a page begins in the list of ten days, none need begin in that of thirty."""
    await run(store, clock, days=10)
    further = Configured()
    await run(store, clock, further, days=30)
    assert further.source.asked[0][1] == ""
    keys = [change.key for change in await stored(store)]
    assert len(keys) == len(set(keys)) >= 119
    less = Configured()
    await run(store, clock, less, days=20)
    assert less.source.asked == []


async def test_what_is_newer_than_the_last_run_is_read_and_not_all_the_rest(store: Store, clock: FakeClock):
    await run(store, clock)
    clock.advance(5 * 86_400)
    later = Configured()
    await run(store, clock, later)
    assert len(later.source.asked) == 3 and later.source.asked[0][1] == ""  # 5 days and the one that overlaps
    keys = [change.key for change in await stored(store)]
    assert len(keys) == len(set(keys)) >= 139
    last = Configured()
    await run(store, clock, last)
    assert last.source.asked == []


async def test_a_killed_run_goes_on_where_it_was(store: Store, clock: FakeClock):
    setup = Configured()
    reached = asyncio.Event()

    def stop(part: str, cursor: str) -> None:
        if len(setup.source.asked) == 6:
            reached.set()
            raise asyncio.CancelledError  # of the source's own doing: stands for a server that hangs

    setup.before = stop
    backfill = Backfill([setup], store, clock, since=NOW - DAY * 30)
    task = asyncio.ensure_future(backfill.run())
    await reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    before = len(await stored(store))
    assert before == 50
    again = Configured()
    progress = (await run(store, clock, again))["ci"]
    assert again.source.asked[0] == setup.source.asked[-1]
    assert progress.parts["builds"].resumed and len(await stored(store)) >= 119


async def test_other_options_begin_anew(memory: MemoryStore, clock: FakeClock):
    await run(memory, clock)
    refiled = Configured(identity="a+c")
    await run(memory, clock, refiled)
    assert refiled.source.asked == []
    other = Configured(identity="x+b")
    await run(memory, clock, other)
    assert len(other.source.asked) > 10
