"""CI systems: what each answers when it is asked for builds, in its documented shape."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import quoteattr

from tests.bench import decoding
from tests.real.vendors.shape import ITEMS, Place, Request, Vendor, deed, failed, login, person

# -- GitHub: docs.github.com/en/rest/actions/workflow-runs


def _github(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["repos", "acme", _]:
            return {**decoding.repository(), "full_name": f"acme/{place.name}", "default_branch": "main"}
        case ["repos", "acme", _, "actions", "runs"]:
            runs = [_github_run(place, n) for n in range(ask.number("per_page", 30))]
            return {"total_count": 4321, "workflow_runs": runs}
    return None


def _github_run(place: Place, n: int) -> dict[str, Any]:
    """As large as GitHub's are: 15 kB."""
    number = place.id(n)
    return {
        **decoding.run(number),
        "event": "push",
        "pull_requests": [],
        "name": f"CI {place.name}",
        "display_title": deed(n),
        "run_number": number % 1000,
        "run_attempt": 1,
        "head_branch": "main",
        "head_sha": place.sha(n),
        "html_url": f"https://github.example/acme/{place.name}/actions/runs/{number}",
        "status": "completed",
        "conclusion": "failure" if failed(n) else "success",
        "created_at": place.iso(n),
        "run_started_at": place.iso(n),
        "updated_at": place.iso(n, 5),
    }


# -- GitLab: docs.gitlab.com/api/pipelines


def _gitlab(place: Place, ask: Request) -> Any:
    match ask.parts[2:]:
        case ["projects", _]:
            return {
                "id": place.number,
                "path_with_namespace": f"acme/{place.name}",
                "default_branch": "main",
                "web_url": f"https://gitlab.example/acme/{place.name}",
                "builds_access_level": "enabled",
            }
        case ["projects", _, "pipelines"]:
            details = ("started_at", "finished_at", "user", "yaml_errors", "detailed_status")
            rows = [_gitlab_pipeline(place, n) for n in range(ask.number("per_page", 20))]
            return [{name: value for name, value in row.items() if name not in details} for row in rows]
        case ["projects", _, "pipelines", number]:
            return _gitlab_pipeline(place, ITEMS - int(number) % 1_000_000)
        case ["projects", _, "pipelines", _, "jobs"]:
            return [{"id": 1, "name": "unit", "allow_failure": False, "stage": "test", "status": "failed"}]
    return None


def _gitlab_pipeline(place: Place, n: int) -> dict[str, Any]:
    number = place.id(n)
    status = "failed" if failed(n) else "success"
    return {
        "id": number,
        "iid": ITEMS - n,
        "project_id": place.number,
        "name": None,
        "status": status,
        "source": "push",
        "ref": "main",
        "sha": place.sha(n),
        "before_sha": "0" * 40,
        "tag": False,
        "web_url": f"https://gitlab.example/acme/{place.name}/-/pipelines/{number}",
        "created_at": place.iso(n),
        "updated_at": place.iso(n, 6),
        "started_at": place.iso(n, 1),
        "finished_at": place.iso(n, 6),
        "yaml_errors": None,
        "user": {"id": n, "username": login(n), "name": person(n), "state": "active", "avatar_url": None},
        "detailed_status": {"icon": f"status_{status}", "text": status, "label": status, "group": status},
    }


# -- Jenkins: <server>/api; 20 jobs with 5 builds each


def _jenkins(place: Place, ask: Request) -> Any:
    root = f"https://jenkins.example/job/{place.name}"
    kind = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
    jobs: list[dict[str, Any]] = [
        {
            "_class": kind,
            "name": f"{place.name}-{j}",
            "fullName": f"{place.name}-{j}",
            "url": f"{root}-{j}/",
            "color": "red" if failed(5 * j) else "blue",
            "buildable": True,
            "disabled": False,
            "queueItem": None,
            "actions": [{}],
            "builds": [_jenkins_build(place, 5 * j + b, f"{root}-{j}", 5 - b) for b in range(5)],
        }
        for j in range(20)
    ]
    if ask.path == "/api/json":
        return {"_class": "hudson.model.Hudson", "jobs": jobs}
    return None


