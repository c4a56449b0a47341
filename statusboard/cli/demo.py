"""``statusboard demo``: the board with pretend vendors, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import click

from statusboard.cli.board import Ended, play, reloader_of, unfit
from statusboard.cli.common import log_level, start_log

EXIT_USAGE = 2
_PLACES = {"STATUSBOARD_DATA": "data", "STATUSBOARD_CACHE": "cache"}


@click.command("demo")
@click.option("--size", type=click.IntRange(1, 200), default=1, show_default=True, help="90 is some 10,000 items.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed tells the same story.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 100),
    default=1.0,
    show_default=True,
    help="How many seconds of the story pass in one.",
)
@click.pass_context
def command(ctx: click.Context, size: int, seed: int, speed: float) -> int:
    """Show a live board of pretend servers: a small company whose releases go out and whose builds break.

    Needs no network, no configuration and no credentials. Its servers answer on this machine only, in the formats of
    the real ones; its files are in a temporary folder that is removed at the end.
    """
    problem = unfit(os.environ)
    if problem:
        click.echo(f"statusboard: {problem}", err=True)
        return EXIT_USAGE
    start_log(log_level(ctx))
    return show_demo(size=size, seed=seed, speed=speed).code


def show_demo(*, size: int = 1, seed: int = 7, speed: float = 1.0) -> Ended:
    """Run the demo on this terminal until it ends; the environment is as it was before."""
    before = {name: os.environ.get(name) for name in _PLACES}
    try:
        with tempfile.TemporaryDirectory(prefix="statusboard-demo-") as folder:
            # Nothing of the demo is kept among the person's own: neither its history nor its salt.
            os.environ.update({name: str(Path(folder) / place) for name, place in _PLACES.items()})
            return asyncio.run(_demo(Path(folder), size=size, seed=seed, speed=speed))
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def _demo(folder: Path, *, size: int, seed: int, speed: float) -> Ended:
    from statusboard import demo
    from statusboard.app import BoardApp
    from statusboard.cli._demo_joining import Joining

    async with await demo.start(size=size, seed=seed, speed=speed, folder=folder / "vendors") as running:
        config = folder / "config.yaml"
        config.write_text(running.config_yaml, encoding="utf-8")
        load = reloader_of(config, demo=True).load
        app = BoardApp(load, title="acme (demo)")
        async with Joining(running, config, folder / "history.sqlite", app):
            return await play(app)
