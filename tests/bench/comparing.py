"""What it costs to find that nothing has changed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from statusboard.clock import SystemClock
from statusboard.ingest import Ingest
from statusboard.model import Build, Part
from statusboard.store.memory import MemoryStore
from tests.bench.table import Row, percentile

COUNT = 10_000


def rows() -> list[Row]:
    """An unchanged snapshot of 10,000 items."""
    return asyncio.run(_rows())


async def _rows() -> list[Row]:
    store = MemoryStore(clock=SystemClock())
    await store.open()
    ingest = Ingest(store, SystemClock())
    ingest.lease = await store.lease("poll", "bench")
    await ingest.load()
    began = datetime.now(UTC)
    items = tuple(_build(n, began) for n in range(COUNT))
    part = Part(scope="all", kind="build", reach="window", started_at=began, items=items)
    await ingest.part("ci", part, mark=ingest.mark, gap=60)
    before = (await store.health()).seq
    times = []
    for _ in range(15):
        start = time.process_time()
        await ingest.part("ci", part, mark=ingest.mark, gap=60)
        times.append(time.process_time() - start)
    written = (await store.health()).seq - before
    await store.close()
    return [
        Row("diff of an unchanged 10,000-item snapshot, CPU", percentile(times, 0.5) * 1000, 30, "ms"),
        Row("diff of an unchanged 10,000-item snapshot, rows written", written, 0, ""),
    ]


def _build(n: int, began: datetime) -> Build:
    return Build(
        key=f"ci:build:{n}",
        source="ci",
        state="success" if n % 7 else "failed",
        title=f"CI: change number {n} of the day, with a title of common length",
        pipeline="ci.yml",
        repository=f"acme/service-{n % 200}",
        branch="main" if n % 3 else f"feature/{n}",
        default_branch="main",
        run_number=n,
        revision=f"{n:040x}",
        actor="ada",
        trigger="push",
        url=f"https://ci.example/acme/service-{n % 200}/runs/{n}",
        labels={"workflow": "ci.yml"},
        started_at=began,
        updated_at=began,
        ended_at=began,
    )
