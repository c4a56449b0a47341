"""A board of 10,000 items in a folder of its own, fed by this process: the program under measure only follows."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from statusboard.client import ClientPool
from statusboard.clock import SystemClock
from statusboard.config import load_config
from statusboard.credentials import Keychain
from statusboard.diff import draft
from statusboard.model import Build, Incident, Item, Release, SourceHealth, Status, Ticket, health_key
from statusboard.registry import Registry
from statusboard.store.base import Batch, Lease, Registration
from statusboard.store.sqlite import SQLiteStore
from statusboard.wiring import make_setups

T = TypeVar("T")
COUNT = 10_000
CONFIG = """
board: {id: bench, title: Bench}
sources:
  - {type: http-json, name: ci, url: "http://127.0.0.1:9", kind: build, id: id, interval: 12h}
"""


class Filled:
    """The store that the measured program follows, and the hand that changes it."""

    def __init__(self, folder: Path, items: Callable[[datetime], Iterable[Item]] | None = None) -> None:
        """``items`` makes what is on the board from the time at which it began; else there are `COUNT` of `item_of`."""
        self.folder = folder
        self._items = items or (lambda began: [item_of(n, began) for n in range(COUNT)])
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.began = datetime.now(UTC)
        self.store: SQLiteStore
        self.lease: Lease
        self._do(self._open())

    @property
    def environment(self) -> dict[str, str]:
        """What the measured program is started with, beside our own environment."""
        places = {f"STATUSBOARD_{name}": str(self.folder / name.lower()) for name in ("DATA", "CACHE", "STATE")}
        return {
            **places,
            "STATUSBOARD_LOG": str(self.folder / "log" / "statusboard.log"),
            "STATUSBOARD_CONFIG": str(self.config),
            "PYTHONPATH": os.getcwd(),
        }

    def put(self, *items: Item) -> None:
        """Store changes, as a poll would."""
        self._do(self._put(items))

    def close(self) -> None:
        """Give everything back."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._keeper.cancel()
        await self.store.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _open(self) -> None:
        self.store = SQLiteStore(self.folder / "data" / "bench.sqlite")
        (self.folder / "data").mkdir(mode=0o700)
        await self.store.open()
        lease = await self.store.lease("poll", "bench")
        assert lease is not None
        self.lease = lease
        config = load_config(self.config, registry=Registry.installed())
        setups = make_setups(config, ClientPool(SystemClock()), Keychain())
        await self.store.register(
            [Registration(source=s.name, type=s.type, identity=s.identity) for s in setups], self.lease
        )
        health = SourceHealth(
            key=health_key("ci"), source="ci", title="ci", state="fresh", type="http-json", interval=12 * 3600
        )
        status = Status(source="ci", interval=12 * 3600, last_attempt=self.began, last_success=self.began)
        items = self._items(self.began)
        await self.store.append(
            Batch(
                observed_at=self.began,
                drafts=(draft(None, health), *(draft(None, item, part="all") for item in items)),
                statuses=(status,),
            ),
            self.lease,
        )
        self._keeper = asyncio.ensure_future(self._keep())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(2)
            await self.store.lease("poll", "bench")

    async def _put(self, items: tuple[Item, ...]) -> None:
        drafts = tuple(draft(None, item, part="all") for item in items)
        await self.store.append(Batch(observed_at=datetime.now(UTC), drafts=drafts), self.lease)


def item_of(n: int, began: datetime, *, edition: int = 0) -> Item:
    """The ``n``-th of 10,000 items; another ``edition`` of it says something else in the same place."""
    at = began - timedelta(days=3, minutes=n)  # old enough for ages that stand still meanwhile
    service = f"service-{n % 200:03}"
    common: dict[str, Any] = {
        "source": "ci",
        "services": (service,),
        "team": f"team-{n % 12}",
        "url": f"https://ci.example/acme/{service}/{n}",
        "labels": {"region": f"eu-{n % 3}", "tier": "gold"},
        "started_at": at,
        "updated_at": at,
        "actor": f"person-{(n + edition) % 40}",
    }
    match n % 20:
        case 0:
            return Incident(
                key=f"ci:incident:{n}",
                state="open",
                severity=("critical", "high", "medium", "low")[n % 4],
                fingerprint=str(n),
                title=f"Errors above {5 + edition}% on {service}, for longer than ten minutes",
                environment="production",
                **common,
            )
        case 1 | 2 | 3:
            return Release(
                key=f"ci:release:{n}",
                state="success",
                version=f"1.{n}.{edition}",
                title=f"deploy {service}",
                environment=f"env-{n}",
                **common,
            )
        case 4 | 5 | 6 | 7:
            return Ticket(
                key=f"ci:ticket:{n}",
                state="open",
                ticket_id=f"OPS-{n}",
                priority="urgent",
                title=f"Ticket {n}: what nobody has had the time to look at {edition}",
                **common,
            )
        case _:
            return Build(
                key=f"ci:build:{n}",
                state="failed" if n % 40 == 8 else "success",
                pipeline=f"pipeline-{n}",
                repository=f"acme/{service}",
                branch="main",
                default_branch="main",
                run_number=n,
                revision=f"{n:040x}",
                title=f"Merge change {n} into main, edition {edition}",
                **common,
            )
