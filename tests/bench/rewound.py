"""What rewind costs on the screen: the real program in a pseudo-terminal, on a history of 1,000,000 changes."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from tests.bench.harness_pty import PtyProgram
from tests.bench.history import BEGAN, ENDED, copied, forget
from tests.bench.table import Row, percentile

BOARD = [sys.executable, "-m", "statusboard"]
COLD, MOMENTS, STEPS = 5, 20, 60
HELD, REPEATS = 3.0, 30
"""Seconds that a key is held, and how often a terminal sends it in one of them."""
QUIET = 0.8
"""Seconds after which all that a move leads to is painted, what is read beside too."""


def rows() -> list[Row]:
    """All rows of rewind that need a screen."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = copied(folder)
        (folder / "config.yaml").write_text(f"board: {{title: Bench, store: {path}, timezone: UTC}}\n")
        places = {f"STATUSBOARD_{place}": str(folder / place.lower()) for place in ("DATA", "CACHE", "STATE")}
        config = {"STATUSBOARD_CONFIG": str(folder / "config.yaml"), "STATUSBOARD_LOG": str(folder / "log")}
        environment = {**places, **config, "PYTHONPATH": os.getcwd()}
        return _rows(path, environment)


def _rows(path: Path, environment: dict[str, str]) -> list[Row]:
    chance = random.Random(3)
    cold: list[float] = []
    for _ in range(COLD):
        forget(path)
        with PtyProgram(BOARD, env=environment) as program:
            _ready(program)
            forget(path)
            cold.append(_go(program, _any(chance)))
    with PtyProgram(BOARD, env=environment) as program:
        _ready(program)
        _go(program, _any(chance))
        warm = [_go(program, _any(chance)) for _ in range(MOMENTS)]
        steps = [_first(program, key) for key in "[]" for _ in range(STEPS // 2)]
        incidents = [_first(program, key) for key in "{}" for _ in range(STEPS // 4)]
        behind = _hold(program, "[")
        live = _first(program, "0")
    return [
        Row("any moment, painted, cold, worst of 5", max(cold) * 1000, 500, "ms"),
        Row("any moment, painted, warm, p95", percentile(warm, 0.95) * 1000, 300, "ms", f"p50 {_ms(warm)}"),
        Row("one step, painted, p95", percentile(steps, 0.95) * 1000, 50, "ms", f"p50 {_ms(steps)}"),
        Row(
            "to the next incident, painted, p95", percentile(incidents, 0.95) * 1000, 50, "ms", f"p50 {_ms(incidents)}"
        ),
        Row("the screen behind a held key", behind * 1000, 100, "ms", f"{REPEATS} a second for {HELD:.0f} s"),
        Row("back to live, painted", live * 1000, 100, "ms"),
    ]


def _ms(values: list[float]) -> str:
    return f"{percentile(values, 0.5) * 1000:.0f} ms"


def _any(chance: random.Random) -> datetime:
    at = BEGAN + timedelta(days=2) + (ENDED - BEGAN - timedelta(days=4)) * chance.random()
    return at.replace(microsecond=0)


def _ready(program: PtyProgram) -> None:
    program.wait_for("FAILING")
    program.settle(QUIET)


def _go(program: PtyProgram, at: datetime) -> float:
    """Seconds from enter until the moment is on the screen, which is painted at once with all of its rows."""
    before = program.bytes_written
    program.send("@")
    program.wait_for("Show the board as it was at", after=before)
    program.send(f"{at:%Y-%m-%d %H:%M:%S}")
    program.settle(QUIET)
    before, sent = program.bytes_written, time.monotonic()
    program.send("enter")
    painted = program.wait_for(f"REWOUND to {at:%a}", after=before) - (sent - program.started)
    program.settle(QUIET)
    return painted


def _first(program: PtyProgram, key: str) -> float:
    """Seconds until a key is seen to have done something."""
    cost = program.gesture(key, quiet=QUIET)
    assert cost.first is not None, f"{key} paints nothing"
    return cost.first


def _hold(program: PtyProgram, key: str) -> float:
    """Seconds from the last of many keys until nothing is painted any more, what is read beside left out."""
    for _ in range(int(HELD * REPEATS)):
        program.send(key)
        time.sleep(1 / REPEATS)
    return program.gesture(key, quiet=0.1).last or 0.0
