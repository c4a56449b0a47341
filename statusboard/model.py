"""What the board talks about: items, the snapshots that carry them, and the changes that are stored.

Words follow CDEvents and OpenTelemetry's cicd, vcs and deployment conventions.  Everything here is frozen data;
nothing here reads, writes or decides.  Times are aware UTC; ``None`` means *not known* and is never made up.

    Item = Build | Incident | Release | Ticket        what a source reads
    Fact = Item | Annotation | SourceHealth           what the store keeps and the board shows
    Snapshot -> Part -> Item                          one poll's answer, in parts that fail apart from each other
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct, field

Kind: TypeAlias = Literal["build", "incident", "release", "ticket", "annotation", "source"]
ItemKind: TypeAlias = Literal["build", "incident", "release", "ticket"]

BuildState: TypeAlias = Literal[
    "queued", "running", "blocked", "success", "warning", "failed", "cancelled", "skipped", "unknown"
]
IncidentState: TypeAlias = Literal["pending", "open", "acknowledged", "suppressed", "resolved", "unknown"]
ReleaseState: TypeAlias = Literal[
    "queued", "blocked", "running", "success", "warning", "failed", "rolled_back", "cancelled", "inactive", "unknown"
]
TicketState: TypeAlias = Literal["open", "in_progress", "done", "cancelled", "unknown"]
AnnotationState: TypeAlias = Literal["set", "withdrawn"]
HealthState: TypeAlias = Literal["starting", "fresh", "partial", "aging", "stale", "down", "paused"]
#: What is shown of a source: how it was read, or that nobody watched it at the moment that is shown (never stored).
ShownHealth: TypeAlias = HealthState | Literal["unwatched"]
Severity: TypeAlias = Literal["critical", "high", "medium", "low", "info", "unknown"]
ReleaseType: TypeAlias = Literal["deployment", "publication", "configuration"]

#: ``complete``: what is absent is gone.  ``window``: what is absent is only older.  ``delta``: absence says nothing.
Reach: TypeAlias = Literal["complete", "window", "delta"]
Origin: TypeAlias = Literal["poll", "push", "backfill", "person"]

ITEM_KINDS: tuple[ItemKind, ...] = get_args(ItemKind)
STATES: Mapping[str, frozenset[str]] = {
    "build": frozenset(get_args(BuildState)),
    "incident": frozenset(get_args(IncidentState)),
    "release": frozenset(get_args(ReleaseState)),
    "ticket": frozenset(get_args(TicketState)),
    "annotation": frozenset(get_args(AnnotationState)),
    "source": frozenset(get_args(HealthState)),
}
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

#: States from which a vendor is expected to move on without anybody starting anything new.
UNFINISHED: Mapping[str, frozenset[str]] = {
    "build": frozenset({"queued", "running", "blocked", "unknown"}),
    "incident": frozenset({"pending", "open", "acknowledged", "suppressed", "unknown"}),
    "release": frozenset({"queued", "running", "blocked", "unknown"}),
    "ticket": frozenset({"open", "in_progress", "unknown"}),
}


class _Fact(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind"):
    """What every stored thing has.  ``key`` is ``<source>:<kind>:<remote id>`` and never changes."""

    key: str
    source: str
    title: str = ""
    started_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def kind(self) -> Kind:
        """The item's kind, as in its encoded form."""
        return self.__struct_config__.tag  # type: ignore[return-value]


