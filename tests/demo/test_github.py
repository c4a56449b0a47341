"""The pretend GitHub answers in GitHub's own shapes."""

from __future__ import annotations

import re

import pytest

from statusboard.demo.github import GitHub
from statusboard.demo.servers import Request
from statusboard.demo.world import World
from tests.demo.conftest import START

RUN = {
    "artifacts_url", "cancel_url", "check_suite_url", "check_suite_id", "check_suite_node_id", "conclusion",
    "created_at", "event", "head_branch", "head_commit", "head_repository", "head_sha", "html_url", "id",
    "jobs_url", "logs_url",
    "node_id", "name", "pull_requests", "repository", "rerun_url", "run_number", "status", "updated_at", "url",
    "workflow_id", "workflow_url", "run_attempt", "run_started_at", "previous_attempt_url", "actor",
    "triggering_actor", "path", "display_title",
}  # fmt: skip
RELEASE = {
    "url", "assets_url", "upload_url", "html_url", "id", "node_id", "tag_name", "target_commitish", "name", "draft",
    "author", "prerelease", "created_at", "published_at", "assets", "tarball_url", "zipball_url", "body",
}  # fmt: skip
ISSUE = {
    "url", "repository_url", "labels_url", "comments_url", "events_url", "html_url", "id", "node_id", "number", "title",
    "user", "assignees", "milestone", "comments", "created_at", "updated_at", "closed_at", "author_association",
    "active_lock_reason", "body", "reactions", "state", "labels", "assignee",
}  # fmt: skip
STATUS = {
    "url", "id", "node_id", "state", "creator", "description", "environment", "target_url", "created_at", "updated_at",
    "deployment_url", "repository_url",
}  # fmt: skip
DEPLOYMENT = {
    "url", "id", "node_id", "sha", "ref", "task", "payload", "original_environment", "environment", "description",
    "creator", "created_at", "updated_at", "statuses_url", "repository_url",
}  # fmt: skip

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
REPO = "/repos/acme/checkout"


async def test_runs_have_the_fields_that_github_promises(play):
    answer = (await play.github.get(f"{REPO}/actions/runs", params={"per_page": 100})).json()
    runs = answer["workflow_runs"]
    assert answer["total_count"] == len(runs) > 3
    for run in runs:
        assert run.keys() >= RUN
        assert run["html_url"] == f"https://github.example/acme/checkout/actions/runs/{run['id']}"
        assert all(TIME.fullmatch(run[name]) for name in ("created_at", "updated_at", "run_started_at"))
        assert (run["conclusion"] is None) == (run["status"] != "completed")
        assert "default_branch" not in run["repository"], "runs name the repository in its short form"
    assert [run["id"] for run in runs] == sorted((run["id"] for run in runs), reverse=True)
    assert (await play.github.get(REPO)).json()["default_branch"] == "main"


async def test_runs_can_be_filtered(play):
    runs = f"{REPO}/actions/runs"
    everything = (await play.github.get(runs, params={"per_page": 100})).json()["workflow_runs"]
    pulls = (await play.github.get(runs, params={"event": "pull_request"})).json()
    assert 0 < pulls["total_count"] < len(everything)
    assert all(run["pull_requests"] for run in pulls["workflow_runs"])
    failed = (await play.github.get(runs, params={"status": "failure"})).json()["workflow_runs"]
    assert failed == [run for run in everything if run["conclusion"] == "failure"] != []
    since = everything[2]["created_at"]
    newer = (await play.github.get(runs, params={"created": f">={since}"})).json()["total_count"]
    assert newer == sum(run["created_at"] >= since for run in everything)
    bare = (await play.github.get(runs, params={"exclude_pull_requests": "true"})).json()["workflow_runs"]
    assert not any(run["pull_requests"] for run in bare)


