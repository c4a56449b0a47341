"""A history of 1,000,000 changes: 90 days of 200 services.  What it takes to show a moment of it, to step, to read on.

The history is made once (a minute and a half), through what `append` does, and kept under ``build/bench``.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import heapq
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from statusboard.catalog import Catalog
from statusboard.clock import FakeClock
from statusboard.current import Slot, competes, on_default_branch, slot_of
from statusboard.diff import draft, removal
from statusboard.measuring import Measure
from statusboard.metrics import Scope
from statusboard.model import Build, Draft, Incident, Item, Release, SourceHealth, health_key
from statusboard.rewind import Past, Way
from statusboard.store import _writes
from statusboard.store._database import Setup, connect
from statusboard.store.base import Batch, Watched
from statusboard.store.sqlite import SQLiteStore
from tests.bench.table import Row, percentile

COUNT, DAYS, SERVICES = 1_000_000, 90, 200
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = BEGAN + timedelta(days=DAYS)
SOURCES = ("ci", "cd", "pager")
POLL = timedelta(minutes=1)
KEEP = timedelta(hours=48)
AT_ONCE = 200
MOMENTS, STEPS, APPENDS = 20, 60, 300
NOW = FakeClock(ENDED)
WAYS: tuple[Way, ...] = (-1, 1)
#: Raise it when what is written below changes, or how the store keeps it.
EDITION = 5
_FOLDER = Path(__file__).parents[2] / "build" / "bench"
#: Of each day so many; with what becomes of them that is a million changes in 90 days.
RELEASES, INCIDENTS, BUILDS = 562, 337, 2_482


def database() -> Path:
    """The history's file, made if it is not there yet.  Not to be written to: see `copied`."""
    path = _FOLDER / f"history-{EDITION}.db"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second waits, and finds it
        if not path.exists():
            print(f"making {path} ...", file=sys.stderr)
            for old in _FOLDER.glob("history-*"):
                old.unlink()
            began = time.monotonic()
            unfinished = path.with_name(path.name + ".part")
            _make(unfinished)
            unfinished.rename(path)
            print(f"made in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return path


def copied(folder: Path) -> Path:
    """A copy of the history that may be written to."""
    path = Path(shutil.copy(database(), folder / "history.db"))
    with path.open("rb") as file:
        os.fsync(file)  # else the first checkpoint would wait until 600 MB are on the disk
    return path


# -- what it takes -------------------------------------------------------------------------------------------------


def rows() -> list[Row]:
    """All rows of the history; painting comes on top of the moments and steps."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = copied(folder)
        base = connect(Setup(path=path, read_only=True))
        query = "SELECT count(*), avg(length(body)) FROM changes"
        count, body = base.connection.execute(query).fetchone()
        base.close()
        size = Row("size on disk, a change", path.stat().st_size / count, 900, "B", f"{body:.0f} B of them its body")
        return [*asyncio.run(_read(path)), size, *asyncio.run(_appended(path))]


async def _read(path: Path) -> list[Row]:
    chance = random.Random(7)
    cold, steps, incidents, beside, facts = [], [], [], [], []
    live = 0
    for _ in range(MOMENTS):
        forget(path)
        store = await _opened(path)
        began = time.perf_counter()
        past = await Past.open(store, _any(chance), clock=NOW)
        cold.append(time.perf_counter() - began)
        live = max(live, len(past.board))
        await store.close()
    store = await _opened(path)
    past = await Past.open(store, ENDED - timedelta(days=45), clock=NOW)
    warm = [await _timed(past.go(_any(chance))) for _ in range(MOMENTS)]
    for way in WAYS:
        steps += [await _timed(past.step(way)) for _ in range(STEPS)]
        incidents += [await _timed(past.to_incident(way)) for _ in range(STEPS)]
        beside += [await _timed(store.neighbour(chance.randrange(COUNT), way)) for _ in range(STEPS)]
    await store.close()
    for _ in range(3):
        store = await _opened(path)
        facts.append(await _timed(store.remembered("release", since=BEGAN)))
        facts[-1] += await _timed(store.remembered("incident", since=BEGAN))
        await store.close()
    return [
        Row("any moment, read and folded, cold, p95", percentile(cold, 0.95) * 1000, 430, "ms", f"{live} rows at most"),
        Row("any moment, read and folded, warm, p95", percentile(warm, 0.95) * 1000, 230, "ms"),
        Row("one step, read and folded, p95", percentile(steps, 0.95) * 1000, 30, "ms"),
        Row("to the next incident, read and folded, p95", percentile(incidents, 0.95) * 1000, 30, "ms"),
        Row("what lies beside a moment, p95", percentile(beside, 0.95) * 1000, 5, "ms"),
        Row("releases and incidents of 90 days, read anew", min(facts), 0.7, "s"),
    ]


async def _appended(path: Path) -> list[Row]:
    """How long appends wait while moments and marks are read, and metrics made, without a pause."""
    chance = random.Random(11)
    store = await _opened(path)
    lease = await store.lease("poll", "bench")
    past = await Past.open(store, BEGAN + timedelta(days=9), clock=NOW)

    async def moments() -> None:
        while True:
            await past.go(_any(chance))

    async def metrics() -> None:
        measure = Measure(store, Catalog())
        while True:
            await measure.report(Scope(), DAYS, ENDED)
            await store.marks(BEGAN, ENDED, step=timedelta(hours=12))

    gc.disable()  # as the screen does while it reads a moment
    readers = [asyncio.ensure_future(moments()), asyncio.ensure_future(metrics())]
    waits = []
    for number in range(APPENDS):
        await asyncio.sleep(0.03)
        items = [_build(chance, ENDED, number % SERVICES, -10 * number - n)[0] for n in range(10)]
        batch = Batch(observed_at=ENDED, drafts=tuple(draft(None, item, part="all") for item in items))
        waits.append(await _timed(store.append(batch, lease)))
    assert not any(reader.done() for reader in readers)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    gc.enable()
    await store.close()
    note = f"{percentile(waits, 0.5) * 1000:.0f} ms p50, {percentile(waits, 0.95) * 1000:.0f} ms p95"
    return [Row("an append beside all this, longest of 300", max(waits) * 1000, 100, "ms", note)]


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _opened(path: Path) -> SQLiteStore:
    store = SQLiteStore(path)
    await store.open()
    return store


def _any(chance: random.Random) -> datetime:
    return BEGAN + timedelta(days=1) + (ENDED - BEGAN - timedelta(days=2)) * chance.random()


def forget(path: Path) -> None:
    """Have the system forget what it has read of a file, as after a restart."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# -- making it -----------------------------------------------------------------------------------------------------


def _make(path: Path) -> None:
    base = connect(Setup(path=path))
    try:
        coming, count = batches(), 0
        while count < COUNT:
            count += len(_writes.append_all(base, list(islice(coming, AT_ONCE)), None))
    finally:
        base.close()


class _Event(NamedTuple):
    """What becomes of an item, and when: ``None`` where it leaves the board."""

    at: datetime
    number: int
    before: Item | None
    after: Item | None


def batches(seed: int = 5) -> Iterator[Batch]:
    """What is polled, minute by minute; on the 20th night nobody watches from two to five."""
    events: list[_Event] = []
    places = _Places()
    lives = _lives(random.Random(seed))
    coming = next(lives)
    blind = (BEGAN + timedelta(days=20, hours=2), BEGAN + timedelta(days=20, hours=5))
    now = BEGAN
    yield Batch(observed_at=now, drafts=tuple(draft(None, _health(source, "fresh", now)) for source in SOURCES))
    while True:
        now += POLL
        while coming[0].at <= now:
            for event in coming:
                heapq.heappush(events, event)
            coming = next(lives)
        if blind[0] <= now < blind[1]:
            continue
        drafts = []
        while events and events[0].at <= now:
            drafts += places.after(heapq.heappop(events))
        minute = (now - BEGAN) // POLL
        if minute % 480 in (0, 7):  # three times a day a source is down for some minutes
            source = SOURCES[minute // 480 % len(SOURCES)]
            drafts.append(draft(None, _health(source, "stale" if minute % 480 == 0 else "fresh", now)))
        watched = tuple(Watched(source=source, part="all", at=now, gap=300) for source in SOURCES)
        yield Batch(observed_at=now, drafts=tuple(drafts), watched=watched)


class _Places:
    """What is current stays on the board, however old, until something else is."""

    def __init__(self) -> None:
        self._current: dict[Slot, str] = {}
        self._old: dict[Slot, Item] = {}

    def after(self, event: _Event) -> list[Draft]:
        """The changes that an event makes."""
        if event.after is not None:
            return [*self._taken(event.after), draft(event.before, event.after, part="all")]
        assert event.before is not None
        slot = slot_of(event.before)
        if slot is not None and self._current.get(slot) == event.before.key:
            self._old[slot] = event.before
            return []
        return [removal(event.before, "expired")]

    def _taken(self, item: Item) -> list[Draft]:
        """A place is taken over by what has a verdict; of what is on a side branch none is."""
        slot = slot_of(item)
        side = isinstance(item, Build) and not on_default_branch(item)
        if slot is None or side or isinstance(item, Incident) or not competes(item):
            return []
        self._current[slot] = item.key
        old = self._old.pop(slot, None)
        return [] if old is None or old.key == item.key else [removal(old, "expired")]


def _health(source: str, state: Any, at: datetime) -> SourceHealth:
    return SourceHealth(key=health_key(source), source=source, state=state, type="bench", interval=60, started_at=at)


def _lives(chance: random.Random) -> Iterator[list[_Event]]:
    """What becomes of one item after the other, in the order in which they begin; goes on for ever."""
    per_day = RELEASES + INCIDENTS + BUILDS
    at = BEGAN
    versions = [0] * SERVICES
    number = 0
    while True:
        at += timedelta(seconds=chance.expovariate(per_day / 86_400))
        number += 1
        service = int(SERVICES * chance.random() ** 1.5)  # some have five times as much of it as most
        which = chance.randrange(per_day)
        if which < RELEASES:
            versions[service] += 1
            yield _life(number, _release(chance, at, service, versions[service], number), (90, 60))
        elif which < RELEASES + INCIDENTS:
            yield _life(number, _incident(chance, at, service, number), (chance.uniform(120, 9_000),) * 2)
        else:
            yield _life(number, _build(chance, at, service, number), (chance.uniform(60, 900),))


def _life(number: int, items: list[Item], waits: tuple[float, ...]) -> list[_Event]:
    """An item's events: its states with so many seconds in between, and, when it is long over, its leaving."""
    events: list[_Event] = []
    at = items[0].started_at
    assert at is not None
    before: Item | None = None
    for place, item in enumerate(items):
        events.append(_Event(at, number, before, item))
        before = item
        at = at + timedelta(seconds=waits[min(place, len(waits) - 1)])
    return [*events, _Event(at + KEEP, number, before, None)]


def _common(chance: random.Random, at: datetime, service: int, source: str) -> dict[str, Any]:
    name = f"service-{service:03}"
    return {
        "source": source,
        "services": (name,),
        "team": f"team-{service % 12}",
        "repository": f"acme/{name}",
        "url": f"https://{source}.example/acme/{name}/-/{chance.getrandbits(40):010x}",
        "actor": f"person-{chance.randrange(60)}",
        "started_at": at,
        "updated_at": at,
    }


def _release(chance: random.Random, at: datetime, service: int, version: int, number: int) -> list[Item]:
    place = ("production", "production", "staging", "test")[number % 4]
    common = {
        **_common(chance, at, service, "cd"),
        "key": f"cd:release:{number}",
        "title": f"Deploy service-{service:03} 1.{version}.0 to {place}",
        "environment": place,
        "target": ("eu-1", "us-1")[number % 2],
        "version": f"1.{version}.0",
        "previous_version": f"1.{version - 1}.0",
        "revision": f"{chance.getrandbits(160):040x}",
        "commits": chance.randrange(1, 30),
    }
    end = {"ended_at": at + timedelta(seconds=150), "updated_at": at + timedelta(seconds=150)}
    state: Any = "failed" if chance.random() < 0.06 else "success"
    return [
        Release(state="queued", **common),
        Release(state="running", **common),
        Release(**{**common, **end, "state": state}),
    ]


def _incident(chance: random.Random, at: datetime, service: int, number: int) -> list[Item]:
    common = {
        **_common(chance, at, service, "pager"),
        "key": f"pager:incident:{number}",
        "title": f"Errors above {number % 9 + 1}% on service-{service:03}, for longer than ten minutes",
        "environment": "production",
        "severity": ("critical", "high", "medium", "low")[number % 4],
        "fingerprint": f"{chance.getrandbits(64):016x}",
        "labels": {"region": ("eu-1", "us-1")[number % 2]},
    }
    acked = {"acknowledged_at": at + timedelta(seconds=90), "acknowledged_by": f"person-{number % 60}"}
    return [
        Incident(state="open", **common),
        Incident(state="acknowledged", **{**common, **acked}),
        Incident(
            state="resolved", **{**common, **acked, "ended_at": at + timedelta(seconds=chance.uniform(240, 18_000))}
        ),
    ]


def _build(chance: random.Random, at: datetime, service: int, number: int) -> list[Item]:
    main = chance.random() < 0.4
    common = {
        **_common(chance, at, service, "ci"),
        "key": f"ci:build:{number}",
        "title": f"Merge OPS-{number % 9_999} into main",
        "pipeline": ("test", "package", "nightly")[number % 3],
        "run_number": number,
        "branch": "main" if main else f"feature/ops-{number % 9_999}",
        "default_branch": "main",
        "change": "" if main else f"#{number % 9_999}",
        "revision": f"{chance.getrandbits(160):040x}",
    }
    state: Any = "failed" if chance.random() < 0.12 else "success"
    end: dict[str, Any] = {"ended_at": at + timedelta(seconds=600), "updated_at": at + timedelta(seconds=600)}
    if state == "failed":
        end["reason"] = "2 of 14 jobs: lint, test"
    builds: list[Item] = [Build(state="running", **common), Build(**{**common, **end, "state": state})]
    if state == "failed" and number % 4 == 0:
        again = {**common, "attempt": 2}
        builds += [Build(state="running", verdict="failed", **again), Build(**{**again, **end, "state": "success"})]
    return builds
