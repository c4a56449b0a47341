"""The past of a deploy log: the file and all of its rotated siblings, read once, told page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sources._shared.backwards import Until
from sources._shared.lines import KINDS, entry_of
from sources._tail import Limits, Tail, rotated
from statusboard.api import AuthError, BadAnswer, Item, ItemKind, NotFound, Past, Scope

if TYPE_CHECKING:
    from sources.deploy_log import DeployLog

PAGE: Final = 500
#: Rotated siblings of one file, the newest ones, and how much of each file and archive is read (bytes).
MOST_FILES: Final = 400
LIMITS: Final = Limits(file=256 << 20, archive=256 << 20)


class History:
    """Reads it."""

    def __init__(self, source: DeployLog) -> None:
        self._source = source
        self._told: dict[str, dict[ItemKind, list[tuple[datetime, Item]]]] = {}
        self._notes: dict[str, tuple[str, ...]] = {}

    async def read(self, scope: Scope, since: datetime, cursor: str) -> Past:
        """A page of what the lines tell; the cursor is by time, so that new lines and rotation move nothing."""
        path: str = scope.data
        if path not in self._told:
            self._told[path], self._notes[path] = await asyncio.to_thread(self._all, Path(path), since)
        until = Until.of(cursor)
        found = [pair for pair in self._told[path][scope.kind] if until.at is None or pair[0] <= until.at]
        some = found[: PAGE * until.page]
        older, reached = until.older([at for at, _ in some], more=len(found) > len(some))
        items = tuple(item for _, item in some)
        notes = () if cursor else self._notes[path]
        return Past(items=items, older=older, reached=reached if older else since, notes=notes)

    def _all(self, path: Path, since: datetime) -> tuple[dict[ItemKind, list[tuple[datetime, Item]]], tuple[str, ...]]:
        """What all lines tell, by kind, the newest first; blocking, for a thread."""
        lines, bad, unread = self._source.lines(10**9), 0, 0
        files = [*reversed(rotated(path, MOST_FILES)), path]
        for file in files:
            if file != path and _untouched_since(file, since):
                continue
            try:
                told = Tail(file, LIMITS).read(0)
            except (NotFound, AuthError, BadAnswer):
                if file == path and len(files) == 1:
                    raise
                unread += 1
                continue
            for line in told:
                try:
                    if line.data is None:
                        raise BadAnswer("too long")
                    lines.add(entry_of(line.data))
                except BadAnswer:
                    bad += 1
        if bad and not lines:
            raise BadAnswer(f"{path}: none of {bad} lines tells of a deploy")
        notes = [f"{bad} bad line{'s' if bad > 1 else ''} skipped"] if bad else []
        notes += [f"{unread} rotated file{'s' if unread > 1 else ''} could not be read"] if unread else []
        return {kind: _in_order(list(lines.items[kind].values())) for kind in KINDS}, tuple(notes)


def _in_order(items: Sequence[Item]) -> list[tuple[datetime, Item]]:
    timed = [(at, item) for item in items if (at := item.ended_at or item.updated_at or item.started_at) is not None]
    return sorted(timed, key=lambda pair: pair[0], reverse=True)


def _untouched_since(file: Path, since: datetime) -> bool:
    try:
        return file.stat().st_mtime < since.timestamp()
    except OSError:
        return True