async def test_a_fork_s_main_is_not_main(play):
    runs = (await play.github.get("/repos/acme/catalog/actions/runs")).json()["workflow_runs"]
    fork = next(run for run in runs if run["head_repository"]["full_name"] != run["repository"]["full_name"])
    assert (fork["head_branch"], fork["conclusion"], fork["pull_requests"]) == ("main", "failure", [])
    assert fork["head_repository"]["fork"]


async def test_one_run_and_its_jobs(still):
    still.demo.world.act("break_build")
    still.turn(40)
    run = (await still.github.get(f"{REPO}/actions/runs")).json()["workflow_runs"][0]
    assert run["conclusion"] == "failure"
    assert (await still.github.get(f"{REPO}/actions/runs/{run['id']}")).json() == run
    jobs = (await still.github.get(f"{REPO}/actions/runs/{run['id']}/jobs")).json()
    assert jobs["total_count"] == len(jobs["jobs"])
    assert {job["name"]: job["conclusion"] for job in jobs["jobs"]}["unit"] == "failure"


async def test_a_run_that_is_run_again_keeps_its_id(still):
    still.demo.world.act("flaky_build")
    still.turn(30)
    run = (await still.github.get(f"{REPO}/actions/runs?status=timed_out")).json()["workflow_runs"][0]
    still.turn(40)
    again = (await still.github.get(f"{REPO}/actions/runs/{run['id']}")).json()
    assert (run["run_attempt"], again["run_attempt"]) == (1, 2)
    assert again["conclusion"] == "success"
    assert again["created_at"] == run["created_at"] < again["run_started_at"]


async def test_deployments_tell_their_state_in_their_statuses(still):
    still.demo.world.act("release")
    still.turn(10)
    newest = (await still.github.get(f"{REPO}/deployments")).json()[0]
    assert newest.keys() >= DEPLOYMENT
    assert "state" not in newest
    assert newest["environment"] == "staging"
    statuses = (await still.github.get(newest["statuses_url"])).json()
    assert statuses[0].keys() >= STATUS
    assert [status["state"] for status in statuses] == ["in_progress", "queued"]
    assert (await still.github.get(newest["url"])).json()["id"] == newest["id"]
    still.turn(60)
    production = (await still.github.get(f"{REPO}/deployments?environment=production")).json()
    states = [
        (await still.github.get(d["statuses_url"], params={"per_page": 1})).json()[0]["state"] for d in production
    ]
    assert states[:2] == ["success", "inactive"]
    assert production[0]["ref"] == newest["ref"]


async def test_releases(play):
    releases = (await play.github.get(f"{REPO}/releases")).json()
    assert releases
    for release in releases:
        assert release.keys() >= RELEASE
        assert release["html_url"].startswith("https://github.example/acme/checkout/releases/tag/v")
    drafts = [r for r in (await play.github.get("/repos/acme/payments/releases")).json() if r["draft"]]
    assert [draft["published_at"] for draft in drafts] == [None]
    latest = (await play.github.get("/repos/acme/payments/releases/latest")).json()
    assert not latest["draft"]


async def some_issues(still):
    """Give the repository a few issues and pull requests more, one of each closed."""
    acts = still.demo.world.acts
    service = still.demo.world.service("checkout")
    tickets = [acts.open_ticket(service, f"Issue {number}", hosted=True) for number in range(4)]
    tickets += [acts.open_pull(service) for _ in range(3)]
    still.turn(30)
    for ticket in (tickets[0], tickets[-1]):
        acts.move(ticket, "closed", actor="mira")
    return tickets


async def test_pull_requests_are_among_the_issues(still):
    await some_issues(still)
    issues = (await still.github.get(f"{REPO}/issues", params={"state": "all", "per_page": 100})).json()
    assert all(issue.keys() >= ISSUE for issue in issues)
    assert {("pull_request" in issue, issue["state"]) for issue in issues} == {
        (True, "open"), (True, "closed"), (False, "open"), (False, "closed"),
    }  # fmt: skip
    assert all((issue["closed_at"] is None) == (issue["state"] == "open") for issue in issues)
    opened = (await still.github.get(f"{REPO}/issues", params={"sort": "updated", "per_page": 100})).json()
    assert [i["updated_at"] for i in opened] == sorted((i["updated_at"] for i in opened), reverse=True)
    assert len(opened) == sum(issue["state"] == "open" for issue in issues)


