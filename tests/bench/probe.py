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
from pathlib import Path

from statusboard import front
from statusboard.app import BoardApp
from statusboard.cli.board import loader, show
from statusboard.screens import settings as kept
from statusboard.screens.settings import Settings


class Probed(BoardApp):
    """Measures what happens between the engine's making and the lanes' being full."""

    report: Path
    _made = 0.0
    _longest = 0.0

    def _use(self, settings: Settings) -> None:
        self._made = time.monotonic()
        self._sampler = asyncio.get_running_loop().create_task(self._sample())
        super()._use(settings)

    async def _sample(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            now = time.monotonic()
            self._longest = max(self._longest, now - before - 0.001)
            before = now

    def filled(self) -> None:
        first = self.cells.live and not self._filled
        super().filled()
        if first:
            self._sampler.cancel()
            told = {"fill": time.monotonic() - self._made, "stall": self._longest}
            self.report.write_text(json.dumps(told))


def main() -> int:
    """Run the board until it is ended."""
    path = Path(os.environ["STATUSBOARD_CONFIG"])
    settings_at, front_at = kept.kept_at(path)
    app = Probed(
        loader(path, "", read_only=False, keep_at=settings_at),
        settings=kept.load(settings_at),
        last=front.load(front_at),
        keep_front=front_at,
    )
    app.report = Path(sys.argv[1])
    return show(app)


if __name__ == "__main__":
    sys.exit(main())
