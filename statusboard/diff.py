"""What one part's answer changes: a pure comparison of what was read with what was last known.

Only transitions come out.  An answer that says nothing new costs one encoding and one look-up an item.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from statusboard.current import VERDICTS, verdict_of
from statusboard.model import (
    STATES,
    UNFINISHED,
    Annotation,
    Build,
    Draft,
    Fact,
    Incident,
    Item,
    Kind,
    Origin,
    Part,
    Release,
    SourceHealth,
    Ticket,
    decode,
    encode,
)

REOPENED = "no longer suppressed"


class Known(Struct, gc=False):
    """What is remembered of the last stored fact of one key.  The fact itself is left in the store: hardly one of ten
    thousand changes at a poll.

    ``fingerprint`` is the hash of what the source last said, before resolving.
    """

    key: str
    kind: Kind
    source: str
    part: str
    seq: int
    unfinished: bool
    fingerprint: int = 0


def fingerprint_of(item: Item) -> int:
    """A hash of what a source says of an item, good within this process."""
    try:
        return hash(encode(item))
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError):  # lone surrogates, or what cannot be stored
        return hash(repr(item))


def compare(
    part: Part,
    items: Iterable[Item],
    known: Mapping[str, Known],
    prepare: Callable[[Item], Item],
    *,
    stored: Mapping[str, bytes],
    mark: int,
    origin: Origin = "poll",
) -> tuple[list[Draft], dict[str, int]]:
    """The drafts for items that differ from what is known, and the new fingerprints.

    ``prepare`` cleans and resolves an item (service, team, environment); it runs only for items whose source now
    says something else than at its last poll.  ``stored`` are the bodies of the known ones.  ``mark`` is the store's
    ``seq`` when the poll began: what changed since then is newer than this answer and is not reverted.
    """
    drafts: list[Draft] = []
    fingerprints: dict[str, int] = {}
    scope = part.scope
    for item in items:
        fingerprint = fingerprint_of(item)
        before = known.get(item.key)
        if before is not None:
            if before.fingerprint == fingerprint:
                continue
            if before.seq > mark:
                continue
        body_before = stored.get(item.key)
        old = decode(body_before) if body_before is not None else None
        after = carry(old, prepare(item))
        fingerprints[item.key] = fingerprint
        body = encode(after)
        if body == body_before:
            continue
        drafts.append(draft(old, after, part=before.part if before is not None else scope, origin=origin, body=body))
    return drafts, fingerprints


def absent(part: Part, known: Iterable[Known], present: Collection[str], *, mark: int) -> tuple[list[str], list[str]]:
    """Which of the ``known`` items of this part, not being in its answer, are gone, and which are to be read again."""
    gone: list[str] = []
    orphans: list[str] = []
    if part.error is not None or part.unchanged or part.reach == "delta":
        return gone, orphans
    for row in known:
        if row.key in present or row.kind != part.kind or row.seq > mark:
            continue
        if part.retire_only is not None and row.key not in part.retire_only:
            continue
        if part.reach == "window":
            if row.unfinished:
                orphans.append(row.key)
        elif row.unfinished or row.kind != "incident":  # an incident that is over stays for a while
            gone.append(row.key)
    return gone, orphans


def vanish(fact: Fact, at: datetime) -> Draft | None:
    """The draft for an item that is no longer there; ``None`` where that is nothing new (a resolved incident)."""
    if isinstance(fact, Incident):
        if fact.state == "resolved":
            return None
        return draft(fact, msgspec.structs.replace(fact, state="resolved", ended_at=at, approximate=True))
    return removal(fact, "withdrawn")


def lose_sight(fact: Item) -> Draft | None:
    """The draft for an unfinished item that can no longer be read: its state is unknown from now on."""
    if fact.state == "unknown":
        return None
    return draft(fact, msgspec.structs.replace(fact, state="unknown"))


def carry(old: Fact | None, new: Item) -> Item:
    """The new item with what outlives a poll: the verdict behind a re-run, the mark of a lapsed silence, and what a
    release brought, which its source may have forgotten by a restart."""
    if isinstance(new, Release) and isinstance(old, Release) and _same_commits(old, new):
        commits = old.commits if new.commits is None else new.commits
        new = msgspec.structs.replace(new, committed_at=old.committed_at, commits=commits)
    if isinstance(new, Build | Release):
        if new.state in VERDICTS or new.verdict:
            return new
        if isinstance(old, Build) and isinstance(new, Build):
            return msgspec.structs.replace(new, verdict=verdict_of(old))
        if isinstance(old, Release) and isinstance(new, Release):
            return msgspec.structs.replace(new, verdict=verdict_of(old))
    elif isinstance(new, Incident) and isinstance(old, Incident) and new.state == "open" and not new.reason:
        same_episode = old.started_at == new.started_at
        if same_episode and (old.state == "suppressed" or (old.state == "open" and old.reason == REOPENED)):
            return msgspec.structs.replace(new, reason=REOPENED)
    return new


def _same_commits(old: Release, new: Release) -> bool:
    """Whether only the old one knows when its commits were made, and both are of the same ones."""
    known = old.committed_at is not None and new.committed_at is None
    return known and (old.version, old.revision) == (new.version, new.revision)


def stages(item: Item) -> list[tuple[datetime | None, Item]]:
    """The transitions that one item of a vendor's history tells of, oldest first, each with when it happened.

    An incident was opened, acknowledged and resolved, a ticket made and closed; of builds and releases the end is what
    counts.  What was known at each of them only as far as the item tells: at first nobody knew who would resolve it.
    """
    end = time_of(item)
    found: list[tuple[datetime | None, Item]] = []
    if isinstance(item, Incident) and item.started_at is not None:
        opened = msgspec.structs.replace(
            item,
            state="open",
            raw_state="",
            reason="",
            actor="",
            assignee="",
            suppressed_by="",
            suppressed_until=None,
            acknowledged_at=None,
            acknowledged_by="",
            updated_at=item.started_at,
            ended_at=None,
            approximate=False,
        )
        found.append((item.started_at, opened))
        if item.acknowledged_at is not None:
            acknowledged = msgspec.structs.replace(
                opened,
                state="acknowledged",
                updated_at=item.acknowledged_at,
                acknowledged_at=item.acknowledged_at,
                acknowledged_by=item.acknowledged_by,
            )
            found.append((item.acknowledged_at, acknowledged))
    elif isinstance(item, Ticket) and item.started_at is not None:
        made = msgspec.structs.replace(
            item, state="open", raw_state="", reason="", assignee="", updated_at=item.started_at, ended_at=None
        )
        found.append((item.started_at, made))
    return [*found, (end, item)]


def untold(item: Item, known: list[tuple[Origin, Fact]], scope: str) -> list[Draft]:
    """The drafts for what an item of the past tells and nobody has told yet.

    ``known`` is what is stored of its key, the newest first; what is told now is added to it.  What was seen as it
    happened stays as it was seen; of what nobody saw, the newest telling counts.
    """
    drafts: list[Draft] = []
    before: Item | None = None
    for time, stage in stages(item):
        same = [(origin, fact) for origin, fact in known if _one_transition(fact, stage)]
        seen = any(origin != "backfill" for origin, _ in same)
        if isinstance(stage, Build | Release):
            # What a list says of its end may be less exact than what was seen of it.
            seen = any(origin != "backfill" and _ended_alike(fact, stage) for origin, fact in known)
        if not seen and not (same and says_the_same(same[0][1], stage)):
            told = draft(before, stage, part=scope, origin="backfill")
            drafts.append(msgspec.structs.replace(told, time=time))
            known.insert(0, ("backfill", stage))
        before = stage
    return drafts


def _ended_alike(fact: Fact, stage: Item) -> bool:
    """Whether both are ends of one attempt, whatever they say of how it went."""
    if type(fact) is not type(stage) or fact.state in UNFINISHED[fact.kind]:
        return False
    return not isinstance(fact, Build) or (isinstance(stage, Build) and fact.attempt == stage.attempt)


def _one_transition(fact: Fact, stage: Item) -> bool:
    """Whether both came to one state in one episode: an incident's beginning, a build's attempt tell them apart."""
    if type(fact) is not type(stage) or fact.state != stage.state:
        return False
    if isinstance(fact, Incident):
        return fact.started_at == stage.started_at
    return not isinstance(fact, Build) or (isinstance(stage, Build) and fact.attempt == stage.attempt)


_ESSENCE = (
    "state", "verdict", "services", "team", "environment", "target", "repository", "severity", "type", "version",
    "revision", "branch", "pipeline", "change", "fork", "attempt", "started_at", "ended_at", "acknowledged_at",
    "committed_at",
)  # fmt: skip


def says_the_same(one: Fact, two: Fact) -> bool:
    """Whether two tellings of one transition agree in all that is counted or filed by.

    A text that was mended since, or a count that has grown, makes no other history; nor does ``two`` where it only
    does not know when the commits were made.
    """
    if isinstance(one, Release) and isinstance(two, Release) and two.committed_at is None:
        two = msgspec.structs.replace(two, committed_at=one.committed_at)
    return all(getattr(one, name, None) == getattr(two, name, None) for name in _ESSENCE)


def sane(item: object, source: str, part: Part) -> str:
    """Why this thing may not come in from this source and part; ``""`` for an item that may."""
    if not isinstance(item, Build | Incident | Release | Ticket):
        return f"an item is a {type(item).__name__}"
    if item.kind != part.kind:
        return f"a {item.kind} came in a part of {part.kind}s"
    if item.source != source or not item.key.startswith(f"{source}:{item.kind}:"):
        return f"the key {item.key[:60]!r} is not of this source and kind"
    if item.state not in STATES[item.kind]:
        return f"the state {item.state[:20]!r} is none of a {item.kind}'s"
    return ""


def draft(
    before: Fact | None, after: Fact, *, part: str = "", origin: Origin = "poll", body: bytes | None = None
) -> Draft:
    """The change from ``before`` to ``after``."""
    return Draft(
        key=after.key,
        kind=after.kind,
        source=after.source,
        part=part,
        type=change_type(before, after),
        time=time_of(after),
        origin=origin,
        body=encode(after) if body is None else body,
    )


def removal(fact: Fact, why: str) -> Draft:
    """The change that takes a fact off the board: ``withdrawn`` (config, filter, permission) or ``expired`` (kept
    long enough).  Neither is a recovery."""
    return Draft(key=fact.key, kind=fact.kind, source=fact.source, type=f"{fact.kind}.{why}", origin="poll", body=None)


def resettled(known: Known, part: str, body: bytes) -> Draft:
    """The change by which a row belongs to another part, and is otherwise as it was."""
    what = f"{known.kind}.updated"
    return Draft(key=known.key, kind=known.kind, source=known.source, part=part, type=what, origin="poll", body=body)


def time_of(fact: Fact) -> datetime | None:
    """When the fact's newest transition happened, as far as the vendor says."""
    if isinstance(fact, Annotation | SourceHealth):
        return fact.updated_at or fact.started_at
    if fact.state not in UNFINISHED[fact.kind]:
        return fact.ended_at or fact.updated_at or fact.started_at
    return fact.started_at or fact.updated_at


