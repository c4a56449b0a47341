"""Bad input through the real command line: what a person reads, the exit code, and what is left untouched."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.real.board import STATUSBOARD, Bench, bench
from tests.real.process import wait_until
from tests.real.screens import Items, build, ended, open_board, serving, without_rights
from tests.real.tmux import Tmux

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
GOOD = "sources: [{type: deploy-log, name: deploys, path: deploys.jsonl}]\n"
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def items() -> Iterator[Items]:
    with serving() as server:
        server.items = [build("one", "failed"), build("two")]
        yield server


def run(
    board: Bench,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    wrapper: Sequence[str] = (),
) -> Done:
    """A command of the board, to its end.  It never shows a traceback."""
    done = subprocess.run(
        [*wrapper, *STATUSBOARD, *arguments],
        env={**board.environment, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


# -- the configuration


BOMB = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
WRONG: dict[str, tuple[str, int, str]] = {
    # what: (the file, the line that is named, words of the message)
    "empty": ("", 0, "the file is empty"),
    "not YAML": ("board: {id: x}\nsources: [}\n", 2, "check commas and brackets"),
    "a list": ("- board\n", 1, "not a list"),
    "tabs": ("board:\n\tid: x\n", 2, "tab"),
    "duplicate keys": (GOOD + "board: {id: a}\nboard: {id: b}\n", 3, "second time"),
    "custom tags": (GOOD + "theme: !!python/object/apply:os.system ['touch owned']\n", 2, "!!python"),
    "an alias bomb": (BOMB, 5, "100,000"),
    "an unknown key": (GOOD + "vews: []\n", 2, "did you mean `views`?"),
    "an unknown option": ("sources:\n  - type: github\n    name: gh\n    repositories: [a/b]\n", 4, "did you mean"),
    "a wrong type": (GOOD + "board:\n  keep: [x]\n", 3, "a list, where a duration is wanted"),
    "duplicate source names": (GOOD[:-2] + ",\n  {type: deploy-log, name: deploys, path: x}]\n", 2, "is taken"),
    "a secret in clear": (f"sources:\n  - {{type: github, name: gh, repos: a/b, token: {TOKEN}}}\n", 2, "in clear"),
    "a secret in a URL": ("sources: [{type: buildbot, name: b, url: 'https://me:pa55word@ci.example'}]", 1, "URL"),
    "a filter that does not parse": (GOOD + "views: [{name: a, filter: 'stat:failed'}]\n", 2, "stat"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_configuration_is_told_with_its_place(what: str, tmp_path: Path) -> None:
    text, line, words = WRONG[what]
    with bench(tmp_path, text) as board:
        done = run(board, "show", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        told = done.stderr.splitlines()
        where = f"config: {board.config}" + (f":{line}:" if line else ":")
        assert any(one.startswith(where) and words in one for one in told), done.stderr
        assert all(one.startswith(f"config: {board.config}") for one in told), "one line a problem"
        for secret in (TOKEN, "pa55word"):
            assert secret not in done.stderr + board.log
        assert not (tmp_path / "owned").exists() and not (tmp_path / "data").exists()


def test_a_secret_in_clear_is_told_with_its_cure(tmp_path: Path) -> None:
    with bench(tmp_path, WRONG["a secret in clear"][0]) as board:
        assert "statusboard login" in run(board, "show").stderr


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = "board: {keep: soon}\nvews: []\nsources:\n  - {type: githup, name: a}\n  - {type: alertmanager, name: b}\n"
    with bench(tmp_path, text) as board:
        done = run(board, "show")
        assert done.returncode == 2
        found = [
            re.match(rf"config: {re.escape(str(board.config))}:(\d+): ", line) for line in done.stderr.splitlines()
        ]
        assert [one and one[1] for one in found] == ["1", "2", "4", "5"]


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with bench(tmp_path, GOOD) as board:
        done = run(board, "--config", str(tmp_path / "other.yaml"), "show")
        assert done.returncode == 2 and f"{tmp_path}/other.yaml" in done.stderr and "no such file" in done.stderr
        home = {"STATUSBOARD_CONFIG": "", "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
        done = run(board, "show", env=home, cwd=tmp_path)
        assert done.returncode == 2 and "statusboard init" in done.stderr and "statusboard demo" in done.stderr


def test_more_than_a_megabyte(tmp_path: Path) -> None:
    with bench(tmp_path, GOOD + "# x\n" * 300_000) as board:
        done = run(board, "show")
        assert done.returncode == 2 and "larger than 1 MB" in done.stderr


def test_a_variable_that_is_not_set_is_named(items: Items, tmp_path: Path) -> None:
    source = items.source().removesuffix("}") + ', "token": "env:NOT_SET_HERE"}'
    with bench(tmp_path, f"sources: [{source}, {items.source('other')}]\n") as board:
        done = run(board, "show")
        assert done.returncode == 1, "the other source is read, and red"
        assert "NOT_SET_HERE" in done.stderr, "said before it fails"
        code, picture = board.show("--poll")
        ci, other = picture["sources"]
        assert other["state"] == "fresh" and ci["state"] == "down"
        assert "env:NOT_SET_HERE" in str([ci["error"], *ci["errors"]])
        assert code == 1 and picture["summary"]["blind"] == 1


INCLUDES: dict[str, tuple[dict[str, str], str, str]] = {
    # what: (files beside the main one, the file that is named, words of the message)
    "missing": ({}, "config.yaml:1", "no such file"),
    "unreadable": ({"team.yaml": "services: {web: }"}, "config.yaml:1", "permission denied"),
    "a loop": ({"team.yaml": "include: more.yaml", "more.yaml": "include: team.yaml"}, "more.yaml:1", "circle"),
    "a foreign secret": (
        {"team.yaml": "sources: [{type: github, name: gh, repos: a/b, token: 'env:AWS_SECRET_ACCESS_KEY'}]"},
        "team.yaml:1",
        "env:AWS_SECRET_ACCESS_KEY",
    ),
}


@pytest.mark.parametrize("what", INCLUDES)
def test_an_include_that_cannot_be_used(what: str, tmp_path: Path) -> None:
    files, where, words = INCLUDES[what]
    with bench(tmp_path, "include: team.yaml\n" + GOOD) as board:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0 if what == "unreadable" else 0o644)
        secret = {"AWS_SECRET_ACCESS_KEY": "not-for-you"}
        done = run(board, "show", env=secret, wrapper=without_rights() if what == "unreadable" else ())
        assert done.returncode == 2
        assert f"config: {tmp_path}/{where}: " in done.stderr and words in done.stderr
        assert "not-for-you" not in done.stderr + board.log


def test_the_config_of_a_folder_is_used_only_when_it_is_trusted(items: Items, tmp_path: Path) -> None:
    home = {"STATUSBOARD_CONFIG": "", "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    repository = tmp_path / "cloned"
    repository.mkdir()
    (repository / "statusboard.yaml").write_text(f"sources: [{items.source()}]\n")
    with bench(tmp_path / "board", "") as board:
        done = run(board, "show", env=home, cwd=repository)
        assert done.returncode == 2 and "statusboard trust" in done.stderr
        assert items.asked == 0, "nobody was asked anything"
        assert run(board, "trust", "--yes", env=home, cwd=repository).returncode == 0
        assert run(board, "show", env=home, cwd=repository).returncode == 1
        assert items.asked > 0
        with (repository / "statusboard.yaml").open("a") as file:
            file.write("# changed\n")
        done = run(board, "show", env=home, cwd=repository)
        assert done.returncode == 2 and "changed" in done.stderr


def test_one_name_with_other_options_on_one_store(items: Items, tmp_path: Path) -> None:
    with bench(tmp_path, f"board: {{id: shared}}\nsources: [{items.source()}]\n") as board:
        board.start("poll")
        wait_until("it polls", lambda: "polling 1 sources" in board.log)  # before anybody else could
        board.until("it has stored", lambda code, picture: picture["items"] or None)
        before = board.changes()
        other = tmp_path / "other.yaml"
        other.write_text(f"board: {{id: shared}}\nsources: [{items.source().replace('127.0.0.1', 'localhost')}]\n")
        done = run(board, "--config", str(other), "show", "--poll")
        assert done.returncode == 2
        assert re.search(r"\bci with other options", done.stderr) and "board.id" in done.stderr
        assert [c for c in board.changes() if c.kind == "build"] == [c for c in before if c.kind == "build"]


def test_a_board_whose_configuration_broke_says_so_and_gives_the_terminal_back(
    items: Items, terminal: Tmux, tmp_path: Path
) -> None:
    with bench(tmp_path, f"sources: [{items.source()}]\n") as board:
        open_board(terminal, board)
        terminal.wait_for("build two")
        terminal.send("q")
        assert ended(terminal)[0] == 0
        board.config.write_text("sorces: []\n")
        with Tmux() as again:
            open_board(again, board)
            code, left = ended(again)
            assert code == 2
            told = "".join(left.split())  # the terminal has broken the lines
            assert f"{board.config}:1:unknownkey`sorces`(didyoumean`sources`?)" in told


# -- the store


@pytest.fixture
def board(items: Items, tmp_path: Path) -> Iterator[Bench]:
    """A board whose store is about to suffer; it has been used once."""
    with bench(tmp_path / "board", f"board: {{id: bad}}\nsources: [{items.source()}]\n") as made:
        assert made.show("--poll")[0] == 1
        yield made


def database(board: Bench) -> Path:
    return board.folder / "data" / "bad.sqlite"


def shown(done: Done) -> Any:
    """What ``show --json`` printed."""
    return json.loads(done.stdout)


DENIED = re.compile("may not be written|Permission denied")
MEMORY = "nothing is stored, this board runs from memory"


def test_a_locked_store(board: Bench) -> None:
    _, before = board.show()
    builds = [c for c in board.changes() if c.kind == "build"]
    with closing(sqlite3.connect(database(board), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = run(board, "show", "--json", "--poll")
        other.execute("ROLLBACK")
    assert done.returncode == 1 and len(shown(done)["items"]) == 2
    assert MEMORY in done.stderr and "keeps" in done.stderr and str(database(board)) in done.stderr
    done = run(board, "show", "--json", "--poll")
    assert done.stderr == "" and shown(done)["store_id"] == before["store_id"], "the history goes on"
    assert [c for c in board.changes() if c.kind == "build"] == builds


def test_a_folder_that_may_not_be_written(board: Bench, terminal: Tmux) -> None:
    folder = database(board).parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)
    try:
        done = run(board, "show", "--json", "--poll", wrapper=without_rights())
        assert done.returncode == 1 and len(shown(done)["items"]) == 2
        assert MEMORY in done.stderr and DENIED.search(done.stderr)
        open_board(terminal, board, wrapper=without_rights())
        terminal.wait_for(lambda screen: MEMORY in screen and "build two" in screen)
        terminal.resize(250, 40)  # the name of the folder may be long
        terminal.wait_for(lambda screen: DENIED.search(" ".join(screen.split())) is not None)
        terminal.send("q")
        assert ended(terminal)[0] == 0
    finally:
        folder.chmod(0o700)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_fresh_board_where_no_folder_can_be_made(items: Items, tmp_path: Path) -> None:
    with bench(tmp_path / "board", f"sources: [{items.source()}]\n") as board:
        board.show("--poll")
        for place in ("a file", "closed/data"):
            (tmp_path / "a file").touch()
            (tmp_path / "closed").mkdir(mode=0o500, exist_ok=True)
            data = {"STATUSBOARD_DATA": str(tmp_path / place)}
            done = run(board, "show", "--json", env=data, wrapper=without_rights())
            assert done.returncode == 1, (place, done.stderr)
            assert MEMORY in done.stderr and len(shown(done)["items"]) == 2


def test_poll_says_that_nothing_is_kept(board: Bench) -> None:
    database(board).write_bytes(b"")
    database(board).unlink()
    database(board).mkdir()
    process = board.start("poll")
    told = board.folder / "stderr.txt"
    wait_until("it is told", lambda: MEMORY in told.read_text() and "polling" in told.read_text(), timeout=20)
    process.terminate()
    assert process.wait(10) == 0
    assert "Traceback" not in told.read_text()


@contextmanager
def small_disk(place: Path) -> Iterator[bool]:
    """A file system of 1 MiB at ``place``; False where this machine lets us mount none."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(path: Path) -> None:
    """Write until it can no longer be done."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


def test_a_disk_that_fills_up_under_a_running_board(items: Items, terminal: Tmux, tmp_path: Path) -> None:
    with (
        bench(tmp_path / "board", f"board: {{id: bad}}\nsources: [{items.source()}]\n") as board,
        small_disk(board.folder / "data") as mounted,
    ):
        # Where no small file system can be had, a limit on the size of each file does as well: 512 blocks of 512 bytes.
        open_board(terminal, board, wrapper=() if mounted else ["sh", "-c", 'ulimit -f 512; exec "$@"', "sh"])
        terminal.wait_for("build two")
        if mounted:
            with pytest.raises(OSError, match="No space left"):
                fill(board.folder / "data" / "filler")
        items.items = [build(f"{n}-{'x' * 300}", title=f"build {n} of many") for n in range(1_500)]
        screen = terminal.wait_for(lambda screen: MEMORY in screen, timeout=40)
        assert "FAILING 1" in screen or "of many" in screen, "what was known is still there"
        items.items = [build("last", "failed", title="after the disk was full")]
        terminal.wait_for("after the disk was full")
        terminal.send("q")
        assert ended(terminal)[0] == 0
        assert "Traceback" not in board.log


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 500)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [garbage, truncated])
def test_a_damaged_store_is_kept_aside(damage: Any, board: Bench) -> None:
    _, before = board.show()
    damage(database(board))
    damaged = database(board).read_bytes()
    done = run(board, "show", "--json", "--poll")
    assert done.returncode == 1 and shown(done)["store_id"] != before["store_id"]
    assert "the history was damaged and a new one begins" in done.stderr
    (aside,) = database(board).parent.glob("bad.sqlite.damaged-*Z")
    assert str(aside) in done.stderr and aside.read_bytes() == damaged
    done = run(board, "show", "--json", "--poll")
    assert done.stderr == "" and shown(done)["summary"]["failing"] == 1


def test_a_damaged_store_is_told_on_the_board(board: Bench, terminal: Tmux) -> None:
    garbage(database(board))
    open_board(terminal, board)
    screen = terminal.wait_for(lambda screen: "build two" in screen and "damaged" in screen)
    assert "a new one begins" in " ".join(screen.split()) and "FAILING 1" in screen
    terminal.send("q")
    assert ended(terminal)[0] == 0
    assert list(database(board).parent.glob("bad.sqlite.damaged-*Z"))


def test_a_store_of_a_newer_program_is_not_touched(board: Bench, terminal: Tmux) -> None:
    with closing(sqlite3.connect(database(board))) as connection:
        connection.execute("PRAGMA user_version=99")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = {path.name: path.read_bytes() for path in database(board).parent.iterdir()}
    for arguments in (("show", "--poll"), ("poll",), ("--read-only", "show")):
        done = run(board, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "newer" in done.stderr and str(database(board)) in done.stderr
    open_board(terminal, board)
    code, left = ended(terminal)
    assert code == 2 and "newer" in " ".join(left.split())
    assert {path.name: path.read_bytes() for path in database(board).parent.iterdir()} == before


# -- the output


@pytest.mark.parametrize("arguments", ["show --json --poll", "schema", "sources github", "--help"])
def test_an_output_that_is_closed_early(arguments: str, board: Bench) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{STATUSBOARD[0]} -m statusboard {arguments} | head -c 1"],
        env=board.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert len(done.stdout) == 1 and done.stderr == ""
    assert "Traceback" not in board.log