def _jenkins_build(place: Place, n: int, job: str, number: int) -> dict[str, Any]:
    revision = {"SHA1": place.sha(n), "branch": [{"SHA1": place.sha(n), "name": "refs/remotes/origin/main"}]}
    cause = {"_class": "hudson.model.Cause$UserIdCause", "shortDescription": "Started", "userId": login(n)}
    return {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "number": number,
        "url": f"{job}/{number}/",
        "result": "FAILURE" if failed(n) else "SUCCESS",
        "building": False,
        "timestamp": place.unix(n) * 1000,
        "duration": 240_000,
        "displayName": f"#{number}",
        "description": None,
        "actions": [
            {"_class": "hudson.model.CauseAction", "causes": [cause]},
            {},
            {
                "_class": "hudson.plugins.git.util.BuildData",
                "lastBuiltRevision": revision,
                "remoteUrls": [f"git@git.example:acme/{place.name}.git"],
            },
        ],
    }


# -- Buildkite: buildkite.com/docs/apis/rest-api/builds


def _buildkite(place: Place, ask: Request) -> Any:
    match ask.parts:
        case ["v2", "organizations", "acme", "builds"]:
            return [_buildkite_build(place, n) for n in range(ask.number("per_page", 30))]
    return None


def _buildkite_build(place: Place, n: int) -> dict[str, Any]:
    number = place.id(n) % 1_000_000
    api, page = "https://api.buildkite.com/v2/organizations/acme/pipelines", "https://buildkite.com/acme"
    return {
        "id": f"0190-{place.number:04}-{n:04}",
        "graphql_id": "QnVpbGQtLS0x",
        "url": f"{api}/{place.name}/builds/{number}",
        "web_url": f"{page}/{place.name}/builds/{number}",
        "number": number,
        "state": "failed" if failed(n) else "passed",
        "blocked": False,
        "cancel_reason": None,
        "message": f"{deed(n)}\n\nWhy, and what else was tried.",
        "commit": place.sha(n),
        "branch": "main",
        "env": {},
        "source": "webhook",
        "creator": {"id": f"u{n}", "name": person(n), "email": f"{login(n)}@acme.example", "avatar_url": "x"},
        "author": {"username": login(n), "name": person(n), "email": f"{login(n)}@acme.example"},
        "created_at": place.iso(n),
        "scheduled_at": place.iso(n),
        "started_at": place.iso(n, 1),
        "finished_at": place.iso(n, 4),
        "meta_data": {},
        "pull_request": None,
        "rebuilt_from": None,
        "pipeline": {
            "id": f"p-{place.number}",
            "url": f"{api}/{place.name}",
            "web_url": f"{page}/{place.name}",
            "name": place.name.title(),
            "slug": place.name,
            "repository": f"git@github.com:acme/{place.name}.git",
            "default_branch": "main",
            "provider": {"id": "github", "webhook_url": "https://webhook.example/x"},
            "builds_url": f"{api}/{place.name}/builds",
            "steps": [{"type": "script", "name": "Test", "command": "make test"}],
        },
    }


# -- CircleCI: circleci.com/docs/api/v2; 20 pipelines with 5 workflows each


def _circleci(place: Place, ask: Request) -> Any:
    slug = f"gh/acme/{place.name}"
    match ask.parts[2:]:
        case ["project", "gh", "acme", _, "pipeline"]:
            return {"items": [_circleci_pipeline(place, p, slug) for p in range(20)], "next_page_token": None}
        case ["project", "gh", "acme", _]:
            vcs = {"provider": "GitHub", "default_branch": "main", "vcs_url": f"https://github.com/acme/{place.name}"}
            return {"slug": slug, "name": place.name, "id": _uuid(place, 0), "organization_name": "acme"} | {
                "vcs_info": vcs
            }
        case ["pipeline", key, "workflow"]:
            p = int(key[:8])
            return {"items": [_circleci_workflow(place, 5 * p + w, p, slug) for w in range(5)], "next_page_token": None}
    return None


