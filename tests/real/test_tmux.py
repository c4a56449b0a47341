"""The terminal of the real tests: what a program writes can be read, recorded and answered."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.real.process import Late, wait_until
from tests.real.tmux import Tmux


def test_it_shows_what_a_program_writes_and_sends_what_is_typed(terminal: Tmux) -> None:
    terminal.start(
        ["sh", "-c", 'printf "your \\033[31mname\\033[0m? "; read -r name; echo "hello, $name"; read -r end']
    )
    assert "your name?" in terminal.wait_for("your name?")
    assert "\x1b[31mname" in terminal.capture_ansi()
    terminal.write("Ada; #{pid}")
    terminal.send("Enter")
    terminal.wait_for(re.compile(r"^hello, Ada; #\{pid\}$", re.MULTILINE))
    terminal.wait_for(lambda screen: screen.count("Ada") == 2)


def test_it_records_every_byte_from_the_first(terminal: Tmux, tmp_path: Path) -> None:
    record = tmp_path / "a folder" / "bytes"
    record.parent.mkdir()
    terminal.start(["printf", "\\033]2;title\\007\\033[1mfirst"], record=record)
    assert terminal.wait_ended() == 0
    terminal.wait_for("first")
    wait_until("all is recorded", lambda: record.read_bytes() == b"\x1b]2;title\x07\x1b[1mfirst")


def test_it_records_from_the_middle(terminal: Tmux, tmp_path: Path) -> None:
    record = tmp_path / "bytes"
    terminal.start(["sh", "-c", "echo one; read -r go; echo two; read -r end"])
    terminal.wait_for("one")
    terminal.pipe_to(record)
    terminal.send("Enter")
    wait_until("the second line is recorded", lambda: b"two" in record.read_bytes())
    assert b"one" not in record.read_bytes()


def test_a_program_gets_its_size_environment_and_folder(terminal: Tmux, tmp_path: Path) -> None:
    script = "trap 'stty size' WINCH; stty size; echo $TERM $COLORTERM $SHOP; pwd; while :; do sleep 0.05; done"
    terminal.start(
        ["sh", "-c", script], width=70, height=20, env={"TERM": "linux", "SHOP": "a b", "COLORTERM": ""}, cwd=tmp_path
    )
    terminal.wait_for("20 70\nlinux a b\n")
    terminal.wait_for(lambda screen: str(tmp_path) in screen.replace("\n", ""))
    terminal.resize(100, 30)
    terminal.wait_for("30 100")
    assert terminal.size == (100, 30)


def test_it_tells_how_a_program_ended(terminal: Tmux) -> None:
    terminal.start([sys.executable, "-c", "raise SystemExit(7)"])
    assert terminal.wait_ended() == 7


def test_it_tells_which_signal_ended_a_program(terminal: Tmux) -> None:
    terminal.start(["sh", "-c", "echo ready; read -r end"])
    terminal.wait_for("ready")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait_ended() == 128 + signal.SIGTERM


def test_a_text_that_does_not_come_is_reported_with_the_screen(terminal: Tmux) -> None:
    terminal.start(["sh", "-c", "echo something else; read -r end"])
    terminal.wait_for("something else")
    with pytest.raises(Late, match="(?s)'green'.*something else"):
        terminal.wait_for("green", timeout=0.2)
