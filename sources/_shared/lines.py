"""Lines of our own schema: a JSON object that tells of a release, build, incident or ticket.

Scripts write them into a deploy log, ``statusboard emit`` does, and commands print them.  There is no standard, so many
names are understood for each field (see `ALIASES`), in upper or lower case; ``kind`` says what a line tells of, and a
line without one tells of a release.

Which lines are of one thing: those with the same ``id``, which must be unique; without an id those that agree in what
`SAME` names and name the same start; without a start a line goes on with the newest such thing while that is not over,
and begins a new one otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, get_args

import msgspec

from sources._shared.rows import remote_id
from statusboard.api import (
    BadAnswer,
    Build,
    Incident,
    Item,
    ItemKind,
    Release,
    Severity,
    Source,
    Ticket,
    parse_time_exact,
)

#: Our field: the names it goes by, the first that has a value counts.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "deploy_id", "deployment_id"),
    "time": ("ts", "time", "timestamp", "@timestamp", "date"),
    "service": ("service", "app", "project"),
    "title": ("title", "summary", "name"),
    "version": ("version", "release", "tag", "sha"),
    "environment": ("environment", "env"),
    "target": ("target", "region", "cluster"),
    "state": ("status", "result", "outcome", "state"),
    "started": ("started_at", "started"),
    "ended": ("ended_at", "finished_at", "ended", "finished"),
    "actor": ("author", "user", "actor"),
    "revision": ("revision", "commit", "sha"),
    "previous": ("previous_version", "previous", "from"),
    "committed": ("committed_at", "committed", "commit_time"),
    "setting": ("setting",),
    "repository": ("repository", "repo"),
    "url": ("url", "link"),
    "description": ("description", "message", "msg"),
    "reason": ("reason", "error"),
    "pipeline": ("pipeline", "workflow", "job"),
    "number": ("run_number", "number", "build_number"),
    "branch": ("branch", "ref"),
    "default_branch": ("default_branch",),
    "change": ("change", "pull_request", "merge_request"),
    "severity": ("severity", "level"),
    "assignee": ("assignee", "owner"),
    "priority": ("priority",),
    "ticket": ("ticket_id", "ticket"),
}
_COMMON: Final = ("id", "time", "service", "environment", "target", "state", "started", "ended", "actor", "repository",
                  "url", "description", "reason")  # fmt: skip
#: What a line of each kind may tell; everything else in it is a label.
FIELDS: Mapping[ItemKind, tuple[str, ...]] = {
    "release": (*_COMMON, "version", "revision", "previous", "committed", "setting"),
    "build": (*_COMMON, "title", "pipeline", "number", "branch", "default_branch", "change", "revision"),
    "incident": (*_COMMON, "title", "severity", "assignee"),
    "ticket": (*_COMMON, "title", "ticket", "priority", "assignee"),
}
#: What two lines without an id must agree in to be of one thing.
SAME: Mapping[ItemKind, tuple[str, ...]] = {
    "release": ("service", "version", "environment", "target"),
    "build": ("repository", "service", "pipeline", "branch", "number", "revision"),
    "incident": ("title", "service", "environment", "target"),
    "ticket": ("ticket", "title", "service"),
}
#: One of these a line must have, or it says nothing.
NEEDED: Mapping[ItemKind, tuple[str, ...]] = {
    "release": ("service", "version", "setting"),
    "build": ("pipeline", "title"),
    "incident": ("title", "service"),
    "ticket": ("ticket", "title"),
}
_RUNS: Mapping[str, str] = {
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
    "success": "success",
    "succeeded": "success",
    "successful": "success",
    "ok": "success",
    "passed": "success",
    "done": "success",
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
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "aborted": "cancelled",
}
#: What scripts write; a word that is not here is unknown.
STATES: Mapping[ItemKind, Mapping[str, str]] = {
    "release": {
        **_RUNS,
        "deploying": "running",
        "deployed": "success",
        "rolled_back": "rolled_back",
        "rolledback": "rolled_back",
        "rollback": "rolled_back",
        "reverted": "rolled_back",
        "skipped": "cancelled",
        "inactive": "inactive",
        "superseded": "inactive",
    },
    "build": {**_RUNS, "skipped": "skipped", "unstable": "warning"},
    "incident": {
        "open": "open",
        "firing": "open",
        "active": "open",
        "triggered": "open",
        "problem": "open",
        "pending": "pending",
        "acknowledged": "acknowledged",
        "acked": "acknowledged",
        "suppressed": "suppressed",
        "silenced": "suppressed",
        "muted": "suppressed",
        "resolved": "resolved",
        "closed": "resolved",
        "recovered": "resolved",
        "ok": "resolved",
    },
    "ticket": {
        "open": "open",
        "new": "open",
        "todo": "open",
        "in_progress": "in_progress",
        "in-progress": "in_progress",
        "doing": "in_progress",
        "done": "done",
        "closed": "done",
        "resolved": "done",
        "fixed": "done",
        "cancelled": "cancelled",
        "canceled": "cancelled",
        "rejected": "cancelled",
    },
}
#: What a later line without an id goes on with.
ON_ITS_WAY: Mapping[ItemKind, frozenset[str]] = {
    "release": frozenset({"queued", "blocked", "running"}),
    "build": frozenset({"queued", "blocked", "running"}),
    "incident": frozenset({"pending", "open", "acknowledged", "suppressed"}),
    "ticket": frozenset({"open", "in_progress"}),
}
KINDS: Final = cast(tuple[ItemKind, ...], tuple(FIELDS))
_SEVERITIES: Final = frozenset(get_args(Severity))


class Entry(msgspec.Struct, frozen=True):
    """One line: what it tells of, and its fields as text (``""`` for what it does not say)."""

    kind: ItemKind
    fields: Mapping[str, str]
    labels: Mapping[str, str]

    def same(self) -> tuple[str, ...]:
        """What tells this thing from others, where there is no id."""
        told = (self.kind, *(self.fields[name] for name in SAME[self.kind]))
        setting = self.fields.get("setting")  # the ids of releases are older than it
        return (*told, setting) if setting else told


def entry_of(data: bytes) -> Entry:
    """Read a line.  `BadAnswer` says what is wrong with it."""
    try:
        row = msgspec.json.decode(data.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        raise BadAnswer("not JSON") from None
    if not isinstance(row, dict):
        raise BadAnswer("not an object")
    row = {name.lower(): value for name, value in row.items()}
    said = _text(row.get("kind")).lower()
    # Another word there is a label, as in logs that are older than our kinds.
    kind = cast(ItemKind, said) if said in FIELDS else "release"
    fields = {field: _first(row, ALIASES[field]) for field in FIELDS[kind]}
    if not any(fields[name] for name in NEEDED[kind]) and (kind == "release" or not fields["id"]):
        raise BadAnswer(f"names neither a {NEEDED[kind][0]} nor a {NEEDED[kind][1]}")
    known = {name for field in FIELDS[kind] for name in ALIASES[field]} | ({"kind"} if said in FIELDS else set())
    labels = {name: text for name, value in row.items() if name not in known and (text := _text(value))}
    return Entry(kind, fields, labels)


class Lines:
    """What lines have told so far: the newest things of each kind, in the order of their last lines.

    ``states`` adds words (in lower case) to those that releases have in `STATES`; ``default_state`` is what a release's
    line without one means.  ``present``: the lines tell how things are now and not what happened when, so that the time
    of an incident or ticket does not tell it from others.  ``zoneless`` counts lines with a time that names no zone.
    """

    def __init__(
        self,
        source: Source[Any],
        *,
        limit: int,
        states: Mapping[str, str] | None = None,
        default_state: str = "unknown",
        present: bool = False,
    ) -> None:
        self.items: dict[ItemKind, dict[str, Item]] = {kind: {} for kind in KINDS}
        self.zoneless = 0
        self._source = source
        self._limit = limit
        self._states = {**STATES, "release": {**STATES["release"], **(states or {})}}
        self._default = default_state
        self._timeless: frozenset[ItemKind] = frozenset({"incident", "ticket"}) if present else frozenset()
        self._newest: dict[tuple[str, ...], str] = {}

    def __bool__(self) -> bool:
        return any(self.items.values())

    def add(self, entry: Entry) -> None:
        """Take a line in: it begins a thing, or says more of one."""
        items = self.items[entry.kind]
        same = entry.same()
        key = self._source.key(entry.kind, self._identity(entry, same))
        old = items.pop(key, None)
        self._newest[same] = key
        items[key] = self._item(entry, key, old)

    def trim(self) -> None:
        """Keep the newest ``limit`` of each kind."""
        for items in self.items.values():
            while len(items) > self._limit:
                del items[next(iter(items))]
        if len(self._newest) > 2 * self._limit * len(KINDS):
            keys = {key for items in self.items.values() for key in items}
            self._newest = {same: key for same, key in self._newest.items() if key in keys}

    def _identity(self, entry: Entry, same: tuple[str, ...]) -> str:
        """The remote id of the thing that a line is about."""
        fields = entry.fields
        if fields["id"]:
            return remote_id(fields["id"])
        newest = self.items[entry.kind].get(self._newest.get(same, ""))
        if not fields["started"] and newest is not None and newest.state in ON_ITS_WAY[entry.kind]:
            return newest.key.split(":", 2)[2]
        # A release's id is older than our kinds.
        told = same[1:] if entry.kind == "release" else same
        time = "" if entry.kind in self._timeless else fields["time"]
        text = "\0".join((*told, fields["started"] or time))
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()

    def _item(self, entry: Entry, key: str, old: Item | None) -> Item:
        fields = entry.fields
        word = fields["state"]
        state = self._states[entry.kind].get(word.lower(), "unknown")
        if not word and entry.kind == "release":
            state = "success" if fields["setting"] else self._default
        time, rough = parse_time_exact(fields["time"])
        started, started_rough = parse_time_exact(fields["started"])
        ended, ended_rough = parse_time_exact(fields["ended"])
        self.zoneless += rough or started_rough or ended_rough or parse_time_exact(fields.get("committed"))[1]
        going = state in ON_ITS_WAY[entry.kind] or state == "unknown"
        began = old.started_at if old and not (going and _is_over(old)) else None
        common: dict[str, Any] = {
            "key": key,
            "source": self._source.name,
            "title": _title(entry.kind, fields, old) or fields["id"],
            "description": fields["description"],
            "reason": fields["reason"],
            "state": state,
            "raw_state": word,
            "services": (fields["service"],) if fields["service"] else old.services if old else (),
            "environment": fields["environment"] or (old.environment if old else ""),
            "target": fields["target"] or (old.target if old else ""),
            "repository": fields["repository"] or (old.repository if old else ""),
            "url": fields["url"] or (old.url if old else ""),
            "actor": fields["actor"] or (old.actor if old else ""),
            "labels": {**(old.labels if old else {}), **entry.labels},
            "started_at": started or began or time,
            "updated_at": time,
            "ended_at": ended if going else ended or time,
            "approximate": rough or started_rough or ended_rough or bool(old and old.approximate),
        }
        return _MAKERS[entry.kind](fields, common, old)


def _is_over(item: Item) -> bool:
    """Whether this is an incident or ticket that was over: open again, it is a new episode."""
    return isinstance(item, Incident | Ticket) and item.state in ("resolved", "done", "cancelled")


def _title(kind: ItemKind, fields: Mapping[str, str], old: Item | None) -> str:
    if isinstance(old, Release):
        service = fields["service"] or old.service
        version, environment = fields["version"] or old.version, fields["environment"] or old.environment
    elif kind == "release":
        service, version, environment = fields["service"], fields["version"], fields["environment"]
    elif fields["title"] or old is not None:
        return fields["title"] or (old.title if old else "")
    else:
        return fields.get("pipeline", "") or fields["service"] or fields.get("ticket", "")
    if setting := fields["setting"] or (old.setting if isinstance(old, Release) else ""):
        title = " ".join(filter(None, (service, setting)))
        return f"{title} = {version}" if version else title
    title = " ".join(filter(None, (service, version)))
    return f"{title} to {environment}" if environment else title


def _release(fields: Mapping[str, str], common: dict[str, Any], old: Item | None) -> Item:
    before = old if isinstance(old, Release) else None
    setting = fields["setting"] or (before.setting if before else "")
    return Release(
        **common,
        type="configuration" if setting else "deployment",
        setting=setting,
        version=fields["version"] or (before.version if before else ""),
        revision=fields["revision"] or (before.revision if before else ""),
        previous_version=fields["previous"] or (before.previous_version if before else ""),
        committed_at=parse_time_exact(fields["committed"])[0] or (before.committed_at if before else None),
    )


def _build(fields: Mapping[str, str], common: dict[str, Any], old: Item | None) -> Item:
    before = old if isinstance(old, Build) else None
    number = int(fields["number"]) if fields["number"].isdecimal() and len(fields["number"]) < 16 else None
    return Build(
        **common,
        pipeline=fields["pipeline"] or (before.pipeline if before else "") or fields["title"],
        run_number=before.run_number if before and number is None else number,
        branch=_branch(fields["branch"]) or (before.branch if before else ""),
        default_branch=_branch(fields["default_branch"]) or (before.default_branch if before else ""),
        change=fields["change"] or (before.change if before else ""),
        revision=fields["revision"] or (before.revision if before else ""),
    )


def _branch(name: str) -> str:
    """The branch's own name: CI servers write it in full as well (Jenkins' GIT_BRANCH is ``origin/main``)."""
    return name.removeprefix("refs/heads/").removeprefix("refs/remotes/").removeprefix("origin/")


def _incident(fields: Mapping[str, str], common: dict[str, Any], old: Item | None) -> Item:
    before = old if isinstance(old, Incident) else None
    word = fields["severity"]
    severity = cast(Severity, word.lower()) if word.lower() in _SEVERITIES else "unknown"
    if word and severity == "unknown":
        common["labels"].setdefault("severity", word)  # which the catalog may know
    if not word and before is not None:
        severity = before.severity
    return Incident(**common, severity=severity, assignee=fields["assignee"] or (before.assignee if before else ""))


def _ticket(fields: Mapping[str, str], common: dict[str, Any], old: Item | None) -> Item:
    before = old if isinstance(old, Ticket) else None
    return Ticket(
        **common,
        ticket_id=fields["ticket"] or (before.ticket_id if before else ""),
        priority=fields["priority"] or (before.priority if before else ""),
        assignee=fields["assignee"] or (before.assignee if before else ""),
    )


_MAKERS: Final = {"release": _release, "build": _build, "incident": _incident, "ticket": _ticket}


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these fields that has a value, as text."""
    return next((text for name in names if (text := _text(row.get(name)))), "")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""
