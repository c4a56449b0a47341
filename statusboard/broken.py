"""What broke when: incidents by when they began, to be asked what else broke at the same time.  Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Final, NamedTuple

from statusboard.model import Incident

_DAY: Final = 86_400.0
_NONE: Final[Mapping[Hashable, Incident]] = {}
_MOST: Final = 50
"""Incidents before that are looked at, and as many after: in a storm the nearest ones say enough."""


def is_incident(incident: Incident) -> bool:
    """Whether it counts at all: one that is only pending or was silenced does not."""
    return incident.state not in ("pending", "suppressed")


class _Entry(NamedTuple):
    """An incident; ``environment`` is casefolded, ``services`` are by their casefolded names."""

    began: float
    environment: str
    services: dict[str, str]


class Broken:
    """Incidents of production (by ``production``, as `statusboard.suspects.Candidates` takes it; an unknown environment
    counts) that say when they began and name a service.  One that is pending or silenced is none."""

    def __init__(self, production: Callable[[str], bool]) -> None:
        self._production = production
        self._counts: dict[str, bool] = {"": True}
        self._told: dict[Hashable, Incident] = {}
        #: Those that nobody has looked for yet, by the day on which they began.
        self._aside: dict[int, dict[Hashable, Incident]] = {}
        self._entries: dict[Hashable, _Entry] = {}
        self._begun: list[float] = []
        self._in_order: list[_Entry] = []

    def put(self, id_: Hashable, incident: Incident) -> bool:
        """Take an incident in, or its newest word; whether that says something else than before."""
        old = self._told.get(id_)
        if not self._counted(incident):
            return old is not None and self.drop(id_)
        if old is not None:
            if _entry(old) == _entry(incident):
                return False
            self.drop(id_)
        self._told[id_] = incident
        self._aside.setdefault(_day(incident), {})[id_] = incident
        return True

    def drop(self, id_: Hashable) -> bool:
        """Take one out; whether it was there."""
        incident = self._told.pop(id_, None)
        if incident is None:
            return False
        entry = self._entries.pop(id_, None)
        if entry is None:
            del self._aside[_day(incident)][id_]
            return True
        place = bisect_left(self._begun, entry.began)
        while self._in_order[place] is not entry:
            place += 1
        del self._begun[place], self._in_order[place]
        return True

    def _counted(self, incident: Incident) -> bool:
        environment = incident.environment
        if incident.started_at is None or not incident.services or not is_incident(incident):
            return False
        if environment not in self._counts:
            self._counts[environment] = self._production(environment)
        return self._counts[environment]

    def _look_at(self, since: float, until: float) -> None:
        """Put what began between two moments in order, if it is not yet: most are never asked for."""
        for day in range(int(since // _DAY), int(until // _DAY) + 1):
            for id_, incident in self._aside.pop(day, _NONE).items():
                entry = self._entries[id_] = _entry(incident)
                place = len(self._begun)
                if place and entry.began < self._begun[-1]:
                    place = bisect_right(self._begun, entry.began)
                self._begun.insert(place, entry.began)
                self._in_order.insert(place, entry)

    def beside(self, began: float, environment: str, services: Collection[str], within: float) -> dict[str, str]:
        """Other services that broke at most so many seconds before or after, by their casefolded names, in that order.

        ``services`` are those of the one that asks, casefolded: what names one of them is told of it as well.
        """
        self._look_at(began - within, began + within)
        begun = self._begun
        first, last = bisect_left(begun, began - within), bisect_right(begun, began + within)
        if last - first > _MOST:
            here = bisect_left(begun, began)
            first, last = max(first, here - _MOST), min(last, here + _MOST)
        found: dict[str, str] = {}
        for place in range(first, last):
            entry = self._in_order[place]
            if environment and entry.environment and environment != entry.environment:
                continue
            if entry.services.keys().isdisjoint(services):
                found.update(entry.services)
        return found


def _entry(incident: Incident) -> _Entry:
    services = {service.casefold(): service for service in incident.services}
    return _Entry(_began(incident), incident.environment.casefold(), services)


def _began(incident: Incident) -> float:
    assert incident.started_at is not None
    return incident.started_at.timestamp()


def _day(incident: Incident) -> int:
    return int(_began(incident) // _DAY)
