"""Buildkite's answers as data, and its words as ours.  Pure; `sources.buildkite` does the reading.

Words from buildkite.com/docs/apis/rest-api/builds and /docs/pipelines/configure/notify#build-states; what these leave
out of a build (author, pull_request, triggered_from) from buildkite/go-buildkite, builds.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from sources._shared.forges import repository_of
from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Build, BuildState, Source, parse_time

#: build.state; see `state_of` for what ``blocked`` beside it means.
STATES: Mapping[str, BuildState] = {
    "creating": "queued",
    "scheduled": "queued",
    "waiting": "queued",
    "running": "running",
    "failing": "running",  # a job has failed, others still run
    "canceling": "running",
    "blocked": "blocked",
    "passed": "success",
    "failed": "failed",
    "waiting_failed": "failed",
    "canceled": "cancelled",
    "skipped": "skipped",
    "not_run": "skipped",
}
#: The states that a build keeps while it waits at a block step (a step's ``blocked_state``, but for ``failed``).
BLOCKABLE: Final = frozenset({"passed", "running", "scheduled"})
ENDED: Final = frozenset({"success", "failed", "cancelled", "skipped"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Person(msgspec.Struct, frozen=True):
    name: str | None = None
    username: str | None = None
    email: str | None = None


class Pipeline(msgspec.Struct, frozen=True):
    slug: str | None = None
    name: str | None = None
    repository: str | None = None
    default_branch: str | None = None


class PullRequest(msgspec.Struct, frozen=True):
    """``{}`` or null for a build of no pull request; ``repository`` is the fork's."""

    id: str | int | None = None
    repository: str | None = None


class Former(msgspec.Struct, frozen=True):
    id: str | None = None
    number: int | None = None


class Parent(msgspec.Struct, frozen=True):
    build_number: int | None = None
    build_pipeline_slug: str | None = None


class Row(msgspec.Struct, frozen=True):
    """A build, asked for without its jobs."""

    id: str | None = None
    number: int | None = None
    web_url: str | None = None
    state: str | None = None
    blocked: bool | None = None
    cancel_reason: str | None = None
    message: str | None = None
    commit: str | None = None
    branch: str | None = None
    source: str | None = None
    creator: Person | None = None
    author: Person | str | None = None
    created_at: int | float | str | None = None
    started_at: int | float | str | None = None
    failing_at: int | float | str | None = None
    finished_at: int | float | str | None = None
    pull_request: PullRequest | None = None
    rebuilt_from: Former | None = None
    triggered_from: Parent | None = None
    pipeline: Pipeline | None = None


def state_of(row: Row) -> tuple[BuildState, BuildState | Literal[""]]:
    """A build's state, and the verdict that counts while it is blocked."""
    state = meaning(STATES, row.state)
    if row.blocked is None and state == "success":
        return "unknown", ""  # it may as well wait for somebody
    if row.blocked and (row.state or "").strip().lower() in BLOCKABLE:
        return "blocked", "success" if state == "success" else ""
    return state, ""


def build_of(source: Source[Any], pipeline: str, row: Row, attempts: Mapping[str, int]) -> Build:
    """A build; ``pipeline`` is the slug of its pipeline where that is known, ``attempts`` come from `attempts_of`."""
    of = row.pipeline or Pipeline()
    slug = pipeline or need(of.slug, "pipeline.slug")
    number = need(row.number, "number")
    state, verdict = state_of(row)
    repository = repository_of(of.repository)
    pull = row.pull_request or PullRequest()
    theirs = repository_of(pull.repository)
    message = (row.message or "").strip().split("\n", 1)[0]
    ended_at = parse_time(row.finished_at) if state in ENDED else None
    return Build(
        key=source.key("build", remote_id(f"{slug}/{number}")),
        source=source.name,
        title=message or of.name or slug,
        state=state,
        verdict=verdict,
        raw_state="/".join(filter(None, (row.state, "blocked" if row.blocked else ""))),
        reason=_reason(row, state),
        pipeline=slug,  # names are changed, and two pipelines may have the same
        run_number=number,
        attempt=attempts.get(row.id or "", 1),
        branch=row.branch or "",
        default_branch=of.default_branch or "",
        fork=theirs if repository and theirs.lower() not in ("", repository.lower()) else "",
        revision=row.commit or "",
        change=str(pull.id or ""),
        repository=repository,
        url=row.web_url or "",
        labels=_labels(row),
        actor=_name(row.creator) or _name(row.author),
        trigger=row.source or "",
        started_at=parse_time(row.started_at) or parse_time(row.created_at),
        queued_at=parse_time(row.created_at) if parse_time(row.started_at) else None,
        updated_at=ended_at or parse_time(row.failing_at),
        ended_at=ended_at,
    )


def _reason(row: Row, state: BuildState) -> str:
    if state == "cancelled":
        return row.cancel_reason or ""
    if state == "blocked":
        return "waits to be unblocked"
    return "a job has failed" if (row.state or "").strip().lower() == "failing" else ""


def _labels(row: Row) -> dict[str, str]:
    labels = {"pipeline": row.pipeline.name} if row.pipeline and row.pipeline.name else {}
    if row.rebuilt_from and row.rebuilt_from.number:
        labels["rebuilt_from"] = f"#{row.rebuilt_from.number}"
    if row.triggered_from and row.triggered_from.build_pipeline_slug:
        labels["triggered_from"] = f"{row.triggered_from.build_pipeline_slug} #{row.triggered_from.build_number or '?'}"
    return labels


def _name(person: Person | str | None) -> str:
    if isinstance(person, str):
        return person
    return (person.name or person.username or person.email or "") if person else ""


def attempts_of(rows: Iterable[Row], known: Mapping[str, int]) -> dict[str, int]:
    """Which attempt each build is, by its id: a rebuild is one more than the build that it was rebuilt from.

    What was known of a build stays: the one before it leaves the list sooner.
    """
    attempts: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: parse_time(row.created_at) or _EPOCH):
        former = row.rebuilt_from.id if row.rebuilt_from else None
        fresh = 1 + (attempts.get(former) or known.get(former) or 1) if former else 1
        if row.id:
            attempts[row.id] = known.get(row.id, fresh)
    return attempts
