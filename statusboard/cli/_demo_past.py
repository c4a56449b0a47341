"""The demo's past: 90 days at the pretend company go through the real ingest under a clock of their own.

It is made in a process of its own, while the board is up: ``python -m statusboard.cli._demo_past`` reads an `Order`
(JSON) from standard input and fills a store.  What is put in is what a board would have stored that had polled all the
time, but for the nights in which none ran: of polls that brought nothing new only the watched time is left anyway.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.demo import items
from statusboard.demo.history import DAYS, Chronicle, Gap, Told, write
from statusboard.demo.items import Place
from statusboard.demo.reading import Reading
from statusboard.demo.records import Vendor
from statusboard.demo.world import World
from statusboard.errors import ServerError
from statusboard.health import Tracker
from statusboard.ingest import Ingest
from statusboard.model import Change, Item, ItemKind, Part
from statusboard.store.base import Batch, Lease, Store
from statusboard.store.memory import MemoryStore

if TYPE_CHECKING:
    from statusboard.config import Config

POLLS: Final[Mapping[ItemKind, float]] = {"incident": 30.0, "release": 240.0, "build": 1800.0, "ticket": 3600.0}
"""Seconds between two polls of the board that watched: seldom where seldom is enough, since each of them costs."""

TIDY: Final = 2 * 3600.0
"""Seconds between two times at which that board gave up what was over for long enough."""

STEP: Final = 300.0
LAST: Final = 600.0
LAST_STEP: Final = 20.0
"""Seconds between two polls in the world's own past, and in the ``LAST`` seconds of it."""

AT_ONCE: Final = 400
"""Batches in one transaction."""

_SOURCES: Final[Mapping[Vendor, str]] = {
    "github": items.GITHUB,
    "alertmanager": items.ALERTS,
    "buildbot": items.BUILDBOT,
    "roundup": items.TICKETS,
}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted: the history of the demo with these options, in the store at ``path``.

    ``start``: when the demo began (Unix seconds); ``urls`` and ``log``: where its vendors and their deploy log are.
    """

    config: str
    path: str
    seed: int
    size: int
    speed: float
    start: float
    urls: dict[str, str]
    log: str
    days: int = DAYS


class Gathering(MemoryStore):
    """A store in memory that also keeps what went into it, to be written all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    async def append(self, batch: Batch, lease: Lease | None = None) -> list[Change]:
        """As every store's."""
        changes = await super().append(batch, lease)
        self.batches.append(batch)
        return changes


class Watcher:
    """The board that watched: takes in what it is told, at the time of its own clock."""

    def __init__(self, store: Store, config: Config, began: float, places: Iterable[Place]) -> None:
        self.clock = FakeClock(_moment(began))
        self.board = Board(store.store_id)
        self.ingest = Ingest(
            store,
            self.clock,
            keep=timedelta(seconds=config.board.keep),
            standing=lambda slot: self.board.standing(slot),
        )
        self._keep = timedelta(seconds=config.board.keep)
        self._store = store
        self._places = list(places)
        self._kinds: dict[Place, ItemKind] = {place: _kind(place) for place in self._places}
        catalog = config.catalog()
        self._trackers: dict[str, Tracker] = {}
        for source in config.sources:
            self.ingest.use_resolver(source.name, catalog.resolver(source.defaults))
            self._trackers[source.name] = Tracker(source.name, source.type, source.interval)

    async def begin(self) -> None:
        """Begin to poll."""
        self.ingest.lease = await self._store.lease("poll", "demo")
        await self.ingest.load()
        for tracker in self._trackers.values():
            await self._judge(tracker)
        await self.watch(since=True)

    def turn(self, to: float) -> None:
        """Let time pass."""
        self.clock.advance(max(0.0, (_moment(to) - self.clock.now()).total_seconds()))

    async def hear(self, place: Place, found: Iterable[Item], *, whole: bool = False) -> None:
        """Take in what a part of a source says: the items that changed, or (``whole``) all that there are."""
        part = Part(
            scope=place[1],
            kind=self._kinds[place],
            reach="complete" if whole else "delta",
            started_at=self.clock.now(),
            items=tuple(found),
        )
        taken = await self.ingest.part(place[0], part, mark=self.ingest.mark, gap=inf)
        self.fold(taken.changes)

    async def watch(self, source: str = "", *, since: bool = False) -> None:
        """All parts (of ``source``) are read and say nothing new; ``since``: for the first time after a gap."""
        now = self.clock.now()
        for name, scope in self._places:
            if source in ("", name):
                part = Part(scope=scope, kind=self._kinds[name, scope], reach="delta", started_at=now, unchanged=True)
                await self.ingest.part(name, part, mark=self.ingest.mark, gap=0.0 if since else inf)
                self._trackers[name].read(scope, now, ())
        await self.ingest.flush()
        for name, tracker in self._trackers.items():
            if source in ("", name):
                await self._judge(tracker)

    async def fail(self, source: str, error: str) -> None:
        """A source cannot be read."""
        self._trackers[source].failed_whole(ServerError(error))
        await self._judge(self._trackers[source])

    async def _judge(self, tracker: Tracker) -> None:
        self.fold(await self.ingest.health(tracker.judge(self.clock.now())))

    async def tidy(self) -> None:
        """Take off the board what is over for long enough."""
        leaving = [self.board.rows[key] for key in self.board.leaving(self.clock.now(), self._keep)]
        if leaving:
            self.fold(await self.ingest.expire((row.fact.source, row.key, row.seq) for row in leaving))

    def fold(self, changes: list[Change]) -> None:
        self.board.fold(changes)


