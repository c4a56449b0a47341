"""Jenkins' words as ours.  Pure; `sources.jenkins` does the reading.

Words from jenkinsci/jenkins (hudson.model.Result, Run, Job, Queue, Cause), git-plugin (BuildData), scm-api
(metadata actions, SCMRevisionAction) and branch-api.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from sources._jenkins_rows import Action, BuildRow, Cause, Job, QueueItem
from sources._shared.rows import Rows, need, remote_id
from sources._shared.words import meaning
from statusboard.api import Build, BuildState, Source, parse_time

#: Run.result of a build that has ended; of one that is building it is null, or what it would be if it ended now.
RESULTS: Mapping[str, BuildState] = {
    "success": "success",
    "unstable": "warning",
    "failure": "failed",
    "not_built": "skipped",
    "aborted": "cancelled",
}
#: What starts builds: the names of the classes in lower case, without "Cause"; others are shown as they are.
TRIGGERS: Mapping[str, str] = {
    "userid": "user",
    "cli": "user",
    "timertrigger": "schedule",
    "scmtrigger": "poll",
    "buildupstream": "upstream",
    "branchindexing": "branch indexing",
    "branchevent": "push",
    "githubpush": "push",
    "bitbucketpush": "push",
    "gitlabwebhook": "push",
    "ghprb": "pull request",
}
#: Builds of these are of what somebody did.
_PUSHES: Final = frozenset({"push", "pull request"})
_PUSHED_BY: Final = re.compile(r"\bby (\S+)$")
_REQUEST: Final = re.compile(r"\b(?:pull|merge) request #(\d+)", re.IGNORECASE)
_REQUEST_JOB: Final = re.compile(r"(?:PR|MR)-(\d+)(?:-(?:head|merge))?", re.IGNORECASE)
_REQUEST_PAGE: Final = re.compile(r"/(?:pull|pulls|pull-requests|pullrequest|merge_requests)/(\d+)(?:/|$)")
_REMOTE: Final = re.compile(r"refs/remotes/[^/]+/|refs/heads/|(?:origin|upstream)/")
_SCP: Final = re.compile(r"[^/@:]+@[^/:]+:(?!//)(.+)")
_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_IN_BRACKETS: Final = re.compile(r" ?\([^()]*\)")
_TAG: Final = re.compile(r"<[^<>]{0,300}>")
_LONGEST_BUILD: Final = timedelta(days=366).total_seconds() * 1000


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What all builds of a job have in common.  They are judged by their line, so it must not differ among them."""

    pipeline: str
    branch: str = ""
    default_branch: str = ""
    change: str = ""
    repository: str = ""
    subject: str = ""
    author: str = ""
    page: str = ""
    of_branch: bool = False


def primary_branch(jobs: Iterable[Job]) -> str:
    """The branch that its host calls the default one, ``""`` where none does."""
    for job in jobs:
        if any((told.class_ or "").endswith(".PrimaryInstanceMetadataAction") for told in job.told()):
            return job.name
    return ""


def branch_line(project: str, job: Job, rows: Sequence[BuildRow], default_branch: str) -> Line:
    """The line of a branch's or pull request's job in a multibranch project."""
    told = list(job.told())
    page = next((one.object_url for one in told if one.object_url), "")
    people = [one for one in told if one.contributor]
    number = _REQUEST_JOB.fullmatch(job.name) or (_REQUEST_PAGE.search(page) if people else None)
    change = number[1] if number else job.name if people else ""
    return Line(
        pipeline=project,
        branch=job.name,
        default_branch=default_branch,
        change=change,
        repository=_repository(rows, job.name),
        subject=next((one.object_display_name for one in told if one.object_display_name), "") if change else "",
        author=(people[0].contributor_display_name or people[0].contributor or "") if people else "",
        page=page,
        of_branch=True,
    )


