"""``statusboard digest``: what whoever takes over must know."""

from __future__ import annotations

import asyncio
import sys
from datetime import tzinfo
from typing import TYPE_CHECKING

import click

from statusboard.cli.common import columns, config_option, emit, log_level, read_config, read_only, start_log

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.handover import Handover

_WIDEST = 10_000
"""Cells of a line into a pipe or a file: none is cut."""


@click.command("digest")
@click.option("--since", metavar="TIME", default="8h", show_default=True, help="From this moment until now.")
@click.option("--team", metavar="NAME", default="", help="Only what is this team's.")
@click.option("--markdown", "as_markdown", is_flag=True, help="To be pasted into a chat or a document.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def command(ctx: click.Context, since: str, team: str, as_markdown: bool, as_json: bool) -> int:
    """Print what whoever takes over must know.

    Told are the incidents that are still open and those that were resolved, each with the releases that may have caused
    it; what was released; pipelines that are red or flaky; goals that were missed; and which sources were not read, and
    when: what is missing there may have happened.

    It rests on what the store of this board remembers; nothing is polled. Moments are written like 8h, 14:23 or
    "yesterday 18:00", in the board's time zone. In Markdown all that comes from elsewhere is escaped.

    \b
    Examples:
      statusboard digest
      statusboard digest --since "yesterday 18:00" --team payments --markdown
      statusboard digest --since 24h --json | jq '.still_open[].title'
    """
    if as_markdown and as_json:
        raise click.UsageError("--markdown and --json cannot be had together")
    start_log(log_level(ctx))
    config = read_config(config_option(ctx), quiet=as_json or as_markdown)
    return asyncio.run(_digest(config, since, team, as_markdown, as_json, follow_only=read_only(ctx)))


async def _digest(config: Config, since: str, team: str, as_markdown: bool, as_json: bool, *, follow_only: bool) -> int:
    import msgspec

    from statusboard import handover
    from statusboard.board import Board
    from statusboard.cli._names import known_name
    from statusboard.cli._past import history_of, moment_of, told
    from statusboard.clock import SystemClock, zone_of
    from statusboard.wiring import make_measure

    zone, now = zone_of(config.board.timezone), SystemClock().now()
    first = moment_of("--since", since, now, zone)
    if first >= now:
        raise click.UsageError(f"--since {told(first, zone)} is not before now")
    async with history_of(config, follow_only=follow_only) as store:
        picture = await store.snapshot()
        board = Board(picture.store_id, picture.seq)
        board.load(picture.rows)
        made = await handover.gather(
            store,
            board,
            config.catalog(),
            since=first,
            until=now,
            team=await known_name(store, config, "--team", team),
            measure=make_measure(config, store, zone) if config.goals else None,
            weights=config.suspects,
        )
    if as_json:
        emit(msgspec.json.format(msgspec.json.encode(handover.as_json(made)), indent=2).decode())
    elif as_markdown:
        emit(handover.as_markdown(made, zone=zone), nl=False)
    else:
        emit(_text(made, zone), nl=False)
    return 0


def _text(made: Handover, zone: tzinfo) -> str:
    from statusboard import handover
    from statusboard.presenting import ASCII, UNICODE

    glyphs = UNICODE if "utf" in (sys.stdout.encoding or "").lower() else ASCII
    return handover.as_text(made, zone=zone, glyphs=glyphs, width=columns() or _WIDEST)
