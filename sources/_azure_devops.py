"""Azure DevOps' builds and work items as data, and its words as ours.  Pure; `sources.azure_devops` does the reading.

Words from MicrosoftDocs/vsts-rest-api-specs, specification/build/7.1/build.json and
specification/wit/7.1/workItemTracking.json; the categories of states from azure-devops-docs,
docs/boards/work-items/workflow-and-state-categories.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from sources._shared.rows import need
from sources._shared.words import meaning
from statusboard.api import Build, BuildState, Source, Ticket, TicketState, parse_time

#: build.status; ``completed`` is told by its result.
BUILD_STATES: Mapping[str, BuildState] = {
    "none": "unknown",
    "notstarted": "queued",
    "postponed": "queued",
    "inprogress": "running",
    "cancelling": "running",
}
#: build.result
RESULTS: Mapping[str, BuildState] = {
    "none": "unknown",
    "succeeded": "success",
    "partiallysucceeded": "warning",
    "failed": "failed",
    "canceled": "cancelled",
}
#: The category of a work item's state; the states themselves are named by each organization.
CATEGORIES: Mapping[str, TicketState] = {
    "proposed": "open",
    "inprogress": "in_progress",
    "resolved": "in_progress",  # the work is done, but nobody has seen yet that it is
    "completed": "done",
    "removed": "cancelled",
}
#: The fields that work items are asked for.
FIELDS: Final = (
    "System.Title",
    "System.State",
    "System.Reason",
    "System.WorkItemType",
    "System.AssignedTo",
    "System.CreatedBy",
    "System.CreatedDate",
    "System.ChangedDate",
    "System.AreaPath",
    "System.IterationPath",
    "System.Tags",
    "Microsoft.VSTS.Common.Priority",
    "Microsoft.VSTS.Common.ClosedDate",
)
_NOT_HIDDEN: Final = "[System.WorkItemType] NOT IN GROUP 'Microsoft.HiddenCategory'"
_PULL = re.compile(r"refs/pull/(\d+)/")


class Listed(msgspec.Struct, frozen=True):
    """What every list comes in."""

    value: list[Any]


class Identity(msgspec.Struct, frozen=True, rename="camel"):
    display_name: str | None = None


class Href(msgspec.Struct, frozen=True):
    href: str | None = None


class Links(msgspec.Struct, frozen=True):
    web: Href | None = None


class Repository(msgspec.Struct, frozen=True, rename="camel"):
    """``name`` and ``default_branch`` are not always there; ``id`` is owner/name on GitHub and a UUID elsewhere."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    default_branch: str | None = None


class Definition(msgspec.Struct, frozen=True):
    """A pipeline; ``repository`` is there where all its properties were asked for."""

    id: int | None = None
    name: str | None = None
    path: str | None = None
    repository: Repository | None = None


class Validation(msgspec.Struct, frozen=True):
    result: str | None = None
    message: str | None = None


class BuildRow(msgspec.Struct, frozen=True, rename="camel"):
    """A run of a pipeline.  A stage that is run again takes the same build back from completed to inProgress."""

    id: int | None = None
    build_number: str | None = None
    status: str | None = None
    result: str | None = None
    reason: str | None = None
    queue_time: Any = None
    start_time: Any = None
    finish_time: Any = None
    source_branch: str | None = None
    source_version: str | None = None
    definition: Definition | None = None
    repository: Repository | None = None
    requested_for: Identity | None = None
    trigger_info: dict[str, Any] | None = None
    validation_results: list[Validation] | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


class WorkItem(msgspec.Struct, frozen=True):
    id: int | None = None
    fields: dict[str, Any] | None = None

    def text(self, name: str) -> str:
        """A field's value; a person's is their name."""
        value = (self.fields or {}).get(name)
        if isinstance(value, dict):
            value = value.get("displayName")
        return str(value) if isinstance(value, str | int | float) else ""


class State(msgspec.Struct, frozen=True):
    name: str | None = None
    category: str | None = None


class WorkItemType(msgspec.Struct, frozen=True):
    name: str | None = None
    states: list[State] | None = None


class Workflow:
    """What the states of a project's types of work items mean."""

    def __init__(self, types: Iterable[WorkItemType]) -> None:
        self._categories: dict[tuple[str, str], str] = {}
        names: dict[str, set[TicketState]] = {}
        for kind in types:
            for state in kind.states or ():
                if state.name:
                    self._categories[(kind.name or "").lower(), state.name.lower()] = state.category or ""
                    names.setdefault(state.name, set()).add(meaning(CATEGORIES, state.category))
        #: The states that say of every type that has them that the work is over.
        self.over: tuple[str, ...] = tuple(
            sorted(name for name, says in names.items() if says <= {"done", "cancelled"})
        )

    def knows(self, item: WorkItem) -> bool:
        return self._key(item) in self._categories

    def state(self, item: WorkItem) -> TicketState:
        return meaning(CATEGORIES, self._categories.get(self._key(item)))

    def _key(self, item: WorkItem) -> tuple[str, str]:
        return item.text("System.WorkItemType").lower(), item.text("System.State").lower()


