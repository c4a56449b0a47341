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
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias
from uuid import uuid4

from statusboard import sourcing
from statusboard.board import Board, Delta
from statusboard.clock import Clock, SystemClock
from statusboard.diff import draft
from statusboard.errors import ConfigError, HistoryGone, LeaseLost, SourceError, StoreError, StoreUnusable
from statusboard.health import aged
from statusboard.ingest import Ingest
from statusboard.model import Annotation, ShownHealth, Status
from statusboard.poller import Poller
from statusboard.sourcing import Setup
from statusboard.store import open_store, replacement
from statusboard.store.base import Batch, Lease, Store
from statusboard.store.continuing import gone_on
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore

log = logging.getLogger("statusboard.engine")

Role: TypeAlias = Literal["starting", "polling", "following", "reading"]
Listener: TypeAlias = Callable[[Delta], None]

LEASE = "poll"
LEASE_EVERY = 2.0
TAKEOVER = 8.0
KEEP_EVERY = 60.0
RETAIN_EVERY = 6 * 3600.0
STATUS_EVERY = 1.0
STORE_EVERY = 60.0
"""Seconds between two looks whether what could not be written can be again."""
_AGAIN = f"; this is tried again every {STORE_EVERY:.0f} s"
#: Rows folded between two turns of the event loop.
CHUNK = 200


