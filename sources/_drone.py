"""What Drone and Woodpecker, which came out of it, have in common: their words as ours, builds and releases.  Pure.

Both number a repository's builds; a restarted one gets a new number and names the one before as its ``parent``. A
deployment is such a build too, for another event.  How the lists are read is in `sources._drone_family`.

Words from drone/drone, core/status.go and core/event.go, and woodpecker-ci/woodpecker, server/model/const.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from sources._shared.rows import remote_id
from sources._shared.words import meaning
from statusboard.api import (
    Build,
    BuildState,
    Release,
    ReleaseState,
    Source,
    parse_time,
)

#: build.status (Drone) and pipeline.status (Woodpecker)
BUILD_STATES: Mapping[str, BuildState] = {
    "created": "queued",  # Woodpecker
    "pending": "queued",
    "waiting_on_dependencies": "queued",  # Drone
    "running": "running",
    "blocked": "blocked",  # waits to be approved
    "success": "success",
    "failure": "failed",
    "error": "failed",  # the configuration, or the system
    "killed": "cancelled",
    "canceled": "cancelled",  # Woodpecker
    "declined": "cancelled",
    "skipped": "skipped",
}
#: The same of a deployment.
RELEASE_STATES: Mapping[str, ReleaseState] = {
    "created": "queued",
    "pending": "queued",
    "waiting_on_dependencies": "queued",
    "running": "running",
    "blocked": "blocked",
    "success": "success",
    "failure": "failed",
    "error": "failed",
    "killed": "cancelled",
    "canceled": "cancelled",
    "declined": "cancelled",
    "skipped": "cancelled",
}
#: event of what is a deployment: Drone's promotions and rollbacks, Woodpecker's deployments.
DEPLOYS: Final = frozenset({"promote", "rollback", "deployment"})
#: event of what is of a pull request; the rest is Woodpecker's.
PULLS: Final = frozenset({"pull_request", "pull_request_closed", "pull_request_metadata"})
ENDED: Final = frozenset({"success", "failed", "cancelled", "skipped"})

_PULL: Final = re.compile(r"refs/(?:pull|pull-requests|merge-requests)/(\d+)(?:/.*)?")

Time = int | float | str | None


class Repository(msgspec.Struct, frozen=True):
    """A repository: its name, and where its builds are, in the API and for people."""

    name: str
    default_branch: str
    api: str
    pages: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What both say of a build, in the same words.

    ``parent`` is the number of the build that this one repeats or deploys, ``rerun_count`` Woodpecker's alone.
    """

    number: int | None = None
    parent: int | None = None
    rerun_count: int | None = None
    status: str | None = None
    event: str | None = None
    title: str | None = None
    message: str | None = None
    ref: str | None = None
    cron: str | None = None
    deploy_to: str | None = None
    sender: str | None = None
    created: Time = None
    started: Time = None
    finished: Time = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A build or a deployment, the same for both vendors but for the words of ``status`` and ``event``."""

    number: int
    status: str
    event: str
    title: str = ""
    reason: str = ""
    branch: str = ""
    ref: str = ""
    fork: str = ""
    revision: str = ""
    actor: str = ""
    cron: str = ""
    deploy_to: str = ""
    link: str = ""
    parent: int = 0
    labels: Mapping[str, str] = {}
    created: Time = None
    started: Time = None
    finished: Time = None

    @property
    def tag(self) -> str:
        return self.ref.removeprefix("refs/tags/") if self.ref.startswith("refs/tags/") else ""


class Attempt(msgspec.Struct, frozen=True):
    """Which attempt a build is: the number of the first one, and when that was made."""

    number: int = 1
    first: int = 0
    first_at: Time = None


def build_of(
    source: Source[Any], repository: Repository, run: Run, attempt: Attempt, noun: str, *, overtaken: bool = False
) -> Build:
    """A build.  ``noun`` is what the vendor calls one: all of a branch that no cron job starts are one pipeline.

    A restart of one that is ``overtaken`` by a newer one takes its place: how older code does now says nothing of the
    newer.
    """
    state = meaning(BUILD_STATES, run.status)
    pull = run.event in PULLS
    number = _PULL.fullmatch(run.ref)
    labels = dict(run.labels)
    if run.parent:
        labels["restarted_from"] = f"#{run.parent}"
    common = _common(repository, run, state)
    if overtaken and run.number != attempt.first:
        common["started_at"] = parse_time(attempt.first_at) or common["started_at"]
    elif parse_time(run.started):
        common["queued_at"] = parse_time(run.created)
    return Build(
        key=source.key("build", remote_id(f"{repository.name}/{run.number}")),
        source=source.name,
        title=run.title or f"{noun} {run.number}",
        state=state,
        raw_state=run.status,
        reason=_reason(run, state),
        pipeline=run.cron or noun,
        run_number=run.number,
        attempt=attempt.number,
        branch=run.branch,
        default_branch=repository.default_branch,
        fork=run.fork if pull else "",
        revision=run.revision,
        change=(number[1] if number else "unknown") if pull else "",
        labels=labels,
        links={"pull request" if pull else "commit": run.link} if run.link else {},
        **common,
    )


def release_of(source: Source[Any], repository: Repository, run: Run, noun: str) -> Release:
    """A deployment to an environment.  One that went back to an older build, and well, is a rollback."""
    state = meaning(RELEASE_STATES, run.status)
    back = run.event == "rollback"
    what = run.tag or (f"{noun} {run.parent}" if run.parent else run.revision[:10])
    words = ("back to", what, "in") if back else (what, "to")
    return Release(
        key=source.key("release", remote_id(f"{repository.name}/{run.number}")),
        source=source.name,
        title=" ".join(filter(None, (*words, run.deploy_to or "no environment"))),
        description=run.title,
        state="rolled_back" if back and state == "success" else state,
        raw_state="/".join(filter(None, (run.event if back else "", run.status))),
        reason=_reason(run, state),
        environment=run.deploy_to,
        version=run.tag,
        revision=run.revision,
        labels=dict(run.labels),
        links={noun: f"{repository.pages}/{run.parent}"} if run.parent else {},
        **_common(repository, run, state),
    )


def attempts_of(rows: Iterable[Row], known: Mapping[int, Attempt]) -> dict[int, Attempt]:
    """Which attempt each build is, by its number: what the server says, else one more than that of its parent.

    What was known of a build stays: its parent leaves the list sooner.
    """
    attempts: dict[int, Attempt] = {}
    numbered = {row.number: row for row in rows if row.number}
    for number, row in sorted(numbered.items()):
        if number in known:
            attempts[number] = known[number]
            continue
        former = Attempt(number=0, first=number, first_at=row.created)
        if row.parent:
            former = attempts.get(row.parent) or known.get(row.parent) or Attempt(first=row.parent)
        count = former.number if row.rerun_count is None else row.rerun_count
        attempts[number] = Attempt(number=count + 1, first=former.first, first_at=former.first_at)
    return attempts


def first_line(*texts: str | None) -> str:
    """The first line of the first of these that is not empty."""
    return next((line for text in texts if text and (line := text.strip().split("\n", 1)[0])), "")


def _reason(run: Run, state: str) -> str:
    if state == "blocked":
        return "waits to be approved"
    return run.reason or ("declined" if run.status.lower() == "declined" else "")


def _common(repository: Repository, run: Run, state: str) -> dict[str, Any]:
    ended_at = parse_time(run.finished) if state in ENDED else None
    return {
        "repository": repository.name,
        "url": f"{repository.pages}/{run.number}",
        "actor": run.actor,
        "trigger": run.event,
        "started_at": parse_time(run.started) or parse_time(run.created),
        "updated_at": ended_at,
        "ended_at": ended_at,
    }
