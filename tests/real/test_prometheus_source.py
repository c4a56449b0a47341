"""The real Prometheus, without its Alertmanager, through `show --json`."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.board import bench, by_title
from tests.real.process import wait_until
from tests.real.servers import Alertmanager, Prometheus

CONFIG = """
board: {{id: real}}
sources:
  - {{type: prometheus, name: prom, url: "{url}", interval: 5s, hold: 0s{more}}}
"""
RULES = """
groups:
- name: own
  interval: 1s
  rules:
  - alert: Switched
    expr: {switched}
    labels: {{severity: warning}}
  - alert: Twofold
    expr: {twofold}
    labels: {{severity: critical}}
"""
TRUE, FALSE = "vector(1)", "vector(0) > 0"
#: Can be parsed and not evaluated: more than one series on the right-hand side.  Until both are scraped it is quiet.
BROKEN = "up * on() up > 1"


class OwnRules(Prometheus):
    """A Prometheus whose rules a test changes: Switched and Twofold."""

    def prepare(self) -> None:
        super().prepare()
        config = self.folder / "prometheus.yml"
        config.write_text(config.read_text().replace("[rules.yml]", "[own.yml]"))
        self._write(FALSE, FALSE)

    def set(self, switched: str, twofold: str) -> None:
        """Change the expressions; returns once they were evaluated."""
        self._write(switched, twofold)
        os.kill(self.pid, signal.SIGHUP)
        wanted = {"Switched": _squeezed(switched), "Twofold": _squeezed(twofold)}

        def evaluated() -> bool:
            rules = self.rules()
            said = {name: _squeezed(rule["query"]) for name, rule in rules.items()}
            return said == wanted and all(rule["health"] != "unknown" for rule in rules.values())

        wait_until("the new rules were evaluated", lambda: evaluated() or None)

    def rules(self) -> dict[str, dict[str, Any]]:
        """Its rules by name."""
        groups = self.http.get("/api/v1/rules").json()["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def _write(self, switched: str, twofold: str) -> None:
        (self.folder / "own.yml").write_text(RULES.format(switched=switched, twofold=twofold))


def _squeezed(expression: str) -> str:
    """An expression without its spaces: Prometheus sets its own."""
    return expression.replace(" ", "")


@pytest.fixture
def own(open_folder: Path, alertmanager: Alertmanager) -> Iterator[OwnRules]:
    folder = open_folder / "own-rules"
    shutil.rmtree(folder, ignore_errors=True)
    with OwnRules(folder, alertmanager) as server:
        yield server


def test_firing_pending_and_machinery(prometheus: Prometheus, tmp_path: Path) -> None:
    prometheus.wait_for("InstanceDown", "firing")
    prometheus.wait_for("DiskFillsUp", "pending")
    with bench(tmp_path / "all", CONFIG.format(url=prometheus.url, more=", expect: Watchdog")) as board:
        code, picture = board.show("--poll")
        items = by_title(picture)
        assert code == 1 and picture["summary"]["verdict"] == "failing"
        assert {name: (item["state"], item["failing"]) for name, item in items.items()} == {
            "InstanceDown": ("open", True),
            "DiskFillsUp": ("pending", False),
        }, "and no Watchdog"
        (source,) = picture["sources"]
        assert source["state"] == "fresh" and not source["errors"]
        down = items["InstanceDown"]
        assert down["title"] == "InstanceDown: 127.0.0.1:1 does not answer"
        assert down["severity"] == "critical" and down["raw_state"] == "firing" and down["started_at"]
        assert down["links"]["runbook"] == "https://runbooks.example/instance-down"
        assert down["labels"]["team"] == "payments"
        page = prometheus.http.get(down["url"], follow_redirects=True)
        assert page.is_success and "html" in page.headers["content-type"], "the link opens the expression's page"
        _, again = board.show("--poll")
        assert again["revision"] == picture["revision"], "the same alerts are no news"
    filtered = CONFIG.format(url=prometheus.url, more=", filter: 'service=search', expect: Watchdog")
    with bench(tmp_path / "filtered", filtered) as board:
        code, picture = board.show("--poll")
        assert list(by_title(picture)) == ["DiskFillsUp"] and code == 0


def test_a_rule_that_cannot_be_evaluated_is_not_green(own: OwnRules, tmp_path: Path) -> None:
    own.set(TRUE, FALSE)
    own.wait_for("Switched", "firing")
    with bench(tmp_path, CONFIG.format(url=own.url, more="")) as board:
        code, picture = board.show("--poll")
        assert code == 1 and by_title(picture)["Switched"]["state"] == "open"

        own.set(FALSE, BROKEN)
        wait_until("both targets are scraped", lambda: own.rules()["Twofold"]["health"] == "err" or None)
        code, picture = board.show("--poll")
        (source,) = picture["sources"]
        assert code == 3 and picture["summary"]["verdict"] == "blind"
        assert source["state"] == "partial" and [error["part"] for error in source["errors"]] == ["rules"]
        assert "1 of 2 rules prove nothing: Twofold (own): it cannot be evaluated" in source["errors"][0]["error"]
        assert by_title(picture)["Switched"]["state"] == "resolved", "what can be evaluated may end meanwhile"

        own.set(FALSE, FALSE)
        code, picture = board.show("--poll")
        assert code == 0 and picture["sources"][0]["state"] == "fresh"


def test_the_wrong_address_is_not_green(alertmanager: Alertmanager, tmp_path: Path) -> None:
    alertmanager.sound()
    with bench(tmp_path, CONFIG.format(url=alertmanager.url, more="")) as board:
        code, picture = board.show("--poll")
        assert code == 3 and picture["sources"][0]["state"] == "down"
