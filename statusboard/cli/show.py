"""``statusboard show``: the board once, for scripts and for people."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import click

from statusboard.cli.common import (
    DURATION,
    columns,
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
from statusboard.clock import Duration
from statusboard.errors import QueryError

if TYPE_CHECKING:
    from datetime import datetime

    from statusboard.board import Board
    from statusboard.config import Config
    from statusboard.engine import Engine
    from statusboard.query import Query
    from statusboard.suspicion import Suspicion
    from statusboard.view import ViewSpec


@click.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (schema 1) instead of a table.")
@click.option("--watch", is_flag=True, help="Go on: one JSON line a change, and heartbeat lines.")
@click.option("--heartbeat", type=DURATION, default="1m", show_default=True, help="How often --watch says it is alive.")
@click.option("--at", metavar="TIME", help="As it was shown then: 14:23, 'yesterday 09:00', -2h, '2026-11-20 14:00'.")
@click.option("--poll", is_flag=True, help="Read all sources now, even if the stored data is young.")
@click.option("--deadline", type=DURATION, default="30s", show_default=True, help="Give up reading after this long.")
@click.option("--view", "view_name", metavar="NAME", help="Only what this view of the board shows.")
@click.option("--filter", "filter_text", metavar="QUERY", help="Only what matches, as in the filter line of the board.")
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
    at: str | None,
    poll: bool,
    deadline: Duration,
    view_name: str | None,
    filter_text: str | None,
    fail_on: str | None,
    require: tuple[str, ...],
    heartbeat: Duration,
) -> int:
    """Print the board once.

    Uses what a live board on this store has read if that is younger than one interval, else reads the sources once.

    --view and --filter narrow what is listed and counted; both say how much they leave out, and how much of that is
    failing. What could not be read counts all the same: nobody knows what it holds.

    --at shows what was known at a past moment, as it was shown then, and reads nothing. What nobody watched then is
    `unwatched`, and the board is blind.

    \b
    Examples:
      statusboard show
      statusboard show --json | jq '.items[] | select(.failing) | .title'
      statusboard show --view Payments --filter "kind:incident severity:>=high"
      statusboard show --fail-on "team:payments kind:incident" --require prod-alerts
      statusboard show --at "yesterday 09:00"
      statusboard show --watch

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
    query = _query("--fail-on", fail_on)
    if watch and (view_name or filter_text):
        raise click.UsageError("--watch tells every change: it takes neither --view nor --filter")
    narrow = _narrow(config, view_name, filter_text) if view_name or filter_text else None
    require_known(require, config)
    if at is not None:
        if watch or poll:
            raise click.UsageError("--at shows what was: it takes neither --watch nor --poll")
        wanted = _Wanted(as_json, query, narrow, set(require))
        return asyncio.run(_show_past(config, at, wanted, follow_only=read_only(ctx)))
    return asyncio.run(
        _show(
            config,
            as_json=as_json,
            watch=watch,
            poll=poll,
            deadline=float(deadline),
            query=query,
            narrow=narrow,
            required=set(require) or None,
            follow_only=read_only(ctx),
            heartbeat=float(heartbeat),
        )
    )


class Narrow(NamedTuple):
    """A view, and its filter with the one of the command line."""

    view: ViewSpec
    query: Query


class _Wanted(NamedTuple):
    """What is to be printed of a past moment."""

    as_json: bool
    query: Query | None
    narrow: Narrow | None
    required: Collection[str]


def _query(option: str, text: str | None) -> Query | None:
    from statusboard.query import parse

    if text is None:
        return None
    try:
        return parse(text)
    except QueryError as exc:
        raise click.UsageError(f"{option}, at character {exc.start + 1}: {exc}") from None


def _narrow(config: Config, name: str | None, text: str | None) -> Narrow:
    from statusboard.query import parse

    view = _view(config, name)
    typed = _query("--filter", text)
    query = parse(view.filter)
    return Narrow(view, query & typed if typed is not None else query)


def _view(config: Config, name: str | None) -> ViewSpec:
    """The view of that name, as the board of this configuration has it; without a name the one of all kinds."""
    from statusboard.binding import closest, shown
    from statusboard.screens.settings import settings_of
    from statusboard.view import OVERVIEW

    if name is None:
        return OVERVIEW
    views = {view.name.casefold(): view for view in settings_of(config).views}
    if name.casefold() not in views:
        names = [view.name for view in views.values()]
        raise click.UsageError(f"there is no view `{shown(name)}`: {closest(name, names)}")
    return views[name.casefold()]


async def _show(
    config: Config,
    *,
    as_json: bool,
    watch: bool,
    poll: bool,
    deadline: float,
    query: Query | None,
    narrow: Narrow | None,
    required: Collection[str] | None,
    follow_only: bool,
    heartbeat: float,
) -> int:
    import msgspec

    from statusboard import exporting, report
    from statusboard.oneshot import read_once
    from statusboard.query import parse
    from statusboard.view import OVERVIEW
    from statusboard.wiring import make_engine

    engine = make_engine(config, read_only=follow_only)
    try:
        unread = await read_once(engine, force=poll, deadline=deadline)
        if engine.notice:
            click.echo(f"statusboard: {engine.notice}", err=True)
        if unread:
            click.echo(f"statusboard: not read in time: {', '.join(sorted(unread))}", err=True)
        counts = _counted(engine.board, query, engine.clock.now())
        only = _matching(engine.board, narrow, engine.clock.now()) if narrow is not None else None
        if only is not None:
            counts = only if counts is None else only & counts
        # What is configured and was never heard of is blind as well.
        sources = required or _configured(engine) or None
        reader, now = True, engine.clock.now()
        if as_json:
            asked = exporting.asked_for(*narrow) if narrow is not None else None
            picture = report.picture(
                engine.board,
                engine.statuses,
                now,
                counts=counts,
                required=sources,
                only=only,
                asked=asked,
                suspicion=_suspicion(config, engine.board),
            )
            reader = emit(msgspec.json.encode(picture).decode())
        elif not watch:
            every = _configured(engine) or None
            made = exporting.shown(engine.board, *(narrow or (OVERVIEW, parse(""))), now)
            table = exporting.table(made, engine.board, engine.statuses, now, columns(), required=every)
            reader = emit(table, nl=False)
        if watch and reader:
            engine.go_on()
            await _watch(engine, heartbeat)
            counts = _counted(engine.board, query, engine.clock.now())
            unread = frozenset()
        code = report.exit_code(engine.board, counts=counts, required=sources)
        late = unread & set(sources or ())
        return report.EXIT_BLIND if late and code == report.EXIT_OK else code
    finally:
        await engine.stop()


