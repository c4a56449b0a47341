"""Walls over ssh, set up as docs/walls.md has it: who logs in sees the wall, and leaves no process behind."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.board import Bench, bench
from tests.real.process import wait_until
from tests.real.screens import Items, build, serving
from tests.real.walls import WallHost

WALLS = 20


@pytest.fixture
def items() -> Iterator[Items]:
    with serving() as server:
        server.items = [build("web", "failed")]
        yield server


@pytest.fixture
def poller(items: Items, tmp_path: Path) -> Iterator[Bench]:
    """The one process that polls."""
    with bench(tmp_path / "board", f"board: {{id: acme}}\nsources: [{items.source()}]\n") as made:
        made.start("poll")
        store = made.folder / "data" / "acme.sqlite"
        wait_until("the poller has read", lambda: store.exists() and items.asked > 1)
        yield made


def store_of(poller: Bench) -> Path:
    return poller.folder / "data" / "acme.sqlite"


@pytest.fixture
def host(poller: Bench, tmp_path: Path) -> Iterator[WallHost]:
    made = WallHost(tmp_path / "walls", store_of(poller))
    yield made
    made.close()


@pytest.mark.parametrize("by_key", [False, True])
def test_whoever_logs_in_sees_the_wall_and_runs_nothing_else(poller: Bench, by_key: bool, tmp_path: Path) -> None:
    host = WallHost(tmp_path / "walls", store_of(poller), by_key=by_key)
    try:
        display = host.connect("touch", str(tmp_path / "taken"))
        display.wait_for("1 source fresh", timeout=60)
        display.wait_for("BUILD FAILED")
        assert not (tmp_path / "taken").exists()
        # Nothing that the keyboard sends leads anywhere but to a hint.
        display.send(*"fRroyYpz:?/", "escape", "ctrl+p")
        display.settle()
        assert host.walls(), "it was left by a key"
        display.send("q")
        display.wait_for("Press it once more")
        display.send("q")
        assert display.wait() == 0
        host.until(0, timeout=30)
    finally:
        host.close()


def test_without_a_terminal_it_says_why(host: WallHost) -> None:
    done = host.sshd.call()
    assert done.returncode == 2
    assert b"needs a terminal" in done.stderr


def test_twenty_walls_are_fed_by_the_one_that_polls(host: WallHost, poller: Bench, items: Items) -> None:
    for display in [host.connect() for _ in range(WALLS - 1)]:
        display.wait_for("1 source fresh", timeout=60)
    # How long one more takes is measured by `python -m tests.bench walls`.
    host.connect().wait_for("1 source fresh", timeout=60)
    assert len(host.walls()) == WALLS
    # All of them see what one has read.
    items.items = [build("web", "failed"), build("shop", "failed")]
    for display in host.displays:
        display.wait_for("build shop", timeout=60)
    with sqlite3.connect(f"file:{store_of(poller)}?mode=ro", uri=True) as database:
        holders = database.execute("SELECT holder FROM lease WHERE name = 'poll'").fetchall()
    assert [holder.split(":")[1] for (holder,) in holders] == [str(poller.processes[0].pid)]
    # One asks once a second; twenty that asked too would ask twenty times as often.
    asked, began = items.asked, time.monotonic()
    time.sleep(5)
    assert items.asked - asked <= 2 * (time.monotonic() - began)
    for display in host.displays:
        display.signal(signal.SIGKILL)
    host.until(0, timeout=60)


def test_a_closed_client_ends_its_wall(host: WallHost) -> None:
    display = host.connect()
    display.wait_for("1 source fresh", timeout=60)
    assert len(host.walls()) == 1
    display.signal(signal.SIGKILL)
    host.until(0, timeout=30)
    log = (host.folder / "log").read_text()
    assert "unexpected" not in log and "Traceback" not in log


@pytest.mark.parametrize("quick", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_a_dead_network_ends_its_wall(quick: bool, poller: Bench, tmp_path: Path) -> None:
    """The client stands still: its side acknowledges what it is sent, and answers nothing any more."""
    host = WallHost(tmp_path / "walls", store_of(poller), quick=quick)
    try:
        display = host.connect()
        host.answer_for(display)
        display.wait_for("1 source fresh", timeout=60)
        (wall,) = host.walls()
        time.sleep(5)  # longer than a quick one waits: a terminal that answers keeps its wall
        assert host.walls() == [wall]
        display.signal(signal.SIGSTOP)
        host.until(0, timeout=60)
        display.signal(signal.SIGCONT)
    finally:
        host.close()


def test_when_the_poller_ends_no_wall_stays_calm(host: WallHost, poller: Bench, items: Items) -> None:
    items.items = [build("web")]
    display = host.connect()
    display.wait_for("1 source fresh", timeout=60)
    poller.processes[0].send_signal(signal.SIGKILL)
    display.wait_for("stale, read", timeout=60)


def test_a_store_that_was_replaced_is_followed_again(host: WallHost, poller: Bench) -> None:
    display = host.connect()
    display.wait_for("1 source fresh", timeout=60)
    (process,) = poller.processes
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    for file in store_of(poller).parent.glob("acme.sqlite*"):
        file.unlink()
    display.wait_for("what is shown may be over", timeout=60)
    before = display.bytes_written
    poller.start("poll")
    display.wait_for("1 source fresh", timeout=60, after=before)
