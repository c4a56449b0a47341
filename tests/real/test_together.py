"""Several processes on one store: the same picture for all, and no gap in who polls."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from statusboard.model import decode
from tests.real.board import Bench, bench
from tests.real.process import wait_until
from tests.real.servers import Alertmanager

CONFIG = """
board: {{id: together}}
sources:
  - {{type: alertmanager, name: am, url: "{url}", interval: 1s, hold: 0s}}
"""
FOLLOWERS = ("one.jsonl", "two.jsonl")


def test_two_boards_and_a_poll_are_one_picture(quiet_alertmanager: Alertmanager, tmp_path: Path) -> None:
    _together(quiet_alertmanager, tmp_path, seconds=15)


@pytest.mark.soak
def test_one_picture_for_five_minutes(quiet_alertmanager: Alertmanager, tmp_path: Path) -> None:
    _together(quiet_alertmanager, tmp_path, seconds=300)


def _together(am: Alertmanager, folder: Path, *, seconds: float) -> None:
    with bench(folder, CONFIG.format(url=am.url)) as board:
        poller = board.start("poll")
        wait_until("somebody polls", lambda: _holder(board), timeout=20)
        for name in FOLLOWERS:
            board.start("show", "--watch", "--heartbeat", "200ms", output=name)
        wait_until("both follow", lambda: all(_beats(board, name) for name in FOLLOWERS), timeout=20)
        fired = _churn(am, seconds / 2)
        first = _holder(board)
        assert first is not None and first.split(":")[1] == str(poller.pid)

        poller.kill()  # -9: nothing is given back
        am.fire({"alertname": "WhileNobodyPolled", "severity": "high"})
        wait_until("another polls", lambda: _taken(board, first), timeout=10)
        fired |= _churn(am, seconds / 2, start=len(fired))
        am.fire({"alertname": "Last", "severity": "high"})
        wait_until("the last alert is seen", lambda: _all_see(board, "Last"), timeout=20)

        changes = board.changes()
        assert [change.seq for change in changes] == list(range(1, len(changes) + 1)), "seq has no gap"
        detected = [decode(c.body).title for c in changes if c.type == "incident.detected" and c.body]
        resolved = [decode(c.body).title for c in changes if c.type == "incident.resolved" and c.body]
        assert sorted(detected) == sorted({*fired, "WhileNobodyPolled", "Last"}), "each alert once, none lost"
        assert sorted(resolved) == sorted(fired)
        _one_picture(board)
        first_span, second_span = board.stored(lambda store: store.coverage("am"))
        assert first_span.last_success < second_span.since, "between the two nobody watched, and it is recorded"


def _churn(am: Alertmanager, seconds: float, start: int = 0) -> set[str]:
    """Fire and resolve alerts, one after another, for so long; returns their names."""
    names: set[str] = set()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        labels = {"alertname": f"A{start + len(names)}", "severity": "high"}
        am.fire(labels)
        _pause(1.5)  # longer than one interval: every alert must be seen
        am.resolve(labels)
        names.add(labels["alertname"])
        _pause(0.1)
    _pause(1.5)
    return names


def _pause(seconds: float) -> None:
    """Let the world go on: this is what the test is about, not a wait for a result."""
    until = time.monotonic() + seconds
    wait_until("time passes", lambda: time.monotonic() >= until or None, timeout=seconds + 5)


def _holder(board: Bench) -> str | None:
    """Which process holds the lease: its host, number and run, as the database says."""
    found = list((board.folder / "data").glob("*.sqlite"))
    if not found:
        return None
    with closing(sqlite3.connect(f"file:{found[0]}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT holder FROM lease").fetchone()
        except sqlite3.OperationalError:  # being created
            return None
    return row[0] if row is not None and row[0] else None


def _taken(board: Bench, before: str) -> str | None:
    now = _holder(board)
    return now if now != before else None


def _beats(board: Bench, name: str) -> list[dict[str, Any]]:
    return [line for line in board.lines(name) if "heartbeat" in line]


def _all_see(board: Bench, title: str) -> bool:
    return all(any(title in str(line.get("after")) for line in board.lines(name)) for name in FOLLOWERS)


def _one_picture(board: Bench) -> None:
    """At each revision that several have shown, all had the same digest."""
    digests: dict[int, set[str]] = {}
    for name in FOLLOWERS:
        for beat in _beats(board, name):
            digests.setdefault(beat["revision"], set()).add(beat["digest"])
    _, picture = board.show()
    digests.setdefault(picture["revision"], set()).add(picture["digest"])
    shared = [digest for digest in digests.values() if len(digest) > 1]
    assert not shared, "one revision, one digest"
    seen = [{beat["revision"] for beat in _beats(board, name)} for name in FOLLOWERS]
    assert len(seen[0] & seen[1]) >= 3, "they did show the same revisions"
