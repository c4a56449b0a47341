"""The deployments of a scope by when they came out, and those of them that each number is about.  Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from msgspec import Struct

from statusboard.metrics import steps
from statusboard.metrics.deployments import Deployment, Line
from statusboard.metrics.windows import Stretch

_WHEN: Final = attrgetter("at")
_LINE: Final = attrgetter("line")
#: What is in each of the lists of a `Record`.
_COUNTS: Final[tuple[Callable[[Deployment], object], ...]] = (
    lambda deployment: True,
    attrgetter("came_out"),
    lambda deployment: deployment.came_out and deployment.new,
    attrgetter("failure"),
    attrgetter("rework"),
)


class Record(Struct, frozen=True):
    """Deployments by when they came out.

    Of ``all``, ``out`` came out at all, ``fresh`` came out and brought something new, ``failed`` have failed and
    ``rework`` mended another one.
    """

    all: Sequence[Deployment]
    out: Sequence[Deployment]
    fresh: Sequence[Deployment]
    failed: Sequence[Deployment]
    rework: Sequence[Deployment]

    @classmethod
    def of(cls, deployments: Sequence[Deployment]) -> Record:
        """Of deployments in the order in which they came out."""
        return steps.done(cls.sorting(deployments))

    @classmethod
    def sorting(cls, deployments: Sequence[Deployment]) -> Generator[None, None, Record]:
        """`of`, in steps."""
        lists: list[Sequence[Deployment]] = []
        for counts in _COUNTS:
            lists.append(list(filter(counts, deployments)))
            yield
        return cls(*lists)

    def moved(self, line: Line, before: Sequence[Deployment], after: Sequence[Deployment]) -> Record:
        """The same after what this line had ``before`` has become others: quick where that are few of many."""
        old, new = {id(deployment) for deployment in before}, {id(deployment) for deployment in after}
        times = {deployment.at for deployment in before if id(deployment) not in new}
        times |= {deployment.at for deployment in after if id(deployment) not in old}
        lists = (self.all, self.out, self.fresh, self.failed, self.rework)
        return Record(*(_moved(each, counts, line, after, times) for each, counts in zip(lists, _COUNTS, strict=True)))

    def within(self, stretches: Sequence[Stretch]) -> Record:
        """Those that came out in these stretches, which are in order and lie apart."""
        return Record(
            _within(self.all, stretches),
            _within(self.out, stretches),
            _within(self.fresh, stretches),
            _within(self.failed, stretches),
            _within(self.rework, stretches),
        )


def _within(deployments: Sequence[Deployment], stretches: Sequence[Stretch]) -> Sequence[Deployment]:
    found: list[Deployment] = []
    for stretch in stretches:
        since = bisect_left(deployments, stretch.since, key=_WHEN)
        found += deployments[since : bisect_left(deployments, stretch.until, lo=since, key=_WHEN)]
    return found


def _moved(
    deployments: Sequence[Deployment],
    counts: Callable[[Deployment], object],
    line: Line,
    after: Sequence[Deployment],
    times: Iterable[datetime],
) -> Sequence[Deployment]:
    found = list(deployments)
    for at in times:
        since, until = _at(found, at)
        here = [deployment for deployment in found[since:until] if deployment.line != line]
        here += filter(counts, after[slice(*_at(after, at))])
        found[since:until] = sorted(here, key=_LINE)
    return found


def _at(deployments: Sequence[Deployment], at: datetime) -> tuple[int, int]:
    """From where to where those are that came out at a moment."""
    since = bisect_left(deployments, at, key=_WHEN)
    return since, bisect_right(deployments, at, lo=since, key=_WHEN)


def in_order(lines: Iterable[Sequence[Deployment]]) -> Generator[None, None, list[Deployment]]:
    """The deployments of lines that come in order: what came out at one moment is in the same order everywhere.

    In steps.
    """
    return steps.ordered(lines, _WHEN)
