"""A command of your own: what it prints becomes items, so that any tool that a script can ask is on the board.

``format: lines`` reads JSON lines of our schema (`sources._shared.lines`).  ``format: nagios`` reads a check that keeps
to the Monitoring Plugins' convention: the exit code is the state, the first line of output up to ``|`` what it says
(monitoring-plugins.org, doc/guidelines.html); such a check is one incident while it is not OK.

Scripts give their lines the time at which they ran, and checks quote what they measured: an incident or ticket that
says nothing else than before is shown as before.

The command is a list of arguments and never sees a shell.  It has no input and a time limit; when that is over, or it
prints too much, it is ended with all that it started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from sources._shared.alerts import SteadyText
from sources._shared.commands import Output, run
from sources._shared.lines import KINDS, ON_ITS_WAY, Lines, entry_of
from sources._shared.rows import zone_notes
from statusboard.api import (
    BadAnswer,
    Context,
    Http,
    Incident,
    IncidentState,
    Item,
    ItemKind,
    Part,
    Scope,
    Severity,
    Source,
    SourceOptions,
    Ticket,
    TooLarge,
    clean,
    option,
)

MAX_OUTPUT: Final = 4_000_000
"""Bytes."""
MAX_ITEMS: Final = 2000

#: Exit codes of a check.
CHECKS: Mapping[int, tuple[str, IncidentState, Severity]] = {
    0: ("OK", "resolved", "info"),
    1: ("WARNING", "open", "medium"),
    2: ("CRITICAL", "open", "critical"),
    3: ("UNKNOWN", "unknown", "unknown"),
}


class ExecOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: exec``."""

    command: Annotated[tuple[str, ...], option("the program and its arguments, as a list; no shell is involved")]
    format: Annotated[
        Literal["lines", "nagios"], option("lines: JSON lines, as for deploy-log; nagios: a check's exit code and text")
    ] = "lines"
    directory: Annotated[str, option("where to run it; else where the board was started", path=True)] = ""
    complete: Annotated[bool, option("lines: it prints all there is, so that what it leaves out is over")] = False
    title: Annotated[str, option("nagios: what the check is called; else the program's name")] = ""

    def asked(self, able: frozenset[ItemKind]) -> frozenset[ItemKind]:
        """As others; a check tells of incidents only."""
        return frozenset({"incident"}) if self.format == "nagios" else super().asked(able)

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise ValueError("`command` is empty; write a list such as [/usr/local/bin/alarms, --json]")
        if len(self.command) == 1 and " " in self.command[0] and not Path(self.command[0]).exists():
            words = ", ".join(self.command[0].split())
            raise ValueError(f"`command` is split by no shell; write it as a list: [{clean(words, 80)}]")
        if any("\0" in word for word in self.command):
            raise ValueError("`command` holds a NUL character, which no argument can")
        if self.format == "nagios" and set(self.kinds) - {"incident"}:
            raise ValueError("`kinds`: a check tells of incidents only")


class Told(msgspec.Struct, frozen=True):
    """What the lines of one run tell, and what is wrong with some of them (``""`` for nothing)."""

    items: Mapping[ItemKind, Sequence[Item]]
    fault: str
    notes: tuple[str, ...]


