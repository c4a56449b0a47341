"""Kubernetes' objects as the board's items.  Pure, but for `Memory`, which knows the rollouts before the newest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import quote

import msgspec

from sources._kubernetes import (
    AVAILABLE,
    GROUPS,
    HISTORY,
    REVISIONS,
    Object,
    Resource,
    Told,
    image_of,
    past_of,
    told_of,
)
from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import BadAnswer, Incident, Release, parse_time

#: How many earlier rollouts of a workload are kept in mind.
PAST: Final = 2
#: Resources whose rollouts are numbered and timed, but not listed once they are over.
REMEMBERED: Final[tuple[Resource, ...]] = ("deployments", "rollouts")
_NAMES: Final = ("app.kubernetes.io/name", "app", "k8s-app")
_UNFINISHED: Final = frozenset({"queued", "running", "blocked"})


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's options say of all its items."""

    source: str
    cluster: str = ""
    environments: Mapping[str, str] = {}
    link: str = ""

    def common(self, resource: Resource, thing: Object) -> dict[str, Any]:
        """The fields that releases and incidents share."""
        labels = {name: value for name, value in (thing.meta.labels or {}).items() if value}
        what = "" if resource == "deployments" else GROUPS[resource][1]
        matching = (env for pattern, env in self.environments.items() if fnmatchcase(thing.namespace, pattern))
        link = self.link
        for name, value in (("namespace", thing.namespace), ("name", thing.name), ("resource", resource)):
            link = link.replace(f"{{{name}}}", quote(value, safe=""))
        return {
            "source": self.source,
            "services": (next((labels[name] for name in _NAMES if name in labels), thing.name),),
            "environment": next(matching, ""),
            # Two workloads of one service must not hide each other.
            "target": "/".join(filter(None, (self.cluster, thing.namespace, what, thing.name))),
            "url": link,
            "labels": {**labels, "namespace": thing.namespace},
        }

    def key(self, kind: str, resource: Resource, thing: Object, more: str) -> str:
        return f"{self.source}:{kind}:{remote_id(f'{resource}/{thing.namespace}/{thing.name}{more}')}"


# -- releases ----------------------------------------------------------------------------------------------------------


def release_of(place: Place, resource: Resource, thing: Object, told: Told, began: datetime | None = None) -> Release:
    """One rollout of an object; ``began`` is when, where its ReplicaSet tells."""
    return Release(
        key=place.key("release", resource, thing, f"@{told.number}" if told.number else ""),
        title=" ".join(filter(None, (thing.name, told.version))),
        description=thing.meta.annotation("kubernetes.io/change-cause") or image_of(thing),
        state=told.state,
        raw_state=told.raw_state,
        reason=told.reason,
        version=told.version,
        revision=told.revision,
        previous_version=told.previous_version,
        started_at=began or told.started_at,
        updated_at=told.ended_at,
        ended_at=told.ended_at,
        **place.common(resource, thing),
    )


class Memory:
    """The rollouts of the objects in one list: those that the list no longer tells of, and when they began.

    ``blind``: when they began could not be asked for last time.
    """

    def __init__(self) -> None:
        self.blind = False
        self._began: dict[tuple[str, str], datetime | None] = {}
        self._releases: dict[str, list[Release]] = {}
        self._next: dict[str, list[Release]] = {}

    def unknown(self, things: Iterable[Object]) -> bool:
        """Whether there are rollouts that we do not know the beginning of."""
        self._began = {at: self._began[at] for thing in things if (at := _rollout(thing)) in self._began}
        return any(_rollout(thing) not in self._began for thing in things)

    def learn(self, things: Iterable[Object], replicasets: Iterable[Object]) -> None:
        """Note when rollouts began: when their ReplicaSet was born.

        One that served an earlier rollout as well was born for that, and says nothing of this one.
        """
        born: dict[tuple[str, str], datetime | None] = {}
        for meta in (row.metadata for row in replicasets):
            for owner in (meta.owner_references if meta else None) or ():
                if meta and owner.uid and (number := meta.annotation(*REVISIONS)):
                    again = meta.annotation(*HISTORY)
                    born[owner.uid, number] = None if again else parse_time(meta.creation_timestamp)
        self._began = {at: born.get(at) for at in map(_rollout, things)}

    def begin(self) -> None:
        """An answer is about to be read."""
        self._next = {}

    def end(self) -> None:
        """It was read in full: what it did not tell of is gone."""
        self._releases = self._next

    def releases(self, place: Place, resource: Resource, thing: Object) -> list[Release]:
        """The newest rollout of an object, and those before it that are known."""
        told = told_of(resource, thing)
        newest = release_of(place, resource, thing, told, self._began.get(_rollout(thing)))
        name = thing.meta.uid or f"{thing.namespace}/{thing.name}"
        known = self._releases.get(name, [])
        if told.again and known and (known[0].key, known[0].state) == (newest.key, "success"):
            newest = known[0]  # what was applied well is looked at once more
        before = [_replaced(old, newest) for old in known if old.key != newest.key][:PAST]
        self._next[name] = known if told.early else [newest, *before]
        if resource == "helmreleases":
            before = [release_of(place, resource, thing, told) for told in past_of(thing)]
        return [newest, *before]