def past_wiql(over: Sequence[str], since: str, until: str) -> str:
    """The query for work items that are over and changed last between these moments."""
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in over)
    condition = f"{_NOT_HIDDEN} AND [System.ChangedDate] >= '{since}'"
    condition += f" AND [System.ChangedDate] <= '{until}'" if until else ""
    return wiql(condition + (f" AND [System.State] IN ({names})" if names else ""), ())


def wiql(condition: str, over: Sequence[str]) -> str:
    """The query for a project's open work items, those that changed last first.

    ``condition`` takes the place of ours, which leaves out what is ``over`` and the types that Azure DevOps itself
    keeps off its boards (test cases, reviews).
    """
    if not condition:
        condition = _NOT_HIDDEN
        if over:
            names = ", ".join("'" + name.replace("'", "''") + "'" for name in over)
            condition += f" AND [System.State] NOT IN ({names})"
    order = "ORDER BY [System.ChangedDate] DESC"
    return f"SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project AND ({condition}) {order}"  # noqa: S608 - the condition is the user's own


def build_of(source: Source[Any], root: str, project: str, default_branch: str, row: BuildRow) -> Build:
    """A run of a pipeline; ``root`` is the organization's page."""
    number = need(row.id, "id")
    done = (row.status or "").lower() == "completed"
    state = meaning(RESULTS if done else BUILD_STATES, row.result if done else row.status)
    definition, info = row.definition or Definition(), row.trigger_info or {}
    branch, pull = row.source_branch or "", _PULL.match(row.source_branch or "")
    if pull:
        branch = _text(info, "pr.sourceBranch") or branch
    faults = [v.message for v in row.validation_results or () if (v.result or "").lower() == "error" and v.message]
    ended_at = parse_time(row.finish_time) if done else None
    said = _text(info, "pr.title") or _text(info, "ci.message") or row.build_number or ""
    folder = folder_of(definition.path)
    pipeline = "/".join(filter(None, (folder, definition.name)))  # only in its folder a name is the only one
    return Build(
        key=source.key("build", f"{project}/build/{number}"),
        source=source.name,
        title=said or pipeline,
        state=state,
        raw_state="/".join(filter(None, (row.status, row.result))),
        reason=faults[0] if faults else "",
        pipeline=pipeline,
        branch=short_branch(branch),
        default_branch=default_branch,
        revision=_text(info, "pr.sourceSha") or row.source_version or "",
        change=_text(info, "pr.number") or (pull[1] if pull else ""),
        repository=repository_of(project, row.repository),
        url=web(row.links) or f"{root}/_build/results?buildId={number}",
        labels=labels(build_number=row.build_number, folder=folder),
        actor=person(row.requested_for),
        trigger=row.reason or "",
        started_at=parse_time(row.start_time) or parse_time(row.queue_time),
        queued_at=parse_time(row.queue_time) if parse_time(row.start_time) else None,
        updated_at=ended_at,
        ended_at=ended_at,
    )


def ticket_of(source: Source[Any], root: str, project: str, workflow: Workflow, item: WorkItem) -> Ticket:
    """A work item."""
    number = need(item.id, "id")
    kind, tags = item.text("System.WorkItemType"), item.text("System.Tags")
    state = workflow.state(item)
    return Ticket(
        key=source.key("ticket", f"{project}/{number}"),
        source=source.name,
        title=item.text("System.Title") or f"{kind} {number}".strip(),
        state=state,
        raw_state=item.text("System.State"),
        reason=item.text("System.Reason") if state in ("done", "cancelled") else "",
        priority=item.text("Microsoft.VSTS.Common.Priority"),
        assignee=item.text("System.AssignedTo"),
        ticket_id=f"#{number}",
        url=f"{root}/_workitems/edit/{number}",
        labels={
            **{tag: "" for word in tags.split(";") if (tag := word.strip())},
            **labels(
                type=kind,
                area=item.text("System.AreaPath"),
                iteration=item.text("System.IterationPath"),
                project=project,
            ),
        },
        actor=item.text("System.CreatedBy"),
        started_at=parse_time(item.text("System.CreatedDate")),
        updated_at=parse_time(item.text("System.ChangedDate")),
        ended_at=parse_time(item.text("Microsoft.VSTS.Common.ClosedDate")) if state in ("done", "cancelled") else None,
    )


def short_branch(ref: str) -> str:
    """A branch's name; what is no branch keeps the name that tells so (``tags/v1``)."""
    return ref.removeprefix("refs/heads/").removeprefix("refs/")


def folder_of(path: str | None) -> str:
    """The folder of a pipeline or release definition, without the one that all are in."""
    return (path or "").strip("\\").replace("\\", "/")


def repository_of(project: str, repository: Repository | None) -> str:
    """``owner/name``, or ``project/name`` where the code lies in Azure Repos."""
    if repository is None:
        return ""
    if (repository.type or "").lower() == "tfsgit":
        return f"{project}/{repository.name}" if repository.name else ""
    return repository.name or repository.id or ""


def web(links: Links | None) -> str:
    """The page for people."""
    return (links.web.href or "") if links and links.web else ""


def person(identity: Identity | None) -> str:
    return (identity.display_name or "") if identity else ""


def labels(**values: str | None) -> dict[str, str]:
    """Those that are not empty."""
    return {name: value for name, value in values.items() if value}


def _text(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name)
    return str(value) if isinstance(value, str | int) else ""
