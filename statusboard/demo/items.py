"""What the board's sources make of the pretend world's records: the same keys, states, words and times.

The demo's history goes into the store without a detour through HTTP, and the vendors that answer afterwards go on with
the same items.  A test reads both and compares.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote

from statusboard.demo.acts import LOG_WORDS
from statusboard.demo.buildbot import WORDS as BUILDBOT_WORDS
from statusboard.demo.github_format import RUN_STATES
from statusboard.demo.names import ORGANISATION, PROMETHEUS
from statusboard.demo.records import Alert, Build, BuildState, Deployment, DeploymentState, Publication, Service, Ticket
from statusboard.model import Build as BuildItem
from statusboard.model import BuildState as ItemState
from statusboard.model import (
    Incident,
    Release,
    ReleaseState,
    Severity,
    TicketState,
    key_of,
)
from statusboard.model import Ticket as TicketItem

GITHUB: Final = "github"
ALERTS: Final = "alerts"
BUILDBOT: Final = "buildbot"
TICKETS: Final = "tickets"
DEPLOYS: Final = "deploys"

Place = tuple[str, str]
"""A source's name, and the name of one of its parts."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATES: Mapping[BuildState, ItemState] = {
    "queued": "queued",
    "blocked": "blocked",
    "running": "running",
    "success": "success",
    "warning": "success",
    "failed": "failed",
    "timed_out": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "exception": "failed",
}
_OWN: Mapping[BuildState, tuple[str, ItemState]] = {
    "running": ("running", "running"),
    "success": ("success", "success"),
    "warning": ("warnings", "warning"),
    "failed": ("failure", "failed"),
    "timed_out": ("failure", "failed"),
    "exception": ("exception", "failed"),
    "cancelled": ("cancelled", "cancelled"),
    "skipped": ("skipped", "skipped"),
}
_DEPLOYMENT: Mapping[DeploymentState, ReleaseState] = {
    "queued": "queued",
    "waiting": "blocked",
    "in_progress": "running",
    "success": "success",
    "failure": "failed",
    "inactive": "inactive",
}
_TRACKER: Mapping[str, TicketState] = {
    "unread": "open",
    "deferred": "open",
    "chatting": "open",
    "need-eg": "open",
    "in-progress": "in_progress",
    "testing": "in_progress",
    "resolved": "done",
}
_SEVERITIES: Final[frozenset[str]] = frozenset({"critical", "high", "medium", "low", "info"})


def seconds(when: float) -> datetime:
    """A Unix time in whole seconds, as most of the vendors write it."""
    return _EPOCH + timedelta(seconds=math.floor(when))


