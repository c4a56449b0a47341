"""What changed, in words: stored changes become entries of one feed.  Pure.

An entry is one transition that somebody may care about: a state, a severity, an attempt, who took it on, what a person
said.  What only says the same in other words (labels, a title, a source's growing age) is left out, and so is what
merely leaves the board because it is over.

**When.**  An entry stands at the moment at which it happened as far as the vendor says, never before the change that
came before it and never after we saw it.  What we saw much later than that is marked: *learned later*.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import DecodeError, Struct

from statusboard.clock import Duration
from statusboard.current import VERDICTS, is_failing, is_unknown, line_of, verdict_of
from statusboard.model import (
    Annotation,
    Build,
    Change,
    Fact,
    Incident,
    Item,
    Kind,
    Release,
    SourceHealth,
    Ticket,
    decode,
)

Event: TypeAlias = Literal["opened", "closed", "failed", "mended", "released", "lost", "found", "said", "moved"]
"""What an entry counts as: an incident or ticket opened or closed, a build that broke or is whole again, a release
that failed or came out, a source that is no longer read or is again, what a person said, and everything else."""

LATE = timedelta(hours=1)
"""What was seen so long after it happened was learned later."""


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """One transition.  ``key`` is the item's: of what a person said, that of what it was said of.

    ``words`` tell what happened, ``about`` to what or why; ``state`` is the state after it, of a removal the last.
    ``fault``: from then on something was failing or could not be read.  Texts are as clean as the facts are.
    """

    seq: int
    at: datetime
    seen_at: datetime
    kind: Kind
    key: str
    source: str
    event: Event
    state: str
    words: str
    about: str = ""
    service: str = ""
    environment: str = ""
    by: str = ""
    severity: str = ""
    fault: bool = False
    late: bool = False
    gone: bool = False


class Around:
    """What else an entry needs to know.  This one knows nothing; a board knows more."""

    def fact(self, key: str) -> Fact | None:
        """What is on the board under this key."""
        return None

    def earlier(self, fact: Item) -> str:
        """The verdict of what stood in the slot of this build before it, ``""`` where that is not known."""
        return ""


NOTHING_KNOWN = Around()


Shows: TypeAlias = Callable[[Fact], bool]
"""Whether a filter lets an item pass."""


class _Told(Struct, frozen=True):
    """What `entry_of` is told about one kind: the words, what it counts as, and when it happened."""

    event: Event
    words: str
    moment: datetime | None = None
    about: str = ""


def entry_of(
    change: Change, previous: Change | None, around: Around = NOTHING_KNOWN, shows: Shows | None = None
) -> Entry | None:
    """The entry of a change, given the one of the same key before it; None where nothing changed that matters.

    ``shows`` is asked about the item as it was after the change, of a removal as it was before, and of what a person
    said about the item that it was said of.
    """
    after, before = _decoded(change), _decoded(previous)
    if after is None and change.body is not None:
        return None
    if change.prev_seq is not None and previous is None and change.type.endswith(".updated"):
        return None  # what it replaced is no longer kept; its state was the same
    fact = after or before
    if fact is None or (after is not None and before is not None and type(after) is not type(before)):
        return None
    told = _left(change, fact) if after is None else _told(before, after, around)
    if told is None:
        return None
    subject = around.fact(fact.target) if isinstance(fact, Annotation) else fact
    if shows is not None and (subject is None or not shows(subject)):
        return None
    seen = change.observed_at
    floor = previous.observed_at if previous is not None and change.origin != "backfill" else None
    at = _within(told.moment, floor, seen)
    service, environment, by = _where(subject)
    return Entry(
        seq=change.seq,
        at=at,
        seen_at=seen,
        kind=fact.kind,
        key=fact.target if isinstance(fact, Annotation) else fact.key,
        source=fact.source,
        event=told.event,
        state=fact.state,
        words=told.words,
        about=told.about or _about(fact, subject),
        service=service,
        environment=environment,
        by=fact.author if isinstance(fact, Annotation) else by,
        severity=fact.severity if isinstance(fact, Incident) else "",
        fault=after is not None and _is_fault(after),
        late=change.origin == "backfill" or seen - at > LATE,
        gone=after is None,
    )


def _decoded(change: Change | None) -> Fact | None:
    """The fact of a change; None where there is none that this version can read (histories outlive versions)."""
    if change is None or change.body is None:
        return None
    try:
        return decode(change.body)
    except DecodeError:
        return None


def _within(moment: datetime | None, floor: datetime | None, seen: datetime) -> datetime:
    """When it happened; what cannot be true (before what came before it, or ahead of us) counts as when we saw it."""
    if moment is None or moment > seen or (floor is not None and moment < floor):
        return seen
    return moment


def _is_fault(fact: Fact) -> bool:
    if isinstance(fact, SourceHealth):
        return fact.state in ("partial", "stale", "down")
    return is_failing(fact) or is_unknown(fact)


def _where(fact: Fact | None) -> tuple[str, str, str]:
    """Service, environment, and who did it."""
    if not isinstance(fact, Build | Incident | Release | Ticket):
        return "", "", ""
    by = fact.assignee if isinstance(fact, Incident | Ticket) else fact.actor
    return fact.service or fact.repository or fact.team, fact.environment, by


def _about(fact: Fact, subject: Fact | None) -> str:
    """What it happened to."""
    match fact:
        case Annotation():
            title = subject.title if subject is not None else fact.target
            return f"{fact.text} ({title})" if fact.text else title
        case SourceHealth():
            told = fact.error or next((f"{error.part}: {error.error}" for error in fact.errors), "")
            return told if fact.state != "fresh" else ""
        case Build():
            title = fact.title or fact.description
            return ": ".join(filter(None, (fact.pipeline, title if title != fact.pipeline else "")))
        case _:
            return fact.title or fact.description or fact.reason


def _told(before: Fact | None, after: Fact, around: Around) -> _Told | None:
    match after:
        case Build():
            return _build(before if isinstance(before, Build) else None, after, around)
        case Incident():
            return _incident(before if isinstance(before, Incident) else None, after)
        case Release():
            return _release(before if isinstance(before, Release) else None, after)
        case Ticket():
            return _ticket(before if isinstance(before, Ticket) else None, after)
        case Annotation():
            return _said(before if isinstance(before, Annotation) else None, after)
        case SourceHealth():
            return _read(before if isinstance(before, SourceHealth) else None, after)


# -- builds --------------------------------------------------------------------------------------------------------

_ENDED = {
    "success": "succeeded",
    "warning": "ended with warnings",
    "failed": "failed",
    "cancelled": "was cancelled",
    "skipped": "was skipped",
}


def _build(before: Build | None, after: Build, around: Around) -> _Told | None:
    again = before is not None and after.attempt > before.attempt
    if before is not None and before.state == after.state and not again:
        return None
    line = line_of(after)
    on = f" on {line}" if line else ""
    if after.state in _ENDED:
        former = verdict_of(before) if before is not None else ""
        former = former or around.earlier(after)
        told = after.state in VERDICTS and former not in ("", after.state)
        was = f" (was {former})" if told else ""
        event: Event = "moved"
        if after.state == "failed" and former != "failed":
            event = "failed"
        elif after.state == "success" and former == "failed":
            event = "mended"
        return _Told(event, f"build {_ENDED[after.state]}{on}{was}", after.ended_at or after.updated_at)
    if after.state == "unknown":
        return _Told("moved", f"build{on} cannot be read any more")
    if after.state == "running":
        goes_on = before is not None and before.state == "blocked" and not again
        verb = "resumed" if goes_on else "started again" if again or after.attempt > 1 else "started"
        return _Told("moved", f"build {verb}{on}", None if goes_on else after.started_at)
    if after.state == "blocked":
        return _Told("moved", f"build waits for somebody{on}", after.updated_at)
    return _Told("moved", f"build queued{on}", after.updated_at or after.started_at)


# -- incidents -----------------------------------------------------------------------------------------------------


def _incident(before: Incident | None, after: Incident) -> _Told | None:
    name = f"{after.severity} incident" if after.severity != "unknown" else "incident"
    new = before is None or before.started_at != after.started_at
    if before is not None and before.state == after.state and not (new and after.state == "open"):
        return _taken_on(before, after)
    match after.state:
        case "open":
            if before is None or before.state == "pending":
                return _Told("opened", f"{name} opened", after.started_at if new else None)
            if before.state == "suppressed":
                return _Told("opened", f"{name} no longer suppressed")
            if before.state == "acknowledged" and not new:
                return _Told("opened", f"{name} no longer acknowledged")
            return _Told("opened", f"{name} opened again", after.started_at if new else after.updated_at)
        case "acknowledged":
            by = after.acknowledged_by or after.assignee
            words = f"{name} acknowledged by {by}" if by else f"{name} acknowledged"
            return _Told("moved", words, after.acknowledged_at)
        case "suppressed":
            by = f" by {after.suppressed_by}" if after.suppressed_by else ""
            return _Told("moved", f"{name} suppressed{by}", after.started_at if before is None else None)
        case "resolved":
            lasted = ""
            if after.started_at is not None and after.ended_at is not None and after.ended_at > after.started_at:
                lasted = f" after {_about_so_long((after.ended_at - after.started_at).total_seconds())}"
            words = f"{name} resolved{lasted}" + (" (seen gone)" if after.approximate else "")
            return _Told("closed" if before is not None else "moved", words, after.ended_at or after.updated_at)
        case "pending":
            return _Told("moved", f"{name} pending", after.started_at if new else None)
        case _:
            return _Told("moved", f"{name} cannot be read any more")


def _taken_on(before: Incident, after: Incident) -> _Told | None:
    if after.state == "resolved":
        return None
    if before.severity != after.severity:
        return _Told("moved", f"incident now {after.severity} (was {before.severity})", after.updated_at)
    if before.assignee != after.assignee and after.assignee:
        return _Told("moved", f"incident assigned to {after.assignee}", after.updated_at)
    return None


def _about_so_long(seconds: float) -> str:
    """A length of time in its one or two greatest units."""
    step = 60 if seconds < 86_400 else 3_600
    return str(Duration(round(seconds) if seconds < 60 else round(seconds / step) * step))


# -- releases, tickets ---------------------------------------------------------------------------------------------

_RELEASED = {
    "queued": "queued",
    "blocked": "waits for somebody",
    "running": "started",
    "success": "succeeded",
    "warning": "succeeded with warnings",
    "failed": "failed",
    "rolled_back": "was rolled back",
    "cancelled": "was cancelled",
    "unknown": "cannot be read any more",
}


def _release(before: Release | None, after: Release) -> _Told | None:
    if after.state == "inactive" or (before is not None and before.state == after.state):
        return None
    name = after.version or after.revision[:10]
    out = after.state in ("success", "warning")
    moment = after.started_at
    if after.state in VERDICTS or after.state == "cancelled":
        moment = after.ended_at or after.updated_at or after.started_at
    event: Event = "released" if out else "failed" if after.state in ("failed", "rolled_back") else "moved"
    if after.type == "publication":
        words = " ".join(filter(None, (name or "a version", "published" if out else _RELEASED[after.state])))
        return _Told(event, words, moment)
    where = after.environment or after.target
    if after.type == "configuration":
        return _Told(event, _configured(after, name, where), moment)
    words = " ".join(filter(None, ("release", name, f"to {where}" if where else "", _RELEASED[after.state])))
    if out and after.previous_version and after.previous_version != name:
        words += f" (was {after.previous_version})"
    return _Told(event, words, moment)


def _configured(after: Release, value: str, where: str) -> str:
    what = " ".join(filter(None, ("setting", after.setting, f"in {where}" if where else "")))
    if after.state not in ("success", "warning"):
        return f"{what} {_RELEASED[after.state]}"
    was = f" (was {after.previous_version})" if after.previous_version else ""
    return f"{what} is {value}{was}" if value else f"{what} has changed"


def _ticket(before: Ticket | None, after: Ticket) -> _Told | None:
    name = f"ticket {after.ticket_id}".rstrip()
    if before is None or before.state != after.state:
        match after.state:
            case "done" | "cancelled":
                words = f"{name} {after.state}"
                return _Told("closed" if before is not None else "moved", words, after.ended_at or after.updated_at)
            case "unknown":
                return _Told("moved", f"{name} cannot be read any more")
            case _ if before is None:
                return _Told("opened", f"{name} opened", after.started_at or after.updated_at)
            case "in_progress":
                by = f" by {after.assignee}" if after.assignee else ""
                return _Told("moved", f"{name} taken up{by}", after.updated_at)
            case _:
                back = before.state in ("done", "cancelled")
                return _Told(
                    "opened" if back else "moved", f"{name} {'opened again' if back else 'put back'}", after.updated_at
                )
    if before.priority != after.priority and after.priority:
        was = f"{before.priority} -> " if before.priority else ""
        return _Told("moved", f"{name} priority {was}{after.priority}", after.updated_at)
    if before.assignee != after.assignee and after.assignee:
        return _Told("moved", f"{name} assigned to {after.assignee}", after.updated_at)
    return None


# -- people, sources, and what leaves ------------------------------------------------------------------------------

_SAID = {
    "ack": "acknowledged",
    "note": "noted",
    "suspect_confirmed": "confirmed a suspect",
    "suspect_dismissed": "dismissed a suspect",
}
_WITHDRAWN = {"ack": "took back an acknowledgement", "note": "took back a note"}


def _said(before: Annotation | None, after: Annotation) -> _Told | None:
    who = after.author or "somebody"
    moment = after.updated_at or after.started_at
    if after.state == "withdrawn":
        return _Told("said", f"{who} {_WITHDRAWN.get(after.what, 'took back a verdict')}", moment)
    if before is not None and (before.state, before.what, before.text) == (after.state, after.what, after.text):
        return None
    return _Told("said", f"{who} {_SAID[after.what]}", moment)


_QUIET = frozenset({"starting", "aging"})
_READ = {"partial": "is read in part", "stale": "is stale", "down": "is down", "paused": "is paused"}


def _read(before: SourceHealth | None, after: SourceHealth) -> _Told | None:
    was = before.state if before is not None else "starting"
    if after.state in _QUIET or after.state == was:
        return None
    if after.state == "fresh":
        return None if was in _QUIET else _Told("found", f"{after.source} is read again (was {was})")
    tail = f" (was {was})" if was not in _QUIET else ""
    event: Event = "moved" if after.state == "paused" else "lost"
    return _Told(event, f"{after.source} {_READ[after.state]}{tail}")


def _left(change: Change, fact: Fact) -> _Told | None:
    """What left the board without being over: nobody reads it any more."""
    if change.type.endswith(".expired") or isinstance(fact, Annotation):
        return None
    if isinstance(fact, SourceHealth):
        return _Told("moved", f"{fact.source} is no longer configured")
    if fact.state in ("resolved", "done", "cancelled", "skipped", "inactive"):
        return None
    words = f"{fact.kind} no longer there (was {fact.state.replace('_', ' ')})"
    return _Told("moved", words)
