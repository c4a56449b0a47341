"""``statusboard metrics``: how delivery is going, in DORA's five numbers, for scripts and for people."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, time, tzinfo
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from statusboard.cli.common import config_option, emit, log_level, read_config, read_only, start_log

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.measuring import Knowledge
    from statusboard.metrics import Report, Scope, Window
    from statusboard.pipelines import PipelineHealth
    from statusboard.store.base import Store

MOST_DAYS = 200
"""What is older than 400 days is not kept, and a window is set beside the one before it."""
_DAY = 86_400
EXIT_OK, EXIT_MISSED, EXIT_NO_DATA = 0, 1, 3


class _Asked(NamedTuple):
    """What is to be printed."""

    scope: Scope
    windows: tuple[int, ...]
    by: Literal["", "service", "team"]
    form: Literal["table", "json", "csv", "markdown"]
    check: bool


@click.command("metrics")
@click.option("--team", default="", metavar="TEAM", help="Only what this team deploys.")
@click.option("--service", default="", metavar="SERVICE", help="Only this service.")
@click.option(
    "--environment", default="", metavar="ENV", help="This environment, instead of all whose tier is production."
)
@click.option("--since", default=None, metavar="TIME", help="One window from then until now: 14d, or a date.")
@click.option("--at", metavar="TIME", help="By what was known then: 'yesterday 09:00', -2h, '2026-11-20 14:00'.")
@click.option("--by", type=click.Choice(["service", "team"]), help="The numbers of each service or team.")
@click.option("--builds", is_flag=True, help="The health of pipelines instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (schema 1), with the keys of the evidence.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one line a number.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a table for a chat or a wiki.")
@click.option("--check", is_flag=True, help="Exit with 1 where a goal is missed, with 3 where one cannot be judged.")
@click.pass_context
def command(
    ctx: click.Context,
    team: str,
    service: str,
    environment: str,
    since: str | None,
    at: str | None,
    by: Literal["service", "team"] | None,
    builds: bool,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
    check: bool,
) -> int:
    """Print change lead time, deployment frequency, failed deployment recovery time, change fail rate and rework rate.

    Reads what is stored and asks no source. Each number says how many deployments it rests on, over which time all
    that it needs was watched, how failures are known, and how it was in the window before. Where there is no data it
    says so, and why. docs/metrics.md has the definitions; goals are set by `goals:` in the configuration.

    Without --since: the windows of 7, 30 and 90 days (with --by or --builds: of 30).

    With --at: the numbers as they were then, by what had been observed by then. What was read back later
    (`statusboard backfill`) was not known, and what time it covers neither; goals and services are those of today.

    With --builds: how pipelines do instead. What is red, what is flaky, what was red longest and since whose change,
    how long builds take and wait.

    \b
    Examples:
      statusboard metrics
      statusboard metrics --team payments --since 30d --markdown
      statusboard metrics --by service --since 90d --csv > numbers.csv
      statusboard metrics --service checkout --json | jq '.reports[].numbers[] | {metric, value, evidence}'
      statusboard metrics --by team --check
      statusboard metrics --at '2026-11-20 14:00' --since 30d
      statusboard metrics --builds --team payments

    \b
    Exit codes:
      0   printed
      1   with --check: a goal is missed
      3   with --check: no goal is missed, but one cannot be judged for want of data
      2   bad usage or configuration
      70  a fault of ours (see the log)
    """
    from statusboard.cli._past import history_of, moment_of
    from statusboard.clock import zone_of
    from statusboard.metrics import WINDOWS, Scope

    forms = [name for name, given in (("json", as_json), ("csv", as_csv), ("markdown", as_markdown)) if given]
    if len(forms) > 1:
        raise click.UsageError(f"--{forms[0]} and --{forms[1]} are two forms: choose one")
    start_log(log_level(ctx))
    config = read_config(config_option(ctx), quiet=bool(forms))
    zone, now = zone_of(config.board.timezone), datetime.now(UTC)
    moment = moment_of("--at", at, now, zone) if at is not None else None
    now = moment or now
    windows = (_days(since, now, zone),) if since is not None else (30,) if by or builds else WINDOWS
    name = config.catalog().environment(environment) if environment else ""
    asked = _Asked(Scope(service, team, name), windows, by or "", forms[0] if forms else "table", check)  # type: ignore[arg-type]

    async def read() -> list[Report]:
        async with history_of(config, follow_only=read_only(ctx)) as store:
            from statusboard.wiring import make_measure

            scope = await _named(store, config, asked.scope)
            service, team, name = scope.service, scope.team, scope.environment
            measure = make_measure(config, await _known(store, moment, zone), zone)
            reports: list[Report] = []
            for days in sorted(asked.windows, reverse=True):  # the longest first: it is read for all
                if asked.by == "service":
                    found = await measure.by_service(days, now, team=team, environment=name)
                    found = [report for report in found if not service or report.scope.service == service]
                elif asked.by == "team":
                    found = await measure.by_team(days, now, environment=name)
                    found = [report for report in found if not team or report.scope.team == team]
                else:
                    found = [await measure.report(scope, days, now)]
                reports = [*found, *reports]
            return reports

    if builds:
        if by or environment or check:
            raise click.UsageError("--builds takes neither --by nor --environment nor --check: a build is of none")
        pipelines, window = asyncio.run(_pipelines(config, asked, now, moment, zone, follow_only=read_only(ctx)))
        _print_pipelines(pipelines, window, asked, now)
        return EXIT_OK
    reports = asyncio.run(read())
    _print(reports, asked, now, zone)
    if check and not any(report.goals for report in reports):
        click.echo(
            "statusboard: --check: there is no goal for this, so none is missed; `goals:` in the configuration",
            err=True,
        )
    return _code(reports) if check else EXIT_OK


async def _named(store: Store, config: Config, scope: Scope) -> Scope:
    """The scope with its names as they are spelt.  UsageError for one that nothing knows."""
    from statusboard.cli._names import known_name
    from statusboard.metrics import Scope

    return Scope(
        await known_name(store, config, "--service", scope.service),
        await known_name(store, config, "--team", scope.team),
        await known_name(store, config, "--environment", scope.environment),
    )


def _print(reports: list[Report], asked: _Asked, now: datetime, zone: tzinfo) -> None:
    from statusboard import exporting_metrics as forms

    match asked.form:
        case "json":
            emit(forms.as_json(reports, now, zone))
        case "csv":
            emit(forms.as_csv(reports), nl=False)
        case "markdown":
            emit(forms.as_markdown(reports, zone), nl=False)
        case _:
            emit(forms.as_text(reports, zone), nl=False)


async def _known(store: Store, moment: datetime | None, zone: tzinfo) -> Knowledge:
    """The store, or what it knew at a past moment.  Raises `MomentError`."""
    if moment is None:
        return store
    from statusboard.cli._past import told
    from statusboard.hindsight import Hindsight
    from statusboard.rewind import Past

    past = await Past.open(store, moment, zone=zone)
    known = Hindsight(store, past.seq, moment, past.board.rows)
    left_out = "; what was read back later is left out" if await known.filled_later() else ""
    click.echo(f"statusboard: by what was known on {told(moment, zone)}{left_out}", err=True)
    return known


async def _pipelines(
    config: Config, asked: _Asked, now: datetime, moment: datetime | None, zone: tzinfo, *, follow_only: bool
) -> tuple[list[PipelineHealth], Window]:
    """How the pipelines of the scope have done, the worst first."""
    import msgspec

    from statusboard.cli._past import history_of
    from statusboard.metrics import window_of
    from statusboard.model import Build
    from statusboard.pipelines import health

    window = window_of(asked.windows[0], now, zone)
    decoder = msgspec.json.Decoder(Build)
    found: list[Build] = []
    async with history_of(config, follow_only=follow_only) as store:
        before = window.since - (window.until - window.since)  # what durations are compared with
        scope = await _named(store, config, asked.scope)
        known = await _known(store, moment, zone)
        for row in await known.remembered("build", since=before):
            try:
                build = decoder.decode(row.body)
            except msgspec.MsgspecError:
                continue
            if scope.service in ("", *build.services) and scope.team in ("", build.team):
                found.append(build)
    return health(found, since=window.since, until=window.until), window


def _print_pipelines(lines: list[PipelineHealth], window: Window, asked: _Asked, now: datetime) -> None:
    from statusboard import exporting_metrics as forms

    match asked.form:
        case "json":
            emit(forms.pipelines_as_json(lines, window, now))
        case "csv":
            emit(forms.pipelines_as_csv(lines, now), nl=False)
        case _:
            emit(forms.pipelines_as_text(lines, window.days, now, marked=asked.form == "markdown"), nl=False)


def _code(reports: list[Report]) -> int:
    judged = [goal.met for report in reports for goal in report.goals]
    if False in judged:
        return EXIT_MISSED
    return EXIT_NO_DATA if None in judged else EXIT_OK


def _days(text: str, now: datetime, zone: tzinfo) -> int:
    """How many local days, today among them, a window has that begins at ``text``."""
    from statusboard.cli._past import moment_of
    from statusboard.clock import parse_duration

    try:
        days = math.ceil(length := parse_duration(text.strip().removeprefix("-")) / _DAY)
    except ValueError:
        at = moment_of("--since", text, now, zone)
        days = (now.astimezone(zone).date() - at.astimezone(zone).date()).days + 1
        length = 1.0 if at.astimezone(zone).time() == time() else (now - at).total_seconds() / _DAY
    if 0 <= length < 1:
        raise click.UsageError(f"--since {text}: a window has whole days: write 1d for today, 2d for yesterday as well")
    if not 1 <= days <= MOST_DAYS:
        raise click.UsageError(f"--since: a window has 1 to {MOST_DAYS} days, and that would be {days}")
    return days
