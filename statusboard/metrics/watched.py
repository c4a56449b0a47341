"""When what the numbers rest on was watched.  Pure.

A *part* is one scope of one source (a repository, a query), as the store's coverage has it.  A gap in the watching of
releases of at most `RELEASE_GAP` hides nothing: their lists reach back, and what came out meanwhile was read with the
next answer.  What fired and went while nobody watched is lost, so that a gap in the watching of incidents is one, but
for `INCIDENT_GAP`, in which a board is restarted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final, TypeAlias

from statusboard.metrics.windows import Stretch, joined, shared

Part: TypeAlias = tuple[str, str]
"""A source's name and its part's."""

RELEASE_GAP: Final = timedelta(days=3)
INCIDENT_GAP: Final = timedelta(hours=1)


def covered(inputs: Iterable[Sequence[Stretch]], gap: timedelta = INCIDENT_GAP) -> tuple[Stretch, ...]:
    """The time that all inputs cover; gaps of one of at most ``gap`` are none."""
    found: list[Stretch] | None = None
    for stretches in inputs:
        one = joined(stretches, gap)
        found = one if found is None else shared(found, one)
    return tuple(found or ())


def watched_together(parts: Sequence[Sequence[Stretch]]) -> tuple[Stretch, ...]:
    """When a source was watched in all the parts that it had at the time.

    A part that was added later, or is asked for no more, says nothing of the time when it was not there.
    """
    alive = [joined(stretches, INCIDENT_GAP) for stretches in parts if stretches]
    found = joined(stretch for stretches in alive for stretch in stretches)
    for stretches in alive:
        holes = [Stretch(one.until, two.since) for one, two in pairwise(stretches)]
        for hole in holes:
            found = _without(found, hole)
    return tuple(found)


def _without(stretches: Sequence[Stretch], hole: Stretch) -> list[Stretch]:
    found: list[Stretch] = []
    for stretch in stretches:
        if hole.until <= stretch.since or stretch.until <= hole.since:
            found.append(stretch)
            continue
        if stretch.since < hole.since:
            found.append(Stretch(stretch.since, hole.since))
        if hole.until < stretch.until:
            found.append(Stretch(hole.until, stretch.until))
    return found
