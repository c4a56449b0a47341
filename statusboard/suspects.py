"""Which releases may have caused an incident: at most three, each with its reasons in words and points.  Pure.

A release is a *candidate* when it passes the gates: a deployment to the same environment, of tier production (an
unknown one passes, unscored), begun before the incident and at most ``window`` before.  Its points are the sum of its
reasons, as `Weights` has them and docs/suspects.md tells; under ``floor`` it is no suspect.  A deployment of an older
version that begins after the incident is the cure, whatever the clocks say.

Nothing here knows what caused anything.  What a person said (`Annotation`) goes before: what was confirmed stands
first, what was dismissed is left out.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from math import log2
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from statusboard.broken import Broken
from statusboard.model import Annotation, Incident, Release
from statusboard.notes import standing
from statusboard.relations import Relation, Relations
from statusboard.rollouts import STUCK, Line, Rollout, rollouts_of
from statusboard.weights import Weights

__all__ = ["MOST", "Candidates", "Reason", "Suspect", "Weights"]

MOST: Final = 3
"""Suspects of one incident."""


class Reason(Struct, frozen=True, gc=False):
    """One thing that speaks for a suspect, or against it: ``finished 4 min before``, 27."""

    words: str
    points: int


class Suspect(Struct, frozen=True, kw_only=True, gc=False):
    """A release that may have caused an incident.  ``points`` is the sum of the reasons' points, always.

    ``release`` is the one of its ``rollout`` (the same version on several targets, in order) that is nearest to the
    incident.  ``before``: seconds from when it finished, or began where no end is known, to the incident; 0 while it
    was being rolled out, negative where by its clock it began after it.  ``related``: not time alone speaks for it, but
    what is known of services, repositories and teams.  ``confirmed_by``: who said so, ``""`` while
    nobody did; one that was confirmed and is no candidate has no reasons and 0 points.
    """

    release: Release
    points: int
    reasons: tuple[Reason, ...]
    rollout: tuple[Release, ...]
    before: float | None = None
    related: bool = True
    confirmed_by: str = ""


class _Asked(NamedTuple):
    """An incident as candidates are asked for it: when it began (seconds since 1970), where, and beside what.

    ``beside``: lines of releases on which other services stand that broke at the same time, with these; no release has
    to do with more than ``most`` of them.
    """

    incident: Incident
    began: float
    environment: str
    target: str
    beside: Mapping[Line, Sequence[str]] = {}
    most: int = 0


_How: TypeAlias = Literal["finished", "during", "began", "after"]


class _Near(NamedTuple):
    """How near a rollout comes to an incident: seconds, in what sense, and which of its releases that is."""

    before: float
    how: _How
    release: Release


#: Points of a rollout by itself: time, failed, undone, rollback, beside, size.
_Parts: TypeAlias = tuple[int, int, int, int, int, int]
#: Points, those of the relation, its words, the rollout and what it is worth itself.
_Entry: TypeAlias = tuple[int, int, str, Rollout, _Parts]


class _Best:
    """The best entries so far, best first; ``least``: with fewer points nothing is among them.

    ``looked``: the ids of rollouts that need not be looked at, or no more.
    """

    __slots__ = ("entries", "least", "looked", "most")

    def __init__(self, floor: int, most: int, looked: set[int]) -> None:
        self.least = floor
        self.looked = looked
        self.most = most
        self.entries: list[_Entry] = []

    def enter(self, entry: _Entry) -> None:
        if not self.entries or (self.most == 1 and entry[0] > self.entries[0][0]):
            self.entries[:] = [entry]
        else:
            insort(self.entries, entry, key=_order)
        del self.entries[self.most :]
        if len(self.entries) == self.most:
            self.least = max(self.least, self.entries[-1][0])


def _order(entry: _Entry) -> tuple[int, float, str]:
    return -entry[0], -entry[3].began, entry[3].releases[0].key


_NO_DEPENDENCIES: Final[Mapping[str, Collection[str]]] = {}
_REMEMBERED: Final = 20_000
"""Different counts of commits of which is remembered what they are worth."""


class Candidates:
    """Releases by time and relation: made once, asked for many incidents.

    ``depends_on``: service -> the services that it depends on.  ``production`` says of an environment whether it
    counts; it is asked once for each.
    """

    def __init__(
        self,
        releases: Iterable[Release],
        *,
        weights: Weights | None = None,
        depends_on: Mapping[str, Collection[str]] = _NO_DEPENDENCIES,
        production: Callable[[str], bool],
    ) -> None:
        self.weights = weights or Weights()
        self._relations = Relations(self.weights, depends_on)
        self._broken = Broken(production)
        weights = self.weights
        self._worth_beside = [round(weights.beside * (1 - 0.5**count)) for count in range(_MANY + 1)]
        self._sizes: dict[int, int] = {}
        self._farthest = _reach(weights, 0)
        self._reaches = [_reach(weights, points) for points in range(weights.time + weights.slow_time + 1)]
        self._by_key: dict[str, Rollout] = {}
        for rollout in rollouts_of(releases, production):
            self.add(rollout)

    def add(self, rollout: Rollout, *, aside: bool = False) -> None:
        """Take one more in: for whoever keeps `rollouts_of` themselves and learns of some later.

        ``aside``: quickly, of many of which few are asked for; the first to ask for one waits for those of two days.
        """
        for release in rollout.releases:
            self._by_key[release.key] = rollout
        if aside:
            self._relations.lay_aside(rollout)
        else:
            self._relations.add(rollout)

    def drop(self, rollout: Rollout) -> None:
        """Take out one that is no longer what it was; the very one that was taken in."""
        for release in rollout.releases:
            if self._by_key.get(release.key) is rollout:
                del self._by_key[release.key]
        self._relations.drop(rollout)

    def put_incident(self, id_: Hashable, incident: Incident) -> bool:
        """Take an incident in, or its newest word: what breaks at the same time says something of its cause.

        Whether others may have other suspects for it.
        """
        return self._broken.put(id_, incident)

    def drop_incident(self, id_: Hashable) -> bool:
        """Take one out; whether others may have other suspects for it."""
        return self._broken.drop(id_)

    def known(self) -> object:
        """What is known of services, repositories and teams, in order: with it, and with the same rollouts and
        incidents around it, an incident has the same suspects."""
        return self._relations.known()

    # -- one incident --------------------------------------------------------------------------------------------

    def of(self, incident: Incident, said: Iterable[Annotation] = ()) -> list[Suspect]:
        """The suspects of an incident, best first, at most `MOST`; none where nothing passes the floor.

        ``said`` are people's annotations of it.  Of an incident that does not say when it began nothing can be told.
        """
        verdicts = standing(said, incident)
        first = [suspect for note in verdicts if (suspect := self._confirmed(note, incident)) is not None]
        asked = self._asked(incident)
        if asked is None:
            return first[:MOST]
        return [*first, *(self._suspect(entry, asked) for entry in self._best(asked, verdicts, MOST))][:MOST]

    def first(self, incident: Incident, said: Iterable[Annotation] = ()) -> Release | None:
        """The release of the best suspect that nobody has dismissed, without its reasons: quick, for many."""
        asked = self._asked(incident)
        if asked is None:
            return None
        best = self._best(asked, standing(said, incident) if said else (), 1)
        if not best:
            return None
        rollout = best[0][3]
        return self._near(rollout, asked).release if len(rollout.releases) > 1 else rollout.releases[0]

    def _best(self, asked: _Asked, verdicts: Sequence[Annotation], most: int) -> list[_Entry]:
        """The best candidates of which nobody has said anything."""
        said = {id(self._by_key.get(note.text)) for note in verdicts if note.what in _VERDICTS}
        best = _Best(self.weights.floor, most, said)
        for relation in self._relations.of(asked.incident):
            self._look(best, asked, relation)
        self._look(best, asked, self._relations.none)
        return best.entries

    def _look(self, best: _Best, asked: _Asked, relation: Relation) -> None:
        """Look at the rollouts of a line that may be among the best.

        Time is worth less and less: from the first on that was out too long before, no other need be looked at.
        """
        weights, began, looked = self.weights, asked.began, best.looked
        beside = self._worth_beside[asked.most]
        base = relation.worth + weights.size + beside
        failed = base + weights.failed
        most_of = (failed + weights.rolled_back_later, failed, failed, base)
        until, window = began + weights.tolerance, weights.window
        stand, lines_of = asked.beside.keys(), self._relations.lines_of
        for row in relation.line.rows:
            least = best.least - most_of[row.kind]
            place = bisect_right(row.begun, until) if (reach := self._reach(least)) >= 0.0 else 0
            while place:
                place -= 1
                late = began - row.begun[place]
                if late > window or late - row.longest > reach:
                    break
                rollout = row.rollouts[place]
                late -= rollout.lasted
                if late > reach or id(rollout) in looked:
                    continue
                if beside and stand.isdisjoint(lines_of[rollout]) and late > self._reach(least + beside):
                    continue
                looked.add(id(rollout))
                self._enter(best, asked, rollout, relation)
                least = best.least - most_of[row.kind]
                reach = self._reach(least)

    def _reach(self, points: int) -> float:
        """Seconds after which time is no longer worth so many points, rounded; less than 0 where it never is."""
        if points < 1:
            return self._farthest
        return self._reaches[points] if points < len(self._reaches) else -1.0

    def _enter(self, best: _Best, asked: _Asked, rollout: Rollout, relation: Relation) -> None:
        parts = self._parts(rollout, asked)
        if parts is None:
            return
        if rollout in self._relations.titled:
            relation = self._relations.to(rollout, asked.incident)
        points = relation.worth + sum(parts)
        if points >= best.least:
            best.enter((points, relation.worth, relation.words, rollout, parts))

    def _asked(self, incident: Incident) -> _Asked | None:
        """What is asked of candidates; None of an incident that does not say when it began."""
        if incident.started_at is None:
            return None
        began, environment = incident.started_at.timestamp(), incident.environment.casefold()
        self._relations.look_at(began - self.weights.window, began + self.weights.tolerance)
        target = incident.target.casefold()
        own = [service.casefold() for service in incident.services]
        others = self._broken.beside(began, environment, own, self.weights.at_once)
        if not others:
            return _Asked(incident, began, environment, target)
        beside = self._relations.under(others)
        counts = sorted(map(len, beside.values()), reverse=True)
        most = min(sum(counts[: self._relations.most_services]), _MANY)
        return _Asked(incident, began, environment, target, beside, most)

    def _beside(self, rollout: Rollout, asked: _Asked) -> Sequence[str]:
        """The services that broke at the same time and are the rollout's or depend on it."""
        beside = asked.beside
        found = [beside[line] for line in self._relations.lines_of[rollout] if line in beside]
        if len(found) < 2:
            return found[0] if found else ()
        return list(dict.fromkeys(chain.from_iterable(found)))

    # -- one candidate -------------------------------------------------------------------------------------------

    def _parts(self, rollout: Rollout, asked: _Asked) -> _Parts | None:
        """What the rollout itself is worth; None where it does not pass the gates."""
        weights, began = self.weights, asked.began
        environment = rollout.environment
        if environment and asked.environment and environment != asked.environment:
            return None
        if rollout.undoes and rollout.began > began:
            return None
        if len(rollout.starts) == 1:
            end = rollout.ends[0]
            if end is not None and end <= began:  # as of nearly all
                before = began - end
            else:
                before = _distance(began, rollout.starts[0], end, rollout.releases[0])[0]
        else:
            before = self._near(rollout, asked).before
        undone = 0
        if rollout.undone:
            later = rollout.undone_at is None or rollout.undone_at > began
            undone = weights.rolled_back_later if later else weights.rolled_back_before
        return (
            round(_time(weights, before)),
            weights.failed if rollout.failed else 0,
            undone,
            weights.rollback if rollout.undoes else 0,
            self._worth_beside[min(len(self._beside(rollout, asked)), _MANY)] if asked.beside else 0,
            self._sizes[rollout.commits] if rollout.commits in self._sizes else self._size(rollout.commits),
        )

    def _size(self, commits: int) -> int:
        """What it is worth that a rollout brings so many commits."""
        points = round(self.weights.size * min(1.0, log2(commits) / 6)) if commits else 0
        if len(self._sizes) < _REMEMBERED:
            self._sizes[commits] = points
        return points

    def _near(self, rollout: Rollout, asked: _Asked) -> _Near:
        """How near it comes: on the incident's own target where it has begun there, else as a whole."""
        began, starts = asked.began, rollout.starts
        places: Sequence[int] = range(bisect_right(starts, began) or 1) if len(starts) > 1 else _FIRST
        if asked.target and len(places) > 1:
            places = [n for n in places if rollout.releases[n].target.casefold() == asked.target] or places
        best: _Near | None = None
        for place in places:
            release = rollout.releases[place]
            near = _Near(*_distance(began, starts[place], rollout.ends[place], release), release)
            if best is None or near.before <= best.before:
                best = near
        assert best is not None
        return best

    # -- in words ------------------------------------------------------------------------------------------------

    def _suspect(self, entry: _Entry, asked: _Asked, confirmed_by: str = "") -> Suspect:
        points, worth, related, rollout, (time, failed, undone, rollback, beside, size) = entry
        near = self._near(rollout, asked)
        undone_words = "rolled back"
        if rollout.undone_at is not None:
            undone_words = f"rolled back {'later' if rollout.undone_at > asked.began else 'before'}"
        said = [
            (related or ("" if beside else "nothing known relates them"), worth),
            (_time_words(near, rollout, asked), time),
            ("failed", failed),
            (undone_words, undone),
            ("is a rollback", rollback),
            (_beside_words(sorted(self._beside(rollout, asked)), rollout), beside),
            ("1 commit" if rollout.commits == 1 else f"{rollout.commits} commits", size),
        ]
        reasons = tuple(Reason(words, n) for place, (words, n) in enumerate(said) if n or (place < 2 and words))
        return Suspect(
            release=near.release,
            points=points,
            reasons=reasons,
            rollout=rollout.releases,
            before=near.before,
            related=bool(worth or beside),
            confirmed_by=confirmed_by,
        )

    def _confirmed(self, note: Annotation, incident: Incident) -> Suspect | None:
        """The release that a person confirmed, with its points where it is a candidate, whatever the floor."""
        rollout = self._by_key.get(note.text)
        if note.what != "suspect_confirmed" or rollout is None:
            return None
        release = next(release for release in rollout.releases if release.key == note.text)
        author = note.author or "somebody"
        asked = self._asked(incident)
        if asked is not None:
            self._relations.look_at(rollout.began, rollout.began)
            parts = self._parts(rollout, asked)
            within = -self.weights.tolerance <= asked.began - rollout.began <= self.weights.window
            if parts is not None and within:
                _, worth, words = self._relations.to(rollout, incident)
                return self._suspect((worth + sum(parts), worth, words, rollout, parts), asked, author)
        return Suspect(release=release, points=0, reasons=(), rollout=rollout.releases, confirmed_by=author)


