"""The board and its terminal: whatever ends it, the terminal is as it was; whatever the terminal is, it can be read."""

from __future__ import annotations

import os
import pty
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.cli.kit import read_until
from tests.real.board import STATUSBOARD, Bench, bench
from tests.real.process import wait_until
from tests.real.screens import BEFORE, Items, build, colours, ended, open_board, pid_of, restored, serving
from tests.real.tmux import Tmux

FAULTS = re.compile(r"Traceback| (ERROR|CRITICAL) ")


@pytest.fixture
def items() -> Iterator[Items]:
    with serving() as server:
        server.items = [build("one", "failed"), build("two")]
        yield server


@pytest.fixture
def board(items: Items, tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "board", f"board: {{id: terminal}}\nsources: [{items.source()}]\n") as made:
        yield made


# -- however it ends


def by_keys(terminal: Tmux, board: Bench) -> None:
    terminal.send("C-c")


def by_signal(number: signal.Signals) -> Callable[[Tmux, Bench], None]:
    def send(terminal: Tmux, board: Bench) -> None:
        os.kill(pid_of(terminal, board), number)

    return send


@pytest.mark.parametrize(
    "end", [by_keys, by_signal(signal.SIGTERM), by_signal(signal.SIGHUP)], ids=["ctrl-c", "term", "hup"]
)
def test_the_terminal_is_given_back(
    end: Callable[[Tmux, Bench], None], board: Bench, terminal: Tmux, tmp_path: Path
) -> None:
    record = tmp_path / "bytes"
    open_board(terminal, board, record=record)
    terminal.wait_for("build two")
    end(terminal, board)
    code, left = ended(terminal)
    assert code == 0
    assert left.strip() == BEFORE, "the shell's screen, and nothing else on it"
    wait_until("the end is recorded", lambda: b"icanon" in record.read_bytes())
    restored(record.read_bytes())
    assert not FAULTS.search(board.log)
    assert _holder(board) == "", "the store was given back"


def test_a_window_that_is_closed_ends_the_board(board: Bench, terminal: Tmux) -> None:
    open_board(terminal, board)
    terminal.wait_for("build two")
    pid = pid_of(terminal, board)
    terminal.kill()
    try:
        wait_until("the board has ended", lambda: not _alive(pid), timeout=15)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not FAULTS.search(board.log)


