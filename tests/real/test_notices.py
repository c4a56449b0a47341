"""Notices as a terminal gets them: every byte, on a terminal of its own and through tmux; and a command that is run."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real.board import STATUSBOARD, Bench, bench
from tests.real.process import wait_until
from tests.real.screens import Items, build, open_board, serving
from tests.real.tmux import Tmux

HOSTILE = "a;b\x1b]52;c;eA==\x07\x9c \u202e[/b] \nc"
SHOWN = "one on main: a;b]52;c;eA== [/b] c"


@pytest.fixture
def items() -> Iterator[Items]:
    with serving() as server:
        server.items = [build("one"), build("two")]
        yield server


@contextmanager
def board(folder: Path, items: Items, notices: str) -> Iterator[Bench]:
    config = f"board: {{id: notices}}\nsources: [{items.source()}]\nnotices: {notices}\n"
    with bench(folder / "board", config) as made:
        yield made


class Outside:
    """A terminal's outside: what a program writes to it, as it comes."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.seen = b""
        self._ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen(
            command, env=dict(env), stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._ours, 1 << 16):
                self.seen += chunk
        except OSError:  # the program has ended
            return

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(5)
            os.close(self._ours)


def known(items: Items, polls: int = 4) -> None:
    """Wait until the source has answered often enough for its news to be news."""
    asked = items.asked
    wait_until("some more polls", lambda: items.asked >= asked + polls)


def notifications(seen: bytes) -> list[bytes]:
    """The sequences for notifications and clipboards, and bells that end no sequence, among what was seen."""
    found = re.findall(rb"\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)|\x07", seen)
    return [each for each in found if re.match(rb"\x07|\x1b\](9|99|777|52);", each)]


def fail(items: Items) -> None:
    items.items = [build("one", "failed", title=HOSTILE), build("two")]


@pytest.mark.parametrize(
    "term, form, written",
    [
        ("xterm-kitty", "auto", ["99;i=statusboard-1:u=2:d=0;build failed", f"99;i=statusboard-1:u=2:p=body;{SHOWN}"]),
        ("foot", "auto", [f"777;notify;build failed;{SHOWN.replace(';', ',')}"]),
        ("xterm-256color", "osc9", [f"9;build failed: {SHOWN.replace(';', ',')}"]),
    ],
)
def test_the_terminal_gets_the_bell_and_one_notification(
    term: str, form: str, written: list[str], items: Items, tmp_path: Path
) -> None:
    rule = "{when: 'kind:build', on: [failed], by: [bell, terminal]}"
    with board(tmp_path, items, f"{{terminal: {form}, rules: [{rule}]}}") as made:
        env = {name: value for name, value in made.environment.items() if not name.startswith(("TMUX", "TERM_PROGRAM"))}
        with Outside(STATUSBOARD, {**env, "TERM": term}) as terminal:
            wait_until("the board is there", lambda: b"build two" in terminal.seen)
            known(items)
            assert notifications(terminal.seen) == []
            fail(items)
            expected = [b"\x07", *(f"\x1b]{text}\x1b\\".encode() for text in written)]
            wait_until("the notification", lambda: notifications(terminal.seen) == expected)
            known(items, polls=2)
            assert notifications(terminal.seen) == expected, "once"


def test_tmux_passes_a_notification_on_when_asked(items: Items, tmp_path: Path, terminal: Tmux) -> None:
    rule = "{when: 'kind:build', on: [failed], by: [terminal]}"
    record = tmp_path / "bytes"
    with board(tmp_path, items, f"{{terminal: osc9, tmux: true, rules: [{rule}]}}") as made:
        open_board(terminal, made, record=record)
        terminal.wait_for("build two")
        terminal._run("set-option", "-g", "allow-passthrough", "on")
        env = {**os.environ, "TERM": "xterm-256color"}
        env.pop("TMUX", None)
        with Outside([*terminal._client, "attach"], env) as outside:
            wait_until("tmux shows the board", lambda: b"build two" in outside.seen)
            known(items)
            fail(items)
            sequence = f"\x1b]9;build failed: {SHOWN.replace(';', ',')}\x1b\\".encode()
            wait_until("tmux passes it on", lambda: sequence in outside.seen)
            inner = b"\x1bPtmux;" + sequence.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\"
            wait_until("what was written to tmux", lambda: inner in record.read_bytes())
            assert outside.seen.count(b"\x1b]9;") == 1


def test_inside_tmux_it_is_said_what_is_needed(items: Items, tmp_path: Path, terminal: Tmux) -> None:
    rule = "{on: [failed], by: [terminal]}"
    record = tmp_path / "bytes"
    with board(tmp_path, items, f"{{terminal: osc9, rules: [{rule}]}}") as made:
        open_board(terminal, made, record=record)
        terminal.wait_for("build two")
        known(items)
        fail(items)
        terminal.wait_for("inside tmux they need")
        assert b"]9;" not in record.read_bytes()
        assert made.log.count("notices by terminal fail") == 1


def test_a_command_gets_the_notice_and_no_secret(items: Items, tmp_path: Path, terminal: Tmux) -> None:
    out = tmp_path / "out"
    tell = tmp_path / "tell"
    tell.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" "$2" "[$SECRET] [$MINE]" "$(ps -o tty= -p $$)" >> {out}\n')
    tell.chmod(0o755)
    rule = f"{{on: [failed, recovered], by: [command], command: [{tell}, '{{what}}', '{{title}}']}}"
    with board(tmp_path, items, f"{{rules: [{rule}]}}") as made:
        text = made.config.read_text()
        made.config.write_text(text.replace('"interval"', '"token": "env:SECRET", "interval"'))
        open_board(terminal, made, env={"SECRET": "hunter2", "MINE": "mine"})
        terminal.wait_for("build two")
        known(items)
        items.items = [build("one", "failed", title="--help $(id)"), build("two")]
        wait_until("the command has run", out.exists)
        items.items = [build("one"), build("two")]
        lines = wait_until("it has run again", lambda: text if (text := out.read_text()).count("\n") == 8 else None)
        assert lines.split("\n")[:4] == ["failed", " --help $(id)", "[] [mine]", "?"]
        assert lines.split("\n")[4:6] == ["recovered", "build one"]
