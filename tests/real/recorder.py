"""Keeps what ``show --json`` prints at random moments: a process of its own, in which the program runs again and again.

``python -m tests.real.recorder FILE SECONDS`` appends a JSON line each, at most so many seconds apart, until its end.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from statusboard import cli, log


def printed(*arguments: str) -> tuple[int, str]:
    """The exit code of a run, and what it printed."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            cli.main([*arguments])
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    finally:
        log.shutdown()
    raise AssertionError("the program always ends with an exit code")


def record(file: Path, pause: float) -> None:
    """Until this process is ended."""
    chance = random.Random()
    with file.open("a") as lines:
        while True:
            # Now and then as a person would, who has what is old read anew; else without disturbing anybody.
            own = ["--read-only"] if chance.random() < 0.9 else []
            before = datetime.now(UTC)
            code, out = printed(*own, "show", "--json")
            after = datetime.now(UTC)
            line = {"before": before.isoformat(), "after": after.isoformat(), "code": code, "picture": json.loads(out)}
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            time.sleep(chance.random() * pause)


if __name__ == "__main__":
    record(Path(sys.argv[1]), float(sys.argv[2]))
