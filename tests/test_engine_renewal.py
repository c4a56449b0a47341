"""A board that begins again: with other options, another catalog, another store; what it may and may not take over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from statusboard.client import ClientPool
from statusboard.clock import FakeClock
from statusboard.config import load_config
from statusboard.credentials import Keychain
from statusboard.engine import Engine
from statusboard.errors import ServerError, StoreUnusable
from statusboard.model import Annotation, Incident, Part, Validator
from statusboard.notes import write
from statusboard.registry import Registry
from statusboard.store.base import Batch
from statusboard.store.memory import MemoryStore
from statusboard.wiring import make_setups
from tests.scripted import alert
from tests.test_engine import Boards, OneSource, ThirdParty, breaking, states

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


def watchdog() -> Part:
    return Part(
        scope="alerts",
        kind="incident",
        reach="complete",
        started_at=T0,
        items=(alert(1),),
        beats=frozenset({"Watchdog"}),
    )


async def hang() -> None:
    await asyncio.Event().wait()


async def ran(boards: Boards, path: Path, source: OneSource) -> Engine:
    """A board that has read this source and ended."""
    engine = await boards.start(source, path=path)
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "fresh")
    assert await boards.run(5, until=lambda: engine.statuses["am"].last_success is not None)
    await boards.run(2)
    await engine.stop()
    return engine


async def test_after_a_restart_it_is_as_fresh_as_it_was(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    await ran(boards, path, OneSource("am", {"alerts": watchdog}))
    again = await boards.start(OneSource("am", {"alerts": lambda: hang()}), path=path)
    await boards.run(2)
    assert again.board.state_of("am") == "fresh" and again.board.health["am"].beats == ("Watchdog",)


async def test_what_other_options_read_is_not_fresh_with_these(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    await ran(boards, path, OneSource("am", {"alerts": watchdog}, identity="a"))
    other = await boards.start(OneSource("am", {"alerts": ServerError("503")}, identity="b"), path=path)
    assert await boards.run(5, until=lambda: other.board.state_of("am") == "down")
    assert other.board.health["am"].beats == (), "nor are its heartbeats asked for"
    assert states(other) == {"am:incident:1": "open"}, "but what was known is not forgotten for that"


async def test_a_part_that_failed_before_a_restart_is_not_fresh_after_it(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    source = OneSource("am", {"a": [], "b": ServerError("503")})
    first = await boards.start(source, path=path)
    assert await boards.run(5, until=lambda: first.board.state_of("am") == "partial")
    await boards.run(2)
    await first.stop()
    again = await boards.start(OneSource("am", {"a": lambda: hang(), "b": lambda: hang()}), path=path)
    await boards.run(3)
    assert again.board.state_of("am") == "partial"
    assert (await again.store.history("am:source:am", 1))[0].type == "source.partial"


async def test_another_catalog_has_all_read_in_full_and_forgets_nothing_else(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    tag = Validator(source="am", part="alerts", request="r", etag='"1"')
    first = await boards.start(OneSource("am", {"alerts": watchdog}, identity="a.1+old"), path=path)
    assert await boards.run(5, until=lambda: first.board.state_of("am") == "fresh")
    await first.store.append(Batch(observed_at=T0, validators=(tag,)), first._lease)
    await boards.run(2)
    await first.stop()
    again = await boards.start(OneSource("am", {"alerts": lambda: hang()}, identity="a.1+new"), path=path)
    assert again.role == "polling" and await again.store.validators("am") == []
    await boards.run(2)
    assert again.board.state_of("am") == "fresh" and again.board.health["am"].beats == ("Watchdog",)


async def test_boards_with_other_catalogs_may_share_a_store(boards: Boards, tmp_path: Path) -> None:
    path = tmp_path / "board.sqlite"
    await boards.start(OneSource("am", {"alerts": []}, identity="a.1+old"), path=path)
    second = await boards.start(OneSource("am", {"alerts": []}, identity="a.1+new"), path=path)
    assert second.role == "following"


@pytest.mark.parametrize(
    "more",
    [
        "services: {shop: {match: {repo: [acme/shop]}}}",
        "environments: {live: {tier: production}}",
        "severities: {p1: high}",
    ],
)
async def test_the_catalog_is_part_of_what_validators_hold_for(tmp_path: Path, clock: FakeClock, more: str) -> None:
    config = tmp_path / "config.yaml"
    identities = []
    for text in ("", more, more):
        config.write_text(f"sources: [{{type: third, name: x}}]\n{text}\n")
        registry = Registry.of({"third": ThirdParty})
        (setup,) = make_setups(load_config(config, registry=registry), ClientPool(clock), Keychain())
        identities.append(setup.identity)
    assert identities[0] != identities[1] == identities[2]
    assert len({identity.partition("+")[0] for identity in identities}) == 1, "it reads the same"


async def test_a_damaged_store_leaves_known_what_was_read_when_and_in_which_part(
    boards: Boards, tmp_path: Path
) -> None:
    path = tmp_path / "board.sqlite"
    script: dict[str, Any] = {"alerts": watchdog}
    engine, store = await breaking(boards, path, OneSource("am", script, interval=3600))
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "fresh")
    await boards.run(2)
    before = engine.board.store_id
    store.error = StoreUnusable(f"{path} is damaged", reason="damaged")
    for file in (path, path.with_name(path.name + "-wal")):
        with file.open("r+b") as content:
            content.write(b"rubbish " * (file.stat().st_size // 8))
    script["alerts"] = lambda: hang()
    failing = asyncio.create_task(engine._failed(store.error, store))
    assert await boards.run(30, until=failing.done)
    assert engine.board.store_id != before and engine.role == "polling"
    await boards.run(2)
    assert engine.board.state_of("am") == "fresh", "it was read a moment ago"
    assert engine.board.health["am"].beats == ("Watchdog",)
    parts = {row.key: row.part for row in (await engine.store.snapshot()).rows}
    assert parts["am:incident:1"] == "alerts"


async def test_a_pause_that_cannot_be_stored_is_no_crash(boards: Boards, tmp_path: Path) -> None:
    engine, store = await breaking(boards, tmp_path / "board.sqlite", OneSource("am", {"alerts": []}))
    assert await boards.run(5, until=lambda: engine.board.state_of("am") == "fresh")
    store.error = StoreUnusable("the disk is full", reason="full")
    pausing = asyncio.create_task(engine.pause("am", True))
    assert await boards.run(10, until=pausing.done)
    assert await pausing is False and isinstance(engine.store, MemoryStore)


async def test_who_waits_for_a_revision_does_not_wait_for_that_of_a_store_that_is_gone(
    boards: Boards, tmp_path: Path
) -> None:
    engine, _ = await breaking(boards, tmp_path / "board.sqlite", OneSource("am", {"alerts": []}))
    waiting = asyncio.create_task(engine.settled(1_000))
    failing = asyncio.create_task(engine._failed(StoreUnusable("full", reason="full"), engine.store))
    assert await boards.run(10, until=failing.done)
    assert await boards.run(5, until=waiting.done)
    await waiting


async def said(engine: Engine, text: str) -> None:
    incident = next(row.fact for row in engine.board.items() if isinstance(row.fact, Incident))
    await engine.annotate(write(incident, "root", text, engine.clock.now()))


async def test_a_store_that_can_be_written_again_is_gone_back_to_with_all_that_was_seen_meanwhile(
    boards: Boards, tmp_path: Path
) -> None:
    path = tmp_path / "board" / "board.sqlite"
    script: dict[str, Any] = {"alerts": [alert(1), alert(2)]}
    engine, store = await breaking(boards, path, OneSource("am", script))
    assert await boards.run(5, until=lambda: len(states(engine)) == 2)
    home = engine.board.store_id
    vouching = Validator(source="am", part="alerts", request="GET /", etag="of 1 and 2")
    await store.append(Batch(observed_at=T0, validators=(vouching,)), engine._lease)
    store.error = StoreUnusable("there is no room left", reason="full")
    script["alerts"] = [alert(2), alert(3)]
    assert await boards.run(30, until=lambda: engine.unkept and "tried again every 60 s" in engine.notice)
    path.rename(tmp_path / "away")
    path.parent.rmdir()
    path.parent.touch()  # nothing can be opened there
    assert "there is no room left" in engine.notice
    assert await boards.run(30, until=lambda: states(engine).get("am:incident:3") == "open")
    await said(engine, "rolling back")
    await boards.run(130)
    assert engine.unkept and engine.role == "polling", "it was tried in vain, and polling went on"

    path.parent.unlink()
    path.parent.mkdir()
    (tmp_path / "away").rename(path)
    shown = states(engine)
    assert await boards.run(90, until=lambda: not engine.unkept)
    assert await boards.run(10, until=lambda: engine.role == "polling" and not engine.notice)
    assert engine.board.store_id == home and states(engine) == shown
    assert vouching not in await engine.store.validators("am"), "it would vouch for what is no longer known"
    told = [change async for changes in _first(engine.store.changes(0)) for change in changes]
    assert [change.type for change in told if change.key == "am:incident:1"][-1] == "incident.resolved"
    assert [fact.text for row in engine.board.rows.values() if isinstance(fact := row.fact, Annotation)] == [
        "rolling back"
    ]
    script["alerts"] = []
    assert await boards.run(30, until=lambda: set(states(engine).values()) == {"resolved"})


async def test_where_another_board_has_stored_meanwhile_only_what_people_said_is_brought(
    boards: Boards, tmp_path: Path
) -> None:
    path = tmp_path / "board.sqlite"
    script: dict[str, Any] = {"alerts": [alert(1)]}
    engine, store = await breaking(boards, path, OneSource("am", script))
    assert await boards.run(5, until=lambda: len(states(engine)) == 1)
    store.error = StoreUnusable("there is no room left", reason="full")
    script["alerts"] = [alert(1), alert(2)]
    assert await boards.run(30, until=lambda: engine.unkept and "am:incident:2" in states(engine))
    other_script: dict[str, Any] = {"alerts": [alert(1), alert(3)]}
    other = await boards.start(OneSource("am", other_script), path=path)
    assert await boards.run(30, until=lambda: "am:incident:3" in states(other))
    await said(engine, "rolling back")
    assert await boards.run(90, until=lambda: not engine.unkept)
    await boards.run(5)
    assert (engine.role, other.role) == ("following", "polling")
    assert states(engine) == states(other) == {"am:incident:1": "open", "am:incident:3": "open"}
    for each in (engine, other):
        assert any(isinstance(row.fact, Annotation) for row in each.board.rows.values())


async def _first(feed: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for changes in feed:
        yield changes
        return
