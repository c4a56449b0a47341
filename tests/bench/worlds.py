"""Labelled histories, the first kind: many services that are deployed one by one, all day long.

The assumptions, as constants below: 220 services of 26 teams, each deployed on its own, on average 0.6 times a day and
most of it in working hours (about 12 an hour then); 4% of rollouts break something, larger ones sooner, which shows
while they roll out, within a quarter of an hour, after hours, or the next day.  What breaks is mostly the service
itself, else what depends on it; some of that nobody has declared.  A third of all incidents have no change behind them.
Clocks differ by seconds and now and then by minutes, and one in eight incidents does not say which service it is.
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from statusboard.model import Incident, Release, ReleaseState
from tests.bench.labelled import DAY, HOUR, MINUTE, History, Rollout, Weighed, moment, poisson, seconds

SERVICES, TEAMS = 220, 26
OWN_REPOSITORY = 0.75  # else that of the team
DEPENDENCIES = 2.5  # of one service, on average
DECLARED, DECLARED_FALSELY = 0.85, 0.05
A_DAY, SPREAD = 0.36, 1.0  # median rollouts a day and service, and sigma of their logarithm: 0.6 on average
WEEKEND = 0.15
#: Share of a day's rollouts in each hour (UTC).
HOURS = (1, 1, 1, 1, 1, 1, 2, 5, 9, 11, 11, 9, 7, 10, 11, 10, 8, 5, 3, 2, 1, 1, 1, 1)
TARGETS = ((), (), (), ("eu-1", "us-1"), ("eu-1", "eu-2", "us-1", "us-2"))
TAKES, BETWEEN = 4 * MINUTE, 5 * MINUTE  # medians: of one target, and until the next
FAILS = 0.03
PUBLISHED = 0.3  # services of which each version is also published

FAULTY, MEDIAN_COMMITS = 0.04, 3
BY_FAILING = 4.0  # a rollout that failed breaks something so much oftener
SHOWS = (("during", 0.25), ("soon", 0.45), ("later", 0.22), ("late", 0.08))
SOON, LATER, LATER_SPREAD, LATE = 15 * MINUTE, 100 * MINUTE, 0.9, (4 * HOUR, 30 * HOUR)
VICTIMS = (("own", 0.68), ("dependent", 0.20), ("farther", 0.03), ("team", 0.03), ("any", 0.06))
CASCADES, ECHO = 0.2, 10 * MINUTE  # a dependent of the victim alerts as well
UNCHANGED = 3.4  # incidents a day without a change
FLAKY = 0.6  # shape of the gamma by which services have them

NO_SERVICE, TEAM_LEFT = 0.12, 0.5
NO_ENVIRONMENT, RELEASE_NO_ENVIRONMENT, RELEASE_NO_SERVICE = 0.10, 0.04, 0.05
NO_START, NO_END, NO_VERSION, NO_COMMITS = 0.02, 0.03, 0.02, 0.4
CLOCKS, BAD_CLOCK, BAD_BY, JITTER = 15.0, 0.3, (60.0, 240.0), 5.0

UNDONE, UNDONE_AFTER, UNDONE_IN_VAIN, UNDONE_FOR_OTHERS = 0.55, 25 * MINUTE, 0.012, 0.05
MARKED = 0.4  # of what is undone: the vendor marks it, instead of listing a deployment of the older version
REACTS_TO = 6 * HOUR  # nobody rolls back what went out longer ago


@dataclass
class _Service:
    name: str
    team: str
    repository: str
    a_day: float
    risk: float
    flaky: float
    targets: tuple[str, ...]
    source: int
    published: bool
    tells_commits: bool
    needs: list[int] = field(default_factory=list)
    needed_by: list[int] = field(default_factory=list)


@dataclass
class _Rollout:
    id: Rollout
    service: int
    version: str
    begins: float
    first_ends: float
    ends: float
    commits: int
    fault: float
    failed: bool
    spans: list[tuple[str, float, float, ReleaseState]]
    undone_at: float | None = None
    undoes: bool = False


def history(seed: int, days: int = 45) -> History:
    """One company, the same for the same seed."""
    return _World(random.Random(f"one by one {seed}"), days).told()


class _World:
    def __init__(self, rng: random.Random, days: int) -> None:
        self.rng, self.days = rng, days
        self.services = self._services()
        self.rollouts: list[_Rollout] = []
        self.extra: list[tuple[_Rollout, str]] = []
        self.happened: list[tuple[float, int, Rollout | None]] = []
        self.release_clocks = [self._clock() for _ in range(3)]
        self.alert_clocks = [self._clock() for _ in range(2)]
        self._live()

    # -- the company ---------------------------------------------------------------------------------------------

    def _services(self) -> list[_Service]:
        rng = self.rng
        services = []
        for number in range(SERVICES):
            name, team = f"service-{number:03}", f"team-{rng.randrange(TEAMS):02}"
            services.append(
                _Service(
                    name=name,
                    team=team,
                    repository=f"acme/{name}" if rng.random() < OWN_REPOSITORY else f"acme/{team}",
                    a_day=min(6.0, A_DAY * math.exp(rng.gauss(0, SPREAD))),
                    risk=rng.gammavariate(2.0, 0.5),
                    flaky=rng.gammavariate(FLAKY, 1.0),
                    targets=rng.choice(TARGETS),
                    source=rng.randrange(3),
                    published=rng.random() < PUBLISHED,
                    tells_commits=rng.random() >= NO_COMMITS,
                )
            )
        for number, service in enumerate(services[:-1]):
            # Few services are needed by many: the later in the list, the deeper they lie, the more is built upon them.
            below = range(number + 1, SERVICES)
            weights = [1.0 / (SERVICES - other + 3) for other in below]
            for other in rng.choices(below, weights, k=poisson(rng, DEPENDENCIES)):
                if other not in service.needs:
                    service.needs.append(other)
                    services[other].needed_by.append(number)
        return services

    def _declared(self) -> dict[str, tuple[str, ...]]:
        rng, declared = self.rng, {}
        for service in self.services:
            names = [self.services[other].name for other in service.needs if rng.random() < DECLARED]
            if rng.random() < DECLARED_FALSELY * DEPENDENCIES:
                names.append(rng.choice(self.services).name)
            declared[service.name] = tuple(name for name in dict.fromkeys(names) if name != service.name)
        return {name: needs for name, needs in declared.items() if needs}

    def _clock(self) -> float:
        rng = self.rng
        if rng.random() < BAD_CLOCK:
            return rng.choice((-1, 1)) * rng.uniform(*BAD_BY)
        return rng.gauss(0, CLOCKS)

    # -- what happens --------------------------------------------------------------------------------------------

    def _live(self) -> None:
        rng = self.rng
        for number, service in enumerate(self.services):
            times = []
            for day in range(self.days):
                mean = service.a_day * (WEEKEND if day % 7 > 4 else 1.25)
                for _ in range(poisson(rng, mean)):
                    hour = rng.choices(range(24), HOURS)[0]
                    times.append(day * DAY + hour * HOUR + rng.uniform(0, HOUR))
            for count, at in enumerate(sorted(times)):
                self.rollouts.append(self._rollout(number, f"1.{count}.{rng.randrange(3)}", at))
        self.rollouts.sort(key=lambda rollout: rollout.begins)
        for rollout in list(self.rollouts):
            self._effects(rollout)
        weights = [service.flaky for service in self.services]
        for _ in range(poisson(rng, UNCHANGED * self.days)):
            at = rng.randrange(self.days) * DAY + (rng.uniform(0, DAY) if rng.random() < 0.6 else self._daytime())
            number = rng.choices(range(SERVICES), weights)[0]
            self.happened.append((at, number, None))
            self._suspected_wrongly(number, at)
        self.happened.sort()

    def _daytime(self) -> float:
        return self.rng.uniform(8 * HOUR, 22 * HOUR)

    def _rollout(self, number: int, version: str, at: float) -> _Rollout:
        rng, service = self.rng, self.services[number]
        commits = 1 + int(rng.lognormvariate(math.log(MEDIAN_COMMITS), 1.0))
        failed = rng.random() < FAILS
        spans: list[tuple[str, float, float, ReleaseState]] = []
        last = rng.randrange(len(service.targets) or 1) if failed else -1
        begins = at
        for place, target in enumerate(service.targets or ("",)):
            ends = begins + TAKES * math.exp(rng.gauss(0, 0.6))
            spans.append((target, begins, ends, "failed" if place == last else "success"))
            if place == last:
                break
            begins = ends + BETWEEN * math.exp(rng.gauss(0, 0.5))
        fault = FAULTY * (commits / MEDIAN_COMMITS) ** 0.4 * service.risk * (BY_FAILING if failed else 1.0)
        return _Rollout(
            id=len(self.rollouts),
            service=number,
            version=version,
            begins=at,
            first_ends=spans[0][2],
            ends=spans[-1][2],
            commits=commits,
            fault=min(0.6, fault),
            failed=failed,
            spans=spans,
        )

    def _effects(self, rollout: _Rollout) -> None:
        rng = self.rng
        if rng.random() >= rollout.fault:
            if rng.random() < UNDONE_IN_VAIN:
                self._undo(rollout, rollout.ends + rng.uniform(10, 120) * MINUTE)
            return
        kind = rng.choices([name for name, _ in SHOWS], [share for _, share in SHOWS])[0]
        if kind == "during":
            at = rng.uniform(rollout.begins, rollout.ends)
        elif kind == "soon":
            at = rollout.first_ends + rng.expovariate(1 / SOON)
        elif kind == "later":
            at = rollout.first_ends + rng.lognormvariate(math.log(LATER), LATER_SPREAD)
        else:
            at = rollout.first_ends + rng.uniform(*LATE)
        victim = self._victim(rollout.service)
        self.happened.append((at, victim, rollout.id))
        dependents = self.services[victim].needed_by
        if dependents and rng.random() < CASCADES:
            self.happened.append((at + rng.uniform(0, ECHO), rng.choice(dependents), rollout.id))
        if at - rollout.ends < REACTS_TO and rng.random() < UNDONE:
            self._undo(rollout, max(at, rollout.ends) + rng.lognormvariate(math.log(UNDONE_AFTER), 0.6))

    def _victim(self, number: int) -> int:
        rng, services = self.rng, self.services
        kind = rng.choices([name for name, _ in VICTIMS], [share for _, share in VICTIMS])[0]
        found = [number]
        if kind == "dependent":
            found = services[number].needed_by
        elif kind == "farther":
            found = [far for near in services[number].needed_by for far in services[near].needed_by]
        elif kind == "team":
            found = [n for n, other in enumerate(services) if other.team == services[number].team]
        elif kind == "any":
            found = list(range(SERVICES))
        return rng.choice(found or [number])

    def _suspected_wrongly(self, number: int, at: float) -> None:
        """People too take the release before the incident for its cause, and roll it back for nothing."""
        rng = self.rng
        if rng.random() < UNDONE_FOR_OTHERS:
            recent = [r for r in self.rollouts if r.service == number and 0 < at - r.ends < 3 * HOUR]
            if recent:
                self._undo(recent[-1], at + rng.lognormvariate(math.log(UNDONE_AFTER), 0.6))

    def _undo(self, rollout: _Rollout, at: float) -> None:
        later = (r for r in self.rollouts if r.service == rollout.service and rollout.begins < r.begins < at)
        if rollout.undone_at is not None or next(later, None) is not None:
            return  # who rolls forward does not roll back
        rollout.undone_at = at
        if self.rng.random() < MARKED:
            return
        before = [r for r in self.rollouts if r.service == rollout.service and r.begins < rollout.begins]
        if before:
            undoing = self._rollout(rollout.service, before[-1].version, at)
            undoing.id, undoing.undoes, undoing.fault = len(self.rollouts) + len(self.extra), True, 0.0
            self.extra.append((undoing, rollout.version))

    # -- what sources tell of it ---------------------------------------------------------------------------------

    def told(self) -> History:
        releases: list[Release] = []
        rollout_of: dict[str, Rollout] = {}
        listed = {(undoing.service, undone) for undoing, undone in self.extra}
        for rollout in [*self.rollouts, *(undoing for undoing, _ in self.extra)]:
            marked = rollout.undone_at is not None and (rollout.service, rollout.version) not in listed
            for release in self._releases(rollout, marked):
                releases.append(release)
                rollout_of[release.key] = rollout.id
        end = self.days * DAY
        incidents, cause_of = [], {}
        for count, (at, number, cause) in enumerate(self.happened):
            if at < end:
                incident = self._incident(count, at, number)
                incidents.append(incident)
                cause_of[incident.key] = cause
        declared = self._declared()
        self.rng.shuffle(releases)  # sources do not answer in the order of time
        return History(releases, incidents, rollout_of, cause_of, declared, _Oracle(self))

    def _releases(self, rollout: _Rollout, marked: bool) -> list[Release]:
        rng, service = self.rng, self.services[rollout.service]
        clock = self.release_clocks[service.source]
        source = f"deploys-{service.source}"
        labelled = rng.random() >= RELEASE_NO_SERVICE
        environment = "production" if rng.random() >= RELEASE_NO_ENVIRONMENT else ""
        version = rollout.version if rng.random() >= NO_VERSION else ""
        no_start, no_end = rng.random() < NO_START, rng.random() < NO_END
        told = []
        for target, begins, ends, state in rollout.spans:
            started, ended = (moment(t + clock + rng.uniform(0, JITTER)) for t in (begins, ends))
            updated = ended
            if marked and rollout.undone_at is not None:
                state, updated = "rolled_back", moment(rollout.undone_at + clock)
            told.append(
                Release(
                    key=f"{source}:release:{rollout.id}-{target or 'all'}",
                    source=source,
                    title=f"{service.name} {rollout.version}",
                    state=state,
                    version=version,
                    services=(service.name,) if labelled else (),
                    team=service.team if labelled else "",
                    repository=service.repository if labelled or rng.random() < 0.8 else "",
                    environment=environment,
                    target=target,
                    commits=rollout.commits if service.tells_commits else None,
                    started_at=None if no_start else started,
                    updated_at=updated,
                    ended_at=None if no_end else ended,
                )
            )
        if not rollout.undoes:
            told += self._elsewhere(rollout, source, clock)
        return told

    def _elsewhere(self, rollout: _Rollout, source: str, clock: float) -> list[Release]:
        """The same version in staging before, and its publication, which no incident comes from."""
        rng, service = self.rng, self.services[rollout.service]
        begins = rollout.begins - rng.uniform(10, 120) * MINUTE
        common = {"source": source, "services": (service.name,), "team": service.team, "version": rollout.version}
        staged = Release(
            key=f"{source}:release:{rollout.id}-staging",
            state="success",
            environment="staging",
            repository=service.repository,
            started_at=moment(begins + clock),
            updated_at=moment(begins + clock + TAKES),
            ended_at=moment(begins + clock + TAKES),
            **common,  # type: ignore[arg-type]
        )
        if not service.published:
            return [staged]
        published = Release(
            key=f"{source}:release:{rollout.id}-published",
            state="success",
            type="publication",
            repository=service.repository,
            started_at=moment(rollout.begins + clock - rng.uniform(1, 20) * MINUTE),
            **common,  # type: ignore[arg-type]
        )
        return [staged, published]

    def _incident(self, count: int, at: float, number: int) -> Incident:
        rng, service = self.rng, self.services[number]
        which = rng.randrange(2)
        labelled = rng.random() >= NO_SERVICE
        team = service.team if labelled or rng.random() < TEAM_LEFT else ""
        return Incident(
            key=f"alerts-{which}:incident:{count}",
            source=f"alerts-{which}",
            state="open",
            title="Errors above 5%",
            services=(service.name,) if labelled else (),
            team=team,
            environment="production" if rng.random() >= NO_ENVIRONMENT else "",
            started_at=moment(at + self.alert_clocks[which] + rng.uniform(0, JITTER)),
        )


class _Oracle:
    """Knows the world: how often each rollout breaks what and when that shows, and what breaks by itself."""

    def __init__(self, world: _World) -> None:
        self.rollouts = world.rollouts
        self.services = world.services
        self.clocks = {f"alerts-{n}": clock for n, clock in enumerate(world.alert_clocks)}
        self.begins = [rollout.begins for rollout in world.rollouts]
        self.number = {service.name: n for n, service in enumerate(world.services)}
        self.teams: dict[str, list[int]] = {}
        for n, service in enumerate(world.services):
            self.teams.setdefault(service.team, []).append(n)
        self.flaky = sum(service.flaky for service in world.services)
        self.victims = [self._victims(n) for n in range(SERVICES)]

    def __call__(self, incident: Incident, hindsight: bool) -> Weighed:
        assert incident.started_at is not None
        at = seconds(incident.started_at) - self.clocks[incident.source]
        if incident.services:
            hit: Sequence[int] = [self.number[incident.services[0]]]
        else:
            hit = self.teams[incident.team] if incident.team else range(SERVICES)
        found = {}
        first, last = (bisect.bisect_left(self.begins, at + t) for t in (-LATE[1] - 3 * HOUR, 2 * JITTER))
        for rollout in self.rollouts[first:last]:
            victims = self.victims[rollout.service]
            share = sum(victims.get(n, 0.0) for n in hit)
            weight = rollout.fault * share * _density(rollout, at)
            if hindsight:
                undone = rollout.undone_at is not None and at < rollout.undone_at
                weight *= UNDONE / 0.02 if undone else 1 - UNDONE
            if weight > 0:
                found[rollout.id] = weight
        hour = at % DAY / HOUR
        by_day = 0.6 + (0.4 * 24 / 14 if 8 <= hour < 22 else 0.0)
        flaky = sum(self.services[n].flaky for n in hit) / self.flaky
        return Weighed(found, UNCHANGED / DAY * by_day * flaky)

    def _victims(self, number: int) -> dict[int, float]:
        """How many incidents of each service a fault in this one brings."""
        shares: dict[int, float] = {}

        def add(found: Sequence[int], share: float) -> None:
            found = found or [number]
            for n in found:
                shares[n] = shares.get(n, 0.0) + share / len(found)

        services, kinds = self.services, dict(VICTIMS)
        add([number], kinds["own"])
        add(services[number].needed_by, kinds["dependent"])
        add([far for near in services[number].needed_by for far in services[near].needed_by], kinds["farther"])
        add(self.teams[services[number].team], kinds["team"])
        add(range(SERVICES), kinds["any"])
        for n, share in list(shares.items()):
            if services[n].needed_by:
                add(services[n].needed_by, share * CASCADES)
        return shares


def _density(rollout: _Rollout, at: float) -> float:
    """How likely a fault of this rollout shows at this second."""
    shares = dict(SHOWS)
    slack = 2 * JITTER
    density = 0.0
    if rollout.begins - slack <= at <= rollout.ends + slack:
        density += shares["during"] / (rollout.ends - rollout.begins)
    delay = at - rollout.first_ends
    if delay > 0:
        density += shares["soon"] / SOON * math.exp(-delay / SOON)
        off = math.log(delay / LATER) / LATER_SPREAD
        density += shares["later"] * math.exp(-off * off / 2) / (delay * LATER_SPREAD * math.sqrt(2 * math.pi))
        if LATE[0] <= delay <= LATE[1]:
            density += shares["late"] / (LATE[1] - LATE[0])
    return density
