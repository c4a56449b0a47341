"""Applications of Argo CD as releases and incidents.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sources._argocd import (
    HEALTH_INCIDENTS,
    PHASES,
    SYNC_INCIDENTS,
    Application,
    AppSource,
    Deploy,
    Destination,
    Health,
    Summary,
    SyncStatus,
    moment_id,
)
from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Incident, Release, ReleaseState, Source, parse_time

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def release_of(source: Source[Any], root: str, deploy: Deploy) -> Release:
    """A sync as a release."""
    app = deploy.app
    started_at = parse_time(deploy.started_at)
    state: ReleaseState = meaning(PHASES, deploy.phase)
    health = app.health.status or ""
    reason = deploy.message if state in ("failed", "running") else ""
    if deploy.newest and state == "success" and meaning(HEALTH_INCIDENTS, health) == "open":
        state, reason = "warning", f"{health} after the sync"
    ended_at = parse_time(deploy.ended_at) if state in ("success", "warning", "failed") else None
    version = deploy.version
    labels = _labels(app)
    if deploy.newest:
        labels |= _now(app)
    if len(deploy.revisions) > 1:
        labels["revisions"] = ", ".join(deploy.revisions)
    if deploy.partial:
        labels["partial"] = f"{deploy.partial} resources"
    urls = (app.status.summary or Summary()).urls or ()
    return Release(
        key=source.key("release", remote_id(f"{app.place}/{moment_id(need(deploy.started_at, 'startedAt'))}")),
        source=source.name,
        title=" ".join(filter(None, (app.name, _short(version)))),
        state=state,
        raw_state=deploy.phase,
        reason=reason,
        target=app.target,
        version=version,
        revision=next(iter(deploy.revisions), ""),
        previous_version=deploy.previous,
        repository=_repository(deploy.sources),
        url=_page(root, app),
        links={"application": urls[0]} if urls else {},
        labels=labels,
        actor=deploy.by.username or "",
        trigger="automated" if deploy.by.automated else "",
        started_at=started_at,
        updated_at=ended_at,
        ended_at=ended_at,
    )


def health_incident_of(source: Source[Any], root: str, app: Application) -> Incident | None:
    """What is wrong with an application's health; None where nothing is.

    Missing is none before the first sync and after the order to delete, and may pass while a sync runs.
    """
    word = app.health.status or ""
    state = meaning(HEALTH_INCIDENTS, word)
    if state == "none":
        return None
    missing = word.lower() == "missing"
    if missing and app.metadata.deletion_timestamp:
        return None
    if missing and meaning(PHASES, app.operation.phase) in ("running", "unknown"):
        state = "pending"
    return _incident(
        source,
        root,
        app,
        what="health",
        title=f"{app.name} is {word}" if state != "unknown" else f"{app.name}: its health is unknown",
        state=state,
        raw_state=word,
        reason=_unhealthy(app),
        description=app.health.message or "",
        started_at=parse_time(app.health.last_transition_time),
    )


def sync_incident_of(source: Source[Any], root: str, app: Application, before: Incident | None) -> Incident | None:
    """A failed sync, or a wanted state that could not be worked out; None where the last sync was good.

    ``before`` is what this said last time: it holds while a further operation has not said anything yet.
    OutOfSync is no incident: it is what every application is between a commit and its sync.
    """
    state = app.status.operation_state
    says = meaning(SYNC_INCIDENTS, state.phase) if state is not None else "none"
    if state is not None and (says == "as before" or app.is_dry_run):
        if before is not None and before.state == "open":
            return before
    elif state is not None and says != "none":
        return _incident(
            source,
            root,
            app,
            what="sync",
            title=f"{app.name}: sync failed" if says == "open" else f"{app.name}: how its sync went is unknown",
            state=says,
            raw_state=state.phase or "",
            reason=state.message or "",
            description="",
            # What fails again and again has failed since the first time.
            started_at=(before.started_at if before is not None and before.state == says else None)
            or parse_time(state.finished_at)
            or parse_time(state.started_at),
        )
    if app.is_compared or meaning(HEALTH_INCIDENTS, app.health.status) == "unknown":
        return None
    return _incident(
        source,
        root,
        app,
        what="sync",
        title=f"{app.name}: whether it is in sync is unknown",
        state="unknown",
        raw_state=(app.status.sync or SyncStatus()).status or "",
        reason=_conditions(app),
        description="",
        started_at=None,
    )


def _incident(source: Source[Any], root: str, app: Application, *, what: str, **more: Any) -> Incident:
    return Incident(
        key=source.key("incident", remote_id(f"{app.place}/{what}")),
        source=source.name,
        fingerprint=f"{app.place}/{what}",
        target=app.target,
        repository=_repository(app.spec.sources or ((app.spec.source,) if app.spec.source else ())),
        url=_page(root, app),
        labels=_labels(app) | _now(app),
        **more,
    )


def _short(version: str) -> str:
    return version[:12] if _SHA.fullmatch(version) else version


def _repository(sources: Iterable[AppSource]) -> str:
    """``owner/name`` of the first Git repository."""
    for source in sources:
        if source.repo_url and not source.chart:
            url = source.repo_url.removesuffix("/").removesuffix(".git")
            path = url.split("://", 1)[1].partition("/")[2] if "://" in url else url.partition(":")[2]
            return path.strip("/") or url
    return ""


def _page(root: str, app: Application) -> str:
    return f"{root}/applications/{app.place}"


def _labels(app: Application) -> dict[str, str]:
    """What does not change with the application's condition."""
    to = app.spec.destination or Destination()
    own = {
        "application": app.name,
        "project": app.spec.project,
        "cluster": to.name or to.server,
        "namespace": to.namespace,
    }
    return {name: value for name, value in {**(app.metadata.labels or {}), **own}.items() if value}


def _now(app: Application) -> dict[str, str]:
    """The application's condition; OutOfSync is told here and nowhere else."""
    images = (app.status.summary or Summary()).images or ()
    now = {
        "sync": (app.status.sync or SyncStatus()).status,
        "health": app.health.status,
        "images": ", ".join(sorted(images)[:5]),
        "deleting": "yes" if app.metadata.deletion_timestamp else "",
    }
    return {name: value for name, value in now.items() if value}


def _unhealthy(app: Application) -> str:
    """The resources that are to blame, as far as they were read, else what the controller says."""
    found = []
    for resource in app.status.resources or ():
        health = resource.health or Health()
        if meaning(HEALTH_INCIDENTS, health.status or "healthy") != "none":
            what = " ".join(filter(None, (resource.kind, resource.name)))
            found.append(": ".join(filter(None, (what, health.message or health.status))))
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more or _conditions(app)


def _conditions(app: Application) -> str:
    conditions = app.status.conditions or ()
    return "; ".join(c.message or c.type or "" for c in conditions if (c.type or "").endswith("Error"))