class Exec(Source[ExecOptions]):
    """Items from what a command prints."""

    type = "exec"
    kinds = frozenset(KINDS)
    Options = ExecOptions
    summary = "What a command prints: JSON lines, or the result of a Nagios check"
    default_interval = 60.0
    needs_url = False
    scopes_needed = "what the command needs; it runs as you, with your environment"
    example = """
        command: [/usr/local/bin/open-alarms, --json]
        kinds: [incident]
        complete: true
        timeout: 20s
    """
    setup = """
        Each line that the command prints is one JSON object, as in a deploy log (see `deploy-log`); `kind` says what it
        tells of:

            {"kind": "incident", "id": "db-1", "title": "Disk full", "state": "open", "severity": "critical"}

        - Without an `id`, an incident is told from others by title, service, environment and target: no numbers in
          titles then. `time` of a release is when it was made, not when the command ran; one without a zone is UTC.
        - Say `complete: true` where the command prints all that is open: what it leaves out is then over. It must fail
          where it cannot tell (`set -euo pipefail` in a script): printing nothing says that all is well.
        - Any Nagios check will do as well: `command: [/usr/lib/nagios/plugins/check_disk, -w, 20%]` with
          `format: nagios`. It is one incident while it is not OK; UNKNOWN is never taken for well.
        - The command is ended after `timeout`, and an exit code other than 0 (for a check: above 3) is a fault of this
          source. Only the main configuration may hold `exec`, no included file.
    """
    verified = "real"
    no_history = "a command says what is now"

    def __init__(self, options: ExecOptions, context: Context) -> None:
        super().__init__(options, context)
        self._name = options.title or Path(options.command[0]).name
        self._items: dict[str, Item] = {}
        self._text: SteadyText | None = None

    async def scopes(self, http: Http) -> Sequence[Scope]:
        output = await run(
            self.options.command,
            limit=float(self.options.timeout),
            most=MAX_OUTPUT,
            directory=self.options.directory,
        )
        if self.options.format == "nagios":
            return [Scope(name=self._name, kind="incident", reach="complete", data=output)]
        if output.code:
            raise BadAnswer(f"{self._name}: {output.said()}")
        reach: Literal["complete", "window"] = "complete" if self.options.complete else "window"
        wanted = [kind for kind in KINDS if self.wants(kind)]
        told = self._told(output.out, wanted)
        return [Scope(name=f"{kind}s", kind=kind, reach=reach, data=told) for kind in wanted]

    async def read(self, scope: Scope, http: Http) -> Part:
        if self.options.format == "nagios":
            item = self._checked(scope.data)
            return scope.part([item] if item else [])
        told: Told = scope.data
        part = scope.part(told.items[scope.kind], notes=told.notes)
        # What could not be read may have been of any kind: nothing is over because of it.
        return msgspec.structs.replace(part, error=BadAnswer(told.fault)) if told.fault else part

    def _told(self, out: bytes, wanted: Sequence[ItemKind]) -> Told:
        lines, bad, last, other = Lines(self, limit=MAX_ITEMS, present=True), 0, "", 0
        rows = [row for row in out.splitlines() if row.strip()]
        if len(rows) > MAX_ITEMS:
            raise TooLarge(f"{self._name}: prints {len(rows)} lines, more than {MAX_ITEMS}")
        for number, row in enumerate(rows, 1):
            try:
                entry = entry_of(row)
            except BadAnswer as exc:
                bad, last = bad + 1, f"line {number}: {exc}"
                continue
            other += entry.kind not in wanted
            lines.add(entry)
        fault = f"{bad} of {len(rows)} lines could not be read: {last}" if bad else ""
        notes = zone_notes(lines.zoneless, "line")
        if other:
            notes.append(f"{other} of {len(rows)} lines tell of what `kinds` does not ask for")
        items = {kind: [self._steady(item) for item in lines.items[kind].values()] for kind in wanted}
        self._items = {item.key: item for some in items.values() for item in some}
        return Told(items, fault, tuple(notes))

    def _steady(self, item: Item) -> Item:
        """An incident or ticket as at the last run, if nothing but the time of its line is another now."""
        before = self._items.get(item.key)
        if not isinstance(item, Incident | Ticket) or not isinstance(before, Incident | Ticket):
            return item
        on_its_way = before.state in ON_ITS_WAY["incident"] | ON_ITS_WAY["ticket"]
        if item.started_at == item.updated_at and (on_its_way or before.state == item.state):
            item = msgspec.structs.replace(item, started_at=before.started_at)  # the line tells of no start
        same = msgspec.structs.replace(item, updated_at=before.updated_at, ended_at=before.ended_at) == before
        return before if same else item

    def _checked(self, output: Output) -> Incident | None:
        if output.code not in CHECKS:
            raise BadAnswer(f"{self._name}: no check ends so: {output.said()}")
        word, state, severity = CHECKS[output.code]
        first, _, more = output.out.decode("utf-8", "replace").strip().partition("\n")
        if not output.code:
            self._text = None
            return None
        reason, details = first.partition("|")[0].strip(), more.partition("|")[0].strip()
        text = SteadyText(title=reason, description=details, at=self.clock.monotonic())
        self._text = text = text.steady(self._text)
        return Incident(
            key=self.key("incident", "check"),
            source=self.name,
            title=self._name,
            description=text.description,
            reason=text.title,
            state=state,
            severity=severity,
            raw_state=word,
        )
