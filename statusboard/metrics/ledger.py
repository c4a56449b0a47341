"""All deployments and incidents that are remembered, so that news change only what they are about.  Pure.

It is filled in steps, so that a screen can live meanwhile:

    put_release, put_episode, say      what is known, or newly known
    settled(environment)               iterator: what follows from that, a little at each step
    gathered(scope), unlinked(scope)   what came of it
    found_anew()                       what to keep of it, for the next ledger's `Memory`

Deployments to environments that are not production wait until somebody asks for theirs, or an incident declares which
release it came from.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, TypeAlias

from msgspec import Struct

from statusboard.broken import is_incident
from statusboard.current import VERDICTS, verdict_of
from statusboard.metrics.deployments import Deployment, Episode, How, Line, Link, deployed_at, line_of, settling
from statusboard.metrics.finds import Finds, Memory
from statusboard.metrics.links import SLIGHT, Names, declares, told
from statusboard.metrics.record import Record, in_order
from statusboard.metrics.report import Scope
from statusboard.metrics.steps import done, ordered
from statusboard.metrics.waiting import Waiting
from statusboard.metrics.watched import Part
from statusboard.model import Annotation, Release
from statusboard.rollouts import Rollout, rollouts_of
from statusboard.suspects import Candidates
from statusboard.weights import Weights

EpisodeId: TypeAlias = tuple[str, int]
"""An incident's key and `statusboard.store.base.Remembered.episode`."""

_BEGAN: Final = attrgetter("began")
_NOBODY: Final = ("",)
#: Episodes or rollouts that are handled between two chances to stop: about a millisecond's worth.
_AT_ONCE: Final = 16
_MANY: Final = 1_000
"""Episodes or rollouts that are only looked at between two chances to stop."""
_FEW: Final = 8
"""Where at most every so manieth line of a scope has changed, each is put in its places; else all in order anew."""
_TELLING: Final = VERDICTS - {"unknown"}
_NO_DEPENDENCIES: Final[Mapping[str, Collection[str]]] = {}


class Gathered(Struct, frozen=True):
    """The deployments of a scope.  ``edition`` differs when they do; ``lines`` has them by line, with ``editions``."""

    record: Record
    edition: int
    editions: Mapping[Line, int]
    lines: Mapping[Line, Sequence[Deployment]]

    @property
    def deployments(self) -> Sequence[Deployment]:
        """By when they came out."""
        return self.record.all


_NOTHING: Final = Gathered(Record.of(()), 0, {}, {})


