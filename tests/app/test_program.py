"""The program in a terminal of its own: without a configuration, with a broken one, and as a demo."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from statusboard.cli.board import unfit
from tests.bench.harness_pty import PtyProgram

PROGRAM = [sys.executable, "-m", "statusboard"]
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l")


def home(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which nobody has ever run a board."""
    places = {name: str(folder / name.lower()) for name in ("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    for place in places.values():
        Path(place).mkdir(exist_ok=True)
    ours = {f"STATUSBOARD_{name}": str(folder / name.lower()) for name in ("DATA", "CACHE", "STATE")}
    log = {"STATUSBOARD_LOG": str(folder / "log" / "statusboard.log"), "STATUSBOARD_CONFIG": ""}
    return {**places, **ours, **log, "PYTHONPATH": os.getcwd(), **more}


def test_without_a_configuration_it_welcomes_and_leaves_nothing_behind(tmp_path):
    with PtyProgram(PROGRAM, env=home(tmp_path), cwd=tmp_path) as program:
        program.wait_for("See the demo", timeout=30)
        program.settle()
        before = program.bytes_written
        program.send("q")
        assert program.wait() == 0
        after = program.output[before:]
    for sequence in RESTORED:
        assert sequence in after
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left <= {"statusboard.log"}, "nothing but the log"


def test_a_configuration_with_a_mistake_is_told_before_the_terminal_is_touched(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("sources: [{type: githup, name: gh}]\n")
    with PtyProgram([*PROGRAM, "--config", str(config)], env=home(tmp_path)) as program:
        assert program.wait() == 2
        said = program.output.decode()
    assert "config.yaml:1" in said and "github" in said
    assert "Traceback" not in said and "\x1b[?1049h" not in said


@pytest.mark.parametrize("end", ["q", "ctrl+c", "TERM", "HUP"])
def test_the_demo_says_what_it_is_and_leaves_nothing_behind(end, tmp_path):
    environment = home(tmp_path)
    with PtyProgram([*PROGRAM, "demo", "--speed", "3"], env=environment) as program:
        program.wait_for("DEMO", timeout=30)
        program.wait_for("Incidents")
        program.settle()
        before = program.bytes_written
        if end.isupper():
            program.signal(getattr(signal, f"SIG{end}"))
        else:
            program.send(end)
        assert program.wait() == 0
        after = program.output[before:]
    for sequence in RESTORED:
        assert sequence in after
    assert b"Traceback" not in after
    assert list((tmp_path / "tmpdir").iterdir()) == []
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left <= {"statusboard.log"}, "nothing but the log"


def test_a_terminal_that_goes_away_ends_it(tmp_path):
    program = PtyProgram([*PROGRAM, "demo"], env=home(tmp_path))
    program.wait_for("DEMO", timeout=30)
    program._closed = True
    program._reader.join()
    os.close(program._master)
    program._master = -1
    assert program.wait(15) == 0


def test_what_is_no_terminal():
    assert "statusboard show" in unfit({"TERM": "dumb"})
