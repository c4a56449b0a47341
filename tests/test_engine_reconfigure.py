"""Other sources in the place of those that are read, while the board runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from statusboard.clock import FakeClock
from statusboard.engine import LEASE, Engine
from statusboard.errors import LeaseLost, ServerError, StoreError, StoreUnusable
from statusboard.model import Annotation, Item, Validator
from statusboard.store.base import Batch, Lease, Registration
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from tests.scripted import NoClient, NoHttp, alert
from tests.test_engine import Boards, OneSource, states, unresolved

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
async def boards(clock: FakeClock) -> AsyncIterator[Boards]:
    boards = Boards(clock)
    yield boards
    for engine in boards.engines:
        await engine.stop()


def one(name: str, *numbers: int, **options: Any) -> OneSource:
    """A source with so many open alerts."""
    return OneSource(name, {"alerts": [alert(n, source=name) for n in numbers]}, **options)


class Refiled(OneSource):
    """As ``other``, under another catalog."""

    def __init__(self, other: OneSource, team: str) -> None:
        super().__init__(other.name, other.script, identity=f"{other.identity.partition('+')[0]}+{team}")
        self.resolver = lambda item: msgspec.structs.replace(item, team=team)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OneSource) and self.script is other.script

    __hash__ = None  # type: ignore[assignment]


async def change(boards: Boards, engine: Engine, *setups: OneSource, **options: Any) -> None:
    changing = asyncio.create_task(engine.reconfigure(setups, **options))
    assert await boards.run(20, until=changing.done)
    await changing


# --- added, removed, changed ----------------------------------------------------------------------------------------


async def test_sources_are_added_and_what_was_read_before_is_left_alone(boards: Boards) -> None:
    am, ci = one("am", 1), one("ci", 1)
    engine = await boards.start(am)
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "fresh")
    await boards.run(2)
    assert engine.poller is not None
    before, due = engine.poller.polled["am"], engine.poller.polled["am"].due
    await change(boards, engine, am, ci)
    assert "ci" in engine.board.health, "nobody can miss it any more, read or not"
    assert await boards.run(2, until=lambda: states(engine).get("ci:incident:1") == "open"), "read at once"
    assert engine.poller.polled["am"] is before and before.due == due, "polled when it would have been"
    assert (am.built, am.client.closed) == (1, 0)
    assert list(engine.poller.polled) == ["am", "ci"] == sorted(engine.statuses)
    am.script["alerts"] = [alert(1), alert(2)]
    assert await boards.run(30, until=lambda: "am:incident:2" in states(engine)), "and still is"


async def test_a_removed_source_leaves_with_all_its_items_but_what_people_said(boards: Boards, tmp_path: Path) -> None:
    am, ci = one("am", 1, 2), one("ci", 1)
    engine = await boards.start(am, ci, path=tmp_path / "board.sqlite")
    assert await boards.run(5, until=lambda: len(states(engine)) == 3)
    note = Annotation(key="am:annotation:1", source="am", state="set", target="am:incident:1", text="on it")
    await engine.annotate(note)
    await boards.run(2)
    await change(boards, engine, ci)
    assert await boards.run(5, until=lambda: states(engine) == {"ci:incident:1": "open"})
    assert engine.board.health.keys() == {"ci"}
    (last, *_) = await engine.store.history("am:incident:1")
    assert last.body is None and "withdrawn" in last.type, "no recovery: nobody looks any more"
    assert "am:annotation:1" in engine.board.rows
    assert [r.source for r in await engine.store.registered()] == ["ci"]
    await boards.run(3)
    assert [s.source for s in await engine.store.statuses()] == ["ci"] and engine.statuses.keys() == {"ci"}
    assert am.client.closed == 1 and ci.client.closed == 0
    assert engine.board.summary().blind == 0


async def test_nothing_that_waited_to_be_written_is_written_of_a_source_that_has_gone(
    boards: Boards, tmp_path: Path
) -> None:
    am, ci = one("am", 1), one("ci")
    engine = await boards.start(am, ci, path=tmp_path / "board.sqlite")
    assert engine.ingest is not None
    ingest = engine.ingest
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "fresh")
    await boards.run(3)
    # A busy disk may let some of its polls pass before one is caught in between.
    assert await boards.run(400, until=lambda: "am" in ingest._statuses), "read again, and not written yet"
    await change(boards, engine, ci)
    await boards.run(3)
    assert [s.source for s in await engine.store.statuses()] == ["ci"]


class Gated(SQLiteStore):
    """A database that takes no health while its gate is shut."""

    gate: asyncio.Event

    async def append(self, batch: Batch, lease: Lease | None = None) -> Any:
        if any(draft.kind == "source" for draft in batch.drafts):
            await self.gate.wait()
        return await super().append(batch, lease)


async def test_nobody_judges_the_health_of_a_source_that_has_gone(boards: Boards, tmp_path: Path) -> None:
    ci, am = one("ci", 1), one("am", 1)
    engine = await boards.start(ci, am, path=tmp_path / "board.sqlite")
    assert await boards.run(5, until=lambda: len(states(engine)) == 2)
    engine.store.__class__ = Gated
    assert isinstance(engine.store, Gated)
    gate = engine.store.gate = asyncio.Event()
    for source in (ci, am):
        source.script["alerts"] = lambda: asyncio.Event().wait()
    await boards.run(40)  # both are aging by now, and of the first one that is about to be stored
    changing = asyncio.create_task(engine.reconfigure([ci]))
    await boards.run(1)
    gate.set()
    assert await boards.run(10, until=changing.done)
    await boards.run(3)
    assert engine.board.health.keys() == {"ci"} and engine.board.state_of("ci") == "aging"


async def test_a_source_that_comes_back_is_a_new_one(boards: Boards) -> None:
    am, ci = one("am", 1, 2), one("ci", 1)
    engine = await boards.start(am, ci)
    assert await boards.run(5, until=lambda: len(states(engine)) == 3)
    await change(boards, engine, ci)
    await change(boards, engine, ci, am)
    assert await boards.run(5, until=lambda: len(states(engine)) == 3)
    am.script["alerts"] = [alert(2)]
    assert await boards.run(30, until=lambda: states(engine)["am:incident:1"] == "resolved")


async def test_a_poll_that_is_under_way_when_its_source_goes_brings_nothing_any_more(boards: Boards) -> None:
    go = asyncio.Event()

    async def late() -> list[Item]:
        await go.wait()
        return [alert(1)]

    am, ci = OneSource("am", {"alerts": lambda: late()}), one("ci", 1)
    engine = await boards.start(am, ci)
    assert await boards.run(5, until=lambda: "ci:incident:1" in states(engine))
    await change(boards, engine, ci)
    go.set()
    await boards.run(5)
    assert states(engine) == {"ci:incident:1": "open"} and engine.board.health.keys() == {"ci"}


async def test_other_options_are_read_at_once_and_prove_nothing_of_before(boards: Boards) -> None:
    engine = await boards.start(one("am", 1, identity="a", interval=3600))
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "fresh")
    script: dict[str, Any] = {"alerts": ServerError("503")}
    await change(boards, engine, OneSource("am", script, identity="b", interval=60))
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "down"), "fresh was what others read"
    assert states(engine) == {"am:incident:1": "open"}, "but what was known is not forgotten for that"
    script["alerts"] = [alert(2)]
    assert await boards.run(120, until=lambda: unresolved(engine) == {"am:incident:2": "open"})
    assert engine.board.health["am"].interval == 60


async def test_another_interval_leaves_what_was_read_fresh_and_a_pause_a_pause(boards: Boards) -> None:
    am, ci = one("am", 1, interval=3600), one("ci", 1, interval=3600)
    engine = await boards.start(am, ci)
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "fresh")
    assert await engine.pause("ci", True)
    told: list[str] = []
    engine.subscribe(lambda delta: told.append(engine.board.state_of("am")))
    await change(boards, engine, one("am", 1, interval=30), one("ci", 1, interval=30))
    await boards.run(3)
    assert set(told) == {"fresh"} and engine.board.state_of("ci") == "paused"
    assert engine.board.health["am"].interval == 30
    assert await engine.pause("ci", False)
    assert await boards.run(5, until=lambda: engine.board.state_of("ci") == "fresh")


async def test_what_has_gone_cannot_be_paused(boards: Boards) -> None:
    am, ci = one("am", 1), one("ci")
    engine = await boards.start(am, ci)
    await change(boards, engine, am)
    assert not await engine.pause("ci", True)


async def test_the_same_again_writes_nothing(boards: Boards) -> None:
    am = one("am", 1)
    engine = await boards.start(am)
    assert await boards.run(5, until=lambda: bool(states(engine)) and engine.board.state_of("am") == "fresh")
    poller, seq = engine.poller, engine.board.seq
    await change(boards, engine, am, keep=timedelta(hours=1))
    assert engine.poller is poller and engine.board.seq == seq and am.built == 1
    assert engine.ingest is not None and engine.ingest.keep == timedelta(hours=1)


# --- another catalog ------------------------------------------------------------------------------------------------


async def test_another_catalog_files_all_items_anew(boards: Boards, tmp_path: Path) -> None:
    am = one("am", 1, 2, identity="a+old", interval=3600)
    engine = await boards.start(am, path=tmp_path / "board.sqlite")
    assert await boards.run(5, until=lambda: len(states(engine)) == 2)
    tag = Validator(source="am", part="alerts", request="r", etag='"1"')
    await engine.store.append(Batch(observed_at=T0, validators=(tag,)), engine._lease)
    await boards.run(2)
    refiled = Refiled(am, "payments")
    await change(boards, engine, refiled)
    assert await engine.store.validators("am") == [], "a 304 would leave all where it is"
    teams = lambda: {row.fact.team for row in engine.board.items()}  # type: ignore[union-attr]  # noqa: E731
    assert await boards.run(5, until=lambda: teams() == {"payments"})
    assert engine.board.state_of("am") == "fresh"
    assert (refiled.built, am.client.closed) == (1, 1)


async def test_after_another_catalog_the_same_answer_vouches_again(boards: Boards, tmp_path: Path) -> None:
    tag = Validator(source="am", part="alerts", request="r", etag='"1"')

    class Vouching(NoHttp):
        validators = (tag,)

    class Client(NoClient):
        factory = property(lambda self: lambda scope: Vouching())

    am = one("am", 1, identity="a+old")
    am.client = Client()
    engine = await boards.start(am, path=tmp_path / "board.sqlite")
    assert await boards.run(5, until=lambda: bool(states(engine)))
    await boards.run(2)
    assert await engine.store.validators("am") == [tag]
    refiled = Refiled(am, "")
    refiled.client = Client()
    await change(boards, engine, refiled)
    await boards.run(5)
    assert await engine.store.validators("am") == [tag], "void meanwhile, and stored again"


async def test_who_backed_off_does_not_ask_earlier_for_being_filed_anew(boards: Boards) -> None:
    asked: list[float] = []

    def refuse() -> list[Item]:
        asked.append(boards.clock.monotonic())
        raise ServerError("503", retry_after=300)

    am = OneSource("am", {"alerts": refuse})
    engine = await boards.start(am)
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "down")
    for team in ("payments", "search"):
        await change(boards, engine, Refiled(am, team))
    await boards.run(60)
    assert len(asked) == 1 and engine.board.state_of("am") == "down"
    await boards.run(300)
    assert len(asked) == 2


# --- several boards -------------------------------------------------------------------------------------------------


async def test_who_follows_takes_them_for_when_it_polls(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    first = await boards.start(one("am", 1), path=path)
    second = await boards.start(one("am", 1), path=path)
    added = one("ci", 1)
    await change(boards, second, one("am", 1), added)
    await boards.run(3)
    assert (second.role, added.built) == ("following", 0) and second.board.health.keys() == {"am"}
    await first.stop()
    assert await boards.run(10, until=lambda: second.role == "polling")
    assert await boards.run(5, until=lambda: len(states(second)) == 2)


@pytest.mark.parametrize("polls_first", [True, False])
async def test_boards_of_one_config_change_one_after_the_other_and_none_minds(
    boards: Boards, tmp_path: Path, polls_first: bool
) -> None:
    path = tmp_path / "board.sqlite"
    polls = await boards.start(one("am", 1, identity="a"), path=path)
    follows = await boards.start(one("am", 1, identity="a"), path=path)
    engines = [polls, follows] if polls_first else [follows, polls]
    for engine in engines:
        await change(boards, engine, one("am", 2, identity="b"))
        await boards.run(6)
        assert polls.dispute == follows.dispute == "", "not for those few seconds"
    assert await boards.run(30, until=lambda: unresolved(follows) == {"am:incident:2": "open"})
    await boards.run(15)
    assert (polls.role, follows.role) == ("polling", "following")
    assert polls.dispute == follows.dispute == ""


async def test_a_board_that_alone_has_other_options_goes_on_and_says_so(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    polls = await boards.start(one("am", 1, identity="a"), one("ci"), path=path)
    follows = await boards.start(one("am", 1, identity="a"), one("ci"), path=path)
    await change(boards, follows, one("am", 2, identity="b"), one("ci"))
    assert await boards.run(15, until=lambda: bool(follows.dispute))
    assert "reads am with other options" in follows.dispute and "ci" not in follows.dispute
    assert polls.dispute == "" and states(follows) == {"am:incident:1": "open"}
    await change(boards, polls, one("am", 2, identity="b"), one("ci"))
    assert await boards.run(10, until=lambda: not follows.dispute)
    assert await boards.run(20, until=lambda: unresolved(follows) == {"am:incident:2": "open"})


async def test_a_board_that_starts_while_another_is_about_to_change_waits(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    polls = await boards.start(one("am", 1, identity="a"), path=path)
    new = boards.make(one("am", 1, identity="b"), path=path)
    starting = asyncio.create_task(new.start())
    await boards.run(3)
    assert not starting.done()
    await change(boards, polls, one("am", 1, identity="b"))
    assert await boards.run(10, until=starting.done)
    await starting
    assert new.role == "following"


async def test_a_board_that_starts_with_options_that_change_meanwhile(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    await boards.start(one("am", 1, identity="new"), path=path)
    late = boards.make(one("am", 1, identity="old"), path=path)
    starting = asyncio.create_task(late.start())
    await boards.run(3)
    await change(boards, late, one("am", 1, identity="new"))
    assert await boards.run(10, until=starting.done)
    await starting


# --- when something goes wrong meanwhile ----------------------------------------------------------------------------


class Failing(SQLiteStore):
    """A database that fails when sources are set."""

    error: StoreError | None = None

    async def register(self, sources: Any, lease: Lease) -> list[str]:
        if self.error is not None:
            raise self.error
        return await super().register(sources, lease)


def fail(engine: Engine, error: StoreError) -> Failing:
    assert type(engine.store) is SQLiteStore
    engine.store.__class__ = Failing
    assert isinstance(engine.store, Failing)
    engine.store.error = error
    return engine.store


async def test_a_store_that_fails_meanwhile_is_replaced_and_the_new_sources_are_read(
    boards: Boards, tmp_path: Path
) -> None:
    engine = await boards.start(one("am", 1), one("old", 1), path=tmp_path / "board.sqlite")
    assert await boards.run(5, until=lambda: len(states(engine)) == 2)
    fail(engine, StoreUnusable("the disk is full", reason="full"))
    await change(boards, engine, one("am", 1), one("ci", 1))
    assert isinstance(engine.store, MemoryStore) and engine.role == "polling" and "full" in engine.notice
    assert await boards.run(5, until=lambda: states(engine).keys() == {"am:incident:1", "ci:incident:1"})


async def test_a_lease_that_is_lost_meanwhile(boards: Boards, tmp_path: Path) -> None:
    engine = await boards.start(one("am", 1), path=tmp_path / "board.sqlite")
    assert await boards.run(5, until=lambda: bool(states(engine)))
    store = fail(engine, LeaseLost("another board polls"))
    await change(boards, engine, one("am", 1), one("ci", 1))
    assert engine.role == "following" and engine.poller is None
    store.error = None
    assert await boards.run(10, until=lambda: engine.role == "polling"), "it was a false alarm"
    assert await boards.run(5, until=lambda: len(states(engine)) == 2)


class Broken(OneSource):
    """One that a fault of ours keeps from being built."""

    async def build(self, clock: Any, store: Any) -> Any:
        self.built += 1
        if self.built == 1:
            raise RuntimeError("boom")
        return await super().build(clock, store)


async def test_a_fault_of_ours_meanwhile_does_not_end_polling(boards: Boards) -> None:
    am, ci = one("am", 1), Broken("ci", {"alerts": [alert(1, source="ci")]})
    engine = await boards.start(am)
    changing = asyncio.create_task(engine.reconfigure([am, ci]))
    assert await boards.run(5, until=changing.done)
    with pytest.raises(RuntimeError, match="boom"):
        await changing
    assert await boards.run(5, until=lambda: len(states(engine)) == 2), "it begins anew, with both"


async def test_many_changes_at_once_lose_nothing_and_leave_nothing(boards: Boards, tmp_path: Path) -> None:
    """Polls, pauses, a store that changes hands, and a new set of sources every moment: the last one stays."""
    path = tmp_path / "board.sqlite"
    other = asyncio.all_tasks()
    luck = random.Random(7)
    sources = {name: one(name, *range(5), interval=2.0) for name in "abcdef"}
    engine = await boards.start(*sources.values(), path=path)
    told: dict[str, str] = {}

    def hear(_: Any) -> None:
        told.clear()
        told.update(states(engine))

    engine.subscribe(hear)

    def some() -> list[OneSource]:
        return [
            luck.choice([sources[name], one(name, *range(5), interval=2.0, identity=luck.choice("12"))])
            for name in luck.sample("abcdef", luck.randint(1, 6))
        ]

    for _ in range(8):
        work = [asyncio.create_task(engine.reconfigure(some())) for _ in range(4)]
        work.append(asyncio.create_task(_pause(engine, luck.choice("abcdef"))))
        if luck.random() < 0.5 and engine._lease is not None:
            work.append(asyncio.create_task(engine.store.release(engine._lease)))
        for source in sources.values():
            source.script["alerts"] = [alert(luck.randint(0, 9), source=source.name) for _ in range(5)]
        assert await boards.run(30, until=lambda work=work: all(task.done() for task in work))  # type: ignore[misc]
        await asyncio.gather(*work)
    last = [one("a", 1, 2, interval=2.0), one("z", 3, interval=2.0)]
    await change(boards, engine, *last)
    wanted = {"a:incident:1": "open", "a:incident:2": "open", "z:incident:3": "open"}
    assert await boards.run(30, until=lambda: unresolved(engine) == wanted)
    assert {key for key in states(engine) if key[0] not in "az"} == set(), "what was removed has left"
    assert engine.board.health.keys() == {"a", "z"} and told == states(engine)
    assert engine.poller is not None and set(engine.poller._tasks) == {"", "a", "z"}
    picture = await engine.store.snapshot()
    assert {row.key for row in picture.rows} == engine.board.rows.keys(), "the board is what is stored"
    assert sorted(r.source for r in await engine.store.registered()) == ["a", "z"]
    await engine.stop()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= other | {asyncio.current_task()}


async def _pause(engine: Engine, name: str) -> None:
    if await engine.pause(name, True):
        await engine.pause(name, False)


async def test_after_its_end_nothing_is_set_up_any_more(boards: Boards, tmp_path: Path) -> None:
    engine = await boards.start(one("am", 1), path=tmp_path / "board.sqlite")
    await engine.stop()
    added = one("ci")
    await engine.reconfigure([added])
    assert added.built == 0 and engine.poller is None


async def test_a_board_that_may_only_read_takes_nothing_over(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    await boards.start(one("am", 1), path=path)
    reader = await boards.start(path=path, read_only=True)
    await change(boards, reader)
    assert await boards.run(5, until=lambda: bool(states(reader))) and reader.role == "reading"


async def test_whoever_held_the_lease_and_is_gone_leaves_its_options_behind(boards: Boards, tmp_path: Path) -> None:
    """A follower looks at what is registered, whoever did so: here nobody reads any more, so nothing is disputed."""
    path = tmp_path / "board.sqlite"
    dead = SQLiteStore(path, clock=boards.clock)
    await dead.open()
    lease = await dead.lease(LEASE, "somebody else")
    assert lease is not None
    await dead.register([Registration(source="am", type="scripted", identity="b")], lease)
    starting = asyncio.create_task(boards.make(one("am", 1, identity="a"), path=path).start())
    assert await boards.run(20, until=starting.done)
    await starting
    engine = boards.engines[-1]
    assert engine.role == "polling" and engine.dispute == ""
    await dead.close()