def _uuid(place: Place, n: int) -> str:
    return f"{n:08d}-{place.number:04d}-4000-8000-{'0' * 12}"


def _circleci_pipeline(place: Place, p: int, slug: str) -> dict[str, Any]:
    url = f"https://github.com/acme/{place.name}"
    return {
        "id": _uuid(place, p),
        "errors": [],
        "project_slug": slug,
        "updated_at": place.iso(5 * p),
        "number": ITEMS - p,
        "state": "created",
        "created_at": place.iso(5 * p),
        "trigger": {
            "type": "webhook",
            "received_at": place.iso(5 * p),
            "actor": {"login": login(p), "avatar_url": None},
        },
        "vcs": {
            "provider_name": "GitHub",
            "origin_repository_url": url,
            "target_repository_url": url,
            "revision": place.sha(p),
            "branch": "main",
            "commit": {"subject": deed(p), "body": "Why, and what else was tried."},
        },
    }


def _circleci_workflow(place: Place, n: int, p: int, slug: str) -> dict[str, Any]:
    return {
        "pipeline_id": _uuid(place, p),
        "id": _uuid(place, 1000 + n),
        "name": f"workflow-{n % 5}",
        "project_slug": slug,
        "status": "success",
        "started_by": _uuid(place, 1),
        "pipeline_number": ITEMS - p,
        "created_at": place.iso(5 * p, 1),
        "stopped_at": place.iso(5 * p, 4),
    }


# -- Azure DevOps: learn.microsoft.com/rest/api/azure/devops/build


def _azure(place: Place, ask: Request) -> Any:
    match ask.parts[3:]:
        case ["build", "builds"]:
            return _listed([_azure_run(place, n) for n in range(ITEMS)])
        case ["build", "definitions"]:
            numbers = ask.one("definitionIds").split(",")
            return _listed([{"id": int(n), "repository": {"defaultBranch": "refs/heads/main"}} for n in numbers])
    return None


def _listed(rows: list[Any]) -> dict[str, Any]:
    return {"count": len(rows), "value": rows}


def _azure_run(place: Place, n: int) -> dict[str, Any]:
    number = place.id(n)
    page = "https://dev.azure.example/acme/Shop"
    who = {"displayName": person(n), "uniqueName": f"{login(n)}@acme.example", "id": f"{n:032x}", "imageUrl": "x"}
    return {
        "_links": {"self": {"href": f"{page}/_apis/build/Builds/{number}"}, "web": {"href": f"{page}/b?id={number}"}},
        "properties": {},
        "tags": [],
        "validationResults": [],
        "plans": [{"planId": f"{n:032x}"}],
        "triggerInfo": {"ci.sourceBranch": "refs/heads/main", "ci.message": deed(n)},
        "id": number,
        "buildNumber": f"20260102.{number}",
        "status": "completed",
        "result": "failed" if failed(n) else "succeeded",
        "queueTime": place.iso(n),
        "startTime": place.iso(n, 1),
        "finishTime": place.iso(n, 5),
        "url": f"{page}/_apis/build/Builds/{number}",
        "definition": {"id": 7, "name": f"{place.name}-ci", "path": "\\web", "type": "build", "queueStatus": "enabled"},
        "buildNumberRevision": 1,
        "project": {"id": "p", "name": "Shop", "state": "wellFormed", "visibility": "private"},
        "sourceBranch": "refs/heads/main",
        "sourceVersion": place.sha(n),
        "queue": {"id": 1, "name": "Azure Pipelines", "pool": {"id": 1, "name": "Azure Pipelines", "isHosted": True}},
        "priority": "normal",
        "reason": "individualCI",
        "requestedFor": who,
        "requestedBy": who,
        "lastChangedDate": place.iso(n, 5),
        "logs": {"id": 0, "type": "Container", "url": f"{page}/_apis/build/builds/{number}/logs"},
        "repository": {"id": "8f1a", "type": "TfsGit", "name": place.name, "clean": None, "checkoutSubmodules": False},
        "retainedByRelease": False,
        "triggeredByBuild": None,
    }


