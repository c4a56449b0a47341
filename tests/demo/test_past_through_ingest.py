"""The demo's past as it is in the store: through the real ingest, watched, the same for the same seed; and how the live
board goes on from it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from statusboard.board import Board
from statusboard.cli._demo_past import Gathering, Order, fill, past
from statusboard.client import ClientPool
from statusboard.clock import SystemClock
from statusboard.config import Config, load_config
from statusboard.credentials import Keychain
from statusboard.demo import Demo, World, start
from statusboard.demo.settings import config_yaml
from statusboard.engine import Engine
from statusboard.metrics import Scope
from statusboard.model import Incident, Release, decode
from statusboard.oneshot import read_once
from statusboard.registry import Registry
from statusboard.store.base import Store
from statusboard.store.continuing import continue_with
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from statusboard.suspects import Candidates
from statusboard.wiring import make_measure, make_setups
from tests.demo.conftest import START

URLS = {
    "github": "http://127.0.0.1:7",
    "alertmanager": "http://127.0.0.1:6",
    "buildbot": "http://127.0.0.1:9",
    "roundup": "http://127.0.0.1:8/board",
}
BEGAN = datetime.fromtimestamp(START, UTC)


def order_and_config(folder: Path, *, seed: int = 7, days: int = 90) -> tuple[Order, Config]:
    files = {name: folder / name for name in ("token", "username", "password", "log")}
    for file in files.values():
        file.write_text("x\n", encoding="utf-8")
    path = folder / "demo.yaml"
    path.write_text(config_yaml(World(seed=seed, start=START), urls=URLS, files=files), encoding="utf-8")
    order = Order(
        config=str(path),
        path=str(folder / "history.sqlite"),
        seed=seed,
        size=1,
        speed=1.0,
        start=START,
        urls=URLS,
        log=str(files["log"]),
        days=days,
    )
    return order, load_config(path, registry=Registry.installed(), env={})


async def made(folder: Path, *, seed: int = 7, days: int = 90) -> Gathering:
    order, config = order_and_config(folder, seed=seed, days=days)
    store = Gathering()
    await store.open()
    await past(order, store, config)
    return store


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gathering]:
    """All 90 days, made once."""
    gc.disable()
    try:
        yield asyncio.run(made(tmp_path_factory.mktemp("whole")))
    finally:
        gc.enable()


async def test_at_least_20000_changes_all_before_the_demo_began(whole: Gathering) -> None:
    health = await whole.health()
    assert health.seq >= 20_000
    times = [batch.observed_at for batch in whole.batches if batch.drafts]
    assert times == sorted(times)
    assert times[-1] <= BEGAN
    assert timedelta(days=89) < BEGAN - times[0] < timedelta(days=90)


async def test_it_was_watched_but_for_some_nights_and_faults(whole: Gathering) -> None:
    stretches = await whole.coverage("alerts")
    assert max(stretch.last_success for stretch in stretches) >= BEGAN - timedelta(seconds=300)
    watched = sum((s.last_success - s.since for s in stretches), timedelta())
    assert timedelta(days=80) < watched < timedelta(days=89.4)
    gaps = [after.since - before.last_success for before, after in pairwise(stretches)]
    assert any(gap > timedelta(hours=7) for gap in gaps)
    parts = {(stretch.source, stretch.part) for stretch in await whole.coverage()}
    assert len(parts) == 3 * 6 + 4


async def test_at_its_end_nothing_fails_and_every_source_is_fresh(whole: Gathering) -> None:
    board = Board("", 0)
    board.load((await whole.snapshot()).rows)
    assert {name: health.state for name, health in board.health.items() if name != "github"} == dict.fromkeys(
        ("alerts", "buildbot", "tickets", "deploys"), "fresh"
    )
    assert len([row for row in board.items() if row.fact.kind == "incident"]) >= 4
    keys = {row.key for row in board.items()}
    assert len(keys) == len(list(board.items()))


async def test_what_it_broke_is_found_by_the_suspects(whole: Gathering, tmp_path: Path) -> None:
    _, config = order_and_config(tmp_path)
    since = BEGAN - timedelta(days=91)
    releases = [decode(each.body) for each in await whole.remembered("release", since=since)]
    incidents = [decode(each.body) for each in await whole.remembered("incident", since=since)]
    catalog = config.catalog()
    candidates = Candidates(
        (release for release in releases if isinstance(release, Release)),
        depends_on=catalog.depends_on,
        production=lambda environment: environment == "production",
    )
    caused = [candidates.of(incident) for incident in incidents if isinstance(incident, Incident)]
    found = [suspects[0] for suspects in caused if suspects]
    assert len(found) > 15
    assert any(suspect.release.state == "rolled_back" for suspect in found)
    assert sum(not suspects for suspects in caused) > 5


async def test_the_metrics_tell_its_story(whole: Gathering, tmp_path: Path) -> None:
    _, config = order_and_config(tmp_path)
    measure = make_measure(config, whole, UTC)
    better = await measure.report(Scope("", "payments", ""), 30, BEGAN)
    for metric in ("change_fail_rate", "recovery_time"):
        number = better[metric]
        assert number.value is not None and number.before is not None, metric
        assert number.value < number.before, metric
    reports = await measure.by_team(30, BEGAN)
    assert {report.scope.team for report in reports} >= {"payments", "discovery", "identity", "logistics", "messaging"}
    judged = [each for report in reports for each in report.goals]
    assert {each.met for each in judged} == {True, False}


async def test_the_same_seed_stores_the_same(tmp_path: Path) -> None:
    first, second = [(await made(tmp_path, days=4)).batches for _ in range(2)]
    assert first == second
    assert (await made(tmp_path, days=4, seed=8)).batches != first


async def test_the_file_holds_what_was_made(tmp_path: Path) -> None:
    order, config = order_and_config(tmp_path, days=3)
    memory = Gathering()
    await memory.open()
    await past(order, memory, config)
    await fill(order)
    store = SQLiteStore(Path(order.path))
    await store.open()
    try:
        assert set((await store.snapshot()).rows) == set((await memory.snapshot()).rows)
        assert [(c.source, c.part, c.since, c.last_success) for c in await store.coverage()] == [
            (c.source, c.part, c.since, c.last_success) for c in await memory.coverage()
        ]
    finally:
        await store.close()


# ------------------------------------------------------------------------------------------------ together with a demo


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    async with await start(folder=tmp_path / "vendors", clock=time.time) as demo:
        yield demo


def engine_of(config: Path, store: Path | None = None) -> Engine:
    clock = SystemClock()
    pool = ClientPool(clock)
    loaded = load_config(config, registry=Registry.installed(), env={})
    keychain = Keychain(folder=config.parent)
    return Engine(make_setups(loaded, pool, keychain), store_path=store, clock=clock, close=pool.aclose)


def order_of(demo: Demo, config: Path, path: Path, days: int) -> Order:
    world = demo.world
    return Order(
        config=str(config),
        path=str(path),
        seed=world.seed,
        size=world.size,
        speed=world.speed,
        start=world.start,
        urls=dict(demo.urls),
        log=str(demo.log_path),
        days=days,
    )


async def test_the_vendors_tell_what_the_past_has_told(demo: Demo, tmp_path: Path) -> None:
    config = tmp_path / "demo.yaml"
    config.write_text(demo.config_yaml, encoding="utf-8")
    told: Store = MemoryStore()
    await told.open()
    await past(
        order_of(demo, config, tmp_path / "none", 2), told, load_config(config, registry=Registry.installed(), env={})
    )
    before = {row.key: decode(row.body) for row in (await told.snapshot()).rows}
    engine = engine_of(config)
    try:
        await read_once(engine, force=True)
        now = {row.key: row.fact for row in engine.board.items()}
    finally:
        await engine.stop()
    assert len(now) > 90
    blind = {name for name, health in engine.board.health.items() if health.state != "fresh"}
    new = [key for key in now.keys() - before.keys() if key.split(":")[0] not in blind]
    assert len(new) < 6  # what has happened in the seconds since
    other = {key for key in now.keys() & before.keys() if now[key] != before[key]}
    assert len(other) < 10, [(now[key], before[key]) for key in sorted(other)[:3]]


async def test_the_live_board_goes_on_from_its_past(demo: Demo, tmp_path: Path) -> None:
    config = tmp_path / "demo.yaml"
    config.write_text(demo.config_yaml, encoding="utf-8")
    order = order_of(demo, config, tmp_path / "history.sqlite", 2)
    await fill(order)
    engine = engine_of(config, tmp_path / "live.sqlite")
    try:
        await read_once(engine, force=True)
        shown = {row.key for row in engine.board.items()}

        async def make(live: Store) -> Store:
            store = SQLiteStore(Path(order.path))
            await store.open()
            lease = await store.lease("poll", "demo")
            await continue_with(store, live, lease)
            assert lease is not None
            await store.release(lease)
            return store

        before = engine.store
        await engine.go_on_with(Path(order.path), make)
        assert engine.store is not before
        assert shown <= {row.key for row in engine.board.items()}
        assert engine.role == "polling"
        seq = (await engine.store.health()).seq
        assert seq > 200
        found = await engine.store.past(limit=seq)
        times = [change.observed_at for change in reversed(found)]
        assert times == sorted(times)
        first = await engine.store.snapshot(datetime.fromtimestamp(order.start, UTC) - timedelta(hours=12))
        assert len(first.rows) > 10
        assert {health.state for health in engine.board.health.values()} <= {"fresh", "partial", "aging", "down"}
        await engine.poll_once()
        await engine.settled((await engine.store.health()).seq)
        assert engine.board.store_id == engine.store.store_id
    finally:
        await engine.stop()
