"""The first run in a real terminal: the demo and back, a first source, and the board with it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.real.process import wait_until
from tests.real.screens import PYTHON
from tests.real.tmux import Tmux

pytestmark = pytest.mark.real

PROGRAM = [PYTHON, "-m", "statusboard"]


def welcome(terminal: Tmux, folder: Path, *, width: int = 80, height: int = 24, no_color: bool = False) -> None:
    """Start the program where nobody has ever run it."""
    for name in ("home", "here", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    places = {name: str(folder / "home" / name.lower()) for name in ("DATA", "CACHE", "STATE")}
    terminal.start(
        PROGRAM,
        env={
            **{f"STATUSBOARD_{name}": place for name, place in places.items()},
            "HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "home" / "config"),
            "STATUSBOARD_CONFIG": "",
            "STATUSBOARD_LOG": str(folder / "statusboard.log"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": os.getcwd(),
            "LINEAR_API_KEY": "lin-s3cr3t",
            **({"NO_COLOR": "1"} if no_color else {}),
        },
        cwd=folder / "here",
        width=width,
        height=height,
    )
    terminal.wait_for("There is no configuration yet")


def test_the_demo_and_back_and_out(terminal: Tmux, tmp_path: Path) -> None:
    welcome(terminal, tmp_path)
    screen = terminal.wait_for("linear")
    assert "LINEAR_API_KEY in the environment" in screen and "s3cr3t" not in screen
    terminal.send("d")
    terminal.wait_for("DEMO")
    terminal.send("q")
    terminal.wait_for("That was the demo")
    assert list((tmp_path / "tmp").iterdir()) == []
    terminal.send("q")
    assert terminal.wait_ended() == 0
    assert not (tmp_path / "home" / "config").exists()


def test_what_is_shown_is_saved_in_the_current_folder(terminal: Tmux, tmp_path: Path) -> None:
    welcome(terminal, tmp_path, width=100)
    terminal.send("d")
    terminal.wait_for("DEMO")
    terminal.wait_for("5 of 5 fresh")
    terminal.send("C-s")  # which a terminal with flow control would keep for itself
    terminal.wait_for("Save what is shown")
    terminal.send("3")
    terminal.wait_for(".csv")
    terminal.send("Enter")
    terminal.wait_for("saved to")
    (file,) = (tmp_path / "here").iterdir()
    assert file.read_text().startswith("kind,state,") and len(file.read_text().splitlines()) > 20
    terminal.send("q")
    terminal.wait_for("That was the demo")


def test_a_signal_in_the_demo_ends_everything(terminal: Tmux, tmp_path: Path) -> None:
    welcome(terminal, tmp_path)
    terminal.send("Enter")
    terminal.wait_for("DEMO")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait_ended() == 0
    wait_until("its files are gone", lambda: not list((tmp_path / "tmp").iterdir()))


@pytest.mark.parametrize("no_color", [False, True])
def test_from_nothing_to_a_board_by_keyboard_in_a_small_terminal(
    terminal: Tmux, tmp_path: Path, no_color: bool
) -> None:
    welcome(terminal, tmp_path, width=60, height=20, no_color=no_color)
    deploy = {"id": "1", "time": "2026-01-01T09:00:00Z", "service": "shop", "version": "1.2", "state": "success"}
    (tmp_path / "here" / "deploys.jsonl").write_text(json.dumps(deploy) + "\n")
    terminal.send("s")
    terminal.wait_for("Which tool is to be read?")
    terminal.wait_for("github")
    terminal.write("deploy-l")
    terminal.wait_for(lambda screen: "deploy-log" in screen and "github" not in screen)
    terminal.send("Enter")
    terminal.wait_for("path (needed)")
    terminal.write("deploys.jsonl")
    terminal.send("C-t")
    terminal.wait_for("OK: read 1 release")
    terminal.send("Enter")
    terminal.wait_for("This will be written to")
    terminal.send("Enter")
    terminal.wait_for("1 of 1 fresh")
    written = tmp_path / "home" / "config" / "statusboard" / "config.yaml"
    assert written.stat().st_mode & 0o777 == 0o600 and str(tmp_path / "here" / "deploys.jsonl") in written.read_text()
    terminal.send("q")
    assert terminal.wait_ended() == 0


def test_a_configuration_that_nobody_trusts_is_told_and_not_used(terminal: Tmux, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "statusboard.yaml").write_text("sources: [{type: exec, name: x, command: [touch, pwned]}]\n")
    welcome(terminal, tmp_path, width=120, height=50)
    terminal.wait_for("./statusboard.yaml is not trusted yet and is not used; read it, then run `statusboard trust`")
    terminal.send("w")
    terminal.wait_for("Where a configuration is looked for")
    terminal.send("Escape")
    terminal.wait_for("See the demo")
    terminal.send("q")
    assert terminal.wait_ended() == 0 and not (tmp_path / "here" / "pwned").exists()


def test_a_file_that_is_named_and_missing_is_where_it_would_be_written(terminal: Tmux, tmp_path: Path) -> None:
    missing = tmp_path / "mine.yaml"
    (tmp_path / "home").mkdir()
    terminal.start(
        [*PROGRAM, "--config", str(missing)],
        env={
            "HOME": str(tmp_path / "home"),
            "STATUSBOARD_LOG": str(tmp_path / "statusboard.log"),
            "PYTHONPATH": os.getcwd(),
        },
        width=200,
    )
    terminal.wait_for(f"{missing}, named by --config, does not exist")
    terminal.send("C-c")
    assert terminal.wait_ended() == 0 and not missing.exists()