def job_line(job: Job, rows: Sequence[BuildRow], default_branch: str) -> Line:
    """The line of a job that stands alone.

    How its last build went is how it stands, as in Jenkins itself, whatever branches its builds are of.  Only a
    ``default_branch`` in the options tells them apart, and then a build that got no further than its checkout is of it.
    """
    branches = {_branch(row) for row in rows} - {""}
    return Line(
        pipeline=need(job.full_name, "fullName"),
        branch=default_branch or (branches.pop() if len(branches) == 1 else ""),
        default_branch=default_branch,
        repository=_repository(rows, ""),
    )


class Read(msgspec.Struct, frozen=True):
    """A job with its builds."""

    job: Job
    line: Line
    builds: Rows[BuildRow]


def read_of(project: str, default: str, job: Job) -> Read:
    builds = Rows("build", BuildRow, job.builds or ())
    line = branch_line(project, job, builds.good, default) if project else job_line(job, builds.good, default)
    return Read(job, line, builds)


def tells(line: Line, row: BuildRow) -> bool:
    """Whether a build says how its job stands: it has a verdict, and is of what counts in the job."""
    if row.building is not False or meaning(RESULTS, row.result) in ("cancelled", "skipped"):
        return False
    if line.of_branch:
        return True
    return not _requested(row.told()) and (not line.default_branch or _branch(row) in ("", line.default_branch))


def build_of(source: Source[Any], job: Job, line: Line, row: BuildRow, parameters: Sequence[str]) -> Build:
    """A build of a job."""
    state = "running" if row.building else meaning(RESULTS, row.result) if row.building is False else "unknown"
    number = need(row.number, "number")
    started_at = parse_time(row.timestamp)
    ended_at = _end(started_at, row.duration) if state != "running" else None
    revision = _revision(row, line)
    branch, change = line.branch, line.change or _requested(row.told())
    labels = {name: _plain(value) for name, value in _parameters(row) if name in parameters}
    if not line.of_branch and (own := _branch(row)):
        if line.default_branch:
            branch = own
        elif own != branch:
            labels["branch"] = own
    causes = _causes(row.told())
    if upstream := next((cause for cause in causes if cause.upstream_project), None):
        labels["upstream"] = f"{upstream.upstream_project}#{upstream.upstream_build or ''}".rstrip("#")
    named = row.display_name if row.display_name not in (None, "", f"#{number}") else ""
    log = f"{row.url.rstrip('/')}/console" if row.url else ""
    return Build(
        key=source.key("build", remote_id(f"{job.full_name}#{number}")),
        source=source.name,
        title=": ".join(filter(None, (line.subject, named))) or line.pipeline,
        description=_TAG.sub(" ", row.description or "").strip(),
        state=state,
        raw_state="building" if row.building else row.result or "",
        pipeline=line.pipeline,
        run_number=number,
        branch=branch,
        default_branch=line.default_branch,
        change=change,
        revision=revision,
        repository=line.repository,
        url=row.url or job.url or "",
        links={
            name: url for name, url in {"log": log, "change" if line.change else "branch": line.page}.items() if url
        },
        labels=labels,
        actor=_actor(causes) or line.author,
        trigger=_trigger(causes),
        started_at=started_at,
        updated_at=ended_at,
        ended_at=ended_at,
    )


def waiting_of(source: Source[Any], job: Job, line: Line, item: QueueItem) -> Build:
    """A build that waits in the queue; it has no number yet, and is another item once it has one."""
    told = list(filter(None, item.actions or ()))
    causes = _causes(told)
    words = {"stuck": item.stuck, "blocked": item.blocked, "buildable": item.buildable}
    word = next((word for word, holds in words.items() if holds), "waiting")
    # During the quiet period it counts seconds, and elsewhere in brackets how long it may take.
    why = _IN_BRACKETS.sub("", item.why or "") if word != "waiting" else ""
    return Build(
        key=source.key("build", f"queue/{need(item.id, 'queue id')}"),
        source=source.name,
        title=line.subject or line.pipeline,
        state="queued",
        raw_state=word,
        reason=why,
        pipeline=line.pipeline,
        branch=line.branch,
        default_branch=line.default_branch,
        change=line.change or _requested(told),
        repository=line.repository,
        url=job.url or "",
        actor=_actor(causes) or line.author,
        trigger=_trigger(causes),
        started_at=parse_time(item.in_queue_since),
    )


