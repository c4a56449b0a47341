"""All the real servers on one board, as a person sees them in a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.real.icinga2 import Icinga2
from tests.real.nagios import Nagios
from tests.real.redmine import Redmine
from tests.real.servers import Alertmanager, Buildbot, Prometheus, Roundup
from tests.real.tmux import Tmux


@pytest.fixture
def config(
    quiet_alertmanager: Alertmanager,
    prometheus: Prometheus,
    buildbot: Buildbot,
    roundup: Roundup,
    booted_redmine: Redmine,
    booted_nagios: Nagios,
    booted_icinga2: Icinga2,
    tmp_path: Path,
) -> Path:
    """A configuration of all of them, each with something to tell."""
    secrets = {
        "redmine": booted_redmine.sound().key,
        "user": "board",
        "nagios": booted_nagios.sound().password,
        "icinga": booted_icinga2.sound().password,
        "roundup-user": roundup.username,
        "roundup": roundup.password,
    }
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)

    def secret(name: str) -> str:
        return f'"file:{tmp_path / name}"'

    booted_nagios.all_well()
    booted_icinga2.all_well()
    prometheus.wait_for("InstanceDown", "firing")
    quiet_alertmanager.fire({"alertname": "QueueIsFull", "severity": "critical", "service": "checkout"})
    buildbot.break_turns(True)
    buildbot.finished(buildbot.force("turns"))
    roundup.create_issue("the search finds nothing")
    booted_redmine.create_issue("the cart loses its last item")
    booted_nagios.result("web01", "disk", code=2, output="DISK CRITICAL - 98% used", times=2)
    booted_icinga2.result("db01", "backup", code=2, output="no backup since Monday", times=2)
    path = tmp_path / "statusboard.yaml"
    path.write_text(f"""
board: {{id: everything, title: Everything}}
sources:
  - {{type: alertmanager, name: am, url: "{quiet_alertmanager.url}", interval: 2s}}
  - {{type: prometheus, name: prom, url: "{prometheus.url}", interval: 2s, hold: 0s}}
  - {{type: buildbot, name: bb, url: "{buildbot.url}", interval: 2s}}
  - {{type: roundup, name: ro, url: "{roundup.tracker}", interval: 2s,
      username: {secret("roundup-user")}, password: {secret("roundup")}}}
  - {{type: redmine, name: rm, url: "{booted_redmine.url}", interval: 2s, token: {secret("redmine")}, projects: [shop]}}
  - {{type: nagios, name: na, url: "{booted_nagios.root}", interval: 2s,
      username: {secret("user")}, password: {secret("nagios")}}}
  - {{type: icinga2, name: ic, url: "{booted_icinga2.url}", interval: 2s, tls: {{ca: "{booted_icinga2.ca}"}},
      username: {secret("user")}, password: {secret("icinga")}}}
""")
    path.chmod(0o600)
    return path


ROWS = {
    "QueueIsFull": "am",
    "InstanceDown": "prom",
    "turns": "bb",
    "the search finds nothing": "ro",
    "the cart loses its last item": "rm",
    "web01: disk": "na",
    "db01: backup": "ic",
}
"""A word of the row of each source."""


def test_a_row_of_every_server_is_on_the_screen(config: Path, terminal: Tmux, tmp_path: Path) -> None:
    env = {f"STATUSBOARD_{name}": str(tmp_path / name.lower()) for name in ("DATA", "CACHE", "STATE", "LOG")}
    command = [sys.executable, "-m", "statusboard", "--config", str(config)]
    terminal.start(command, width=200, height=60, env=env, cwd=Path(os.getcwd()))
    terminal.wait_for("7 of 7 fresh")
    screen = terminal.wait_for(lambda shown: all(row in shown for row in ROWS))
    assert "FAILING" in screen
    terminal.send("q")
    assert terminal.wait_ended() == 0
