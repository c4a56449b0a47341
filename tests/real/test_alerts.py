"""The real Alertmanager, through `show --json`."""

from __future__ import annotations

from pathlib import Path

from statusboard.model import SourceHealth, decode
from tests.real.board import bench, by_title
from tests.real.process import wait_until
from tests.real.servers import Alertmanager

CONFIG = """
board: {{id: real}}
sources:
  - {{type: alertmanager, name: am, url: "{url}", interval: 1s, hold: 0s{more}}}
"""


def test_firing_silenced_inhibited_and_resolved(quiet_alertmanager: Alertmanager, tmp_path: Path) -> None:
    am = quiet_alertmanager
    am.fire({"alertname": "Errors", "severity": "critical", "team": "payments"}, {"summary": "5xx"})
    am.fire({"alertname": "Latency", "severity": "warning", "team": "payments"})  # inhibited by the critical one
    am.fire({"alertname": "Disk", "severity": "warning", "team": "storage"})
    am.fire({"alertname": "Slow", "severity": "page", "team": "search"})
    am.silence({"alertname": "Disk"}, 60, "ada@example.com", "disks are being swapped")
    with bench(tmp_path, CONFIG.format(url=am.url, more="")) as board:
        code, picture = board.show("--poll")
        items = by_title(picture)
        assert code == 1 and picture["summary"]["verdict"] == "failing"
        assert {k: (v["state"], v["failing"]) for k, v in items.items()} == {
            "Errors": ("open", True),
            "Latency": ("suppressed", False),
            "Disk": ("suppressed", False),
            "Slow": ("open", True),
        }
        assert "ada@example.com" in items["Disk"]["suppressed_by"] and items["Disk"]["suppressed_until"]
        assert "Errors" in items["Latency"]["suppressed_by"]
        assert items["Errors"]["severity"] == "critical" and items["Slow"]["severity"] == "critical"

        am.resolve({"alertname": "Errors", "severity": "critical", "team": "payments"})
        picture = board.until(
            "it is over", lambda c, p: p if by_title(p)["Errors"]["state"] == "resolved" else None, "--poll"
        )
        items = by_title(picture)
        assert items["Errors"]["ended_at"] and items["Errors"]["approximate"]
        assert items["Latency"]["state"] == "open", "no longer inhibited"
        _, again = board.show("--poll")
        assert again["revision"] == picture["revision"] and again["digest"] == picture["digest"]

        history = [change.type for change in board.changes() if change.key == items["Errors"]["key"]]
        assert history == ["incident.detected", "incident.resolved"], "both transitions, once"


def test_without_its_watchdog_nothing_is_green(quiet_alertmanager: Alertmanager, tmp_path: Path) -> None:
    am = quiet_alertmanager
    watchdog = {"alertname": "Watchdog", "severity": "none"}
    with bench(tmp_path, CONFIG.format(url=am.url, more=", expect: Watchdog")) as board:
        am.fire(watchdog)
        assert board.show("--poll")[0] == 0
        am.resolve(watchdog)
        code, picture = board.show("--poll")
        (source,) = picture["sources"]
        assert code == 3 and picture["summary"]["verdict"] == "blind"
        assert source["state"] == "stale" and "Watchdog" in source["error"]


def test_a_killed_server_is_told_and_heals(quiet_alertmanager: Alertmanager, tmp_path: Path) -> None:
    am = quiet_alertmanager
    am.fire({"alertname": "Errors", "severity": "critical"})
    with bench(tmp_path, CONFIG.format(url=am.url, more="").replace("1s", "2s")) as board:
        board.start("poll")

        def told(state: str, after: int = 0) -> tuple[int, SourceHealth, float] | None:
            """The first change of the source to a state: its revision, itself, and how old its newest success was."""
            for change in board.changes():
                if change.seq > after and change.type == f"source.{state}" and change.body:
                    health = decode(change.body)
                    assert isinstance(health, SourceHealth) and health.last_success is not None
                    return change.seq, health, (change.observed_at - health.last_success).total_seconds()
            return None

        wait_until("it polls", lambda: "polling 1 sources" in board.log)  # and so has a store
        fresh, _, _ = wait_until("fresh", lambda: told("fresh"))
        board.until("the alert", lambda code, picture: picture["summary"]["failing"] == 1 or None)
        am.kill()
        stale, health, stale_at = wait_until("stale", lambda: told("stale", fresh), timeout=30)
        aging = told("aging", fresh)
        assert aging is not None and 4 <= aging[2] <= 6, "between 2 and 3 intervals"
        assert 8 <= stale_at <= 10 and (health.error or health.errors), "between 4 and 5"
        code, picture = board.show("--deadline", "2s")
        assert code == 1 and picture["summary"]["failing"] == 1, "what was red is not forgotten"
        am.start()
        wait_until("healed", lambda: told("fresh", stale), timeout=60)