class Engine:
    """One process's share in a board.

    ``board`` is always there, empty at first.  ``notice`` says what a person must know about the store ("not stored:
    the disk is full"), ``dispute`` that whoever polls has other options than this process, ``statuses`` what moves at
    every poll, by source name.
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
        self.dispute = ""
        self.statuses: dict[str, Status] = {}
        self.poller: Poller | None = None
        self.ingest: Ingest | None = None
        self.store: Store
        self.ready = asyncio.Event()
        #: Whether sources are polled on their own; `statusboard.oneshot` asks for one round instead.
        self.keep_polling = True
        #: Sources that are new in this store, or were read with other options before this process began to poll.
        self.renewed: frozenset[str] = frozenset()
        self._path = store_path
        self._read_only = read_only
        self._keep = keep
        self._close = close
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._lease: Lease | None = None
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._awaits_store = False
        self._folded = asyncio.Event()
        self._replaced = False
        self._dispute = sourcing.Dispute(TAKEOVER)
        #: Held while the role or the store changes, so that no two changes cross.
        self._switching = asyncio.Lock()

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, load what is live, follow its changes, and poll if nobody else does: `open`, then `join`."""
        await self.open()
        await self.join()

    async def open(self) -> None:
        """Open the store, load what is live, and follow its changes.

        Raises `NewerSchema`; a store that cannot be used becomes one in memory, with a `notice`.
        """
        if self._path is None:
            self.store = MemoryStore(clock=self.clock)
            await self.store.open()
        else:
            self.store, self.notice = await open_store(self._path, read_only=self._read_only, clock=self.clock)
        store = self.store
        if self._read_only:
            self.role = "reading"
            await self._load()
        else:
            try:
                await self._load()
            except StoreError as error:
                await self._failed(error, store)
        self._await_store()
        self._spawn(self._follow(), "feed")
        self._spawn(self._watch_statuses(), "statuses")

    async def join(self) -> None:
        """Take part: poll if nobody else does, now or later.  Apart from `open` so that a screen can be filled first.

        Raises `ConfigError` where another process polls the same store with other options.
        """
        if not self._read_only:
            store = self.store
            try:
                await self._try_lease()
            except StoreError as error:
                await self._failed(error, store)
            if self.poller is not None:  # what is stored of a source says more than a poll that has not been
                self.statuses = {name: p.status for name, p in self.poller.polled.items()} | self.statuses
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
        store = self.store
        if self.poller is not None:
            self.poller.refresh(source)
        elif store.writable:
            try:
                await store.request_poll(source)
            except StoreError as error:
                await self._failed(error, store)

    async def pause(self, source: str, paused: bool) -> bool:
        """Stop or resume polling a source; False where this process does not poll."""
        store = self.store
        try:
            async with self._switching:  # the source could be replaced meanwhile
                if self.poller is None or source not in self.poller.polled:
                    return False
                await self.poller.pause(source, paused)
        except StoreError as error:
            await self._failed(error, store)
            return False
        return True

    async def poll_once(self) -> bool:
        """Poll every source once, side by side, and store what it gave; False unless all of it is stored.

        A person's pause holds here too.  Where the store fails, or another process polls now, look at the role again.
        """
        poller = self.poller
        if poller is None:
            return False
        lease, store = self._lease, self.store
        due = [polled for polled in poller.polled.values() if not polled.tracker.paused]
        results = await asyncio.gather(*(poller.poll(polled) for polled in due), return_exceptions=True)
        self._note_statuses()
        try:
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            await poller.ingest.flush()
        except LeaseLost:
            await self._lost(lease)
            return False
        except StoreError as error:
            await self._failed(error, store)
            return False
        return True

    async def give_up(self, since: datetime, error: SourceError) -> frozenset[str]:
        """End a round that began at ``since``: the sources that it did not read fail with ``error``.  Returns them."""
        poller, store = self.poller, self.store
        if poller is None:
            return frozenset()
        self._note_statuses()
        unread = {p.name: p for p in poller.polled.values() if not p.tracker.paused and sourcing.late(p.status, since)}
        try:
            for polled in unread.values():
                polled.tracker.failed_whole(error)
                await poller.ingest.health(polled.tracker.judge(self.clock.now()))
        except StoreError as failure:
            await self._failed(failure, store)
        return frozenset(unread)

    def go_on(self) -> None:
        """After a single round: poll the sources on their own from now on."""
        if not self.keep_polling:
            self.keep_polling = True
            if self.poller is not None:
                self.poller.start()
            self._await_store()

    async def reconfigure(self, setups: Iterable[Setup], *, keep: timedelta | None = None) -> None:
        """Read these sources from now on, and keep what is over for so long.

        Who polls does what a restart with them would: what was removed leaves the board with all its items, what was
        added or changed is read at once.  A source that is read as before, and filed as before, is left alone.  Who
        follows takes them for when it polls itself.
        """
        store: Store | None = getattr(self, "store", None)
        try:
            async with self._switching:
                before, self.setups = self.setups, {setup.name: setup for setup in setups}
                self._keep = keep if keep is not None else self._keep
                if self.poller is not None and self._lease is not None:
                    await self._change_sources(self.poller, self._lease, before)
        except StoreError as error:
            assert store is not None
            await self._failed(error, store)

    async def go_on_with(self, path: Path, make: Callable[[Store], Awaitable[Store]]) -> None:
        """Go on with the store at ``path``, which ``make`` makes of the one so far; nobody polls meanwhile.

        The board is read anew from it; the one so far is closed.  `StoreError` where that cannot be: all is as before.
        """
        async with self._switching:
            before = self.store
            await self._stop_polling()
            if self._lease is not None:
                await self._quietly(before.release(self._lease))
                self._lease = None
            try:
                self.store = await make(before)
            except StoreError:
                await self._take_lease()
                raise
            self._path = path
            await self._load()
            await self._take_lease()
        await self._quietly(before.close())  # whoever waits for its changes looks for the new one now

    @property
    def unkept(self) -> bool:
        """Whether nobody else sees what is stored here, since the store that is meant cannot be used."""
        return self._path is not None and isinstance(self.store, MemoryStore)

    async def annotate(self, annotation: Annotation) -> None:
        """Store what a person said; every board of this store sees it."""
        await Ingest(self.store, self.clock).annotate(annotation)

    async def settled(self, seq: int) -> None:
        """Wait until the board has folded everything up to ``seq``, or stands on another store."""
        store_id = self.board.store_id
        while self.board.seq < seq and self.board.store_id == store_id:
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
        self.judge_ages()
        self._folded.set()
        self._tell(Delta(frozenset(board.rows), gone))

    async def _follow(self) -> None:
        while True:
            store = self.store
            try:
                async for changes in store.changes(self.board.seq):
                    if store is not self.store:
                        break
                    for start in range(0, len(changes), CHUNK):
                        delta = self.board.fold(changes[start : start + CHUNK])
                        self._tell(delta)
                        if len(changes) > CHUNK:
                            await asyncio.sleep(0)
                    self._folded.set()
            except HistoryGone:
                log.info("what changed since revision %d is no longer kept: reading the whole picture", self.board.seq)
                try:
                    await self._load()
                except StoreError as error:
                    await self._failed(error, store)
            except StoreError as error:
                await self._failed(error, store)

    def _tell(self, delta: Delta) -> None:
        if delta:
            for listener in list(self._listeners):
                listener(delta)

    # -- what only time or another process changes ---------------------------------------------------------------

    async def _watch_statuses(self) -> None:
        """Keep ``statuses`` and the overlay up to date; hear requests to poll when we are the one that polls."""
        heard, heard_in = 0, ""
        while True:
            store = self.store
            try:
                if heard_in != store.store_id:
                    heard_in = store.store_id
                    heard = max((number for number, _ in await store.poll_requests(0)), default=0)
                if self.poller is None:
                    self.statuses = {status.source: status for status in await store.statuses()}
                else:
                    self._note_statuses()
                    for number, source in await store.poll_requests(heard):
                        heard = max(heard, number)
                        if self.poller is not None:
                            self.poller.refresh(source)
            except StoreError as error:
                await self._failed(error, store)
            self.judge_ages()
            await self.clock.sleep(STATUS_EVERY / 2 if self.poller is not None else STATUS_EVERY)

    def _note_statuses(self) -> None:
        if self.poller is not None:
            self.statuses = {name: polled.status for name, polled in self.poller.polled.items()}

    def judge_ages(self) -> None:
        """What time alone changes: health by age, for when whoever polls has died, and what has begun by now."""
        now = self.clock.now()
        overlay: dict[str, ShownHealth] = {}
        for name, health in self.board.health.items() if self.poller is None else ():
            status = self.statuses.get(name)
            last = status.last_success if status is not None else health.last_success
            if (state := aged(health.state, last, health.interval, now)) is not None:
                overlay[name] = state
        if keys := self.board.lay_over(overlay) | self.board.reach(now):
            self._tell(Delta(keys, frozenset()))

    # -- polling -------------------------------------------------------------------------------------------------

    async def _hold(self) -> None:
        while True:
            await self.clock.sleep(LEASE_EVERY)
            store = self.store
            try:
                await self._try_lease()
                await self._compare_options()
            except StoreError as error:
                await self._failed(error, store)

    async def _try_lease(self) -> None:
        async with self._switching:
            await self._take_lease()

    async def _take_lease(self) -> None:
        """Become the one that polls, stay it, or follow whoever is; within ``_switching``."""
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
        await self._stop_polling()  # what polled under an older lease may write no more
        self._lease = lease
        await self._start_polling(lease)

    async def _start_polling(self, lease: Lease) -> None:
        ingest = Ingest(self.store, self.clock, keep=self._keep, standing=lambda slot: self.board.standing(slot))
        ingest.lease = lease
        await ingest.load()
        polled, self.renewed = await sourcing.set_up_all(self.setups, ingest, lease)
        self.ingest = ingest
        store = self.store
        self.poller = Poller(
            polled,
            ingest,
            self.clock,
            on_lease_lost=lambda: self._spawn(self._lost(lease), "lease lost"),
            on_store_error=lambda error: self._spawn(self._failed(error, store), "store failed"),
        )
        self.role = "polling"
        if self.keep_polling:
            self.poller.start()
        self._spawn(self._tidy(ingest), "tidy")
        log.info("polling %d sources", len(polled))

    async def _change_sources(self, poller: Poller, lease: Lease, before: Mapping[str, Setup]) -> None:
        """Have ``setups`` polled in the place of those ``before``; within ``_switching``.

        Where that fails half-way nothing is polled any more, and polling begins anew with the next look at the lease.
        """
        poller.ingest.keep = self._keep
        changed = sourcing.changes(before, self.setups)
        if not any(changed):
            return
        try:
            self.renewed = await sourcing.replace(poller, lease, before, self.setups, changed)
        except BaseException:
            await self._stop_polling()
            raise
        self._note_statuses()
        log.info("polling %d sources now: %d changed, %d removed", len(self.setups), *map(len, changed))

    async def _refuse_other_options(self) -> None:
        """One name read with other options by two boards of one store would flip the picture at every poll.

        Raises `ConfigError` while another process polls with other options.  One that has just died is waited for.
        """
        patience = self.clock.monotonic() + TAKEOVER
        while self.role == "following":
            store = self.store
            try:
                await self._try_lease()
                read = await sourcing.read_now(store)
            except StoreError as error:
                await self._failed(error, store)
                continue
            if self.poller is not None:
                return
            other = sourcing.read_otherwise(self.setups.values(), read)
            if not other:
                return
            if self.clock.monotonic() > patience:
                raise ConfigError(
                    f"another board polls this store and reads {', '.join(other)} with other options; boards of one "
                    "store must agree",
                    hint="give this board another `board.id`, or end the other one",
                )
            await self.clock.sleep(LEASE_EVERY / 2)

    async def _compare_options(self) -> None:
        """Say so while whoever polls has other options than ours, for longer than boards of one config need to agree.

        A board that has begun is not ended for that: what the other one reads is shown.
        """
        other: list[str] = []
        if self.role == "following":
            other = sourcing.read_otherwise(self.setups.values(), await sourcing.read_now(self.store))
        self.dispute = self._dispute.judge(other, self.clock.monotonic())

    async def _stop_polling(self) -> None:
        poller, self.poller = self.poller, None
        self.ingest = None
        if poller is not None:
            await poller.stop()

    async def _lost(self, lease: Lease | None) -> None:
        async with self._switching:
            if self._lease is lease:
                await self._stop_polling()
                self._lease = None
                self.role = "following"

    async def _tidy(self, ingest: Ingest) -> None:
        """While we poll: take off the board what has been over for long enough, and retire old history."""
        retained = -RETAIN_EVERY
        store = self.store
        while True:
            await self.clock.sleep(KEEP_EVERY)
            if self.ingest is not ingest:
                return
            try:
                leaving = self.board.leaving(self.clock.now(), self._keep)
                rows = [self.board.rows[key] for key in leaving]
                await ingest.expire((row.fact.source, row.key, row.seq) for row in rows)
                await ingest.unsay(self.board.unattached(self.clock.now(), self._keep))
                if self.clock.monotonic() - retained >= RETAIN_EVERY:
                    retained = self.clock.monotonic()
                    await store.retain(self.clock.now())
            except LeaseLost:
                return
            except StoreError as error:
                await self._failed(error, store)

    # -- when the store fails ------------------------------------------------------------------------------------

    async def _failed(self, error: StoreError, store: Store) -> None:
        """What to do when ``store`` fails: go on with another one, and say so.  Several tasks may meet one failure."""
        if isinstance(error, LeaseLost):
            await self._lost(self._lease)
            return
        async with self._switching:
            if store is not self.store:
                return
            before = self.notice
            if self._read_only:
                await self._reopen(error)
            elif not isinstance(store, MemoryStore):
                await self._replace(error)
                return
        if not self.notice or self.notice != before:  # a wall that waits for its store says so once, not for weeks
            log.error("the store failed: %s", error)
        await self.clock.sleep(LEASE_EVERY)

    async def _reopen(self, error: StoreError) -> None:
        """A history that we only follow may come back, or a new one in its place.  Until then the picture ages."""
        assert self._path is not None
        self.notice = f"what others store cannot be followed: {error}"
        await self._quietly(self.store.close())
        try:
            self.store, self.notice = await open_store(self._path, read_only=True, clock=self.clock)
            await self._load()
        except StoreError as again:
            self.notice = f"what others store cannot be followed: {again}"

    async def _replace(self, error: StoreError) -> None:
        """Go on with a new history: in place of a damaged one, else in memory.  What is on the board goes along."""
        log.error("the store failed, going on with another: %s", error)
        parts = self.ingest.parts() if self.ingest is not None else {}
        await self._stop_polling()
        failed = self.store
        try:
            parts = {row.key: row.part for row in (await failed.snapshot()).rows}
        except StoreError:
            log.info("nothing can be read from it any more")
        await self._quietly(failed.close())
        reason = error.reason if isinstance(error, StoreUnusable) and not self._replaced else "failed"
        self._replaced = True
        while True:
            unusable = StoreUnusable(str(error), reason=reason)
            store, self.notice = await replacement(self._path or Path(), unusable, clock=self.clock)
            try:
                await self._move(store, parts, anew=store.store_id != failed.store_id)
                self._await_store()
                return
            except StoreError as again:
                await self._quietly(store.close())
                error, reason = again, "failed"  # which leaves memory

    def _await_store(self) -> None:
        """While this board runs from memory: go back to its store as soon as that can be used."""
        if not self.unkept or not self.keep_polling:
            return
        if not self.notice.endswith(_AGAIN):
            self.notice += _AGAIN
        if not self._awaits_store:
            self._awaits_store = True
            self._spawn(self._go_back(), "store")

    async def _go_back(self) -> None:
        while self.unkept:
            await self.clock.sleep(STORE_EVERY)
            await self._try_store()
        self._awaits_store = False

    async def _try_store(self) -> None:
        assert self._path is not None
        store, lease = SQLiteStore(self._path, clock=self.clock), None
        try:
            await store.open()
            # Written by whoever gets it: a store without room for that is not worth stopping for.
            lease = await store.lease(LEASE, self._holder)
            await self.go_on_with(self._path, lambda live: gone_on(store, live, lease))
        except StoreError as error:
            if self.store is store:
                await self._failed(error, store)
                return
            log.info("still running from memory: %s", error)
            if lease is not None:
                await self._quietly(store.release(lease))
            await self._quietly(store.close())
        else:
            self.notice, self._replaced = "", False
            log.info("what is seen is stored again")

    async def _move(self, store: Store, parts: dict[str, str], *, anew: bool) -> None:
        """Take another store.  In a new history the board's rows are the first page: nothing seems to have healed."""
        lease = await store.lease(LEASE, self._holder)
        if lease is not None and anew:
            facts = [row.fact for row in self.board.rows.values()]
            drafts = tuple(draft(None, fact, part=parts.get(fact.key, "")) for fact in facts)
            statuses = tuple(self.statuses.values())
            await store.append(Batch(observed_at=self.clock.now(), drafts=drafts, statuses=statuses), lease)
            await store.register(sourcing.registrations(self.setups.values()), lease)
        self.store = store
        self._lease = None
        await self._load()
        await self._take_lease()

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
