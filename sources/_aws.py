"""AWS' answers as data, and its words as ours.  Pure; `sources.aws` does the reading.

Words from the services' own models, as botocore carries them (cloudwatch 2010-08-01, codebuild 2016-10-06,
codepipeline 2015-07-09, codedeploy 2014-10-06).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

import msgspec

from sources._shared.rows import need, remote_id
from sources._shared.words import meaning
from statusboard.api import Build, BuildState, Incident, IncidentState, Release, ReleaseState, parse_time

NoData = Literal["unknown", "open", "pending"]

#: StateValue of an alarm; INSUFFICIENT_DATA is as the option ``no_data`` says.
ALARM_STATES: Final[Mapping[str, IncidentState]] = {
    "ok": "resolved",
    "alarm": "open",
    "insufficient_data": "unknown",
}
#: ActionsSuppressedBy of a composite alarm: in WaitPeriod its suppressor may yet go off.
SUPPRESSED: Final[Mapping[str, IncidentState]] = {
    "alarm": "suppressed",
    "extensionperiod": "suppressed",
    "waitperiod": "pending",
}
#: buildStatus of CodeBuild.
BUILD_STATES: Final[Mapping[str, BuildState]] = {
    "succeeded": "success",
    "failed": "failed",
    "fault": "failed",
    "timed_out": "failed",
    "in_progress": "running",
    "stopped": "cancelled",
}
#: Its phases before anything runs.
WAITING_PHASES: Final = frozenset({"submitted", "queued"})
#: status of a CodePipeline execution.
PIPELINE_STATES: Final[Mapping[str, BuildState]] = {
    "inprogress": "running",
    "stopping": "running",
    "succeeded": "success",
    "failed": "failed",
    "stopped": "cancelled",
    "cancelled": "cancelled",  # the pipeline was changed meanwhile
    "superseded": "cancelled",  # a newer execution overtook it
}
#: status of a CodeDeploy deployment.
DEPLOYMENT_STATES: Final[Mapping[str, ReleaseState]] = {
    "created": "queued",
    "queued": "queued",
    "inprogress": "running",
    "baking": "running",
    "ready": "blocked",  # waits for traffic to be rerouted
    "succeeded": "success",
    "failed": "failed",
    "stopped": "cancelled",
}
#: creator of a deployment that brings an earlier revision back.
ROLLBACKS: Final = frozenset({"codedeployrollback", "cloudformationrollback"})
#: Codes of errors, which come with status 400 as a rule (botocore's own list of what is throttling).
THROTTLED: Final = frozenset(
    "throttling throttlingexception throttledexception requestthrottled requestthrottledexception "  # noqa: SIM905
    "toomanyrequestsexception requestlimitexceeded limitexceededexception slowdown bandwidthlimitexceeded".split()
)
DENIED: Final = frozenset(
    "accessdenied accessdeniedexception authfailure unrecognizedclientexception invalidclienttokenid "  # noqa: SIM905
    "invalidsignatureexception signaturedoesnotmatch incompletesignature incompletesignatureexception expiredtoken "
    "expiredtokenexception requestexpired missingauthenticationtoken missingauthenticationtokenexception "
    "notauthorized optinrequired".split()
)
MISSING: Final = frozenset(
    "resourcenotfound resourcenotfoundexception pipelinenotfoundexception "  # noqa: SIM905 - read as words
    "pipelineexecutionnotfoundexception applicationdoesnotexistexception deploymentdoesnotexistexception".split()
)

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PULL = re.compile(r"(?:pr|refs/pull|refs/merge-requests)/(\d+)")
_HEAD = re.compile(r"refs/heads/([^^]+)")
#: Sources of a build whose version is no branch.
_NO_BRANCH: Final = frozenset({"CODEPIPELINE", "S3", "NO_SOURCE"})


class Camel(msgspec.Struct, frozen=True, rename="camel"):
    """The Code* services write fields in camelCase, CloudWatch in PascalCase."""


class Dimension(msgspec.Struct, frozen=True, rename="pascal"):
    name: str | None = None
    value: str | None = None


class Alarm(msgspec.Struct, frozen=True, rename="pascal"):
    """A metric, composite or log alarm.  StateUpdatedTimestamp moves without anything new, and is not read."""

    alarm_name: str | None = None
    alarm_arn: str | None = None
    alarm_description: str | None = None
    actions_enabled: bool | None = None
    state_value: str | None = None
    state_reason: str | None = None
    state_transitioned_timestamp: Any = None
    evaluation_state: str | None = None
    namespace: str | None = None
    metric_name: str | None = None
    dimensions: list[Dimension] | None = None
    alarm_rule: str | None = None
    actions_suppressed_by: str | None = None
    actions_suppressed_reason: str | None = None


class PhaseContext(Camel, frozen=True):
    status_code: str | None = None
    message: str | None = None


class Phase(Camel, frozen=True):
    phase_type: str | None = None
    phase_status: str | None = None
    contexts: list[PhaseContext] | None = None


class BuildSource(Camel, frozen=True):
    type: str | None = None
    location: str | None = None


class Logs(Camel, frozen=True):
    deep_link: str | None = None


class BuildRow(Camel, frozen=True):
    """Build of CodeBuild."""

    id: str | None = None
    arn: str | None = None
    build_number: int | None = None
    start_time: Any = None
    end_time: Any = None
    current_phase: str | None = None
    build_status: str | None = None
    build_complete: bool | None = None
    source_version: str | None = None
    resolved_source_version: str | None = None
    project_name: str | None = None
    phases: list[Phase] | None = None
    source: BuildSource | None = None
    logs: Logs | None = None
    initiator: str | None = None


class SourceRevision(Camel, frozen=True):
    action_name: str | None = None
    revision_id: str | None = None
    revision_summary: str | None = None
    revision_url: str | None = None


class Trigger(Camel, frozen=True):
    trigger_type: str | None = None
    trigger_detail: str | None = None


class StopTrigger(Camel, frozen=True):
    reason: str | None = None


class Execution(Camel, frozen=True):
    """PipelineExecutionSummary of CodePipeline."""

    pipeline_execution_id: str | None = None
    status: str | None = None
    status_summary: str | None = None
    start_time: Any = None
    last_update_time: Any = None
    source_revisions: list[SourceRevision] | None = None
    trigger: Trigger | None = None
    stop_trigger: StopTrigger | None = None


class ActionType(Camel, frozen=True):
    category: str | None = None


class ActionInput(Camel, frozen=True):
    action_type_id: ActionType | None = None


class ErrorDetails(Camel, frozen=True):
    message: str | None = None


class ActionResult(Camel, frozen=True):
    external_execution_summary: str | None = None
    external_execution_url: str | None = None
    error_details: ErrorDetails | None = None


class ActionOutput(Camel, frozen=True):
    execution_result: ActionResult | None = None


class Action(Camel, frozen=True):
    """ActionExecutionDetail of CodePipeline; they come newest first."""

    stage_name: str | None = None
    action_name: str | None = None
    status: str | None = None
    input: ActionInput | None = None
    output: ActionOutput | None = None


class S3Location(Camel, frozen=True):
    key: str | None = None
    version: str | None = None


class GitHubLocation(Camel, frozen=True):
    repository: str | None = None
    commit_id: str | None = None


class AppSpec(Camel, frozen=True):
    sha256: str | None = None


class Revision(Camel, frozen=True):
    """RevisionLocation of CodeDeploy."""

    s3_location: S3Location | None = None
    git_hub_location: GitHubLocation | None = None
    string: AppSpec | None = None
    app_spec_content: AppSpec | None = None


class DeployError(Camel, frozen=True):
    code: str | None = None
    message: str | None = None


class RollbackInfo(Camel, frozen=True):
    rollback_deployment_id: str | None = None
    rollback_triggering_deployment_id: str | None = None


class Deployment(Camel, frozen=True):
    """DeploymentInfo of CodeDeploy."""

    deployment_id: str | None = None
    application_name: str | None = None
    deployment_group_name: str | None = None
    status: str | None = None
    create_time: Any = None
    start_time: Any = None
    complete_time: Any = None
    description: str | None = None
    creator: str | None = None
    error_information: DeployError | None = None
    rollback_info: RollbackInfo | None = None
    revision: Revision | None = None
    previous_revision: Revision | None = None
    compute_platform: str | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where items are from, and what the options say of all of them."""

    source: str
    region: str
    default_branch: str = ""
    environments: Mapping[str, str] = {}
    no_data: NoData = "unknown"

    def key(self, kind: str, *names: str) -> str:
        return f"{self.source}:{kind}:{remote_id('/'.join((self.region, *names)))}"

    def console(self, path: str) -> str:
        """A page of the AWS console."""
        domain = next(
            (d for prefix, d in _CONSOLES.items() if self.region.startswith(prefix)), "console.aws.amazon.com"
        )
        return f"https://{self.region}.{domain}/{path}"


