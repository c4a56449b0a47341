"""``statusboard emit``: a line for the deploy log, from a script or pipeline."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

LOG_VARIABLE = "STATUSBOARD_DEPLOY_LOG"
#: Bytes read from standard input at the most.
MOST_INPUT = 9 << 20
MOST_NOTES = 5

#: The state in which what goes on is over, and what tells it from others where it has no id.
_OVER = {"incident": "resolved", "ticket": "done"}
_SAME = {"incident": ("title", "service", "environment", "target"), "ticket": ("ticket_id", "title", "service")}

_OPTIONS = {
    "service": "What was released, or what is affected.",
    "version": "Of a release: the version.",
    "environment": "Such as production.",
    "state": "Release, build: queued, running, success, failed and others. Incident: open, resolved and others.",
    "id": "What tells it from all others; later lines with the same id say more of it.",
    "title": "Of an incident, ticket or build.",
    "url": "The page that a person would open.",
    "revision": "The commit.",
    "previous-version": "Of a release: what it replaces.",
    "committed": "Of a release: when its commits were made; git show -s --format=%cI tells it.",
    "setting": "Of a release that is a change of configuration or of a flag: what is set; --version says to what.",
    "actor": "Who did it.",
    "repository": "As owner/name.",
    "target": "A region or cluster.",
    "pipeline": "Of a build.",
    "run-number": "Of a build.",
    "branch": "Of a build.",
    "default-branch": "Of a build: failures on other branches are no faults.",
    "change": "Of a build: the number of its pull or merge request.",
    "severity": "Of an incident: critical, high, medium, low or info.",
    "assignee": "Of an incident or ticket.",
    "ticket-id": "Of a ticket.",
    "priority": "Of a ticket.",
    "description": "More words.",
    "reason": "Why it failed.",
    "started": "When it began: 2026-01-02T03:04:05+01:00, 21:50 or -10m; without a zone it is this machine's.",
    "ended": "When it ended.",
    "time": "When this is said; now, if it is left out.",
}


def _with_options(function: click.Command) -> click.Command:
    """One option for each thing that a line can say."""
    function.params += [click.Option([f"--{name}"], help=text, metavar="TEXT") for name, text in _OPTIONS.items()]
    return function


@click.command("emit")
@click.argument("kind", metavar="release|build|incident|ticket|-")
@click.option(
    "--to",
    metavar="FILE",
    envvar=LOG_VARIABLE,
    show_envvar=True,
    help="The deploy log to append to; - prints the line instead.",
)
@click.option("--from-env", is_flag=True, help="Let the CI's own variables say what is not said here.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Something more; may be repeated.")
def command(kind: str, to: str | None, from_env: bool, label: tuple[str, ...], **said: str | None) -> int:
    """Write one line into a deploy log, which a board reads with a `deploy-log` source.

    A release, build, incident or ticket is told in one line. It is appended whole, however many write at once, and
    holds only what a board can read. A time without a zone is one of this machine's and is written with its offset;
    21:50 and "yesterday 21:50" will do as well. With `-` instead of a kind it takes lines from standard input (all of
    them or none): the other end of an ssh key that may do nothing else; docs/emit.md shows how.

    \b
    Examples:
      statusboard emit release --service checkout --version 1.4.2 --environment production --state success
      statusboard emit release --from-env --service checkout --version 1.4.2 --state running --to - | ssh board@wall
      statusboard emit release --service checkout --setting new-basket --version on
      statusboard emit incident --id db-1 --title "Disk full" --service ledger --severity critical
      statusboard emit incident --id db-1 --state resolved
    """
    from statusboard.emitting import Times, append, from_ci, line_of, lines_of

    if not to:
        raise click.UsageError(f"say which log: --to FILE, or {LOG_VARIABLE}=FILE in the environment")
    now = datetime.now(UTC)
    times = Times(now)
    given = {name: value for name, value in said.items() if value is not None}
    if kind == "-":
        if given or label or from_env:
            raise click.UsageError("the lines on standard input say everything themselves")
        lines = lines_of(sys.stdin.buffer.read(MOST_INPUT), now, times)
        if times.zoneless:  # who wrote them may sit elsewhere
            times.notes.append(_zoneless(times.zoneless, f"{now.astimezone():%Z}"))
    else:
        ci = from_ci(kind, os.environ) if from_env else {}
        lines = [line_of(kind, {**ci, **given}, _labels(label), now, times)]
        if to != "-" and kind in _OVER:
            times.notes += _about_ids(kind, given, to)
    if to == "-":
        click.echo(b"".join(lines).decode(), nl=False)
    else:
        append(Path(to).expanduser(), lines)
    for note in times.notes[-MOST_NOTES:]:
        click.echo(f"statusboard: {note}", err=True)
    return 0


def _about_ids(kind: str, said: dict[str, str], to: str) -> list[str]:
    """What must be said of how an incident or ticket is ended, before its line is in the log."""
    import json
    import shlex

    over = said.get("state") == _OVER[kind]
    if "id" not in said and not over:
        same = [(name, said[name]) for name in _SAME[kind] if said.get(name)]
        words = [word for name, value in same for word in (f"--{name.replace('_', '-')}", value)]
        where = [] if os.environ.get(LOG_VARIABLE) == to else ["--to", to]
        ends = shlex.join(["statusboard", "emit", kind, *where, *words, "--state", _OVER[kind]])
        return [f"it has no --id, so what says the same goes on with it; it is over with: {ends}"]
    if "id" in said and over and not (said.get("title") or said.get("service")):
        log = Path(to).expanduser()
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - MOST_INPUT))
                known = json.dumps(said["id"], ensure_ascii=False).encode() in file.read()
        except OSError:
            return []
        if not known:
            return [f"no line of {log} has the id {said['id']}: what was told without one is ended by its --title"]
    return []


def _zoneless(number: int, zone: str) -> str:
    told = "1 time has no zone" if number == 1 else f"{number} times have no zone"
    return f"{told}: taken as this machine's, {zone}"


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise click.UsageError(f"--label {text}: write NAME=VALUE")
        labels[name.strip()] = value.strip()
    return labels


_with_options(command)
