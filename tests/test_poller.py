"""One task per source, and whatever one does harms no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random

import pytest

from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, NotFound, RateLimited, ServerError
from statusboard.ingest import Ingest
from statusboard.model import decode
from statusboard.poller import Polled, Poller
from statusboard.source import NotModified, Scope
from statusboard.store.memory import MemoryStore
from tests.scripted import NoClient, Scripted, alert, build, polled

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALERTS = Scope(name="alerts", kind="incident", reach="complete")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def ingest(store: MemoryStore, clock: FakeClock) -> Ingest:
    ingest = Ingest(store, clock)
    ingest.lease = await store.lease("poll", "test")
    await ingest.load()
    return ingest


async def board(store: MemoryStore) -> Board:
    picture = await store.snapshot()
    board = Board(picture.store_id)
    board.load(picture.rows)
    return board


def poller(ingest: Ingest, clock: FakeClock, *sources: Polled, lost: list[str] | None = None) -> Poller:
    return Poller(sources, ingest, clock, random=Random(1), on_lease_lost=lambda: (lost or []).append("lost"))


async def test_one_round(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    source = polled(Scripted("am", [ALERTS], {"alerts": [alert(1)]}, clock), clock)
    delay = await poller(ingest, clock, source).poll(source)
    assert 13 < delay < 17
    seen = await board(store)
    assert seen.state_of("am") == "fresh" and [r.key for r in seen.failing()] == ["am:incident:1"]
    assert source.status.last_success == T0 and source.status.next_poll is not None


@pytest.mark.parametrize(
    "fault",
    [
        ValueError("boom"),
        SystemExit(3),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        RecursionError("deep"),
        MemoryError(),
        GeneratorExit(),
        ServerError("GET /: 503"),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_whatever_a_source_raises_harms_no_other(
    ingest: Ingest, store: MemoryStore, clock: FakeClock, fault: BaseException
) -> None:
    bad = polled(Scripted("bad", [ALERTS], {"alerts": fault}, clock), clock)
    worse = polled(Scripted("worse", [ALERTS], {"": fault}, clock), clock)
    good = polled(Scripted("am", [ALERTS], {"alerts": lambda: [alert(1)]}, clock), clock)
    p = poller(ingest, clock, bad, worse, good)
    p.start()
    await clock.run_for(40)
    await p.stop()
    seen = await board(store)
    assert {n: seen.state_of(n) for n in ("bad", "worse", "am")} == {"bad": "down", "worse": "down", "am": "fresh"}
    assert good.polls >= 2 and bad.polls >= 2


async def test_a_hanging_source_harms_no_other_and_its_part_is_given_up(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    hanging = polled(Scripted("bad", [ALERTS], {"alerts": lambda: hang()}, clock), clock)
    good = polled(Scripted("am", [ALERTS], {"alerts": [alert(1)]}, clock), clock)
    p = poller(ingest, clock, hanging, good)
    p.start()
    await clock.run_for(60)
    seen = await board(store)
    assert seen.state_of("am") == "fresh" and good.polls >= 4
    assert seen.state_of("bad") == "starting", "nothing is known of it, and nothing is claimed"
    await asyncio.wait_for(p.stop(), 5)


async def test_fifty_repositories_one_missing_one_broken(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    scopes = [Scope(name=f"acme/r{n} build", kind="build", reach="window") for n in range(50)]
    script = {
        s.name: [build(f"{n}/1", "failed" if n in (7, 8) else "success", repository=f"acme/r{n}")]
        for n, s in enumerate(scopes)
    }
    source = Scripted("ci", scopes, script, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    await p.poll(work)
    source.script["acme/r7 build"] = NotFound("GET /repos/acme/r7/actions/runs: 404")
    source.script["acme/r8 build"] = ServerError("GET …: 502")
    await p.poll(work)
    seen = await board(store)
    assert seen.state_of("ci") == "partial"
    assert [e.part for e in seen.health["ci"].errors] == ["acme/r7 build", "acme/r8 build"]
    assert len(list(seen.items())) == 50, "nothing of the two is retired"
    assert {r.key for r in seen.failing()} == {"ci:build:7/1", "ci:build:8/1"}, "nor green"
    assert seen.summary().verdict == "failing"


async def test_a_dead_source_ages_by_the_clock_and_heals(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    source = Scripted("am", [ALERTS], {"alerts": [alert(1)]}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    p.start()
    await clock.run_for(5)
    source.script["alerts"] = ServerError("no connection")
    since = work.tracker.last_success
    assert since is not None
    turned: dict[str, float] = {}
    for _ in range(160):
        await clock.run_for(0.5)
        turned.setdefault((await board(store)).state_of("am"), (clock.now() - since).total_seconds())
    assert 30 < turned["aging"] < 45 and 60 < turned["stale"] < 75
    source.script["alerts"] = [alert(1)]
    await clock.run_for(60)
    assert (await board(store)).state_of("am") == "fresh"
    await p.stop()


async def test_304_vouches_for_what_is_known(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    source = Scripted("am", [ALERTS], {"alerts": [alert(1)]}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    await p.poll(work)
    source.script["alerts"] = NotModified()
    clock.advance(15)
    await p.poll(work)
    seen = await board(store)
    assert [r.key for r in seen.failing()] == ["am:incident:1"] and seen.state_of("am") == "fresh"
    assert work.status.last_success == clock.now()


async def test_an_unfinished_item_out_of_its_window(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    scope = Scope(name="builds", kind="build", reach="window")
    runs = [build(n, "running") for n in range(4)]
    source = Scripted("ci", [scope], {"builds": runs}, clock)
    source.lookups = {"0": build(0, "failed"), "1": None, "2": NotFound("404"), "3": ServerError("502")}
    p = poller(ingest, clock, work := polled(source, clock))
    await p.poll(work)
    source.script["builds"] = []
    await p.poll(work)
    states = {r.key: decode(r.body).state for r in (await store.snapshot()).rows if r.kind == "build"}
    assert states == {"ci:build:0": "failed", "ci:build:3": "running"}, (
        "gone ones are withdrawn, a fault changes nothing"
    )
    source.lookups = {}
    for _ in range(4):
        await p.poll(work)
    states = {r.key: decode(r.body).state for r in (await store.snapshot()).rows if r.kind == "build"}
    assert states["ci:build:3"] == "unknown"


async def test_a_refused_credential_is_asked_for_again_at_once_when_a_person_wishes(
    ingest: Ingest, clock: FakeClock
) -> None:
    source = Scripted("am", [ALERTS], {"alerts": AuthError("401")}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    p.start()
    await clock.run_for(200)
    assert work.polls == 1 and isinstance(work.client, NoClient)
    retried = work.client.retried
    p.refresh("am")
    assert work.client.retried == retried + 1
    await clock.run_for(1)
    assert work.polls == 2
    await p.stop()


async def test_a_rate_limit_is_obeyed(ingest: Ingest, clock: FakeClock) -> None:
    source = Scripted("am", [ALERTS], {"alerts": RateLimited("429", retry_after=90)}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    p.start()
    await clock.run_for(89)
    assert work.polls == 1
    await clock.run_for(5)
    assert work.polls == 2
    await p.stop()


async def test_paused_by_a_person(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    source = Scripted("am", [ALERTS], {"alerts": []}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    p.start()
    await clock.run_for(1)
    await p.pause("am", True)
    polls = work.polls
    await clock.run_for(100)
    assert work.polls == polls and (await board(store)).state_of("am") == "paused"
    await p.pause("am", False)
    await clock.run_for(1)
    assert work.polls == polls + 1 and (await board(store)).state_of("am") == "fresh"
    await p.stop()


async def test_a_lost_lease_ends_polling(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    lost: list[str] = []
    source = polled(Scripted("am", [ALERTS], {"alerts": lambda: [alert(1)]}, clock), clock)
    p = Poller([source], ingest, clock, random=Random(1), on_lease_lost=lambda: lost.append("lost"))
    assert ingest.lease is not None
    await store.release(ingest.lease)
    assert await store.lease("poll", "another") is not None
    p.start()
    await clock.run_for(20)
    await p.stop()
    assert lost and source.polls <= 1
    assert [r.key for r in (await store.snapshot()).rows] == []
