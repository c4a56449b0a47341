"""Whose rollouts are whose, and what of that relates an incident to them.  Pure.

Rollouts lie in lines: of each service, repository and team.  One whose title begins with the name of a service, as
``checkout 1.4.2 to production`` does, lies in that service's line too, though none of its releases says so.  Names are
compared casefolded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from math import log2
from typing import Final, NamedTuple, TypeAlias

from statusboard.model import Incident, Release
from statusboard.rollouts import Line, Rollout
from statusboard.weights import Weights

_REMEMBERED: Final = 20_000
"""Different incidents (by service, team, repository and title) whose relations are remembered."""
_DAY: Final = 86_400.0
_AROUND: Final = "()[]{}<>:;,.\"'`*#"

_Whose: TypeAlias = tuple[tuple[str, ...], str, str, str]


class Relation(NamedTuple):
    """A line of rollouts that has to do with an incident, what that is worth, and in words."""

    line: Line
    worth: int
    words: str


class Relations:
    """Lines of rollouts.  ``depends_on``: service -> the services that it depends on."""

    def __init__(self, weights: Weights, depends_on: Mapping[str, Collection[str]]) -> None:
        #: All rollouts, and that there is no relation to them.
        self.none = Relation(Line(), 0, "")
        #: Of how many services a rollout is at most, as it says or by its title.
        self.most_services = 1
        #: All lines in which a rollout lies, once it is in them.
        self.lines_of: dict[Rollout, list[Line]] = {}
        #: Rollouts that were laid aside, by the day on which they began.
        self._aside: dict[int, dict[Rollout, None]] = {}
        self._heard: set[tuple[tuple[str, ...], str, str]] = set()
        #: The services that rollouts are of by their title alone.
        self.titled: dict[Rollout, str] = {}
        self._weights = weights
        self._depends_on = {service.casefold(): tuple(names) for service, names in depends_on.items()}
        self._needed_by = Counter(name.casefold() for names in self._depends_on.values() for name in set(names))
        self._services: dict[str, Line] = {}
        self._named: set[str] = set()
        #: What titles begin with that nobody names as a service, so far.
        self._unknown: dict[str, dict[Rollout, None]] = {}
        self._repositories: dict[str, Line] = {}
        self._teams: dict[str, Line] = {}
        self._lines: dict[_Whose, list[Line]] = {}
        #: Of each repository whose releases, as they were named together.
        self._released_from: dict[str, set[frozenset[str]]] = {}
        self._repositories_of: dict[str, dict[str, None]] = {}
        self._services_of: dict[str, dict[str, None]] = {}
        self._found: dict[_Whose, list[Relation]] = {}
        #: Of each service the lines of what it stands on.
        self._under: dict[str, list[Line]] = {}

    # -- of rollouts ---------------------------------------------------------------------------------------------

    def add(self, rollout: Rollout) -> None:
        """Put a rollout in its lines."""
        first = rollout.releases[0]
        word = _titled(first)
        if word and word not in self._named:
            self._unknown.setdefault(word, {})[rollout] = None
            word = ""
        elif word:
            self.titled[rollout] = word
        whose = (first.services, first.repository, first.team, word)
        lines = self._lines.get(whose)
        if lines is None:
            lines = self._lines[whose] = list(self._find_lines(*whose))
        self.lines_of[rollout] = lines
        for line in lines:
            line.row_of(rollout).add(rollout)

    def lay_aside(self, rollout: Rollout) -> None:
        """Note whose a rollout is, and put it in its lines when `look_at` comes to it: most are never asked for."""
        first = rollout.releases[0]
        whose = (first.services, first.repository, first.team)
        if whose not in self._heard:
            self._heard.add(whose)
            for _ in self._find_lines(*whose, ""):
                pass
        self._aside.setdefault(int(rollout.began // _DAY), {})[rollout] = None

    def look_at(self, since: float, until: float) -> None:
        """Put in its lines what was laid aside and began between two moments."""
        for day in range(int(since // _DAY), int(until // _DAY) + 1):
            for rollout in self._aside.pop(day, ()):
                self.add(rollout)

    def drop(self, rollout: Rollout) -> None:
        """Take it out again."""
        aside = self._aside.get(int(rollout.began // _DAY))
        if aside is not None and rollout in aside:
            del aside[rollout]
            return
        for line in self.lines_of.pop(rollout):
            line.row_of(rollout).drop(rollout)
        if self.titled.pop(rollout, None) is None:
            self._unknown.get(_titled(rollout.releases[0]), {}).pop(rollout, None)

    def _name(self, names: Collection[str]) -> None:
        """Some services are named: what said so before by its title alone is theirs too."""
        self._named.update(names)
        self._found.clear()
        for name in names:
            for rollout in self._unknown.pop(name, ()):
                self.drop(rollout)
                self.add(rollout)

    def _find_lines(self, services: tuple[str, ...], repository: str, team: str, word: str) -> Iterator[Line]:
        yield self.none.line
        repository, team = repository.casefold(), team.casefold()
        names = frozenset(name.casefold() for name in services)
        if not names <= self._named:
            self._name(names - self._named)
        meant = sorted({*names, word} - {""})
        self.most_services = max(self.most_services, len(meant))
        for service in meant:
            yield self._line(self._services, service)
            if repository and service in names:
                self._note(self._repositories_of.setdefault(service, {}), repository)
        if repository:
            yield self._line(self._repositories, repository)
            if names not in (released := self._released_from.setdefault(repository, set())):
                released.add(names)
                self._found.clear()
        if team:
            yield self._line(self._teams, team)
            for name in services:
                self._note(self._services_of.setdefault(team, {}), name)

    def _line(self, lines: dict[str, Line], name: str) -> Line:
        if name not in lines:
            lines[name] = Line()
            self._found.clear()  # which know no such line
            self._under.clear()
        return lines[name]

    def _note(self, known: dict[str, None], name: str) -> None:
        if name not in known:
            known[name] = None
            self._found.clear()

    # -- to incidents --------------------------------------------------------------------------------------------

    def of(self, incident: Incident) -> list[Relation]:
        """The lines that have to do with an incident, what is worth most first."""
        word = "" if incident.services else first_word(incident.title)
        key = (incident.services, incident.repository, incident.team, word)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            related = [
                *self._by_service(incident.services, word),
                *self._by_repository(incident),
                *self._by_team(incident),
            ]
            found = self._found[key] = sorted(related, key=lambda relation: -relation.worth)
        return found

    def to(self, rollout: Rollout, incident: Incident) -> Relation:
        """What relates an incident to one rollout, the best of it."""
        lines, titled = self.lines_of[rollout], self._services.get(self.titled.get(rollout, ""))
        found = [relation for relation in self.of(incident) if relation.line in lines]
        told = [self._by_title(relation) if relation.line is titled else relation for relation in found]
        return max(told, key=lambda relation: relation.worth, default=self.none)

    def _by_title(self, relation: Relation) -> Relation:
        line, worth, words = relation
        return Relation(line, max(0, worth + self._weights.by_title), f"{words}, by its title")

    def _by_service(self, services: Iterable[str], word: str) -> Iterator[Relation]:
        weights = self._weights
        for service in services:
            for name, worth, words in self._below(service):
                yield from _relation(self._services.get(name), worth, words)
        if word in self._named:
            for name, worth, words in self._below(word):
                words = f"{words}, by the incident's title"
                yield from _relation(self._services.get(name), worth + weights.by_title, words)

    def _below(self, service: str) -> Iterator[tuple[str, int, str]]:
        """The casefolded names of a service and of what it stands on, with what that is worth."""
        yield service.casefold(), self._weights.same_service, "same service"
        for below in self._depends_on.get(service.casefold(), ()):
            yield below.casefold(), *self._dependency(service, below)
            for deeper in self._depends_on.get(below.casefold(), ()):
                words = f"{service} depends on {deeper} through {below}"
                yield deeper.casefold(), self._weights.farther, words

    def _dependency(self, service: str, below: str) -> tuple[int, str]:
        """What it is worth that a service depends on another: less where many do, of which this one broke."""
        others = self._needed_by[below.casefold()] - 1
        words = f"{service} depends on {below}"
        if others < 1:
            return self._weights.dependency, words
        worth = self._weights.dependency + round(self._weights.common * min(1.0, log2(others + 1) / 4))
        return worth, f"{words}, as {others} other{' does' if others == 1 else 's do'}"

    def _by_repository(self, incident: Incident) -> Iterator[Relation]:
        weights, repositories = self._weights, dict.fromkeys([incident.repository.casefold()])
        names = {service.casefold() for service in incident.services}
        for name in names:
            repositories |= self._repositories_of.get(name, {})
        for repository in repositories:
            released = self._released_from.get(repository, ())
            if weights.same_service >= weights.repository and not any(map(names.isdisjoint, released)):
                continue  # all of it is the service's
            yield from _relation(self._repositories.get(repository), weights.repository, "same repository")

    def _by_team(self, incident: Incident) -> Iterator[Relation]:
        weights, team = self._weights, incident.team.casefold()
        if incident.services:
            yield from _relation(self._teams.get(team), weights.team, "same team")
            return
        # It is one of the team's, who knows which.
        yield from _relation(self._teams.get(team), weights.only_team, "same team, no service is named")
        for service in self._services_of.get(team, ()):
            for below in self._depends_on.get(service.casefold(), ()):
                words = f"{service} of the team depends on {below}"
                yield from _relation(self._services.get(below.casefold()), weights.farther, words)

    def known(self) -> object:
        """All that decides on relations beside the rollouts themselves, in order."""
        return (
            _in_order(self._depends_on),
            sorted(self._named),
            sorted((repository, sorted(map(sorted, names))) for repository, names in self._released_from.items()),
            _in_order(self._repositories_of),
            _in_order(self._services_of),
        )

    def under(self, services: Mapping[str, str]) -> dict[Line, list[str]]:
        """The lines of these services and of what they depend on, each with those of them that stand on it.

        ``services``: their names, by casefolded ones.
        """
        found: dict[Line, list[str]] = {}
        for name, service in services.items():
            lines = self._under.get(name)
            if lines is None:
                below = dict.fromkeys((name, *map(str.casefold, self._depends_on.get(name, ()))))
                lines = self._under[name] = [self._services[each] for each in below if each in self._services]
            for line in lines:
                if line in found:
                    found[line].append(service)
                else:
                    found[line] = [service]
        return found


def _in_order(names: Mapping[str, Iterable[str]]) -> list[tuple[str, list[str]]]:
    return sorted((name, sorted(others)) for name, others in names.items())


def _relation(line: Line | None, worth: int, words: str) -> Iterator[Relation]:
    if line is not None and worth > 0:
        yield Relation(line, worth, words)


def first_word(title: str) -> str:
    """What a title begins with, as names are compared; ``""`` for what no service is called."""
    word = title.split(maxsplit=1)[0].strip(_AROUND).casefold() if title and not title.isspace() else ""
    return word if word[:1].isalpha() else ""


def _titled(release: Release) -> str:
    """The service that a title names, if the release does not, and if it is not its version."""
    word = first_word(release.title)
    if not word or word in map(str.casefold, release.services):
        return ""
    return "" if release.version.casefold().startswith(word) or release.revision.startswith(word) else word
