"""The verbs of the world: what people and machines of the pretend company do, one small thing each.

An act happens now and puts what follows from it (a queued build starts, then ends) on the agenda.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from statusboard.demo.names import BRANCHES, COMMITS, DASHBOARDS, PEOPLE, RUNBOOKS, Severity
from statusboard.demo.records import (
    Alert,
    Build,
    BuildState,
    Deployment,
    DeploymentState,
    Fault,
    Publication,
    Service,
    Silence,
    Ticket,
    Vendor,
    committed,
)
from statusboard.demo.state import State, trim

LOG_WORDS: dict[DeploymentState, str] = {"in_progress": "running", "success": "success", "failure": "failed"}
"""What the deploy script writes for a state; of the other states it knows nothing."""

INVENTED = UUID("5b7c1c1e-6d5e-4f0a-9d51-0c5d6a2f0000")


def stamp(when: float) -> str:
    """A Unix time as RFC 3339 with whole seconds and ``Z``."""
    return datetime.fromtimestamp(math.floor(when), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Acts:
    """What can happen in ``state``."""

    def __init__(self, state: State) -> None:
        self.state = state
        root = math.sqrt(state.size)
        self._keep_builds = 30 + round(15 * root)
        self._keep_deployments = 12 + round(6 * root)

    # --------------------------------------------------------------------------------------------------------- builds

    def build(
        self,
        service: Service,
        pipeline: str,
        *,
        outcome: BuildState = "success",
        queue: float = 4,
        takes: float = 25,
        held: float = 0,
        event: str = "push",
        branch: str = "main",
        change: Ticket | None = None,
        fork: str = "",
        title: str = "",
        actor: str = "",
        then: Callable[[Build], object] | None = None,
    ) -> Build:
        """Queue a build that waits ``held`` seconds for an approval, then ``queue`` for a worker, runs for ``takes``
        and ends as ``outcome``; ``then`` is called with it at its end."""
        state = self.state
        build = Build(
            service=service,
            pipeline=pipeline,
            id=state.next_id("run") if service.ci == "actions" else 0,
            request_id=state.next_id("request") if service.ci == "buildbot" else 0,
            number=service.next_number(pipeline) if service.ci == "actions" else 0,
            title=title or (change.title if change else state.deal("commits", COMMITS)),
            actor=actor or state.deal("people", PEOPLE),
            sha=state.sha(),
            branch=branch,
            event=event,
            created=state.now,
            asked=state.now,
            updated=state.now,
            change=change.number if change else 0,
            fork=fork,
        )
        service.builds.append(build)
        trim(service.builds, self._keep_builds, lambda old: old.finished)
        self._changed(build)
        if held:
            build.state = "blocked"
            state.after(held, lambda: self._change(build, "queued", 1, {"blocked"}))
        self._follow(build, outcome, held + queue, takes, then)
        return build

    def rerun(
        self,
        build: Build,
        *,
        outcome: BuildState = "success",
        queue: float = 4,
        takes: float = 25,
        then: Callable[[Build], object] | None = None,
    ) -> Build:
        """Run a finished build of Actions once more: the same run with a higher attempt."""
        if build.service.ci != "actions" or not build.finished:
            raise ValueError("only a finished build of Actions can be run again as itself")
        build.attempt += 1
        build.state = "queued"
        build.started = build.ended = None
        build.asked = build.updated = self.state.now
        self._changed(build)
        self._follow(build, outcome, queue, takes, then)
        return build

    def cancel(self, build: Build) -> Build:
        """Cancel a build that has not ended."""
        if build.finished:
            raise ValueError("the build has already ended")
        self._change(build, "cancelled", build.attempt, {"queued", "blocked", "running"})
        return build

    def _follow(
        self, build: Build, outcome: BuildState, queue: float, takes: float, then: Callable[[Build], object] | None
    ) -> None:
        attempt = build.attempt

        def end() -> None:
            if self._change(build, outcome, attempt, {"running", "queued"}) and then is not None:
                then(build)

        if outcome == "skipped":  # decided before anything runs
            self.state.after(queue, end)
            return
        self.state.after(queue, lambda: self._change(build, "running", attempt, {"queued"}))
        self.state.after(queue + takes, end)

    def _change(self, build: Build, to: BuildState, attempt: int, allowed: set[BuildState]) -> bool:
        if build.attempt != attempt or build.state not in allowed:
            return False  # it was cancelled or run again in the meantime
        state, service = self.state, build.service
        build.state = to
        build.updated = state.now
        if to == "running":
            build.started = state.now
            if service.ci == "buildbot":
                build.id = state.next_id("build")
                build.number = service.next_number(build.pipeline)
        elif build.finished:
            build.ended = state.now
        self._changed(build)
        return True

    def _changed(self, build: Build) -> None:
        self.state.touch(f"builds:{build.service.name}")
        if build.service.ci == "buildbot":
            self.state.touch("buildbot")

    # ------------------------------------------------------------------------------------------------------- releases

    def deploy(
        self,
        service: Service,
        environment: str,
        version: str,
        *,
        outcome: DeploymentState = "success",
        task: str = "deploy",
        region: str = "",
        actor: str = "",
        queue: float = 4,
        approval: float = 0,
        takes: float = 20,
        then: Callable[[Deployment], object] | None = None,
    ) -> Deployment:
        """Deploy ``version``: queued, waiting ``approval`` seconds for one (if any), in progress, then ``outcome``."""
        state = self.state
        deployment = Deployment(
            service=service,
            id=state.next_id("deployment" if service.ci == "actions" else "rollout"),
            environment=environment,
            version=version,
            previous=service.version,
            sha=state.sha(),
            actor=actor or state.deal("people", PEOPLE),
            task=task,
            region=region,
            created=state.now,
            committed=committed(service.name, version, service.cuts[version]) if version in service.cuts else None,
        )
        service.deployments.append(deployment)
        trim(service.deployments, self._keep_deployments, lambda old: old.state in ("inactive", "failure"))
        self._reach(deployment, "queued")
        if approval:
            state.after(queue, lambda: self._reach(deployment, "waiting"))
        state.after(queue + approval, lambda: self._reach(deployment, "in_progress"))

        def end() -> None:
            if outcome == "success":
                self._replace(deployment)
            self._reach(deployment, outcome)
            if then is not None:
                then(deployment)

        state.after(queue + approval + takes, end)
        return deployment

    def _replace(self, deployment: Deployment) -> None:
        """What ran in the place of ``deployment`` is inactive now."""
        service = deployment.service
        place = (deployment.environment, deployment.region)
        for other in service.deployments:
            if other.state == "success" and (other.environment, other.region) == place:
                self._reach(other, "inactive")
        if deployment.environment == "production":
            service.version = deployment.version

    def _reach(self, deployment: Deployment, to: DeploymentState) -> None:
        state, service = self.state, deployment.service
        deployment.states.append((state.now, to, state.next_id("status")))
        state.touch(f"deployments:{service.name}")
        word = LOG_WORDS.get(to)
        if service.ci == "buildbot" and word:
            line = {
                "ts": stamp(state.now),
                "id": f"deploy-{deployment.id}",
                "service": service.name,
                "version": deployment.version,
                "previous": deployment.previous,
                "env": "prod" if deployment.environment == "production" else deployment.environment,
                "region": deployment.region,
                "status": word,
                "user": deployment.actor,
                "commit": deployment.sha,
                "commit_time": stamp(deployment.committed) if deployment.committed is not None else "",
            }
            state.deploy_lines.append({name: value for name, value in line.items() if value})

    def publish(self, service: Service, version: str, *, draft: bool = False, prerelease: bool = False) -> Publication:
        """Publish a release with notes in the repository."""
        state = self.state
        publication = Publication(
            service=service,
            id=state.next_id("publication"),
            version=version,
            body="\n".join(f"* {state.deal('commits', COMMITS)}" for _ in range(3)),
            author=state.deal("people", PEOPLE),
            created=state.now,
            draft=draft,
            prerelease=prerelease,
        )
        service.publications.append(publication)
        trim(service.publications, self._keep_deployments, lambda _: True)
        state.touch(f"publications:{service.name}")
        return publication

    def cut(self, service: Service) -> str:
        """The next version of ``service``: mostly a patch, sometimes a minor release."""
        major, minor, patch = (int(part) for part in service.latest.removeprefix("v").split("."))
        service.latest = f"v{major}.{minor + 1}.0" if self.state.rng.random() < 0.3 else f"v{major}.{minor}.{patch + 1}"
        service.cuts[service.latest] = self.state.now
        return service.latest

    # --------------------------------------------------------------------------------------------------------- alerts

    def fire(
        self,
        service: Service,
        name: str,
        severity: Severity,
        summary: str,
        expression: str,
        *,
        environment: str = "prod",
        instance: str = "",
    ) -> Alert:
        """An alert starts to fire (or fires on, where the same labels fire already)."""
        labels = {
            "alertname": name,
            "cluster": "eu-central-1",
            "environment": environment,
            "service": service.name,
            "severity": severity,
            "team": service.team,
        }
        if instance:
            labels["instance"] = instance
        for alert in self.state.alerts:
            if alert.labels == labels:
                return alert
        alert = Alert(
            labels=labels,
            annotations={
                "summary": summary.format(service=service.name),
                "description": f"{name} has held for 2 minutes on {service.name}. Look at the newest release first.",
                "runbook_url": f"{RUNBOOKS}/{service.team}/{name}",
                "dashboard_url": f"{DASHBOARDS}/d/{service.name}",
            },
            expression=expression,
            starts=self.state.now,
        )
        self.state.alerts.append(alert)
        self.state.touch("alerts")
        return alert

    def resolve(self, alert: Alert) -> None:
        """The alert no longer fires; Alertmanager forgets it at once."""
        if alert in self.state.alerts:
            self.state.alerts.remove(alert)
            self.state.touch("alerts")

    def silence(self, alert: Alert, *, by: str, comment: str, seconds: float) -> Silence:
        """Silence exactly this alert for ``seconds`` of the story."""
        state = self.state
        number = state.next_id("silence")
        silence = Silence(
            id=str(UUID(int=INVENTED.int + number)),
            labels={name: alert.labels[name] for name in ("alertname", "service", "severity")},
            by=by,
            comment=comment,
            starts=state.now,
            ends=state.now + seconds / state.speed,
        )
        state.silences.append(silence)
        trim(state.silences, 40 + 2 * state.size, lambda old: old.ends <= state.now)
        state.touch("alerts")
        state.at(silence.ends, lambda: state.touch("alerts"))
        return silence

    # -------------------------------------------------------------------------------------------------------- tickets

    def open_ticket(
        self,
        service: Service,
        title: str,
        *,
        hosted: bool,
        body: str = "",
        creator: str = "",
        priority: str = "bug",
        labels: tuple[str, ...] = ("bug",),
    ) -> Ticket:
        """Open a ticket, among the repository's issues (``hosted``) or in Roundup, whose titles name the service."""
        state = self.state
        if not hosted and not title.startswith(f"{service.name}: "):
            title = f"{service.name}: {title}"
        creator = creator or state.deal("people", PEOPLE)
        ticket = Ticket(
            service=service,
            id=state.next_id("issue" if hosted else "ticket"),
            number=service.next_number("#") if hosted else 0,
            title=title,
            body=body,
            creator=creator,
            actor=creator,
            created=state.now,
            updated=state.now,
            status="open" if hosted else "unread",
            priority=priority,
            labels=labels,
        )
        self._keep(ticket)
        return ticket

    def open_pull(self, service: Service, title: str = "") -> Ticket:
        """Open a pull request; `build` it with ``change=``."""
        state = self.state
        creator = state.deal("people", PEOPLE)
        pull = Ticket(
            service=service,
            id=state.next_id("issue"),
            number=service.next_number("#"),
            title=title or state.deal("commits", COMMITS),
            body="",
            creator=creator,
            actor=creator,
            created=state.now,
            updated=state.now,
            status="open",
            branch=state.deal("branches", BRANCHES),
            pull=True,
        )
        self._keep(pull)
        return pull

    def move(self, ticket: Ticket, status: str, *, actor: str, assignee: str = "") -> None:
        """Give a ticket another status (``closed`` and ``resolved`` end it) and, if named, an assignee."""
        ticket.status = status
        ticket.assignee = assignee or ticket.assignee
        ticket.actor = actor
        ticket.updated = self.state.now
        ticket.closed = self.state.now if status in ("closed", "resolved") else None
        self.state.touch(f"issues:{ticket.service.name}" if ticket.number else "tracker")

    def _keep(self, ticket: Ticket) -> None:
        hosted = ticket.number > 0
        items = ticket.service.issues if hosted else self.state.tracker
        items.append(ticket)
        trim(items, 30 + 30 * self.state.size, lambda old: old.closed is not None)
        self.state.touch(f"issues:{ticket.service.name}" if hosted else "tracker")

    # ------------------------------------------------------------------------------------------------------ blindness

    def blind(self, vendor: Vendor, fault: Fault, seconds: float) -> None:
        """For ``seconds`` of the story, ``vendor`` cannot be read."""
        self.state.faults[vendor] = fault
        self.state.after(seconds, lambda: self.see(vendor, fault))

    def see(self, vendor: Vendor, fault: Fault | None = None) -> None:
        """``vendor`` answers again (``fault``: only if this is what ails it)."""
        if fault is None or self.state.faults.get(vendor) == fault:
            self.state.faults.pop(vendor, None)
