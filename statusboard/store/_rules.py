"""What every store does alike, whatever it keeps its rows in.  Pure but for `Standstill`, which remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from statusboard.errors import LeaseLost
from statusboard.model import Change, Draft, Kind
from statusboard.store.base import Coverage, Lease, Watched, digest_of

#: The most changes that `Store.changes` hands over at a time.
CHUNK = 1_000
#: The most requests to poll that are remembered; who looks less often than that has missed them.
REQUESTS_KEPT = 1_000
#: Seconds for which a holder's counter must stand still before another may poll.
TAKEOVER = 6.0


class Retention(NamedTuple):
    """For how long the changes of some kinds are kept."""

    name: str
    kinds: frozenset[Kind]
    keep: timedelta


#: A year's delivery metrics need releases, incidents and what people said of their suspects; nobody asks after a build
#: of last spring.
RETENTION: tuple[Retention, ...] = (
    Retention("long", frozenset({"release", "incident", "annotation"}), timedelta(days=400)),
    Retention("short", frozenset({"build", "ticket", "source"}), timedelta(days=90)),
)
#: What was watched when is kept as long as the longest of these.
KEEP_COVERAGE = max(retention.keep for retention in RETENTION)


def numbered(drafts: Sequence[Draft], first: int, at: datetime, heads: dict[str, int | None]) -> list[Change]:
    """The changes that drafts become, from number ``first`` on, all observed ``at``.

    ``heads`` holds the newest counting change of each key and is brought up to date; backfill never counts.  A change
    that takes its key off the board has an empty ``body_hash``: it is in no digest.
    """
    changes = []
    for seq, draft in enumerate(drafts, first):
        change = Change(
            seq=seq,
            observed_at=at,
            key=draft.key,
            kind=draft.kind,
            source=draft.source,
            type=draft.type,
            origin=draft.origin,
            body=draft.body,
            body_hash=b"" if draft.body is None else digest_of(draft.key, draft.body),
            part=draft.part,
            time=draft.time,
            prev_seq=heads[draft.key],
        )
        changes.append(change)
        if draft.origin != "backfill":
            heads[draft.key] = seq
    return changes


def refuse_unleased(drafts: Sequence[Draft], lease: Lease | None) -> None:
    """Raises `LeaseLost` where a poll's or a push's drafts come without a lease: only one board polls."""
    if lease is None and any(draft.origin in ("poll", "push") for draft in drafts):
        raise LeaseLost("only the board that holds the lease stores what was polled or pushed")


def lost(lease: Lease) -> LeaseLost:
    """The error for a write under a lease that is no longer held."""
    return LeaseLost(f"another board polls this store now (the lease {lease.token} of {lease.holder} is over)")


def watched_row(last: Coverage | None, watched: Watched, epoch: int) -> tuple[Coverage, bool]:
    """The coverage that a success leaves, and whether it prolongs ``last`` (else it is a new row).

    Time never runs back within a part: a success before the last one counts as at the same moment.
    """
    if last is None:
        at = watched.at
    else:
        at = max(watched.at, last.last_success)
        if last.epoch == epoch and (at - last.last_success).total_seconds() <= watched.gap:
            return replace(last, last_success=at), True
    return Coverage(source=watched.source, part=watched.part, since=at, last_success=at, epoch=epoch), False


def changed_sources(before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]) -> list[str]:
    """The names in ``after`` that are new or whose (type, identity) differ, in the order of ``after``."""
    return [name for name, identity in after.items() if before.get(name) != identity]


class Standstill:
    """For how long the counters of other holders' leases have not moved, by our own monotonic clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}

    def over(self, name: str, mark: tuple[int, int], before: float, after: float) -> bool:
        """Whether the holder is taken for dead.

        ``mark`` is (token, counter), read some time between ``before`` and ``after``: the shorter of the possible
        times counts, since reading may have had to wait.
        """
        seen = self._seen.get(name)
        if seen is None or seen[0] != mark:
            self._seen[name] = (mark, after)
            return False
        return before - seen[1] >= TAKEOVER