_BUILD = {"queued": "pipelinerun.queued", "running": "pipelinerun.started", "blocked": "pipelinerun.started"}
_RELEASE = {"success": "service.deployed", "warning": "service.deployed", "rolled_back": "service.rolledback"}


def change_type(before: Fact | None, after: Fact) -> str:
    """The change's name: CDEvents' where one exists (``pipelinerun.finished``), else ``<kind>.<what>``."""
    same = before is not None and type(before) is type(after) and before.state == after.state
    match after:
        case Build():
            if same and isinstance(before, Build) and before.attempt == after.attempt:
                return "build.updated"
            if after.state == "unknown":
                return "build.unknown"
            return _BUILD.get(after.state, "pipelinerun.finished")
        case Release():
            if same:
                return "release.updated"
            if after.type == "publication":
                return "service.published"
            if after.type == "configuration":
                return "release.configured" if after.state in ("success", "warning") else f"release.{after.state}"
            return _RELEASE.get(after.state, f"release.{after.state}")
        case Incident():
            if after.state == "resolved":
                return "incident.updated" if same else "incident.resolved"
            if not isinstance(before, Incident) or before.state == "resolved":
                return "incident.detected"
            return "incident.reported" if before.started_at == after.started_at else "incident.detected"
        case Ticket():
            if after.state in ("done", "cancelled"):
                return "ticket.updated" if same else "ticket.closed"
            return "ticket.created" if before is None else "ticket.updated"
        case _:
            return f"{after.kind}.{after.state}"