_VERDICTS: Final = frozenset({"suspect_confirmed", "suspect_dismissed"})
_FIRST: Final = range(1)
_MANY: Final = 8
"""Others that broke too: more are worth no more."""
_NAMED: Final = 2
"""Of which so many are named."""


def _time(weights: Weights, before: float) -> float:
    """What it is worth to have finished so many seconds before; of what began after that it might be the clocks."""
    if before < 0.0:
        points: float = (weights.time + weights.slow_time) * 0.5 ** (-before / (weights.tolerance or 1.0))
    else:
        points = weights.time * 0.5 ** (before / weights.half_life)
        points += weights.slow_time * 0.5 ** (before / weights.slow_half_life)
    return points


def _reach(weights: Weights, points: int) -> float:
    """See `Candidates._reach`; to the second, rather too long."""
    least = points - 0.5
    if _time(weights, 0.0) < least:
        return -1.0
    near, far = 0.0, float(weights.window + weights.tolerance) + 1.0
    if _time(weights, far) >= least:
        return far
    while far - near > 1.0:
        middle = (near + far) / 2
        near, far = (middle, far) if _time(weights, middle) >= least else (near, middle)
    return far


def _distance(began: float, start: float, end: float | None, release: Release) -> tuple[float, _How]:
    """How near one release comes to an incident that began then: seconds, and in what sense."""
    if start > began:
        return began - start, "after"
    if end is None:
        if release.state != "running" or began - start > STUCK:
            return began - start, "began"
        return 0.0, "during"
    return (0.0, "during") if end > began else (began - end, "finished")


