"""``statusboard history``: what changed between two moments, one line a change."""

from __future__ import annotations

import asyncio
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

import click

from statusboard.cli.common import columns, config_option, emit, log_level, read_config, read_only, start_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statusboard.config import Config
    from statusboard.model import Fact
    from statusboard.timeline import Entry, Shows


@click.command("history")
@click.option("--since", metavar="TIME", default="-24h", show_default=True, help="From this moment on.")
@click.option("--until", metavar="TIME", default="now", show_default=True, help="Up to this moment.")
@click.option("--service", metavar="NAME", help="Only what concerns this service.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def command(ctx: click.Context, since: str, until: str, service: str | None, as_json: bool) -> int:
    """Print what changed, one line a change, oldest first.

    The lines are those of the timeline: states, severities, attempts, who took what on, what people said, and sources
    that could not be read. They stand by when they happened; `‹` marks what was learned later. When nobody watched is
    said on standard error: nothing that is missing there did not happen.

    Moments are written like 14:23, "yesterday 09:00", "2026-11-20 14:00" or -2h, in the board's time zone.

    \b
    Examples:
      statusboard history --since -2h
      statusboard history --since "yesterday 18:00" --until "today 09:00" --service checkout
      statusboard history --since -7d --json | jq -r 'select(.event == "opened") | .words'
    """
    start_log(log_level(ctx))
    config = read_config(config_option(ctx), quiet=as_json)
    return asyncio.run(_history(config, since, until, service, as_json, follow_only=read_only(ctx)))


async def _history(
    config: Config, since: str, until: str, service: str | None, as_json: bool, *, follow_only: bool
) -> int:
    import msgspec

    from statusboard.cli._names import known_name
    from statusboard.cli._past import blank_lines, blanks, history_of, moment_of, told
    from statusboard.clock import SystemClock, zone_of
    from statusboard.retelling import retold

    zone, now = zone_of(config.board.timezone), SystemClock().now()
    first, last = moment_of("--since", since, now, zone), moment_of("--until", until, now, zone)
    if last <= first:
        raise click.UsageError(f"--until {told(last, zone)} is not after --since {told(first, zone)}")
    async with history_of(config, follow_only=follow_only) as store:
        service = await known_name(store, config, "--service", service or "", repositories=True)
        entries = await retold(store, first, last, _of(service) if service else None)
        unwatched = await blanks(store, first, min(last, now))
    if as_json:
        for entry in entries:
            if not emit(msgspec.json.encode(line(entry)).decode()):
                return 0
    elif entries:
        emit("\n".join(lines(entries, zone, columns())))
    else:
        emit(f"nothing changed between {told(first, zone)} and {told(last, zone)}")
    for told_of in blank_lines(unwatched, zone):
        click.echo(told_of, err=True)
    return 0


def _of(service: str) -> Shows:
    from statusboard.model import Build, Incident, Release, Ticket

    wanted = service.casefold()

    def shows(fact: Fact) -> bool:
        if not isinstance(fact, Build | Incident | Release | Ticket):
            return False
        return wanted in {name.casefold() for name in (*fact.services, fact.repository)}

    return shows


def line(entry: Entry) -> dict[str, Any]:
    """An entry as JSON says it; times in UTC."""
    from statusboard.clock import rfc3339

    values = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in values.items()}


def lines(entries: Sequence[Entry], zone: tzinfo, width: int | None) -> list[str]:
    """Entries as aligned lines of at most ``width`` cells; without a width every text is whole."""
    from statusboard.exporting import aligned, snug
    from statusboard.presenting.timeline import late_sign, sign_of
    from statusboard.text import cell_len, clip

    table = [["at", "what", "service", "environment", "by", "source", "about"]]
    for entry in entries:
        at = f"{entry.at.astimezone(zone):%Y-%m-%d %H:%M:%S}{late_sign() if entry.late else ''}"
        what = f"{sign_of(entry)[0]} {entry.words}"
        table.append([at, what, entry.service, entry.environment, entry.by, entry.source, entry.about])
    if width is not None:
        widths = {n: snug([cell_len(row[n]) for row in table[1:]], most) for n, most in _MOST.items()}
        for row in table[1:]:
            row[1] = clip(row[1], 60)
            for n, widest in widths.items():
                row[n] = clip(row[n], widest)
    made = (text.removeprefix("  ") for text in aligned(table)[1:])
    return [text if width is None else clip(text, width) for text in made]


#: In a terminal so many cells at most: the service, the environment, who, and the source.
_MOST: Final = {2: 34, 3: 16, 4: 16, 5: 20}