async def live_through(watcher: Watcher, chronicle: Chronicle) -> None:
    """Have everything told at its time, and what is told while nobody hears it afterwards."""
    polls: defaultdict[float, defaultdict[Place, list[Told]]] = defaultdict(lambda: defaultdict(list))
    for told in chronicle.told:
        at = _heard(told, chronicle.gaps)
        every = POLLS[_kind(told.place)]
        polls[chronicle.since + ceil((at - chronicle.since) / every) * every][told.place].append(told)
    marks = [(gap.since, 1, gap) for gap in chronicle.gaps] + [(gap.until, 0, gap) for gap in chronicle.gaps]
    marks.sort(key=lambda mark: mark[:2])
    firing: dict[str, Item] = {}
    tidied = chronicle.since
    for at in sorted(polls):
        while marks and marks[0][0] < at:
            time, begins, gap = marks.pop(0)
            await _cross(watcher, time, gap, begins=bool(begins))
        watcher.turn(at)
        for place, tellings in polls[at].items():
            if place == items.ALERTS_PLACE:
                for told in tellings:
                    if told.item is None:
                        firing.pop(told.key, None)
                    else:
                        firing[told.key] = told.item
                await watcher.hear(place, firing.values(), whole=True)
            else:
                newest = {told.key: told.item for told in tellings if told.item is not None}
                await watcher.hear(place, newest.values())
        if at - tidied >= TIDY:
            tidied = at
            await watcher.tidy()
    watcher.turn(chronicle.until)
    await watcher.watch()


async def _cross(watcher: Watcher, at: float, gap: Gap, *, begins: bool) -> None:
    """A gap begins or ends."""
    watcher.turn(at)
    if not begins:
        await watcher.watch(gap.source, since=True)
        return
    await watcher.watch(gap.source)
    if gap.source:
        for later in (20.0, 60.0, 180.0):
            watcher.turn(at + later)
            await watcher.fail(gap.source, gap.error)


def _heard(told: Told, gaps: list[Gap]) -> float:
    """When somebody hears it."""
    for gap in gaps:
        if gap.since <= told.at < gap.until and gap.source in ("", told.place[0]):
            return gap.until
    return told.at


def _kind(place: Place) -> ItemKind:
    source, scope = place
    if source == items.ALERTS:
        return "incident"
    if source == items.TICKETS or scope.endswith(" tickets"):
        return "ticket"
    return "build" if scope.endswith("builds") else "release"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


async def live_again(watcher: Watcher, world: World, reading: Reading) -> None:
    """The past that the world itself has: its hours are lived once more, and read as its vendors show them."""
    now, blind = world.now, frozenset[str]()
    while now < world.start:
        now = min(world.start, now + (LAST_STEP if now >= world.start - LAST else STEP))
        world.run(now)
        watcher.turn(now)
        before, blind = blind, frozenset(_SOURCES[vendor] for vendor in world.faults)
        for source in before - blind:
            await watcher.watch(source, since=True)
        for source in blind - before:
            await watcher.watch(source)
            await watcher.fail(source, "503 Service Unavailable")
        for place, found in reading.changed(blind):
            await watcher.hear(place, found, whole=place == items.ALERTS_PLACE)
    for source in _SOURCES.values():
        if source not in blind:
            await watcher.watch(source)
    await watcher.watch(items.DEPLOYS)
    await watcher.tidy()


async def past(order: Order, store: Store, config: Config) -> None:
    """Live through all of it, up to the moment at which the demo began."""
    options: Any = {"seed": order.seed, "size": order.size, "speed": order.speed, "start": order.start}
    world = World(**options, relive=True)
    waiting = World(**options)
    chronicle = write(world, waiting, seed=order.seed, urls=order.urls, log=order.log, days=order.days)
    reading = Reading(world, urls=order.urls, log=order.log)
    watcher = Watcher(store, config, chronicle.since, reading.places)
    await watcher.begin()
    await live_through(watcher, chronicle)
    await live_again(watcher, world, reading)


async def fill(order: Order) -> None:
    """Fill a new store with it."""
    from statusboard.cli.common import file_of
    from statusboard.store.sqlite import SQLiteStore

    memory = Gathering()
    await memory.open()
    await past(order, memory, file_of(Path(order.config)).load())
    store = SQLiteStore(Path(order.path))
    await store.open()
    try:
        lease = await store.lease("poll", "demo")
        for start in range(0, len(memory.batches), AT_ONCE):
            await store.append_all(memory.batches[start : start + AT_ONCE], lease)
    finally:
        await store.close()


def main() -> None:
    """Do as the order on standard input says."""
    gc.disable()  # nearly all that is made is kept
    asyncio.run(fill(msgspec.json.decode(sys.stdin.buffer.read(), type=Order)))


if __name__ == "__main__":
    main()
