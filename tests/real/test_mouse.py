"""The mouse in a terminal: clicks, the wheel, and a key that gives it back so that text can be selected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.board import Bench, bench
from tests.real.process import wait_until
from tests.real.screens import build, open_board, serving
from tests.real.tmux import Tmux


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Bench]:
    with serving() as items:
        items.items = [build(f"{n:02}") for n in range(60)]
        with bench(tmp_path / "board", f"sources: [{items.source()}]\n") as made:
            yield made


def test_clicks_the_wheel_and_selecting_text(board: Bench, terminal: Tmux) -> None:
    open_board(terminal, board, height=30)
    screen = terminal.wait_for("build 05")
    assert terminal.mouse
    x, y = next((line.index("build 05"), y) for y, line in enumerate(screen.splitlines()) if "build 05" in line)
    terminal.write(f"\x1b[<0;{x + 1};{y + 1}M\x1b[<0;{x + 1};{y + 1}m")
    terminal.wait_for(lambda shown: "▌" in next(line for line in shown.splitlines() if "build 05" in line))
    terminal.write(f"\x1b[<65;{x + 1};{y + 1}M" * 8)
    terminal.wait_for(lambda shown: "build 05" not in shown)
    terminal.send("M")
    terminal.wait_for("the mouse is the terminal's")
    wait_until("the terminal has its mouse", lambda: not terminal.mouse)
    terminal.send("M")
    wait_until("the board has the mouse again", lambda: terminal.mouse)
