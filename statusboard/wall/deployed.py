"""The releases of each service, to tell what changed before something broke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from statusboard.board import Board, Delta, Row
from statusboard.current import moment_of
from statusboard.model import Release

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Deployed:
    """Releases by service, followed change by change."""

    def __init__(self) -> None:
        self._keys: dict[str, set[str]] = {}

    def rebuild(self, board: Board) -> None:
        """Look at everything."""
        self._keys.clear()
        for row in board.items():
            self._note(row)

    def update(self, board: Board, delta: Delta) -> None:
        """Follow what a fold changed; what has gone is found out when it is asked for."""
        for key in delta.changed:
            row = board.rows.get(key)
            if row is not None:
                self._note(row)

    def _note(self, row: Row) -> None:
        if isinstance(row.fact, Release):
            for service in row.fact.services:
                self._keys.setdefault(service, set()).add(row.key)

    def newest(self, board: Board, service: str, environment: str) -> Release | None:
        """The newest release of a service: in that environment if there is one, else anywhere.

        One that another has replaced counts only where nothing else is known: it is given up just as its successor
        comes, and its last change may be the later one.
        """
        keys = self._keys.get(service)
        if not keys:
            return None
        keys.intersection_update(board.rows)
        begun = [board.rows[key].fact for key in keys if not board.rows[key].ahead]
        found = [fact for fact in begun if isinstance(fact, Release) and service in fact.services]
        here = [fact for fact in found if environment and fact.environment == environment]
        return max(
            here or found,
            key=lambda fact: (fact.state != "inactive", moment_of(fact) or _NEVER, fact.key),
            default=None,
        )
