"""From releases and what is known of incidents to deployments: one each, failed or not, rolled back or not.  Pure.

A *line* is what replaces itself: a service in an environment.  `settle` takes all releases of one line.

- What one rollout brings to several targets is one deployment, and who undoes whom is told there: see
  `statusboard.rollouts`.  What two sources tell of one rollout is one deployment too.
- A deployment has *failed* if whoever deployed says so, if it was undone, or if an incident is linked to it; once,
  however many say it.
- Its *trouble* begins with the first of its incidents and ends with the last; without any it begins when it came out
  and ends with the next deployment of the line that came out and did not fail.
- *Rework* is a rollback, and a deployment that begins while the trouble of another one of its line lasts, within
  `REWORK` of its beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from statusboard.clock import EPOCH
from statusboard.current import verdict_of
from statusboard.metrics.steps import done
from statusboard.model import Incident, Release
from statusboard.rollouts import GAP, rollouts_of
from statusboard.rollouts import Rollout as Told

REWORK: Final = timedelta(hours=24)

How: TypeAlias = Literal["confirmed", "declared", "suspected"]
"""How it is known which release an incident followed: a person or its vendor said so, or it is the best suspect."""
Fate: TypeAlias = Literal["recovered", "open", "withdrawn", "unclear"]
"""``withdrawn``: taken off the board by a filter, permission or config; ``unclear``: over, nobody can say when."""
Failure: TypeAlias = Literal["", "incident", "failed", "rolled_back", "undone"]
"""Why a deployment counts as failed: incidents, the deployer's own word (two of them), or a rollback after it."""
Line: TypeAlias = tuple[str, str]
"""Owner (service, else repository, else source) and environment."""

_OUT = frozenset({"success", "warning", "inactive", "rolled_back"})
_WHEN: Final = attrgetter("at", "began")
_BEGAN: Final = attrgetter("began")
#: Deployments that are handled at one step.
_STEP: Final = 300
_BAD = frozenset({"failed", "rolled_back"})
_COUNTED = _OUT | _BAD
_ENDED_BY_OTHERS = frozenset({"inactive", "rolled_back"})
_FAILURES: tuple[Literal["failed", "rolled_back"], ...] = ("failed", "rolled_back")


class Episode(Struct, frozen=True, kw_only=True, gc=False):
    """One episode of an incident.  ``ended`` is set where it has ``recovered``, never before ``began``."""

    incident: Incident
    began: datetime
    ended: datetime | None = None
    fate: Fate = "open"


class Link(Struct, frozen=True, gc=False):
    """An episode, and how it is known whose it is."""

    episode: Episode
    how: How


class Deployment(Struct, frozen=True, kw_only=True, gc=False):
    """One version that went, or was to go, to one environment.

    ``releases`` are the reports of it, several for several targets.  ``at`` is when the last of them came out,
    ``lead`` the seconds from its commits to then (None: not known, or it brought nothing new).  ``rollback``: it
    brought back an older version; ``undone_by`` is the key of the one that did so after it (a deployment's key is that
    of its first release).  ``trouble`` is when its failure began and ``recovered`` when that was over, ``recovery``
    seconds later; ``open``: it is not over yet.  ``suspected`` of the ``links`` are only suspicions.  ``sources`` are
    who told of it.
    """

    key: str
    at: datetime
    began: datetime
    line: Line
    releases: tuple[Release, ...]
    services: tuple[str, ...]
    team: str
    environment: str
    version: str
    came_out: bool
    new: bool
    lead: float | None = None
    rollback: bool = False
    undone_by: str = ""
    failure: Failure = ""
    links: tuple[Link, ...] = ()
    trouble: datetime | None = None
    recovered: datetime | None = None
    recovery: float | None = None
    open: bool = False
    rework: bool = False
    suspected: int = 0
    sources: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it counts as failed."""
        return bool(self.failure)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its releases, then those of its incidents."""
        return (*(r.key for r in self.releases), *(link.episode.incident.key for link in self.links))


def episode_of(incident: Incident, at: datetime, *, withdrawn: bool = False, superseded: bool = False) -> Episode:
    """The episode that an incident's last word tells of.

    ``at`` is when it began where it does not say so; ``superseded``: it began anew since, without an end.
    """
    began = incident.started_at or at
    if incident.state == "resolved":
        if incident.ended_at is not None and incident.ended_at >= began:
            return Episode(incident=incident, began=began, ended=incident.ended_at, fate="recovered")
        return Episode(incident=incident, began=began, fate="unclear")
    fate: Fate = "withdrawn" if withdrawn else "unclear" if superseded or incident.state == "unknown" else "open"
    return Episode(incident=incident, began=began, fate=fate)


