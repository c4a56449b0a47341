"""A whole pretend world, read as its vendors would show it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from statusboard.demo import items
from statusboard.demo.alertmanager import inhibited_by, inhibitors
from statusboard.demo.items import ALERTS, ALERTS_PLACE, BUILDBOT, DEPLOYS, GITHUB, TICKETS, Place
from statusboard.demo.records import Service
from statusboard.demo.state import State
from statusboard.model import Build, Incident, Item, Release


class Reading:
    """Reads a world as it is now, part by part, as its vendors would show it; what has not changed is not read."""

    def __init__(self, state: State, *, urls: Mapping[str, str], log: str) -> None:
        self._state = state
        self._urls = urls
        self._builders = items.builders(state.services)
        #: Each part, what it depends on in the world, and whose it is.
        self._parts: list[tuple[Place, list[str], list[Service]]] = []
        for service in state.hosted:
            name, repo = service.name, service.repo
            self._parts += [
                ((GITHUB, f"{repo} builds"), [f"builds:{name}"], [service]),
                ((GITHUB, f"{repo} releases"), [f"deployments:{name}", f"publications:{name}"], [service]),
                ((GITHUB, f"{repo} tickets"), [f"issues:{name}"], [service]),
            ]
        self._parts += [
            (ALERTS_PLACE, ["alerts"], []),
            ((BUILDBOT, "builds"), ["buildbot"], state.own),
            ((TICKETS, "issues"), ["tracker"], []),
            ((DEPLOYS, log), [f"deployments:{service.name}" for service in state.own], state.own),
        ]
        self._seen: dict[Place, int] = {}

    @property
    def places(self) -> list[Place]:
        """All parts of all sources."""
        return [place for place, _, _ in self._parts]

    def changed(self, blind: Container[str] = ()) -> list[tuple[Place, list[Item]]]:
        """The parts that are another than at the last call, with all that they hold now; none of ``blind`` sources."""
        found: list[tuple[Place, list[Item]]] = []
        for place, scopes, services in self._parts:
            revision = sum(self._state.revisions[scope] for scope in scopes)
            if place[0] not in blind and self._seen.get(place) != revision:
                self._seen[place] = revision
                found.append((place, [item for item in self._read(place, services) if item is not None]))
        return found

    def _read(self, place: Place, services: Sequence[Service]) -> Iterable[Item | None]:
        source, part = place
        if source == ALERTS:
            return firing(self._state)
        if source == TICKETS:
            return [items.ticket(each, url=self._urls["roundup"]) for each in self._state.tracker]
        if part.endswith(" tickets"):
            return [items.ticket(each, url="") for service in services for each in service.issues]
        if part.endswith("builds"):
            return [item for service in services for item in self._builds(service)]
        return [item for service in services for item in self._releases(service)]

    def _builds(self, service: Service) -> list[Build | None]:
        late = items.overtaken(service.builds) if service.ci == "actions" else set()
        return [
            items.build(each, builders=self._builders, url=self._urls["buildbot"], overtaken=each.id in late)
            for each in service.builds
        ]

    def _releases(self, service: Service) -> list[Release | None]:
        by = items.undone(service.deployments) if service.ci == "actions" else {}
        found = [items.deployment(each, undone_by=by.get(each.id, "")) for each in service.deployments]
        if service.ci == "actions":
            found += [items.publication(p, service.publications[:n]) for n, p in enumerate(service.publications)]
        return found


def firing(state: State) -> list[Incident]:
    """All alerts of a world as they are now, with who or what keeps them quiet."""
    loud = inhibitors(state.alerts)
    names = {alert.fingerprint: alert.labels["alertname"] for alert in state.alerts}
    silences = {silence.id: silence for silence in state.silences}
    found = []
    for alert in state.alerts:
        by = [silences[number] for number in state.silenced_by(alert)]
        why = {f"{silence.by}: {silence.comment}" for silence in by}
        why |= {f"inhibited by {names[number]}" for number in inhibited_by(alert, loud)}
        until = max((silence.ends for silence in by), default=None)
        item = items.incident(alert, quiet="; ".join(sorted(why)), until=until)
        if item is not None:
            found.append(item)
    return found
