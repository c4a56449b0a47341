"""The one thread that touches a database: jobs come by queue, results go back to the event loop.

While somebody waits for changes, the same thread asks SQLite five times a second whether another process has
committed (``PRAGMA data_version``: no page is read when nobody has).  Otherwise it sleeps for good.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple, TypeVar

from statusboard.errors import StoreError
from statusboard.store._database import Database
from statusboard.store._errors import translated

T = TypeVar("T")

#: Seconds between two looks for what other processes wrote.
LOOK_EVERY = 0.2
#: Seconds after which a busy thread gives the interpreter's lock away while short jobs are done; else it is 5 ms, and
#: each of a write's fifteen statements may have to wait as long: beside a busy event loop 80 ms, and 10 like this.
_SOON = 0.0005


class _Haste:
    """Has other threads give the interpreter's lock away sooner, for as long as some worker makes haste."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(_SOON, self._usual))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                sys.setswitchinterval(self._usual)


_HASTE = _Haste()


class _Job(NamedTuple):
    run: Callable[[Database], Any]
    result: asyncio.Future[Any]
    writes: bool
    hasty: bool


_LOOK = object()
_STOP = object()


class Worker:
    """Runs jobs on a `Database` that lives and dies in one thread of its own.

    ``written`` is called in the event loop after each job that writes and after each commit of another process.
    ``hasty``: all jobs are short and others wait for them, so that busy threads are to give way.
    """

    def __init__(self, connect: Callable[[], Database], written: Callable[[], None], *, hasty: bool = True) -> None:
        self._connect = connect
        self._hasty = hasty
        self._written = written
        self._jobs: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._watching = False
        self._version = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Future[None] | None = None

    # -- called in the event loop --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the thread and connect in it; raises what connecting raises."""
        self._loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = self._loop.create_future()
        self._stopped = self._loop.create_future()
        # A daemon: a process that dies without closing must not hang here; the database survives that by design.
        threading.Thread(target=self._main, args=(started,), name="statusboard-store", daemon=True).start()
        try:
            await started
        except BaseException:
            self._stopped = None
            self._jobs.put(_STOP)
            raise

    async def run(self, job: Callable[[Database], T], *, writes: bool = False, hasty: bool = False) -> T:
        """Run a job after those that wait already.  SQLite's errors arrive as `StoreError`.

        A job whose caller is cancelled before its turn is not run.  ``hasty``: busy threads are to give way to it.
        """
        if self._loop is None or self._stopped is None:
            raise StoreError("the store is not open")
        result: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(job, result, writes, hasty or self._hasty))
        return await result

    def watch(self, waiting: bool) -> None:
        """Look for what other processes write, from now on, or no longer."""
        self._watching = waiting
        if waiting:
            self._jobs.put(_LOOK)

    async def stop(self) -> None:
        """Close the database after the jobs that wait already, and end the thread.  Idempotent."""
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            self._jobs.put(_STOP)
            await stopped

    # -- called in the thread ------------------------------------------------------------------------------------

    def _main(self, started: asyncio.Future[None]) -> None:
        stopped = self._stopped
        assert stopped is not None
        try:
            database = self._connect()
            self._version = database.data_version()
        except Exception as error:  # noqa: BLE001 - a thread's edge: whoever waits for it gets the error
            self._fail(started, error)
            self._succeed(stopped, None)
            return
        self._succeed(started, None)
        try:
            self._serve(database)
        finally:
            database.close()
            self._succeed(stopped, None)

    def _serve(self, database: Database) -> None:
        look_at = time.monotonic()
        while True:
            try:
                job = self._jobs.get(timeout=max(0.0, look_at - time.monotonic()) if self._watching else None)
            except queue.Empty:
                job = _LOOK
            if isinstance(job, _Job):
                self._do(job, database)
            elif job is _STOP:
                return
            # A steady stream of jobs must not keep us from looking.
            if job is _LOOK or (self._watching and time.monotonic() >= look_at):
                self._look(database)
                look_at = time.monotonic() + LOOK_EVERY

    def _do(self, job: _Job, database: Database) -> None:
        if job.result.cancelled():
            return
        try:
            with _HASTE if job.hasty else nullcontext():
                result = job.run(database)
        except Exception as error:  # noqa: BLE001 - a thread's edge: whoever waits for the job gets the error
            self._fail(job.result, translated(error, database.path))
            return
        if job.writes:
            self._call(self._written)
        self._succeed(job.result, result)

    def _look(self, database: Database) -> None:
        try:
            version = database.data_version()
        except sqlite3.Error:
            version = -1  # whoever waits reads now, and meets the error where it can be told
        if version != self._version or version == -1:
            self._version = version
            self._call(self._written)

    def _succeed(self, future: asyncio.Future[T], result: T) -> None:
        def settle() -> None:
            if not future.done():
                future.set_result(result)

        self._call(settle)

    def _fail(self, future: asyncio.Future[Any], error: BaseException) -> None:
        def settle() -> None:
            if not future.done():
                future.set_exception(error)

        self._call(settle)

    def _call(self, callback: Callable[[], None]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            # The loop was closed without closing the store: nobody is left who could be told.
            return
