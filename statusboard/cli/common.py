"""What several commands do: find the configuration, start the log, run an engine once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from statusboard.clock import Duration, parse_duration
from statusboard.errors import ConfigError

if TYPE_CHECKING:
    import asyncio

    from statusboard.config import Config
    from statusboard.registry import Registry
    from statusboard.reloading import ConfigFile

NO_CONFIG = "there is no configuration yet: run `statusboard init` to write one, or `statusboard demo` to see a board"


def start_log(level: str) -> None:
    """Log to the private file; say so on standard error where that cannot be."""
    from statusboard import log
    from statusboard.paths import log_file

    problem = log.setup(log_file(), level)
    if problem:
        click.echo(f"log: {problem}", err=True)


def registry() -> Registry:
    """The source types that are installed."""
    from statusboard.registry import Registry

    return Registry.installed()


def read_config(explicit: str | None, *, quiet: bool = False) -> Config:
    """Find and read the configuration.  `ConfigError` tells everything that is wrong with it."""
    file = config_file(explicit, quiet=quiet)
    config = file.load()
    if not quiet:
        tell_warnings(config)
    return config


def config_file(explicit: str | None, *, quiet: bool = False) -> ConfigFile:
    """Find the configuration, to be loaded and looked at again.  `ConfigError` where there is none."""
    from statusboard.trust import find_config

    found = find_config(explicit, os.environ, Path.cwd())
    if found.notice and found.path is not None and not quiet:
        click.echo(f"statusboard: {found.notice}", err=True)
    if found.path is None:
        raise ConfigError(found.notice or NO_CONFIG)
    return file_of(found.path, trusted=bool(found.digest))


def file_of(path: Path, *, trusted: bool = False) -> ConfigFile:
    """The configuration at ``path``; with ``trusted`` only as long as it is what a person has trusted."""
    from statusboard.config import Files, load_files
    from statusboard.keys import ACTIONS, THEMES
    from statusboard.query import parse
    from statusboard.reloading import ConfigFile
    from statusboard.trust import TrustList

    types = registry()

    def read(files: Files) -> Config:
        return load_files(files, registry=types, check_filter=parse, actions=ACTIONS, themes=THEMES)

    return ConfigFile(path, read, trusted=TrustList() if trusted else None)


def tell_warnings(config: Config) -> None:
    """Say on standard error what is doubtful in a configuration."""
    for warning in config.warnings:
        click.echo(f"config: {warning}", err=True)


def config_option(ctx: click.Context) -> str | None:
    """The ``--config`` given before the command."""
    root = ctx.find_root().obj or {}
    value = root.get("config")
    return value if isinstance(value, str) else None


def read_only(ctx: click.Context) -> bool:
    """The ``--read-only`` given before the command."""
    return bool((ctx.find_root().obj or {}).get("read_only"))


def log_level(ctx: click.Context) -> str:
    """The ``--log-level`` given before the command."""
    return str((ctx.find_root().obj or {}).get("log_level", "INFO"))


if TYPE_CHECKING:
    _ParamType = click.ParamType[Duration]
else:
    _ParamType = click.ParamType  # which older releases of click do not let one subscript


class _DurationType(_ParamType):
    """``15s``, ``2m``, ``1h30m``, or a number of seconds; more than nothing."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        try:
            duration = parse_duration(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        if duration <= 0:
            self.fail("it must be longer than nothing", param, ctx)
        return duration


DURATION = _DurationType()


def emit(text: str, *, nl: bool = True) -> bool:
    """Print to standard output.  False where whoever read it has closed it: nothing more can be said there.

    What a command found out is its exit code all the same.
    """
    try:
        click.echo(text, nl=nl)
    except BrokenPipeError:
        close_output()
        return False
    return True


def columns() -> int | None:
    """Cells of a line: as many as the terminal has, or as ``COLUMNS`` says.  None where texts go into a pipe or a file.

    Whole texts are printed there: who searches through them must find what is there.
    """
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    return shutil.get_terminal_size((120, 40)).columns if sys.stdout.isatty() else None


def close_output() -> None:
    """Let what is still to be written go nowhere, at interpreter exit too."""
    _to_nowhere(sys.stdout)


def settle_output() -> None:
    """Write out what waits; where the terminal has gone, let it go nowhere, or the interpreter would exit with 120."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                _to_nowhere(stream)


def _to_nowhere(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def ending() -> asyncio.Event:
    """An event that SIGTERM, SIGHUP or Ctrl-C sets, so that what is under way ends in order.  In a running loop."""
    import asyncio
    import signal

    event = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


def require_known(names: Iterable[str], config: Config) -> None:
    """`ConfigError` for a name that no source has.  A board that only follows another knows no names."""
    from statusboard.binding import closest, shown

    known = [source.name for source in config.sources]
    for name in names:
        if known and name not in known:
            raise ConfigError(f"there is no source `{shown(name)}`", hint=closest(name, known))


#: Seconds to wait for a keyring where a person is there to unlock it.
KEYRING_PATIENCE = 60.0


def keyring_name(text: str) -> str:
    """A name for the keyring, also where ``keyring:NAME`` was given.  UsageError for what can be none."""
    from statusboard.credentials import parse_reference

    name = text.removeprefix("keyring:")
    try:
        return parse_reference(f"keyring:{name}").name
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None


def complete_types(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The source types, for the shell's completion."""
    return [name for name in registry().names() if name.startswith(incomplete)]


def complete_sources(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The configured sources, for the shell's completion; none where the configuration cannot be read."""
    try:
        config = read_config(config_option(ctx), quiet=True)
    except ConfigError:
        return []
    return [source.name for source in config.sources if source.name.startswith(incomplete)]
