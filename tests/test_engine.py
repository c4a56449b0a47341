"""One process's share in a board: who polls, who follows, and what happens when the store or a source fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from statusboard.board import Delta
from statusboard.client import ClientPool
from statusboard.clock import Clock, FakeClock
from statusboard.config import load_config
from statusboard.credentials import Keychain
from statusboard.engine import LEASE, Engine
from statusboard.errors import ConfigError, NewerSchema, ServerError, StoreError, StoreUnusable
from statusboard.ingest import Resolver
from statusboard.model import Annotation, Incident, Part
from statusboard.notes import acknowledge
from statusboard.poller import Budgeted
from statusboard.registry import Registry
from statusboard.source import Context, Http, Scope, Source, SourceOptions
from statusboard.store.base import Batch, Lease, Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from statusboard.wiring import make_setups
from tests.scripted import NoClient, Scripted, alert

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class OneSource:
    """A configured source that answers what ``script`` says at that moment."""

    def __init__(self, name: str, script: dict[str, Any], *, identity: str = "1", interval: float = 15.0) -> None:
        self.name = name
        self.type = "scripted"
        self.identity = identity
        self.interval = interval
        self.optional = False
        self.resolver: Resolver = lambda item: item
        self.script = script
        self.built = 0
        self.client = NoClient()

    async def build(self, clock: Clock, store: Store) -> tuple[Source[SourceOptions], Budgeted]:
        self.built += 1
        scopes = [Scope(name=name, kind="incident", reach="complete") for name in self.script if name]
        source = Scripted(self.name, scopes, {}, clock)
        source.script = self.script
        return source, self.client


class Boards:
    """Makes engines, and ends them all."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.engines: list[Engine] = []

    def make(self, *setups: OneSource, path: Path | None = None, **options: Any) -> Engine:
        engine = Engine(setups, store_path=path, **{"clock": self.clock, **options})
        self.engines.append(engine)
        return engine

    async def start(self, *setups: OneSource, path: Path | None = None, **options: Any) -> Engine:
        engine = self.make(*setups, path=path, **options)
        starting = asyncio.create_task(engine.start())
        assert await self.run(20, until=starting.done)
        await starting
        return engine

    async def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> bool:
        """Let that much of the fake time pass, in steps, with real time for the stores' threads in between."""
        for step in range(int(seconds / 0.25)):
            if until is not None and until():
                return True
            if step:
                await self.clock.run_for(0.25)
            await asyncio.sleep(0.002)  # databases have threads of their own
        for _ in range(500):  # which look for what others wrote by the real clock
            if until is None or until():
                break
            await asyncio.sleep(0.01)
        return until is not None and until()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
async def boards(clock: FakeClock) -> AsyncIterator[Boards]:
    boards = Boards(clock)
    yield boards
    for engine in boards.engines:
        await engine.stop()


def states(engine: Engine) -> dict[str, str]:
    return {row.key: row.fact.state for row in engine.board.items()}


def unresolved(engine: Engine) -> dict[str, str]:
    return {key: state for key, state in states(engine).items() if state != "resolved"}


# --- polling and following ------------------------------------------------------------------------------------------


async def test_it_polls_and_shows_what_came_through_the_store(boards: Boards) -> None:
    told: list[Delta] = []
    engine = boards.make(OneSource("am", {"alerts": [alert(1)]}))
    end = engine.subscribe(told.append)
    await engine.start()
    assert engine.role == "polling" and engine.ready.is_set()
    assert await boards.run(5, until=lambda: states(engine) == {"am:incident:1": "open"})
    assert any("am:incident:1" in delta.changed for delta in told)
    end()
    assert await boards.run(5, until=lambda: engine.statuses["am"].last_success is not None)


async def test_before_any_answer_every_source_is_there_and_nothing_is_green(boards: Boards) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    engine = await boards.start(OneSource("am", {"alerts": lambda: hang()}), OneSource("ci", {"alerts": []}))
    assert await boards.run(3, until=lambda: engine.board.state_of("ci") == "fresh")
    assert engine.board.health.keys() == {"am", "ci"} and engine.board.state_of("am") == "starting"
    assert engine.board.summary().verdict == "blind"


