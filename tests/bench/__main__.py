"""Prints the bench's table: ``python -m tests.bench [comparing|decoding|polling|screen|services|suspects|... ...]``.

All of it takes about a quarter of an hour.
"""

from __future__ import annotations

import sys

from tests.bench import (
    comparing,
    decoding,
    history,
    metrics,
    polling,
    rewound,
    screen,
    services,
    suspects,
    vendors,
    wall,
)
from tests.bench.table import printed

PARTS = {
    "comparing": comparing.rows,
    "decoding": decoding.rows,
    "screen": screen.rows,
    "services": services.rows,
    "suspects": suspects.rows,
    "history": history.rows,
    "metrics": metrics.rows,
    "rewound": rewound.rows,
    "polling": polling.rows,
    "vendors": vendors.rows,
    "wall": wall.rows,
}


def main(names: list[str]) -> int:
    """Measure the named parts, or all; the exit code is 1 where a row misses what it is to reach."""
    rows = [row for name in names or PARTS for row in PARTS[name]()]
    print(printed(rows))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
