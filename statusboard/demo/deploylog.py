"""The log of a deploy script: one JSON object a line, moved aside once in a while as log rotation does."""

from __future__ import annotations

import json
from pathlib import Path

from statusboard.demo.state import State

LINES = 60
"""After at least so many lines the file is moved to ``NAME.1`` and begun anew."""


class DeployLog:
    """Appends what happens in ``state`` to the file at ``path``."""

    def __init__(self, state: State, path: Path) -> None:
        self._state = state
        self.path = path
        self._written = 0
        self._limit = 0

    def write(self) -> None:
        """Append what is due, one whole line at a time."""
        lines, self._state.deploy_lines = self._state.deploy_lines, []
        if not lines:
            return
        if self._written >= self._limit > 0:
            self.rotate()
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        self._written += len(lines)
        self._limit = self._limit or max(LINES, 2 * len(lines))  # the first write is the whole past

    def rotate(self) -> None:
        """Move the file aside; what is written next begins a new one."""
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._written = 0
