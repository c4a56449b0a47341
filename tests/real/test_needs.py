"""Where a server is missing: a skip that says what to install, and a failure where servers are required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_without_programs(**environment: str) -> subprocess.CompletedProcess[str]:
    """A real test, run on a machine whose PATH holds nothing."""
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "STATUSBOARD_REQUIRE_SERVERS"}}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "tests/real/test_tmux.py::test_it_tells_how_a_program_ended",
        ],
        cwd=ROOT,
        env={**kept, "PATH": "/nonexistent", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_program_skips_with_its_cure() -> None:
    done = run_without_programs()
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "tmux is not installed; on Debian: apt-get install tmux" in done.stdout


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"STATUSBOARD_REQUIRE_SERVERS": "1"}], ids=["ci", "asked"])
def test_a_missing_program_fails_where_servers_are_required(environment: dict[str, str]) -> None:
    done = run_without_programs(**environment)
    assert done.returncode == 1, done.stdout
    assert "1 error" in done.stdout or "1 failed" in done.stdout
    assert "tmux is not installed; on Debian: apt-get install tmux" in done.stdout
