"""The shapes in which GitHub's REST API shows runs, deployments, releases and issues."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from statusboard.demo.acts import stamp as time
from statusboard.demo.names import HOSTING, ORGANISATION
from statusboard.demo.records import Build, BuildState, Deployment, Publication, Service, Ticket

__all__ = [
    "RUN_STATES",
    "View",
    "deployment",
    "deployment_status",
    "issue",
    "jobs",
    "release",
    "repository",
    "run",
    "time",
]

Json = dict[str, object]

RUN_STATES: dict[BuildState, tuple[str, str | None]] = {
    "queued": ("queued", None),
    "blocked": ("waiting", None),
    "running": ("in_progress", None),
    "success": ("completed", "success"),
    "warning": ("completed", "neutral"),
    "failed": ("completed", "failure"),
    "timed_out": ("completed", "timed_out"),
    "cancelled": ("completed", "cancelled"),
    "skipped": ("completed", "skipped"),
    "exception": ("completed", "startup_failure"),
}
"""``status`` and ``conclusion`` of a run."""

JOBS = ("lint", "unit", "integration", "package")


@dataclass(frozen=True, slots=True)
class View:
    """A repository as it is seen at ``base``, the address of the API."""

    service: Service
    base: str

    @property
    def api(self) -> str:
        return f"{self.base}/repos/{self.service.repo}"

    @property
    def html(self) -> str:
        return self.service.url


def _node(kind: str, number: int) -> str:
    return b64encode(f"{kind}:{number}".encode()).decode().rstrip("=")


def user(login: str) -> Json:
    """A person, or an application whose login ends in ``[bot]``."""
    number = sum(ord(char) * 31**index for index, char in enumerate(login)) % 90_000_000 + 1_000_000
    robot = login.endswith("[bot]")
    return {
        "login": login,
        "id": number,
        "node_id": _node("User", number),
        "avatar_url": f"https://avatars.github.example/u/{number}?v=4",
        "html_url": f"{HOSTING}/apps/{login.removesuffix('[bot]')}" if robot else f"{HOSTING}/{login}",
        "type": "Bot" if robot else "User",
        "site_admin": False,
    }


def _short_repository(view: View, owner: str) -> Json:
    """A repository as runs name it; of another ``owner`` than the organisation, it is that owner's fork."""
    service, fork = view.service, owner != ORGANISATION
    number = service.repo_id + 500_000_000 if fork else service.repo_id
    return {
        "id": number,
        "node_id": _node("Repository", number),
        "name": service.name,
        "full_name": f"{owner}/{service.name}",
        "private": not fork,
        "owner": user(owner) | ({} if fork else {"type": "Organization"}),
        "html_url": f"{HOSTING}/{owner}/{service.name}",
        "description": f"The {service.name} service",
        "fork": fork,
        "url": f"{view.base}/repos/{owner}/{service.name}",
    }


def repository(view: View) -> Json:
    """The repository itself, which alone tells its default branch."""
    waiting = sum(ticket.closed is None for ticket in view.service.issues)
    return _short_repository(view, ORGANISATION) | {
        "default_branch": "main",
        "archived": False,
        "disabled": False,
        "visibility": "private",
        "has_issues": True,
        "open_issues_count": waiting,
        "topics": [view.service.team],
    }