def line_of(release: Release) -> Line:
    """The line that a release is of."""
    owner = release.services[0] if release.services else release.repository or release.source
    return owner, release.environment


def deployed_at(release: Release) -> datetime | None:
    """When it was out, as far as it says: its end, where that is not the end of its life; None for no time at all."""
    return _out_at(release, verdict_of(release))


def _out_at(release: Release, verdict: str) -> datetime | None:
    began, ended = release.started_at, release.ended_at
    if verdict in _ENDED_BY_OTHERS:
        return began or release.updated_at or ended
    if ended is not None and (began is None or ended >= began):
        return ended
    return began or release.updated_at


def is_counted(release: Release) -> bool:
    """Whether it is a deployment that has come to an end and says when."""
    return (
        release.type == "deployment"
        and verdict_of(release) in _COUNTED
        and (release.ended_at or release.started_at or release.updated_at) is not None
    )


class _Rollout:
    """A deployment while it is put together."""

    __slots__ = (
        "at", "bad", "began", "came_out", "failure", "last", "links", "members", "new", "open", "places", "recovered",
        "rework", "trouble", "undoes", "undone_by", "version",
    )  # fmt: skip

    def __init__(self, version: str, places: set[tuple[str, str]], last: float) -> None:
        self.version = version
        self.last = last
        self.members: list[Release] = []
        self.places = places
        self.began = self.at = EPOCH
        self.came_out = self.bad = False
        self.new = True
        self.undoes = False
        self.undone_by: _Rollout | None = None
        self.links: tuple[Link, ...] = ()
        self.failure: Failure = ""
        self.trouble: datetime | None = None
        self.recovered: datetime | None = None
        self.open = False
        self.rework = False

    def take(self, releases: Sequence[Release], last: float) -> None:
        """Add reports of it."""
        for release in releases:
            verdict = verdict_of(release)
            at = _out_at(release, verdict)
            assert at is not None  # only what is counted comes here
            began = release.started_at
            if began is None or began > at:
                began = at
            if not self.members or began < self.began:
                self.began = began
            if at > self.at:
                self.at = at
            self.came_out = self.came_out or verdict in _OUT
            self.bad = self.bad or verdict in _BAD
            self.members.append(release)
        self.last = max(self.last, last)


def settle(
    releases: Collection[Release],
    links: Mapping[str, Sequence[Link]] | None = None,
    rollouts: Sequence[Told] | None = None,
) -> list[Deployment]:
    """The deployments of one line, by when they came out.  ``links`` are those of each release, by its key.

    Releases that are not `is_counted` are left out.  ``rollouts`` are `rollouts_of` the releases, for whoever has them.
    """
    return done(settling(releases, links or {}, rollouts))


def settling(
    releases: Collection[Release], links: Mapping[str, Sequence[Link]], rollouts: Sequence[Told] | None = None
) -> Generator[None, None, list[Deployment]]:
    """`settle` in steps of a few milliseconds: the line of a busy service has thousands."""
    counted = [release for release in releases if is_counted(release)]
    told = rollouts if rollouts is not None and len(counted) == len(releases) else rollouts_of(counted)
    yield
    found = yield from _gathered(told)
    found.sort(key=_WHEN)
    for count, rollout in enumerate(found, 1):
        _judge(rollout, links)
        if not count % _STEP:
            yield
    _recover(found)
    _mark_rework(found)
    made: list[Deployment] = []
    sources: dict[tuple[str, ...], tuple[str, ...]] = {}
    for rollout in found:
        made.append(_deployment(rollout, sources))
        if not len(made) % _STEP:
            yield
    return made


def _gathered(rollouts: Iterable[Told]) -> Generator[None, None, list[_Rollout]]:
    """What counts of one line as rollouts that know who undid them, in the order in which they began.

    Another source's reports of the same rollout are no other one, unless something else stood there in between.
    """
    found: list[_Rollout] = []
    newest: dict[str, _Rollout] = {}
    standing: dict[str, str] = {}
    by_start: dict[float, _Rollout] = {}
    undone: list[tuple[float, _Rollout]] = []
    out: set[str] = set()
    for count, told in enumerate(rollouts, 1):
        if not count % _STEP:
            yield
        first = told.releases[0]
        version = first.version or first.revision
        places = {(release.source, release.target) for release in told.releases}
        rollout = newest.get(version) if version else None
        if (
            rollout is None
            or told.began - rollout.last > GAP
            or not places.isdisjoint(rollout.places)
            or any(standing.get(target, version) != version for _, target in places)
        ):
            rollout = newest[version] = _Rollout(version, places, told.began)
            rollout.new = not version or version not in out
            found.append(rollout)
        else:
            rollout.places |= places
        rollout.take(told.releases, told.starts[-1])
        if rollout.came_out and version:
            out.add(version)
        for _, target in places:
            standing[target] = version
        if told.undoes:
            rollout.undoes = True
            by_start.update(dict.fromkeys(told.starts, rollout))
        if told.undone and told.undone_at is not None:
            undone.append((told.undone_at, rollout))
    for at, rollout in undone:
        undoing = by_start.get(at)
        if undoing is not None and undoing.version != rollout.version:
            rollout.undone_by = undoing
    return found


