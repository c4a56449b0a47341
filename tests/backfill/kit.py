"""What the tests of reading back have in common: a vendor with a past, and a run of all that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec

from statusboard.backfill import Backfill, SourceProgress
from statusboard.clock import FakeClock
from statusboard.model import Build, Change, Item, ItemKind
from statusboard.source import Context, Http, HttpFactory, Past, Scope, Source, SourceOptions
from statusboard.store.base import Store
from statusboard.testing import FakeHttp

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def build(number: int, at: datetime, **more: Any) -> Build:
    fields: dict[str, Any] = {"state": "success", "pipeline": "ci", "run_number": number, "started_at": at}
    fields["ended_at"] = at + timedelta(minutes=5)
    return Build(key=f"ci:build:{number}", source="ci", **{**fields, **more})


class Chronicle(Source[SourceOptions]):
    """A vendor with a build every six hours, ten on a page, that goes back 200 days."""

    type = "chronicle"
    kinds: ClassVar[frozenset[ItemKind]] = frozenset({"build", "incident"})
    history_kinds: ClassVar[frozenset[ItemKind]] = frozenset({"build"})
    no_history = "it forgets incidents"
    names: Sequence[str] = ("builds",)
    days = 200
    page = 10

    def __init__(self, options: SourceOptions, context: Context) -> None:
        super().__init__(options, context)
        self.asked: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda part, cursor: None

    async def scopes(self, http: Http) -> list[Scope]:
        return [Scope(name=name, kind="build", reach="window") for name in self.names]

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        self.asked.append((scope.name, cursor))
        self.before(scope.name, cursor)
        newest = int((self.clock.now() - NOW + DAY * self.days) / timedelta(hours=6))
        number = int(cursor) if cursor else newest
        some = range(number, max(number - self.page, 0), -1)
        items = [self.build(scope.name, n) for n in some]
        oldest = items[-1].started_at if items else None
        return Past(items=tuple(items), older=str(some[-1] - 1) if some and some[-1] > 1 else "", reached=oldest)

    def build(self, part: str, number: int) -> Build:
        at = NOW - DAY * self.days + timedelta(hours=6) * number
        made = build(number, at)
        return msgspec.structs.replace(made, key=self.key("build", f"{part}/{number}"), source=self.name)


class Client:
    """A client that asks nobody; ``room`` are the waits that it asks for, one before each page."""

    def __init__(self) -> None:
        self.requests = 0
        self.room: list[float] = []

    @property
    def factory(self) -> HttpFactory:
        def make(scope: str) -> Http:
            self.requests += 1
            return FakeHttp(lambda call: None)  # type: ignore[arg-type, return-value]

        return make

    def wait_for_room(self, share: float) -> float:
        assert 0 < share < 1
        return self.room.pop(0) if self.room else 0.0


class Configured:
    """A configured source, with what it was made into last."""

    def __init__(self, cls: type[Source[Any]] = Chronicle, name: str = "ci", identity: str = "a+b") -> None:
        self.type = "chronicle"
        self.cls = cls
        self.name = name
        self.identity = identity
        self.client = Client()
        self.before: Callable[[str, str], None] = lambda part, cursor: None
        self.source: Any = None

    @staticmethod
    def resolver(item: Item) -> Item:
        return msgspec.structs.replace(item, services=("shop",))

    def make(self, clock: Any) -> tuple[Source[SourceOptions], Client]:
        context = Context(name=self.name, clock=clock, log=logging.getLogger("statusboard.source"))
        self.source = self.cls(SourceOptions(type=self.type, name=self.name), context)
        self.source.before = self.before
        return self.source, self.client


class Slow(Chronicle):
    """A server that takes its time."""

    takes = 2.0

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        await self.clock.sleep(self.takes)
        return await super().history(scope, http, since=since, cursor=cursor)


async def run(
    store: Store, clock: FakeClock, *setups: Configured, days: int = 30, anew: bool = False
) -> dict[str, SourceProgress]:
    backfill = Backfill(setups or [Configured()], store, clock, since=clock.now() - DAY * days, anew=anew)
    task = asyncio.ensure_future(backfill.run())
    while not task.done():
        if clock.sleepers:  # who waits for a database does not wait for the clock
            await clock.run_for(60)
        await asyncio.sleep(0.001)
    await task
    assert backfill.fraction == 1.0 and backfill.seconds_left() == 0.0
    return dict(backfill.progress)


async def stored(store: Store) -> list[Change]:
    return await store.past(limit=100_000)


def fail(error: BaseException) -> None:
    raise error