def run(view: View, build: Build, *, pulls: bool = True) -> Json:
    """A workflow run; ``pulls`` is whether it names its pull requests."""
    status, conclusion = RUN_STATES[build.state]
    file = f"{build.pipeline.lower()}.yml"
    workflow = 40_000_000 + view.service.repo_id + len(build.pipeline)
    url = f"{view.api}/actions/runs/{build.id}"
    suite = build.id + 9_000_000_000
    return {
        "id": build.id,
        "name": build.pipeline,
        "node_id": _node("WorkflowRun", build.id),
        "head_branch": build.branch,
        "head_sha": build.sha,
        "path": f".github/workflows/{file}",
        "display_title": build.title,
        "run_number": build.number,
        "event": build.event,
        "status": status,
        "conclusion": conclusion,
        "workflow_id": workflow,
        "check_suite_id": suite,
        "check_suite_node_id": _node("CheckSuite", suite),
        "url": url,
        "html_url": f"{view.html}/actions/runs/{build.id}",
        "pull_requests": _pull_requests(view, build) if pulls else [],
        "created_at": time(build.created),
        "updated_at": time(build.updated),
        "actor": user(build.actor),
        "run_attempt": build.attempt,
        "referenced_workflows": [],
        "run_started_at": time(build.asked),
        "triggering_actor": user(build.actor),
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{view.api}/check-suites/{suite}",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{build.attempt - 1}" if build.attempt > 1 else None,
        "workflow_url": f"{view.api}/actions/workflows/{workflow}",
        "head_commit": {
            "id": build.sha,
            "tree_id": build.sha[::-1],
            "message": build.title,
            "timestamp": time(build.created),
            "author": {"name": build.actor, "email": f"{build.actor}@acme.example"},
            "committer": {"name": build.actor, "email": f"{build.actor}@acme.example"},
        },
        "repository": _short_repository(view, ORGANISATION),
        "head_repository": _short_repository(view, build.fork or ORGANISATION),
    }


def _pull_requests(view: View, build: Build) -> list[Json]:
    """GitHub names none for the run of a fork's branch."""
    if not build.change or build.fork:
        return []
    repo = {"id": view.service.repo_id, "url": view.api, "name": view.service.name}
    return [
        {
            "url": f"{view.api}/pulls/{build.change}",
            "id": view.service.repo_id + build.change,
            "number": build.change,
            "head": {"ref": build.branch, "sha": build.sha, "repo": repo},
            "base": {"ref": "main", "sha": build.sha[::-1], "repo": repo},
        }
    ]


def jobs(view: View, build: Build) -> Json:
    """The jobs of the newest attempt of a run: where the run failed, ``unit`` did, and what follows was skipped."""
    status, conclusion = RUN_STATES[build.state]
    failed = conclusion in ("failure", "timed_out")
    rows: list[Json] = []
    for index, name in enumerate(JOBS):
        result = conclusion
        if failed:
            result = ("success", conclusion, "skipped", "skipped")[index]
        number = build.id * 10 + index
        rows.append(
            {
                "id": number,
                "run_id": build.id,
                "run_url": f"{view.api}/actions/runs/{build.id}",
                "run_attempt": build.attempt,
                "node_id": _node("CheckRun", number),
                "head_sha": build.sha,
                "head_branch": build.branch,
                "url": f"{view.api}/actions/jobs/{number}",
                "html_url": f"{view.html}/actions/runs/{build.id}/job/{number}",
                "status": status,
                "conclusion": result,
                "created_at": time(build.asked),
                "started_at": time(build.started or build.asked),
                "completed_at": None if build.ended is None else time(build.ended),
                "name": name,
                "workflow_name": build.pipeline,
                "steps": [],
                "labels": ["ubuntu-latest"],
                "runner_name": "runner-1",
            }
        )
    return {"total_count": len(rows), "jobs": rows}


def deployment(view: View, deployment: Deployment) -> Json:
    """A deployment, which does not tell its state: that is in its statuses."""
    url = f"{view.api}/deployments/{deployment.id}"
    back = deployment.task == "rollback"
    what = "Roll back to" if back else "Deploy"
    return {
        "url": url,
        "id": deployment.id,
        "node_id": _node("Deployment", deployment.id),
        "task": deployment.task,
        "original_environment": deployment.environment,
        "environment": deployment.environment,
        "description": f"{what} {deployment.version}",
        "created_at": time(deployment.created),
        "updated_at": time(deployment.updated),
        "statuses_url": f"{url}/statuses",
        "repository_url": view.api,
        "creator": user(deployment.actor),
        "sha": deployment.sha,
        "ref": deployment.version,
        "payload": {"version": deployment.version, "previous_version": deployment.previous},
        "transient_environment": False,
        "production_environment": deployment.environment == "production",
        "performed_via_github_app": None,
    }


