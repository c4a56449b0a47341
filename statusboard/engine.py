"""Store, poller and board of one process, wired together: what the app, ``poll`` and ``show`` stand on.

Everything that the board shows came through the store's change feed, whoever polls: this process, another one on this
host, or nobody any more.  Roles:

    polling     this process holds the lease, reads the sources and writes
    following   another process does; we take over when it dies
    reading     we may only read this store (another user's, or ``--read-only``)
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Literal, Protocol, TypeAlias
from uuid import uuid4

from statusboard.board import Board, Delta
from statusboard.clock import Clock, SystemClock
from statusboard.diff import draft
from statusboard.errors import ConfigError, HistoryGone, LeaseLost, StoreError, StoreUnusable
from statusboard.health import Tracker, by_age
from statusboard.ingest import Ingest, Resolver
from statusboard.model import Annotation, HealthState, Status
from statusboard.poller import Budgeted, Polled, Poller
from statusboard.source import Source, SourceOptions
from statusboard.store import open_store, replacement
from statusboard.store.base import Batch, Lease, Registration, Store
from statusboard.store.memory import MemoryStore

log = logging.getLogger("statusboard.engine")

Role: TypeAlias = Literal["starting", "polling", "following", "reading"]
Listener: TypeAlias = Callable[[Delta], None]

LEASE = "poll"
LEASE_EVERY = 2.0
TAKEOVER = 8.0
KEEP_EVERY = 60.0
RETAIN_EVERY = 6 * 3600.0
STATUS_EVERY = 1.0
#: Rows folded between two turns of the event loop.
CHUNK = 500
_AGE_ORDER = {"starting": 0, "fresh": 1, "partial": 2, "aging": 3, "stale": 4, "down": 5, "paused": 6}


class Setup(Protocol):
    """One configured source, ready to be built (`statusboard.wiring` makes them from the config)."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def interval(self) -> float: ...
    @property
    def optional(self) -> bool: ...
    @property
    def resolver(self) -> Resolver: ...
    def build(self, clock: Clock, store: Store) -> Awaitable[tuple[Source[SourceOptions], Budgeted]]:
        """The source and its client, with the validators that the store has for it."""


