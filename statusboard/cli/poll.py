"""``statusboard poll``: read and store with no board open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import click

from statusboard.cli.common import config_option, ending, log_level, read_config, read_only, start_log

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.engine import Engine

#: Seconds between two looks at whether something is to be told.
LOOK_EVERY = 1.0
_ROLES = {"polling": "polling", "following": "another process polls this store; standing by"}


@click.command("poll")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Keep reading the sources and storing what changes, with no board open.

    Boards on this host follow it through the store. While another process polls the same store this one stands by,
    and takes over within ten seconds of its death. Ends on SIGTERM, SIGINT or SIGHUP, giving the store back.

    docs/headless.md has a systemd user unit.

    \b
    Examples:
      statusboard poll
      statusboard --config /etc/statusboard.yaml poll
    """
    if read_only(ctx):
        raise click.UsageError("`poll` writes what it reads; it cannot be --read-only")
    start_log(log_level(ctx))
    config = read_config(config_option(ctx))
    if not config.sources:
        raise click.UsageError("this configuration has no sources of its own: there is nothing to poll")
    return asyncio.run(_poll(config))


async def _poll(config: Config) -> int:
    from statusboard.wiring import make_engine

    ended = asyncio.ensure_future(ending().wait())
    engine = make_engine(config)
    starting = asyncio.ensure_future(engine.start())
    try:
        await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await _tell(engine, ended)
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await engine.stop()
        ended.cancel()
    return 0


async def _tell(engine: Engine, ended: asyncio.Future[Literal[True]]) -> None:
    """Say what this process does, and whenever that or the store changes, until the end."""
    role = notice = ""
    while not ended.done():
        if engine.notice != notice:
            notice = engine.notice
            click.echo(f"statusboard: {notice or 'the store is well again'}", err=True)
        if engine.role != role:
            role = engine.role
            count = len(engine.setups)
            told = f"{_ROLES.get(role, role)} ({count} source{'' if count == 1 else 's'}); end with Ctrl-C"
            click.echo(f"statusboard: {told}", err=True)
        await asyncio.wait({ended}, timeout=LOOK_EVERY)