_CONSOLES: Final = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}


def incident_of(place: Place, alarm: Alarm, reason: str) -> Incident | None:
    """An alarm that is not OK; ``reason`` is its StateReason, held steady."""
    name = need(alarm.alarm_name, "AlarmName")
    state = meaning(ALARM_STATES, alarm.state_value)
    if state == "resolved":
        return None
    muted = ""
    if (alarm.state_value or "").lower() == "insufficient_data":
        state = place.no_data
    if alarm.actions_suppressed_by and state == "open":
        state = SUPPRESSED.get(alarm.actions_suppressed_by.lower(), state)
        muted = alarm.actions_suppressed_reason or f"suppressed by {alarm.actions_suppressed_by}"
    elif alarm.actions_enabled is False and state != "unknown":
        state, muted = "suppressed", "its actions are disabled"
    dimensions = {row.name: row.value for row in alarm.dimensions or () if row.name and row.value}
    labels = {"namespace": alarm.namespace, "metric": alarm.metric_name, "rule": alarm.alarm_rule, **dimensions}
    since = parse_time(alarm.state_transitioned_timestamp)
    return Incident(
        key=place.key("incident", "cloudwatch", name),
        source=place.source,
        title=name,
        description=alarm.alarm_description or "",
        state=state,
        raw_state="/".join(filter(None, (alarm.state_value, alarm.evaluation_state))),
        reason=reason,
        target=place.region,
        fingerprint=alarm.alarm_arn or "",
        suppressed_by=muted if state == "suppressed" else "",
        url=place.console(f"cloudwatch/home?region={place.region}#alarmsV2:alarm/{quote(name, safe='')}"),
        labels={label: value for label, value in labels.items() if value},
        started_at=since,
        updated_at=since,
    )