async def test_issues_that_changed_since_a_moment(still):
    tickets = await some_issues(still)
    since = (await still.github.get(f"{REPO}/issues/{tickets[0].number}")).json()["updated_at"]
    params = {"state": "all", "since": since}
    changed = (await still.github.get(f"{REPO}/issues", params=params)).json()
    assert {issue["number"] for issue in changed} == {tickets[0].number, tickets[-1].number}


async def test_pages_are_followed_by_links_that_name_the_repository_by_its_id(still):
    await some_issues(still)
    params = {"per_page": 2, "state": "all"}
    answer = await still.github.get(f"{REPO}/issues", params=params)
    numbers, pages = [issue["number"] for issue in answer.json()], 1
    last = answer.links["last"]["url"]
    while "next" in answer.links:
        assert "/repositories/64000000/issues?" in answer.links["next"]["url"]
        answer = await still.github.get(answer.links["next"]["url"])
        numbers += [issue["number"] for issue in answer.json()]
        pages += 1
    everything = (await still.github.get(f"{REPO}/issues", params={"per_page": 100, "state": "all"})).json()
    assert numbers == [issue["number"] for issue in everything]
    assert len(numbers) == len(set(numbers))
    assert pages > 3
    assert str(answer.url) == last
    assert "prev" in answer.links


async def test_what_has_not_changed_is_a_304_that_costs_nothing(play):
    first = await play.github.get(f"{REPO}/actions/runs")
    again = await play.github.get(f"{REPO}/actions/runs", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]
    play.demo.world.act("break_build")
    changed = await play.github.get(f"{REPO}/actions/runs", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def test_the_budget_goes_down_and_is_renewed(still):
    first = await still.github.get(REPO)
    second = await still.github.get(REPO)
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in (first, second)]
    assert left[0] - left[1] == 1
    assert int(second.headers["x-ratelimit-used"]) + left[1] == int(second.headers["x-ratelimit-limit"])
    rate = (await still.github.get("/rate_limit")).json()["rate"]
    assert rate["remaining"] == left[1]
    still.turn(int(second.headers["x-ratelimit-reset"]) - still.clock.now + 1)
    renewed = (await still.github.get(REPO)).headers
    assert int(renewed["x-ratelimit-used"]) == 1


def test_who_has_used_up_the_budget_is_refused():
    vendor = GitHub(World(start=START), "secret", limit=2)
    request = Request("GET", REPO, REPO, (), {"authorization": "Bearer secret"})
    assert [vendor.answer(request).status for _ in range(3)] == [200, 200, 403]
    refused = vendor.answer(request)
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert b"rate limit" in refused.body


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic abc", "Bearer"])
async def test_a_wrong_token_is_401(play, token):
    answer = await play.github.get(REPO, headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.json()["message"] == "Bad credentials"


@pytest.mark.parametrize(
    "path",
    [
        "/repos/acme/nothing/actions/runs",
        "/repos/other/checkout",
        f"{REPO}/actions/runs/1",
        f"{REPO}/deployments/1/statuses",
        f"{REPO}/issues/99999999",
        f"{REPO}/nothing",
        "/repositories/1/issues",
        "/nothing",
    ],
)
async def test_what_is_not_there_is_404(play, path):
    answer = await play.github.get(path)
    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found"
    assert answer.headers["x-github-request-id"]


async def test_enterprise_paths_answer_as_well(play):
    assert (await play.github.get(f"/api/v3{REPO}")).json() == (await play.github.get(REPO)).json()


async def test_nothing_can_be_written(play):
    assert (await play.github.post(f"{REPO}/issues", json={"title": "x"})).status_code == 404