def test_an_output_that_is_closed_without_a_signal_ends_the_board(board: Bench) -> None:
    ours, its = pty.openpty()
    try:
        process = subprocess.Popen(
            STATUSBOARD,
            env={**board.environment, "TERM": "xterm-256color"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,  # it has no controlling terminal, so nobody sends it a SIGHUP
        )
    finally:
        os.close(its)
    try:
        shown = read_until(ours, b"build two")
        os.close(ours)
        wait_until("the board has ended", lambda: process.poll() is not None, timeout=15)
        assert b"Traceback" not in shown
        assert not FAULTS.search(board.log)
    finally:
        process.kill()
        process.wait()


def _holder(board: Bench) -> str:
    """Who polls, as the database says."""
    (database,) = (board.folder / "data").glob("*.sqlite")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT holder FROM lease").fetchone()
    return str(row[0] or "") if row is not None else ""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- whatever the terminal is


def test_a_dumb_terminal_is_told_what_to_use(board: Bench, terminal: Tmux, tmp_path: Path) -> None:
    record = tmp_path / "bytes"
    open_board(terminal, board, env={"TERM": "dumb"}, record=record)
    code, left = ended(terminal)
    assert code == 2
    assert "`statusboard show`" in left
    assert b"\x1b" not in record.read_bytes()


def test_without_a_terminal_it_says_so(board: Bench) -> None:
    done = subprocess.run(
        STATUSBOARD, env=board.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "`statusboard show`" in done.stderr


LOOKS = {
    "no color": ({"NO_COLOR": "1"}, "✗ failed", set[str]()),
    "console": ({"TERM": "linux", "COLORTERM": ""}, "X failed", {"sixteen"}),
    "no locale": ({"LC_ALL": "C", "LANG": ""}, "failed", {"rgb"}),
    "another encoding": ({"PYTHONIOENCODING": "iso-8859-1"}, "X failed", {"rgb"}),
}


@pytest.mark.parametrize("look", LOOKS)
def test_it_can_be_read_on(look: str, board: Bench, items: Items, terminal: Tmux, tmp_path: Path) -> None:
    items.items = [build("ünï-漢", "failed"), build("two")]
    environment, failed, allowed = LOOKS[look]
    record = tmp_path / "bytes"
    open_board(terminal, board, env=environment, record=record)
    screen = terminal.wait_for(lambda screen: "build two" in screen and "FAILING 1" in screen and failed in screen)
    assert allowed == {"rgb"} or "✗" in screen or re.sub("[ünï漢]", "", screen).isascii()
    assert len(re.findall(re.escape(failed), screen)) == 1
    terminal.send("q")
    code, left = ended(terminal)
    assert code == 0 and left.strip() == BEFORE
    wait_until("the end is recorded", lambda: b"icanon" in record.read_bytes())
    restored(record.read_bytes())
    assert colours(record.read_bytes()) == allowed
    assert not FAULTS.search(board.log)


# -- whatever its size


def test_too_small_it_says_so_and_comes_back(board: Bench, terminal: Tmux) -> None:
    open_board(terminal, board, width=20, height=5)
    terminal.wait_for(lambda screen: "Needs 40x8" in screen and "FAILING 1" in screen)
    terminal.resize(60, 20)
    terminal.wait_for(lambda screen: "build two" in screen and "FAILING 1" in screen and "Needs" not in screen)
    terminal.resize(20, 5)
    terminal.wait_for("Needs 40x8")
    terminal.send("q")
    terminal.wait_for("extproc")
    terminal.resize(120, 40)  # which brings the shell's words back that had scrolled away
    assert ended(terminal)[0] == 0
    assert not FAULTS.search(board.log)


SIZES = (
    (60, 20),
    (300, 100),
    (61, 21),
    (20, 5),
    (80, 24),
    (299, 30),
    (60, 100),
    (140, 41),
    (1, 1),
    (200, 60),
    (60, 20),
)


def test_a_storm_of_resizes_while_things_change(board: Bench, items: Items, terminal: Tmux) -> None:
    open_board(terminal, board)
    items.items = [build(f"b{n}", "failed" if n % 3 == 0 else "success") for n in range(30)]
    calm = terminal.wait_for(
        lambda screen: all(words in screen for words in ("build b29", "FAILING 10", "Builds  30", "1 of 1 fresh"))
    )
    for turn, (width, height) in enumerate(SIZES * 3):
        items.items = [
            build(f"b{n}", "failed" if (n + turn) % 3 == 0 else "success", title=f"build b{n} turn {turn}")
            for n in range(30 + turn % 2)
        ]
        terminal.resize(width, height)
    terminal.resize(120, 40)
    terminal.wait_for(f"turn {len(SIZES) * 3 - 1}")
    items.items = [build(f"b{n}", "failed" if n % 3 == 0 else "success") for n in range(30)]
    terminal.wait_for(lambda screen: _still(screen) == _still(calm))
    terminal.send("q")
    assert ended(terminal)[0] == 0
    assert not FAULTS.search(board.log)


def _still(screen: str) -> list[str]:
    """A screen without its clock and revision, and without what else moves: marks of what changed, hints of keys."""
    lines = [line for line in screen.splitlines() if "1 Overview" not in line]
    return sorted(re.sub(r" r\d+|\d\d:\d\d:\d\d|✱", "", line).strip() for line in lines)


# -- two at once


def test_two_boards_on_a_fresh_folder(board: Bench, terminal: Tmux) -> None:
    with Tmux() as other:
        for each in (terminal, other):
            open_board(each, board)
        for each in (terminal, other):
            each.wait_for(lambda screen: "1 of 1 fresh" in screen and "build two" in screen)
        # Rows of the store may be shown before a board knows whose the polling is.
        wait_until(
            "one board that polls and one that follows",
            lambda: sum("following" in each.capture() for each in (terminal, other)) == 1,
        )
        for each in (terminal, other):
            each.send("q")
            assert ended(each)[0] == 0
    assert not re.search(r"Traceback| (ERROR|CRITICAL|WARNING) ", board.log), board.log
    assert board.log.count("polling 1 sources") >= 1
