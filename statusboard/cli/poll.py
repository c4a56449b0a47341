"""``statusboard poll``: read and store with no board open."""

from __future__ import annotations

import asyncio
import signal

import click

from statusboard.cli.common import config_option, log_level, read_config, start_log


@click.command("poll")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Keep reading the sources and storing what changes, with no board open.

    Boards on this host follow it through the store.  While another process polls the same store this one stands by
    and takes over within ten seconds of its death.  Ends on SIGTERM, SIGINT or SIGHUP, giving the store back.

    docs/headless.md has a systemd user unit.
    """
    start_log(log_level(ctx))
    config = read_config(config_option(ctx))
    return asyncio.run(_poll(config))


async def _poll(config: object) -> int:
    from statusboard.config import Config
    from statusboard.wiring import make_engine

    assert isinstance(config, Config)
    engine = make_engine(config)
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, done.set)
    try:
        await engine.start()
        if engine.notice:
            click.echo(f"statusboard: {engine.notice}", err=True)
        click.echo(f"statusboard: {engine.role}, {len(engine.setups)} sources; end with Ctrl-C", err=True)
        await done.wait()
    finally:
        await engine.stop()
    return 0
