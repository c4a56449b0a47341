"""The contract of every store: an append-only feed of changes, the rows they leave live, and who may poll.

A store never decides what a change means.  It gives each draft a gap-free ``seq`` inside the transaction that stores
it, keeps the newest fact of each key *live*, and wakes everybody who waits for changes, in this process and others.

Of each release, each attempt of a build, each episode of an incident and each annotation it remembers the last word,
also when the key has left the board: `Remembered`.

Revision = (``store_id``, ``seq``).  Digest = sum modulo 2**128 of `digest_of` over the live rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from msgspec import Struct

from statusboard.clock import to_us
from statusboard.model import Change, Draft, Kind, Origin, Status, Validator

DIGEST_MODULUS = 1 << 128
#: A step of no length: `Store.marks` one by one.
NO_STEP = timedelta(0)
#: The most words in a `Bundle`: as many as are read in a few milliseconds.
BUNDLED = 1_000


def digest_of(key: str, body: bytes) -> bytes:
    """BLAKE2b-128 of a key and its stored bytes (16 bytes)."""
    return hashlib.blake2b(key.encode() + b"\0" + body, digest_size=16).digest()


def digest_sum(hashes: Collection[bytes]) -> str:
    """The board's digest of its live rows' hashes, as 32 hexadecimal digits, whatever their order."""
    return f"{sum(int.from_bytes(h, 'big') for h in hashes) % DIGEST_MODULUS:032x}"


class Live(Struct, frozen=True, kw_only=True, gc=False):
    """The newest fact of one key that is still on the board."""

    key: str
    kind: Kind
    source: str
    part: str
    seq: int
    observed_at: datetime
    body: bytes
    body_hash: bytes
    origin: Origin = "poll"


class Picture(Struct, frozen=True, kw_only=True):
    """All live rows at one revision."""

    store_id: str
    seq: int
    rows: tuple[Live, ...]


class Outline(Struct, frozen=True, kw_only=True):
    """Which rows were live at one revision: the numbers of the changes that wrote them, ascending."""

    store_id: str
    seq: int
    live: list[int]


class Stored(Struct, frozen=True, gc=False):
    """What a change wrote, as far as it takes to show its row.  Of a removal there is none."""

    seq: int
    observed_at: datetime
    body: bytes
    body_hash: bytes


class Coverage(Struct, frozen=True, kw_only=True, gc=False):
    """A stretch of time in which a part of a source was watched.  ``epoch`` is the lease token it was watched under."""

    source: str
    part: str
    since: datetime
    last_success: datetime
    epoch: int = 0


class Watched(Struct, frozen=True, kw_only=True, gc=False):
    """One success of one part: extends its coverage, unless more than ``gap`` seconds or a new lease lie between."""

    source: str
    part: str
    at: datetime
    gap: float


class Lease(Struct, frozen=True, kw_only=True):
    """The right to poll.  ``token`` only grows: a write under an older one is refused."""

    name: str
    holder: str
    token: int


class Remembered(Struct, frozen=True, kw_only=True, gc=False):
    """The last word on one release, one attempt of a build, one episode of an incident, one annotation.

    ``episode`` tells those of one key apart: microseconds since 1970 of an incident's start (0 while it is not known),
    a build's attempt, 0 of a release or an annotation.  ``at`` is when it began: its start, else when its first change
    happened, else when that was observed.  ``first_seen``: when its first change was observed; of what was only
    backfilled (see ``origin``) when it was fetched: nobody saw it before.  ``seq`` is the change that holds ``body``,
    the newest one; ``observed_at``, ``origin`` and ``part`` are that change's.
    """

    key: str
    kind: Kind
    source: str
    part: str = ""
    episode: int
    at: datetime
    first_seen: datetime
    seq: int
    observed_at: datetime
    origin: Origin
    body: bytes


class Head(Struct, frozen=True, array_like=True, gc=False):
    """`Remembered` as far as it takes to make metrics of very many; its key is in the body.

    ``at`` and ``observed_at`` are microseconds since 1970; ``size`` is that of the body.
    """

    seq: int
    source: str
    part: str
    episode: int
    at: int
    observed_at: int
    size: int


class Bundle(Struct, frozen=True):
    """At most `BUNDLED` last words: ``heads``, and one after the other their ``bodies``."""

    heads: list[Head]
    bodies: bytes


def bundled(words: Sequence[Remembered]) -> list[Bundle]:
    """The same words in bundles."""
    return [_bundle(words[start : start + BUNDLED]) for start in range(0, len(words), BUNDLED)]


def _bundle(words: Sequence[Remembered]) -> Bundle:
    heads = [
        Head(
            word.seq,
            word.source,
            word.part,
            word.episode,
            to_us(word.at),
            to_us(word.observed_at),
            len(word.body),
        )
        for word in words
    ]
    return Bundle(heads, b"".join(word.body for word in words))


class Moment(Struct, frozen=True, kw_only=True, gc=False):
    """A moment at which changes came in; ``seq`` is the last of those observed then."""

    seq: int
    observed_at: datetime


class Mark(Struct, frozen=True, kw_only=True, gc=False):
    """What happened at a moment, in a word; ``count`` such things in the step of time that begins ``at``.

    ``what``: an incident's severity, a release's state, ``failed`` of a build.
    """

    at: datetime
    kind: Kind
    what: str
    count: int = 1


class Backfilled(Struct, frozen=True, kw_only=True, gc=False):
    """A stretch of time of one part of a source that was paged back through: from ``until`` back to ``since``.

    ``cursor`` is where to go on, in the source's own words; ``done``: as far as was asked, or all that the vendor has.
    One stretch is named by source, part and ``until``: noting it again moves the rest.
    """

    source: str
    part: str
    until: datetime
    since: datetime
    cursor: str = ""
    done: bool = False


class Batch(Struct, frozen=True, kw_only=True):
    """What one transaction writes: changes, what they were watched by, and the validators that vouch for them.

    ``void`` names parts (source, part) whose older validators go first: they vouch for what is no longer known.
    ``backfilled`` says how far backfill has come with these changes: after a crash it goes on from there.
    """

    observed_at: datetime
    drafts: tuple[Draft, ...] = ()
    watched: tuple[Watched, ...] = ()
    void: tuple[tuple[str, str], ...] = ()
    validators: tuple[Validator, ...] = ()
    statuses: tuple[Status, ...] = ()
    backfilled: tuple[Backfilled, ...] = ()


class Registration(Struct, frozen=True, kw_only=True, gc=False):
    """A configured source as the store knows it: its name and the hash of type, url and options (no secrets)."""

    source: str
    type: str
    identity: str


class StoreHealth(Struct, frozen=True, kw_only=True):
    """How the store itself is: ``durable`` is false while it lives in memory only; ``problem`` says why."""

    store_id: str
    location: str
    durable: bool
    seq: int
    oldest_seq: int
    size: int
    problem: str = ""


class Store(Protocol):
    """The contract.  Every method may raise `StoreError`; none blocks the event loop."""

    @property
    def store_id(self) -> str:
        """Names this history; a new, set-aside or in-memory store has a new one."""

    @property
    def writable(self) -> bool:
        """False for a store opened to follow only."""

    async def open(self) -> None:
        """Open or create; migrate an older schema, keeping the old file beside.  `NewerSchema`, `StoreUnusable`."""

    async def close(self) -> None:
        """Release the lease that this process holds and everything else.  Idempotent."""

    async def append(self, batch: Batch, lease: Lease | None = None) -> list[Change]:
        """Store a batch in one transaction and return its changes, with their ``seq``.

        Polls and pushes need the ``lease`` (`LeaseLost` without one, or if another board took it: nothing is
        written); a person's drafts do not.  ``observed_at`` is clamped so that it never decreases with ``seq``.  A
        draft whose origin is ``backfill`` is stored and does not change the live rows; `remembered` tells when it
        counts there.  ``prev_seq`` is the key's newest change before this one that is not backfilled.  A change without
        a ``body`` has an empty ``body_hash``.
        When it raises, nothing of the batch was written: the caller keeps it.
        """

    async def snapshot(self, as_of: datetime | None = None) -> Picture:
        """The live rows now, or as they were shown at ``as_of`` (by ``observed_at``).

        `HistoryGone` for a moment of which something was retired: a picture with holes would look fine.
        """

    async def outline(self, as_of: datetime) -> Outline:
        """Which rows `snapshot` shows of a moment.  `HistoryGone` as there."""

    async def stored(self, seqs: Sequence[int]) -> list[Stored]:
        """What the changes with these ascending numbers wrote, in their order.

        Removals, and what never was or was retired, are left out.
        """

    async def get(self, keys: Collection[str]) -> list[Live]:
        """The live rows of these keys, in no particular order; absent keys are left out."""

    async def history(self, key: str, limit: int = 100) -> list[Change]:
        """The newest ``limit`` changes of one key, newest first."""

    async def past(self, *, before: int | None = None, since: datetime | None = None, limit: int = 200) -> list[Change]:
        """The newest ``limit`` changes of all keys, newest first, backfilled ones among them.

        ``before``: only those with a lower ``seq``, so that the last of one page leads to the next.  ``since``: only
        those observed then or later.  What was retired is left out.
        """

    async def recorded(self, seqs: Collection[int]) -> list[Change]:
        """The changes with these numbers, newest first; those that never were or were retired are left out."""

    async def seq_at(self, at: datetime) -> int:
        """The number of the last change observed at a moment or before it, 0 before the first."""

    async def neighbour(self, seq: int, step: Literal[-1, 1], *, incidents: bool = False) -> Moment | None:
        """The next moment after revision ``seq`` at which something came in, or the last one before it.

        All that was observed at one moment is one step; what was backfilled is none, since it changes no picture.
        ``incidents``: only moments at which an incident was seen for the first time (a pending one is none).  ``seq``
        counts as the moment of the newest change at or below it that was not backfilled; one above the newest
        revision lies after all moments.  ``None`` where there is no further one, or its picture is gone.
        """

    async def remembered(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0, upto: int | None = None
    ) -> list[Remembered]:
        """The last word on each release, attempt of a build, episode of an incident or annotation from [since, until).

        Oldest first (by ``at``); also what has left the board, as long as the change with its body is kept.  ``after``:
        only those with a higher ``seq``, which is what is new since the highest one that somebody has.  Of other kinds
        nothing is remembered.  ``upto``: as it was remembered at that revision.

        What was backfilled never takes the place of what was seen live, whichever came first.  Where a vendor tells
        another start of an incident that was already open then, or before its last episode had ended, it is the same
        episode told otherwise: it stays one, under its new start.  One that started after the last sight of the one
        before is another.  A release or a build whose history is rewritten has its last word, as everywhere.
        """

    async def bundled(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0
    ) -> list[Bundle]:
        """What `remembered` tells of releases, incidents or annotations, in its order: a third of the time, for many.

        It is read in haste, as what somebody waits for.
        """

    async def marks(self, since: datetime, until: datetime, *, step: timedelta = NO_STEP) -> list[Mark]:
        """Incidents, releases and failed builds that began in [since, until), oldest first, backfilled ones too.

        By when they began (`Remembered.at`), which may be before we saw them.  With a ``step`` they are counted by
        steps from ``since`` on, which is as good for a line of some hundred cells and reads 90 days in a blink.
        """

    async def backfilled(self, source: str | None = None, *, upto: int | None = None) -> list[Backfilled]:
        """What was paged back through, by source, part and ``until``; written with a `Batch`.

        ``upto``: as far as it can be told to have been read at that revision.  A stretch that began later (``until`` is
        when it began) may be among them, so that those are left out who ask for a moment.
        """

    async def forget_backfilled(self, source: str, part: str | None = None) -> None:
        """Forget how far backfill has come with a source, or with one part of it, so that it begins anew."""

    async def kept(self, what: str) -> dict[str, bytes]:
        """What was worked out of the rest and is kept, by part.  It may be out of date: whoever reads it must see."""

    async def keep(self, what: str, parts: Mapping[str, bytes | None]) -> None:
        """Keep what was worked out, so that it need not be again; ``None`` lets go of a part.

        A store opened to follow keeps nothing.
        """

    def changes(self, after: int) -> AsyncIterator[list[Change]]:
        """Wait for and yield changes with ``seq > after``, in order, in lists of at most 1,000.

        Never ends by itself.  `HistoryGone` where ``after`` lies below the oldest that is kept.  A change by another
        process on this host is seen within 250 ms.
        """

    async def lease(self, name: str, holder: str) -> Lease | None:
        """Take the right to poll, or renew it; ``None`` while another holder is alive.

        The holder calls this every 2 s.  Followers call it as often: they watch the holder's counter against their
        own monotonic clock and take over when it stood still for 6 s (no wall clocks are compared).
        """

    async def release(self, lease: Lease) -> None:
        """Give the right to poll back at once."""

    async def retain(self, now: datetime) -> int:
        """Delete what is older than it is kept, in batches (never a live key's newest change); returns how many.

        A change that was still on the board at the horizon stays until what replaced it is too old as well, so that
        every moment after the horizon can be shown whole.  What is remembered goes with the change that holds its body;
        watched and backfilled time goes with the oldest changes.
        """

    async def health(self) -> StoreHealth:
        """How the store is, read now."""

    async def register(self, sources: Sequence[Registration], lease: Lease) -> list[str]:
        """Set the configured sources; returns the names that are new or changed (their validators are void).

        The status, the validators and the backfilled stretches of a source that is not among them any more go.
        """

    async def registered(self) -> list[Registration]:
        """The sources as the board that polls has configured them."""

    async def validators(self, source: str) -> list[Validator]:
        """The stored validators of a source."""

    async def forget_validators(self, source: str, part: str | None = None) -> None:
        """Void the validators of a source, or of one part of it."""

    async def coverage(self, source: str | None = None, since: datetime | None = None) -> list[Coverage]:
        """When what was watched, oldest first."""

    async def statuses(self) -> list[Status]:
        """The newest volatile status of each source."""

    async def request_poll(self, source: str | None = None) -> int:
        """Ask whoever polls to poll this source (or all) now; returns the request's number."""

    async def poll_requests(self, after: int) -> list[tuple[int, str | None]]:
        """Requests with a number above ``after``."""

    async def wait_activity(self, timeout: float) -> bool:
        """Wait until anything at all was written, by whatever process (True), or ``timeout`` seconds (False).

        What is written between two calls by the same task ends the second at once.  It is a hint: it is also true
        for a mere renewal of the lease.
        """