def _judge(rollout: _Rollout, links: Mapping[str, Sequence[Link]]) -> None:
    """Whether it failed, by whose word, and when its trouble was over as far as its incidents tell."""
    found: list[Link] = []
    for release in rollout.members:
        for link in links.get(release.key, ()):
            if not found or not any(_same(link, other) for other in found):
                found.append(link)
    if found:
        if len(found) > 1:
            found.sort(key=lambda link: (link.episode.began, link.episode.incident.key))
        rollout.links = tuple(found)
        rollout.failure = "incident"
        rollout.trouble = max(found[0].episode.began, rollout.began)
        rollout.open = "open" in [link.episode.fate for link in found]
        if not rollout.open:
            ends = [link.episode.ended for link in found if link.episode.ended is not None]
            rollout.recovered = max(*ends, rollout.trouble) if ends else None
        return
    if rollout.bad:
        verdicts = {verdict_of(release) for release in rollout.members}
        rollout.failure = next(word for word in _FAILURES if word in verdicts)
    elif rollout.undone_by is not None:
        rollout.failure = "undone"
    if rollout.failure:
        rollout.trouble = rollout.at


def _same(one: Link, two: Link) -> bool:
    return one.episode.incident.key == two.episode.incident.key and one.episode.began == two.episode.began


def _recover(rollouts: Sequence[_Rollout]) -> None:
    """What failed without an incident is over with the next deployment that came out and did not fail."""
    mended: datetime | None = None
    for rollout in reversed(rollouts):
        if rollout.failure and not rollout.links:
            rollout.recovered = mended
            rollout.open = mended is None
        elif rollout.came_out and not rollout.failure:
            mended = rollout.at


def _mark_rework(rollouts: Sequence[_Rollout]) -> None:
    by_start = sorted(rollouts, key=_BEGAN)
    starts = [rollout.began for rollout in by_start]
    for rollout in by_start:
        if rollout.undoes:
            rollout.rework = True
        if not rollout.failure or rollout.trouble is None or (rollout.recovered is None and not rollout.open):
            continue
        end = rollout.trouble + REWORK
        if rollout.recovered is not None:
            end = min(end, rollout.recovered)
        for place in range(bisect_left(starts, rollout.trouble), len(starts)):
            if starts[place] > end:
                break
            if by_start[place] is not rollout:
                by_start[place].rework = True


def _deployment(rollout: _Rollout, known: dict[tuple[str, ...], tuple[str, ...]]) -> Deployment:
    """``known``: one of each tuple of sources, which all deployments share."""
    first = rollout.members[0]
    sources: tuple[str, ...] = (first.source,)
    if len(rollout.members) > 1:
        sources = tuple(dict.fromkeys([release.source for release in rollout.members]))
    lead: float | None = None
    if rollout.new and rollout.came_out and not rollout.undoes:
        commits = [r.committed_at for r in rollout.members if r.committed_at is not None]
        if commits:
            seconds = (rollout.at - min(commits)).total_seconds()
            lead = seconds if seconds >= 0 else None
    recovery: float | None = None
    if rollout.trouble is not None and rollout.recovered is not None:
        recovery = (rollout.recovered - rollout.trouble).total_seconds()
    return Deployment(
        key=first.key,
        at=rollout.at,
        began=rollout.began,
        line=line_of(first),
        releases=tuple(rollout.members),
        services=first.services,
        team=first.team,
        environment=first.environment,
        version=rollout.version,
        came_out=rollout.came_out,
        new=rollout.new and not rollout.undoes,
        lead=lead,
        rollback=rollout.undoes,
        undone_by=rollout.undone_by.members[0].key if rollout.undone_by is not None else "",
        failure=rollout.failure,
        links=rollout.links,
        trouble=rollout.trouble,
        recovered=rollout.recovered,
        recovery=recovery,
        open=rollout.open,
        rework=rollout.rework,
        suspected=sum([link.how == "suspected" for link in rollout.links]) if rollout.links else 0,
        sources=known.setdefault(sources, sources),
    )
