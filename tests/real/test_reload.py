"""The config changes under running boards, as people and deployments change it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.board import Bench, bench
from tests.real.process import wait_until
from tests.real.screens import Items, build, open_board, serving
from tests.real.tmux import Tmux

FAULTS = re.compile(r"Traceback| (ERROR|CRITICAL) ")


@pytest.fixture
def items() -> Iterator[Items]:
    with serving() as server:
        server.items = [build("one", "failed"), build("two")]
        yield server


@pytest.fixture
def others() -> Iterator[Items]:
    with serving() as server:
        server.items = [build("nine")]
        yield server


@pytest.fixture
def board(items: Items, tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path / "board", f"board: {{id: reload}}\nsources:\n  - {items.source()}\n") as made:
        yield made


def replace(board: Bench, text: str) -> None:
    """Write the config as most editors do: another file, renamed into its place."""
    new = board.config.with_name(".config.yaml.new")
    new.write_text(text)
    new.rename(board.config)


def test_a_board_follows_its_config(board: Bench, terminal: Tmux, items: Items, others: Items) -> None:
    before = board.config.read_text()
    more = before + f"  - {others.source(name='more')}\n"
    open_board(terminal, board)
    terminal.wait_for("build two")
    terminal.wait_for("1 of 1 fresh")
    terminal.send("/")
    terminal.wait_for("Esc clears")
    terminal.write("is:failing")
    terminal.send("Enter")
    terminal.wait_for(lambda screen: "build one" in screen and "build two" not in screen)
    replace(board, more + "keys: {quit: K}\n")
    terminal.wait_for("2 of 2 fresh")
    others.items = [build("nine", "failed")]
    replace(board, more + "keys: {quit: K}\nveiws: []\n")
    screen = terminal.wait_for("config not applied: config.yaml:6: unknown key `veiws`")
    assert "is:failing" in screen and "build one" in screen
    replace(board, more + "keys: {quit: K}\n")
    terminal.wait_for(lambda screen: "not applied" not in screen)
    terminal.wait_for("build nine")
    replace(board, before)
    terminal.wait_for(lambda screen: "build nine" not in screen and "1 of 1 fresh" in screen)
    assert "is:failing" in terminal.capture(), "the filter has survived all of it"
    terminal.send("q")
    terminal.wait_for(re.compile(r"^ended 0$", re.MULTILINE))
    assert not FAULTS.search(board.log)


def test_two_boards_of_one_config_change_together(
    board: Bench, items: Items, others: Items, terminal: Tmux, tmp_path: Path
) -> None:
    second = Tmux()
    try:
        open_board(terminal, board)
        terminal.wait_for("build two")
        open_board(second, board)
        second.wait_for("following")
        for server, shown, gone in ((others, "build nine", "build two"), (items, "build two", "build nine")):
            replace(board, f"board: {{id: reload}}\nsources:\n  - {server.source()}\n")
            for each in (terminal, second):
                each.wait_for(re.compile(rf"(?s)^(?!.*{gone}).*{shown}"))
        for each in (terminal, second):
            assert "other options" not in each.capture()
    finally:
        second.kill()
    assert not FAULTS.search(board.log)


def test_a_swapped_config_map(board: Bench, terminal: Tmux, others: Items) -> None:
    """config.yaml -> ..data/config.yaml, where ..data leads to another folder after each change."""
    folder = board.folder
    for name, text in (
        ("..1", board.config.read_text()),
        ("..2", board.config.read_text() + f"  - {others.source(name='more')}\n"),
    ):
        (folder / name).mkdir()
        (folder / name / "config.yaml").write_text(text)
    board.config.unlink()
    (folder / "..data").symlink_to("..1")
    board.config.symlink_to("..data/config.yaml")
    open_board(terminal, board)
    terminal.wait_for("1 of 1 fresh")
    os.symlink("..2", folder / "..data_tmp")
    os.rename(folder / "..data_tmp", folder / "..data")
    terminal.wait_for("build nine")
    terminal.wait_for("2 of 2 fresh")
    assert "restart" not in terminal.capture() and not FAULTS.search(board.log)
    wait_until("one store", lambda: len(list((folder / "data").glob("*.sqlite"))) == 1)
