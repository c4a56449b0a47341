"""What happened before the watcher arrives.

It is put on the agenda and then lived through like everything later, so that the past and the present are made by the
same acts and agree with each other.
"""

from __future__ import annotations

from functools import partial

from statusboard.demo.acts import Acts
from statusboard.demo.names import PEOPLE, REGIONS, STANDING_ALERTS, TICKETS
from statusboard.demo.records import Alert, BuildState, Service
from statusboard.demo.state import State
from statusboard.demo.story import STATUSES, Story

PAST = 8 * 3600.0
"""Seconds of history."""

BUILDS, RELEASES, ALERTS, OPEN_TICKETS = 54, 18, 6, 22
"""How many of each there are at size 1; the rounds that have begun by the start add some."""

DAY = 86_400.0


def fill(acts: Acts, story: Story) -> None:
    """Put the past on the agenda of a world that stands at its beginning."""
    state = acts.state
    for index, service in enumerate(state.services):
        _builds(acts, service, index)
        _releases(acts, service)
    _oddities(acts, story)
    _tickets(acts, story)
    state.at(state.now, lambda: _alerts(acts))


def _sometime(state: State, *, before: float = 900) -> float:
    """A moment of the past, at least ``before`` seconds before the start."""
    return state.rng.uniform(state.now + 60, state.start - before)


def _builds(acts: Acts, service: Service, index: int) -> None:
    state, rng = acts.state, acts.state.rng
    speed = state.speed  # the past is not played, so its durations are as long at any speed

    def build(pipeline: str, outcome: BuildState) -> None:
        takes = rng.uniform(50, 280) * speed
        event = "schedule" if pipeline == "nightly" else "push"
        acts.build(service, pipeline, outcome=outcome, event=event, queue=rng.uniform(2, 20) * speed, takes=takes)

    def pull() -> None:
        outcome: BuildState = "failed" if rng.random() < 0.3 else "success"
        change = acts.open_pull(service)
        takes = rng.uniform(50, 280) * speed
        acts.build(
            service, "CI", outcome=outcome, event="pull_request", branch=change.branch, change=change, takes=takes
        )
        if outcome == "success" and rng.random() < 0.7:
            state.after(400 * speed, lambda: acts.move(change, "closed", actor=change.creator))

    count = max(2, round(BUILDS * state.size / len(state.services)) - len(service.pipelines))
    for _ in range(count):
        if service.ci == "actions" and rng.random() < 0.28:
            state.at(_sometime(state), pull)
        else:
            outcome: BuildState = "failed" if rng.random() < 0.08 else "success"
            state.at(_sometime(state, before=6000), partial(build, rng.choice(service.pipelines), outcome))
    for pipeline in service.pipelines:
        red = index % 25 == 24 and pipeline == service.pipelines[0]  # only a large company has one that stays red
        if red:
            service.broken.add(pipeline)
        state.at(state.start - rng.uniform(900, 5400), partial(build, pipeline, "failed" if red else "success"))


def _releases(acts: Acts, service: Service) -> None:
    state, rng = acts.state, acts.state.rng
    count = max(1, round(RELEASES * state.size / len(state.services) / 2.4))

    def release(day: float) -> None:
        version = acts.cut(service)
        takes = rng.uniform(40, 120) * state.speed
        acts.deploy(service, "staging", version, takes=takes)
        for index, region in enumerate(REGIONS if service.ci == "buildbot" else ("",)):
            queue = (300 + 60 * index) * state.speed
            acts.deploy(service, "production", version, region=region, queue=queue, takes=takes)
        if service.ci == "actions":
            acts.publish(service, version, prerelease=day < state.start - PAST / 2 and rng.random() < 0.1)

    for day in sorted(_sometime(state, before=5400) for _ in range(count)):
        state.at(day, partial(release, day))