def milliseconds(when: float) -> datetime:
    """A Unix time in whole milliseconds, as Alertmanager writes it."""
    moment = datetime.fromtimestamp(when, UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def builds_place(service: Service) -> Place:
    """Where the builds of a service are read."""
    return (GITHUB, f"{service.repo} builds") if service.ci == "actions" else (BUILDBOT, "builds")


def releases_place(service: Service, log: str) -> Place:
    """Where its deployments are read; ``log`` is the path of the deploy log."""
    return (GITHUB, f"{service.repo} releases") if service.ci == "actions" else (DEPLOYS, log)


def ticket_place(ticket: Ticket) -> Place:
    """Where a ticket is read."""
    return (GITHUB, f"{ticket.service.repo} tickets") if ticket.number else (TICKETS, "issues")


ALERTS_PLACE: Final[Place] = (ALERTS, "alertmanager")


# -- builds ----------------------------------------------------------------------------------------------------------


def build(build: Build, *, builders: Mapping[str, int], url: str, overtaken: bool = False) -> BuildItem | None:
    """A build; None for what its vendor does not list.

    ``builders``: Buildbot's number of each pipeline; ``url``: where Buildbot is.  ``overtaken``: a newer one of its
    line has followed.
    """
    return _run(build, overtaken) if build.service.ci == "actions" else _own_build(build, builders, url)


def _run(build: Build, overtaken: bool) -> BuildItem:
    service = build.service
    status, conclusion = RUN_STATES[build.state]
    state = _STATES[build.state]
    page = f"{service.url}/actions/runs/{build.id}"
    change = ""
    if build.event.startswith("pull_request"):
        change = str(build.change) if build.change and not build.fork else "unknown"
    ended = seconds(build.updated) if build.finished else None
    return BuildItem(
        key=key_of(GITHUB, "build", f"{service.repo}/run/{build.id}"),
        source=GITHUB,
        title=build.title,
        state=state,
        raw_state="/".join(filter(None, (status, conclusion))),
        reason="" if state in ("success", "queued", "running") else (conclusion or status).replace("_", " "),
        pipeline=build.pipeline,
        run_number=build.number,
        attempt=build.attempt,
        branch=build.branch,
        default_branch="main",
        fork=f"{build.fork}/{service.name}" if build.fork and build.fork != ORGANISATION else "",
        revision=build.sha,
        change=change,
        repository=service.repo,
        url=page,
        links={"pull request": f"{service.url}/pull/{change}"} if change.isdecimal() else {},
        actor=build.actor,
        trigger=build.event,
        labels={"workflow": f".github/workflows/{build.pipeline.lower()}.yml"},
        started_at=seconds(build.created if overtaken else build.asked),
        updated_at=ended,
        ended_at=ended,
    )


def _own_build(build: Build, builders: Mapping[str, int], url: str) -> BuildItem | None:
    service = build.service
    labels = {"builder": build.pipeline, "tags": f"{service.name}, {service.team}"}
    if not build.id:
        if build.finished:
            return None
        return BuildItem(
            key=key_of(BUILDBOT, "build", build.request_id),
            source=BUILDBOT,
            title=build.pipeline,
            state="queued",
            raw_state="queued",
            pipeline=build.pipeline,
            default_branch="main",
            url=f"{url}/#/buildrequests/{build.request_id}",
            labels=labels,
            started_at=seconds(build.created),
        )
    word, state = _OWN[build.state]
    ended = None if build.ended is None else seconds(build.ended)
    return BuildItem(
        key=key_of(BUILDBOT, "build", build.request_id),
        source=BUILDBOT,
        title=build.pipeline,
        state=state,
        raw_state=word,
        reason=BUILDBOT_WORDS[build.state] if state not in ("running", "success") else "",
        pipeline=build.pipeline,
        run_number=build.number,
        branch=build.branch,
        default_branch="main",
        revision=build.sha,
        repository=service.url,
        url=f"{url}/#/builders/{builders[build.pipeline]}/builds/{build.number}",
        labels=labels | {"project": service.repo},
        actor=f"{build.actor} <{build.actor}@acme.example>",
        trigger="force" if build.event == "push" else "nightly",
        queued_at=seconds(build.created),
        started_at=seconds(build.started or build.created),
        updated_at=ended,
        ended_at=ended,
    )


def overtaken(builds: Sequence[Build]) -> set[int]:
    """The ids of those of one repository's runs that a newer one of the same line has followed."""
    newest: dict[tuple[str, str, str, bool], int] = {}
    for build in builds:
        newest[_line(build)] = max(build.id, newest.get(_line(build), 0))
    return {build.id for build in builds if build.id < newest[_line(build)]}


def _line(build: Build) -> tuple[str, str, str, bool]:
    return build.pipeline, build.branch, build.fork, build.event.startswith("pull_request")


# -- releases --------------------------------------------------------------------------------------------------------


def deployment(deployment: Deployment, *, undone_by: str = "") -> Release | None:
    """A deployment; None for one that its vendor does not tell of yet.  ``undone_by``: the version that undid it."""
    hosted = deployment.service.ci == "actions"
    return _deployment(deployment, undone_by) if hosted else _log_line(deployment)


def _deployment(deployment: Deployment, undone_by: str) -> Release:
    service, environment, version = deployment.service, deployment.environment, deployment.version
    when, word, _ = deployment.states[-1]
    state = _DEPLOYMENT[word]
    page = f"{service.url}/deployments/{environment}"
    undone = bool(undone_by) and state in ("success", "inactive")
    back = "Roll back to" if deployment.task == "rollback" else "Deploy"
    failed = "The health check of the new version did not pass"
    return Release(
        key=key_of(GITHUB, "release", f"{service.repo}/deployment/{deployment.id}"),
        source=GITHUB,
        title=f"{version} to {environment}",
        description=failed if word == "failure" else f"{back} {version}",
        reason=f"rolled back to {undone_by}" if undone else "",
        state="rolled_back" if undone else state,
        raw_state=word,
        environment=environment,
        version=version,
        previous_version=deployment.previous if deployment.previous != version else "",
        revision=deployment.sha,
        repository=service.repo,
        url=page,
        links={"log": page, "environment": f"https://{service.name}.{environment}.acme.example"},
        labels={"task": deployment.task} if deployment.task != "deploy" else {},
        actor=deployment.actor,
        started_at=seconds(deployment.created),
        updated_at=seconds(when),
        ended_at=seconds(when) if state in ("success", "failed") else None,
    )


def undone(deployments: Iterable[Deployment]) -> dict[int, str]:
    """By id: the version that undid a deployment, of one service's deployments in the order of their ids."""
    found: dict[int, str] = {}
    in_place: dict[str, Deployment] = {}
    last: dict[str, Deployment] = {}
    for each in sorted(deployments, key=lambda deployment: deployment.id):
        environment, state = each.environment, each.state
        replaced = in_place.get(environment)
        if state in ("success", "inactive"):
            if replaced is not None and replaced is last[environment] and each.task == "rollback":
                by = each.version if replaced.version != each.version else each.sha if replaced.sha != each.sha else ""
                if by and each.previous in (replaced.version, ""):
                    found[replaced.id] = by
            in_place[environment] = each
        if state in ("success", "inactive", "failure"):
            last[environment] = each
    return found


def _log_line(deployment: Deployment) -> Release | None:
    told = [(when, LOG_WORDS[state]) for when, state, _ in deployment.states if state in LOG_WORDS]
    if not told:
        return None
    (began, _), (when, word) = told[0], told[-1]
    states: Mapping[str, Literal["running", "success", "failed"]] = {
        "running": "running",
        "success": "success",
        "failed": "failed",
    }
    service = deployment.service
    environment = "prod" if deployment.environment == "production" else deployment.environment
    return Release(
        key=key_of(DEPLOYS, "release", f"deploy-{deployment.id}"),
        source=DEPLOYS,
        title=f"{service.name} {deployment.version} to {environment}",
        state=states[word],
        raw_state=word,
        services=(service.name,),
        environment=environment,
        target=deployment.region,
        actor=deployment.actor,
        version=deployment.version,
        revision=deployment.sha,
        previous_version=deployment.previous,
        committed_at=None if deployment.committed is None else seconds(deployment.committed),
        started_at=seconds(began),
        updated_at=seconds(when),
        ended_at=None if word == "running" else seconds(when),
    )


def publication(publication: Publication, earlier: Iterable[Publication]) -> Release | None:
    """A published release; None for a draft.  ``earlier``: those of the same repository before it."""
    if publication.draft:
        return None
    service, tag = publication.service, publication.version
    mine = _numbers(tag)
    lower = [other.version for other in earlier if not other.draft and _numbers(other.version) < mine]
    at = seconds(publication.created)
    return Release(
        key=key_of(GITHUB, "release", f"{service.repo}/release/{publication.id}"),
        source=GITHUB,
        title=f"{service.name} {tag.removeprefix('v')}",
        state="success",
        raw_state="published",
        type="publication",
        version=tag,
        previous_version=max(lower, key=_numbers, default=""),
        prerelease=publication.prerelease,
        repository=service.repo,
        url=f"{service.url}/releases/tag/{tag}",
        actor=publication.author,
        started_at=at,
        ended_at=at,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split("."))


# -- alerts and tickets ----------------------------------------------------------------------------------------------


def incident(alert: Alert, *, quiet: str = "", until: float | None = None) -> Incident | None:
    """An alert; None for the heartbeat.  ``quiet``: by whom or what it is kept quiet, and ``until`` when."""
    labels, notes = alert.labels, alert.annotations
    if labels["severity"] == "none":
        return None
    page = f"{PROMETHEUS}/graph?g0.expr={quote(alert.expression, safe='')}&g0.tab=1"
    links = {"runbook": notes.get("runbook_url", ""), "dashboard": notes.get("dashboard_url", ""), "generator": page}
    word = labels["severity"]
    return Incident(
        key=key_of(ALERTS, "incident", alert.fingerprint),
        source=ALERTS,
        title=f"{labels['alertname']}: {notes['summary']}",
        description=notes.get("description", ""),
        state="suppressed" if quiet else "open",
        raw_state="suppressed" if quiet else "active",
        severity=_severity(word),
        fingerprint=alert.fingerprint,
        started_at=milliseconds(alert.starts),
        suppressed_by=quiet,
        suppressed_until=None if until is None else milliseconds(until),
        url=page,
        links={name: url for name, url in links.items() if url},
        labels=dict(labels),
    )


def _severity(word: str) -> Severity:
    return word if word in _SEVERITIES else "unknown"  # type: ignore[return-value]  # the others are the catalog's


def ticket(ticket: Ticket, *, url: str) -> TicketItem | None:
    """A ticket; None for a pull request.  ``url``: that of the tracker."""
    if ticket.pull:
        return None
    return _issue(ticket) if ticket.number else _tracked(ticket, url)


def _issue(ticket: Ticket) -> TicketItem:
    closed = ticket.closed is not None
    repo = ticket.service.repo
    return TicketItem(
        key=key_of(GITHUB, "ticket", f"{repo}/issue/{ticket.number}"),
        source=GITHUB,
        title=ticket.title,
        state="done" if closed else "open",
        raw_state="closed/completed" if closed else "open",
        ticket_id=f"#{ticket.number}",
        assignee=ticket.assignee,
        repository=repo,
        url=f"{ticket.service.url}/issues/{ticket.number}",
        labels=dict.fromkeys(ticket.labels, ""),
        actor=ticket.creator,
        started_at=seconds(ticket.created),
        updated_at=seconds(ticket.updated),
        ended_at=None if ticket.closed is None else seconds(ticket.closed),
    )


def _tracked(ticket: Ticket, url: str) -> TicketItem:
    return TicketItem(
        key=key_of(TICKETS, "ticket", ticket.id),
        source=TICKETS,
        title=ticket.title,
        state=_TRACKER[ticket.status],
        raw_state=ticket.status,
        ticket_id=f"issue{ticket.id}",
        priority=ticket.priority,
        assignee=ticket.assignee,
        url=f"{url.rstrip('/')}/issue{ticket.id}",
        actor=ticket.creator,
        started_at=seconds(ticket.created),
        updated_at=seconds(ticket.updated),
    )


def builders(services: Iterable[Service]) -> dict[str, int]:
    """Buildbot's number of each pipeline."""
    names = [pipeline for service in services if service.ci == "buildbot" for pipeline in service.pipelines]
    return {name: number for number, name in enumerate(names, 1)}