class _Item(_Fact, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind"):
    """What builds, incidents, releases and tickets have in common.

    ``services`` is empty while nobody owns the item; ``approximate`` marks times that we inferred (an alert that was
    only *seen gone*); ``raw_state`` is the vendor's own word.
    """

    description: str = ""
    reason: str = ""
    services: tuple[str, ...] = ()
    team: str = ""
    environment: str = ""
    target: str = ""
    repository: str = ""
    url: str = ""
    links: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    actor: str = ""
    trigger: str = ""
    ended_at: datetime | None = None
    approximate: bool = False
    raw_state: str = ""

    @property
    def service(self) -> str:
        """The first of ``services``, or ``""``."""
        return self.services[0] if self.services else ""


class Build(_Item, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="build"):
    """One run of a pipeline.  A re-run is the same item with a higher ``attempt``.

    ``verdict`` is what the last finished attempt said, kept while a new attempt has not said anything yet.
    ``queued_at`` is when this attempt was asked for, of one that has begun and where the source tells both.
    """

    state: BuildState
    verdict: BuildState | Literal[""] = ""
    pipeline: str = ""
    run_number: int | None = None
    attempt: int = 1
    branch: str = ""
    default_branch: str = ""
    fork: str = ""
    revision: str = ""
    change: str = ""
    queued_at: datetime | None = None


class Incident(_Item, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="incident"):
    """An alert or incident.  Its *episode* is ``key`` and ``started_at``; ``cluster`` merges twins by fingerprint."""

    state: IncidentState
    severity: Severity = "unknown"
    fingerprint: str = ""
    cluster: str = ""
    assignee: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    suppressed_by: str = ""
    suppressed_until: datetime | None = None


class Release(_Item, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="release"):
    """A deployment to an environment, the publication of a version, or a change of configuration (a parameter, a flag):
    neither of these is a deployment.

    Of a change of configuration ``setting`` is what was set, ``version`` to what, and ``previous_version`` what it was.
    ``commits`` is how many commits it brought that were not there before; ``committed_at`` is when the middle one of
    them was made (half of them are older), where the source can tell.
    """

    state: ReleaseState
    verdict: ReleaseState | Literal[""] = ""
    type: ReleaseType = "deployment"
    version: str = ""
    revision: str = ""
    previous_version: str = ""
    prerelease: bool = False
    commits: int | None = None
    committed_at: datetime | None = None
    setting: str = ""


class Ticket(_Item, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ticket"):
    """An issue in a tracker."""

    state: TicketState
    priority: str = ""
    assignee: str = ""
    ticket_id: str = ""


class Annotation(_Fact, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="annotation"):
    """What a person said of an item: an acknowledgement, a note, a verdict on a suspect.  Never from vendors."""

    state: AnnotationState
    target: str
    episode: datetime | None = None
    what: Literal["ack", "note", "suspect_confirmed", "suspect_dismissed"] = "note"
    author: str = ""
    text: str = ""


class PartError(Struct, frozen=True, kw_only=True, gc=False):
    """Which part of a source could not be read, and why (redacted, one line)."""

    part: str
    error: str


class SourceHealth(_Fact, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="source"):
    """How well a source is read.  Stored when ``state`` or the errors change; what moves at every poll is `Status`.

    ``started_at`` is when this state began; ``last_success`` is that of the moment of the transition.
    ``beats`` are the heartbeats seen so far (hence required); ``missing`` those that the last answer lacked.
    """

    state: HealthState
    type: str = ""
    interval: float = 0.0
    optional: bool = False
    error: str = ""
    errors: tuple[PartError, ...] = ()
    beats: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    last_success: datetime | None = None


Item: TypeAlias = Build | Incident | Release | Ticket
Fact: TypeAlias = Build | Incident | Release | Ticket | Annotation | SourceHealth


class Part(Struct, frozen=True, kw_only=True):
    """One scope of one poll: a repository, a job, a query.

    A part with an ``error`` retires nothing.  ``unchanged`` (a 304) vouches that all is as it was.
    ``retire_only`` narrows what absence may end, for a server that has just lost its memory.
    ``beats`` are the heartbeats (a Watchdog's name) that this answer contained.
    ``notes`` are faults that cost no coverage (3 bad lines skipped), shown beside the source.
    """

    scope: str
    kind: ItemKind
    reach: Reach
    started_at: datetime
    items: tuple[Item, ...] = ()
    error: Exception | None = None
    unchanged: bool = False
    retire_only: frozenset[str] | None = None
    beats: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    validators: tuple[Validator, ...] = ()


class Snapshot(Struct, frozen=True, kw_only=True):
    """All parts of one poll.  ``oncall`` says who is on call for a service: a fact about the service."""

    source: str
    parts: tuple[Part, ...]
    oncall: dict[str, str] = field(default_factory=dict)


class Validator(Struct, frozen=True, kw_only=True, gc=False):
    """What a server gave us to ask *has this changed?* with; ``part`` is the scope whose changes it vouches for."""

    source: str
    part: str
    request: str
    etag: str = ""
    last_modified: str = ""


class Draft(Struct, frozen=True, kw_only=True, gc=False):
    """A change on its way into the store.  ``body`` is the encoded fact; ``None`` takes the key off the board."""

    key: str
    kind: Kind
    source: str
    type: str
    origin: Origin
    body: bytes | None
    part: str = ""
    time: datetime | None = None


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """One stored transition.  ``body_hash`` is `digest_of` the key and body, taken once, at append."""

    seq: int
    observed_at: datetime
    key: str
    kind: Kind
    source: str
    type: str
    origin: Origin
    body: bytes | None
    body_hash: bytes
    part: str = ""
    time: datetime | None = None
    prev_seq: int | None = None


class Status(Struct, frozen=True, kw_only=True, gc=False):
    """What moves at every poll and is therefore neither stored as a change nor part of the digest.

    ``requests`` and ``duration`` (seconds) are those of the newest poll.
    """

    source: str
    type: str = ""
    interval: float = 0.0
    last_attempt: datetime | None = None
    last_success: datetime | None = None
    next_poll: datetime | None = None
    duration: float | None = None
    budget_left: int | None = None
    budget_limit: int | None = None
    budget_reset: datetime | None = None
    requests: int = 0
    clock_offset: float | None = None
    notes: tuple[str, ...] = ()


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)


def encode(fact: Fact) -> bytes:
    """The fact's stored bytes: UTF-8 JSON, defaults left out."""
    return _ENCODER.encode(fact)


def decode(body: bytes) -> Fact:
    """The fact that `encode` wrote.  Raises `msgspec.DecodeError` for anything else."""
    return _DECODER.decode(body)


def key_of(source: str, kind: Kind, remote_id: object) -> str:
    """The key of a remote thing: ``<source>:<kind>:<remote id>``."""
    return f"{source}:{kind}:{remote_id}"


def remote_id(key: str) -> str:
    """The vendor's part of a key."""
    return key.split(":", 2)[2]


def health_key(source: str) -> str:
    """The key under which a source's own health is kept."""
    return key_of(source, "source", source)
