"""``statusboard replay``: the board plays a past stretch, for a post-mortem."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import click

from statusboard.cli.board import reloader_of, show, unfit
from statusboard.cli.common import NO_CONFIG, log_level, start_log

if TYPE_CHECKING:
    from datetime import datetime

    from statusboard.screens.board import BoardScreen

EXIT_USAGE = 2


@click.command("replay")
@click.option("--from", "since", default="-1h", metavar="TIME", show_default=True, help="Where it begins.")
@click.option("--to", "until", default="now", metavar="TIME", show_default=True, help="Where it ends.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 36_000),
    default=60.0,
    show_default=True,
    help="How many seconds of then pass in one.",
)
@click.pass_context
def command(ctx: click.Context, since: str, until: str, speed: float) -> int:
    """Open the board as it was and let time pass: what happened in a stretch, for a post-mortem.

    TIME is 14:23, yesterday 09:00, friday 17:30, 2026-11-20 14:00 or -2h, in the board's zone. Space pauses, [ and ]
    step, 0 goes to the present. It polls nothing and writes nothing.

    \b
    Examples:
      statusboard replay --from "yesterday 14:00" --to "yesterday 15:30"
      statusboard replay --from -2h --speed 120
    """
    problem = unfit(os.environ)
    if problem:
        click.echo(f"statusboard: {problem}", err=True)
        return EXIT_USAGE
    start_log(log_level(ctx))
    return _replay(ctx.obj["config"], since, until, speed)


def _replay(config: str | None, since: str, until: str, speed: float) -> int:
    from pathlib import Path

    from statusboard.trust import find_config

    found = find_config(config, os.environ, Path.cwd())
    if found.notice:
        click.echo(f"statusboard: {found.notice}", err=True)
    if found.path is None:
        click.echo(f"statusboard: {NO_CONFIG}", err=True)
        return EXIT_USAGE
    reloader = reloader_of(found.path, trusted=bool(found.digest), read_only=True)
    # Its mistakes are told before the screen is taken, and so are those of the times, which are of its zone.
    settings, engine = reloader.load()
    stretch = _stretch(since, until, settings.timezone)
    from statusboard.app import BoardApp

    begin = partial(_play, stretch=stretch, speed=speed)
    return show(BoardApp(lambda: (settings, engine), title=settings.title, reloader=reloader, begin=begin))


def _stretch(since: str, until: str, timezone: str) -> tuple[datetime, datetime]:
    """The moments that two texts mean.  UsageError where they are none, or the wrong way round."""
    from datetime import UTC, datetime

    from statusboard.cli._past import moment_of
    from statusboard.clock import zone_of

    now, zone = datetime.now(UTC), zone_of(timezone)
    first, last = moment_of("--from", since, now, zone), moment_of("--to", until, now, zone)
    if last > now:
        raise click.UsageError(f"--to: `{until}` lies ahead: nothing has happened then")
    if first >= last:
        raise click.UsageError(f"--from: `{since}` is not before `{until}`: there is nothing to play")
    return first, last


def _play(screen: BoardScreen, *, stretch: tuple[datetime, datetime], speed: float) -> None:
    def refused(told: str) -> None:
        screen.app.leave(EXIT_USAGE, f"statusboard: {told}")

    screen.rewinding.start(*stretch, speed, refused)
