"""``statusboard replay``: a stretch of the past in a real terminal, and times that are none."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from statusboard.cli.replay import _stretch
from tests.app.test_program import home
from tests.app.test_rewind import remember
from tests.bench.harness_pty import PtyProgram

REPLAY = [sys.executable, "-m", "statusboard", "replay"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home with the history of a morning."""
    asyncio.run(remember(tmp_path / "history.db"))
    config = tmp_path / "config.yaml"
    config.write_text(f"board: {{title: Morning, store: {tmp_path / 'history.db'}, timezone: UTC}}\n")
    return home(tmp_path, STATUSBOARD_CONFIG=str(config))


def test_it_plays_holds_and_leads_to_the_present(environment: dict[str, str]):
    times = ["--from", "2026-03-12 09:05", "--to", "2026-03-12 09:45", "--speed", "30"]
    with PtyProgram([*REPLAY, *times], env=environment) as program:
        program.wait_for("REPLAY 30x Thu 12 Mar 09:0", timeout=30)
        program.send(" ")
        program.wait_for("REPLAY PAUSED")
        program.settle()
        program.send("]")
        program.settle()
        before = program.bytes_written
        program.send("0")
        program.wait_for("FAILING", after=before)
        program.send("q")
        assert program.wait() == 0


def test_a_stretch_that_was_never_seen_ends_with_a_word(environment: dict[str, str]):
    times = ["--from", "2026-03-01 09:05", "--to", "2026-03-12 09:45"]
    with PtyProgram([*REPLAY, *times], env=environment) as program:
        assert program.wait(30) == 2
        assert b"the earliest is 2026-03-12 09:00:00 UTC" in program.output
        assert b"Traceback" not in program.output


def test_times_are_of_the_zone_of_the_board():
    first, last = _stretch("2026-03-12 09:00", "2026-03-12 10:00", "Europe/Berlin")
    assert (first, last) == (datetime(2026, 3, 12, 8, tzinfo=UTC), datetime(2026, 3, 12, 9, tzinfo=UTC))
    first, last = _stretch("-2h", "now", "")
    assert last - first == timedelta(hours=2)


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        ("lunch", "now", "--from"),
        ("-1h", "supper", "--to"),
        ("-1h", "-2h", "not before"),
        ("-1h", "2199-01-01", "lies ahead"),
    ],
)
def test_times_that_are_none(since: str, until: str, told: str):
    with pytest.raises(click.UsageError, match=told):
        _stretch(since, until, "UTC")
