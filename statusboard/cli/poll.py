"""``statusboard poll``: read and store with no board open."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import click

from statusboard import heap
from statusboard.cli.common import (
    config_file,
    config_option,
    ending,
    log_level,
    read_only,
    start_log,
    tell_warnings,
)

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.engine import Engine
    from statusboard.reloading import ConfigFile
    from statusboard.wiring import Wiring

log = logging.getLogger("statusboard.poll")

#: Seconds between two looks at whether something is to be told, or has changed in the config.
LOOK_EVERY = 1.0
STANDARD_STREAMS = (0, 1, 2)
_ROLES = {"polling": "polling", "following": "another process polls this store; standing by"}


@click.command("poll")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Keep reading the sources and storing what changes, with no board open.

    Boards on this host follow it through the store. While another process polls the same store this one stands by,
    and takes over within ten seconds of its death. Ends on SIGTERM or SIGINT, giving the store back.

    A change of the configuration is applied within two seconds, and on SIGHUP at once; what is wrong with it is said,
    and the one from before stays in force.

    docs/headless.md has a systemd user unit.

    \b
    Examples:
      statusboard poll
      statusboard --config /etc/statusboard.yaml poll
    """
    if read_only(ctx):
        raise click.UsageError("`poll` writes what it reads; it cannot be --read-only")
    start_log(log_level(ctx))
    file = config_file(config_option(ctx))
    config = file.load()
    tell_warnings(config)
    if not config.sources:
        raise click.UsageError("this configuration has no sources of its own: there is nothing to poll")
    return asyncio.run(_poll(file))


async def _poll(file: ConfigFile) -> int:
    from statusboard.wiring import Wiring

    assert file.config is not None
    heap.keep_little()
    ended, hung_up = ending(), asyncio.Event()
    terminals = [stream for stream in STANDARD_STREAMS if os.isatty(stream)]

    def hang_up() -> None:
        # Whoever closes the terminal wants an end; whoever has none, or still has it, wants the config read.
        (ended if terminals and not any(map(os.isatty, terminals)) else hung_up).set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up)
    wiring = Wiring(file.config)
    work: set[asyncio.Future[Any]] = {
        asyncio.ensure_future(wiring.engine.start()),
        asyncio.ensure_future(_reload(file, wiring, hung_up)),
        asyncio.ensure_future(_tell(wiring.engine)),
    }
    end = asyncio.ensure_future(ended.wait())
    try:
        while not end.done():
            done, _ = await asyncio.wait({*work, end}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {end}:
                task.result()  # raises what a person must mend; only `start` ends well
            work -= done
    finally:
        for task in (*work, end):
            task.cancel()
        await asyncio.gather(*work, end, return_exceptions=True)
        await wiring.engine.stop()
    return 0


async def _tell(engine: Engine) -> None:
    """Say what this process does, and whenever that or the store changes."""
    role = notice = dispute = ""
    while True:
        if engine.notice != notice:
            notice = engine.notice
            click.echo(f"statusboard: {notice or 'the store is well again'}", err=True)
        if engine.dispute != dispute:
            dispute = engine.dispute
            click.echo(f"statusboard: {dispute or 'all boards of this store have the same options again'}", err=True)
        if engine.role != role and engine.role in _ROLES:
            role = engine.role
            count = len(engine.setups)
            told = f"{_ROLES[role]} ({count} source{'' if count == 1 else 's'}); end with Ctrl-C"
            click.echo(f"statusboard: {told}", err=True)
        await asyncio.sleep(LOOK_EVERY)


async def _reload(file: ConfigFile, wiring: Wiring, hung_up: asyncio.Event) -> None:
    """Apply what changes in the config, and say so."""
    notice = ""
    while True:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await hung_up.wait()
        except TimeoutError:
            asked = False
        else:
            asked = True
            hung_up.clear()
        before = file.config
        changed = await file.look(now=asked)
        if file.notice != notice:
            notice = file.notice
            if notice or changed is None:
                _say(notice or "the config is as it was again")
        if changed is not None and before is not None:
            await _apply(wiring, before, changed)
        elif asked and not notice:
            _say("the config has not changed")


async def _apply(wiring: Wiring, before: Config, changed: Config) -> None:
    from statusboard.reloading import differences

    tell_warnings(changed)
    waits = await wiring.apply(changed)
    if waits:
        _say(waits)
    else:
        _say(f"the config has changed: {', '.join(differences(before, changed)) or 'nothing that counts here'}")


def _say(text: str) -> None:
    log.info("%s", text)
    click.echo(f"statusboard: {text}", err=True)
