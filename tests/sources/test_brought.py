"""When the commits of deployments were made, as GitHub and GitLab compare them: asked once, and no fault."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sources._shared.brought import AT_ONCE, Brought, brought
from statusboard.diff import carry
from statusboard.model import Release
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, read_all
from tests.sources import test_github as github
from tests.sources import test_gitlab as gitlab

TIMES = ["2026-01-02T02:00:00Z", "2026-01-02T01:00:00+00:00", "2026-01-01T23:00:00Z", "2026-01-02T02:30:00Z"]
MIDDLE = datetime(2026, 1, 2, 1, tzinfo=UTC)


class GitHubServer(github.Server):
    """Deployments 4 to 1, of which the third failed."""

    def __init__(self) -> None:
        super().__init__()
        self.deployments = [github.deployment(n, sha=str(n) * 40) for n in (4, 3, 2, 1)]
        states = {1: "inactive", 2: "inactive", 3: "failure", 4: "success"}
        self.statuses = {n: [{"state": state}] for n, state in states.items()}
        self.releases = []
        self.asked: list[str] = []
        self.compared = Answer.of(
            {"total_commits": 4, "commits": [{"commit": {"committer": {"date": t}}} for t in TIMES]}
        )

    def __call__(self, call: Call) -> Answer:
        if "/compare/" in call.path:
            self.asked.append(call.path.rpartition("/")[2])
            return self.compared
        return super().__call__(call)


class GitLabServer(gitlab.Server):
    """The same of GitLab."""

    def __init__(self) -> None:
        super().__init__()
        states = {1: "success", 2: "success", 3: "failed", 4: "success"}
        self.deployments = [gitlab.deployment(n, states[n], sha=str(n) * 40) for n in (4, 3, 2, 1)]
        self.releases = []
        self.asked: list[str] = []
        self.compared = Answer.of({"commits": [{"committed_date": t} for t in TIMES]})

    def __call__(self, call: Call) -> Answer:
        if call.path.endswith("/repository/compare"):
            self.asked.append(f"{call.param('from')}...{call.param('to')}")
            return self.compared
        return super().__call__(call)


def sources(server: Any, **options: Any) -> tuple[Source[Any], FakeHttp]:
    if isinstance(server, GitHubServer):
        return github.github(kinds=["release"], **options), FakeHttp(server, github.API)
    return gitlab.gitlab(kinds=["release"], **options), FakeHttp(server, gitlab.URL)


async def releases(source: Source[Any], http: FakeHttp) -> tuple[dict[str, Release], list[str]]:
    parts = (await read_all(source, http)).parts
    assert not [part.error for part in parts if part.error]
    items = [item for part in parts for item in part.items if isinstance(item, Release) and item.type == "deployment"]
    return {item.key.rpartition("/")[2]: item for item in items}, [note for part in parts for note in part.notes]


@pytest.fixture(params=[GitHubServer, GitLabServer])
def server(request: pytest.FixtureRequest) -> Any:
    return request.param()


async def test_each_that_came_out_is_compared_with_the_one_before_it_once(server: Any):
    source, http = sources(server, commits=True)
    found, notes = await releases(source, http)
    assert {n: (item.commits, item.committed_at) for n, item in found.items()} == {
        "1": (None, None),
        "2": (4, MIDDLE),
        "3": (None, None),
        "4": (4, MIDDLE),
    }
    assert not notes
    assert server.asked == [f"{'2' * 40}...{'4' * 40}", f"{'1' * 40}...{'2' * 40}"]
    await releases(source, http)
    assert len(server.asked) == 2


async def test_nothing_is_asked_unless_it_is_wanted(server: Any):
    found, _ = await releases(*sources(server))
    assert not server.asked and {item.committed_at for item in found.values()} == {None}


async def test_a_comparison_that_fails_costs_no_deployment(server: Any):
    server.compared = Answer(status=503)
    source, http = sources(server, commits=True)
    found, notes = await releases(source, http)
    assert len(found) == 4 and {item.committed_at for item in found.values()} == {None}
    assert len(notes) == 1 and "when commits were made could not be read" in notes[0]
    assert len(server.asked) == 1


async def test_commits_that_are_gone_are_not_asked_for_again(server: Any):
    server.compared = Answer(status=404)
    source, http = sources(server, commits=True)
    assert not (await releases(source, http))[1]
    await releases(source, http)
    assert len(server.asked) == 2


async def test_only_some_are_asked_for_at_one_poll(server: Any):
    numbers = range(AT_ONCE + 4, 0, -1)
    if isinstance(server, GitHubServer):
        server.deployments = [github.deployment(n, sha=f"{n:040}") for n in numbers]
        server.statuses = {n: [{"state": "success"}] for n in numbers}
    else:
        server.deployments = [gitlab.deployment(n, sha=f"{n:040}") for n in numbers]
    source, http = sources(server, commits=True)
    found, _ = await releases(source, http)
    assert sum(item.committed_at is not None for item in found.values()) == AT_ONCE
    found, _ = await releases(source, http)
    assert sum(item.committed_at is not None for item in found.values()) == AT_ONCE + 3


def test_of_more_commits_than_are_listed_none_is_the_middle():
    assert brought(TIMES, 250) == Brought(count=250)
    assert brought([*TIMES[:1], None], 2) == Brought(count=2)
    assert brought([]) == Brought(count=0)


def test_what_a_source_has_forgotten_is_still_known():
    known = Release(key="gh:release:1", source="gh", state="success", revision="a", commits=4, committed_at=MIDDLE)
    forgotten = Release(key="gh:release:1", source="gh", state="inactive", revision="a")
    told = carry(known, forgotten)
    assert isinstance(told, Release) and (told.state, told.commits, told.committed_at) == ("inactive", 4, MIDDLE)
    assert carry(known, Release(key="gh:release:1", source="gh", state="success", revision="b")).committed_at is None  # type: ignore[union-attr]
