"""GitHub's workflow runs as data, and what they mean as builds.  Pure; `sources._github_builds` does the reading.

Words from octokit/webhooks, payload-schemas, and github/rest-api-description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from sources._github import Repository, User, login_of
from sources._shared.rows import need
from sources._shared.words import meaning
from statusboard.api import Build, BuildState, Source, parse_time

#: run.status; ``completed`` is told by its conclusion.
RUN_STATES: Mapping[str, BuildState] = {
    "queued": "queued",
    "requested": "queued",
    "pending": "queued",
    "waiting": "blocked",
    "in_progress": "running",
}
#: run.conclusion
CONCLUSIONS: Mapping[str, BuildState] = {
    "success": "success",
    "neutral": "success",
    "skipped": "skipped",
    "cancelled": "cancelled",
    "stale": "cancelled",
    "action_required": "blocked",
    "failure": "failed",
    "timed_out": "failed",
    "startup_failure": "failed",
}
#: Dependabot's runs, each of which has a name of its own: "pip in /. for jinja2 - Update #41".
_DEPENDABOT: Final = "dynamic/dependabot/dependabot-updates"
_UPDATE: Final = re.compile(r"(?: for .+)?(?: - Update #\d+)?$", re.DOTALL)


class PullRequest(msgspec.Struct, frozen=True):
    number: int | None = None


class Run(msgspec.Struct, frozen=True):
    """workflow-run.  ``run_started_at`` and ``run_attempt`` change with a re-run, ``id`` and ``created_at`` do not."""

    id: int | None = None
    name: str | None = None
    path: str | None = None
    display_title: str | None = None
    run_number: int | None = None
    run_attempt: int | None = None
    event: str | None = None
    status: str | None = None
    conclusion: str | None = None
    head_branch: str | None = None
    head_sha: str | None = None
    html_url: str | None = None
    created_at: str | None = None
    run_started_at: str | None = None
    updated_at: str | None = None
    actor: User | None = None
    triggering_actor: User | None = None
    repository: Repository | None = None
    head_repository: Repository | None = None
    pull_requests: list[PullRequest] | None = None

    @property
    def workflow(self) -> str:
        """The path of its workflow's file, which outlives every change of the workflow's name."""
        return (self.path or "").partition("@")[0]

    @property
    def line(self) -> tuple[str, ...]:
        """What its newest sibling speaks for: the workflow on a branch of a repository, or for its pull requests."""
        theirs = (self.head_repository.full_name if self.head_repository else None) or ""
        pull = "pull" if _of_pull_request(self) else ""
        return (self.workflow or self.name or "", self.head_branch or "", theirs, pull)


class Runs(msgspec.Struct, frozen=True):
    workflow_runs: list[Run]


class AnyRuns(msgspec.Struct, frozen=True):
    workflow_runs: list[Any]


class Job(msgspec.Struct, frozen=True):
    status: str | None = None
    conclusion: str | None = None


class Jobs(msgspec.Struct, frozen=True):
    jobs: list[Job]


def verdict_so_far(jobs: Iterable[Job]) -> BuildState | Literal[""]:
    """What the jobs of a run that waits for somebody have said, ``""`` while any of them goes on."""
    said: set[BuildState] = set()
    for job in jobs:
        status = (job.status or "").lower()
        if status == "completed":
            said.add(meaning(CONCLUSIONS, job.conclusion))
        elif status != "waiting":
            return ""
    if "failed" in said:
        return "failed"
    return "success" if "success" in said and said <= {"success", "skipped"} else ""


class Pipelines:
    """What the workflows of a repository are called, as its runs tell.

    A run of a file that GitHub cannot read is named by its path, and workflows get new names: what such a run said
    would stay for ever if it went by another name than the next one.  Two files may have one name as well; then neither
    speaks for the other.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._twins: set[str] = set()

    def learn(self, runs: Sequence[Run]) -> None:
        """Take over what these runs say, the newest last."""
        for run in sorted(runs, key=lambda run: run.id or 0):
            if run.workflow and run.name and run.name not in (run.workflow, run.path):
                self._names[run.workflow] = run.name
        self._look_for_twins(run for run in sorted(runs, key=lambda run: run.id or 0) if run.workflow)

    def of(self, run: Run) -> str:
        """The name that a run's workflow goes by."""
        if run.workflow == _DEPENDABOT:
            return _UPDATE.sub("", run.name or "") or "Dependabot"
        name = self._names.get(run.workflow) or run.name or run.workflow
        if run.workflow in self._twins:
            return f"{name} ({run.workflow.rpartition('/')[2]})"
        return name

    def _look_for_twins(self, runs: Iterable[Run]) -> None:
        """Find files of one name that run beside each other; where one takes the other's place, the file was moved.

        They do where both run for one commit, or by turns on one branch.
        """
        commits: dict[tuple[str, ...], set[str]] = {}
        turns: dict[tuple[str, ...], list[str]] = {}
        for run in runs:
            name = self._names.get(run.workflow, run.workflow)
            together = commits.setdefault((name, run.head_sha or str(run.id)), set())
            together.add(run.workflow)
            turn = turns.setdefault((name, *run.line[1:]), [])
            if len(together) > 1 or (run.workflow in turn and turn[-1] != run.workflow):
                self._twins |= together | set(turn)
            if run.workflow not in turn:
                turn.append(run.workflow)
            elif turn[-1] != run.workflow:
                turn.remove(run.workflow)
                turn.append(run.workflow)


