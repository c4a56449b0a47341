"""What delivery metrics cost on a history of 1,000,000 changes, and for how long a screen beside them stands still."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from statusboard.catalog import Catalog
from statusboard.diff import draft
from statusboard.measuring import Measure
from statusboard.metrics import Report, Scope
from statusboard.model import Incident, Release
from statusboard.store.base import Batch
from statusboard.store.sqlite import SQLiteStore
from tests.bench import history
from tests.bench.table import Row, percentile

DAYS = 90
TURNS = 12
_TICK = 0.002
_SERVICE = "service-003"


def rows() -> list[Row]:
    """All rows of the metrics."""
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(_measured(Path(name)))


class _Watch:
    """The longest time for which the event loop did not come round, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> _Watch:
        self._task = asyncio.ensure_future(self._look())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_TICK)  # a busy loop would keep the store's thread from its work
            self.longest = max(self.longest, time.perf_counter() - began - _TICK)


async def _measured(folder: Path) -> list[Row]:
    store = SQLiteStore(history.copied(folder))
    await store.open()
    lease = await store.lease("poll", "bench")
    now = history.ENDED - timedelta(minutes=1)
    cold, blocked = [], []
    measure = Measure(store, Catalog())
    for _ in range(4):  # the first finds the suspects that the others find kept
        measure = Measure(store, Catalog())
        async with _Watch() as watch:
            began = time.perf_counter()
            await _all(measure, now)
            cold.append(time.perf_counter() - began)
        blocked.append(watch.longest)
    warm, held = [], []
    for turn in range(TURNS):
        at = now + timedelta(seconds=turn)
        item = _deployed(turn, at) if turn % 2 else _broken(turn, at)
        await store.append(Batch(observed_at=at, drafts=(draft(None, item, part="all"),)), lease)
        async with _Watch() as watch:
            began = time.perf_counter()
            await _all(measure, at)
            warm.append(time.perf_counter() - began)
        held.append(watch.longest)
    total, *services = await _all(measure, now)
    await store.close()
    rate = total["change_fail_rate"]
    said = f"{len(services)} services, {rate.n} deployments, {rate.linked.suspected} incidents linked"
    return [
        Row("metrics, all services, 90 days, cold", min(cold[1:]), 2.0, "s", said),
        Row("the same, no suspect found before", cold[0], 3.0, "s", "what they are is kept"),
        Row("after one more change, p95", percentile(warm, 0.95) * 1000, 100, "ms"),
        Row("the loop stands still, cold", max(blocked) * 1000, 20, "ms"),
        Row("the loop stands still, one more change", max(held) * 1000, 20, "ms"),
    ]


async def _all(measure: Measure, now: datetime) -> list[Report]:
    return [await measure.report(Scope(), DAYS, now), *await measure.by_service(DAYS, now)]


def _deployed(number: int, at: datetime) -> Release:
    return Release(
        key=f"cd:release:more-{number}",
        source="cd",
        state="success",
        services=(_SERVICE,),
        team="team-3",
        environment="production",
        version=f"9.{number}.0",
        started_at=at - timedelta(minutes=3),
        ended_at=at,
    )


def _broken(number: int, at: datetime) -> Incident:
    return Incident(
        key=f"pager:incident:more-{number}",
        source="pager",
        state="open",
        severity="high",
        services=(_SERVICE,),
        team="team-3",
        environment="production",
        started_at=at,
    )


if __name__ == "__main__":
    from tests.bench.table import printed

    print(printed(rows()))
    sys.exit(0)
