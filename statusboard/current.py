"""What is current, what counts as failing, and what may leave the board.  Pure functions.

A *slot* is the place that items compete for: a pipeline on a branch, a service in an environment, one alert.  The
newest item with a verdict is the slot's *current* one; what was cancelled or skipped, and what is still queued or
running, never replaces a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from statusboard.model import UNFINISHED, Build, Fact, Incident, Item, Release, Severity, ShownHealth, Ticket

Slot: TypeAlias = tuple[str, ...]
Order: TypeAlias = tuple[datetime, int, int, str]

#: States that say how it went.  ``unknown`` is one: what we cannot read must not hide behind an older success.
VERDICTS = frozenset({"success", "warning", "failed", "rolled_back", "inactive", "unknown"})
#: States of a build or release that is still going to say how it went.
UNDER_WAY = frozenset({"queued", "running", "blocked"})
#: How urgent an incident is; what a severity unknown to us means may be high.
SEVERITY_RANK: Mapping[Severity, int] = {"critical": 0, "high": 1, "unknown": 1, "medium": 2, "low": 3, "info": 4}
#: Which of several reports of one alert (Alertmanagers of one cluster) speaks for it, first wins.
_INCIDENT_ORDER = {"open": 5, "acknowledged": 4, "unknown": 3, "suppressed": 2, "pending": 1}
#: Health states of a source whose items are no longer read: what they show is only what was known last.
UNREAD: frozenset[ShownHealth] = frozenset({"starting", "stale", "down", "paused", "unwatched"})
#: States of what is over and was replaced, or came to nothing: it stands last in its lane.
OVER = frozenset({"resolved", "done", "cancelled", "skipped", "inactive"})
#: By how much the clocks of a vendor and of a board may differ.
AHEAD = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def verdict_of(item: Build | Release) -> str:
    """How it went: the state if that is a verdict, else the last one carried along, else ``""``."""
    return item.state if item.state in VERDICTS else item.verdict


def slot_of(fact: Fact) -> Slot | None:
    """The slot that this fact competes for; ``None`` for annotations and health."""
    match fact:
        case Build():
            # One that failed before it had checked anything out knows no branch: the next on the default one mends it.
            line = f"#{fact.change}" if fact.change else fact.branch or fact.default_branch
            return ("build", fact.source, fact.repository, fact.pipeline or fact.title, line, fact.fork)
        case Release():
            owner = fact.service or fact.repository or fact.source
            if fact.type == "publication":
                return ("publication", fact.source, owner)
            if fact.type == "configuration":
                return ("configuration", owner, fact.environment, fact.target, fact.setting or fact.title)
            return ("release", owner, fact.environment, fact.target)
        case Incident():
            if fact.cluster and fact.fingerprint:
                return ("incident", fact.cluster, fact.fingerprint)
            return ("incident", fact.key)
        case Ticket():
            return ("ticket", fact.key)
        case _:
            return None


def competes(fact: Fact) -> bool:
    """Whether this fact may be current at all."""
    match fact:
        case Release() if fact.type == "configuration":
            return False  # nothing stays for it: its values come and go, and whoever keeps them knows the present one
        case Build() | Release():
            return verdict_of(fact) != ""
        case Incident():
            return fact.state != "resolved"
        case Ticket():
            return fact.state not in ("done", "cancelled")
        case _:
            return False


def lies_ahead(fact: Fact, now: datetime) -> bool:
    """Whether this is a release that has not begun by our clock, by more than clocks differ: it does not run yet.

    One that failed, or of which nobody can tell how it went, counts at once all the same.
    """
    return (
        isinstance(fact, Release)
        and fact.started_at is not None
        and fact.started_at - now > AHEAD
        and not (is_failing(fact) or is_unknown(fact))
    )


def order_of(fact: Fact) -> Order:
    """What decides between competitors of one slot: the greatest is current."""
    began = fact.started_at or fact.updated_at or _EPOCH
    match fact:
        case Build():
            return (began, fact.run_number or 0, fact.attempt, fact.key)
        case Incident():
            return (_EPOCH, _INCIDENT_ORDER.get(fact.state, 0), 0, fact.key)
        case _:
            return (began, 0, 0, fact.key)


def line_of(build: Build) -> str:
    """The branch or pull request as people name it, a fork's marked as such: ``#12``, ``eve:main``.

    A pull request of which the source does not tell the number (``unknown``) goes by the name of its branch.
    """
    number = build.change.removeprefix("#")
    line = f"#{number}" if number not in ("", "unknown") else build.branch
    return f"{build.fork}:{line}" if build.fork and line else line


def moment_of(item: Item) -> datetime | None:
    """The time that a lane is sorted by and counts ages from: of what is over its end, of a ticket its last change,
    of everything else its start."""
    if item.state in OVER:
        return item.ended_at or item.updated_at or item.started_at
    if isinstance(item, Ticket):
        return item.updated_at or item.started_at
    return item.started_at or item.updated_at


def is_failing(fact: Fact) -> bool:
    """Whether this fact, being current, is a fault that somebody must see."""
    match fact:
        case Build():
            return verdict_of(fact) == "failed" and on_default_branch(fact)
        case Release():
            return fact.type == "deployment" and verdict_of(fact) == "failed"
        case Incident():
            return fact.state in ("open", "acknowledged")
        case _:
            return False


def is_unknown(fact: Fact) -> bool:
    """Whether this fact, being current, is one whose state we could not read."""
    match fact:
        case Build() | Release():
            return verdict_of(fact) == "unknown"
        case Incident() | Ticket():
            return fact.state == "unknown"
        case _:
            return False


def is_unowned(fact: Fact) -> bool:
    """Whether nobody is known to own this item: neither a service nor a team."""
    return isinstance(fact, Build | Incident | Release | Ticket) and not fact.services and not fact.team


def on_default_branch(build: Build) -> bool:
    """True for the default branch and where no branch is known; never for a pull request or a fork."""
    if build.change or build.fork:
        return False
    return not build.branch or not build.default_branch or build.branch == build.default_branch


def is_timeless(fact: Fact) -> bool:
    """Whether nothing says when this happened; only when it was stored is known then."""
    return isinstance(fact, Item) and fact.ended_at is None and fact.updated_at is None and fact.started_at is None


def may_leave(fact: Fact, *, current: bool, now: datetime, keep: timedelta, stored_at: datetime | None = None) -> bool:
    """Whether this fact has been over for longer than ``keep`` and nothing needs it any more.

    A slot's current verdict stays however old it is (a service last released in spring still runs that release),
    except on side branches and pull requests, which nobody closes.
    """
    if not isinstance(fact, Build | Release | Incident | Ticket) or fact.state in UNFINISHED[fact.kind]:
        return False
    over = fact.ended_at or fact.updated_at or fact.started_at or stored_at
    if over is None or now - over <= keep:
        return False
    if isinstance(fact, Build):
        return not current or not on_default_branch(fact)
    return not current


def outdated(
    items: Iterable[Item],
    *,
    now: datetime,
    keep: timedelta,
    standing: Callable[[Slot], Order | None] = lambda slot: None,
) -> frozenset[str]:
    """The keys among new ``items`` (of one answer) that would leave the board as soon as they came.

    ``standing`` is the rank of what is current in a slot of the board already.  The items must be as they would stand
    there, service and environment found: else what leaves the board here comes in again there.
    """
    newest: dict[Slot, Order] = {}
    old: list[tuple[Slot, Item]] = []
    for item in items:
        slot = slot_of(item)
        assert slot is not None
        if competes(item) and not lies_ahead(item, now):
            rank = order_of(item)
            if slot not in newest or rank > newest[slot]:
                newest[slot] = rank
        if may_leave(item, current=False, now=now, keep=keep):
            old.append((slot, item))
    late = set()
    for slot, item in old:
        rank, rival = order_of(item), standing(slot)
        current = newest.get(slot) == rank and (rival is None or rank > rival)
        if may_leave(item, current=current, now=now, keep=keep):
            late.add(item.key)
    return frozenset(late)
