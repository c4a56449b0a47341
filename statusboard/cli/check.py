"""``statusboard check``: try every source and say what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from statusboard.cli.common import (
    DURATION,
    complete_sources,
    config_option,
    emit,
    log_level,
    read_config,
    require_known,
    start_log,
)
from statusboard.clock import Duration
from statusboard.errors import ConfigError

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.setup.checking import Findings, SourceFinding

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_UNREAD = 3
#: Parts without an error that are listed one by one; of more only the sums are told.
MAX_PARTS = 8
MAX_ERRORS = 20
_LABEL = 13


@click.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_sources)
@click.option("--timeout", type=DURATION, default="30s", show_default=True, help="Give up on a source after this long.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], timeout: Duration, as_json: bool) -> int:
    """Read every source (or those named) once and say what it gives. Nothing is stored.

    For each: whether it can be reached, whether its credentials are found, how long it took, how many items and
    errors it has, how much of its quota is left, how far its clock is off, and which heartbeats it shows. Then: which
    items nobody owns, and which rule under `services:` would give them an owner.

    \b
    Examples:
      statusboard check
      statusboard check github --timeout 10s
      statusboard --config new.yaml check

    \b
    Exit codes:
      0   everything was read
      3   something could not be read (or a heartbeat is missing)
      2   bad usage or configuration
    """
    start_log(log_level(ctx))
    try:
        config = read_config(config_option(ctx), quiet=True)
    except ConfigError as error:
        for problem in error.problems:  # all of them: other commands tell the first ones
            click.echo(f"config: {problem}", err=True)
        return EXIT_USAGE
    require_known(names, config)
    if not config.sources:
        return _follows(config)
    return _check(config, names, float(timeout), as_json)


def _check(config: Config, names: tuple[str, ...], timeout: float, as_json: bool) -> int:
    import asyncio

    import msgspec

    from statusboard.setup.checking import check

    if not as_json:
        click.echo(f"Reading {_count(len(names) or len(config.sources), 'source')} of {config.path} …", err=True)
    findings = asyncio.run(check(config, names, timeout=timeout))
    emit(msgspec.json.encode(findings).decode() if as_json else text(findings), nl=as_json)
    return EXIT_OK if findings.ok else EXIT_UNREAD


def _follows(config: Config) -> int:
    """A board without sources of its own follows another's database: can it?"""
    import asyncio
    from pathlib import Path

    from statusboard.errors import StoreUnusable
    from statusboard.store import open_store

    async def look() -> int:
        store, _ = await open_store(Path(config.board.store), read_only=True)
        try:
            return (await store.health()).seq
        finally:
            await store.close()

    try:
        revision = asyncio.run(look())
    except StoreUnusable as error:
        click.echo(f"failed   follows {config.board.store}: {error}")
        return EXIT_UNREAD
    click.echo(f"ok       follows {config.board.store}, at revision {revision}")
    return EXIT_OK


def text(findings: Findings) -> str:
    """The findings as aligned lines that read without colour."""
    lines = [f"warning: {warning}" for warning in findings.warnings]
    for source in findings.sources:
        lines += ["", *_source(source)] if lines else _source(source)
    lines += ["", *_catalog(findings), ""]
    bad = [source.name for source in findings.sources if source.verdict != "ok"]
    if bad:
        lines.append(f"NOT everything could be read: {', '.join(bad)}")
    elif any(part.notes for source in findings.sources for part in source.parts):
        lines.append(f"All well, but see the notes: {_count(len(findings.sources), 'source')} read.")
    else:
        lines.append(f"All well: {_count(len(findings.sources), 'source')} read in full.")
    return "\n".join(lines) + "\n"


