"""The releases of the past, what some of them broke, and how it was healed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from statusboard.demo.history.calendar import DAY, HOUR, MINUTE, Calendar
from statusboard.demo.names import ALERTS, PEOPLE, REGIONS, Severity
from statusboard.demo.records import Deployment, Publication, Service, committed

IMPROVING: Final = "payments"
"""The team that gets better: it releases more often, breaks less and heals faster."""

FELT_ELSEWHERE: Final = 0.2
"""How many of the faults of a service that others need show there."""


class Fire(NamedTuple):
    """An alert to come."""

    service: str
    name: str
    severity: Severity
    summary: str
    expression: str
    since: float
    until: float
    instance: str = ""
    silenced: float = 0.0
    """Seconds after which somebody silences it; 0 for nobody."""


class Shipping:
    """All releases of one service, oldest first.

    ``deployments`` have their versions at the end only, since the last one must be what the world begins with;
    ``fires`` are the alerts that follow.  ``dependants``: the names of the services that need this one.
    """

    def __init__(self, service: Service, calendar: Calendar, *, a_day: float, dependants: Sequence[str]) -> None:
        self.deployments: list[Deployment] = []
        self.publications: list[Publication] = []
        self.fires: list[Fire] = []
        self._service = service
        self._calendar = calendar
        self._rng = calendar.rng
        self._dependants = dependants
        self._regions = REGIONS if service.ci == "buildbot" else ("",)
        self._improving = service.team == IMPROVING
        #: By their numbers, from 0 for what ran at the beginning: those of the deployments and publications.
        self._shipped: list[tuple[Deployment, int, int]] = []
        self._published: list[tuple[Publication, int]] = []
        self._newest = self._runs = 0
        #: When each version, by its number, was cut, and of how many hours its commits were.
        self._cut: dict[int, tuple[float, float]] = {}
        self._tell(a_day)

    def _tell(self, a_day: float) -> None:
        free = 0.0
        for time in self._calendar.times(a_day, before=10 * HOUR):
            if time < free or (self._improving and self._rng.random() > 0.5 + 0.5 * self._calendar.progress(time)):
                continue
            free = self._release(time) + 20 * MINUTE
        if self._runs != self._newest:  # the world begins with the newest version in production
            self._deploy("production", max(free, self._calendar.until - 3 * HOUR), self._newest)
        versions = _versions(self._service.version, self._newest, self._calendar)
        for deployment, version, previous in self._shipped:
            deployment.version, deployment.previous = versions[version], versions[previous]
            if version in self._cut:
                cut, hours = self._cut[version]
                deployment.committed = committed(self._service.name, deployment.version, cut, hours=hours)
            self.deployments.append(deployment)
        for publication, version in self._published:
            publication.version = versions[version]
            self.publications.append(publication)

    def _release(self, time: float) -> float:
        """Cut a version, take it to staging and then to production; returns when all that follows from it is over."""
        calendar, rng = self._calendar, self._rng
        self._newest = version = self._newest + 1
        self._cut[version] = time, 40 - 30 * calendar.progress(time) if self._improving else 24
        self._deploy("staging", time, version)
        time += calendar.minutes(12, 90)
        self._publish(time, version)
        bad = 0.6 * (1 - calendar.progress(time)) ** 1.5 if self._improving else 0.16
        if time > calendar.until - 1.5 * DAY:
            bad = 0.0  # of the faults of the last hours the world's own past would have to know
        dice = rng.random()
        if dice < bad * 0.2:  # the deployment itself fails, and is tried again
            time = self._deploy("production", time, version, outcome="failure") + calendar.minutes(15, 45)
            dice = 1.0
        done = self._deploy("production", time, version)
        return self._break(done, version) if dice < bad else done

    def _break(self, since: float, version: int) -> float:
        """Some minutes after a bad release an alert fires, until a roll-back, a fix, or by itself."""
        calendar, rng = self._calendar, self._rng
        before = version - 1
        fires = since + (2 + min(rng.expovariate(1 / 11), 55)) * MINUTE
        slow = 1.6 - 1.4 * calendar.progress(since) if self._improving else 0.8
        acts = fires + calendar.minutes(12, 70) * slow
        dice = rng.random()
        if dice < 0.6:
            ends = self._deploy("production", acts, before, task="rollback")
        elif dice < 0.85:
            self._newest = fix = self._newest + 1
            self._cut[fix] = acts, (acts - fires) / HOUR
            acts += calendar.minutes(20, 60) * slow
            self._publish(acts, fix)
            ends = self._deploy("production", acts, fix)
        else:
            ends = acts + calendar.minutes(10, 50) * slow
        ends += calendar.minutes(2, 8)
        felt = bool(self._dependants) and rng.random() < FELT_ELSEWHERE
        where = rng.choice(self._dependants) if felt else self._service.name
        name, summary, expression = rng.choice(ALERTS)
        severity: Severity = "critical" if rng.random() < 0.35 else "warning"
        self.fires.append(Fire(where, name, severity, summary, expression, fires, ends))
        return ends

    def _publish(self, time: float, version: int) -> None:
        if self._service.ci == "actions":
            author = self._rng.choice(PEOPLE)
            record = Publication(service=self._service, id=0, version="", body="", author=author, created=time)
            self._published.append((record, version))

    def _deploy(
        self,
        environment: str,
        time: float,
        version: int,
        *,
        outcome: Literal["success", "failure"] = "success",
        task: str = "deploy",
    ) -> float:
        """Take a version somewhere, one region after the other; returns when that is done."""
        calendar, rng = self._calendar, self._rng
        actor, sha = rng.choice(PEOPLE), calendar.sha()
        production = environment == "production"
        regions = self._regions if production else ("",)
        for region in regions:
            begins = time + rng.uniform(4, 25)
            ends = begins + rng.uniform(80, 260)
            fails = outcome == "failure" and region == regions[-1]
            deployment = Deployment(
                service=self._service,
                id=0,
                environment=environment,
                version="",
                previous="",
                sha=sha,
                actor=actor,
                task=task,
                region=region,
                created=time,
                states=[(time, "queued", 0), (begins, "in_progress", 0), (ends, "failure" if fails else "success", 0)],
            )
            self._shipped.append((deployment, version, self._runs))
            time = ends
        if production and outcome == "success":
            self._runs = version
        return time


def _versions(newest: str, count: int, calendar: Calendar) -> list[str]:
    """The versions before ``newest``, oldest first and that one last, ``count`` steps in all."""
    major, minor, patch = (int(part) for part in newest.removeprefix("v").split("."))
    found = [newest]
    for _ in range(count):
        if patch > 0:
            patch -= 1
        elif minor > 0:
            minor, patch = minor - 1, calendar.rng.randint(0, 4)
        elif major > 0:
            major, minor, patch = major - 1, calendar.rng.randint(9, 24), calendar.rng.randint(0, 4)
        found.append(f"v{major}.{minor}.{patch}")
    return found[::-1]