def _rollout(thing: Object) -> tuple[str, str]:
    return (thing.metadata.uid or "", thing.metadata.annotation(*REVISIONS)) if thing.metadata else ("", "")


def _replaced(old: Release, by: Release) -> Release:
    """An earlier rollout beside the newest: one that was never seen to end has come to nothing."""
    if old.state not in _UNFINISHED:
        return old
    return msgspec.structs.replace(old, state="cancelled", reason=f"replaced by {by.version or 'the next rollout'}")


# -- incidents ---------------------------------------------------------------------------------------------------------


def unavailable(place: Place, resource: Resource, thing: Object) -> Incident | None:
    """A workload that has not enough pods; None for one that has."""
    if resource in ("statefulsets", "daemonsets"):
        return _too_few(place, resource, thing)
    available = thing.condition("Available")
    if available is None:
        if thing.observed and resource == "deployments":
            raise BadAnswer("no condition Available")
        return None
    state = meaning(AVAILABLE, available.status)
    if state == "resolved":
        return None
    have = thing.told.available_replicas or 0
    since = parse_time(available.last_transition_time)
    if state == "open" and not have and _starts(thing, since):
        state = "pending"
    return Incident(
        key=place.key("incident", resource, thing, "/available"),
        state=state,
        raw_state=f"Available={available.words}",
        severity="medium" if have else "high",
        title=f"{thing.name}: {_lack(have)}",
        description=available.message or "",
        started_at=since,
        updated_at=since,
        **place.common(resource, thing),
    )


def cannot_create(place: Place, resource: Resource, thing: Object) -> Incident | None:
    """A workload whose pods are refused (a quota, an admission webhook); None for all others."""
    failure = thing.condition("ReplicaFailure")
    word = (failure.status or "").lower() if failure else "false"
    if failure is None or word == "false":
        return None
    since = parse_time(failure.last_transition_time)
    return Incident(
        key=place.key("incident", resource, thing, "/replicafailure"),
        state="open" if word == "true" else "unknown",
        raw_state=f"ReplicaFailure={failure.words}",
        severity="medium",
        title=f"{thing.name}: pods cannot be created",
        description=failure.message or "",
        started_at=since,
        updated_at=since,
        **place.common(resource, thing),
    )


def _starts(thing: Object, since: datetime | None) -> bool:
    """Whether none of its pods has ever been there, and its first rollout has not failed."""
    born, progress = parse_time(thing.meta.creation_timestamp), thing.condition("Progressing")
    first = thing.meta.annotation(*REVISIONS) == "1" and since is not None and born is not None
    unseen = first and since is not None and born is not None and (since - born).total_seconds() <= 5
    return unseen and progress is not None and progress.words.lower().startswith("true")


def _too_few(place: Place, resource: Resource, thing: Object) -> Incident | None:
    """StatefulSets and DaemonSets have no conditions, and say nothing of since when.

    One node more, or one pod after the other in a rollout, is no incident: of a DaemonSet, and of a StatefulSet while
    it is rolled out, only that none at all is available is one.
    """
    status = thing.told
    if status.observed_generation is None and need(thing.meta.generation, "generation") == 1:
        return None  # born this moment
    need(status.observed_generation, "observedGeneration")
    if resource == "statefulsets":
        have, wanted = status.available_replicas or 0, thing.wanted
        rolling = need(status.update_revision, "updateRevision") != need(status.current_revision, "currentRevision")
    else:
        have, wanted = status.number_available or 0, need(status.desired_number_scheduled, "desiredNumberScheduled")
        rolling = True
    if have >= wanted or (have and (rolling or not thing.observed)):
        return None
    return Incident(
        key=place.key("incident", resource, thing, "/available"),
        state="open",
        raw_state="too few pods",
        severity="medium" if have else "high",
        title=f"{thing.name}: {_lack(have)}",
        **place.common(resource, thing),
    )


def _lack(have: int) -> str:
    return "not enough pods are available" if have else "no pod is available"
