"""What the screen costs with 10,000 items at 120x40: bytes to the terminal, processor time, memory, waiting.

The board is the real program in a pseudo-terminal; it follows a store that this process changes.  A bare Textual app
makes the same gestures beside it.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.filled import COUNT, Filled, item_of
from tests.bench.harness_pty import PtyProgram
from tests.bench.table import Row, interleaved, percentile

BOARD = [sys.executable, "-m", "statusboard"]
BARE = [sys.executable, "-m", "tests.bench.bare"]
ROUNDS = 7
FIRST_ROW = "Errors above 5%"
IDLE = 20.0
VISIBLE, HIDDEN = 0, 9_980  # the newest incident, and the oldest


def rows() -> list[Row]:
    """All rows that need a screen."""
    with tempfile.TemporaryDirectory() as name:
        filled = Filled(Path(name))
        try:
            _prime(filled)
            return [*_start(filled), *_fill(filled), *_living(filled)]
        finally:
            filled.close()


def _board(filled: Filled) -> PtyProgram:
    return PtyProgram(BOARD, env=filled.environment)


def _prime(filled: Filled) -> None:
    """One run that leaves its last screen behind."""
    with _board(filled) as program:
        program.wait_for(FIRST_ROW)
        program.wait_for("FAILING")
        program.settle()
        program.send("q")
        program.wait()


def _start(filled: Filled) -> list[Row]:
    def started(argv: list[str], text: str, measure: Callable[[PtyProgram, float], float]) -> float:
        with PtyProgram(argv, env=filled.environment) as program:
            return measure(program, program.wait_for(text))

    def cpu(program: PtyProgram, wall: float) -> float:
        return program.cpu()

    def wall(program: PtyProgram, wall: float) -> float:
        return wall

    took = interleaved(
        ROUNDS,
        lambda: started(BOARD, FIRST_ROW, cpu),
        lambda: started(BARE, "line 0 of", cpu),
        lambda: started(BOARD, FIRST_ROW, wall),
        lambda: started(BARE, "line 0 of", wall),
    )
    board_cpu, bare_cpu, board_wall, bare_wall = (1000 * value for value in took)
    return [
        Row("exec to first paint, CPU beside a bare App", board_cpu / bare_cpu, 1.3, "x", f"{board_cpu:.0f} ms"),
        Row("exec to first paint, wall beside a bare App", board_wall / bare_wall, 1.4, "x", f"{board_wall:.0f} ms"),
    ]


def _fill(filled: Filled) -> list[Row]:
    report = filled.folder / "report.json"
    fills, stalls = [], []
    for _ in range(5):
        report.unlink(missing_ok=True)
        with PtyProgram([sys.executable, "-m", "tests.bench.probe", str(report)], env=filled.environment) as program:
            program.wait_for("FAILING")
            program.settle()
            told = json.loads(report.read_text())
        fills.append(told["fill"] * 1000)
        stalls.append(told["stall"] * 1000)
    return [
        Row("fill to settled, 10,000 rows", statistics.median(fills), 250, "ms"),
        Row(
            "  longest stall of the loop meanwhile", statistics.median(stalls), 50, "ms", f"worst {max(stalls):.0f} ms"
        ),
    ]


def _living(filled: Filled) -> list[Row]:
    with _board(filled) as board, PtyProgram(BARE) as bare:
        board.wait_for("FAILING")
        bare.wait_for("line 0 of")
        time.sleep(20)  # the collector, the first minute's cache: what is measured is a board at rest
        found = [*_idle(board, bare), *_changes(filled, board), *_keys(board, bare)]
        memory = [Row("resident memory", board.memory().resident / 1024, 100, "MB")]
        views = _views(board)
        memory.append(Row("  when every view was seen, at its peak", board.memory().peak / 1024, 120, "MB"))
        return [*found, *views, *memory]


def _idle(board: PtyProgram, bare: PtyProgram) -> list[Row]:
    spent, least = board.watch(IDLE), bare.watch(IDLE)
    more = 100 * (spent.cpu - least.cpu) / IDLE
    return [
        Row(
            "idle, points of a core over a bare App with a clock", more, 0.3, "", f"{100 * spent.cpu / IDLE:.2f} points"
        ),
        Row("idle, bytes a second", spent.bytes / IDLE, 150, "B"),
    ]


def _changes(filled: Filled, board: PtyProgram) -> list[Row]:
    def one(number: int, edition: int) -> Callable[[], None]:
        return lambda: filled.put(item_of(number, filled.began, edition=edition))

    visible, visible_cpu = cost_of(board, [one(VISIBLE, edition) for edition in range(1, 9)])
    hidden, _ = cost_of(board, [one(HIDDEN, edition) for edition in range(1, 9)])
    equal, _ = cost_of(board, [one(VISIBLE, 8)] * 8)
    dice = random.Random(1)

    def flush(edition: int) -> Callable[[], None]:
        chosen = dice.sample(range(COUNT), 200)
        return lambda: filled.put(*(item_of(n, filled.began, edition=edition) for n in chosen))

    _, flushed_cpu = cost_of(board, [flush(n) for n in range(20, 30)])
    return [
        Row("one visible cell changes, bytes", visible, 300, "B"),
        Row("one visible cell changes, CPU", visible_cpu * 1000, 10, "ms"),
        Row("an off-screen update, bytes", hidden, 0, "B"),
        Row("an equal update, bytes", equal, 0, "B"),
        Row("a flush of 200 random updates, CPU", flushed_cpu * 1000, 15, "ms"),
    ]


def cost_of(board: PtyProgram, changes: list[Callable[[], None]]) -> tuple[float, float]:
    """Bytes and CPU seconds of one change, beyond what the clock costs meanwhile.

    Each is alone in a second of its own; the clock ticks as often with and without.
    """
    calm = board.watch(float(len(changes)))
    before, cpu, start = board.bytes_written, board.cpu(), time.monotonic()
    for n, change in enumerate(changes):
        change()
        time.sleep(max(0.0, start + n + 1 - time.monotonic()))
    ticks = max(1, round(time.monotonic() - start))
    written = board.bytes_written - before - calm.bytes * ticks / len(changes)
    spent = board.cpu() - cpu - calm.cpu * ticks / len(changes)
    return written / len(changes), spent / len(changes)


def _keys(board: PtyProgram, bare: PtyProgram) -> list[Row]:
    found = []
    gestures: dict[str, tuple[str | None, str | None]] = {
        "scroll a page": ("pagedown", "pagedown"),
        "details": ("p", "p"),
        "a filter letter": (None, None),
        "fold a group": (" ", "pagedown"),  # a bare App has none: it repaints all its lines as well
    }
    for name, (key, bare_key) in gestures.items():
        if key == " ":
            board.gesture("v")
            board.gesture("pagedown")
        if key is None:
            board.gesture("/")
            bare.gesture("/")
            ours, theirs = _painted(board, "checkout-service"), _painted(bare, "checkout-service")
            board.gesture("escape")
        else:
            assert bare_key is not None
            ours, theirs = _painted(board, [key] * 60), _painted(bare, [bare_key] * 60)
        p50, p95, beside = percentile(ours, 0.5), percentile(ours, 0.95), percentile(theirs, 0.95)
        found += [
            Row(f"{name}: key to painted, p50", p50 * 1000, 50, "ms"),
            Row(
                f"{name}: p95 beside a bare App's", p95 / beside, 3, "x", f"{p95 * 1000:.0f} ms, {beside * 1000:.0f} ms"
            ),
        ]
    board.gesture("v", "v", "v", "v")
    return found


def _views(board: PtyProgram) -> list[Row]:
    """Overview, incidents, builds, services, timeline, back again: to the last byte, when all of it is painted."""
    turn = ["3", "4", "2", "7", "1"]
    for key in turn:
        board.gesture(key, quiet=1.0)
    times = [cost.last for key in turn * 8 if (cost := board.gesture(key, quiet=0.2)).last is not None]
    return [
        Row("another view that was seen: key to all painted, p50", percentile(times, 0.5) * 1000, 80, "ms"),
    ]


def _painted(program: PtyProgram, keys: str | list[str]) -> list[float]:
    times = []
    for key in keys:
        cost = program.gesture(key, quiet=0.12)
        if cost.first is not None:
            times.append(cost.first)
    return times
