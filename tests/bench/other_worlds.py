"""Labelled histories, the second kind: release trains, a platform that all stand on, faults that come in bursts.

What `worlds` assumes is assumed otherwise here.  240 services of 12 domains, each a front, APIs and stores, upon a
dozen platform services.  Most services go out by their domain's train, many within minutes; one in ten is deployed many
times a day; now and then one change is rolled through a large part of the fleet.  A fault shows with the first traffic,
at the next full hour (a job), slowly (a leak) or at the next morning's peak.  A faulty platform makes many services
alert at once, and so does an outage that nobody of the company caused.  What is missing is missing by source: one
alerting tool knows teams and no services, another no environments; one deployment tool writes one record a target, in
whole minutes; one never says when a deployment ended; clocks are off by up to a minute and a half, constantly.  Fewer
dependencies are written down, and some of those are of yesterday.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from random import Random
from typing import NamedTuple

from statusboard.model import Incident, Release
from tests.bench.labelled import DAY, HOUR, MINUTE, History, Rollout, Weighed, moment, poisson, seconds

DOMAINS, APIS, STORES, PLATFORM = 12, 13, 5, 12
DECLARED_INSIDE, DECLARED_PLATFORM, STALE = 0.65, 0.8, 0.1

TRAINS = ((1, 3), (0, 2, 4), (1, 2, 3, 4))  # the weekdays of a domain's train
ABOARD, BOARDING = 0.4, 20 * MINUTE
EAGER, EAGER_A_DAY, OTHERS_A_DAY, PLATFORM_A_DAY = 0.1, 4.0, 0.12, 0.4
FLEET_EVERY, FLEET_SHARE, FLEET_TAKES = 10.0, (0.1, 0.35), 2 * HOUR

FAULTY = {"train": 0.06, "eager": 0.018, "other": 0.05, "platform": 0.10, "fleet": 0.012}
TRAFFIC, TRAFFIC_SHAPE, TRAFFIC_SHARE = 20 * MINUTE, 0.7, 0.58
JOB_SHARE, JOB_TAKES = 0.15, 4 * MINUTE
LEAK, LEAK_SHAPE, LEAK_SHARE = 4 * HOUR, 3, 0.19
PEAK, PEAK_SHARE = 8 * HOUR, 0.08  # the next one that is at least an hour away
ALONE, SPREADS, SPREAD_WITHIN = 0.8, (2, 7), 10 * MINUTE
NEIGHBOUR = 0.15  # a fault of an ordinary service that only those above it notice

OUTAGE_EVERY, OUTAGE_HITS, OUTAGE_WITHIN = 8.0, (3, 12), 15 * MINUTE
WEAR, BATCH, BATCH_AT = 2.2, 0.5, 2 * HOUR  # incidents a day: any time; by the nightly jobs

SILENT = 0.14  # of alerts: from the tool that knows no services
PLACELESS = 0.25  # of alerts: from the tool that knows no environments
OFFSET = 90.0
ROLLED_BACK, BACK_AFTER, BACK_FOR_NOTHING = 0.45, (8 * MINUTE, 70 * MINUTE), 0.02
VISIBLE = 4 * HOUR  # nobody goes back behind what is older


class Service(NamedTuple):
    """One service; ``tool`` is what deploys it: by target, without ends, or well."""

    place: int
    name: str
    domain: int
    layer: str
    tool: str
    eager: bool


class Going(NamedTuple):
    """One rollout as it truly was."""

    id: Rollout
    service: int
    how: str
    number: int
    begins: float
    ends: float
    version: str
    before: str
    back: bool = False


class Struck(NamedTuple):
    """One incident as it truly was."""

    at: float
    service: int
    cause: Rollout | None


def history(seed: int, days: int = 45) -> History:
    """One company, the same for the same seed."""
    company = _Company(Random(f"by train {seed}"), days)
    return company.history()


class _Company:
    def __init__(self, rng: Random, days: int) -> None:
        self.rng, self.days = rng, days
        self.services: list[Service] = []
        self.above: dict[int, list[int]] = defaultdict(list)
        self.declared: dict[str, list[str]] = defaultdict(list)
        self._found_the_company()
        self.offset = {tool: rng.uniform(-OFFSET, OFFSET) for tool in ("targets", "endless", "well")}
        self.offset |= {tool: rng.uniform(-OFFSET, OFFSET) for tool in ("silent", "placeless", "good")}
        self.going = self._deployments()
        self.struck: list[Struck] = []
        self.back_at: dict[Rollout, float] = {}
        self._faults()
        self._nobody_s_fault()
        self._go_back()

    # -- services and what stands upon what ----------------------------------------------------------------------

    def _found_the_company(self) -> None:
        rng = self.rng
        tools = ("targets", "endless", "well", "well")
        layers = [("front", 1), ("api", APIS), ("store", STORES)]
        for domain in range(DOMAINS):
            tool = rng.choice(tools)
            for layer, many in layers:
                for n in range(many):
                    eager = rng.random() < EAGER
                    name = f"d{domain:02}-{layer}-{n}"
                    self.services.append(Service(len(self.services), name, domain, layer, tool, eager))
        for n in range(PLATFORM):
            self.services.append(Service(len(self.services), f"platform-{n:02}", -1, "platform", "well", False))
        platform = [s for s in self.services if s.layer == "platform"]
        for service in self.services:
            if service.layer != "platform":
                for below in rng.sample(platform, rng.randint(1, 4)):
                    self._stands_on(service, below, DECLARED_PLATFORM)
            inside = [s for s in self.services if s.domain == service.domain]
            if service.layer == "front":
                for api in (s for s in inside if s.layer == "api"):
                    self._stands_on(service, api, DECLARED_INSIDE)
            elif service.layer == "api":
                for store in rng.sample([s for s in inside if s.layer == "store"], rng.randint(1, 2)):
                    self._stands_on(service, store, DECLARED_INSIDE)
            if service.layer != "platform" and rng.random() < STALE:
                self.declared[service.name].append(rng.choice(self.services[:-PLATFORM]).name)

    def _stands_on(self, service: Service, below: Service, declared: float) -> None:
        self.above[below.place].append(service.place)
        if self.rng.random() < declared:
            self.declared[service.name].append(below.name)

    # -- deployments ---------------------------------------------------------------------------------------------

    def _deployments(self) -> list[Going]:
        rng = self.rng
        planned: list[tuple[float, int, str]] = []
        by_domain = [[s for s in self.services if s.domain == d] for d in range(DOMAINS)]
        for members in by_domain:
            weekdays, leaves = rng.choice(TRAINS), rng.choice((9, 10, 13, 14, 16)) * HOUR + rng.choice((0, 30)) * MINUTE
            for day in range(self.days):
                if day % 7 in weekdays:
                    aboard = [s.place for s in members if not s.eager and rng.random() < ABOARD]
                    planned += [(day * DAY + leaves + rng.uniform(0, BOARDING), index, "train") for index in aboard]
        for service in self.services:
            how, a_day = "other", OTHERS_A_DAY
            if service.layer == "platform":
                how, a_day = "platform", PLATFORM_A_DAY
            elif service.eager:
                how, a_day = "eager", EAGER_A_DAY
            for day in range(self.days):
                if day % 7 < 5:
                    hours = (rng.triangular(7, 20, 12) * HOUR for _ in range(poisson(rng, a_day)))
                    planned += [(day * DAY + at, service.place, how) for at in hours]
        for _ in range(poisson(rng, self.days / FLEET_EVERY)):
            at = rng.randrange(self.days) * DAY + rng.uniform(9, 16) * HOUR
            many = round(len(self.services) * rng.uniform(*FLEET_SHARE))
            for service in rng.sample(self.services, many):
                planned.append((at + rng.uniform(0, FLEET_TAKES), service.place, "fleet"))
        planned.sort()
        numbers: dict[int, int] = defaultdict(int)
        going = []
        for id_, (at, index, how) in enumerate(planned):
            numbers[index] += 1
            n = numbers[index]
            ends = at + rng.uniform(2, 9) * MINUTE * (2 if self.services[index].tool == "targets" else 1)
            going.append(Going(id_, index, how, n, at, ends, f"v{n}.0", f"v{n - 1}.0" if n > 1 else ""))
        return going

    # -- incidents -----------------------------------------------------------------------------------------------

    def _faults(self) -> None:
        rng = self.rng
        for rollout in self.going:
            if rng.random() >= FAULTY[rollout.how]:
                continue
            at = self._shows(rollout.ends)
            service, above = self.services[rollout.service], self.above[rollout.service]
            hit = [rollout.service]
            if service.layer == "platform" and above:
                hit = rng.sample(above, min(len(above), rng.randint(*SPREADS)))
                if rng.random() < 0.5:
                    hit.append(rollout.service)
            elif above and rng.random() < NEIGHBOUR:
                hit = [rng.choice(above)]
            elif above and rng.random() >= ALONE:
                hit.append(rng.choice(above))
            times = [at] + [at + rng.uniform(0, SPREAD_WITHIN) for _ in hit[1:]]
            self.struck += [Struck(t, index, rollout.id) for t, index in zip(times, hit, strict=True)]
            if at - rollout.ends < VISIBLE and rng.random() < ROLLED_BACK:
                self.back_at[rollout.id] = max(at, rollout.ends) + rng.uniform(*BACK_AFTER)

    def _shows(self, ends: float) -> float:
        rng = self.rng
        chance = rng.random()
        if chance < TRAFFIC_SHARE:
            return ends + rng.weibullvariate(TRAFFIC, TRAFFIC_SHAPE)
        if chance < TRAFFIC_SHARE + JOB_SHARE:
            return (ends // HOUR + 1) * HOUR + rng.expovariate(1 / JOB_TAKES)
        if chance < TRAFFIC_SHARE + JOB_SHARE + LEAK_SHARE:
            return ends + rng.gammavariate(LEAK_SHAPE, LEAK / LEAK_SHAPE)
        return _next_peak(ends) + rng.uniform(0, HOUR)

    def _nobody_s_fault(self) -> None:
        rng = self.rng
        everyone = range(len(self.services))
        for _ in range(poisson(rng, self.days / OUTAGE_EVERY)):
            at = rng.uniform(0, self.days * DAY)
            for index in rng.sample(everyone, rng.randint(*OUTAGE_HITS)):
                self.struck.append(Struck(at + rng.uniform(0, OUTAGE_WITHIN), index, None))
        for _ in range(poisson(rng, WEAR * self.days)):
            self.struck.append(Struck(rng.uniform(0, self.days * DAY), rng.choice(everyone), None))
        for _ in range(poisson(rng, BATCH * self.days)):
            at = rng.randrange(self.days) * DAY + BATCH_AT + rng.expovariate(1 / (10 * MINUTE))
            stores = [s.place for s in self.services if s.layer == "store"]
            self.struck.append(Struck(at, rng.choice(stores), None))

    # -- going back ----------------------------------------------------------------------------------------------

    def _go_back(self) -> None:
        """A rollback is one more deployment, of the version before; who has gone on meanwhile does not go back."""
        rng = self.rng
        following: dict[int, list[Going]] = defaultdict(list)
        for rollout in self.going:
            following[rollout.service].append(rollout)
        for rollout in self.going:
            if rollout.id not in self.back_at and rng.random() < BACK_FOR_NOTHING:
                self.back_at[rollout.id] = rollout.ends + rng.uniform(5 * MINUTE, 3 * HOUR)
        backs: list[Going] = []
        for id_, at in sorted(self.back_at.items()):
            rollout = self.going[id_]
            gone_on = any(rollout.begins < other.begins <= at for other in following[rollout.service])
            if gone_on or not rollout.before:
                del self.back_at[id_]
                continue
            number = len(self.going) + len(backs)
            back = Going(number, rollout.service, "back", 0, at, at + 3 * MINUTE, rollout.before, rollout.version, True)
            backs.append(back)
        self.going += backs

    # -- what is told --------------------------------------------------------------------------------------------

    def history(self) -> History:
        rng = self.rng
        releases, rollout_of = [], {}
        for rollout in self.going:
            for release in self._records(rollout):
                releases.append(release)
                rollout_of[release.key] = rollout.id
        incidents, cause_of = [], {}
        for n, struck in enumerate(sorted(self.struck)):
            if struck.at < self.days * DAY:
                incident = self._alert(n, struck)
                incidents.append(incident)
                cause_of[incident.key] = struck.cause
        rng.shuffle(releases)
        declared = {name: tuple(dict.fromkeys(n for n in needs if n != name)) for name, needs in self.declared.items()}
        return History(releases, incidents, rollout_of, cause_of, declared, _Knowing(self))

    def _records(self, rollout: Going) -> list[Release]:
        service = self.services[rollout.service]
        off = self.offset[service.tool]
        named = service.tool != "endless" or rollout.id % 10 != 3
        common = {
            "source": service.tool,
            "title": f"{service.name} {rollout.version}",
            "environment": "production",
            "version": rollout.version,
            "previous_version": rollout.before if service.tool == "well" else "",
            "services": (service.name,) if named else (),
            "team": _team(service) if named else "",
            "repository": f"corp/{service.name}" if service.layer == "platform" else f"corp/domain-{service.domain}",
            "commits": 1 + rollout.id % 9 if service.tool == "endless" else None,
        }
        begins, ends = rollout.begins + off, rollout.ends + off
        if service.tool == "targets":
            half = (begins + ends) / 2
            spans = (("zone-a", begins, half), ("zone-b", half, ends))
            return [
                Release(
                    key=f"targets:release:{rollout.id}-{target}",
                    state="success",
                    target=target,
                    started_at=moment(since // MINUTE * MINUTE),
                    updated_at=moment(until // MINUTE * MINUTE),
                    ended_at=moment(until // MINUTE * MINUTE),
                    **common,  # type: ignore[arg-type]
                )
                for target, since, until in spans
            ]
        ended = None if service.tool == "endless" else moment(ends)
        return [
            Release(
                key=f"{service.tool}:release:{rollout.id}",
                state="success",
                started_at=moment(begins),
                updated_at=ended,
                ended_at=ended,
                **common,  # type: ignore[arg-type]
            )
        ]

    def _alert(self, n: int, struck: Struck) -> Incident:
        service = self.services[struck.service]
        tool = self.rng.choices(("silent", "placeless", "good"), (SILENT, PLACELESS, 1 - SILENT - PLACELESS))[0]
        return Incident(
            key=f"{tool}:incident:{n}",
            source=tool,
            state="open",
            title="Latency is high",
            services=() if tool == "silent" else (service.name,),
            team=_team(service),
            environment="" if tool == "placeless" else "production",
            started_at=moment(struck.at + self.offset[tool]),
        )


def _team(service: Service) -> str:
    return "platform" if service.layer == "platform" else f"domain-{service.domain}"


def _next_peak(after: float) -> float:
    peak = after // DAY * DAY + PEAK
    return peak if peak > after + HOUR else peak + DAY


class _Knowing:
    """The oracle of this kind of world, for one incident at a time: it does not see that many come at once."""

    def __init__(self, company: _Company) -> None:
        self.company = company
        self.going = sorted((r for r in company.going if not r.back), key=lambda r: r.begins)
        self.begins = [r.begins for r in self.going]
        self.index = {s.name: s.place for s in company.services}
        self.teams: dict[str, list[int]] = defaultdict(list)
        for service in company.services:
            self.teams[_team(service)].append(service.place)
        self.stores = {s.place for s in company.services if s.layer == "store"}
        self.hits = [self._hits(s) for s in company.services]

    def __call__(self, incident: Incident, hindsight: bool) -> Weighed:
        assert incident.started_at is not None
        company = self.company
        at = seconds(incident.started_at) - company.offset[incident.source]
        where = [self.index[incident.services[0]]] if incident.services else self.teams[incident.team]
        found = {}
        for rollout in self.going[bisect_left(self.begins, at - 36 * HOUR) : bisect_left(self.begins, at)]:
            hits = self.hits[rollout.service]
            weight = FAULTY[rollout.how] * sum(hits.get(index, 0.0) for index in where) * _shown(at, rollout.ends)
            back_at = company.back_at.get(rollout.id)
            if hindsight:
                weight *= ROLLED_BACK / BACK_FOR_NOTHING if back_at is not None and back_at > at else 1 - ROLLED_BACK
            if weight > 0:
                found[rollout.id] = weight
        count = len(company.services)
        outages = sum(OUTAGE_HITS) / 2 / OUTAGE_EVERY / count
        none = (outages + WEAR / count) / DAY * len(where)
        since_batch = at % DAY - BATCH_AT
        if since_batch > 0:
            stores = sum(index in self.stores for index in where) / len(self.stores)
            none += BATCH * stores * math.exp(-since_batch / (10 * MINUTE)) / (10 * MINUTE)
        return Weighed(found, none)

    def _hits(self, service: Service) -> dict[int, float]:
        above = self.company.above[service.place]
        if not above:
            return {service.place: 1.0}
        if service.layer == "platform":
            share = min(len(above), sum(SPREADS) / 2) / len(above)
            return {service.place: 0.5, **dict.fromkeys(above, share)}
        share = NEIGHBOUR + (1 - NEIGHBOUR) * (1 - ALONE)
        hits = {service.place: 1 - NEIGHBOUR}
        for index in above:
            hits[index] = hits.get(index, 0.0) + share / len(above)
        return hits


def _shown(at: float, ends: float) -> float:
    """How likely a fault shows at this second; what spreads from it within minutes is taken for the first of it."""
    delay = at - ends
    if delay <= 0:
        return 0.0
    shape, scaled = TRAFFIC_SHAPE, delay / TRAFFIC
    density = TRAFFIC_SHARE * shape / TRAFFIC * scaled ** (shape - 1) * math.exp(-(scaled**shape))
    after_job = at - (ends // HOUR + 1) * HOUR
    if after_job > 0:
        density += JOB_SHARE / JOB_TAKES * math.exp(-after_job / JOB_TAKES)
    scale = LEAK / LEAK_SHAPE
    gamma = delay ** (LEAK_SHAPE - 1) * math.exp(-delay / scale) / (math.gamma(LEAK_SHAPE) * scale**LEAK_SHAPE)
    density += LEAK_SHARE * gamma
    if 0 <= at - _next_peak(ends) <= HOUR:
        density += PEAK_SHARE / HOUR
    return density
