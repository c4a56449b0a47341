"""How each of the four services is read: what is asked, how far, and what is kept.  `sources.aws` sends the requests.

One reader a service and region.  CodeBuild, CodePipeline and CodeDeploy list names and ids only: what has ended is
asked for once and kept for as long as it is in the list.  Further back goes `sources._aws_history`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec

from sources._aws import (
    PIPELINE_STATES,
    Action,
    Alarm,
    BuildRow,
    Deployment,
    Execution,
    Place,
    build_of,
    incident_of,
    release_of,
    run_of,
)
from sources._aws_asking import KNOWN, Ask, NamedReader, Reader
from sources._shared.alerts import SteadyText
from sources._shared.rows import Rows
from sources._shared.words import meaning
from statusboard.api import (
    AuthError,
    BadAnswer,
    Clock,
    Incident,
    Item,
    NotFound,
    Part,
    Release,
    Scope,
    SourceError,
    clean,
    parse_time,
)

T = TypeVar("T")

#: How long after its end a deployment may still be rolled back, and is read again.
SETTLED: Final = timedelta(hours=1)
BATCH: Final = 25


class Alarms(msgspec.Struct, frozen=True, rename="pascal"):
    metric_alarms: list[Any]
    composite_alarms: list[Any]
    log_alarms: list[Any] = []
    next_token: str | None = None


class Projects(msgspec.Struct, frozen=True, rename="camel"):
    projects: list[str]
    next_token: str | None = None


class PipelineName(msgspec.Struct, frozen=True):
    name: str


class Pipelines(msgspec.Struct, frozen=True, rename="camel"):
    pipelines: list[PipelineName]
    next_token: str | None = None


class BuildIds(msgspec.Struct, frozen=True, rename="camel"):
    ids: list[str]
    next_token: str | None = None


class Builds(msgspec.Struct, frozen=True, rename="camel"):
    builds: list[Any]
    builds_not_found: list[Any] | None = None


class Executions(msgspec.Struct, frozen=True, rename="camel"):
    pipeline_execution_summaries: list[Any]
    next_token: str | None = None


class Actions(msgspec.Struct, frozen=True, rename="camel"):
    action_execution_details: list[Any]


class DeploymentIds(msgspec.Struct, frozen=True, rename="camel"):
    deployments: list[str]
    next_token: str | None = None


class Deployments(msgspec.Struct, frozen=True, rename="camel"):
    deployments_info: list[Any]


class AlarmReader(Reader):
    """CloudWatch: alarms that are not OK.  That there are any at all is looked at now and then."""

    token = "NextToken"  # noqa: S105

    def __init__(self, place: Place, wanted: Sequence[str], most: int, clock: Clock) -> None:
        super().__init__(place, wanted, most, clock)
        self._texts: dict[str, SteadyText] = {}
        self._there: dict[str, float] = {}
        self._types = ["MetricAlarm", "CompositeAlarm", "LogAlarm"]

    async def read(self, scope: Scope, ask: Ask) -> Part:
        rows = Rows("alarm", Alarm)
        notes: list[str] = []
        missing: SourceError | None = None
        for prefix in self.wanted or ("",):
            asked: dict[str, object] = {"AlarmNamePrefix": prefix} if prefix else {}
            found: list[Any] = []
            for state in ("ALARM", "INSUFFICIENT_DATA"):
                found += await self.alarms(ask, {**asked, "StateValue": state, "MaxRecords": 100})
            rows.add(found)
            # Nothing to show may be all that is wrong: a prefix that no alarm has, or the wrong region.
            if not found and not await self._are_there_any(ask, prefix, asked):
                if prefix:
                    where = f"no alarm in {self.place.region} has a name that begins with {clean(prefix, 80)}"
                    missing = missing or NotFound(where)
                else:
                    notes.append(f"there is no alarm at all in {self.place.region}")
        texts: dict[str, SteadyText] = {}

        def convert(alarm: Alarm) -> Incident | None:
            name = alarm.alarm_name or ""
            # It quotes the values that were measured last.
            told = SteadyText(title=alarm.state_reason or "", description="", at=self.clock.monotonic())
            texts[name] = told.steady(self._texts.get(name))
            return incident_of(self.place, alarm, texts[name].title)

        part = rows.part(scope, convert, notes=notes)
        self._texts = texts
        return _with(part, missing)

    async def alarms(self, ask: Ask, body: Mapping[str, object], *, pages: int = 0) -> list[Any]:
        """The alarms that an answer to this holds, or its first pages."""
        read = await self.of_all_types(ask, "DescribeAlarms", body, Alarms, pages=pages)
        return [row for page in read for row in (*page.metric_alarms, *page.composite_alarms, *page.log_alarms)]

    async def of_all_types(
        self, ask: Ask, operation: str, body: Mapping[str, object], type: type[T], *, pages: int = 0
    ) -> list[T]:
        """All pages of an answer, or the first ones, about alarms of all types that there are."""
        read: list[T] = []
        try:
            async for page in self.pages(ask, operation, {**body, "AlarmTypes": self._types}, type):
                read.append(page)
                if len(read) == pages:
                    break
        except BadAnswer as exc:
            if "LogAlarm" not in self._types or exc.status != 400 or "validation" not in str(exc).lower():
                raise
            self._types.remove("LogAlarm")  # not every partition has these yet
            return await self.of_all_types(ask, operation, body, type, pages=pages)
        return read

    async def _are_there_any(self, ask: Ask, prefix: str, asked: Mapping[str, object]) -> bool:
        now = self.clock.monotonic()
        if now - self._there.get(prefix, float("-inf")) >= KNOWN:
            if not await self.alarms(ask, {**asked, "MaxRecords": 1}, pages=1):
                return False
            self._there[prefix] = now
        return True


class BuildReader(NamedReader):
    """CodeBuild: the newest builds of each project."""

    what = "project"

    def __init__(self, place: Place, wanted: Sequence[str], most: int, clock: Clock) -> None:
        super().__init__(place, wanted, most, clock)
        self._ended: dict[str, dict[str, Any]] = {}

    async def names(self, ask: Ask) -> list[str]:
        body = {"sortBy": "NAME", "sortOrder": "ASCENDING"}
        return [name async for page in self.pages(ask, "ListProjects", body, Projects) for name in page.projects]

    async def read(self, scope: Scope, ask: Ask) -> Part:
        async def read(project: str) -> None:
            rows.add(await self._newest(ask, project))

        rows = Rows("build", BuildRow)
        error = await self.each(ask, read)
        return _with(rows.part(scope, lambda row: build_of(self.place, row)), error)

    async def listed(self, ask: Ask, project: str, token: str = "") -> BuildIds:
        """The ids of a hundred builds, the newest first: that is so unless an order is asked for, and that is refused
        where there are more.
        """
        body = {"projectName": project}
        return await ask("ListBuildsForProject", {**body, "nextToken": token} if token else body, BuildIds)

    async def builds(self, ask: Ask, ids: Sequence[str]) -> list[Any]:
        """The builds with these ids, a hundred at most; those deleted since are not among them."""
        found = await ask("BatchGetBuilds", {"ids": ids}, Builds) if ids else Builds([])
        if len(found.builds) + len(found.builds_not_found or ()) < len(ids):
            raise BadAnswer(f"BatchGetBuilds: only {len(found.builds)} of {len(ids)} builds came")
        return found.builds

    async def lookup(self, name: str, ask: Ask) -> Item | None:
        found = await ask("BatchGetBuilds", {"ids": [name]}, Builds)
        return next((build_of(self.place, row) for row in Rows("build", BuildRow, found.builds).good), None)

    async def _newest(self, ask: Ask, project: str) -> list[Any]:
        wanted = dict.fromkeys((await self.listed(ask, project)).ids[: self.most])
        kept = self._ended.get(project, {})
        found = await self.builds(ask, [number for number in wanted if number not in kept])
        ended = {row["id"]: row for row in found if _is_over(row, "id", "endTime")}
        self._ended[project] = {number: row for number, row in {**kept, **ended}.items() if number in wanted}
        return [*found, *(kept[number] for number in wanted if number in kept)]


class PipelineReader(NamedReader):
    """CodePipeline: the newest executions of each pipeline, and why the newest failed or stands still."""

    what = "pipeline"

    def __init__(self, place: Place, wanted: Sequence[str], most: int, clock: Clock) -> None:
        super().__init__(place, wanted, most, clock)
        self._actions: dict[tuple[str, str, object], list[Action]] = {}

    async def names(self, ask: Ask) -> list[str]:
        pages = self.pages(ask, "ListPipelines", {}, Pipelines)
        return [pipeline.name async for page in pages for pipeline in page.pipelines]

    async def read(self, scope: Scope, ask: Ask) -> Part:
        async def read(pipeline: str) -> None:
            rows = rows_of(await self.listed(ask, pipeline, self.most))
            actions = await self._why(ask, pipeline, rows.good, kept)
            parts.append(rows.part(scope, lambda row: run_of(self.place, pipeline, row, actions.get(_id(row), ()))))

        parts: list[Part] = []
        kept: dict[tuple[str, str, object], list[Action]] = {}
        error = await self.each(ask, read)
        self._actions = kept
        items = {item.key: item for part in parts for item in part.items}
        faults = [part.error for part in parts if isinstance(part.error, SourceError)]
        return _with(scope.part(items.values()), error, *faults)

    async def lookup(self, name: str, ask: Ask) -> Item | None:
        pipeline, _, number = name.rpartition("/")
        for row in rows_of(await self.listed(ask, pipeline, 100)).good:
            if row.pipeline_execution_id == number:
                actions = await self._why(ask, pipeline, [row], {})
                return run_of(self.place, pipeline, row, actions.get(number, ()))
        return None

    async def listed(self, ask: Ask, pipeline: str, most: int, token: str = "") -> Executions:
        """So many executions at most, the newest first."""
        body = {"pipelineName": pipeline, "maxResults": most}
        return await ask("ListPipelineExecutions", {**body, "nextToken": token} if token else body, Executions)

    async def _why(
        self,
        ask: Ask,
        pipeline: str,
        rows: Iterable[Execution],
        kept: dict[tuple[str, str, object], list[Action]],
    ) -> dict[str, list[Action]]:
        """The actions of executions that are on their way, and of the newest that ended if it failed."""
        found: dict[str, list[Action]] = {}
        for row in rows:
            state = meaning(PIPELINE_STATES, row.status)
            if state in ("running", "failed"):
                found[_id(row)] = await self._actions_of(ask, pipeline, row, kept, again=state == "running")
            if state in ("success", "failed"):
                break
        return found

    async def _actions_of(
        self,
        ask: Ask,
        pipeline: str,
        row: Execution,
        kept: dict[tuple[str, str, object], list[Action]],
        *,
        again: bool,
    ) -> list[Action]:
        place = (pipeline, _id(row), str(row.last_update_time))  # a stage that is tried again moves it
        if again or place not in self._actions:
            body = {"pipelineName": pipeline, "filter": {"pipelineExecutionId": _id(row)}, "maxResults": 100}
            try:
                listed = await ask("ListActionExecutions", body, Actions)
            except AuthError:
                return []  # it would only say why
            kept[place] = Rows("action", Action, listed.action_execution_details).good
        else:
            kept[place] = self._actions[place]
        return kept[place]


class DeploymentReader(Reader):
    """CodeDeploy: the deployments of the last days, of all applications."""

    def __init__(self, place: Place, wanted: Sequence[str], most: int, clock: Clock) -> None:
        super().__init__(place, wanted, most, clock)
        self._ended: dict[str, Any] = {}

    async def read(self, scope: Scope, ask: Ask) -> Part:
        since = int((self.clock.now() - timedelta(days=self.most)).timestamp())
        pages = self.pages(ask, "ListDeployments", {"createTimeRange": {"start": since}}, DeploymentIds)
        ids = dict.fromkeys([number async for page in pages for number in page.deployments])
        kept = {number: row for number, row in self._ended.items() if number in ids}
        new = [number for number in ids if number not in kept]
        found = await self.deployments(ask, new)
        before = self.clock.now() - SETTLED
        for row in found:
            if _is_over(row, "deploymentId", "completeTime"):
                ended_at = parse_time(row["completeTime"])
                if ended_at is not None and ended_at < before:
                    kept[row["deploymentId"]] = row
        self._ended = kept
        rows = Rows("deployment", Deployment, [*found, *(row for number, row in kept.items() if number not in new)])
        return rows.part(scope, self.release)

    async def deployments(self, ask: Ask, ids: Sequence[str]) -> list[Any]:
        """The deployments with these ids."""
        found: list[Any] = []
        for start in range(0, len(ids), BATCH):
            body = {"deploymentIds": ids[start : start + BATCH]}
            found += (await ask("BatchGetDeployments", body, Deployments)).deployments_info
        if len(found) < len(ids):
            raise BadAnswer(f"BatchGetDeployments: only {len(found)} of {len(ids)} deployments came")
        return found

    def release(self, row: Deployment) -> Release | None:
        """A deployment of an application that is wanted."""
        return release_of(self.place, row) if self.is_wanted(row.application_name or "") else None

    async def lookup(self, name: str, ask: Ask) -> Item | None:
        found = await ask("BatchGetDeployments", {"deploymentIds": [name]}, Deployments)
        rows = Rows("deployment", Deployment, found.deployments_info).good
        return next((release_of(self.place, row) for row in rows), None)


def rows_of(listed: Executions) -> Rows[Execution]:
    """The executions on a page."""
    return Rows("execution", Execution, listed.pipeline_execution_summaries)


def _with(part: Part, *errors: SourceError | None) -> Part:
    error = next((error for error in errors if error is not None), None)
    return part if error is None else msgspec.structs.replace(part, error=part.error or error)


def _is_over(row: object, number: str, end: str) -> bool:
    """Whether a build or deployment has ended, so that it is what it is."""
    return isinstance(row, dict) and isinstance(row.get(number), str) and parse_time(row.get(end)) is not None


def _id(row: Execution) -> str:
    return row.pipeline_execution_id or ""
