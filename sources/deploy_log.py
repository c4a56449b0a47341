"""A deploy log: a file with one JSON object a line, as deploy scripts write it.  There is no standard, so many names
are understood for each field (see `ALIASES`), in upper or lower case.

Which lines are of one release: those with the same ``id``; without an id those of the same service, version,
environment and target that name the same start; without a start a line goes on with the newest release of these four
while that is still queued or running, and begins a new one otherwise.  An ``id`` must be unique in the log.
"""

from __future__ import annotations

import asyncio
import glob
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from sources._shared.rows import remote_id
from sources._tail import Line, Tail, unrotated
from statusboard.api import (
    BadAnswer,
    Context,
    Http,
    NotFound,
    Part,
    Release,
    ReleaseState,
    Scope,
    Source,
    SourceOptions,
    TooLarge,
    option,
    parse_time_exact,
)

#: Our field: the names it goes by, the first that has a value counts.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "deploy_id", "deployment_id"),
    "time": ("ts", "time", "timestamp", "@timestamp", "date"),
    "service": ("service", "app", "project"),
    "version": ("version", "release", "tag", "sha"),
    "environment": ("environment", "env"),
    "target": ("target", "region", "cluster"),
    "state": ("status", "result", "outcome", "state"),
    "started": ("started_at", "started"),
    "ended": ("ended_at", "finished_at", "ended", "finished"),
    "actor": ("author", "user", "actor"),
    "revision": ("revision", "commit", "sha"),
    "previous": ("previous_version", "previous", "from"),
    "repository": ("repository", "repo"),
    "url": ("url", "link"),
    "description": ("description", "message", "msg"),
    "reason": ("reason", "error"),
}
#: What scripts write; a word that is not here (nor in the option ``states``) is unknown.
STATES: Mapping[str, ReleaseState] = {
    "queued": "queued",
    "pending": "queued",
    "scheduled": "queued",
    "created": "queued",
    "blocked": "blocked",
    "waiting": "blocked",
    "paused": "blocked",
    "running": "running",
    "started": "running",
    "start": "running",
    "in_progress": "running",
    "in-progress": "running",
    "deploying": "running",
    "success": "success",
    "succeeded": "success",
    "successful": "success",
    "ok": "success",
    "passed": "success",
    "done": "success",
    "deployed": "success",
    "true": "success",
    "warning": "warning",
    "partial": "warning",
    "failed": "failed",
    "failure": "failed",
    "fail": "failed",
    "error": "failed",
    "timeout": "failed",
    "timed_out": "failed",
    "false": "failed",
    "rolled_back": "rolled_back",
    "rolledback": "rolled_back",
    "rollback": "rolled_back",
    "reverted": "rolled_back",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "aborted": "cancelled",
    "skipped": "cancelled",
    "inactive": "inactive",
    "superseded": "inactive",
}
ON_ITS_WAY: Final = frozenset({"queued", "blocked", "running"})
MAX_FILES: Final = 50
_NAMES: Final = frozenset(name for names in ALIASES.values() for name in names)


class DeployLogOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: deploy-log``."""

    path: Annotated[str, option("the file, or a pattern such as /var/log/deploys/*.jsonl", path=True)]
    default_state: Annotated[ReleaseState | None, option("what a line without a state means; else it is unknown")] = (
        None
    )
    states: Annotated[dict[str, ReleaseState], option("what this log's own words for states mean")] = msgspec.field(
        default_factory=dict
    )
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000), option("how many of the newest releases to keep")] = 500

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("`path` is empty; name the log file")


class DeployLog(Source[DeployLogOptions]):
    """Releases from files of JSON lines."""

    type = "deploy-log"
    kinds = frozenset({"release"})
    Options = DeployLogOptions
    summary = "Releases from a log file with one JSON object a line"
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
        - Rotated, truncated and gzipped files are followed; lines that cannot be read are counted and shown.
    """
    verified = "real"

    def __init__(self, options: DeployLogOptions, context: Context) -> None:
        super().__init__(options, context)
        self._logs: dict[str, _Log] = {}
        self._reading: dict[str, asyncio.Task[list[Line]]] = {}
        self._states = {**STATES, **{word.lower(): state for word, state in options.states.items()}}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        paths = await asyncio.to_thread(_matching, self.options.path)
        self._logs = {str(path): self._logs.get(str(path)) or _Log(path) for path in paths}
        return [Scope(name=str(path), kind="release", reach="window") for path in paths]

    async def read(self, scope: Scope, http: Http) -> Part:
        log = self._logs[scope.name]
        for line in await self._lines(scope.name, log.tail):
            self._add(log, line)
        log.trim(self.options.limit)
        if log.bad and not log.releases:
            raise BadAnswer(f"{scope.name}: none of {log.bad} lines tells of a deploy; {log.last_bad}")
        return scope.part(log.releases.values(), notes=log.notes())

    async def _lines(self, name: str, tail: Tail) -> list[Line]:
        """The new lines, read in a thread.

        One that our time limit gave up still moves the tail on, so its lines are awaited by the next poll; and a file
        system that hangs holds up one thread, not one a poll.
        """
        task = self._reading.get(name)
        if task is None:
            task = self._reading[name] = asyncio.create_task(asyncio.to_thread(tail.read, self.options.limit))
        try:
            return await asyncio.shield(task)
        finally:
            if task.done():
                del self._reading[name]

    def _add(self, log: _Log, line: Line) -> None:
        if line.data is None:
            log.complain(line, "too long")
            return
        try:
            row = msgspec.json.decode(line.data.decode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError):
            log.complain(line, "not JSON")
            return
        if not isinstance(row, dict):
            log.complain(line, "not an object")
            return
        row = {name.lower(): value for name, value in row.items()}
        entry = {field: _first(row, names) for field, names in ALIASES.items()}
        if not (entry["service"] or entry["version"]):
            log.complain(line, "names neither a service nor a version")
            return
        self._merge(log, entry, _labels(row))

    def _merge(self, log: _Log, entry: dict[str, str], labels: dict[str, str]) -> None:
        state = self._states.get(entry["state"].lower(), "unknown")
        if not entry["state"]:
            state = self.options.default_state or "unknown"
        time, rough = parse_time_exact(entry["time"])
        started, started_rough = parse_time_exact(entry["started"])
        ended, ended_rough = parse_time_exact(entry["ended"])
        what = (entry["service"], entry["version"], entry["environment"], entry["target"])
        key = self.key("release", log.identity(entry, what))
        old = log.releases.pop(key, None)
        log.newest[what] = key
        title = " ".join(filter(None, (entry["service"], entry["version"])))
        log.releases[key] = Release(
            key=key,
            source=self.name,
            title=f"{title} to {entry['environment']}" if entry["environment"] else title,
            description=entry["description"],
            reason=entry["reason"],
            state=state,
            raw_state=entry["state"],
            services=(entry["service"],) if entry["service"] else (),
            environment=entry["environment"],
            target=entry["target"],
            version=entry["version"],
            revision=entry["revision"] or (old.revision if old else ""),
            previous_version=entry["previous"] or (old.previous_version if old else ""),
            repository=entry["repository"] or (old.repository if old else ""),
            url=entry["url"] or (old.url if old else ""),
            actor=entry["actor"] or (old.actor if old else ""),
            labels={**(old.labels if old else {}), **labels},
            started_at=started or (old.started_at if old else None) or time,
            updated_at=time,
            ended_at=ended if state in ON_ITS_WAY or state == "unknown" else ended or time,
            approximate=rough or started_rough or ended_rough or bool(old and old.approximate),
        )


class _Log:
    """One file: how far it is read, its newest releases in the order of their last lines, and what was wrong."""

    def __init__(self, path: Path) -> None:
        self.tail = Tail(path)
        self.releases: dict[str, Release] = {}
        self.newest: dict[tuple[str, ...], str] = {}
        self.bad = 0
        self.last_bad = ""

    def identity(self, entry: Mapping[str, str], what: tuple[str, ...]) -> str:
        """The remote id of the release that a line is about."""
        if entry["id"]:
            return remote_id(entry["id"])
        newest = self.releases.get(self.newest.get(what, ""))
        if not entry["started"] and newest is not None and newest.state in ON_ITS_WAY:
            return newest.key.split(":", 2)[2]
        text = "\0".join((*what, entry["started"] or entry["time"]))
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()

    def trim(self, limit: int) -> None:
        """Keep the newest ``limit`` releases."""
        while len(self.releases) > limit:
            del self.releases[next(iter(self.releases))]
        if len(self.newest) > 2 * limit:
            self.newest = {what: key for what, key in self.newest.items() if key in self.releases}

    def complain(self, line: Line, why: str) -> None:
        self.bad += 1
        where = f"line {line.number} of {line.file}" if line.number else line.file
        self.last_bad = f"the last is {where}: {why}"

    def notes(self) -> list[str]:
        notes = []
        if self.bad:
            notes.append(f"{self.bad} bad line{'s' if self.bad > 1 else ''} skipped, {self.last_bad}")
        if self.tail.skipped:
            notes.append(f"{self.tail.path.name}: only its end is read, {self.tail.skipped >> 20} MB were left out")
        return notes


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


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these fields that has a value, as text."""
    return next((text for name in names if (text := _text(row.get(name)))), "")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _labels(row: Mapping[str, Any]) -> dict[str, str]:
    """What else the line says, for the rules that find owners."""
    return {name: text for name, value in row.items() if name not in _NAMES and (text := _text(value))}
