"""A deploy log: a file with one JSON object a line, as deploy scripts and ``statusboard emit`` write it.

What a line may say, and which lines are of one release, is in `sources._shared.lines`; how a file is followed through
rotation and truncation in `sources._tail`.
"""

from __future__ import annotations

import asyncio
import glob
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from sources._shared.lines import KINDS, Lines, entry_of
from sources._shared.rows import zone_notes
from sources._tail import Line, Tail, unrotated
from statusboard.api import (
    BadAnswer,
    Context,
    Http,
    HttpFactory,
    ItemKind,
    NotFound,
    Part,
    Past,
    ReleaseState,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    option,
    parse_time,
)

if TYPE_CHECKING:
    from sources._deploy_log_history import History

MAX_FILES: Final = 50
#: So long after it was written a line that cannot be read makes the source partial.
BAD_FOR: Final = timedelta(days=1)


class DeployLogOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: deploy-log``."""

    path: Annotated[str, option("the file, or a pattern such as /var/log/deploys/*.jsonl", path=True)]
    default_state: Annotated[ReleaseState | None, option("what a line without a state means; else it is unknown")] = (
        None
    )
    states: Annotated[dict[str, ReleaseState], option("what this log's own words for states mean")] = msgspec.field(
        default_factory=dict
    )
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000), option("how many of the newest of each kind to keep")] = 500
    kinds: tuple[ItemKind, ...] = ("release",)

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("`path` is empty; name the log file")


class DeployLog(Source[DeployLogOptions]):
    """Releases, and on request other things, from files of JSON lines."""

    type = "deploy-log"
    kinds = frozenset({"build", "incident", "release", "ticket"})
    Options = DeployLogOptions
    summary = "Releases (and more, on request) from a log file with one JSON object a line"
    default_interval = 10.0
    needs_url = False
    scopes_needed = "read access to the file"
    example = """
        path: /var/log/deploys.jsonl
        environment: production
    """
    setup = """
        Each line of the file is one JSON object:

            {"time": "2026-01-02T03:04:05Z", "service": "checkout", "version": "1.4.2", "state": "success"}

        - `statusboard emit` writes such lines from a deploy script or pipeline, also over ssh. Lines of your own may
          use other common names for the fields (`ts`, `app`, `tag`, `env`, `status` and others).
        - A line without a state is `unknown`, unless `default_state` says otherwise.
        - Lines may tell of other things as well: `"kind": "incident"` (or `build`, `ticket`). List them under `kinds`,
          for example `kinds: [release, incident]`; by default only releases are read.
        - A time without a zone is taken as UTC and shown with `~`, since it may be hours off; `statusboard check`
          counts such lines. Write `2026-01-02T03:04:05+01:00`, as `date -Iseconds` and `statusboard emit` do.
        - Rotated, truncated and gzipped files are followed.
        - A line that cannot be read may be the incident, so the source is partial because of it: until the line is
          mended or deleted, the file is rotated, or a day has passed since it was written. Then it is only counted.
    """
    verified = "real"
    history_kinds = kinds
    no_history = "what was rotated away is gone"

    def __init__(self, options: DeployLogOptions, context: Context) -> None:
        super().__init__(options, context)
        self._logs: dict[str, _Log] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._history: History | None = None

    async def scopes(self, http: Http) -> Sequence[Scope]:
        paths = await asyncio.to_thread(_matching, self.options.path)
        self._logs = {str(path): self._logs.get(str(path)) or self._log(path) for path in paths}
        return [
            Scope(name=path if kind == "release" else f"{path} {kind}s", kind=kind, reach="window", data=path)
            for path in map(str, paths)
            for kind in KINDS
            if self.wants(kind)
        ]

    async def stream(
        self, http: HttpFactory, *, timeout: float = 60.0, held: Mapping[str, SourceError] = MappingProxyType({})
    ) -> AsyncGenerator[Part, None]:
        """The parts of the files, and for each with bad lines one more that has failed.

        The files themselves were read: nothing there is old because of a line, nor is looked for later.
        """
        async with aclosing(super().stream(http, timeout=timeout, held=held)) as parts:
            async for part in parts:
                yield part
        now = self.clock.now()
        kind = next(kind for kind in KINDS if self.wants(kind))
        for path, log in self._logs.items():
            if fault := log.fault(now):
                name = "bad lines" if len(self._logs) == 1 else f"bad lines of {path}"
                scope = Scope(name=name, kind=kind, reach="window", started_at=now)
                yield msgspec.structs.replace(scope.part(()), error=BadAnswer(fault))

    async def read(self, scope: Scope, http: Http) -> Part:
        log = self._logs[scope.data]
        await self._advance(scope.data, log)
        if log.bad and not log.lines:
            raise BadAnswer(f"{scope.data}: none of {log.bad} lines tells of a deploy; {log.last_bad}")
        wanted = [kind for kind in KINDS if self.wants(kind)]
        notes = log.notes(wanted, self.clock.now()) if scope.kind == wanted[0] else []
        return scope.part(log.lines.items[scope.kind].values(), notes=notes)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._deploy_log_history import History  # nobody else needs it

        if self._history is None:
            self._history = History(self)
        return await self._history.read(scope, since, cursor)

    def lines(self, limit: int) -> Lines:
        """What lines of these logs mean, by the options."""
        states = {word.lower(): state for word, state in self.options.states.items()}
        return Lines(self, limit=limit, states=states, default_state=self.options.default_state or "unknown")

    def _log(self, path: Path) -> _Log:
        return _Log(Tail(path), self.lines(self.options.limit))

    async def _advance(self, name: str, log: _Log) -> None:
        """Take the new lines in; all parts of the file, which are read side by side, wait for the same reading.

        One that our time limit gave up still moves the tail on, so the next poll waits for it; and a file system that
        hangs holds up one thread, not one a poll.
        """
        task = self._reading.get(name)
        if task is None:
            task = self._reading[name] = asyncio.create_task(self._take(log))
        try:
            await asyncio.shield(task)
        finally:
            if task.done():
                self._reading.pop(name, None)

    async def _take(self, log: _Log) -> None:
        starts, lines = log.tail.starts, await asyncio.to_thread(log.tail.read, self.options.limit)
        if log.tail.starts != starts:
            log.begin_anew()
        for line in lines:
            log.add(line)
        log.lines.trim()


class _Log:
    """One file: how far it is read, what its lines have told, and what was wrong with some."""

    def __init__(self, tail: Tail, lines: Lines) -> None:
        self.tail = tail
        self.lines = lines
        self._kinds: Counter[ItemKind] = Counter()
        self.begin_anew()

    def begin_anew(self) -> None:
        """The file is read from its start: what was wrong with its lines is counted again."""
        self.bad = 0
        self.last_bad = ""
        self.lines.zoneless = 0
        self._standing = False  # whether some of the bad lines are in the file of our name
        self._bad_before: datetime | None = None  # the last of those was written no later; None: while nothing follows

    def add(self, line: Line) -> None:
        if line.data is None:
            self._complain(line, "too long")
            return
        try:
            entry = entry_of(line.data)
        except BadAnswer as exc:
            self._complain(line, str(exc))
        else:
            self._kinds[entry.kind] += 1
            self.lines.add(entry)
            if self._standing and self._bad_before is None:
                self._bad_before = parse_time(entry.fields["time"])

    def fault(self, now: datetime) -> str:
        """What is wrong with lines that may tell of something that matters now; ``""`` for nothing."""
        before = self._bad_before or self.tail.modified
        if not (self._standing and self.lines) or before is None or now - before > BAD_FOR:
            return ""
        return f"{self.bad} line{'s' if self.bad > 1 else ''} could not be read, {self.last_bad}"

    def notes(self, kinds: Sequence[ItemKind], now: datetime) -> list[str]:
        notes = []
        if self.bad and not self.fault(now):
            notes.append(f"{self.bad} bad line{'s' if self.bad > 1 else ''} skipped, {self.last_bad}")
        notes += zone_notes(self.lines.zoneless, "line")
        if self.tail.skipped:
            notes.append(f"{self.tail.path.name}: only its end is read, {self.tail.skipped >> 20} MB were left out")
        if left := sorted(kind for kind in self._kinds if kind not in kinds):
            notes.append(f"{self.tail.path.name} tells of {', '.join(f'{k}s' for k in left)} too; see `kinds`")
        return notes

    def _complain(self, line: Line, why: str) -> None:
        self.bad += 1
        where = f"line {line.number} of {line.file}" if line.number else line.file
        self.last_bad = f"the last is {where}: {why}"
        if not line.rotated:
            self._standing, self._bad_before = True, None


def _matching(pattern: str) -> list[Path]:
    """The files to follow; rotated siblings of one of them are read with it."""
    pattern = str(Path(pattern).expanduser())
    if not glob.has_magic(pattern):
        return [Path(pattern)]
    found = {name for name in glob.iglob(pattern) if Path(name).is_file()}
    paths = sorted(Path(name) for name in found if unrotated(name) == name or unrotated(name) not in found)
    if not paths:
        raise NotFound(f"{pattern}: no file matches")
    if len(paths) > MAX_FILES:
        raise TooLarge(f"{pattern}: matches {len(paths)} files, more than {MAX_FILES}")
    return paths