def deployment_status(view: View, deployment: Deployment, status: tuple[float, str, int]) -> Json:
    """One of the states that a deployment has had."""
    when, state, number = status
    url = f"{view.api}/deployments/{deployment.id}"
    page = f"{view.html}/deployments/{deployment.environment}"
    return {
        "url": f"{url}/statuses/{number}",
        "id": number,
        "node_id": _node("DeploymentStatus", number),
        "state": state,
        "creator": user(deployment.actor),
        "description": "The health check of the new version did not pass" if state == "failure" else "",
        "environment": deployment.environment,
        "target_url": page,
        "created_at": time(when),
        "updated_at": time(when),
        "deployment_url": url,
        "repository_url": view.api,
        "environment_url": f"https://{view.service.name}.{deployment.environment}.acme.example",
        "log_url": page,
        "performed_via_github_app": None,
    }


def release(view: View, publication: Publication) -> Json:
    """A published release (or a draft of one)."""
    url = f"{view.api}/releases/{publication.id}"
    tag = publication.version
    return {
        "url": url,
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "html_url": f"{view.html}/releases/tag/{tag}",
        "id": publication.id,
        "author": user(publication.author),
        "node_id": _node("Release", publication.id),
        "tag_name": tag,
        "target_commitish": "main",
        "name": f"{view.service.name} {tag.removeprefix('v')}",
        "draft": publication.draft,
        "immutable": False,
        "prerelease": publication.prerelease,
        "created_at": time(publication.created),
        "updated_at": time(publication.created),
        "published_at": None if publication.draft else time(publication.created),
        "assets": [],
        "tarball_url": None if publication.draft else f"{view.api}/tarball/{tag}",
        "zipball_url": None if publication.draft else f"{view.api}/zipball/{tag}",
        "body": publication.body,
    }


def issue(view: View, ticket: Ticket) -> Json:
    """An issue; a pull request is one with the key ``pull_request``."""
    kind = "pull" if ticket.pull else "issues"
    url = f"{view.api}/issues/{ticket.number}"
    number = ticket.id + 2_600_000_000
    shown: Json = {
        "url": url,
        "repository_url": view.api,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{view.html}/{kind}/{ticket.number}",
        "id": number,
        "node_id": _node("PullRequest" if ticket.pull else "Issue", number),
        "number": ticket.number,
        "title": ticket.title,
        "user": user(ticket.creator),
        "labels": [_label(view, label) for label in ticket.labels],
        "state": ticket.status,
        "locked": False,
        "assignee": user(ticket.assignee) if ticket.assignee else None,
        "assignees": [user(ticket.assignee)] if ticket.assignee else [],
        "milestone": None,
        "comments": 0,
        "created_at": time(ticket.created),
        "updated_at": time(ticket.updated),
        "closed_at": None if ticket.closed is None else time(ticket.closed),
        "author_association": "MEMBER",
        "active_lock_reason": None,
        "body": ticket.body or None,
        "closed_by": user(ticket.actor) if ticket.closed is not None else None,
        "reactions": {"url": f"{url}/reactions", "total_count": 0},
        "timeline_url": f"{url}/timeline",
        "performed_via_github_app": None,
        "state_reason": "completed" if ticket.closed is not None and not ticket.pull else None,
    }
    if ticket.pull:
        page = f"{view.html}/pull/{ticket.number}"
        shown["draft"] = False
        shown["pull_request"] = {
            "url": f"{view.api}/pulls/{ticket.number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": None if ticket.closed is None else time(ticket.closed),
        }
    return shown


def _label(view: View, name: str) -> Json:
    number = sum(map(ord, name)) + 300_000
    return {
        "id": number,
        "node_id": _node("Label", number),
        "url": f"{view.api}/labels/{name}",
        "name": name,
        "color": "d73a4a" if name in ("bug", "incident") else "a2eeef",
        "default": name == "bug",
        "description": None,
    }
