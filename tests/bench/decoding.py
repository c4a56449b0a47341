"""What it costs to decode GitHub's list of 100 workflow runs, beside ``json.loads`` and taking the same fields out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from sources._github_runs import AnyRuns, Run, Runs
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows
from statusboard.client._reading import Answer, Headers
from tests.bench.table import Row, interleaved

RUNS = 100
ROUNDS = 41
API = "https://api.github.com"
WEB = "https://github.com"
OWNER, NAME = "acme-corporation", "checkout-service"
USER_URLS = (
    "followers_url following_url gists_url starred_url subscriptions_url organizations_url repos_url events_url "
    "received_events_url"
)
REPOSITORY_URLS = (
    "archive_url assignees_url blobs_url branches_url collaborators_url comments_url commits_url compare_url "
    "contents_url contributors_url deployments_url downloads_url events_url forks_url git_commits_url git_refs_url "
    "git_tags_url hooks_url issue_comment_url issue_events_url issues_url keys_url labels_url languages_url merges_url "
    "milestones_url notifications_url pulls_url releases_url stargazers_url statuses_url subscribers_url "
    "subscription_url tags_url teams_url trees_url"
)
RUN_URLS = "jobs logs artifacts cancel rerun"


def rows() -> list[Row]:
    """The row of the table.  Both ways must find the same."""
    body = json.dumps(
        {"total_count": 4321, "workflow_runs": [run(30_433_642_000 + n) for n in range(RUNS)]}, separators=(",", ":")
    ).encode()
    assert [_fields(row) for row in typed(body)] == plain(body)
    fast, slow = interleaved(ROUNDS, _timed(typed, body), _timed(plain, body))
    note = (
        f"{fast * 1000:.2f} ms beside {slow * 1000:.2f} ms, {slow / fast:.1f} times as fast; {len(body) / 1e6:.2f} MB"
    )
    return [Row("decoding 100 GitHub runs, CPU beside json.loads", fast / slow, 1 / 3, "x", note)]


def typed(body: bytes) -> list[Run]:
    """As the source does it."""
    reply = Answer(200, f"{API}/repos", Headers([]), body)
    return Rows("run", Run, as_documented(reply, Runs, AnyRuns).workflow_runs).good


def plain(body: bytes) -> list[tuple[Any, ...]]:
    """As one does it without types."""
    found = []
    for row in json.loads(body)["workflow_runs"]:
        actor, triggering, head = row["actor"], row["triggering_actor"], row["head_repository"]
        found.append(
            (
                row["id"],
                row["name"],
                row["path"],
                row["display_title"],
                row["run_number"],
                row["run_attempt"],
                row["event"],
                row["status"],
                row["conclusion"],
                row["head_branch"],
                row["head_sha"],
                row["html_url"],
                row["created_at"],
                row["run_started_at"],
                row["updated_at"],
                actor["login"] if actor else None,
                triggering["login"] if triggering else None,
                row["repository"]["full_name"],
                head["full_name"] if head else None,
                [pull["number"] for pull in row["pull_requests"]],
            )
        )
    return found


def _fields(row: Run) -> tuple[Any, ...]:
    return (
        row.id,
        row.name,
        row.path,
        row.display_title,
        row.run_number,
        row.run_attempt,
        row.event,
        row.status,
        row.conclusion,
        row.head_branch,
        row.head_sha,
        row.html_url,
        row.created_at,
        row.run_started_at,
        row.updated_at,
        row.actor and row.actor.login,
        row.triggering_actor and row.triggering_actor.login,
        row.repository and row.repository.full_name,
        row.head_repository and row.head_repository.full_name,
        [pull.number for pull in row.pull_requests or ()],
    )


def _timed(decode: Callable[[bytes], object], body: bytes) -> Callable[[], float]:
    def measure() -> float:
        began = time.process_time()
        decode(body)
        return time.process_time() - began

    return measure


# -- an answer in GitHub's shape: docs.github.com/en/rest/actions/workflow-runs ------------------------------------


def run(number: int) -> dict[str, Any]:
    """A run of a pull request, with every documented field."""
    base = f"{API}/repos/{OWNER}/{NAME}"
    url = f"{base}/actions/runs/{number}"
    sha = f"{number:040x}"
    return {
        "id": number,
        "name": "Continuous integration",
        "node_id": f"WFR_kwLOAAABjs8AAAA{number}",
        "head_branch": f"feature/faster-checkout-{number % 1000}",
        "head_sha": sha,
        "path": ".github/workflows/continuous-integration.yml",
        "display_title": f"Reserve the stock before the payment is taken (part {number % 1000})",
        "run_number": number % 100_000,
        "event": "pull_request",
        "status": "completed" if number % 9 else "in_progress",
        "conclusion": ("success" if number % 5 else "failure") if number % 9 else None,
        "workflow_id": 40_159_038,
        "check_suite_id": number + 9_000_000_000,
        "check_suite_node_id": f"CS_kwDOAAABjs8AAAA{number}",
        "url": url,
        "html_url": f"{WEB}/{OWNER}/{NAME}/actions/runs/{number}",
        "pull_requests": [pull_request(number % 1000)],
        "created_at": "2026-01-02T02:00:00Z",
        "updated_at": "2026-01-02T02:40:00Z",
        "actor": user("ada-lovelace"),
        "run_attempt": 1 + number % 2,
        "referenced_workflows": [
            {
                "path": f"{OWNER}/workflows/.github/workflows/build-and-test.yml@main",
                "sha": sha[::-1],
                "ref": "refs/heads/main",
            }
        ],
        "run_started_at": "2026-01-02T02:30:00Z",
        "triggering_actor": user("grace-hopper"),
        **{f"{name}_url": f"{url}/{name}" for name in RUN_URLS.split()},
        "check_suite_url": f"{base}/check-suites/{number + 9_000_000_000}",
        "previous_attempt_url": f"{url}/attempts/1" if number % 2 else None,
        "workflow_url": f"{base}/actions/workflows/40159038",
        "head_commit": {
            "id": sha,
            "tree_id": sha[::-1],
            "message": "Reserve the stock before the payment is taken\n\n" + "Why, and what else was tried. " * 20,
            "timestamp": "2026-01-02T01:58:00Z",
            "author": {"name": "Ada Lovelace", "email": "ada@acme.example"},
            "committer": {"name": "GitHub", "email": "noreply@github.com"},
        },
        "repository": repository(),
        "head_repository": repository(),
    }


def pull_request(number: int) -> dict[str, Any]:
    """A pull request as runs name it."""
    base = f"{API}/repos/{OWNER}/{NAME}"
    repo = {"id": 129_626_900, "url": base, "name": NAME}
    return {
        "url": f"{base}/pulls/{number}",
        "id": 1_934 + number,
        "number": number,
        "head": {"ref": f"feature/faster-checkout-{number}", "sha": f"{number:040x}", "repo": repo},
        "base": {"ref": "main", "sha": "b" * 40, "repo": repo},
    }


def user(login: str) -> dict[str, Any]:
    """A "simple user"."""
    url = f"{API}/users/{login}"
    return {
        "login": login,
        "id": 583_231,
        "node_id": "MDQ6VXNlcjU4MzIzMQ==",
        "avatar_url": "https://avatars.githubusercontent.com/u/583231?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{WEB}/{login}",
        **{name: f"{url}/{name.removesuffix('_url')}{{/other}}" for name in USER_URLS.split()},
        "type": "User",
        "user_view_type": "public",
        "site_admin": False,
    }


def repository() -> dict[str, Any]:
    """A "minimal repository"."""
    url = f"{API}/repos/{OWNER}/{NAME}"
    return {
        "id": 129_626_900,
        "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
        "name": NAME,
        "full_name": f"{OWNER}/{NAME}",
        "private": True,
        "owner": user(OWNER),
        "html_url": f"{WEB}/{OWNER}/{NAME}",
        "description": "Takes orders and payments of the shop, and reserves the stock",
        "fork": False,
        "url": url,
        **{name: f"{url}/{name.removesuffix('_url')}{{/sha}}" for name in REPOSITORY_URLS.split()},
    }


if __name__ == "__main__":
    from tests.bench.table import printed

    print(printed(rows()))