def build_of(place: Place, row: BuildRow) -> Build:
    """A build of CodeBuild."""
    number = need(row.id, "id")
    project = row.project_name or number.partition(":")[0]
    state = meaning(BUILD_STATES, row.build_status)
    if state == "running" and (row.current_phase or "").lower() in WAITING_PHASES:
        state = "queued"
    branch, change = _branch(row)
    commit = row.resolved_source_version or ""
    initiator = row.initiator or ""
    by_machine = "/" in initiator  # codepipeline/NAME, GitHub-Hookshot/ID; a person's name has none
    ended_at = parse_time(row.end_time) if state not in ("running", "queued") else None
    account = (row.arn or "").split(":")[4:5]
    page = f"projects/{quote(project)}/build/{quote(number, safe='')}"
    return Build(
        key=place.key("build", "codebuild", number),
        source=place.source,
        title=project,
        state=state,
        raw_state="/".join(filter(None, (row.build_status, row.current_phase if state == "queued" else ""))),
        reason=_failed_phase(row.phases or ()) if state in ("failed", "cancelled") else "",
        pipeline=project,
        run_number=row.build_number,
        branch=branch,
        default_branch=place.default_branch,
        change=change,
        revision=commit if _COMMIT.fullmatch(commit) else "",
        repository=_repository(row.source),
        target=place.region,
        url=place.console(f"codesuite/codebuild/{account[0]}/{page}/?region={place.region}") if account else "",
        links={"log": row.logs.deep_link} if row.logs and row.logs.deep_link else {},
        actor="" if by_machine else initiator,
        trigger=initiator if by_machine else "",
        started_at=parse_time(row.start_time),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def run_of(place: Place, pipeline: str, row: Execution, actions: Iterable[Action]) -> Build:
    """An execution of a pipeline.  ``actions`` are known for those that failed or are on their way."""
    number = need(row.pipeline_execution_id, "pipelineExecutionId")
    state = meaning(PIPELINE_STATES, row.status)
    link, reason = "", ""
    for action in actions:
        category = action.input.action_type_id.category if action.input and action.input.action_type_id else ""
        word = (action.status or "").lower()
        if state == "failed" and word == "failed":
            link, reason = _failed_action(action)
            break
        if state == "running" and word == "inprogress" and (category or "").lower() == "approval":
            state, reason = "blocked", f"waits for approval in {action.stage_name or 'a stage'}"
            break
    if state in ("cancelled", "unknown"):
        stopped = row.stop_trigger.reason if row.stop_trigger else ""
        reason = stopped or row.status_summary or (row.status or "").lower()
    revision = next(iter(row.source_revisions or ()), SourceRevision())
    commit = revision.revision_id or ""
    trigger = row.trigger or Trigger()
    ended_at = parse_time(row.last_update_time) if state not in ("running", "blocked") else None
    page = f"codesuite/codepipeline/pipelines/{quote(pipeline)}/executions/{quote(number)}/timeline"
    links = {"commit": revision.revision_url, "failed action": link}
    return Build(
        key=place.key("build", "codepipeline", pipeline, number),
        source=place.source,
        title=": ".join(filter(None, (pipeline, revision.revision_summary))),
        state=state,
        raw_state=row.status or "",
        reason=reason,
        pipeline=pipeline,
        revision=commit if _COMMIT.fullmatch(commit) else "",
        target=place.region,
        url=place.console(f"{page}?region={place.region}"),
        links={name: url for name, url in links.items() if url},
        actor=_person(trigger.trigger_detail or ""),
        trigger=trigger.trigger_type or "",
        started_at=parse_time(row.start_time),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def release_of(place: Place, row: Deployment) -> Release:
    """A deployment of CodeDeploy; one that succeeds in bringing an earlier revision back is a roll-back."""
    number = need(row.deployment_id, "deploymentId")
    state = meaning(DEPLOYMENT_STATES, row.status)
    undone = row.rollback_info or RollbackInfo()
    if state == "success" and ((row.creator or "").lower() in ROLLBACKS or undone.rollback_triggering_deployment_id):
        state = "rolled_back"
    error = row.error_information or DeployError()
    why = [": ".join(filter(None, (error.code, error.message)))]
    if undone.rollback_deployment_id and undone.rollback_deployment_id != number:
        why.append(f"rolled back by {undone.rollback_deployment_id}")
    group = row.deployment_group_name or ""
    version, commit, repository = _version(row.revision)
    ended_at = parse_time(row.complete_time) if state not in ("queued", "running", "blocked") else None
    page = f"codesuite/codedeploy/deployments/{quote(number)}?region={place.region}"
    matching = (env for pattern, env in place.environments.items() if fnmatchcase(group, pattern))
    labels = {"deployment_group": group, "platform": row.compute_platform or ""}
    return Release(
        key=place.key("release", "codedeploy", number),
        source=place.source,
        title=" ".join(filter(None, (row.application_name, version[:12] if commit else version))) or number,
        description=row.description or "",
        state=state,
        raw_state=row.status or "",
        reason="; ".join(filter(None, why)) if state != "success" else "",
        services=(row.application_name,) if row.application_name else (),
        environment=next(matching, ""),
        target="/".join(filter(None, (place.region, group))),
        version=version,
        revision=commit,
        previous_version=_version(row.previous_revision)[0],
        repository=repository,
        url=place.console(page),
        labels={label: value for label, value in labels.items() if value},
        trigger=row.creator or "",
        started_at=parse_time(row.create_time),
        updated_at=ended_at,
        ended_at=ended_at,
    )


def _branch(row: BuildRow) -> tuple[str, str]:
    """Branch and pull request of a build.

    sourceVersion is ``pr/12``, ``refs/heads/main^{commit}``, a branch, a tag or a commit, as its project has it.
    """
    version = row.source_version or ""
    if change := _PULL.match(version):
        return "", change[1]
    if head := _HEAD.match(version):
        return head[1], ""
    kind = (row.source.type if row.source else "") or ""
    plain = not (version.startswith(("refs/", "arn:")) or _COMMIT.fullmatch(version))
    return (version if plain and kind.upper() not in _NO_BRANCH else ""), ""


def _repository(source: BuildSource | None) -> str:
    location = (source.location if source else "") or ""
    if "://" not in location:
        return ""
    try:
        path = urlsplit(location).path
    except ValueError:
        return ""
    return path.strip("/").removesuffix(".git").removeprefix("v1/repos/")


def _failed_phase(phases: Iterable[Phase]) -> str:
    for phase in phases:
        if (phase.phase_status or "").lower() not in ("", "succeeded", "in_progress"):
            said = next((context.message for context in phase.contexts or () if context.message), "")
            return ": ".join(filter(None, (phase.phase_type, said or phase.phase_status)))
    return ""


def _failed_action(action: Action) -> tuple[str, str]:
    result = (action.output.execution_result if action.output else None) or ActionResult()
    said = (result.error_details.message if result.error_details else "") or result.external_execution_summary
    return result.external_execution_url or "", ": ".join(filter(None, (action.stage_name, action.action_name, said)))


def _person(detail: str) -> str:
    """The name at the end of a user's or role's ARN."""
    return detail.rpartition("/")[2] if detail.startswith("arn:") and (":iam:" in detail or ":sts:" in detail) else ""


def _version(revision: Revision | None) -> tuple[str, str, str]:
    """Version, commit and repository of what is deployed."""
    if revision is None:
        return "", "", ""
    if git := revision.git_hub_location:
        commit = git.commit_id or ""
        return commit, commit if _COMMIT.fullmatch(commit) else "", git.repository or ""
    if s3 := revision.s3_location:
        return "@".join(filter(None, ((s3.key or "").rpartition("/")[2], s3.version))), "", ""
    content = revision.app_spec_content or revision.string or AppSpec()
    return (content.sha256 or "")[:12], "", ""
