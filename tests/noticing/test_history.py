"""A board that starts knows the last half hour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusboard.chatter import Chatter
from statusboard.clock import FakeClock
from statusboard.diff import draft, removal
from statusboard.model import Fact
from statusboard.noticing import history
from statusboard.noticing.history import recall
from statusboard.store.base import Batch, Lease, Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.boards import NOW, ago, build, incident

SLOT = ("incident", "am:incident:1")


class Past:
    """A store that is written to as time passes."""

    def __init__(self, store: Store, lease: Lease, clock: FakeClock) -> None:
        self.store, self.lease, self.clock = store, lease, clock
        self.known: dict[str, Fact] = {}

    async def happen(self, *facts: Fact | str, minutes: float = 1) -> None:
        self.clock.advance(minutes * 60)
        drafts = []
        for fact in facts:
            if isinstance(fact, str):
                drafts.append(removal(self.known.pop(fact), "withdrawn"))
            else:
                drafts.append(draft(self.known.get(fact.key), fact))
                self.known[fact.key] = fact
        await self.store.append(Batch(observed_at=self.clock.now(), drafts=tuple(drafts)), self.lease)

    async def recalled(self) -> Chatter:
        chatter = Chatter()
        health = await self.store.health()
        await recall(self.store, chatter, upto=health.seq, now=self.clock.now())
        return chatter


@pytest.fixture(params=["memory", "sqlite"])
async def past(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Past]:
    clock = FakeClock(NOW)
    path = tmp_path / "board.sqlite"
    store: Store = MemoryStore(clock=clock) if request.param == "memory" else SQLiteStore(path, clock=clock)
    await store.open()
    lease = await store.lease("poll", "test")
    assert lease is not None
    yield Past(store, lease, clock)
    await store.close()


async def test_what_flipped_before_the_start_is_known(past: Past):
    for minute, state in enumerate(("open", "resolved", "open", "acknowledged", "resolved")):
        began, ended = ago(-minute - 1), ago(-minute - 1) if state == "resolved" else None
        await past.happen(incident(1, state, started_at=began, ended_at=ended))
    chatter = await past.recalled()
    assert chatter.flips(SLOT) == 4
    past.clock.advance(40 * 60)
    assert (await past.recalled()).flips(SLOT) == 0


async def test_the_first_of_it_says_how_it_was_before(past: Past):
    await past.happen(incident(1, started_at=ago(0)))
    past.clock.advance(60 * 60)
    for state in ("resolved", "open", "resolved"):
        await past.happen(incident(1, state, started_at=past.clock.now(), ended_at=past.clock.now()))
    assert (await past.recalled()).flips(SLOT) == 3


async def test_changes_that_are_none_of_failing_or_not_do_not_flip(past: Past):
    await past.happen(incident(1, started_at=ago(0)))
    for state in ("acknowledged", "unknown", "suppressed", "open", "acknowledged"):
        await past.happen(incident(1, state, started_at=ago(0)))
    await past.happen("am:incident:1", build(1, "failed"))
    assert (await past.recalled()).flips(SLOT) == 0


async def test_a_flood_is_known_and_what_is_only_read_late_is_none(past: Past):
    await past.happen(*(incident(n, started_at=ago(120)) for n in range(30)))
    assert (await past.recalled()).flood is None
    await past.happen(*(incident(n, started_at=past.clock.now()) for n in range(30, 45)))
    flood = (await past.recalled()).flood
    assert flood is not None and flood.count == 15


async def test_it_is_read_in_pages(past: Past, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(history, "PAGE", 2)
    for state in ("open", "resolved") * 4:
        await past.happen(incident(1, state, started_at=past.clock.now(), ended_at=past.clock.now()), minutes=0.5)
    assert (await past.recalled()).flips(SLOT) == 8
    monkeypatch.setattr(history, "MOST", 4)
    assert (await past.recalled()).flips(SLOT) == 4, "only the newest of very many"
