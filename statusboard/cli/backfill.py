"""``statusboard backfill``: read what the vendors still have of the past."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from statusboard.cli._past_words import bar, line_of, lines_at_end, summary
from statusboard.cli.common import (
    complete_sources,
    config_option,
    emit,
    ending,
    log_level,
    read_config,
    read_only,
    require_known,
    start_log,
)

if TYPE_CHECKING:
    from pathlib import Path

    from statusboard.backfill import Backfill, SourceProgress
    from statusboard.config import Config
    from statusboard.store.base import Lease, Store
    from statusboard.wiring import SourceSetup

EXIT_OK = 0
EXIT_UNREAD = 3
EXIT_STOPPED = 130
#: Releases and incidents are kept for so long; what is older would be thrown away as soon as it came.
MOST_DAYS = 400
#: Seconds between two pictures of the bar, and between two plain lines of one source.
DRAW_EVERY = 0.25
SAY_EVERY = 15.0
#: Seconds between two renewals of the lease, and for which a run that died may still hold it.
LEASE_EVERY = 2.0
LEASE_PATIENCE = 9.0


@click.command("backfill")
@click.argument("names", nargs=-1, metavar="[SOURCE]...", shell_complete=complete_sources)
@click.option(
    "--days", type=click.IntRange(1, MOST_DAYS), default=90, show_default=True, help="How many days to go back."
)
@click.option("--anew", is_flag=True, help="Read all pages again, also those that an earlier run has read.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON; the rest goes to standard error.")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], days: int, anew: bool, as_json: bool) -> int:
    """Read what the vendors still have of the past, so that metrics and health of pipelines exist on the first day.

    Pages back through builds, releases, incidents and tickets of every source (or those named) and stores what ended
    there. What is live never changes, and no rewound board claims to have seen it then. A board may run meanwhile: at
    least half of each vendor's quota is left to it, and where that is used up this waits for the reset.

    End it with Ctrl-C whenever you like: it goes on from there the next time. What is stored already is not stored
    again. docs/backfill.md says what each vendor can tell.

    \b
    Examples:
      statusboard backfill
      statusboard backfill --days 30 github
      statusboard backfill --anew          (after a change of `services:`)

    \b
    Exit codes:
      0    everything was read that the vendors tell
      3    something could not be read
      130  stopped; the same command goes on
      2    bad usage or configuration
    """
    import asyncio

    if read_only(ctx):
        raise click.UsageError("`backfill` writes what it reads; it cannot be --read-only")
    start_log(log_level(ctx))
    config = read_config(config_option(ctx))
    if not config.sources:
        raise click.UsageError("this configuration has no sources of its own: there is nothing to read back")
    require_known(names, config)
    return asyncio.run(_backfill(config, names, days, anew, as_json))


async def _backfill(config: Config, names: tuple[str, ...], days: int, anew: bool, as_json: bool) -> int:
    from statusboard.backfill import Backfill
    from statusboard.client import ClientPool
    from statusboard.clock import SystemClock
    from statusboard.credentials import Keychain
    from statusboard.wiring import make_setups, store_of

    clock = SystemClock()
    keychain = Keychain(folder=config.path.parent)
    async with ClientPool(clock) as pool:
        setups = [setup for setup in make_setups(config, pool, keychain) if not names or setup.name in names]
        store = await _open(store_of(config)[0])
        try:
            await _refuse_other_options(store, setups)
            lease, holder = await _take_lease(store)
            shown = _Shown(as_json)
            since = clock.now() - timedelta(days=days)
            run = Backfill(setups, store, clock, since=since, anew=anew, lease=lease, tell=shown.tell)
            shown.run = run
            stopped = await _until_ended(run, store, lease, holder, shown)
        finally:
            await store.close()
    if as_json:
        import msgspec

        emit(msgspec.json.encode(summary(run, stopped=stopped)).decode())
    else:
        shown.say(lines_at_end(run, stopped=stopped))
    if stopped:
        return EXIT_STOPPED
    return EXIT_UNREAD if any(p.state in ("failed", "partial") for p in run.progress.values()) else EXIT_OK


async def _open(path: Path) -> Store:
    """The store as it is: one that cannot be used is no place for the past, and is not replaced here."""
    from statusboard.store.sqlite import SQLiteStore

    store = SQLiteStore(path)
    await store.open()
    return store


async def _refuse_other_options(store: Store, setups: Iterable[SourceSetup]) -> None:
    """`ConfigError` where a board of this store reads one of these sources with other options: it is another source."""
    from statusboard.errors import ConfigError
    from statusboard.sourcing import read_now, read_otherwise

    if other := read_otherwise(setups, await read_now(store)):
        raise ConfigError(
            f"the board of this store reads {', '.join(other)} with other options",
            hint="start the board with this configuration first, or give it another `board.id`",
        )


async def _take_lease(store: Store, patience: float = LEASE_PATIENCE) -> tuple[Lease, str]:
    """The right to backfill this store.  `StoreError` while another run has it."""
    import asyncio

    from statusboard.backfill import LEASE
    from statusboard.errors import StoreError

    holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
    until = time.monotonic() + patience
    while (lease := await store.lease(LEASE, holder)) is None:
        if time.monotonic() > until:
            raise StoreError("another backfill of this board's store is under way")
        await asyncio.sleep(LEASE_EVERY / 4)
    return lease, holder


async def _until_ended(run: Backfill, store: Store, lease: Lease, holder: str, shown: _Shown) -> bool:
    """Let it run to its end, or until somebody ends it (then True), keeping the lease and showing how it goes."""
    import asyncio

    async def keep() -> None:
        from statusboard.errors import LeaseLost

        while True:
            await asyncio.sleep(LEASE_EVERY)
            if (held := await store.lease(lease.name, holder)) is None or held.token != lease.token:
                raise LeaseLost("another backfill of this board's store has begun")

    async def draw() -> None:
        while True:
            shown.draw()
            await asyncio.sleep(DRAW_EVERY)

    ended = ending()
    work = asyncio.ensure_future(run.run())
    others: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(ended.wait()),
        asyncio.ensure_future(keep()),
        asyncio.ensure_future(draw()),
    ]
    try:
        await asyncio.wait({work, *others}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, *others[1:]):
            if task.done():
                task.result()  # raises what kept it from going on
        return not work.done()
    finally:
        for task in (work, *others):
            task.cancel()
        await asyncio.gather(work, *others, return_exceptions=True)
        shown.clear()
        await store.release(lease)


class _Shown:
    """How a run is shown while it goes on: a bar on a terminal, else a line now and then.

    With ``as_json`` all of that goes to standard error.
    """

    def __init__(self, as_json: bool) -> None:
        self.run: Backfill | None = None
        self._stream = sys.stderr if as_json else sys.stdout
        self._terminal = self._stream.isatty()
        self._said: dict[str, float] = {}
        self._line = ""
        self._gone = False

    def tell(self, progress: SourceProgress) -> None:
        """A source has moved."""
        if self._terminal:
            return
        now = time.monotonic()
        over = progress.state not in ("waiting", "reading")
        last = self._said.get(progress.name)
        if over or last is None or now - last >= SAY_EVERY or (progress.until is not None and now - last >= 1.0):
            self._said[progress.name] = now
            if self.run is not None and not over:
                self.say([line_of(progress, self.run.since)])

    def draw(self) -> None:
        """Draw the bar, if there is a terminal to draw it on."""
        if self._terminal and self.run is not None:
            line = bar(self.run, shutil.get_terminal_size((80, 24)).columns - 1)
            if line != self._line:
                self._line = line
                self._write(lambda: click.echo(f"\r{line}\x1b[K", file=self._stream, nl=False))

    def clear(self) -> None:
        """Take the bar away."""
        if self._line:
            self._write(lambda: click.echo("\r\x1b[K", file=self._stream, nl=False))

    def say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._write(lambda line=line: click.echo(line, file=self._stream))  # type: ignore[misc]

    def _write(self, write: Callable[[], None]) -> None:
        """Whoever read it may have gone: that ends the telling, not the work."""
        if self._gone:
            return
        try:
            write()
        except OSError:
            from statusboard.cli.common import close_output

            self._gone = True
            close_output()