def _source(source: SourceFinding) -> list[str]:
    word = {"ok": "ok", "partial": "PARTIAL", "failed": "FAILED"}[source.verdict]
    lines = [f"{word:<8} {source.name} ({source.type}{f', {source.url}' if source.url else ''})"]
    missing = {f"{finding.reference}: {finding.error}" for finding in source.credentials}
    if source.error and source.error not in missing:
        lines.append(_row("error", source.error))
    if source.url:
        asked = {True: "yes", False: "NO", None: "not asked: a credential is missing"}
        lines.append(_row("reachable", asked[source.reachable]))
    lines += [
        _row(f"{finding.option}", f"{finding.reference}: {finding.error or 'found'}") for finding in source.credentials
    ]
    lines.append(_row("time", f"{source.seconds:.1f} s"))
    lines += _parts(source)
    if source.hint:
        guide = f"see `statusboard sources {source.type}`"
        lines.append(_row("hint", source.hint))
        lines.append(_row("needs", f"{source.needs}; {guide}" if source.needs else guide))
    if source.budget is not None:
        lines.append(_row("budget", _budget(source)))
    if source.requests:
        lines.append(_row("requests", f"{source.requests} in a first poll{_every(source)}"))
    if source.clock_offset is not None:
        lines.append(_row("clock", _clock(source.clock_offset)))
    if source.beats or source.missing_beats:
        told = [f"{name} seen" for name in source.beats] + [f"{name} MISSING" for name in source.missing_beats]
        lines.append(_row("heartbeats", ", ".join(told)))
    return lines


def _parts(source: SourceFinding) -> list[str]:
    from statusboard.text import fit

    lines: list[str] = []
    sums = ", ".join(_count(n, kind) for kind, n in source.items.items()) or "none"
    if source.verdict != "failed" or source.items:
        lines.append(_row("items", sums))
    if 1 < len(source.parts) <= MAX_PARTS:
        width = min(40, max(len(part.part) for part in source.parts) + 2)
        lines += [_row("", f"{fit(part.part, width)}{part.items}") for part in source.parts if not part.error]
    errors = [f"{part.part}: {part.error}" for part in source.parts if part.error and part.error != source.error]
    lines += [_row("error", error) for error in errors[:MAX_ERRORS]]
    if len(errors) > MAX_ERRORS:
        lines.append(_row("error", f"and {len(errors) - MAX_ERRORS} more parts"))
    notes = [f"{part.part}: {note}" for part in source.parts for note in part.notes]
    lines += [_row("note", note) for note in notes[:MAX_ERRORS]]
    if source.left_out:
        lines.append(_row("left out", f"{_count(len(source.left_out), 'item')}: {source.left_out[0]}"))
    return lines


def _budget(source: SourceFinding) -> str:
    budget = source.budget
    assert budget is not None
    told = f"{'?' if budget.left is None else budget.left} of {'?' if budget.limit is None else budget.limit} left"
    return f"{told}, full again at {budget.reset:%H:%M} UTC" if budget.reset is not None else told


def _every(source: SourceFinding) -> str:
    """What a whole poll, the dearest there is, comes to; one that broke off tells nothing."""
    if source.verdict != "ok":
        return ""
    return f", later ones may need fewer; at most {source.requests_per_hour} an hour, every {Duration(source.interval)}"


def _clock(offset: float) -> str:
    from statusboard.setup.checking import CLOCK_OFF

    if abs(offset) < 1:
        return "as ours"
    told = f"{abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} ours"
    return f"{told}: ages will look wrong, set one of the two clocks" if abs(offset) >= CLOCK_OFF else told


def _catalog(findings: Findings) -> list[str]:
    if not findings.unowned:
        return [f"Every item has an owner ({findings.items})." if findings.items else "There are no items."]
    lines = [f"{findings.unowned} of {findings.items} items have no owner. Most have:"]
    widest = max(len(str(hint.items)) for hint in findings.hints)
    lines += [f"  {hint.items:>{widest}}  {hint.rule}" for hint in findings.hints]
    lines.append("Write such a line into a service's `match:`, as in")
    rule = findings.hints[0].rule
    name = "".join(
        c if c.isalnum() or c in "-_" else "-" for c in rule.rpartition("/")[2].rpartition(": ")[2].strip("}")
    )
    return [*lines, f"  services: {{{name.lower() or 'name'}: {{team: NAME, match: {{{rule}}}}}}}"]


def _row(label: str, told: str) -> str:
    return f"         {label:<{_LABEL}}{told}".rstrip()


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
