"""The story: rounds of about three minutes in which something goes wrong and is healed, over a background of noise.

A round is a release, a build that breaks, an alert that follows the release by 2 to 4 minutes, what people do about it,
and a vendor that cannot be read for a while.  The alert of one round therefore falls into the next one, as it does in
life, and each round takes another service and another turn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from statusboard.demo.acts import Acts
from statusboard.demo.names import ALERTS, COMMITS, ORGANISATION, PEOPLE, REGIONS, ROBOT, TICKETS
from statusboard.demo.records import FAULTS, VENDORS, Alert, Build, Deployment, Service, Silence, Ticket

ROUND = 180.0
"""Seconds of the story between the beginnings of two rounds."""

BLIND = 50.0
"""Seconds of the story that a vendor cannot be read."""

NOISE = 10.0
"""Seconds of the story between two things that happen by the way, at size 1."""

STATUSES = ("unread", "chatting", "need-eg", "in-progress", "testing", "resolved")
"""The way of a ticket through Roundup."""


class Story:
    """Puts the rounds and the noise on the agenda of the world that ``acts`` act in."""

    def __init__(self, acts: Acts, *, tickets: int) -> None:
        self.acts = acts
        self.state = acts.state
        self.rounds = 0
        self._tickets = tickets
        self._noise = NOISE / self.state.size**0.5

    def begin(self, rounds: float, noise: float) -> None:
        """The first round and the noise begin at these Unix times."""
        self.state.at(rounds, self._next_round)
        self.state.at(noise, self._next_noise)

    # --------------------------------------------------------------------------------------------------------- rounds

    def _next_round(self) -> None:
        self.round()
        self.state.after(ROUND, self._next_round)

    def round(self) -> None:
        """Begin one round now."""
        turn, self.rounds = self.rounds, self.rounds + 1
        service = self.state.deal("releases", self.state.services)
        self.release(service, turn=turn, fails=turn % 4 == 3, approval=12 if turn % 4 == 2 else 0)
        self.state.after(40, lambda: self.break_build(self.state.deal("breaks", self.state.services), heals=True))
        vendor, fault = VENDORS[turn % 4], FAULTS[(turn + turn // 4) % 4]
        self.state.after(100, lambda: self.acts.blind(vendor, fault, BLIND))

    def release(self, service: Service, *, turn: int = 0, fails: bool = False, approval: float = 0) -> Deployment:
        """Cut a version and take it to staging and then to production, where an alert follows it.

        Where the deployment to production ``fails`` it is tried again.  The ``turn`` decides how people react.
        """
        acts = self.acts
        version = acts.cut(service)

        def production(_: Deployment) -> None:
            if service.ci == "actions":
                acts.publish(service, version)
            self._production(service, version, fails=fails, approval=approval, turn=turn)

        service.broken.discard(service.pipelines[0])  # nobody releases what does not build
        acts.build(service, service.pipelines[0], title=f"Release {version}", takes=14)
        return acts.deploy(service, "staging", version, takes=12, then=production)

    def _production(self, service: Service, version: str, *, fails: bool, approval: float, turn: int) -> None:
        def arrived(deployment: Deployment) -> None:
            if deployment.state == "failure":
                self.acts.deploy(service, "production", version, region=deployment.region, queue=25, then=arrived)
            else:
                delay = self.state.rng.uniform(120, 240)
                self.state.after(delay, lambda: self.fire_alert(service, turn=turn))

        regions = REGIONS if service.ci == "buildbot" else ("",)
        for index, region in enumerate(regions):
            last = index == len(regions) - 1
            self.acts.deploy(
                service,
                "production",
                version,
                region=region,
                approval=approval,
                queue=4 + 9 * index,
                takes=16,
                outcome="failure" if fails and last else "success",
                then=arrived if last else None,
            )

    def fire_alert(self, service: Service, *, turn: int = 0) -> Alert:
        """An alert fires, people react, and in the end a roll-back heals it."""
        acts, state = self.acts, self.state
        name, summary, expression = state.deal("alerts", ALERTS)
        alert = acts.fire(service, name, "critical" if turn % 4 == 2 else "warning", summary, expression)
        ticket = self.open_ticket(service, title=alert.annotations["summary"], urgent=True)
        firing = [alert]
        if turn % 4 == 0:  # in every second of these turns the silence lapses before the alert is healed
            state.after(22, lambda: self.silence_alert(alert, seconds=60 if turn % 8 == 0 else 150))
        elif turn % 4 != 2:
            state.after(28, lambda: firing.append(self.escalate_alert(alert)))

        def healed(_: Deployment) -> None:
            for each in firing:
                state.after(15, partial(acts.resolve, each))
            state.after(30, lambda: self.close_ticket(ticket))

        state.after(70, lambda: self.rollback(service, then=healed))
        return alert

    def silence_alert(self, alert: Alert, *, seconds: float = 150) -> Silence:
        """Somebody has seen the alert and silences it while working on it."""
        person = self.state.deal("people", PEOPLE)
        return self.acts.silence(alert, by=person, comment="On it, rolling back.", seconds=seconds)

    def escalate_alert(self, alert: Alert) -> Alert:
        """The warning becomes critical: another alert of the same name, which inhibits the first."""
        service = self.state.service(alert.labels["service"])
        summary = alert.annotations["summary"]
        return self.acts.fire(service, alert.labels["alertname"], "critical", summary, alert.expression)

    def rollback(self, service: Service, *, then: Callable[[Deployment], object] | None = None) -> Deployment:
        """Deploy again what ran in production before; ``then`` is called when the last region has it."""
        regions = REGIONS if service.ci == "buildbot" else ("",)
        version = self.before(service)
        deployments = [
            self.acts.deploy(
                service,
                "production",
                version,
                task="rollback",
                region=region,
                queue=3,
                takes=14,
                then=then if region == regions[-1] else None,
            )
            for region in regions
        ]
        return deployments[-1]

    def before(self, service: Service) -> str:
        """The version that production ran before the present one (the present one, where nothing is known)."""
        for deployment in reversed(service.deployments):
            mine = deployment.environment == "production" and deployment.version == service.version
            if mine and deployment.previous != service.version:
                return deployment.previous
        return service.version

    # --------------------------------------------------------------------------------------------------------- builds

    def break_build(self, service: Service, *, heals: bool = False) -> Build:
        """A push breaks the first pipeline on the default branch; if it ``heals``, a fix follows."""
        acts, state = self.acts, self.state
        pipeline = service.pipelines[0]

        def broken(build: Build) -> None:
            service.broken.add(pipeline)
            if heals and service.ci == "actions" and state.rng.random() < 0.5:
                state.after(25, lambda: acts.rerun(build, outcome="failed", takes=15))  # it is no flake
            if heals:
                state.after(75, lambda: self.fix_build(service))

        return acts.build(service, pipeline, outcome="failed", takes=18, then=broken)

    def fix_build(self, service: Service) -> Build:
        """A push that mends what is broken."""
        pipeline = service.pipelines[0]
        service.broken.discard(pipeline)
        title = f"Fix the build: {self.state.deal('commits', COMMITS)}"
        return self.acts.build(service, pipeline, title=title, takes=18)

    def fail_pull_request(self, service: Service, *, fork: bool = False) -> Build:
        """The build of a pull request fails, which is nobody's outage.  A ``fork``'s branch is called main, too."""
        acts = self.acts
        if service.ci == "buildbot":
            return acts.build(service, service.pipelines[0], outcome="failed", branch="feat/draft", takes=15)
        pull = acts.open_pull(service)
        branch, owner = ("main", pull.creator) if fork else (pull.branch, "")
        return acts.build(
            service,
            "CI",
            outcome="failed",
            event="pull_request",
            branch=branch,
            fork=owner,
            change=pull,
            actor=pull.creator,
            takes=15,
        )

    def flaky_build(self, service: Service) -> Build:
        """The end-to-end tests fail, and pass when they are run again."""
        pipeline = "e2e" if "e2e" in service.pipelines else service.pipelines[0]
        acts = self.acts

        def again(build: Build) -> None:
            if service.ci == "actions":
                self.state.after(12, lambda: acts.rerun(build, takes=18))
            else:
                self.state.after(12, lambda: acts.build(service, pipeline, title=build.title, takes=18))

        return acts.build(
            service, pipeline, outcome="timed_out" if service.ci == "actions" else "exception", then=again
        )

    def cancel_build(self, service: Service) -> Build:
        """A build is cancelled while it runs, since a newer push made it pointless."""
        acts = self.acts
        build = acts.build(service, service.pipelines[0], takes=60)

        def cancel() -> None:
            if not build.finished:
                acts.cancel(build)

        self.state.after(14, cancel)
        return build

    # -------------------------------------------------------------------------------------------------------- tickets

    def open_ticket(self, service: Service, *, title: str = "", urgent: bool = False) -> Ticket:
        """A ticket about ``service``: in Roundup, or for services on GitHub in turn among the repository's issues."""
        hosted = service.ci == "actions" and self.state.rng.random() < 0.5
        return self.acts.open_ticket(
            service,
            title or self.state.deal("tickets", TICKETS),
            hosted=hosted,
            body="Seen by customers. See the alert and the newest release." if urgent else "",
            priority="critical" if urgent else self.state.rng.choice(("urgent", "bug", "bug", "feature", "wish")),
            labels=("incident", "priority: high") if urgent else ("bug",),
        )

    def close_ticket(self, ticket: Ticket) -> None:
        """Whatever state it is in, it is done now."""
        if ticket.closed is None:
            person = self.state.deal("people", PEOPLE)
            self.acts.move(ticket, "closed" if ticket.number else "resolved", actor=person, assignee=person)

    def move_ticket(self, ticket: Ticket) -> None:
        """One step on its way; an issue on GitHub gets an assignee first and is closed then."""
        person = ticket.assignee or self.state.deal("people", PEOPLE)
        if not ticket.number:
            step = min(STATUSES.index(ticket.status) + 1, len(STATUSES) - 1) if ticket.status in STATUSES else 3
            self.acts.move(ticket, STATUSES[step], actor=person, assignee=person if step > 1 else "")
        elif ticket.assignee:
            self.close_ticket(ticket)
        else:
            self.acts.move(ticket, "open", actor=person, assignee=person)

    # ---------------------------------------------------------------------------------------------------------- noise

    def _next_noise(self) -> None:
        self._something()
        self.state.after(self.state.rng.uniform(0.4, 1.6) * self._noise, self._next_noise)

    def _something(self) -> None:
        """Something that happens by the way."""
        acts, rng = self.acts, self.state.rng
        service = rng.choice(self.state.services)
        dice = rng.random()
        if dice < 0.5:
            pipeline = rng.choice(service.pipelines)
            event = "schedule" if pipeline == "nightly" else "push"
            failing = pipeline in service.broken
            acts.build(
                service, pipeline, event=event, outcome="failed" if failing else "success", takes=rng.uniform(12, 45)
            )
        elif dice < 0.60:
            self._pull_request(service)
        elif dice < 0.63:
            self.fail_pull_request(service, fork=rng.random() < 0.3)
        elif dice < 0.67:
            self.flaky_build(service)
        elif dice < 0.70:
            self.cancel_build(service)
        elif dice < 0.80:
            acts.deploy(service, "staging", acts.cut(service), takes=12)
        else:
            self._tickets_move()

    def _pull_request(self, service: Service) -> None:
        """A pull request is built, and merged if it passes; a robot's by its own account."""
        acts = self.acts
        if service.ci == "buildbot":
            acts.build(service, service.pipelines[0], branch="feat/draft", takes=20)
            return
        robot = self.state.rng.random() < 0.3
        pull = acts.open_pull(service, title=f"chore: bump the clients of {ORGANISATION}" if robot else "")

        def merge(build: Build) -> None:
            if build.state == "success":
                self.state.after(30, lambda: acts.move(pull, "closed", actor=pull.creator))

        acts.build(
            service,
            "CI",
            event="pull_request",
            branch=pull.branch,
            change=pull,
            actor=ROBOT if robot else pull.creator,
            then=merge,
            takes=20,
        )

    def _tickets_move(self) -> None:
        """A ticket is opened where there are few, else one of them moves on."""
        waiting = [t for t in self.state.tracker if t.closed is None]
        for service in self.state.hosted:
            waiting += [t for t in service.issues if t.closed is None and not t.pull]
        if len(waiting) < self._tickets:
            self.open_ticket(self.state.rng.choice(self.state.services))
        else:
            self.move_ticket(self.state.rng.choice(waiting))
