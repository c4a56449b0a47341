"""The harness's own proof: each server boots, can be fed, and answers in the shape that its vendor documents."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from tests.real.process import BootError, Late, NoAnswer, Server, ServerWarning, wait_until
from tests.real.servers import Alertmanager, Buildbot, Prometheus, Refused, Roundup


def state(server: Alertmanager, labels: dict[str, str]) -> str | None:
    return next((alert["status"]["state"] for alert in server.alerts() if alert["labels"] == labels), None)


def test_alertmanager_fires_and_resolves(quiet_alertmanager: Alertmanager) -> None:
    labels = {"alertname": "Slow", "severity": "critical", "service": "checkout"}
    ends = datetime.now(UTC) + timedelta(minutes=10)
    alert = quiet_alertmanager.fire(labels, {"summary": "p99 is 4 s"}, ends)

    assert alert["labels"] == labels
    assert alert["annotations"] == {"summary": "p99 is 4 s"}
    assert alert["status"]["state"] == "active"
    assert len(alert["fingerprint"]) == 16
    assert abs(datetime.fromisoformat(alert["endsAt"]) - ends) < timedelta(seconds=1)
    assert {"startsAt", "updatedAt", "receivers"} <= alert.keys()

    quiet_alertmanager.resolve(labels)
    assert quiet_alertmanager.alerts() == []


def test_alertmanager_silences_and_ends_a_silence(quiet_alertmanager: Alertmanager) -> None:
    labels = {"alertname": "Slow", "service": "search"}
    quiet_alertmanager.fire(labels)
    silence = quiet_alertmanager.silence({"service": "search"}, minutes=5, author="ada", comment="index is rebuilt")

    wait_until("the alert is suppressed", lambda: state(quiet_alertmanager, labels) == "suppressed")
    assert quiet_alertmanager.alerts()[0]["status"]["silencedBy"] == [silence]
    (known,) = quiet_alertmanager.http.get("/api/v2/silences", params={"filter": "service=search"}).json()[:1]
    assert (known["createdBy"], known["comment"]) == ("ada", "index is rebuilt")

    quiet_alertmanager.expire(silence)
    wait_until("the alert is active again", lambda: state(quiet_alertmanager, labels) == "active")


def test_alertmanager_inhibits_the_warning_of_a_service_in_critical_state(quiet_alertmanager: Alertmanager) -> None:
    critical = {"alertname": "Down", "severity": "critical", "service": "checkout"}
    warning = {"alertname": "Slow", "severity": "warning", "service": "checkout"}
    elsewhere = {"alertname": "Slow", "severity": "warning", "service": "search"}
    cause = quiet_alertmanager.fire(critical)
    quiet_alertmanager.fire(warning)
    quiet_alertmanager.fire(elsewhere)

    wait_until("the warning is inhibited", lambda: state(quiet_alertmanager, warning) == "suppressed")
    inhibited = next(alert for alert in quiet_alertmanager.alerts() if alert["labels"] == warning)
    assert inhibited["status"]["inhibitedBy"] == [cause["fingerprint"]]
    assert state(quiet_alertmanager, elsewhere) == "active"


def test_a_killed_server_is_gone_and_comes_back_at_the_same_url(open_folder: Path) -> None:
    with Alertmanager(open_folder / "killed") as server:
        url = server.url
        server.kill()
        assert not server.running
        with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as client:
            client.get(url)

        server.restart()
        assert server.url == url
        assert server.alerts() == []
    assert not server.running


def test_a_server_that_died_between_two_tests_is_started_again_and_its_log_shown(open_folder: Path) -> None:
    with Alertmanager(open_folder / "died") as server:
        os.kill(server.pid, signal.SIGKILL)
        wait_until("the process has gone", lambda: not server.running)
        with pytest.raises(NoAnswer, match=r"ConnectError.*it ended with -9; its log:"):
            server.alerts()
        with pytest.warns(
            ServerWarning, match=r"(?s)alertmanager is started again; it ended with -9; its log:\n.*level="
        ):
            assert server.sound().alerts() == []
        assert server.sound() is server


def test_what_a_server_refuses_is_an_error_with_its_words(quiet_alertmanager: Alertmanager) -> None:
    with pytest.raises(Refused, match="silence not found"):
        quiet_alertmanager.expire("11111111-1111-1111-1111-111111111111")


def test_prometheus_evaluates_its_rules_and_tells_its_alertmanager(prometheus: Prometheus) -> None:
    firing = prometheus.wait_for("InstanceDown", "firing")
    pending = prometheus.wait_for("DiskFillsUp", "pending")
    assert firing["labels"]["severity"] == "critical"
    assert firing["annotations"]["summary"] == "127.0.0.1:1 does not answer"
    assert {"activeAt", "value"} <= pending.keys()

    def told() -> set[str]:
        return {alert["labels"]["alertname"] for alert in prometheus.alertmanager.alerts()}

    wait_until("Alertmanager knows both alerts", lambda: told() == {"InstanceDown", "Watchdog"})
    prometheus.stop()
    wait_until("Alertmanager has forgotten both", lambda: told() == set())
    prometheus.start()


@pytest.mark.parametrize(("builder", "results"), [("passes", 0), ("warns", 1), ("fails", 2)])
def test_buildbot_builds_end_as_their_builders_say(buildbot: Buildbot, builder: str, results: int) -> None:
    build = buildbot.finished(buildbot.force(builder))
    assert build["results"] == results
    assert build["complete"] is True
    assert isinstance(build["started_at"], int)
    assert build["complete_at"] >= build["started_at"]


def test_a_slow_buildbot_build_runs_until_its_gate_opens(buildbot: Buildbot) -> None:
    buildbot.close_gate()
    request = buildbot.force("slow", reason="is it [bold]patient[/bold]?")
    assert buildbot.build_of(request)["complete"] is False
    buildbot.open_gate()
    assert buildbot.finished(request)["results"] == 0
    buildbot.wait_idle()


def test_buildbot_refuses_a_builder_it_does_not_know(buildbot: Buildbot) -> None:
    with pytest.raises(Refused, match="builderNames"):
        buildbot.force("nonesuch")


def test_roundup_opens_moves_and_closes_an_issue(roundup: Roundup) -> None:
    issue = roundup.create_issue("The basket forgets vouchers", priority="urgent")

    def now() -> dict[str, str]:
        return next(one for one in roundup.issues() if one["id"] == issue)

    expected = {"id": issue, "title": "The basket forgets vouchers", "priority": "urgent"}
    assert now() == {**expected, "status": "unread"}
    roundup.set_status(issue, "in-progress")
    assert now() == {**expected, "status": "in-progress"}
    roundup.close_issue(issue)
    assert now() == {**expected, "status": "resolved"}


def test_roundup_outlives_a_restart_with_its_issues(roundup: Roundup) -> None:
    issue = roundup.create_issue("Still here")
    roundup.restart()
    assert issue in {one["id"] for one in roundup.issues()}


class Broken(Server):
    name: ClassVar[str] = "broken"

    def command(self) -> Sequence[str]:
        return ["sh", "-c", "echo no such database; exit 3"]

    def ready(self) -> bool:
        return self.http.get("/").is_success


def test_a_server_that_ends_at_once_shows_its_own_words(tmp_path: Path) -> None:
    server = Broken(tmp_path / "broken")
    with pytest.raises(BootError, match="no such database"):
        server.start()
    assert not server.running


def test_waiting_ends_and_names_what_was_not_seen() -> None:
    with pytest.raises(Late, match="pigs fly"):
        wait_until("pigs fly", lambda: False, timeout=0.01)