# -- TeamCity: jetbrains.com/help/teamcity/rest


def _teamcity(place: Place, ask: Request) -> Any:
    path = ask.path.removeprefix("/guestAuth").removeprefix("/app/rest")
    locator = ask.one("locator")
    if path == "/builds":
        count = int((re.findall(r"count:(\d+)", locator) or ["100"])[0])
        rows = [] if "queued:true" in locator else [_teamcity_build(place, n) for n in range(min(count, ITEMS))]
        return {"count": len(rows), "build": rows}
    if path == "/buildTypes":
        builds = [_teamcity_build(place, n) for n in range(3)]
        row = {"id": "Shop_Build", "paused": False, "builds": {"count": len(builds), "build": builds}}
        return {"count": 1, "buildType": [row]}
    return None


def _teamcity_build(place: Place, n: int) -> dict[str, Any]:
    def when(minutes: float) -> str:
        return place.at(n, minutes).strftime("%Y%m%dT%H%M%S+0000")

    number = place.id(n)
    return {
        "id": number,
        "number": str(number % 1_000_000),
        "state": "finished",
        "status": "FAILURE" if failed(n) else "SUCCESS",
        "statusText": "Tests failed: 2, passed: 30" if failed(n) else "Tests passed: 32",
        "branchName": "main",
        "defaultBranch": True,
        "personal": False,
        "composite": False,
        "failedToStart": False,
        "webUrl": f"https://teamcity.example/viewLog.html?buildId={number}",
        "buildTypeId": "Shop_Build",
        "buildType": {"name": "Build", "projectName": place.name},
        "triggered": {"type": "user", "user": {"name": person(n), "username": login(n)}},
        "revisions": {"revision": [{"version": place.sha(n), "vcsBranchName": "refs/heads/main"}]},
        "tags": {"tag": []},
        "queuedDate": when(0),
        "startDate": when(1),
        "finishDate": when(5),
    }


# -- Gitea: /api/swagger of a server; 50 runs and 50 issues


def _gitea(place: Place, ask: Request) -> Any:
    match ask.parts[2:]:
        case ["repos", "acme", _]:
            return _gitea_repository(place)
        case ["repos", "acme", _, "actions", "runs"]:
            return {"workflow_runs": [_gitea_run(place, n) for n in range(50)], "total_count": 50}
        case ["repos", "acme", _, "issues"]:
            return [_gitea_issue(place, n) for n in range(50)]
    return None


def _gitea_repository(place: Place) -> dict[str, Any]:
    return {
        "id": place.number,
        "full_name": f"acme/{place.name}",
        "default_branch": "main",
        "archived": False,
        "has_actions": True,
        "has_issues": True,
        "has_releases": True,
    }


def _gitea_user(n: int) -> dict[str, Any]:
    return {"id": n, "login": login(n), "full_name": person(n), "avatar_url": "x", "email": f"{login(n)}@acme.example"}