class Ledger:
    """See the module.

    ``production`` says of an environment whether its tier is production; ``memory`` is what was found once, of a ledger
    that is to read the same facts; the others are what `Candidates` takes.
    """

    def __init__(
        self,
        production: Callable[[str], bool],
        *,
        weights: Weights | None = None,
        depends_on: Mapping[str, Collection[str]] = _NO_DEPENDENCIES,
        memory: Memory | None = None,
    ) -> None:
        self._production = production
        self._memory = memory or Memory()
        self._counts: dict[str, bool] = {"": True}
        self._suspects = Candidates((), weights=weights, depends_on=depends_on, production=production)
        self._edition = 0
        # releases
        self._lines: dict[Line, dict[str, Release]] = {}
        self._line_by_key: dict[str, Line] = {}
        self._rollouts: dict[Line, list[Rollout]] = {}
        self._settled: dict[Line, list[Deployment]] = {}
        self._editions: dict[Line, int] = {}
        self._by_service: dict[str, dict[Line, None]] = {}
        self._by_team: dict[str, dict[Line, None]] = {}
        self._changed: dict[Line, None] = {}
        self._unsettled: dict[Line, None] = {}
        self._gone: list[Rollout] = []
        self._come: dict[int, Rollout] = {}
        self._settings: set[str] = set()
        self._names = Names()
        self._odd: dict[Line, dict[str, str]] = {}
        self._told: dict[Line, dict[Part, None]] = {}
        self._places: set[tuple[Line, Part, tuple[str, ...], str]] = set()
        self._gathered: dict[Scope, Gathered] = {}
        self._waiting = Waiting(lambda environment: self._may_cause(("", environment)))
        self._heard: set[tuple[tuple[str, ...], str]] = set()
        # incidents
        self._episodes: dict[EpisodeId, Episode] = {}
        self._by_start: list[tuple[float, EpisodeId]] = []
        self._open: dict[EpisodeId, Episode] = {}
        self._said: dict[tuple[str, datetime | None], dict[str, Annotation]] = {}
        self._spoken_of: set[tuple[str, datetime | None]] = set()
        self._to_link: dict[EpisodeId, None] = {}
        self._found: dict[EpisodeId, tuple[tuple[str, How], ...]] = {}
        self._links: dict[str, dict[EpisodeId, Link]] = {}
        self._unlinked: dict[str, dict[EpisodeId, Episode]] = {}
        self._unlinked_editions: dict[str, int] = {}
        self._unlinked_all = 0

    # -- what is known -------------------------------------------------------------------------------------------

    def put_release(self, release: Release, part: Part = ("", ""), word: int = 0) -> None:
        """A release, or its newest word, who told of it, and that word's number if it has one.

        Publications are left out.  What was set is no deployment: an incident that came of it is none's.
        """
        key = release.key
        if word and self._memory.asleep:
            self._memory.hear(key, word)
        before = self._line_by_key.get(key)
        if release.type == "deployment" and before is None and self._waiting.waits[release.environment]:
            self._put_off(release, part)
            return
        self._waiting.drop(key)
        line = line_of(release)
        if release.type == "deployment":
            if self._settings:
                self._settings.discard(key)
            place = (line, part, release.services, release.team)
            if place not in self._places:
                self._places.add(place)
                self._place(*place)
            if why := _why_odd(release):
                self._odd.setdefault(line, {})[key] = why
            elif line in self._odd:
                self._odd[line].pop(key, None)
            self._names.put(release)
        elif release.type == "configuration":
            self._settings.add(key)
            line = (f"{line[0]}\0{release.setting}", line[1])
            self._lines.setdefault(line, {})
            self._told.setdefault(line, {})
        else:
            self._settings.discard(key)
            if before is not None:
                self._drop(key, before)
            return
        if before is not None and before != line:
            self._drop(key, before)
        self._line_by_key[key] = line
        self._lines[line][key] = release
        self._changed[line] = None

    def _put_off(self, release: Release, part: Part) -> None:
        """Keep a deployment until somebody asks; of whom it is is known at once."""
        self._settings.discard(release.key)
        self._waiting.put(release, part)
        whose = (release.services, release.team)
        if whose not in self._heard:
            self._heard.add(whose)
            for service in release.services:
                self._by_service.setdefault(service, {})
            if release.team:
                self._by_team.setdefault(release.team, {})

    def _place(self, line: Line, part: Part, services: tuple[str, ...], team: str) -> None:
        """Note of whom a line is, and who tells of it."""
        self._lines.setdefault(line, {})
        self._told.setdefault(line, {})[part] = None
        for service in services:
            self._by_service.setdefault(service, {})[line] = None
        if team:
            self._by_team.setdefault(team, {})[line] = None

    def _drop(self, key: str, line: Line) -> None:
        del self._lines[line][key]
        del self._line_by_key[key]
        self._odd.get(line, {}).pop(key, None)
        self._changed[line] = None

    def put_episode(self, id_: EpisodeId, episode: Episode, word: int = 0) -> None:
        """An episode of an incident, or its newest word, with that word's number if it has one."""
        if word and self._memory.asleep:
            self._memory.hear(id_, word)
        old = self._episodes.get(id_)
        if old == episode:
            return
        if old is not None:
            self.forget_episode(id_)
        if not is_incident(episode.incident):
            return
        self._episodes[id_] = episode
        if episode.fate == "open":
            self._open[id_] = episode
        entry = (episode.began.timestamp(), id_)
        if not self._by_start or self._by_start[-1] < entry:  # as they come when all is read
            self._by_start.append(entry)
        else:
            insort(self._by_start, entry)
        self._suspects.put_incident(id_, episode.incident)
        self._to_link[id_] = None
        self._concern_beside(episode)

    def forget_episode(self, id_: EpisodeId) -> None:
        """This is no episode (any more): its vendor tells another start of it."""
        episode = self._episodes.pop(id_, None)
        if episode is None:
            return
        self._open.pop(id_, None)
        entry = (episode.began.timestamp(), id_)
        place = bisect_left(self._by_start, entry)
        del self._by_start[place]
        self._unlink(id_, episode)
        self._to_link.pop(id_, None)
        if self._suspects.drop_incident(id_):
            self._concern_beside(episode)

    def episode(self, id_: EpisodeId) -> Episode | None:
        """What is known of an episode."""
        return self._episodes.get(id_)

    def open_episodes(self) -> list[tuple[EpisodeId, Episode]]:
        """Those that are not over, as far as is known."""
        return list(self._open.items())

    def say(self, note: Annotation) -> None:
        """What a person said of an episode's suspects, or took back."""
        if note.what not in ("suspect_confirmed", "suspect_dismissed"):
            return
        where = (note.target, note.episode)
        said = self._said.setdefault(where, {})
        if note.state == "set":
            said[note.key] = note
        else:
            said.pop(note.key, None)
        self._spoken_of.add(where)

    # -- what follows from it ------------------------------------------------------------------------------------

    def settled(self, environment: str = "") -> Iterator[None]:
        """Bring production and this environment up to date with what was put in since.

        May be left and begun again at any step.
        """
        yield from self._bring_in(environment)
        yield from self._roll_out(environment)
        if self._memory.asleep:
            yield from self._recall()
        yield from self._relink()
        yield from self._resettle(environment)

    def _bring_in(self, environment: str) -> Iterator[None]:
        """Put in what waits and is of this environment; all of it where an incident may name any release."""
        if self._waiting and not self._waiting.over:
            for count, id_ in enumerate(list(self._to_link), 1):
                if declares(self._episodes[id_].incident):
                    self._waiting.ask_for_all()
                    break
                if not count % _MANY:
                    yield
        self._waiting.ask(environment)
        while taken := self._waiting.taken(_AT_ONCE):
            for release, part in taken:
                self.put_release(release, part)
            yield

    def _wanted(self, lines: Iterable[Line], environment: str) -> list[Line]:
        return [line for line in lines if self._may_cause(line) or (environment and line[1] == environment)]

    def _roll_out(self, environment: str = "") -> Iterator[None]:
        """Put the changed lines together anew; what came of it is to be told to those who look for suspects."""
        for line in self._wanted(self._changed, environment):
            before = {rollout.releases[0].key: rollout for rollout in self._rollouts.get(line, [])}
            after = rollouts_of(self._lines[line].values())
            may_cause = self._may_cause(line)
            for place, rollout in enumerate(after):
                old = before.get(rollout.releases[0].key)
                if old is not None and _alike(rollout, old):
                    after[place] = before.pop(rollout.releases[0].key)
                elif may_cause:
                    self._come[id(rollout)] = rollout
            if may_cause:
                self._gone += before.values()
            self._rollouts[line] = after
            self._unsettled[line] = None
            del self._changed[line]
            yield
        while self._gone:
            rollout = self._gone.pop()
            # One that has changed twice since they were last told is none that they know.
            if self._come.pop(id(rollout), None) is None:
                self._suspects.drop(rollout)
                self._concern(rollout)
            yield
        come = list(self._come.values())
        come = yield from ordered((come[n : n + _MANY] for n in range(0, len(come), _MANY)), _BEGAN)
        for count, rollout in enumerate(come, 1):
            self._suspects.add(rollout, aside=True)
            self._concern(rollout)
            del self._come[id(rollout)]
            if not count % _AT_ONCE:
                yield

    def _may_cause(self, line: Line) -> bool:
        environment = line[1]
        if environment not in self._counts:
            self._counts[environment] = self._production(environment)
        return self._counts[environment]

    def _concern(self, rollout: Rollout) -> None:
        """Note the episodes that a rollout may have caused."""
        if len(self._to_link) == len(self._episodes):
            return
        weights = self._suspects.weights
        since = bisect_left(self._by_start, (rollout.began - weights.tolerance,))
        until = bisect_left(self._by_start, (rollout.began + weights.window + 1,))
        for _, id_ in self._by_start[since:until]:
            self._to_link[id_] = None

    def _concern_beside(self, episode: Episode) -> None:
        """Note the episodes that began when this one did: it may say something of their cause, or no longer."""
        if len(self._to_link) == len(self._episodes):
            return
        began, within = episode.began.timestamp(), self._suspects.weights.at_once
        since = bisect_left(self._by_start, (began - within,))
        until = bisect_left(self._by_start, (began + within + 1,))
        for _, id_ in self._by_start[since:until]:
            self._to_link[id_] = None

    def _relink(self) -> Iterator[None]:
        """Look for the releases of the episodes that are new, concerned or spoken of, some at a step."""
        if self._spoken_of:
            for id_, episode in self._episodes.items():
                if (id_[0], episode.incident.started_at) in self._spoken_of:
                    self._to_link[id_] = None
            self._spoken_of.clear()
        for count, id_ in enumerate(list(self._to_link), 1):
            episode = self._episodes[id_]
            notes = self._said.get((id_[0], episode.incident.started_at)) if self._said else None
            said = list(notes.values()) if notes else ()
            found = told(episode, said, self._names) or self._suspected(id_, episode, said)
            if self._settings:
                found = tuple((key, how) for key, how in found if key not in self._settings)
            before = self._found.get(id_)
            if found != before:
                if before is not None:
                    self._unlink(id_, episode)
                self._link(id_, episode, found)
            del self._to_link[id_]
            if not count % _AT_ONCE:
                yield

    def _suspected(self, id_: EpisodeId, episode: Episode, said: Sequence[Annotation]) -> tuple[tuple[str, How], ...]:
        """The release that is suspected most, of an incident of which nobody says where it came from."""
        if episode.incident.severity in SLIGHT:
            return ()
        key = None if said else self._memory.find(id_)
        if key is None:
            release = self._suspects.first(episode.incident, said)
            key = release.key if release is not None else ""
            if not said:
                self._memory.note(episode.began.timestamp(), id_, key)
        return ((key, "suspected"),) if key else ()

    def _recall(self) -> Iterator[None]:
        """Find out what was found before and still holds."""
        counts = {episode.incident.environment for episode in self._episodes.values()} | self._counts.keys()
        basis = (self._suspects.known(), sorted((name, self._may_cause(("", name))) for name in counts))
        rollouts = (rollout for line, found in self._rollouts.items() if self._may_cause(line) for rollout in found)
        broken = ((began, id_, self._episodes[id_].incident) for began, id_ in self._by_start)
        yield from self._memory.recall(basis, self._suspects.weights, rollouts, broken)

    def found_anew(self) -> dict[int, Finds]:
        """The suspects that were found since nothing was known, by the days of `statusboard.metrics.finds`.

        It is to be called when all is settled for the first time: what is found later is not told.
        """
        return self._memory.forget()

    def _link(self, id_: EpisodeId, episode: Episode, found: tuple[tuple[str, How], ...]) -> None:
        self._found[id_] = found
        for key, how in found:
            self._links.setdefault(key, {})[id_] = Link(episode, how)
            self._stir(key)
        if not found and episode.incident.severity not in SLIGHT:
            for service in episode.incident.services or _NOBODY:
                self._unlinked.setdefault(service, {})[id_] = episode
                self._stir_unlinked(service)

    def _unlink(self, id_: EpisodeId, episode: Episode) -> None:
        for key, _ in self._found.pop(id_, ()):
            links = self._links.get(key)
            if links is not None and links.pop(id_, None) is not None:
                if not links:
                    del self._links[key]
                self._stir(key)
        for service in episode.incident.services or _NOBODY:
            if self._unlinked.get(service, {}).pop(id_, None) is not None:
                self._stir_unlinked(service)

    def _stir_unlinked(self, service: str) -> None:
        self._edition += 1
        self._unlinked_editions[service] = self._unlinked_all = self._edition

    def _stir(self, key: str) -> None:
        line = self._line_by_key.get(key)
        if line is not None:
            self._unsettled[line] = None

    def _resettle(self, environment: str = "") -> Iterator[None]:
        """Make the deployments of the lines of which something changed anew, one line at a step."""
        for line in self._wanted(self._unsettled, environment):
            releases = self._lines[line]
            links = {key: list(self._links[key].values()) for key in releases.keys() & self._links.keys()}
            made = yield from settling(releases.values(), links, self._rollouts[line])
            known = {deployment.key: deployment for deployment in self._settled.get(line, ())}
            # What stays the same stays the very same.
            self._settled[line] = [known[d.key] if d == known.get(d.key) else d for d in made] if known else made
            self._edition += 1
            self._editions[line] = self._edition
            del self._unsettled[line]
            yield

    # -- what came of it -----------------------------------------------------------------------------------------

    @property
    def services(self) -> list[str]:
        """The services that have had deployments or incidents, sorted."""
        return sorted({*self._by_service, *self._unlinked} - {""})

    @property
    def teams(self) -> list[str]:
        """The teams that have had deployments, sorted."""
        return sorted(self._by_team)

    def gathered(self, scope: Scope) -> Gathered:
        """The deployments of a scope."""
        return done(self.gathering(scope))

    def gathering(self, scope: Scope) -> Generator[None, None, Gathered]:
        """`gathered`, in steps."""
        lines = self._lines_of(scope)
        if self._waiting.waits[scope.environment] or (scope.environment and not self._changed.keys().isdisjoint(lines)):
            for _ in self.settled(scope.environment):  # for whoever has not asked for it before
                pass
            lines = self._lines_of(scope)
        editions = {line: self._editions.get(line, 0) for line in lines}
        known = self._gathered.get(scope)
        if known is not None and known.editions == editions:
            return known
        before = known or _NOTHING
        moved = [line for line in lines if before.editions.get(line) != editions[line]]
        by_line = {**before.lines, **{line: self._settled_of(line, scope) for line in moved}}
        if len(moved) * _FEW > len(editions) or len(by_line) > len(editions):
            by_line = {line: by_line[line] for line in sorted(lines)}
            found = yield from in_order(by_line.values())
            yield
            record = yield from Record.sorting(found)
        else:
            record = before.record
            for line in moved:
                record = record.moved(line, before.lines.get(line, ()), by_line[line])
        edition = max(editions.values(), default=0)
        gathered = self._gathered[scope] = Gathered(record, edition, editions, by_line)
        return gathered

    def _settled_of(self, line: Line, scope: Scope) -> Sequence[Deployment]:
        settled = self._settled.get(line, [])
        if scope.service and not scope.team:
            return [d for d in settled if scope.service in d.services]
        if scope.team:
            return [d for d in settled if _is_of(d.services, d.team, scope)]
        return settled

    def unlinked_edition(self, scope: Scope) -> int:
        """Differs when what `unlinked` gives may have changed."""
        return self._unlinked_editions.get(scope.service, 0) if scope.service else self._unlinked_all

    def unlinked(self, scope: Scope) -> list[Episode]:
        """The episodes of a scope that no release is linked to, by when they began."""
        if scope.service:
            found = self._unlinked.get(scope.service, {})
        else:
            found = {id_: episode for episodes in self._unlinked.values() for id_, episode in episodes.items()}
        episodes = [
            episode
            for episode in found.values()
            if (not scope.team or episode.incident.team == scope.team)
            and self._is_in(episode.incident.environment, scope.environment)
        ]
        episodes.sort(key=lambda episode: (episode.began, episode.incident.key))
        return episodes

    def _is_in(self, environment: str, wanted: str) -> bool:
        """Whether an incident of an environment may be of the one that was asked for: an unknown one may."""
        if wanted:
            return environment in ("", wanted)
        return not environment or self._may_cause(("", environment))

    def parts(self, scope: Scope) -> set[Part]:
        """Who has told of a scope's deployments."""
        return {part for line in self._lines_of(scope) for part in self._told[line]}

    def _lines_of(self, scope: Scope) -> list[Line]:
        """The lines in which deployments of a scope may be."""
        lines = self._lines_named(scope)
        if scope.environment:
            return [line for line in lines if line[1] == scope.environment]
        return [line for line in lines if line[1] and self._may_cause(line)]

    def _lines_named(self, scope: Scope) -> Collection[Line]:
        """The lines of its service or team, in whatever environment."""
        if scope.service:
            return self._by_service.get(scope.service, {})
        return self._by_team.get(scope.team, {}) if scope.team else self._lines

    def left_out(self, scope: Scope, since: datetime, until: datetime) -> dict[str, int]:
        """How many releases of a scope that began then are in no number: by why, in words."""
        counts: dict[str, int] = {}
        for line in self._lines_named(scope):
            if not (line[1] == scope.environment if scope.environment else not line[1] or self._may_cause(line)):
                continue
            for key, why in self._odd.get(line, {}).items():
                release = self._lines[line][key]
                at = deployed_at(release)
                if _is_of(release.services, release.team, scope) and (at is None or since <= at < until):
                    counts[why] = counts.get(why, 0) + 1
        return counts


def _why_odd(release: Release) -> str:
    """Why a release that should be a deployment is none that can be counted; ``""`` for one that can, or is not yet."""
    if release.state in _TELLING and release.ended_at is not None and release.environment:
        return ""  # as nearly always
    verdict = verdict_of(release)
    if not verdict:
        return ""
    if deployed_at(release) is None:
        return "without a time"
    if not release.environment:
        return "without an environment"
    return "with an unknown outcome" if verdict == "unknown" else ""


def _alike(one: Rollout, two: Rollout) -> bool:
    """Whether suspects cannot tell them apart."""
    return (
        one.began == two.began
        and one.undone == two.undone
        and one.undone_at == two.undone_at
        and one.undoes == two.undoes
        and one.releases == two.releases
    )


def _is_of(services: Sequence[str], team: str, scope: Scope) -> bool:
    return (not scope.service or scope.service in services) and (not scope.team or team == scope.team)