def _time_words(near: _Near, rollout: Rollout, asked: _Asked) -> str:
    """When it was, beside the incident; and on how many of its targets by then."""
    if near.how == "during":
        words = "was being rolled out"
    elif near.how == "after":
        words = f"began {_length(-near.before)} after, by its clock"
    else:
        words = f"{near.how} {_length(near.before)} before"
    count = len(rollout.releases)
    if count == 1:
        return words
    return f"{words}, {max(1, bisect_right(rollout.starts, asked.began))}/{count} targets"


def _beside_words(services: Sequence[str], rollout: Rollout) -> str:
    """Who broke too, and why that says something: it is the service itself, or stands on it."""
    own = {service.casefold() for service in rollout.releases[0].services}
    if any(service.casefold() in own for service in services):
        return f"{_listed(services)} broke too"
    return f"{_listed(services)}, which {'depends' if len(services) == 1 else 'depend'} on it, broke too"


def _listed(services: Sequence[str]) -> str:
    """``cart, search and 3 more``."""
    if len(services) > _NAMED + 1:
        return f"{', '.join(services[:_NAMED])} and {len(services) - _NAMED} more"
    return " and ".join(filter(None, (", ".join(services[:-1]), services[-1] if services else "")))


def _length(seconds: float) -> str:
    """A length of time as people say it: ``40 s``, ``4 min``, ``3 h``."""
    if seconds < 59.5:
        return f"{round(seconds)} s"
    if seconds < 5_970:  # up to 99 min
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3_600:
        return f"{round(seconds / 3_600)} h"
    return f"{round(seconds / 86_400)} d"
