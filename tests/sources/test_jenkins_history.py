"""Jenkins' past: job by job, and no further than what is asked for."""

from __future__ import annotations

from typing import Any, ClassVar

from sources.jenkins import Jenkins
from statusboard.model import Build
from statusboard.testing import Answer, Call, HistoryContract
from tests.sources.pasts import unix
from tests.sources.test_jenkins import PRIMARY, URL, Server, build, group, job, project


def builds(count: int, every: float) -> list[dict[str, Any]]:
    return [
        build(count - n, "FAILURE" if n % 5 == 3 else "SUCCESS", timestamp=unix(every * n + 1) * 1000, duration=60_000)
        for n in range(count)
    ]


JOBS = (
    job("till", *builds(900, 2)),
    job("rare", *builds(3, 300)),
    job("asleep", *[{**row, "timestamp": row["timestamp"] - 90 * 86_400_000} for row in builds(400, 1)]),
    group("team", job("ledger", *builds(150, 12))),
    project("shop", job("main", *builds(250, 6), actions=[PRIMARY])),
)


class Past(Server):
    """Tells of all builds under ``allBuilds``, and of the newest hundred at most under ``builds``."""

    def named(self, thing: Any, names: list[str]) -> Any:
        told = super().named(thing, names)
        if isinstance(told, dict) and "builds" in told:
            told["allBuilds"], told["builds"] = told["builds"], told["builds"][:100]
        return told


class TestHistory(HistoryContract):
    source = Jenkins
    options: ClassVar = {"url": URL}
    expected = 360 + 3 + 60 + 120

    def vendor(self, call: Call) -> Answer:
        return Past(*JOBS)(call)

    def test_a_job_is_left_at_the_horizon_and_one_with_few_builds_is_not_asked(self) -> None:
        asked = [call.path for call in self.walk().calls if "allBuilds" in call.param("tree")]
        assert sum(path.endswith("/job/till/api/json") for path in asked) == 4
        assert not any("rare" in path or "asleep" in path for path in asked)

    def test_builds_are_as_they_ended(self) -> None:
        item = self.walk(days=2).items["jenkins:build:shop/main#247"]
        assert isinstance(item, Build) and (item.state, item.branch, item.pipeline) == ("failed", "main", "shop")


class TestOneJob(HistoryContract):
    source = Jenkins
    options: ClassVar = {"url": URL, "jobs": ("team/ledger",)}
    expected = 60

    def vendor(self, call: Call) -> Answer:
        return Past(*JOBS)(call)
