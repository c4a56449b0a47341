"""The board as a program that also tells how long filling took, and how long its event loop ever stood still.

    python -m tests.bench.probe REPORT        with the environment of `filled.Filled`

The first paint is as usual; the report is written when the lanes show everything: seconds from the engine's making to
that, and the longest turn of the loop between the two.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from statusboard.app import BoardApp
from statusboard.cli.board import reloader_of, show
from statusboard.engine import Engine
from statusboard.screens import first
from statusboard.screens.settings import Settings


class Probed(BoardApp):
    """Measures what happens between the engine's making and the lanes' being full."""

    report: Path
    _made = 0.0
    _longest = 0.0

    def _load_all(self) -> tuple[Settings, Engine]:
        loaded = super()._load_all()
        self._made = time.monotonic()
        return loaded

    async def _start(self) -> None:
        sampler = asyncio.get_running_loop().create_task(self._sample())
        await super()._start()
        sampler.cancel()
        self.report.write_text(json.dumps({"fill": time.monotonic() - self._made, "stall": self._longest}))

    async def _sample(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            now = time.monotonic()
            if self._made:
                self._longest = max(self._longest, now - before - 0.001)
            before = now


def main() -> int:
    """Run the board until it is ended."""
    path = Path(os.environ["STATUSBOARD_CONFIG"])
    kept = first.kept_at(path)
    app = Probed(reloader_of(path).load, last=first.load(kept, datetime.now(UTC)), keep_first=kept)
    app.report = Path(sys.argv[1])
    return show(app)


if __name__ == "__main__":
    sys.exit(main())
