"""Writing a deploy log: one JSON line for what a script or pipeline has to tell, appended whole whoever else writes.

The lines are those that the ``deploy-log`` source reads.  Nothing here needs a configuration, a store or a network.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from statusboard.clock import parse_time_exact, rfc3339, zone_of
from statusboard.errors import MomentError, StatusboardError
from statusboard.model import SEVERITIES, STATES, ItemKind
from statusboard.moments import meant
from statusboard.text import clean, safe_url

LONGEST: Final = 8192
"""Bytes of one line."""
MOST_LINES: Final = 1000
"""Lines of one standard input."""

_COMMON: Final = (
    "id", "state", "service", "environment", "target", "url", "actor", "repository", "description", "reason",
    "started", "ended", "time",
)  # fmt: skip
#: What can be said of each kind, beside labels; the first ones are asked for.
FIELDS: Mapping[ItemKind, tuple[str, ...]] = {
    "release": ("service", "version", "revision", "previous_version", "committed", "setting", *_COMMON),
    "build": ("pipeline", "run_number", "branch", "default_branch", "revision", "change", "title", *_COMMON),
    "incident": ("title", "severity", "assignee", *_COMMON),
    "ticket": ("title", "ticket_id", "priority", "assignee", *_COMMON),
}
#: One of these must be said, or nobody would know what the line is about.
NEEDED: Mapping[ItemKind, tuple[str, ...]] = {
    "release": ("service", "version", "setting"),
    "build": ("pipeline", "title", "id"),
    "incident": ("title", "service", "id"),
    "ticket": ("title", "ticket_id", "id"),
}
_TIMES: Final = ("started", "ended", "time", "committed")
#: What is in one of these states has no end yet; a maintenance, which is suppressed, may have one.
_GOING: Final = frozenset({"queued", "blocked", "running", "pending", "open", "acknowledged", "in_progress"})
_DEFAULT_STATE: Mapping[ItemKind, str] = {"incident": "open", "ticket": "open"}


class EmitError(StatusboardError):
    """A line that says something impossible, or cannot be written; the message says what would be right."""


class Times:
    """The times of lines as they are written: each with its offset, since nobody else knows whose clock told it.

    One without a zone is one of ``zone``, that of this machine unless told otherwise; ``now`` is what ``21:50`` and
    ``-10m`` are seen from.  ``zoneless`` counts those that named no zone, ``notes`` is what must be said of some.
    """

    def __init__(self, now: datetime, zone: tzinfo | None = None) -> None:
        self.now = now
        self.zone = zone or zone_of("")
        self.zoneless = 0
        self.notes: list[str] = []

    def written(self, name: str, value: object) -> object:
        """The value of the field ``name``, as it is or with an offset.  `EmitError` for what is no time."""
        at, zoneless = parse_time_exact(value)
        if at is not None and not zoneless:
            return value
        try:
            found = meant(at.replace(tzinfo=None).isoformat() if at else str(value), self.now, self.zone)
        except MomentError:
            forms = "2026-01-02T03:04:05+01:00, 21:50 or -10m"
            raise EmitError(f"`{name}` is no time: {clean(value, 40)}; write {forms}") from None
        self.zoneless += at is not None
        if found.note:
            self.notes.append(f"{name} {clean(value, 40)}: {found.note}")
        return found.at.astimezone(self.zone).isoformat()


def line_of(
    kind: str, said: Mapping[str, object], labels: Mapping[str, str], now: datetime, times: Times | None = None
) -> bytes:
    """One line, checked, with its newline.  `EmitError` says what is wrong with it.

    ``times`` writes its times and knows afterwards what is to be said of them; this machine's zone without it.
    """
    if kind not in FIELDS:
        raise EmitError(f"there is no kind `{clean(kind, 40)}`; it is one of {', '.join(FIELDS)}")
    known = cast(ItemKind, kind)
    times = times or Times(now)
    row: dict[str, object] = {"kind": kind, "time": rfc3339(now)}
    for name, value in said.items():
        if name not in FIELDS[known]:
            raise EmitError(f"{_a(kind)} has no `{clean(name, 40)}`; it has {', '.join(FIELDS[known])}")
        if (text := _scalar(name, value)) == "":
            if name == "title":
                raise EmitError("`title` is empty: say in it what happened, or leave it out")
        else:
            row[name] = times.written(name, text) if name in _TIMES else text
    if not any(name in row for name in NEEDED[known]):
        raise EmitError(f"say what it is about: one of {', '.join(NEEDED[known])}")
    row.setdefault("state", "success" if "setting" in row else _DEFAULT_STATE.get(known, ""))
    _check(known, row)
    for name, value in labels.items():
        if name in row or name in FIELDS[known] or not name or not name.isprintable():
            raise EmitError(f"`{clean(name, 40)}` cannot be a label's name; it is a field, or no name")
        row[name] = _scalar(name, value)
    line = msgspec.json.encode(row) + b"\n"
    if len(line) > LONGEST:
        raise EmitError(f"the line has {len(line)} bytes, more than {LONGEST}")
    return line


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "incident" else f"a {kind}"


def _scalar(name: str, value: object) -> str | int | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise EmitError(f"`{clean(name, 40)}` is neither text nor a number")
    return value.strip() if isinstance(value, str) else value


def _check(kind: ItemKind, row: Mapping[str, object]) -> None:
    states = sorted(STATES[kind])
    if row["state"] not in states:
        what = f"`{clean(row['state'], 40)}` is no state of {_a(kind)}" if row["state"] else "`state` is missing"
        raise EmitError(f"{what}; it is one of {', '.join(states)}")
    _check_times(kind, row)
    if (severity := row.get("severity")) is not None and severity not in SEVERITIES:
        raise EmitError(f"`{clean(severity, 40)}` is no severity; it is one of {', '.join(SEVERITIES)}")
    if (url := row.get("url")) is not None and not safe_url(url):
        raise EmitError("`url` is no http or https address that can be shown (without a password)")
    number = row.get("run_number")
    if number is not None and not str(number).isdecimal():
        raise EmitError(f"`run_number` is no whole number: {clean(number, 40)}")


def _check_times(kind: ItemKind, row: Mapping[str, object]) -> None:
    """That it ends after it began, and has an end only if it is over."""
    if "ended" not in row:
        return
    state = str(row["state"])
    if state in _GOING:
        over = "resolved" if kind == "incident" else "done" if kind == "ticket" else "success or failed"
        raise EmitError(f"`ended` is said of {_a(kind)} that is `{state}`: say that its state is {over}, or no end")
    began, ended = parse_time_exact(row.get("started"))[0], parse_time_exact(row["ended"])[0]
    if began and ended and ended < began:
        raise EmitError(f"`ended` ({row['ended']}) is before `started` ({row['started']}): is it the other way round?")


def lines_of(data: bytes, now: datetime, times: Times | None = None) -> list[bytes]:
    """The lines of a standard input, checked; each must be as `line_of` would make it, ``kind`` may be left out.

    `EmitError` names the first line that is wrong: then none of them is to be written.
    """
    rows = [(number, row) for number, row in enumerate(data.splitlines(), 1) if row.strip()]
    if not rows:
        raise EmitError("nothing came on standard input; it takes one JSON object a line")
    if len(rows) > MOST_LINES:
        raise EmitError(f"{len(rows)} lines at once, more than {MOST_LINES}")
    made = []
    times = times or Times(now)
    for number, row in rows:
        try:
            made.append(_checked(row, now, times))
        except EmitError as exc:
            raise EmitError(f"line {number}: {exc}") from None
    return made


def _checked(data: bytes, now: datetime, times: Times) -> bytes:
    if len(data) > LONGEST:
        raise EmitError(f"it has {len(data)} bytes, more than {LONGEST}")
    try:
        row: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise EmitError("this is not JSON") from None
    if not isinstance(row, dict):
        raise EmitError("this is no JSON object")
    kind = row.pop("kind", "release")
    fields = FIELDS.get(cast(ItemKind, kind), ()) if isinstance(kind, str) else ()
    said = {name: value for name, value in row.items() if name in fields and value is not None}
    labels = {name: value for name, value in row.items() if name not in fields and value is not None}
    return line_of(kind if isinstance(kind, str) else "", said, labels, now, times)


def append(path: Path, lines: Iterable[bytes]) -> None:
    """Append whole lines, in one write under a lock; a file that was rotated away meanwhile is left for the new one.

    `EmitError` where it cannot be written.
    """
    data = b"".join(lines)
    try:
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if not _in_place(descriptor, path):
                    continue
                _write(descriptor, data)
                return
            finally:
                os.close(descriptor)
    except OSError as exc:
        raise EmitError(f"{path} cannot be written: {(exc.strerror or str(exc)).lower()}") from None


def _in_place(descriptor: int, path: Path) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _write(descriptor: int, data: bytes) -> None:
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        data = b"\n" + data  # somebody was cut off in the middle of a line
    written = os.write(descriptor, data)
    if written != len(data):  # a full disk: a part of a line would spoil the next one
        os.ftruncate(descriptor, size)
        raise OSError("no space left")


# --- what a CI says of itself ---------------------------------------------------------------------------------------

#: Which variable tells that we run inside this CI, and what its other variables mean.  ``{NAME}`` is filled in; a text
#: with an unknown NAME counts as not said.  The first CI whose variable is set is taken.
CIS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "GITHUB_ACTIONS": {  # also Gitea's and Forgejo's Actions
        "revision": ("{GITHUB_SHA}",),
        "actor": ("{GITHUB_ACTOR}",),
        "repository": ("{GITHUB_REPOSITORY}",),
        "branch": ("{GITHUB_HEAD_REF}", "{GITHUB_REF_NAME}"),
        "pipeline": ("{GITHUB_WORKFLOW}",),
        "run_number": ("{GITHUB_RUN_NUMBER}",),
        "url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",),
    },
    "GITLAB_CI": {
        "revision": ("{CI_COMMIT_SHA}",),
        "actor": ("{GITLAB_USER_LOGIN}",),
        "repository": ("{CI_PROJECT_PATH}",),
        "branch": ("{CI_COMMIT_BRANCH}", "{CI_COMMIT_REF_NAME}"),
        "default_branch": ("{CI_DEFAULT_BRANCH}",),
        "change": ("{CI_MERGE_REQUEST_IID}",),
        "pipeline": ("{CI_PROJECT_NAME}",),
        "run_number": ("{CI_PIPELINE_IID}",),
        "environment": ("{CI_ENVIRONMENT_NAME}",),
        "version": ("{CI_COMMIT_TAG}",),
        "url": ("{CI_JOB_URL}", "{CI_PIPELINE_URL}"),
    },
    "JENKINS_URL": {
        "revision": ("{GIT_COMMIT}",),
        "actor": ("{BUILD_USER_ID}",),
        "branch": ("{CHANGE_BRANCH}", "{BRANCH_NAME}", "{GIT_BRANCH}"),
        "change": ("{CHANGE_ID}",),
        "pipeline": ("{JOB_NAME}",),
        "run_number": ("{BUILD_NUMBER}",),
        "url": ("{BUILD_URL}",),
    },
    "BUILDKITE": {
        "revision": ("{BUILDKITE_COMMIT}",),
        "actor": ("{BUILDKITE_BUILD_CREATOR}", "{BUILDKITE_BUILD_AUTHOR}"),
        "branch": ("{BUILDKITE_BRANCH}",),
        "default_branch": ("{BUILDKITE_PIPELINE_DEFAULT_BRANCH}",),
        "pipeline": ("{BUILDKITE_PIPELINE_SLUG}",),
        "run_number": ("{BUILDKITE_BUILD_NUMBER}",),
        "version": ("{BUILDKITE_TAG}",),
        "url": ("{BUILDKITE_BUILD_URL}",),
    },
    "CIRCLECI": {
        "revision": ("{CIRCLE_SHA1}",),
        "actor": ("{CIRCLE_USERNAME}",),
        "repository": ("{CIRCLE_PROJECT_USERNAME}/{CIRCLE_PROJECT_REPONAME}",),
        "branch": ("{CIRCLE_BRANCH}",),
        "pipeline": ("{CIRCLE_JOB}",),
        "run_number": ("{CIRCLE_BUILD_NUM}",),
        "version": ("{CIRCLE_TAG}",),
        "url": ("{CIRCLE_BUILD_URL}",),
    },
    "TF_BUILD": {  # Azure Pipelines
        "revision": ("{BUILD_SOURCEVERSION}",),
        "actor": ("{BUILD_REQUESTEDFOR}",),
        "repository": ("{BUILD_REPOSITORY_NAME}",),
        "branch": ("{BUILD_SOURCEBRANCHNAME}",),
        "change": ("{SYSTEM_PULLREQUEST_PULLREQUESTNUMBER}", "{SYSTEM_PULLREQUEST_PULLREQUESTID}"),
        "pipeline": ("{BUILD_DEFINITIONNAME}",),
        "environment": ("{ENVIRONMENT_NAME}",),
        "url": ("{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",),
    },
    "DRONE": {
        "revision": ("{DRONE_COMMIT_SHA}",),
        "actor": ("{DRONE_COMMIT_AUTHOR}",),
        "repository": ("{DRONE_REPO}",),
        "branch": ("{DRONE_BRANCH}",),
        "default_branch": ("{DRONE_REPO_BRANCH}",),
        "change": ("{DRONE_PULL_REQUEST}",),
        "run_number": ("{DRONE_BUILD_NUMBER}",),
        "environment": ("{DRONE_DEPLOY_TO}",),
        "version": ("{DRONE_TAG}",),
        "url": ("{DRONE_BUILD_LINK}",),
    },
    "CI_REPO": {  # Woodpecker
        "revision": ("{CI_COMMIT_SHA}",),
        "actor": ("{CI_COMMIT_AUTHOR}",),
        "repository": ("{CI_REPO}",),
        "branch": ("{CI_COMMIT_BRANCH}",),
        "default_branch": ("{CI_REPO_DEFAULT_BRANCH}",),
        "change": ("{CI_COMMIT_PULL_REQUEST}",),
        "pipeline": ("{CI_WORKFLOW_NAME}",),
        "run_number": ("{CI_PIPELINE_NUMBER}",),
        "environment": ("{CI_PIPELINE_DEPLOY_TARGET}",),
        "version": ("{CI_COMMIT_TAG}",),
        "url": ("{CI_PIPELINE_URL}",),
    },
    "BITBUCKET_BUILD_NUMBER": {
        "revision": ("{BITBUCKET_COMMIT}",),
        "repository": ("{BITBUCKET_REPO_FULL_NAME}",),
        "branch": ("{BITBUCKET_BRANCH}",),
        "change": ("{BITBUCKET_PR_ID}",),
        "run_number": ("{BITBUCKET_BUILD_NUMBER}",),
        "environment": ("{BITBUCKET_DEPLOYMENT_ENVIRONMENT}",),
        "version": ("{BITBUCKET_TAG}",),
        "url": ("https://bitbucket.org/{BITBUCKET_REPO_FULL_NAME}/pipelines/results/{BITBUCKET_BUILD_NUMBER}",),
    },
    "TEAMCITY_VERSION": {
        "revision": ("{BUILD_VCS_NUMBER}",),
        "pipeline": ("{TEAMCITY_BUILDCONF_NAME}",),
        "run_number": ("{BUILD_NUMBER}",),
    },
    "TRAVIS": {
        "revision": ("{TRAVIS_COMMIT}",),
        "repository": ("{TRAVIS_REPO_SLUG}",),
        "branch": ("{TRAVIS_PULL_REQUEST_BRANCH}", "{TRAVIS_BRANCH}"),
        "run_number": ("{TRAVIS_BUILD_NUMBER}",),
        "version": ("{TRAVIS_TAG}",),
        "url": ("{TRAVIS_BUILD_WEB_URL}",),
    },
}


def from_ci(kind: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the CI that we run in says of this run, as far as a line of this kind can tell it.

    `EmitError` where we seem to run in none of `CIS`.
    """
    told = next((fields for name, fields in CIS.items() if environ.get(name)), None)
    if told is None:
        raise EmitError(f"--from-env: this is no CI that is known; none of {', '.join(CIS)} is set")
    fields = FIELDS.get(cast(ItemKind, kind), ())
    found = {name: _filled(texts, environ) for name, texts in told.items() if name in fields}
    number = found.get("run_number", "")
    if number and not number.isdecimal():  # some let a person write it
        del found["run_number"]
    if "url" in found and not safe_url(found["url"]):
        del found["url"]
    return {name: text for name, text in found.items() if text}


def _filled(texts: Iterable[str], environ: Mapping[str, str]) -> str:
    class Missing(Exception):
        pass

    class Values(dict[str, str]):
        def __missing__(self, name: str) -> str:
            raise Missing

    for text in texts:
        try:
            return text.format_map(Values({name: value for name, value in environ.items() if value}))
        except Missing:
            continue
    return ""