def build_of(
    source: Source[Any],
    repo: str,
    default_branch: str,
    run: Run,
    *,
    pipeline: str,
    overtaken: bool = False,
    verdict: BuildState | Literal[""] = "",
) -> Build:
    """A workflow run; a re-run is the same one with a higher attempt.  ``verdict`` is that of one that waits.

    One that is ``overtaken`` keeps its place when it is re-run: how older code does now says nothing of the newer.
    """
    status, conclusion = (run.status or "").lower(), (run.conclusion or "").lower()
    done = status == "completed"
    state = CONCLUSIONS.get(conclusion, "unknown") if done else RUN_STATES.get(status, "unknown")
    ended_at = parse_time(run.updated_at) if done else None
    change = _change(run)
    created_at = parse_time(run.created_at)
    return Build(
        key=source.key("build", f"{repo}/run/{need(run.id, 'id')}"),
        source=source.name,
        title=run.display_title or pipeline,
        state=state,
        verdict=verdict if state == "blocked" else "",
        raw_state="/".join(filter(None, (run.status, run.conclusion))),
        reason="" if state in ("success", "queued", "running") else (conclusion or status).replace("_", " "),
        pipeline=pipeline,
        run_number=run.run_number,
        attempt=run.run_attempt or 1,
        branch=run.head_branch or "",
        default_branch=default_branch,
        fork=_fork(repo, run),
        revision=run.head_sha or "",
        change=change,
        repository=repo,
        url=run.html_url or "",
        links=_links(run, change),
        actor=login_of(run.triggering_actor) or login_of(run.actor),
        trigger=run.event or "",
        labels={"workflow": run.workflow} if run.workflow else {},
        started_at=(created_at if overtaken else None) or parse_time(run.run_started_at) or created_at,
        updated_at=ended_at,  # while it runs it moves with every step, and would be a change at every poll
        ended_at=ended_at,
    )


def _fork(repo: str, run: Run) -> str:
    """The fork a run's commits come from, ``""`` for the repository itself.  A fork's ``main`` is not main."""
    if run.head_repository and run.head_repository.full_name:
        name = run.head_repository.full_name
        here = (run.repository.full_name if run.repository else None) or repo  # which may have been renamed
        return "" if name.lower() == here.lower() else name
    # A deleted fork is null; a run of the repository itself always names it.
    return "unknown" if _of_pull_request(run) else ""


def _change(run: Run) -> str:
    """The number of the pull request that was tested.

    Runs of a push name the pull requests of their branch as well, and are still runs of that branch.  Runs of a pull
    request from a fork, or of a closed one, name none.
    """
    if not _of_pull_request(run):
        return ""
    numbers = [pull.number for pull in run.pull_requests or () if pull.number]
    return str(numbers[0]) if numbers else "unknown"


def _links(run: Run, change: str) -> dict[str, str]:
    """The pull request's page, beside that of the run."""
    repository, found, _ = (run.html_url or "").partition("/actions/runs/")
    return {"pull request": f"{repository}/pull/{change}"} if found and change.isdecimal() else {}


def _of_pull_request(run: Run) -> bool:
    return (run.event or "").startswith("pull_request")
