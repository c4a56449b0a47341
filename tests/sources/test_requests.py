"""What the sources of builds say that a quiet poll costs is what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, make_source, read_all
from tests.sources import (
    test_azure_devops,
    test_buildkite,
    test_cctray,
    test_drone,
    test_gitea,
    test_github,
    test_gitlab,
    test_jenkins,
    test_teamcity,
    test_woodpecker,
)

Vendor = Callable[[Call], Answer]


def as_tested(contract: Any, **more: Any) -> tuple[Source[Any], Vendor]:
    """A source and its vendor as in the contract tests."""
    made = contract()
    return make_source(made.source, {**made.options, **more}), made.vendor


def github() -> tuple[Source[Any], Vendor]:
    server = test_github.Server()
    server.statuses[23] = [{"state": "success", "created_at": "2026-01-02T02:55:00Z"}]  # else it is asked for again
    return test_github.github(), server


def gitlab() -> tuple[Source[Any], Vendor]:
    server = test_gitlab.Server()
    server.issues = [test_gitlab.issue(41)]
    return test_gitlab.gitlab(), server


#: With each how much more a poll may cost than here: Buildkite's builds that ended since the last one, which only a
#: busy pipeline needs.
CASES: dict[str, tuple[Callable[[], tuple[Source[Any], Vendor]], int]] = {
    "azure-devops": (lambda: (test_azure_devops.azure(), test_azure_devops.Server()), 0),
    "buildkite": (lambda: as_tested(test_buildkite.TestContract), 1),
    "cctray": (lambda: as_tested(test_cctray.TestContract), 0),
    "drone": (lambda: as_tested(test_drone.TestContract), 0),
    "gitea": (lambda: as_tested(test_gitea.TestContract), 0),
    "github": (github, 0),
    "gitlab": (gitlab, 0),
    "jenkins": (lambda: as_tested(test_jenkins.TestContract), 0),
    "teamcity": (lambda: as_tested(test_teamcity.TestContract), 0),
    "woodpecker": (lambda: as_tested(test_woodpecker.TestContract), 0),
}


@pytest.mark.parametrize("name", CASES)
async def test_requests_of_a_quiet_poll(name: str) -> None:
    make, less = CASES[name]
    source, vendor = make()
    http = FakeHttp(vendor, source.options.url or source.default_url)
    for _ in range(2):
        await read_all(source, http)
    http.calls.clear()
    snapshot = await read_all(source, http)
    assert {part.kind for part in snapshot.parts} == source.kinds
    count, _each = source.requests
    assert len(http.calls) == count - less, [call.path for call in http.calls]
