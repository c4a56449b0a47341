"""What a generated history is: releases and incidents as sources would tell them, with the truth beside them.

Two generators make them, `worlds` and `other_worlds`, which share nothing but this module: what holds for both of them
does not hold because of how one of them was made.  Neither was ever changed to make the suspects' figures better.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from statusboard.model import Incident, Release

BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday, at midnight: when every history begins."""
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

Rollout: TypeAlias = int
"""One release of one version of one service to all of its targets."""


class Weighed(NamedTuple):
    """What somebody believes who knows how the generator works: how likely each rollout is the cause, or none is."""

    rollouts: Mapping[Rollout, float]
    none: float


class History(NamedTuple):
    """One company's weeks.

    ``rollout_of`` tells for each release's key to which rollout it belongs, ``cause_of`` for each incident's key which
    rollout caused it (None: nobody changed anything).  ``depends_on`` is what its people wrote down, which is neither
    all nor always true.  ``believe(incident, hindsight)`` is the oracle; it sees no more of the incident than its
    labels, but knows the true times and services of releases and every probability: no ranking of these data can be
    better than it by more than luck.
    """

    releases: list[Release]
    incidents: list[Incident]
    rollout_of: Mapping[str, Rollout]
    cause_of: Mapping[str, Rollout | None]
    depends_on: Mapping[str, tuple[str, ...]]
    believe: Callable[[Incident, bool], Weighed]


def moment(seconds: float) -> datetime:
    """A time of a history, from the seconds since its beginning."""
    return BEGINNING + timedelta(seconds=round(seconds, 3))


def seconds(time: datetime) -> float:
    """Seconds since the beginning of a history."""
    return (time - BEGINNING).total_seconds()


def poisson(rng: random.Random, mean: float) -> int:
    """How many of what happens ``mean`` times on average; the means are small here."""
    count, waited = 0, rng.expovariate(1.0)
    while waited < mean:
        count += 1
        waited += rng.expovariate(1.0)
    return count
