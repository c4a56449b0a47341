"""What a hand-over consists of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from statusboard.metrics import Judged
from statusboard.model import Annotation, Build, Incident, Release
from statusboard.pipelines import PipelineHealth
from statusboard.rollouts import Rollout
from statusboard.suspects import Suspect


class Episode(Struct, frozen=True, kw_only=True):
    """One incident from its beginning to its end, as it was known last.

    ``began`` and ``ended`` are None where that is not known, or not yet.  ``new``: it began in this time.
    ``suspects``: best first; None where nothing can be said of them.  ``said``: what people said of it, oldest first.
    """

    incident: Incident
    began: datetime | None
    ended: datetime | None = None
    new: bool = False
    suspects: tuple[Suspect, ...] | None = ()
    said: tuple[Annotation, ...] = ()


class Shipped(Struct, frozen=True, kw_only=True):
    """One version's way to production, all its targets together.  ``back``: it is a roll-back itself."""

    releases: tuple[Release, ...]
    began: datetime
    failed: bool
    undone: bool
    back: bool

    @classmethod
    def of(cls, rollout: Rollout, began: datetime) -> Shipped:
        """What a rollout came to."""
        return cls(
            releases=rollout.releases,
            began=began,
            failed=rollout.failed,
            undone=rollout.undone,
            back=rollout.undoes,
        )


class Unread(Struct, frozen=True, kw_only=True):
    """A stretch in which a source was not read, or only in part; without a ``source`` no board ran.

    ``since`` and ``until`` lie within the time of the hand-over; ``until`` is None while it lasts.
    """

    source: str
    since: datetime
    until: datetime | None
    why: str = ""


class Goals(Struct, frozen=True, kw_only=True):
    """How teams do against their goals over the last ``days``."""

    days: int
    judged: tuple[Judged, ...]


class Facts(Struct, frozen=True, kw_only=True):
    """What is looked at, in no particular order.

    ``live`` are the incidents on the board, ``past`` the last words of all episodes that may have to do with this time,
    each with when it began as the store tells it, ``around`` those of all that are kept.  ``releases`` reach back a day
    before the first of them.
    """

    live: Sequence[Incident] = ()
    past: Sequence[tuple[Incident, datetime]] = ()
    around: Sequence[Incident] = ()
    releases: Sequence[Release] = ()
    builds: Sequence[Build] = ()
    said: Sequence[Annotation] = ()
    unread: Sequence[Unread] = ()


class Handover(Struct, frozen=True, kw_only=True):
    """What happened in ``[since, until)``, of one ``team`` or (``""``) of all.

    ``still_open`` are all that are not over at its end, ``resolved`` those that ended in it, ``lost`` those that began
    in it and that nobody tells of any more without their being known to be over.  ``elsewhere`` counts rollouts to
    other environments than production.  ``pipelines`` are those that were flaky over ``days`` or are red; None: nothing
    is known of any.
    """

    since: datetime
    until: datetime
    team: str
    still_open: tuple[Episode, ...]
    resolved: tuple[Episode, ...]
    lost: tuple[Episode, ...]
    releases: tuple[Shipped, ...]
    elsewhere: int
    pipelines: tuple[PipelineHealth, ...]
    days: int
    unread: tuple[Unread, ...]
    goals: Goals | None = None

    @property
    def opened(self) -> int:
        """How many incidents began in this time."""
        return sum(each.new for each in (*self.still_open, *self.resolved, *self.lost))
