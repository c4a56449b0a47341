"""What a wall costs: bytes and processor time under a stream of changes, and what twenty of them cost behind one sshd.

The wall is the real program in a pseudo-terminal; it follows a store that this process changes.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.bench.filled import COUNT, Filled, item_of
from tests.bench.harness_pty import PtyProgram
from tests.bench.table import Row
from tests.real.walls import WallHost

WALL = [sys.executable, "-m", "statusboard", "--wall", "--read-only"]
BARE = [sys.executable, "-m", "tests.bench.bare"]
A_SECOND = 50
SECONDS = 30.0
WALLS = 20
LATE = 5
"""How many connections are measured with the others running."""
IDLE = 20.0


def rows() -> list[Row]:
    """All rows of walls."""
    with tempfile.TemporaryDirectory() as name:
        filled = Filled(Path(name))
        try:
            return [*_stream(filled), *_twenty(filled)]
        finally:
            filled.close()


def _stream(filled: Filled) -> list[Row]:
    """Fifty changes a second, each a write of its own, anywhere among 10,000 items; then all of them on the tiles."""
    found = []
    for what, choices in (("", range(COUNT)), (" of what it shows", range(0, 400, 20))):
        with PtyProgram(WALL, env=filled.environment) as wall:
            wall.wait_for("fresh")
            time.sleep(10)
            stop = threading.Event()
            writer = threading.Thread(target=_write, args=(filled, list(choices), stop), daemon=True)
            writer.start()
            cost = wall.watch(SECONDS)
            stop.set()
            writer.join()
            found += [
                Row(f"a wall under 50 updates/s{what}, bytes a second", cost.bytes / SECONDS, 3_000, "B"),
                Row(f"a wall under 50 updates/s{what}, of one core", 100 * cost.cpu / SECONDS, 2, "%"),
            ]
    return found


def _write(filled: Filled, choices: list[int], stop: threading.Event) -> None:
    dice = random.Random(1)
    start, written = time.monotonic(), 0
    while not stop.wait(max(0.0, start + written / A_SECOND - time.monotonic())):
        filled.put(item_of(dice.choice(choices), filled.began, edition=written))
        written += 1


def _twenty(filled: Filled) -> list[Row]:
    """Twenty displays over ssh, of a store of 10,000 items: how long one more takes, and what all of them cost."""
    host = WallHost(filled.folder / "walls", filled.folder / "data" / "bench.sqlite")
    try:
        start = time.monotonic()
        for display in [host.connect() for _ in range(WALLS - 1)]:
            display.wait_for("fresh", timeout=120)
        together = time.monotonic() - start
        time.sleep(15)
        waits = [_one_more(host, number) for number in range(LATE)]
        bare = statistics.median(_bare() for _ in range(LATE))
        host.connect().wait_for("fresh", timeout=60)
        time.sleep(15)
        pids = host.walls()
        before, start = [_cpu(pid) for pid in pids], time.monotonic()
        time.sleep(IDLE)
        spent = (sum(map(_cpu, pids)) - sum(before)) / (time.monotonic() - start)
        memory = [_memory(pid) for pid in pids]
    finally:
        host.close()
    return [
        Row(
            f"handshake to board with {WALLS - 1} walls running, median",
            statistics.median(waits),
            2.0,
            "s",
            f"worst of {LATE}: {max(waits):.1f} s; a bare App's start just then: {bare:.2f} s",
        ),
        Row(f"{WALLS - 1} displays at once until all show", together, 30, "s"),
        Row(f"{len(pids)} walls at rest, of one core", 100 * spent, 100, "%"),
        Row(f"{len(pids)} walls, memory of their own", sum(own for own, _ in memory) / 1024, 2_000, "MB"),
        Row("  resident memory of each", statistics.median(all_ for _, all_ in memory) / 1024, 120, "MB"),
    ]


def _one_more(host: WallHost, number: int) -> float:
    """Seconds from the end of ssh's handshake to the board; the display then goes."""
    said = host.folder / f"ssh-{number}.txt"
    display = host.connect(verbose=said)
    while not (said.exists() and "Authenticated to" in said.read_text()):
        time.sleep(0.002)
    authenticated = time.monotonic() - display.started
    shown = display.wait_for("fresh", timeout=60)
    display.close()
    host.until(WALLS - 1, timeout=30)
    return shown - authenticated


def _bare() -> float:
    """Seconds that a bare Textual app takes to show, to tell how busy the machine is."""
    with PtyProgram(BARE) as program:
        return program.wait_for("line 0 of")


def _cpu(pid: int) -> float:
    """Processor seconds so far."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _memory(pid: int) -> tuple[int, int]:
    """KiB: its share of what several processes hold and what is its own; what is resident."""
    found = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(found["Pss"].split()[0]), int(found["Rss"].split()[0])
