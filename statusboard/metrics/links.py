"""Which release an incident followed, and how that is known.  Pure.

What a person confirmed comes first, then what the vendor declares, then the best suspect; what a person dismissed is
never taken.  A *declaration* is a label or link of the incident that names a release: by its key, its id at the
vendor, its address, its revision, or its version together with a service that both are of.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from statusboard.metrics.deployments import Episode, How, deployed_at
from statusboard.model import Annotation, Incident, Release, Severity, remote_id

DECLARING: Final = frozenset({
    "release", "first_release", "deployment", "deployment_id", "deploy", "change", "change_id", "caused_by", "cause",
    "caused by", "root cause release",
})  # fmt: skip
"""Labels and links that say which release an incident came from."""
SLIGHT: Final[frozenset[Severity]] = frozenset({"low", "info"})
"""What nobody has to see to at once; it makes no deployment a failed one unless somebody says so."""
SINCE: Final = timedelta(days=30)
"""A name in a label means a release of at most this age: versions come again."""
_SHORTEST_REVISION: Final = 7


def declares(incident: Incident) -> bool:
    """Whether it has a label or link that may name a release."""
    labels, links = incident.labels, incident.links
    return bool((labels and _declaring(tuple(labels))) or (links and _declaring(tuple(links))))


@functools.lru_cache(maxsize=1_000)
def _declaring(names: tuple[str, ...]) -> bool:
    return not DECLARING.isdisjoint(map(str.casefold, names))


class Names:
    """Deployments by what a declaration may call them; only a list of them until the first incident declares one."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[str, Release]] = {}
        self._new: list[Release] = []

    def put(self, release: Release) -> None:
        """Add a deployment, or what is newly known of it."""
        self._new.append(release)

    def _index(self) -> None:
        for release in self._new:
            for name in _names(release):
                self._by_name.setdefault(name, {})[release.key] = release
        self._new.clear()

    def declared(self, episode: Episode) -> list[Release]:
        """The releases that an incident's labels and links name: all those of the newest rollout of each name."""
        incident = episode.incident
        if not declares(incident):
            return []
        found: dict[str, Release] = {}
        for texts in (incident.labels, incident.links):
            for label, text in texts.items():
                if text and label.casefold() in DECLARING:
                    found.update((release.key, release) for release in self._named(text.strip(), episode))
        return list(found.values())

    def _named(self, name: str, episode: Episode) -> list[Release]:
        self._index()
        releases = self._by_name.get(name)
        if releases is None:
            return []
        fitting = []
        for release in releases.values():
            at = release.started_at or deployed_at(release)
            if at is None or not (at <= episode.began <= at + SINCE):
                continue
            exact = name in (release.key, release.url, remote_id(release.key))
            if exact or _related(release, episode.incident):
                fitting.append((at, release))
        if not fitting:
            return []
        newest = max(at for at, _ in fitting)
        return [release for at, release in fitting if newest - at <= timedelta(hours=24)]


def _names(release: Release) -> set[str]:
    names = {release.key, remote_id(release.key), release.url, release.version}
    if len(release.revision) >= _SHORTEST_REVISION:
        names |= {release.revision, release.revision[:12], release.revision[:8], release.revision[:7]}
    return names - {""}


def _related(release: Release, incident: Incident) -> bool:
    """Whether both are of one service; an incident that names none may be of any."""
    if release.environment and incident.environment and release.environment != incident.environment:
        return False
    return not incident.services or not set(incident.services).isdisjoint(release.services)


def told(episode: Episode, said: Sequence[Annotation], names: Names) -> tuple[tuple[str, How], ...]:
    """The keys of the releases that a person or its vendor say an episode came of, with how; empty where none does.

    ``said`` is what people said of this very episode.
    """
    if said and (confirmed := {note.text for note in said if note.what == "suspect_confirmed"}):
        return tuple((key, "confirmed") for key in sorted(confirmed))
    if declared := names.declared(episode):
        dismissed = {note.text for note in said if note.what == "suspect_dismissed"}
        if keys := [release.key for release in declared if release.key not in dismissed]:
            return tuple((key, "declared") for key in keys)
    return ()