class Engine:
    """One process's share in a board.

    ``board`` is always there, empty at first.  ``notice`` says what a person must know about the store ("not stored:
    the disk is full"), ``statuses`` what moves at every poll, by source name.
    """

    def __init__(
        self,
        setups: Iterable[Setup],
        *,
        store_path: Path | None,
        read_only: bool = False,
        keep: timedelta = timedelta(hours=48),
        clock: Clock | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.setups = {setup.name: setup for setup in setups}
        self.clock: Clock = clock or SystemClock()
        self.board = Board()
        self.role: Role = "starting"
        self.notice = ""
        self.statuses: dict[str, Status] = {}
        self.poller: Poller | None = None
        self.ingest: Ingest | None = None
        self.store: Store
        self.ready = asyncio.Event()
        #: Whether sources are polled on their own; `statusboard.oneshot` asks for one round instead.
        self.keep_polling = True
        self._path = store_path
        self._read_only = read_only
        self._keep = keep
        self._close = close
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._lease: Lease | None = None
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._folded = asyncio.Event()
        self._falling = False

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, load what is live, follow its changes, and poll if nobody else does.

        Raises `NewerSchema` and `ConfigError`; a store that cannot be used becomes one in memory, with a `notice`.
        """
        if self._path is None:
            self.store = MemoryStore(clock=self.clock)
            await self.store.open()
        else:
            self.store, self.notice = await open_store(self._path, read_only=self._read_only, clock=self.clock)
        await self._load()
        self._spawn(self._follow(), "feed")
        self._spawn(self._watch_statuses(), "statuses")
        if self._read_only or not self.store.writable:
            self.role = "reading"
        else:
            await self._try_lease()
            await self._refuse_other_options()
            self._spawn(self._hold(), "lease")
        self.ready.set()

    async def stop(self) -> None:
        """End everything in order; the lease is given back at once.  Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._stop_polling()
        if self._lease is not None:
            await self._quietly(self.store.release(self._lease))
            self._lease = None
        if hasattr(self, "store"):
            await self._quietly(self.store.close())
        if self._close is not None:
            await self._close()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told of each delta after it was folded into ``board``; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # -- what a person may ask -----------------------------------------------------------------------------------

    async def refresh(self, source: str | None = None) -> None:
        """Poll this source, or all, now: by ourselves, or by asking whoever polls."""
        if self.poller is not None:
            self.poller.refresh(source)
        elif self.store.writable:
            await self.store.request_poll(source)

    async def pause(self, source: str, paused: bool) -> bool:
        """Stop or resume polling a source; False where this process does not poll."""
        if self.poller is None:
            return False
        await self.poller.pause(source, paused)
        return True

    async def poll_once(self) -> None:
        """Poll every source once, side by side, and store what it gave; to be called while this process polls."""
        poller = self.poller
        if poller is None:
            return
        await asyncio.gather(*(poller.poll(polled) for polled in poller.polled.values()))
        await poller.ingest.flush()
        self.statuses = {name: polled.status for name, polled in poller.polled.items()}

    def carry_on(self) -> None:
        """After single rounds: poll on our own whenever we hold the lease."""
        if not self.keep_polling:
            self.keep_polling = True
            if self.poller is not None:
                self.poller.start()

    async def annotate(self, annotation: Annotation) -> None:
        """Store what a person said; every board of this store sees it."""
        await Ingest(self.store, self.clock).annotate(annotation)

    async def settled(self, seq: int) -> None:
        """Wait until the board has folded everything up to ``seq``."""
        while self.board.seq < seq:
            self._folded.clear()
            await self._folded.wait()

    # -- the feed ------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        picture = await self.store.snapshot()
        board = Board(picture.store_id)
        for start in range(0, len(picture.rows), CHUNK):
            board.load(picture.rows[start : start + CHUNK])
            await asyncio.sleep(0)
        board.seq = picture.seq
        board.overlay = self.board.overlay
        gone = frozenset(self.board.rows.keys() - board.rows.keys())
        self.board = board
        self.statuses = {status.source: status for status in await self.store.statuses()}
        self._overlay()
        self._tell(Delta(frozenset(board.rows), gone))

    async def _follow(self) -> None:
        while True:
            try:
                async for changes in self.store.changes(self.board.seq):
                    for start in range(0, len(changes), CHUNK):
                        delta = self.board.fold(changes[start : start + CHUNK])
                        self._tell(delta)
                        if len(changes) > CHUNK:
                            await asyncio.sleep(0)
                    self._folded.set()
            except HistoryGone:
                log.info("what changed since revision %d is no longer kept: reading the whole picture", self.board.seq)
                await self._load()
            except StoreError as error:
                await self._failed(error)

    def _tell(self, delta: Delta) -> None:
        if delta:
            for listener in list(self._listeners):
                listener(delta)

    # -- what only time or another process changes ---------------------------------------------------------------

    async def _watch_statuses(self) -> None:
        """Keep ``statuses`` and the overlay up to date; hear requests to poll when we are the one that polls."""
        heard = 0
        for number, _ in await self.store.poll_requests(0):
            heard = max(heard, number)
        while True:
            if self.poller is not None:
                self.statuses = {name: polled.status for name, polled in self.poller.polled.items()}
            try:
                if self.poller is None:
                    self.statuses = {status.source: status for status in await self.store.statuses()}
                else:
                    for number, source in await self.store.poll_requests(heard):
                        heard = max(heard, number)
                        self.poller.refresh(source)
            except StoreError as error:
                await self._failed(error)
            self._overlay()
            await self.clock.sleep(STATUS_EVERY / 2 if self.poller is not None else STATUS_EVERY)

    def _overlay(self) -> None:
        """Health by age, for when whoever polls has died and nobody writes it down."""
        if self.poller is not None:
            self.board.overlay = {}
            return
        now = self.clock.now()
        overlay: dict[str, HealthState] = {}
        for name, health in self.board.health.items():
            status = self.statuses.get(name)
            last = status.last_success if status is not None else health.last_success
            state = by_age(last, health.interval, now)
            if state in ("aging", "stale") and _AGE_ORDER[state] > _AGE_ORDER[health.state]:
                overlay[name] = state
        if overlay != self.board.overlay:
            changed = overlay.keys() ^ self.board.overlay.keys() | {
                n for n in overlay if self.board.overlay.get(n) != overlay[n]
            }
            self.board.overlay = overlay
            keys = frozenset(r.key for r in self.board.rows.values() if r.fact.source in changed)
            self._tell(Delta(keys, frozenset()))

    # -- polling -------------------------------------------------------------------------------------------------

    async def _hold(self) -> None:
        while True:
            await self.clock.sleep(LEASE_EVERY)
            try:
                await self._try_lease()
            except StoreError as error:
                await self._failed(error)

    async def _try_lease(self) -> None:
        lease = await self.store.lease(LEASE, self._holder)
        if lease is None:
            if self.poller is not None:
                log.info("another board polls this store now")
                await self._stop_polling()
            self._lease = None
            self.role = "following"
            return
        if self._lease is not None and self._lease.token == lease.token and self.poller is not None:
            return
        self._lease = lease
        await self._start_polling(lease)

    async def _start_polling(self, lease: Lease) -> None:
        ingest = Ingest(self.store, self.clock, keep=self._keep)
        ingest.lease = lease
        await ingest.load()
        registrations = [Registration(source=s.name, type=s.type, identity=s.identity) for s in self.setups.values()]
        await self.store.register(registrations, lease)
        for name in ingest.sources() - self.setups.keys():
            if self.board.health.get(name) is not None:
                await ingest.withdraw(name)
        statuses = {status.source: status for status in await self.store.statuses()}
        polled = []
        for setup in self.setups.values():
            source, client = await setup.build(self.clock, self.store)
            ingest.use_resolver(setup.name, setup.resolver)
            status = statuses.get(setup.name)
            tracker = Tracker(
                setup.name,
                setup.type,
                setup.interval,
                optional=setup.optional,
                expected=source.expected_beats(),
                before=self.board.health.get(setup.name),
                last_success=status.last_success if status is not None else None,
            )
            polled.append(Polled(source, client, tracker, interval=setup.interval, clock=self.clock))
        self.ingest = ingest
        self.poller = Poller(
            polled,
            ingest,
            self.clock,
            on_lease_lost=lambda: self._spawn(self._lost(), "lease lost"),
            on_store_error=lambda error: self._spawn(self._failed(error), "store failed"),
        )
        self.role = "polling"
        if self.keep_polling:
            self.poller.start()
        self._spawn(self._tidy(ingest), "tidy")
        log.info("polling %d sources", len(polled))

    async def _refuse_other_options(self) -> None:
        """One name read with other options by two boards of one store would flip the picture at every poll.

        Raises `ConfigError` while another process polls with other options.  One that has just died is waited for.
        """
        patience = self.clock.monotonic() + TAKEOVER
        while self.role == "following":
            stored = {r.source: r.identity for r in await self.store.registered()}
            other = sorted(s.name for s in self.setups.values() if stored.get(s.name, s.identity) != s.identity)
            if not other:
                return
            if self.clock.monotonic() > patience:
                raise ConfigError(
                    f"another board polls this store and reads {', '.join(other)} with other options; boards of one "
                    "store must agree",
                    hint="give this board another `board.id`, or end the other one",
                )
            await self.clock.sleep(LEASE_EVERY / 2)
            await self._try_lease()

    async def _stop_polling(self) -> None:
        poller, self.poller = self.poller, None
        self.ingest = None
        if poller is not None:
            await poller.stop()

    async def _lost(self) -> None:
        await self._stop_polling()
        self._lease = None
        self.role = "following"

    async def _tidy(self, ingest: Ingest) -> None:
        """While we poll: take off the board what has been over for long enough, and retire old history."""
        retained = -RETAIN_EVERY
        while self.ingest is ingest:
            await self.clock.sleep(KEEP_EVERY)
            try:
                leaving = self.board.leaving(self.clock.now(), self._keep)
                await ingest.expire((self.board.rows[key].fact.source, key) for key in leaving)
                if self.clock.monotonic() - retained >= RETAIN_EVERY:
                    retained = self.clock.monotonic()
                    await self.store.retain(self.clock.now())
            except LeaseLost:
                return
            except StoreError as error:
                await self._failed(error)

    # -- when the store fails ------------------------------------------------------------------------------------

    async def _failed(self, error: StoreError) -> None:
        """Go on from memory, with a new store id, and say so.  What is on the board goes along."""
        if isinstance(error, LeaseLost):
            await self._lost()
            return
        if self._falling or isinstance(self.store, MemoryStore):
            log.error("the store failed: %s", error)
            await self.clock.sleep(LEASE_EVERY)
            return
        self._falling = True
        try:
            log.error("the store failed, going on in memory: %s", error)
            await self._stop_polling()
            await self._quietly(self.store.close())
            unusable = error if isinstance(error, StoreUnusable) else StoreUnusable(str(error), reason="failed")
            store, self.notice = await replacement(self._path or Path(), unusable, clock=self.clock)
            lease = await store.lease(LEASE, self._holder)
            if lease is not None and store.store_id != self.store.store_id:
                # A new history: what is on the board is its first page, so that nothing seems to have healed.
                drafts = tuple(draft(None, row.fact) for row in self.board.rows.values())
                await store.append(Batch(observed_at=self.clock.now(), drafts=drafts), lease)
            self.store = store
            self._lease = None
            await self._load()
            if not self._read_only:
                await self._try_lease()
        finally:
            self._falling = False

    # -- small helpers -------------------------------------------------------------------------------------------

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        task = asyncio.ensure_future(work)
        if isinstance(task, asyncio.Task):
            task.set_name(name)
            self._tasks.append(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s ended: %s", task.get_name(), error, exc_info=error)

    async def _quietly(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StoreError as error:
            log.warning("while closing the store: %s", error)
