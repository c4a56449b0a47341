"""``statusboard show``: the board once, for scripts and for people."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection
from typing import TYPE_CHECKING

import click

from statusboard.cli.common import (
    DURATION,
    complete_sources,
    config_option,
    log_level,
    read_config,
    read_only,
    require_known,
    start_log,
)
from statusboard.clock import Duration
from statusboard.errors import QueryError

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.engine import Engine
    from statusboard.query import Query


@click.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (schema 1) instead of a table.")
@click.option("--watch", is_flag=True, help="Go on: one JSON line a change, and heartbeat lines.")
@click.option("--heartbeat", type=DURATION, default="1m", show_default=True, help="How often --watch says it is alive.")
@click.option("--poll", is_flag=True, help="Read all sources now, even if the stored data is young.")
@click.option("--deadline", type=DURATION, default="30s", show_default=True, help="Give up reading after this long.")
@click.option("--fail-on", metavar="QUERY", help="Only what matches counts as failing or unknown.")
@click.option(
    "--require",
    multiple=True,
    metavar="SOURCE",
    help="Only these sources count as blind (may be repeated).",
    shell_complete=complete_sources,
)
@click.pass_context
def command(
    ctx: click.Context,
    as_json: bool,
    watch: bool,
    poll: bool,
    deadline: Duration,
    fail_on: str | None,
    require: tuple[str, ...],
    heartbeat: Duration,
) -> int:
    """Print the board once.

    Uses what a live board on this store has read if that is younger than one interval, else reads the sources once.

    \b
    Exit codes:
      0   nothing failing, everything read
      1   something is failing (even if partly blind)
      3   blind in part, or something current is unknown
      2   bad usage or configuration
      70  a fault of ours (see the log)
    """
    start_log(log_level(ctx))
    config = read_config(config_option(ctx), quiet=as_json or watch)
    query = _query(fail_on)
    require_known(require, config)
    return asyncio.run(
        _show(
            config,
            as_json=as_json,
            watch=watch,
            poll=poll,
            deadline=float(deadline),
            query=query,
            required=set(require) or None,
            follow_only=read_only(ctx),
            heartbeat=float(heartbeat),
        )
    )


def _query(text: str | None) -> Query | None:
    from statusboard.query import parse

    if text is None:
        return None
    try:
        return parse(text)
    except QueryError as exc:
        raise click.UsageError(f"--fail-on, at character {exc.start + 1}: {exc}") from None


async def _show(
    config: Config,
    *,
    as_json: bool,
    watch: bool,
    poll: bool,
    deadline: float,
    query: Query | None,
    required: Collection[str] | None,
    follow_only: bool,
    heartbeat: float,
) -> int:
    import msgspec

    from statusboard import report
    from statusboard.oneshot import read_once
    from statusboard.wiring import make_engine

    engine = make_engine(config, read_only=follow_only)
    try:
        await read_once(engine, force=poll, deadline=deadline)
        if engine.notice:
            click.echo(f"statusboard: {engine.notice}", err=True)
        now = engine.clock.now()
        counts = _counted(engine, query)
        if as_json:
            picture = report.picture(engine.board, engine.statuses, now, counts=counts, required=required)
            click.echo(msgspec.json.encode(picture).decode())
        elif not watch:
            width = shutil.get_terminal_size((120, 40)).columns
            click.echo(report.table(engine.board, engine.statuses, now, width), nl=False)
        code = report.exit_code(engine.board, counts=counts, required=required)
        if watch:
            engine.carry_on()
            await _watch(engine, heartbeat)
        return code
    finally:
        await engine.stop()


def _counted(engine: Engine, query: Query | None) -> Collection[str] | None:
    if query is None:
        return None
    now = engine.clock.now()
    return {
        row.key
        for row in engine.board.items()
        if query.matches(row.fact, current=row.current, failing=row.failing, now=now)
    }


async def _watch(engine: Engine, heartbeat: float) -> None:
    """One line a change, and every ``heartbeat`` seconds one that says we are still here, and at which picture."""
    import msgspec

    from statusboard import report

    async def lines() -> None:
        seen = {key: msgspec.to_builtins(row.fact) for key, row in engine.board.rows.items()}
        async for changes in engine.store.changes(engine.board.seq):
            for change in changes:
                line = report.change_row(change, seen.get(change.key))
                if line["after"] is None:
                    seen.pop(change.key, None)
                else:
                    seen[change.key] = line["after"]
                click.echo(msgspec.json.encode(line).decode())

    async def beats() -> None:
        while True:
            await engine.clock.sleep(heartbeat)
            line = {
                "heartbeat": engine.clock.now(),
                "revision": engine.board.seq,
                "digest": engine.board.digest,
                "verdict": engine.board.summary().verdict,
            }
            click.echo(msgspec.json.encode(line).decode())

    async with asyncio.TaskGroup() as group:
        group.create_task(lines())
        group.create_task(beats())
