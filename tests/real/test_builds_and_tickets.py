"""The real Buildbot, Roundup and Prometheus, through one board."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.board import Bench, bench
from tests.real.servers import Buildbot, Prometheus, Roundup


@pytest.fixture
def board(buildbot: Buildbot, roundup: Roundup, tmp_path: Path) -> Iterator[Bench]:
    secret = tmp_path / "roundup"
    secret.write_text(roundup.password)
    secret.chmod(0o600)
    user = tmp_path / "user"
    user.write_text(roundup.username)
    user.chmod(0o600)
    config = f"""
sources:
  - {{type: buildbot, name: bb, url: "{buildbot.url}", interval: 1s}}
  - {{type: roundup, name: tracker, url: "{roundup.tracker}", interval: 1s,
      username: "file:{user}", password: "file:{secret}"}}
"""
    with bench(tmp_path / "board", config) as made:
        yield made


def newest(picture: dict[str, Any], pipeline: str) -> dict[str, Any]:
    """The current build of a pipeline, ``{}`` where there is none."""
    return next((i for i in picture["items"] if i.get("pipeline") == pipeline and i["current"]), {})


def test_a_build_breaks_and_is_mended(board: Bench, buildbot: Buildbot) -> None:
    board.start("poll")
    buildbot.break_turns(True)
    failed = buildbot.finished(buildbot.force("turns"))
    code, seen = board.until(
        "the failing build",  # others of this server's may have failed before
        lambda c, p: (c, newest(p, "turns")) if newest(p, "turns").get("run_number") == failed["number"] else None,
    )
    assert code == 1 and seen["state"] == "failed" and seen["failing"]
    assert seen["url"].startswith(buildbot.url) and seen["started_at"] and seen["ended_at"]
    assert seen["queued_at"] <= seen["started_at"], "when it was asked for is another question, and is answered"

    buildbot.break_turns(False)
    buildbot.finished(buildbot.force("turns"))
    mended = board.until(
        "no longer failing", lambda c, p: newest(p, "turns") if not newest(p, "turns").get("failing") else None
    )
    assert mended["state"] == "success" and mended["key"] != seen["key"]


def test_a_warning_is_no_failure_and_a_running_build_keeps_no_verdict(board: Bench, buildbot: Buildbot) -> None:
    board.start("poll")
    buildbot.finished(buildbot.force("warns"))
    buildbot.close_gate()
    slow = buildbot.force("slow")
    running = buildbot.build_of(slow)["buildid"]
    try:
        picture = board.until(
            "the running build",
            lambda c, p: (
                p if any(i.get("state") == "running" and i.get("pipeline") == "slow" for i in p["items"]) else None
            ),
        )
        assert newest(picture, "warns")["state"] == "warning" and not newest(picture, "warns")["failing"]
        assert newest(picture, "slow").get("state") != "running"
    finally:
        buildbot.open_gate()
        buildbot.finished(slow)
    done = board.until("it has passed", lambda c, p: newest(p, "slow") or None)
    assert done["state"] == "success" and done["key"].endswith(str(running))


def test_a_ticket_is_opened_moved_and_closed(board: Bench, roundup: Roundup) -> None:
    board.start("poll")
    issue = roundup.create_issue("checkout is slow on Fridays", priority="urgent")

    def ticket(picture: dict[str, Any]) -> dict[str, Any]:
        return next((i for i in picture["items"] if i.get("ticket_id", "").endswith(issue)), {})

    opened = board.until("the ticket", lambda c, p: ticket(p) or None)
    assert opened["state"] == "open" and opened["priority"] == "urgent" and issue in opened["url"]
    roundup.set_status(issue, "in-progress")
    board.until("in progress", lambda c, p: ticket(p) if ticket(p).get("state") == "in_progress" else None)
    roundup.close_issue(issue)
    closed = board.until("closed", lambda c, p: ticket(p) if ticket(p).get("state") == "done" else None)
    assert closed["current"] is False
    assert [c.type for c in board.changes() if c.key == opened["key"]] == [
        "ticket.created",
        "ticket.updated",
        "ticket.closed",
    ]


def test_prometheus_itself_fires_and_its_death_is_noticed(prometheus: Prometheus, tmp_path: Path) -> None:
    config = f"""
sources:
  - {{type: alertmanager, name: am, url: "{prometheus.alertmanager.url}", interval: 1s, expect: Watchdog}}
"""
    prometheus.start()
    prometheus.wait_for("InstanceDown", "firing")
    with bench(tmp_path, config) as board:
        board.start("poll")
        code, picture = board.until(
            "the alert", lambda c, p: (c, p) if any("InstanceDown" in i["title"] for i in p["items"]) else None
        )
        assert code == 1 and picture["sources"][0]["state"] == "fresh"
        assert not any("SlowPending" in item["title"] for item in picture["items"]), "pending is not sent"
        prometheus.stop()
        try:
            blind = board.until(
                "its silence is noticed", lambda c, p: p if p["sources"][0]["state"] == "stale" else None, timeout=60
            )
            assert "Watchdog" in blind["sources"][0]["error"]
        finally:
            prometheus.start()