def _gitea_run(place: Place, n: int) -> dict[str, Any]:
    number = place.id(n)
    return {
        "id": number,
        "url": f"https://git.example/api/v1/repos/acme/{place.name}/actions/runs/{number}",
        "html_url": f"https://git.example/acme/{place.name}/actions/runs/{number}",
        "display_title": deed(n),
        "path": "ci.yml@refs/heads/main",
        "event": "push",
        "run_attempt": 1,
        "run_number": number % 1_000_000,
        "repository_id": place.number,
        "head_sha": place.sha(n),
        "head_branch": "main",
        "status": "completed",
        "conclusion": "failure" if failed(n) else "success",
        "started_at": place.iso(n),
        "completed_at": place.iso(n, 3),
        "actor": _gitea_user(n),
        "trigger_actor": _gitea_user(n),
        "repository": _gitea_repository(place),
    }


def _gitea_issue(place: Place, n: int) -> dict[str, Any]:
    return {
        "id": place.id(n),
        "number": ITEMS - n,
        "title": deed(n),
        "body": "What is to be done, and why.",
        "state": "open",
        "html_url": f"https://git.example/acme/{place.name}/issues/{ITEMS - n}",
        "user": _gitea_user(n),
        "assignees": [_gitea_user(n + 1)],
        "labels": [{"id": 1, "name": "Kind/Bug", "exclusive": False, "color": "ee0701"}],
        "pull_request": None,
        "repository": {"id": place.number, "full_name": f"acme/{place.name}"},
        "created_at": place.iso(n),
        "updated_at": place.iso(n, 9),
        "closed_at": None,
    }


# -- Drone and Woodpecker: docs.drone.io/api, woodpecker-ci.org; 2 repositories with 50 builds each


def _drone(place: Place, ask: Request) -> Any:
    match ask.parts[2:]:
        case ["acme", name]:
            return {"id": 1, "slug": f"acme/{name}", "default_branch": "main", "active": True}
        case ["acme", name, "builds"]:
            return [_drone_build(place, n, name) for n in range(ask.number("per_page", 25))]
    return None


def _drone_build(place: Place, n: int, name: str) -> dict[str, Any]:
    return {
        "id": place.id(n),
        "repo_id": 1,
        "trigger": "@hook",
        "number": ITEMS - n,
        "status": "failure" if failed(n) else "success",
        "event": "push",
        "action": "",
        "link": f"https://git.example/acme/{name}/commit/{place.sha(n)}",
        "timestamp": 0,
        "message": f"{deed(n)}\n",
        "before": place.sha(n + 1),
        "after": place.sha(n),
        "ref": "refs/heads/main",
        "source_repo": "",
        "source": "main",
        "target": "main",
        "author_login": login(n),
        "author_name": person(n),
        "author_email": f"{login(n)}@acme.example",
        "author_avatar": "https://avatars.example/x",
        "sender": login(n),
        "started": place.unix(n, 1),
        "finished": place.unix(n, 4),
        "created": place.unix(n),
        "updated": place.unix(n, 4),
        "version": 3,
    }


def _woodpecker(place: Place, ask: Request) -> Any:
    match ask.parts[2:]:
        case ["lookup", "acme", name]:
            return {"id": int(name[-1]), "full_name": f"acme/{name}", "default_branch": "main", "active": True}
        case [repo, "pipelines"]:
            return [_woodpecker_pipeline(place, n, f"{place.name}-{repo}") for n in range(ask.number("perPage", 50))]
    return None


def _woodpecker_pipeline(place: Place, n: int, name: str) -> dict[str, Any]:
    return {
        "id": place.id(n),
        "number": ITEMS - n,
        "author": login(n),
        "author_avatar": "https://avatars.example/x",
        "author_email": f"{login(n)}@acme.example",
        "parent": 0,
        "event": "push",
        "event_reason": [""],
        "status": "failure" if failed(n) else "success",
        "errors": None,
        "created": place.unix(n),
        "updated": place.unix(n, 4),
        "started": place.unix(n, 1),
        "finished": place.unix(n, 4),
        "deploy_to": "",
        "deploy_task": "",
        "commit": place.sha(n),
        "branch": "main",
        "rerun_count": 0,
        "ref": "refs/heads/main",
        "refspec": "",
        "forge_url": f"https://git.example/acme/{name}/commit/{place.sha(n)}",
        "reviewed_by": "",
        "title": "",
        "message": f"{deed(n)}\n",
        "sender": login(n),
        "changed_files": ["src/till.py"],
        "variables": {},
        "version": "3.17.0",
    }


