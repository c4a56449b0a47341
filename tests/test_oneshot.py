"""Reading a board once: from what is young, from whoever polls, or by oneself; never longer than a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from statusboard.clock import SystemClock
from statusboard.engine import Engine
from statusboard.errors import StoreUnusable
from statusboard.oneshot import read_once, young
from statusboard.store.memory import MemoryStore
from tests.scripted import alert
from tests.test_engine import OneSource, _break, states


class Once:
    """Engines by the real clock, since a one-off look has a deadline by it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engines: list[Engine] = []

    def engine(self, *setups: OneSource, **options: Any) -> Engine:
        engine = Engine(setups, **{"store_path": self.path, "clock": SystemClock(), **options})
        self.engines.append(engine)
        return engine

    async def look(self, *setups: OneSource, force: bool = False, deadline: float = 20.0) -> tuple[Engine, set[str]]:
        engine = self.engine(*setups)
        return engine, set(await read_once(engine, force=force, deadline=deadline))


@pytest.fixture
async def once(tmp_path: Path) -> AsyncIterator[Once]:
    made = Once(tmp_path / "board.sqlite")
    yield made
    for engine in made.engines:
        await engine.stop()


async def hang() -> None:
    await asyncio.Event().wait()


async def test_with_nobody_else_it_reads_once_and_polls_no_more(once: Once) -> None:
    source = OneSource("am", {"alerts": [alert(1)]}, interval=1)
    engine, unread = await once.look(source)
    assert states(engine) == {"am:incident:1": "open"} and not unread
    assert engine.board.state_of("am") == "fresh" and engine.statuses["am"].last_success is not None
    source.script["alerts"] = []
    await asyncio.sleep(1.3)
    assert states(engine) == {"am:incident:1": "open"}
    engine.go_on()
    for _ in range(500):
        if states(engine) == {"am:incident:1": "resolved"}:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("it goes on when asked to")


async def test_what_is_young_is_not_read_again_unless_forced(once: Once) -> None:
    first, _ = await once.look(OneSource("am", {"alerts": [alert(1)]}))
    await first.stop()
    second, unread = await once.look(OneSource("am", {"alerts": [alert(2)]}))
    assert states(second) == {"am:incident:1": "open"} and not unread
    await second.stop()
    third, _ = await once.look(OneSource("am", {"alerts": [alert(1), alert(2)]}), force=True)
    assert states(third) == {"am:incident:1": "open", "am:incident:2": "open"}


async def test_what_was_old_and_has_been_read_anew_is_not_old_any_more(once: Once) -> None:
    first, _ = await once.look(OneSource("am", {"alerts": [alert(1)]}, interval=0.2))
    await first.stop()
    await asyncio.sleep(1.0)  # five intervals
    engine, unread = await once.look(OneSource("am", {"alerts": [alert(1)]}, interval=0.2))
    assert not unread and engine.board.state_of("am") == "fresh"
    assert engine.board.summary().verdict == "failing"
    # And where another process polls, and is asked to.
    await asyncio.sleep(1.0)
    other = once.engine(OneSource("am", {"alerts": [alert(1)]}, interval=0.2))
    await other.open()
    assert other.board.state_of("am") == "stale"
    engine.go_on()
    assert not await read_once(other, force=True) and other.board.state_of("am") == "fresh"


async def test_what_was_read_with_other_options_is_not_young(once: Once) -> None:
    first, _ = await once.look(OneSource("am", {"alerts": [alert(1)]}, identity="a"))
    await first.stop()
    second, _ = await once.look(OneSource("am", {"alerts": [alert(2)]}, identity="b"))
    assert states(second)["am:incident:2"] == "open"


async def test_a_source_more_is_not_young(once: Once) -> None:
    am = OneSource("am", {"alerts": [alert(1)]})
    first, _ = await once.look(am)
    assert young(first, first.clock.now()) is False, "this process itself found it new"
    await first.stop()
    second = once.engine(am)
    second.keep_polling = False
    await second.start()
    assert young(second, second.clock.now())
    await second.stop()
    third, _ = await once.look(am, OneSource("ci", {"alerts": [alert(1, source="ci")]}))
    assert "ci:incident:1" in states(third)


async def test_it_asks_whoever_polls(once: Once) -> None:
    script: dict[str, Any] = {"alerts": [alert(1)]}
    live = once.engine(OneSource("am", script, interval=3600))
    await live.start()
    while not states(live):
        await asyncio.sleep(0.01)
    script["alerts"] = [alert(1), alert(2)]
    mine = OneSource("am", {"alerts": hang}, interval=3600)
    look, unread = await once.look(mine, force=True)
    assert look.role == "following" and mine.built == 0 and not unread
    assert states(look) == {"am:incident:1": "open", "am:incident:2": "open"}
    assert look.board.digest == live.board.digest


async def test_a_source_that_whoever_polls_does_not_know(once: Once) -> None:
    am = OneSource("am", {"alerts": []})
    live = once.engine(am)
    await live.start()
    look, unread = await once.look(am, OneSource("ci", {"alerts": []}), deadline=1.5)
    assert look.role == "following" and unread == {"ci"}


async def test_a_deadline_fails_what_is_not_read_and_keeps_what_is(once: Once) -> None:
    am, bad = OneSource("am", {"alerts": [alert(1)]}), OneSource("bad", {"alerts": hang})
    engine, unread = await once.look(am, bad, deadline=0.3)
    assert unread == {"bad"}
    assert states(engine) == {"am:incident:1": "open"}
    assert engine.board.state_of("am") == "fresh" and engine.board.state_of("bad") == "down"
    assert engine.board.health["bad"].error == "not read within 0.3 s"
    assert engine.board.summary().blind == 1


async def test_what_a_person_paused_stays_unread(once: Once) -> None:
    script: dict[str, Any] = {"alerts": [alert(1)]}
    live = once.engine(OneSource("am", script))
    await live.start()
    while not states(live):
        await asyncio.sleep(0.01)
    await live.pause("am", True)
    await live.stop()
    engine, unread = await once.look(OneSource("am", {"alerts": hang}), force=True, deadline=5)
    assert not unread and engine.board.state_of("am") == "paused"
    assert engine.board.summary().verdict == "failing", "what was known last"


async def test_a_store_that_fails_meanwhile(once: Once) -> None:
    engine = once.engine(OneSource("am", {"alerts": [alert(1)]}))
    engine.keep_polling = False
    await engine.start()
    _break(engine).error = StoreUnusable("there is no room left", reason="full")
    assert not await engine.poll_once(), "not all of it is stored"
    assert isinstance(engine.store, MemoryStore) and "no room left" in engine.notice
    assert await engine.poll_once()
    assert engine.ingest is not None
    await engine.settled(engine.ingest.mark)
    assert states(engine) == {"am:incident:1": "open"}


async def test_a_reader_shows_what_there_is(once: Once) -> None:
    first, _ = await once.look(OneSource("am", {"alerts": [alert(1)]}))
    await first.stop()
    reader = once.engine(read_only=True)
    assert not await read_once(reader, force=True)
    assert reader.role == "reading" and states(reader) == {"am:incident:1": "open"}
