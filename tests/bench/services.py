"""What the matrix of services costs at 120x40: until it is painted, and when one of its cells changes.

The board is the real program in a pseudo-terminal; it follows a store that this process changes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from statusboard.model import Build, Incident, Item, Release
from tests.bench.filled import Filled
from tests.bench.harness_pty import PtyProgram
from tests.bench.screen import cost_of
from tests.bench.table import Row, percentile

BOARD = [sys.executable, "-m", "statusboard"]
ENVIRONMENTS = ("production", "staging", "test", "development")
SERVICES, MANY = 200, 5_000
LOWEST = {SERVICES: "service-0022", MANY: "service-2720"}
"""The lowest row of the matrix on the screen: all above it were painted before."""
TURNS = 30


def rows() -> list[Row]:
    """All rows of the matrix."""
    return [*_measured(SERVICES, _few), *_measured(MANY, _many)]


def _measured(count: int, measure: Callable[[Filled, PtyProgram], list[Row]]) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        filled = Filled(Path(name), partial(company, count))
        try:
            with PtyProgram(BOARD, env=filled.environment) as board:
                board.wait_for("FAILING")
                board.settle()
                board.gesture("2", quiet=1.0)
                return measure(filled, board)
        finally:
            filled.close()


def _few(filled: Filled, board: PtyProgram) -> list[Row]:
    painted = _turned("services, 200 x 4", board, LOWEST[SERVICES], 60)
    time.sleep(10)  # the collector, what is written a while after the start

    def version(service: int, place: int, edition: int) -> Callable[[], None]:
        return lambda: filled.put(deployed(service, place, filled.began, edition=edition))

    first, _ = cost_of(board, [version(3, 0, edition) for edition in range(1, 9)])
    last, cpu = cost_of(board, [version(3, 3, edition) for edition in range(1, 9)])
    hidden, _ = cost_of(board, [version(SERVICES - 1, 0, edition) for edition in range(1, 9)])
    return [
        painted,
        Row("one cell of them changes, bytes", max(first, last), 400, "B", f"{first:.0f} B left, {last:.0f} B right"),
        Row("one cell of them changes, CPU", cpu * 1000, 10, "ms"),
        Row("one cell out of sight changes, bytes", hidden, 0, "B"),
    ]


def _many(filled: Filled, board: PtyProgram) -> list[Row]:
    return [_turned("services, 5,000 x 4", board, LOWEST[MANY], 80)]


def _turned(name: str, board: PtyProgram, lowest: str, reach: float) -> Row:
    """From the key to the lowest row, each time coming from the overview."""
    times, spent = [], []
    for _ in range(TURNS):
        board.gesture("1", quiet=0.3)
        before, cpu, start = board.bytes_written, board.cpu(), time.monotonic() - board.started
        board.send("2")
        times.append(board.wait_for(lowest, after=before) - start)
        spent.append(board.cpu() - cpu)
        board.settle()
    note = f"{percentile(spent, 0.5) * 1000:.0f} ms CPU"
    return Row(f"{name}: key to painted, p50", percentile(times, 0.5) * 1000, reach, "ms", note)


def company(count: int, began: datetime) -> Iterable[Item]:
    """Services in four environments each, with builds and some incidents."""
    for service in range(count):
        for place in range(len(ENVIRONMENTS)):
            yield deployed(service, place, began)
        common = {"source": "ci", "services": (f"service-{service:04}",), "team": f"team-{service % 12}"}
        at = began - timedelta(days=3, minutes=service)
        for n, pipeline in enumerate(("ci", "nightly")):
            yield Build(
                key=f"ci:build:{service}-{n}",
                state="failed" if service % 40 == 8 and not n else "success",
                pipeline=f"{pipeline}-{service}",
                branch="main",
                default_branch="main",
                title="Merge a change into main",
                started_at=at,
                updated_at=at,
                **common,  # type: ignore[arg-type]
            )
        if service % 20 == 0:
            yield Incident(
                key=f"ci:incident:{service}",
                state="open",
                severity=("critical", "high", "medium", "low")[service // 20 % 4],
                title="Errors above 5%, for longer than ten minutes",
                environment="production",
                started_at=at,
                updated_at=at,
                **common,  # type: ignore[arg-type]
            )


def deployed(service: int, place: int, began: datetime, *, edition: int = 0) -> Release:
    """A release; another ``edition`` is another version in the same place."""
    at = began - timedelta(days=3, minutes=service)  # old enough for ages that stand still meanwhile
    return Release(
        key=f"ci:release:{service}-{place}",
        source="ci",
        state="success",
        version=f"{1 + service % 9}.{service % 30}.{edition}",
        title="deploy",
        environment=ENVIRONMENTS[place],
        services=(f"service-{service:04}",),
        team=f"team-{service % 12}",
        started_at=at,
        updated_at=at,
    )