def _pair(place: Place) -> list[str]:
    return [f"acme/{place.name}-{n}" for n in (1, 2)]


# -- CCTray: cctray.org/v1


def _cctray(place: Place, ask: Request) -> bytes:
    rows = [
        {
            "name": f"{place.name} {n:02}",
            "activity": "Sleeping",
            "lastBuildStatus": "Failure" if failed(n) else "Success",
            "lastBuildLabel": str(place.id(n)),
            "lastBuildTime": place.iso(n),
            "webUrl": f"https://go.example/go/pipelines/{place.name}-{n}",
        }
        for n in range(ITEMS)
    ]
    told = (f"<Project {' '.join(f'{name}={quoteattr(value)}' for name, value in row.items())}/>" for row in rows)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Projects>{"".join(told)}</Projects>'.encode()


# -- Buildbot: docs.buildbot.net, developer/rest


def _buildbot(place: Place, ask: Request) -> Any:
    match ask.parts[2:]:
        case ["builders"]:
            return {"builders": [{"builderid": 1, "name": place.name, "tags": ["ci"], "masterids": [1]}]}
        case ["builds"]:
            rows = [] if ask.one("complete") == "false" else [_buildbot_build(place, n) for n in range(ITEMS)]
            return {"builds": rows, "meta": {"total": len(rows)}}
        case ["buildrequests"]:
            return {"buildrequests": [], "meta": {"total": 0}}
    return None


def _buildbot_build(place: Place, n: int) -> dict[str, Any]:
    number = place.id(n)
    return {
        "builderid": 1,
        "buildid": number,
        "buildrequestid": number,
        "complete": True,
        "complete_at": place.unix(n, 4),
        "locks_duration_s": 0,
        "masterid": 1,
        "number": ITEMS - n,
        "results": 2 if failed(n) else 0,
        "started_at": place.unix(n),
        "state_string": "failed 'make test'" if failed(n) else "build successful",
        "workerid": 3,
        "properties": {
            "branch": ["main", "Build"],
            "got_revision": [place.sha(n), "Git"],
            "owners": [[f"{person(n)} <{login(n)}@acme.example>"], "Build"],
            "scheduler": ["all", "Scheduler"],
        },
    }


def _only(**options: Any) -> Any:
    return lambda place: options


VENDORS = (
    Vendor("github", lambda place: {"repos": [f"acme/{place.name}"], "kinds": ["build"], "builds": ITEMS}, _github),
    Vendor("gitlab", lambda place: {"projects": [f"acme/{place.name}"], "kinds": ["build"], "builds": ITEMS}, _gitlab),
    Vendor("jenkins", _only(), _jenkins),
    Vendor("buildkite", _only(organization="acme"), _buildkite),
    Vendor("circleci", lambda place: {"projects": [f"gh/acme/{place.name}"]}, _circleci),
    Vendor("azure-devops", _only(organization="acme", projects=["Shop"], kinds=["build"], builds=ITEMS), _azure),
    Vendor("teamcity", _only(builds=ITEMS), _teamcity),
    Vendor(
        "gitea", lambda place: {"repos": [f"acme/{place.name}"], "kinds": ["build", "ticket"], "builds": 50}, _gitea
    ),
    Vendor("drone", lambda place: {"repos": _pair(place), "kinds": ["build"], "builds": 50}, _drone),
    Vendor("woodpecker", lambda place: {"repos": _pair(place), "kinds": ["build"], "builds": 50}, _woodpecker),
    Vendor("cctray", _only(), _cctray),
    Vendor("buildbot", _only(limit=ITEMS), _buildbot),
)