async def _show_past(config: Config, text: str, wanted: _Wanted, *, follow_only: bool) -> int:
    import msgspec

    from statusboard import exporting, report
    from statusboard.cli._past import history_of, moment_of, told
    from statusboard.clock import SystemClock, age, rfc3339, zone_of
    from statusboard.query import parse
    from statusboard.rewind import Past
    from statusboard.view import OVERVIEW

    zone, now = zone_of(config.board.timezone), SystemClock().now()
    at = moment_of("--at", text, now, zone)
    async with history_of(config, follow_only=follow_only) as store:
        past = await Past.open(store, at, zone=zone)
    board, narrow = past.board, wanted.narrow
    counts = _counted(board, wanted.query, at)
    only = _matching(board, narrow, at) if narrow is not None else None
    if only is not None:
        counts = only if counts is None else only & counts
    # Only what was heard of by then: what was configured later was not missing.
    sources = wanted.required or _heard_of(board) or None
    if wanted.as_json:
        asked = exporting.asked_for(*narrow) if narrow is not None else None
        picture = report.picture(
            board,
            past.statuses,
            at,
            counts=counts,
            required=sources,
            only=only,
            asked=asked,
            suspicion=_suspicion(config, board),
        )
        emit(msgspec.json.encode(picture | {"at": rfc3339(at)}).decode())
    else:
        made = exporting.shown(board, *(narrow or (OVERVIEW, parse(""))), at)
        table = exporting.table(made, board, past.statuses, at, columns(), required=_heard_of(board) or None)
        emit(f"AS IT WAS on {told(at, zone)} ({age(now, at)} ago)\n{table}", nl=False)
    return report.exit_code(board, counts=counts, required=sources)


def _suspicion(config: Config, board: Board) -> Suspicion:
    from statusboard.wiring import suspicion_of

    suspicion = suspicion_of(config)
    suspicion.settle(board)
    return suspicion


def _configured(engine: Engine) -> set[str]:
    """The required sources: those that are configured, and those that the board has heard of."""
    return {setup.name for setup in engine.setups.values() if not setup.optional} | _heard_of(engine.board)


def _heard_of(board: Board) -> set[str]:
    return {name for name, health in board.health.items() if not health.optional}


def _counted(board: Board, query: Query | None, now: datetime) -> set[str] | None:
    if query is None:
        return None
    return {
        row.key
        for row in board.items()
        if query.matches(
            row.fact, current=row.current, failing=row.failing, now=now, health=board.state_of(row.fact.source)
        )
    }


def _matching(board: Board, narrow: Narrow, now: datetime) -> set[str]:
    """The items of the view's kinds that pass its filter."""
    matched = _counted(board, narrow.query, now) or set()
    return {key for key in matched if board.rows[key].fact.kind in narrow.view.lanes}


async def _watch(engine: Engine, heartbeat: float) -> None:
    """One line a change, and one every ``heartbeat`` seconds; until a signal or the reader ends it."""
    work = [asyncio.ensure_future(_changes(engine)), asyncio.ensure_future(_beats(engine, heartbeat))]
    ended = asyncio.ensure_future(ending().wait())
    try:
        done, _ = await asyncio.wait([*work, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # raises what went wrong
    finally:
        for task in (*work, ended):
            task.cancel()
        await asyncio.gather(*work, ended, return_exceptions=True)


async def _changes(engine: Engine) -> None:
    import msgspec

    from statusboard import report
    from statusboard.errors import StoreError

    seen = {key: msgspec.to_builtins(row.fact) for key, row in engine.board.rows.items()}
    store, after = engine.store, engine.board.seq
    while True:
        try:
            async for changes in store.changes(after):
                await engine.settled(changes[-1].seq)  # what is told is how things are, should somebody end it now
                for change in changes:
                    after = change.seq
                    line = report.change_row(change, seen.get(change.key))
                    if line["after"] is None:
                        seen.pop(change.key, None)
                    elif line["after"] == line["before"]:
                        continue  # a new history begins with what was known
                    else:
                        seen[change.key] = line["after"]
                    if not emit(msgspec.json.encode(line).decode()):
                        return
        except StoreError:
            await engine.clock.sleep(1.0)  # the engine goes on with another store, or with this one again
            if store is not engine.store:
                click.echo(f"statusboard: {engine.notice}", err=True)
                store, after = engine.store, 0


async def _beats(engine: Engine, every: float) -> None:
    import msgspec

    from statusboard.clock import rfc3339

    while True:
        await engine.clock.sleep(every)
        line = {
            "heartbeat": rfc3339(engine.clock.now()),
            "store_id": engine.board.store_id,
            "revision": engine.board.seq,
            "digest": engine.board.digest,
            "verdict": engine.board.summary().verdict,
        }
        if not emit(msgspec.json.encode(line).decode()):
            return