async def test_a_follower_shows_the_same_picture_and_takes_over(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    script: dict[str, Any] = {"alerts": [alert(1)]}
    one, two = OneSource("am", script), OneSource("am", script)
    first = await boards.start(one, path=path)
    second = await boards.start(two, path=path)
    assert (first.role, second.role, two.built) == ("polling", "following", 0)
    for answer in ([alert(1), alert(2)], [alert(2)], [alert(2, "suppressed"), alert(3)]):
        script["alerts"] = answer
        wanted = {item.key: item.state for item in answer}
        assert await boards.run(40, until=lambda wanted=wanted: unresolved(second) == wanted)  # type: ignore[misc]
        assert await boards.run(5, until=lambda: first.board.seq == second.board.seq)
        assert first.board.revision == second.board.revision
        assert first.board.digest == second.board.digest
    seq = second.board.seq
    script["alerts"] = [alert(3)]
    await first.stop()
    assert await boards.run(10, until=lambda: second.role == "polling")
    assert await boards.run(20, until=lambda: unresolved(second) == {"am:incident:3": "open"})
    history = await second.store.history("am:incident:2")
    assert [change.type for change in history if change.seq > seq] and len({c.seq for c in history}) == len(history)


async def test_one_that_died_without_a_word_is_replaced_within_ten_seconds(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    dead = SQLiteStore(path, clock=boards.clock)
    await dead.open()
    assert await dead.lease(LEASE, "somebody else") is not None
    engine = await boards.start(OneSource("am", {"alerts": [alert(1)]}), path=path)
    assert engine.role == "following"
    before = boards.clock.monotonic()
    assert await boards.run(12, until=lambda: engine.role == "polling")
    assert boards.clock.monotonic() - before <= 10
    assert await boards.run(5, until=lambda: states(engine) == {"am:incident:1": "open"})
    await dead.close()


async def test_a_lost_lease_ends_polling_and_nothing_more_is_written(boards: Boards, tmp_path: Path) -> None:
    setup = OneSource("am", {"alerts": [alert(1)]})
    engine = await boards.start(setup, path=tmp_path / "board.sqlite")
    assert await boards.run(3, until=lambda: bool(states(engine)))
    store = engine.store
    assert engine._lease is not None
    await store.release(engine._lease)
    thief = await store.lease(LEASE, "thief")
    assert thief is not None
    setup.script["alerts"] = [alert(1), alert(2)]
    assert await boards.run(20, until=lambda: engine.role == "following")
    assert engine.poller is None
    await boards.run(3)
    assert states(engine) == {"am:incident:1": "open"}
    await store.release(thief)
    assert await boards.run(20, until=lambda: len(states(engine)) == 2)
    assert engine.role == "polling" and setup.built == 2


async def test_a_lease_that_was_lost_and_won_again_leaves_one_poller(boards: Boards, tmp_path: Path) -> None:
    setup = OneSource("am", {"alerts": [alert(1)]})
    engine = await boards.start(setup, path=tmp_path / "board.sqlite")
    before = engine.poller
    assert engine._lease is not None and before is not None
    await engine.store.release(engine._lease)
    assert await boards.run(10, until=lambda: engine.poller not in (None, before))
    assert not before._tasks, "the older one has ended"
    assert engine.role == "polling"


async def test_a_follower_asks_whoever_polls_to_poll_now(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    script: dict[str, Any] = {"alerts": []}
    first = await boards.start(OneSource("am", script, interval=3600), path=path)
    second = await boards.start(OneSource("am", script, interval=3600), path=path)
    assert await boards.run(5, until=lambda: second.board.state_of("am") == "fresh")
    await boards.run(2)
    script["alerts"] = [alert(1)]
    await second.refresh("am")
    assert await boards.run(5, until=lambda: states(second) == {"am:incident:1": "open"})
    assert first.role == "polling"
    script["alerts"] = []
    await first.refresh()
    assert await boards.run(5, until=lambda: not unresolved(second))


async def test_pause_holds_until_it_is_lifted(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    script: dict[str, Any] = {"alerts": []}
    first = await boards.start(OneSource("am", script), path=path)
    second = await boards.start(OneSource("am", script), path=path)
    assert await boards.run(5, until=lambda: first.board.state_of("am") == "fresh")
    assert await first.pause("am", True)
    script["alerts"] = [alert(1)]
    await boards.run(40)
    assert await boards.run(5, until=lambda: second.board.state_of("am") == "paused")
    assert not states(first), "it is not polled"
    assert not await second.pause("am", False), "only whoever polls can"
    await first.pause("am", False)
    assert await boards.run(5, until=lambda: bool(states(second)))


async def test_what_nobody_polls_any_more_ages_before_our_eyes(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    first = await boards.start(OneSource("am", {"alerts": [alert(1)]}, interval=15), path=path)
    assert await boards.run(3, until=lambda: first.board.state_of("am") == "fresh")
    await boards.run(2)
    reader = await boards.start(path=path, read_only=True)
    assert reader.role == "reading" and reader.board.state_of("am") == "fresh"
    told: list[Delta] = []
    reader.subscribe(told.append)
    digest = reader.board.digest
    await first.stop()
    assert await boards.run(40, until=lambda: reader.board.state_of("am") == "aging")
    assert await boards.run(40, until=lambda: reader.board.state_of("am") == "stale")
    assert reader.board.summary().blind == 1
    assert any("am:incident:1" in delta.changed for delta in told), "its rows are drawn anew"
    assert reader.board.digest == digest
    again = await boards.start(OneSource("am", {"alerts": [alert(1)]}, interval=15), path=path)
    assert await boards.run(10, until=lambda: reader.board.state_of("am") == "fresh")
    assert await boards.run(5, until=lambda: reader.board.seq == again.board.seq)
    assert reader.board.digest == again.board.digest and reader.board.state_of("am") == "fresh"


# --- configurations -------------------------------------------------------------------------------------------------


async def test_another_board_with_other_options_is_refused(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    await boards.start(OneSource("am", {"alerts": []}, identity="a"), path=path)
    other = boards.make(OneSource("am", {"alerts": []}, identity="b"), path=path)
    starting = asyncio.create_task(other.start())
    await boards.run(20, until=starting.done)
    with pytest.raises(ConfigError, match="reads am with other options"):
        await starting


async def test_other_options_are_fine_once_the_other_board_has_died(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    first = await boards.start(OneSource("am", {"alerts": [alert(1)]}, identity="a"), path=path)
    assert await boards.run(3, until=lambda: bool(states(first)))
    other = boards.make(OneSource("am", {"alerts": [alert(2)]}, identity="b"), path=path)
    starting = asyncio.create_task(other.start())
    await boards.run(2)
    await first.stop()
    assert await boards.run(20, until=starting.done)
    await starting
    assert other.role == "polling"
    assert await boards.run(20, until=lambda: unresolved(other) == {"am:incident:2": "open"})


async def test_a_source_that_left_the_config_leaves_the_board(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    both = (OneSource("am", {"alerts": [alert(1)]}), OneSource("old", {"alerts": [alert(9, source="old")]}))
    first = await boards.start(*both, path=path)
    assert await boards.run(5, until=lambda: len(states(first)) == 2)
    await first.stop()
    second = await boards.start(both[0], path=path)
    assert await boards.run(5, until=lambda: states(second) == {"am:incident:1": "open"})
    assert second.board.health.keys() == {"am"}
    (change, *_) = await second.store.history("old:incident:9")
    assert change.body is None and "withdrawn" in change.type


async def test_what_is_over_leaves_after_keep(boards: Boards) -> None:
    script: dict[str, Any] = {"alerts": [alert(1)]}
    engine = await boards.start(OneSource("am", script), keep=timedelta(hours=1))
    assert await boards.run(3, until=lambda: bool(states(engine)))
    script["alerts"] = []
    assert await boards.run(30, until=lambda: states(engine) == {"am:incident:1": "resolved"})
    boards.clock.advance(3000)
    await boards.run(90)
    assert states(engine) == {"am:incident:1": "resolved"}
    boards.clock.advance(700)
    assert await boards.run(90, until=lambda: not states(engine))
    (change, *_) = await engine.store.history("am:incident:1")
    assert change.body is None and "expired" in change.type


async def test_what_a_person_says_reaches_every_board(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    await boards.start(OneSource("am", {"alerts": [alert(1)]}), path=path)
    second = await boards.start(OneSource("am", {"alerts": [alert(1)]}), path=path)
    note = Annotation(key="am:annotation:1", source="am", state="set", target="am:incident:1", text="on it")
    await second.annotate(note)
    said = second.board.annotations
    assert await boards.run(5, until=lambda: [a.text for a in said("am:incident:1")] == ["on it"])


async def test_what_was_said_of_what_has_left_leaves_too(boards: Boards) -> None:
    script: dict[str, Any] = {"alerts": [alert(1)]}
    engine = await boards.start(OneSource("am", script), keep=timedelta(hours=1))
    assert await boards.run(3, until=lambda: bool(states(engine)))
    row = engine.board.rows["am:incident:1"]
    assert isinstance(row.fact, Incident)
    said = acknowledge(row.fact, "ann", boards.clock.now())
    await engine.annotate(said)
    assert await boards.run(3, until=lambda: bool(engine.board.annotations("am:incident:1")))
    script["alerts"] = []
    assert await boards.run(30, until=lambda: states(engine) == {"am:incident:1": "resolved"})
    boards.clock.advance(3700)
    assert await boards.run(150, until=lambda: not states(engine) and said.key not in engine.board.rows)
    (change, *_) = await engine.store.history(said.key)
    assert change.body is None and change.type == "annotation.expired"


# --- when the store fails -------------------------------------------------------------------------------------------


class Breaking(SQLiteStore):
    """A database whose writes can be made to fail."""

    error: StoreError | None = None

    async def append(self, batch: Batch, lease: Lease | None = None) -> Any:
        if self.error is not None:
            raise self.error
        return await super().append(batch, lease)


async def breaking(boards: Boards, path: Path, *setups: OneSource) -> tuple[Engine, Breaking]:
    """A polling engine on a database that a test can break."""
    engine = boards.make(*setups, path=path)
    await engine.start()
    return engine, _break(engine)


def _break(engine: Engine) -> Breaking:
    assert type(engine.store) is SQLiteStore
    engine.store.__class__ = Breaking
    assert isinstance(engine.store, Breaking)
    return engine.store


FULL = StoreUnusable("there is no room left to write board.sqlite", reason="full")


async def test_a_full_disk_goes_on_in_memory_and_says_so(boards: Boards, tmp_path: Path) -> None:
    script: dict[str, Any] = {"alerts": [alert(1), alert(2)]}
    engine, store = await breaking(boards, tmp_path / "board.sqlite", OneSource("am", script))
    assert await boards.run(5, until=lambda: len(states(engine)) == 2)
    before = engine.board.store_id
    store.error = FULL
    script["alerts"] = [alert(2), alert(3)]
    assert await boards.run(30, until=lambda: isinstance(engine.store, MemoryStore))
    assert await boards.run(30, until=lambda: "am:incident:3" in states(engine))
    assert "no room left" in engine.notice and "memory" in engine.notice
    assert engine.role == "polling" and engine.board.store_id not in ("", before)
    assert states(engine) == {"am:incident:1": "resolved", "am:incident:2": "open", "am:incident:3": "open"}, (
        "what was resolved just then is seen too"
    )
    assert engine.board.state_of("am") == "fresh"
    script["alerts"] = []
    assert await boards.run(30, until=lambda: set(states(engine).values()) == {"resolved"})


async def test_several_sources_meet_one_failure_and_it_is_handled_once(boards: Boards, tmp_path: Path) -> None:
    sources = [OneSource(f"s{n}", {"alerts": [alert(n, source=f"s{n}")]}) for n in range(5)]
    engine, store = await breaking(boards, tmp_path / "board.sqlite", *sources)
    assert await boards.run(5, until=lambda: len(states(engine)) == 5)
    store.error = FULL
    for n, source in enumerate(sources):
        source.script["alerts"] = [alert(n + 10, source=f"s{n}")]
    assert await boards.run(40, until=lambda: list(states(engine).values()).count("resolved") == 5)
    assert [source.built for source in sources] == [2] * 5


async def test_a_damaged_database_is_set_aside_and_a_new_history_begins(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    script: dict[str, Any] = {"alerts": [alert(1)]}
    engine, store = await breaking(boards, path, OneSource("am", script))
    assert await boards.run(5, until=lambda: bool(states(engine)))
    before = engine.board.store_id
    store.error = StoreUnusable(f"{path} is damaged", reason="damaged")
    for file in (path, path.with_name(path.name + "-wal")):
        with file.open("r+b") as content:
            content.write(b"rubbish " * (file.stat().st_size // 8))
    script["alerts"] = [alert(1), alert(2)]
    assert await boards.run(30, until=lambda: engine.board.store_id != before)
    assert type(engine.store) is SQLiteStore
    assert "damaged" in engine.notice and list(tmp_path.glob("*.damaged-*"))
    assert states(engine)["am:incident:1"] == "open", "what was known goes along"
    assert await boards.run(30, until=lambda: states(engine).get("am:incident:2") == "open")
    script["alerts"] = [alert(2)]
    assert await boards.run(30, until=lambda: states(engine)["am:incident:1"] == "resolved")
    assert type(engine.store) is SQLiteStore, "the old store's last words do not bring down the new one"


async def test_a_store_that_fails_at_the_very_start(boards: Boards, tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "board.sqlite"
    path.mkdir()
    engine = await boards.start(OneSource("am", {"alerts": [alert(1)]}), path=path)
    assert isinstance(engine.store, MemoryStore) and engine.notice
    assert await boards.run(5, until=lambda: bool(states(engine)))


async def test_a_newer_database_is_refused_untouched(boards: Boards, tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "board.sqlite"
    first = await boards.start(OneSource("am", {"alerts": []}), path=path)
    await first.stop()
    with sqlite3.connect(path) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    content = path.read_bytes()
    with pytest.raises(NewerSchema):
        await boards.start(OneSource("am", {"alerts": []}), path=path)
    assert path.read_bytes() == content


async def test_a_read_only_board_never_renames_what_it_cannot_read(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    first = await boards.start(OneSource("am", {"alerts": [alert(1)]}), path=path)
    assert await boards.run(5, until=lambda: bool(states(first)))
    reader = await boards.start(path=path, read_only=True)
    failing = asyncio.create_task(reader._failed(StoreUnusable("it is damaged", reason="damaged"), reader.store))
    assert await boards.run(5, until=failing.done)
    assert path.exists() and not list(tmp_path.glob("*.damaged-*"))
    assert reader.notice == "", "it could be opened again"
    assert states(reader) == {"am:incident:1": "open"}


async def test_a_follower_waits_for_a_history_that_has_gone(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    first = await boards.start(OneSource("am", {"alerts": [alert(1)]}), path=path)
    assert await boards.run(5, until=lambda: bool(states(first)))
    reader = await boards.start(path=path, read_only=True)
    await first.stop()
    for file in tmp_path.glob("board.sqlite*"):
        file.unlink()
    failing = asyncio.create_task(reader._failed(StoreError("gone"), reader.store))
    assert await boards.run(5, until=lambda: bool(reader.notice))
    assert states(reader) == {"am:incident:1": "open"}, "the last picture stays, and ages"
    await boards.start(OneSource("am", {"alerts": [alert(2)]}), path=path)
    assert await boards.run(20, until=lambda: states(reader) == {"am:incident:2": "open"})
    assert reader.notice == ""
    assert await boards.run(5, until=failing.done)


# --- when a source fails --------------------------------------------------------------------------------------------


class ThirdPartyOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it fails."""

    fails: str = ""


class ThirdParty(Source[ThirdPartyOptions]):
    """A plug-in that raises where it is told to."""

    type = "third"
    kinds = frozenset({"incident"})
    Options = ThirdPartyOptions
    needs_url = False

    def __init__(self, options: ThirdPartyOptions, context: Context) -> None:
        super().__init__(options, context)
        self._fail("constructor")

    def _fail(self, where: str) -> None:
        if self.options.fails == where:
            raise SystemExit(3) if where == "exit" else ValueError(f"boom in {where}")

    def expected_beats(self) -> frozenset[str]:
        self._fail("beats")
        return frozenset()

    def origins(self) -> tuple[str, ...]:
        self._fail("origins")
        return ()

    async def read(self, scope: Scope, http: Http) -> Part:
        return scope.part([Incident(key=self.key("incident", 1), source=self.name, title="one", state="open")])


class Exits(ThirdParty):
    """One that wants to end the program."""

    type = "exits"

    def __init__(self, options: ThirdPartyOptions, context: Context) -> None:
        raise SystemExit(3)


@pytest.mark.parametrize("fails", ["constructor", "beats", "origins"])
async def test_a_source_that_cannot_be_made_harms_no_other(
    fails: str, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    config = tmp_path / "config.yaml"
    config.write_text(
        f"sources: [{{type: third, name: bad, fails: {fails}}}, {{type: exits, name: worse}}, "
        "{type: third, name: good}]\n"
    )
    registry = Registry.of({"third": ThirdParty, "exits": Exits})
    pool = ClientPool(clock)
    setups = make_setups(load_config(config, registry=registry), pool, Keychain())
    engine = Engine(setups, store_path=None, clock=clock, close=pool.aclose)
    await engine.start()
    try:
        await clock.run_for(40)
        assert {n: engine.board.state_of(n) for n in ("bad", "worse", "good")} == {
            "bad": "down",
            "worse": "down",
            "good": "fresh",
        }
        assert engine.board.health["bad"].error == f"it cannot be set up: ValueError: boom in {fails}"
        assert engine.board.health["worse"].error.startswith("it cannot be set up: SystemExit")
        assert engine.board.health["bad"].type == "third"
        assert engine.board.summary().verdict == "failing"
    finally:
        await engine.stop()


async def test_what_is_known_of_a_source_stays_when_it_can_no_longer_be_made(tmp_path: Path, clock: FakeClock) -> None:
    config = tmp_path / "config.yaml"
    registry = Registry.of({"third": ThirdParty})
    boards = Boards(clock)
    for fails in ("", "constructor"):
        config.write_text(f"sources: [{{type: third, name: x, fails: {fails!r}}}]\n")
        setups = make_setups(load_config(config, registry=registry), ClientPool(clock), Keychain())
        engine = Engine(setups, store_path=tmp_path / "board.sqlite", clock=clock)
        boards.engines.append(engine)
        await engine.start()
        await boards.run(2)
        assert states(engine) == {"x:incident:1": "open"}
        assert (engine.board.health["x"].error == "") is (fails == "")
        await engine.stop()


async def test_a_failing_source_heals(boards: Boards) -> None:
    script: dict[str, Any] = {"alerts": ServerError("GET /: 503")}
    engine = await boards.start(OneSource("am", script), OneSource("ci", {"alerts": []}))
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "down")
    script["alerts"] = [alert(1)]
    assert await boards.run(60, until=lambda: engine.board.state_of("am") == "fresh")


async def test_ending_twice_is_ending_once(boards: Boards) -> None:
    engine = await boards.start(OneSource("am", {"alerts": []}))
    await engine.stop()
    await engine.stop()