def _oddities(acts: Acts, story: Story) -> None:
    """One of each that a board must not take for an outage."""
    state = acts.state
    hosted, own = state.hosted, state.own
    speed = state.speed

    def odd(before: float, service: Service, outcome: BuildState) -> None:
        state.at(
            state.start - before, lambda: acts.build(service, service.pipelines[0], outcome=outcome, takes=30 * speed)
        )

    odd(7600, hosted[0], "cancelled")
    odd(7000, hosted[1], "skipped")
    odd(6800, own[0], "warning")
    odd(6600, own[1], "exception")
    state.at(state.start - 4000, lambda: story.flaky_build(hosted[2]))
    state.at(state.start - 1800, lambda: story.fail_pull_request(hosted[0]))
    state.at(state.start - 1500, lambda: story.fail_pull_request(hosted[3], fork=True))
    state.at(state.start - 1200, lambda: story.fail_pull_request(own[0]))
    state.at(state.start - 800, lambda: acts.build(hosted[4], "CI", held=900 * speed, title="Run the load test"))
    state.at(state.start - 700, lambda: acts.publish(hosted[1], "v99.0.0", draft=True))


def _tickets(acts: Acts, story: Story) -> None:
    state, rng = acts.state, acts.state.rng

    def open_one(hosted: bool) -> None:
        service = rng.choice(state.hosted if hosted else state.services)
        ticket = acts.open_ticket(
            service,
            state.deal("tickets", TICKETS),
            hosted=hosted,
            priority=rng.choice(("urgent", "bug", "bug", "feature", "wish")),
            labels=(rng.choice(("bug", "enhancement", "documentation")),),
        )
        ticket.created -= 50 * (state.start - state.now)  # tickets are weeks old where builds are hours old
        if hosted and rng.random() < 0.5:
            state.after(60, lambda: acts.move(ticket, "open", actor=ticket.creator, assignee=rng.choice(PEOPLE)))
        elif not hosted:
            status = rng.choice((*STATUSES[:-1], "deferred"))
            person = "" if status == "unread" else rng.choice(PEOPLE)
            state.after(60, lambda: acts.move(ticket, status, actor=ticket.creator, assignee=person))
        if rng.random() < 0.15:
            state.after(600, lambda: story.close_ticket(ticket))

    for index in range(OPEN_TICKETS * state.size):
        state.at(_sometime(state, before=1200), partial(open_one, index % 2 == 0))


def _alerts(acts: Acts) -> None:
    """The heartbeat, a maintenance that silences one alert and inhibits two, and what is known and silenced."""
    state, rng = acts.state, acts.state.rng
    state.alerts.append(
        Alert(
            labels={"alertname": "Watchdog", "severity": "none", "cluster": "eu-central-1"},
            annotations={"summary": "An alert that always fires: if it is missing, alerting itself is broken."},
            expression="vector(1)",
            starts=state.start - 20 * DAY,
        )
    )

    def quiet(alert: Alert, by: str, comment: str) -> None:
        if not state.silenced_by(alert):
            silence = acts.silence(alert, by=by, comment=comment, seconds=4 * DAY * state.speed)
            state.at(silence.ends - 1, partial(acts.resolve, alert))

    own = state.own[0]
    summary = "{service}: node-3 is drained for a new disk"
    down = acts.fire(own, "NodeDown", "critical", summary, 'up{job="node"} == 0', instance="node-3")
    quiet(down, "sven", "Disk is being replaced, back by Thursday.")
    for name, severity, text, expression in STANDING_ALERTS[1:3]:
        acts.fire(own, name, severity, text, expression, instance="node-3")
    name, severity, text, expression = STANDING_ALERTS[0]
    full = acts.fire(state.own[1], name, severity, text, expression, instance="node-5")
    quiet(full, "leila", "Old exports are deleted on Friday.")
    for index in range(ALERTS * (state.size - 1)):
        service = rng.choice(state.services)
        name, severity, text, expression = rng.choice(STANDING_ALERTS)
        alert = acts.fire(service, name, severity, text, expression, instance=f"node-{index + 10}")
        if rng.random() < 0.9:
            quiet(alert, rng.choice(PEOPLE), "Known, has a ticket.")
