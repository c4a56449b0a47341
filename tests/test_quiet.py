"""Days of polls in a world where nothing happens: what has come in stays, leaves once, and does not come in again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest

from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.ingest import Ingest
from statusboard.model import Build, Change, Incident, Item, Release, Ticket
from statusboard.poller import Poller
from statusboard.source import Scope
from statusboard.store.memory import MemoryStore
from tests.scripted import Scripted, polled

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEEP = timedelta(hours=48)
SCOPES = {
    "shop builds": Scope(name="shop builds", kind="build", reach="window"),
    "shop releases": Scope(name="shop releases", kind="release", reach="window"),
    "cart releases": Scope(name="cart releases", kind="release", reach="window"),
    "alerts": Scope(name="alerts", kind="incident", reach="complete"),
    "issues": Scope(name="issues", kind="ticket", reach="window"),
}


def world() -> dict[str, list[Item]]:
    """What a vendor shows for ever: mostly what was over long ago, and something of everything else."""

    def at(hours: float) -> datetime:
        return T0 + timedelta(hours=hours)

    builds: list[Item] = [
        Build(
            key=f"v:build:{n}",
            source="v",
            title="a push",
            repository="acme/shop",
            pipeline="ci",
            branch=branch,
            default_branch="main",
            state=state,  # type: ignore[arg-type]
            started_at=at(-n * 7),
            ended_at=None if state == "running" else at(-n * 7 + 0.1),
        )
        for n, (branch, state) in enumerate(
            [("main", "running"), ("main", "failed"), ("dev", "success"), ("main", "cancelled"), ("dev", "failed")] * 6
        )
    ]
    releases = {
        repository: [
            Release(
                key=f"v:release:{repository}/{n}",
                source="v",
                title=f"{repository} {n}",
                repository=f"acme/{repository}",
                services=(repository,),
                environment=environment,
                state="success",
                started_at=at(-40 - n * 30 - late),
                ended_at=at(-39 - n * 30 - late),
            )
            for n, environment in enumerate(["production", "prod", "staging", "production"])
        ]
        for repository, late in (("shop", 0), ("cart", 5))
    }
    alerts: list[Item] = [
        Incident(key="v:incident:1", source="v", title="Down", state="open", started_at=at(-100)),
        Incident(key="v:incident:2", source="v", title="Was", state="resolved", started_at=at(-99), ended_at=at(-98)),
        Incident(key="v:incident:3", source="v", title="Was", state="resolved", started_at=at(-9), ended_at=at(-8)),
    ]
    issues: list[Item] = [
        Ticket(key=f"v:ticket:{n}", source="v", title="an issue", state=state, updated_at=at(-n * 20))  # type: ignore[arg-type]
        for n, state in enumerate(["open", "done", "in_progress", "cancelled", "unknown"] * 2)
    ]
    return {
        "shop builds": builds,
        "shop releases": list(releases["shop"]),
        "cart releases": list(releases["cart"]),
        "alerts": alerts,
        "issues": issues,
    }


def resolver(item: Item) -> Item:
    """As a catalog does: two repositories are one service, an environment has an alias."""
    if not isinstance(item, Release):
        return item
    environment = {"prod": "production"}.get(item.environment, item.environment)
    return msgspec.structs.replace(item, services=("shop",), environment=environment)


class World:
    """A poller, the board that follows it, and what takes off the board what is over; as the engine wires them."""

    def __init__(self, clock: FakeClock, store: MemoryStore) -> None:
        self.clock, self.store = clock, store
        self.source = Scripted("v", list(SCOPES.values()), dict(world()), clock)
        self.board = Board()
        self.changes: list[Change] = []

    async def start(self) -> None:
        picture = await self.store.snapshot()
        self.board = Board(picture.store_id)
        self.board.load(picture.rows)
        self.board.seq = picture.seq
        self.ingest = Ingest(self.store, self.clock, keep=KEEP, standing=lambda slot: self.board.standing(slot))
        self.ingest.lease = await self.store.lease("poll", "test")
        await self.ingest.load()
        self.ingest.use_resolver("v", resolver)
        work = polled(self.source, self.clock, 60.0, before=self.ingest.healths().get("v"))
        self.poller = Poller([work], self.ingest, self.clock, random=Random(1))

    async def run(self, hours: float) -> list[Change]:
        """That many hours with a poll and a look at what is over every ten minutes; returns what was stored."""
        before = self.board.seq
        for _ in range(int(hours * 6)):
            await self.poller.poll(self.poller.polled["v"])
            await self.follow()
            rows = [self.board.rows[key] for key in self.board.leaving(self.clock.now(), KEEP)]
            await self.ingest.expire((row.fact.source, row.key, row.seq) for row in rows)
            await self.follow()
            self.clock.advance(600)
        return [change for change in self.changes if change.seq > before]

    async def follow(self) -> None:
        newest = (await self.store.health()).seq
        feed = self.store.changes(self.board.seq)
        while self.board.seq < newest:
            changes = await asyncio.wait_for(anext(feed), 5)
            self.changes += changes
            self.board.fold(changes)


@pytest.fixture
async def quiet() -> AsyncIterator[World]:
    clock = FakeClock(T0)
    store = MemoryStore(clock=clock)
    await store.open()
    made = World(clock, store)
    await made.start()
    yield made
    await store.close()


async def test_what_is_over_leaves_once_and_does_not_come_in_again(quiet: World) -> None:
    first = await quiet.run(1)
    assert {change.kind for change in first} == {"build", "release", "incident", "ticket", "source"}
    later = await quiet.run(72)
    assert later and all(change.type.endswith(".expired") for change in later), "all that happens is that time passes"
    assert len({change.key for change in later}) == len(later)
    assert await quiet.run(24) == []
    await quiet.start()
    assert await quiet.run(24) == [], "nor does a restart bring it in again"


async def test_what_has_no_time_leaves_when_it_is_told_no_more(quiet: World) -> None:
    runs: list[Item] = [
        Build(key=f"v:build:{n}", source="v", pipeline="ci", run_number=n, state="success") for n in range(5)
    ]
    quiet.source.script["shop builds"] = runs
    await quiet.run(100)
    assert {row.key for row in quiet.board.items() if row.fact.kind == "build"} == {run.key for run in runs}
    del runs[0]
    (gone,) = await quiet.run(1)
    assert (gone.key, gone.type) == ("v:build:0", "build.expired")
    assert await quiet.run(100) == []


async def test_the_board_that_folded_is_the_board_that_loads(quiet: World) -> None:
    def less() -> None:
        quiet.source.script["shop builds"].pop(0)

    def none() -> None:
        quiet.source.script["alerts"] = []

    for change in (lambda: None, less, none):
        change()
        await quiet.run(30)
        picture = await quiet.store.snapshot()
        loaded = Board(picture.store_id)
        loaded.load(picture.rows)
        assert loaded.digest == quiet.board.digest
        assert {r.key: (r.seq, r.current, r.failing) for r in loaded.items()} == {
            r.key: (r.seq, r.current, r.failing) for r in quiet.board.items()
        }
