"""The demo is read by the real sources, through the real client, with the demo's own configuration."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from statusboard.client import ClientPool
from statusboard.clock import SystemClock
from statusboard.config import load_config
from statusboard.credentials import Keychain
from statusboard.demo import Demo, start
from statusboard.engine import Engine
from statusboard.model import Build, Incident, Release, Ticket
from statusboard.oneshot import read_once
from statusboard.registry import Registry
from statusboard.wiring import make_setups


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    async with await start(folder=tmp_path, clock=time.time, story=False) as demo:
        yield demo


async def read(demo: Demo, folder: Path) -> Engine:
    """A board in memory after one round of all sources; already stopped."""
    path = folder / "demo.yaml"
    path.write_text(demo.config_yaml, encoding="utf-8")
    config = load_config(path, registry=Registry.installed(), env={})
    clock = SystemClock()
    pool = ClientPool(clock)
    engine = Engine(make_setups(config, pool, Keychain(folder=folder)), store_path=None, clock=clock, close=pool.aclose)
    try:
        assert not await read_once(engine, force=True)
    finally:
        await engine.stop()
    return engine


def items(facts: Iterable[object]) -> list[Build | Incident | Release | Ticket]:
    return [fact for fact in facts if isinstance(fact, Build | Incident | Release | Ticket)]


async def test_a_calm_company_is_read_whole_and_nothing_fails(demo, tmp_path):
    engine = await read(demo, tmp_path)
    assert {name: health.state for name, health in engine.board.health.items()} == dict.fromkeys(
        ("github", "alerts", "buildbot", "tickets", "deploys"), "fresh"
    )
    facts = items(row.fact for row in engine.board.items())
    assert {type(fact) for fact in facts} == {Build, Incident, Release, Ticket}
    assert len(facts) > 90
    assert [row.key for row in engine.board.failing()] == []
    services = {service.name: service.team for service in demo.world.services}
    assert all(services[fact.services[0]] == fact.team for fact in facts)
    assert {fact.environment for fact in facts if isinstance(fact, Release)} == {"production", "staging", ""}
    assert not any(fact.state == "unknown" for fact in facts)


async def test_what_fails_there_fails_on_the_board(demo, tmp_path):
    world = demo.world
    world.act("break_build", "checkout")
    world.act("break_build", "warehouse")
    world.act("fire_alert", "search")
    world.act("fail_pull_request", "payments")
    world.act("blind", vendor="roundup", fault="unavailable")
    world.run(world.now + 40)
    engine = await read(demo, tmp_path)
    failing = items(row.fact for row in engine.board.failing())
    assert {(type(fact), fact.services) for fact in failing} == {
        (Build, ("checkout",)),
        (Build, ("warehouse",)),
        (Incident, ("search",)),
    }
    assert engine.board.health["tickets"].state == "down"
    assert engine.board.health["github"].state == "fresh"
