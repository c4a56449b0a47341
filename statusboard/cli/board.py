"""``statusboard`` without a command: the live board."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from statusboard.cli.common import NO_CONFIG, settle_output, start_log

if TYPE_CHECKING:
    from statusboard.app import BoardApp
    from statusboard.engine import Engine
    from statusboard.reloading import ConfigFile
    from statusboard.screens.reloading import Reloader
    from statusboard.screens.settings import Settings
    from statusboard.screens.terminal import TerminalApp
    from statusboard.trust import Found

EXIT_USAGE = 2


def run_board(
    config: str | None,
    welcome: Callable[[Found], Path | int],
    *,
    read_only: bool = False,
    log_level: str = "INFO",
    wall: str | None = None,
) -> int:
    """Open the board on this terminal; returns the exit code.

    ``welcome`` is for where there is no configuration: it gives one, or an exit code.  ``wall``: open the wall instead,
    of the view of that name, "" for those that the configuration lists.

    2: no terminal that can show it, or nothing to show; 70: a fault of ours, told in the log.
    """
    problem = unfit(os.environ)
    if problem:
        click.echo(f"statusboard: {problem}", err=True)
        return EXIT_USAGE
    # The collector would look at what is being imported and read again and again; it starts when the lanes are full.
    gc.disable()
    from statusboard.trust import find_config

    start_log(log_level)
    found = find_config(config, os.environ, Path.cwd())
    if wall is not None:
        return _run_wall(found, wall, read_only=read_only)
    if found.path is None or _is_missing(found.path):
        gc.enable()  # nothing is read in here that the collector would slow down
        chosen = welcome(found)
        gc.disable()
        return chosen if isinstance(chosen, int) else _run(chosen, "", read_only=read_only)
    if found.notice:
        click.echo(f"statusboard: {found.notice}", err=True)
    return _run(found.path, found.digest, read_only=read_only)


def _is_missing(path: Path) -> bool:
    """Whether there is nothing; a file that cannot be reached or read is something."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def unfit(env: Mapping[str, str]) -> str:
    """Why this terminal cannot show the board, or ``""``."""
    # Textual reads from standard input and draws on standard error.
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    if not all(stream is not None and stream.isatty() for stream in streams):
        return "the board needs a terminal for input, output and errors; in a script or a pipe use `statusboard show`"
    if env.get("TERM", "") in ("", "dumb"):
        return "this terminal cannot place a cursor (TERM=dumb); use `statusboard show`"
    return ""


def _run(path: Path, digest: str, *, read_only: bool) -> int:
    from datetime import UTC, datetime

    from statusboard.screens import first

    reloader = reloader_of(path, trusted=bool(digest), read_only=read_only)
    load = reloader.load
    kept = first.kept_at(path)
    last = first.load(kept, datetime.now(UTC))
    if last is None:
        # Nothing to paint yet, so nothing is lost by reading the configuration first: its mistakes are told at once.
        ready = load()

        def load() -> tuple[Settings, Engine]:
            return ready

    from statusboard.app import BoardApp

    return show(BoardApp(load, last=last, keep_first=kept, reloader=reloader))


def _run_wall(found: Found, view: str, *, read_only: bool) -> int:
    """A wall has nobody who could be asked: without a configuration it ends."""
    from statusboard.walls import WallApp

    if found.notice:
        click.echo(f"statusboard: {found.notice}", err=True)
    if found.path is None:
        click.echo(f"statusboard: {NO_CONFIG}", err=True)
        return EXIT_USAGE
    reloader = reloader_of(found.path, trusted=bool(found.digest), read_only=read_only, wall=view)
    settings, engine = reloader.load()
    return show(WallApp(lambda: (settings, engine), title=settings.title, reloader=reloader))


def reloader_of(
    path: Path, *, trusted: bool = False, read_only: bool = False, demo: bool = False, wall: str = ""
) -> Reloader:
    """What reads the configuration, makes the engine, and follows what changes; ``wall`` narrows it to one view."""
    from statusboard.screens.reloading import Reloader

    def find() -> ConfigFile:
        from statusboard.cli.common import file_of

        return file_of(path, trusted=trusted)

    def adapt(settings: Settings) -> Settings:
        from statusboard.screens.settings import only

        return only(settings, wall) if wall else settings

    return Reloader(find, read_only=read_only, demo=demo, adapt=adapt)


def show(app: BoardApp) -> int:
    """Run the app until it ends, by whatever: a key, a signal, a fault; the terminal is as it was before."""
    return asyncio.run(run_app(app))


class Ended(NamedTuple):
    """How an app ended; ``ordered``: by a signal, so that nothing else is to be begun."""

    code: int
    ordered: bool


async def run_app(app: TerminalApp[Any]) -> int:
    """As `show`, inside a running loop."""
    return (await play(app)).code


async def play(app: TerminalApp[Any]) -> Ended:
    """As `run_app`; tells also why it ended."""
    from statusboard import crash

    loop = asyncio.get_running_loop()
    ordered = False

    def order() -> None:
        nonlocal ordered
        ordered = True
        app.leave(0)

    crash.keep_threads_quiet(lambda: loop.call_soon_threadsafe(app.leave, 0))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(number, order)
    try:
        await app.run_async()
    finally:
        await app.close()
    if app.farewell:
        # The terminal may be gone: then nobody can be told.
        with contextlib.suppress(OSError):
            click.echo(app.farewell, err=True)
    settle_output()
    return Ended(app.return_code or 0, ordered)
