"""TeamCity's answers as data, and its words as ours.  Pure; `sources.teamcity` does the reading.

Words and fields from JetBrains/teamcity-rest (model/build/Build, ApprovalInfo, TriggeredBy) and from
jetbrains.com/help/teamcity/rest/build.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from sources._shared.rows import need
from sources._shared.words import meaning
from statusboard.api import Build, BuildState, Source, parse_time

#: build.state; what has finished is told by its status.
STATES: Mapping[str, Literal["queued", "running", "finished", "deleted", "unknown"]] = {
    "queued": "queued",
    "running": "running",
    "finished": "finished",
    "deleted": "deleted",
    "unknown": "unknown",
}
#: build.status, also of a running build as it stands so far; ERROR is a fault of the infrastructure.
STATUSES: Mapping[str, BuildState] = {
    "success": "success",
    "failure": "failed",
    "error": "failed",
    "unknown": "cancelled",  # with a ``canceledInfo``; without one it is not known
}
#: approvalInfo.status of a queued build.
APPROVALS: Mapping[str, BuildState] = {
    "waitingforapproval": "blocked",
    "approved": "queued",
    "timedout": "queued",
    "canceled": "queued",
}
#: What stands for the default branch where its name is not known, as in TeamCity itself.
DEFAULT: Final = "<default>"

#: The fields that are asked for.
FIELDS: Final = (
    "id,number,state,running,status,statusText,branchName,defaultBranch,personal,composite,failedToStart,webUrl,"
    "buildTypeId,queuedDate,startDate,finishDate,canceledInfo(text),approvalInfo(status),"
    "buildType(name,projectName),triggered(type,user(name,username)),revisions(revision(version,vcsBranchName)),"
    "tags(tag(name))"
)
_REQUEST: Final = re.compile(r"(?:refs/)?(?:pull|pull-requests|merge-requests|merge)/(\d+)(?:/|$)")


class User(msgspec.Struct, frozen=True):
    name: str | None = None
    username: str | None = None


class Triggered(msgspec.Struct, frozen=True):
    type: str | None = None
    user: User | None = None


class Canceled(msgspec.Struct, frozen=True):
    text: str | None = None


class Approval(msgspec.Struct, frozen=True):
    status: str | None = None


class Revision(msgspec.Struct, frozen=True, rename="camel"):
    version: str | None = None
    vcs_branch_name: str | None = None


class Revisions(msgspec.Struct, frozen=True):
    revision: list[Revision] | None = None


class Tag(msgspec.Struct, frozen=True):
    name: str | None = None


class Tags(msgspec.Struct, frozen=True):
    tag: list[Tag] | None = None


class BuildType(msgspec.Struct, frozen=True, rename="camel"):
    name: str | None = None
    project_name: str | None = None


class BuildRow(msgspec.Struct, frozen=True, rename="camel"):
    """A build, queued ones too.  Old servers have no ``state``, and ``running`` only where it is true."""

    id: int | None = None
    number: str | None = None
    state: str | None = None
    running: bool | None = None
    status: str | None = None
    status_text: str | None = None
    branch_name: str | None = None
    default_branch: bool | None = None
    personal: bool | None = None
    composite: bool | None = None
    failed_to_start: bool | None = None
    web_url: str | None = None
    build_type_id: str | None = None
    queued_date: str | int | float | None = None
    start_date: str | int | float | None = None
    finish_date: str | int | float | None = None
    canceled_info: Canceled | None = None
    approval_info: Approval | None = None
    build_type: BuildType | None = None
    triggered: Triggered | None = None
    revisions: Revisions | None = None
    tags: Tags | None = None

    @property
    def stage(self) -> Literal["queued", "running", "finished", "deleted", "unknown"]:
        """How far it is."""
        if self.state:
            return meaning(STATES, self.state)
        if self.running is not None:
            return "running" if self.running else "finished"
        return "finished" if self.status else "unknown"


def state_of(row: BuildRow) -> BuildState | None:
    """A build's state; None for one that was deleted."""
    stage = row.stage
    if stage == "deleted":
        return None
    if stage == "queued":
        approval = meaning(APPROVALS, row.approval_info.status if row.approval_info else None)
        return "blocked" if approval == "blocked" else "queued"
    if stage != "finished":
        return stage
    if row.failed_to_start:
        return "failed"
    state = meaning(STATUSES, row.status)
    return "unknown" if state == "cancelled" and row.canceled_info is None else state


def build_of(source: Source[Any], row: BuildRow, default_branch: str) -> Build | None:
    """A build; None for one that was deleted.  ``default_branch`` is the name of its configuration's, where known."""
    state = state_of(row)
    if state is None:
        return None
    number = row.number or ""
    kind = row.build_type or BuildType()
    name = " / ".join(filter(None, (kind.project_name, kind.name))) if kind.name else row.build_type_id or ""
    revisions = row.revisions.revision or () if row.revisions else ()
    ended_at = parse_time(row.finish_date) if row.stage == "finished" else None
    started_at = parse_time(row.start_date) if state not in ("queued", "blocked") else None
    triggered = row.triggered or Triggered()
    labels = {"build_type": row.build_type_id or "", "number": "" if number.isdecimal() else number}
    labels = {name: text for name, text in labels.items() if text}
    if row.composite:
        labels["composite"] = "true"
    labels.update({tag.name: "" for tag in (row.tags.tag or () if row.tags else ()) if tag.name})
    return Build(
        key=source.key("build", need(row.id, "id")),
        source=source.name,
        title=f"#{number}" if any(map(str.isdigit, number)) else name or f"build {row.id}",
        state=state,
        raw_state="/".join(filter(None, (row.state or ("running" if row.running else ""), row.status))),
        reason=_reason(row, state),
        pipeline=name,
        run_number=int(number) if number.isdecimal() and len(number) < 16 else None,
        branch=row.branch_name or "",
        default_branch=_default_branch(row, default_branch),
        change=_change(row, revisions),
        revision=next((revision.version for revision in revisions if revision.version), ""),
        url=row.web_url or "",
        labels=labels,
        actor=(triggered.user.name or triggered.user.username or "") if triggered.user else "",
        trigger=triggered.type or "",
        started_at=started_at or parse_time(row.queued_date),
        queued_at=parse_time(row.queued_date) if started_at else None,
        updated_at=ended_at,
        ended_at=ended_at,
    )


def _reason(row: BuildRow, state: BuildState) -> str:
    """Why it went as it did.  The text of a running build counts its tests, and would be a change at every poll."""
    if state == "running":
        return "failing" if meaning(STATUSES, row.status) == "failed" else ""
    if state == "blocked":
        return "waits for approval"
    if state in ("success", "queued"):
        return ""
    return (row.canceled_info.text if row.canceled_info else None) or row.status_text or ""


def _default_branch(row: BuildRow, known: str) -> str:
    if not row.branch_name or row.default_branch is None:
        return ""
    if row.default_branch:
        return row.branch_name
    return known if known != row.branch_name else DEFAULT


def _change(row: BuildRow, revisions: Any) -> str:
    """The number of the pull request whose branch it is of."""
    names = [row.branch_name, *(revision.vcs_branch_name for revision in revisions)]
    found = (_REQUEST.match(name) for name in names if name)
    return next((number[1] for number in found if number), "")
