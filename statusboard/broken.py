"""What broke when: incidents by when they began, to be asked what else broke at the same time.  Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Hashable
from typing import Final, NamedTuple

from statusboard.model import Incident

_NOT_BROKEN: Final = frozenset({"pending", "suppressed"})
_MOST: Final = 50
"""Incidents before that are looked at, and as many after: in a storm the nearest ones say enough."""


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
        self._entries: dict[Hashable, _Entry] = {}
        self._begun: list[float] = []
        self._in_order: list[_Entry] = []

    def put(self, id_: Hashable, incident: Incident) -> bool:
        """Take an incident in, or its newest word; whether that says something else than before."""
        entry = self._entry(incident)
        old = self._entries.get(id_)
        if entry == old:
            return False
        if old is not None:
            self.drop(id_)
        if entry is not None:
            self._entries[id_] = entry
            place = len(self._begun)
            if place and entry.began < self._begun[-1]:
                place = bisect_right(self._begun, entry.began)
            self._begun.insert(place, entry.began)
            self._in_order.insert(place, entry)
        return True

    def drop(self, id_: Hashable) -> bool:
        """Take one out; whether it was there."""
        entry = self._entries.pop(id_, None)
        if entry is None:
            return False
        place = bisect_left(self._begun, entry.began)
        while self._in_order[place] is not entry:
            place += 1
        del self._begun[place], self._in_order[place]
        return True

    def beside(self, began: float, environment: str, services: Collection[str], within: float) -> dict[str, str]:
        """Other services that broke at most so many seconds before or after, by their casefolded names, in that order.

        ``services`` are those of the one that asks, casefolded: what names one of them is told of it as well.
        """
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

    def _entry(self, incident: Incident) -> _Entry | None:
        environment = incident.environment
        if incident.started_at is None or not incident.services or incident.state in _NOT_BROKEN:
            return None
        if environment not in self._counts:
            self._counts[environment] = self._production(environment)
        if not self._counts[environment]:
            return None
        services = {service.casefold(): service for service in incident.services}
        return _Entry(incident.started_at.timestamp(), environment.casefold(), services)