# -- inside ------------------------------------------------------------------------------------------------------------


def _end(started_at: datetime | None, duration: float | None) -> datetime | None:
    if started_at is None or duration is None or not 0 < duration < _LONGEST_BUILD:
        return None
    return started_at + timedelta(milliseconds=duration)


def _causes(told: Iterable[Action]) -> list[Cause]:
    return [cause for action in told for cause in action.causes or () if cause is not None]


def _trigger(causes: Iterable[Cause]) -> str:
    for cause in causes:
        name = re.split(r"[.$]", cause.class_ or "")[-1].removesuffix("Cause").lower()
        if name:
            return TRIGGERS.get(name, name)
    return ""


def _actor(causes: Iterable[Cause]) -> str:
    for cause in causes:
        if cause.user_name or cause.user_id:
            return cause.user_name or cause.user_id or ""
        if _trigger([cause]) in _PUSHES and (by := _PUSHED_BY.search(cause.short_description or "")):
            return by[1]
    return ""


def _requested(told: Iterable[Action]) -> str:
    """The number of the pull request that a build's cause names, where a plug-in builds them in a single job."""
    found = (_REQUEST.search(cause.short_description or "") for cause in _causes(told))
    return next((number[1] for number in found if number), "")


def _parameters(row: BuildRow) -> Iterable[tuple[str, Any]]:
    return ((one.name, one.value) for action in row.told() for one in action.parameters or () if one.name)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, str | int | float) else ""


def _hash(row: BuildRow) -> str:
    """The commit that a multibranch project set out to build, ``""`` where none is told."""
    for action in row.told():
        found = action.revision.get("hash") if isinstance(action.revision, dict) else None
        if isinstance(found, str) and _SHA.fullmatch(found):
            return found
    return ""


def _checkouts(row: BuildRow) -> list[Action]:
    return [action for action in row.told() if action.last_built_revision is not None]


def _branches(action: Action) -> list[str]:
    revision = action.last_built_revision
    names = [branch.name or "" for branch in (revision.branch or () if revision else ())]
    return [name[found.end() :] if (found := _REMOTE.match(name)) else name for name in names]


def _branch(row: BuildRow) -> str:
    """The branch that a job which stands alone checked out first; ``detached`` is none."""
    for action in _checkouts(row)[:1]:
        return next((name for name in _branches(action) if name not in ("", "detached", "HEAD")), "")
    return ""


def _checkout(row: BuildRow, branch: str) -> Action | None:
    """What was checked out of the project's own repository: pipelines check out their shared libraries as well."""
    checkouts = _checkouts(row)
    if not branch or len(checkouts) < 2:
        return checkouts[0] if checkouts else None
    wanted = _hash(row)
    for action in checkouts:
        if wanted and action.last_built_revision and action.last_built_revision.sha == wanted:
            return action
    return next((action for action in reversed(checkouts) if branch in _branches(action)), None)


def _revision(row: BuildRow, line: Line) -> str:
    checkout = _checkout(row, line.branch if line.of_branch else "")
    built = checkout.last_built_revision if checkout else None
    return _hash(row) or (built.sha if built else None) or ""


def _repository(rows: Iterable[BuildRow], branch: str) -> str:
    """The repository of all these builds, ``""`` where they do not agree on one."""
    checkouts = filter(None, (_checkout(row, branch) for row in rows))
    found = {_repository_name(url) for action in checkouts for url in (action.remote_urls or ())[:1]} - {""}
    return found.pop() if len(found) == 1 else ""


def _repository_name(url: str) -> str:
    """``acme/checkout`` of the address of a Git repository, which may hold a password."""
    short = _SCP.fullmatch(url)
    try:
        path = short[1] if short else urlsplit(url).path
    except ValueError:
        return ""
    return path.strip("/").removeprefix("scm/").removesuffix(".git")
