"""What happened at the pretend company in the 90 days before its `World` begins, and what its vendors told of it.

A plan, made at once: each service releases, breaks and mends, and everything that a board would have been told is put
in order of time.  It ends where the world's own past begins, with the versions and numbers that the world goes on from.

There is a story in it.  Nights and weekends are quiet.  Alerts follow bad releases, some in services that need the one
that was released; others have no release behind them.  The payments team gets better month by month.  The end-to-end
tests of one service are flaky, the builds of another take ever longer, one nightly build was red for a week.  On some
nights no board ran, and now and then a source could not be read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from statusboard.demo import items
from statusboard.demo.history.building import Building, Run
from statusboard.demo.history.calendar import DAY, HOUR, MINUTE, Calendar
from statusboard.demo.history.shipping import IMPROVING, Fire, Shipping
from statusboard.demo.items import Place
from statusboard.demo.names import ALERTS, DASHBOARDS, DEPENDS_ON, PEOPLE, RUNBOOKS, STANDING_ALERTS, TICKETS
from statusboard.demo.records import Alert, Build, Deployment, Publication, Service, Ticket
from statusboard.demo.state import FIRST_IDS, State
from statusboard.model import Item

__all__ = ["DAYS", "Chronicle", "Gap", "Told", "write"]

DAYS: Final = 90

PUSHES, PULLS, RELEASES, ASKED, UNPROVOKED = 42.0, 25.0, 8.0, 9.0, 0.45
"""On a working day of the whole company, however large it is: its history is made in seconds."""

_FAULTS: Final = (
    "503 Service Unavailable",
    "no answer within 10 s",
    "the connection was closed",
    "502 Bad Gateway",
)


class Told(NamedTuple):
    """What a vendor says from ``at`` (Unix seconds) on; without an ``item`` it no longer tells of ``key``."""

    at: float
    place: Place
    key: str
    item: Item | None


class Gap(NamedTuple):
    """A stretch in which a source could not be read, and why; without a ``source`` no board ran."""

    since: float
    until: float
    source: str = ""
    error: str = ""


class Chronicle(NamedTuple):
    """What is told from ``since`` until ``until`` (Unix seconds), in order of time, and when nobody heard it."""

    since: float
    until: float
    told: list[Told]
    gaps: list[Gap]


def write(state: State, later: State, *, seed: int, urls: Mapping[str, str], log: str, days: int = DAYS) -> Chronicle:
    """The history of ``state``, which stands at the beginning of its own past; the same ``seed`` tells the same.

    ``later``: the same company when the watcher arrives; of its open tickets some are weeks old by then.
    ``urls``: the addresses of the vendors; ``log``: the path of the deploy log.
    """
    until = state.now - 2 * MINUTE
    since = until - days * DAY + 12 * HOUR  # stores keep builds for 90 days: nothing of it is to go while one looks
    rng = Random(f"history {seed}")
    return _Writer(state, Calendar(rng, since, until), urls, log).write(later)


class Asked(NamedTuple):
    """A ticket, and when it got which status and whom."""

    ticket: Ticket
    steps: list[tuple[float, str, str]]


class _Writer:
    def __init__(self, state: State, calendar: Calendar, urls: Mapping[str, str], log: str) -> None:
        self._state = state
        self._calendar = calendar
        self._rng = calendar.rng
        self._urls = urls
        self._log = log
        self._told: list[Told] = []

    def write(self, later: State) -> Chronicle:
        """The plan."""
        services, calendar = self._state.services, self._calendar
        shippings = {service.name: self._shipping(service) for service in services}
        buildings = {service.name: self._building(service) for service in services}
        fires = [fire for shipping in shippings.values() for fire in shipping.fires] + self._unprovoked()
        tickets = self._tickets()
        self._number_issues(tickets, buildings)
        self._tell_releases(shippings)
        self._tell_builds(buildings)
        self._tell_tickets(tickets)
        self._tell_tickets(_still_open(later))
        self._tell_fires(fires)
        self._told.sort(key=lambda told: told.at)
        return Chronicle(calendar.since, calendar.until, self._told, self._gaps())

    # -- who does what -------------------------------------------------------------------------------------------

    def _shipping(self, service: Service) -> Shipping:
        names = {each.name for each in self._state.services}
        dependants = [name for name, needs in DEPENDS_ON.items() if service.name in needs and name in names]
        a_day = RELEASES / len(self._state.services) * (0.5 if service.ci == "buildbot" else 1.0)
        return Shipping(service, self._calendar, a_day=a_day, dependants=dependants)

    def _building(self, service: Service) -> Building:
        services = self._state.services
        tested = [each for each in services if "e2e" in each.pipelines]
        nightly = [each for each in services if "nightly" in each.pipelines]
        return Building(
            service,
            self._calendar,
            pushes=PUSHES / len(services),
            pulls=PULLS / len(services),
            flaky="e2e" if service is tested[-1] else "",
            slower=service.pipelines[0] if service is tested[0] else "",
            red="nightly" if service is nightly[-1] else "",
        )

    def _unprovoked(self) -> list[Fire]:
        """Alerts without a release behind them, at any hour, some silenced by whoever looks into them.

        The team that gets better has few of them: what its numbers tell is what it did itself.
        """
        calendar, rng = self._calendar, self._rng
        others = [service for service in self._state.services if service.team != IMPROVING]
        fires = []
        for day, _ in calendar.days():
            if rng.random() < UNPROVOKED:
                since = day + rng.uniform(0, DAY)
                if rng.random() < 0.6:
                    name, severity, summary, expression = rng.choice(STANDING_ALERTS[:3])
                else:
                    name, summary, expression = rng.choice(ALERTS)
                    severity = "warning"
                service = rng.choice(others if rng.random() < 0.9 else self._state.services).name
                until = since + calendar.minutes(8, 150)
                silenced = calendar.minutes(4, 7) if rng.random() < 0.3 else 0.0
                node = f"node-{rng.randint(1, 9)}"
                fires.append(Fire(service, name, severity, summary, expression, since, until, node, silenced))
        return fires

    def _tickets(self) -> list[Asked]:
        """What people ask for; their numbers come later."""
        calendar, rng = self._calendar, self._rng
        found = []
        for time in calendar.times(ASKED, before=30 * HOUR):
            service = rng.choice(self._state.services)
            hosted = service.ci == "actions" and rng.random() < 0.5
            title = rng.choice(TICKETS)
            ticket = Ticket(
                service=service,
                id=0,
                number=1 if hosted else 0,
                title=title if hosted else f"{service.name}: {title}",
                body="",
                creator=rng.choice(PEOPLE),
                created=time,
                updated=time,
                status="",
                priority=rng.choice(("urgent", "bug", "bug", "feature", "wish")),
                labels=(rng.choice(("bug", "enhancement", "documentation")),),
            )
            person = rng.choice(PEOPLE)
            taken = time + rng.uniform(0.3, 30) * HOUR
            done = taken + rng.uniform(1, 60) * HOUR
            first, then, last = ("open", "open", "closed") if hosted else ("unread", "in-progress", "resolved")
            found.append(Asked(ticket, [(time, first, ""), (taken, then, person), (done, last, person)]))
        return found

    def _gaps(self) -> list[Gap]:
        """Nights in which no board ran, one weekend too, and sources that could not be read for a while."""
        calendar, rng = self._calendar, self._rng
        gaps: list[Gap] = []
        for day, works in calendar.days():
            night = day + 20.5 * HOUR
            if rng.random() < 0.09 and calendar.since + DAY < night < calendar.until - 2 * DAY:
                gaps.append(Gap(night, night + rng.uniform(8, 10) * HOUR))
            elif works and rng.random() < 0.3:
                since = day + rng.uniform(7, 17) * HOUR
                if calendar.since + DAY < since < calendar.until - 8 * HOUR:
                    source = rng.choice((items.GITHUB, items.ALERTS, items.BUILDBOT, items.TICKETS))
                    gaps.append(Gap(since, since + calendar.minutes(6, 70), source, rng.choice(_FAULTS)))
        return sorted(gaps)

    # -- what is told of it --------------------------------------------------------------------------------------

    def _tell(self, at: float, place: Place, item: Item | None) -> None:
        if item is not None and self._calendar.since < at < self._calendar.until:
            self._told.append(Told(at, place, item.key, item))

    def _tell_releases(self, shippings: Mapping[str, Shipping]) -> None:
        deployments = [each for shipping in shippings.values() for each in shipping.deployments]
        _number([each for each in deployments if each.service.ci == "actions"], "deployment", gaps=4)
        _number([each for each in deployments if each.service.ci == "buildbot"], "rollout")
        _number([each for shipping in shippings.values() for each in shipping.publications], "publication")
        for shipping in shippings.values():
            self._tell_deployments(shipping.deployments)
            for index, each in enumerate(shipping.publications):
                place = items.releases_place(each.service, self._log)
                listed = shipping.publications[max(0, index - 20) : index]
                self._tell(each.created, place, items.publication(each, listed))

    def _tell_deployments(self, deployments: list[Deployment]) -> None:
        """Each deployment as it goes on its way, and what becomes of the one in whose place it comes."""
        in_place: dict[tuple[str, str], Deployment] = {}
        for each in sorted(deployments, key=lambda deployment: deployment.states[-1][0]):
            place, states = items.releases_place(each.service, self._log), each.states
            for count in range(2, len(states) + 1):  # that it waited for some seconds is seen by chance
                each.states = states[:count]
                self._tell(states[count - 1][0], place, items.deployment(each))
            if each.state == "failure":
                continue
            before = in_place.get((each.environment, each.region))
            in_place[(each.environment, each.region)] = each
            if before is not None and each.service.ci == "actions":
                before.states = [*before.states, (each.updated, "inactive", 0)]
                undone_by = each.version if each.task == "rollback" and each.version != before.version else ""
                self._tell(each.updated, place, items.deployment(before, undone_by=undone_by))

    def _tell_builds(self, buildings: Mapping[str, Building]) -> None:
        runs = sorted((run for building in buildings.values() for run in building.runs), key=lambda r: r.build.created)
        _number([run.build for run in runs if run.build.service.ci == "actions"], "run", gaps=6)
        own = [run.build for run in runs if run.build.service.ci == "buildbot"]
        _number(own, "build")
        for back, build in enumerate(reversed(own)):
            build.request_id = FIRST_IDS["request"] - back
        by_pipeline: defaultdict[tuple[str, str], list[Build]] = defaultdict(list)
        for run in runs:
            by_pipeline[(run.build.service.name, run.build.pipeline)].append(run.build)
        for builds in by_pipeline.values():
            last = builds[0].service.numbers[builds[0].pipeline]
            for back, build in enumerate(reversed(builds)):
                build.number = last - back
        builders = items.builders(self._state.services)
        for run in runs:
            self._tell_build(run, builders)

    def _tell_build(self, run: Run, builders: Mapping[str, int]) -> None:
        build, place = run.build, items.builds_place(run.build.service)
        url = self._urls["buildbot"]
        for number, attempt in enumerate(run.attempts, 1):
            build.attempt, build.asked, build.started, build.ended = number, attempt.asked, attempt.began, None
            build.state = "running"
            self._tell(attempt.began, place, items.build(build, builders=builders, url=url))
            build.state, build.ended, build.updated = attempt.state, attempt.ended, attempt.ended
            self._tell(attempt.ended, place, items.build(build, builders=builders, url=url))

    def _tell_tickets(self, tickets: list[Asked]) -> None:
        place_of, url = items.ticket_place, self._urls["roundup"]
        for ticket, steps in tickets:
            for at, status, person in steps:
                ticket.status, ticket.assignee, ticket.updated = status, person, at
                ticket.closed = at if status == "closed" else None
                self._tell(at, place_of(ticket), items.ticket(ticket, url=url))

    def _number_issues(self, tickets: list[Asked], buildings: Mapping[str, Building]) -> None:
        """Issues and pull requests of a repository share their numbers; Roundup's issues have their own."""
        own = [ticket for ticket, _ in tickets if not ticket.number]
        _number(own, "ticket")
        for service in self._state.hosted:
            builds = [run.build for run in buildings[service.name].runs if run.build.change]
            opened: dict[int, float] = {}
            for build in builds:
                opened[build.change] = min(build.created, opened.get(build.change, build.created))
            issues = [ticket for ticket, _ in tickets if ticket.number and ticket.service is service]
            made = [(at, pull, None) for pull, at in opened.items()] + [(t.created, 0, t) for t in issues]
            made.sort(key=lambda each: each[:2])
            pulls: dict[int, int] = {}
            for number, (_, pull, ticket) in enumerate(made, service.numbers["#"] - len(made) + 1):
                if ticket is not None:
                    ticket.number = number
                else:
                    pulls[pull] = number
            for build in builds:
                build.change = pulls[build.change]

    def _tell_fires(self, fires: list[Fire]) -> None:
        """Each alert while it fires; the same labels do not fire twice at a time."""
        free: dict[str, float] = {}
        for fire in sorted(fires, key=lambda fire: fire.since):
            alert = self._alert(fire)
            begins = free.get(alert.fingerprint, self._calendar.since)
            if fire.until > self._calendar.until - 5 * MINUTE or fire.since <= begins:
                continue
            free[alert.fingerprint] = fire.until + 5 * MINUTE
            item = items.incident(alert)
            assert item is not None
            self._tell(fire.since, items.ALERTS_PLACE, item)
            if fire.silenced:
                by = f"{self._rng.choice(PEOPLE)}: Known, being looked at."
                quiet = items.incident(alert, quiet=by, until=fire.until + HOUR)
                self._tell(fire.since + fire.silenced, items.ALERTS_PLACE, quiet)
            self._told.append(Told(fire.until, items.ALERTS_PLACE, item.key, None))

    def _alert(self, fire: Fire) -> Alert:
        team = self._state.service(fire.service).team
        labels = {
            "alertname": fire.name,
            "cluster": "eu-central-1",
            "environment": "prod",
            "service": fire.service,
            "severity": fire.severity,
            "team": team,
        }
        return Alert(
            labels=labels | ({"instance": fire.instance} if fire.instance else {}),
            annotations={
                "summary": fire.summary.format(service=fire.service),
                "description": f"{fire.name} has held for 2 minutes on {fire.service}. Look at what changed before it.",
                "runbook_url": f"{RUNBOOKS}/{team}/{fire.name}",
                "dashboard_url": f"{DASHBOARDS}/d/{fire.service}",
            },
            expression=fire.expression,
            starts=fire.since,
        )


def _still_open(later: State) -> list[Asked]:
    """The tickets that are open when the watcher arrives, as they were when they were new."""
    found = [*later.tracker, *(ticket for service in later.hosted for ticket in service.issues)]
    first = {True: "open", False: "unread"}
    return [
        Asked(replace(ticket, assignee=""), [(ticket.created, first[ticket.number > 0], "")])
        for ticket in found
        if ticket.closed is None
    ]


def _created(record: Build | Deployment | Publication | Ticket) -> float:
    return record.created


def _number(records: Sequence[Build | Deployment | Publication | Ticket], of: str, *, gaps: int = 1) -> None:
    """Give them their ids, in the order of their making and up to the last that was given before the world begins."""
    for back, record in enumerate(sorted(records, key=_created, reverse=True)):
        record.id = FIRST_IDS[of] - back * gaps
