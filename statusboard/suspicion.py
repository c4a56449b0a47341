"""The suspects of the incidents on a board, now or at a past moment, kept up to date with what is on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from typing import Final, TypeAlias

from statusboard.board import Board, Row
from statusboard.model import Annotation, Incident, Release
from statusboard.notes import standing
from statusboard.rollouts import Rollout, rollouts_of
from statusboard.suspects import Candidates, Suspect
from statusboard.weights import Weights

CHUNK: Final = 25
"""Lines of releases put together in one step."""
MOST_CHARGED: Final = 100
"""Incidents after a release that are asked for their suspects, the first ones."""

_Line: TypeAlias = tuple[str, str]
"""Whose releases, and where: only they can undo each other or be one rollout."""


class Suspicion:
    """What `Candidates` makes of the releases and incidents of one board.

    ``depends_on`` and ``production`` are what `Candidates` takes.  The board is looked at when `settle` is called, and
    not before: whoever shows suspects decides how often that is worth it.
    """

    def __init__(
        self,
        weights: Weights,
        depends_on: Mapping[str, Collection[str]],
        production: Callable[[str], bool],
    ) -> None:
        self.weights = weights
        self._depends_on = depends_on
        self._production = production
        self._begin()

    def _begin(self) -> None:
        self._board: Board | None = None
        self._looked = ("", -1)
        self._edition = 0
        self._candidates = Candidates(
            (), weights=self.weights, depends_on=self._depends_on, production=self._production
        )
        self._rows: dict[str, Row] = {}
        self._incidents: dict[str, Row] = {}
        self._lines: dict[_Line, dict[str, Release]] = {}
        self._rollouts: dict[_Line, list[Rollout]] = {}
        self._changed: dict[_Line, None] = {}

    # -- following a board

    @property
    def ready(self) -> bool:
        """Whether a board has been looked at, to its end."""
        return self._looked[1] >= 0

    def settle(self, board: Board) -> bool:
        """Look at this board as it is; whether suspects may be others than before."""
        before, edition = self._board, self._edition
        for _ in self.settle_steps(board):
            pass
        return board is not before or self._edition != edition

    def settle_steps(self, board: Board) -> Iterator[None]:
        """Like `settle`, in steps that let others run."""
        if board is not self._board:
            self._begin()
            self._board = board
        if board.revision == self._looked:
            return
        looked = board.revision
        self._notice(board)
        self._edition += self._notice_incidents(board) or bool(self._changed)
        while self._changed:
            for line in list(self._changed)[:CHUNK]:
                del self._changed[line]
                self._roll_out(line)
            if self._changed:
                yield
        self._looked = looked

    def _notice(self, board: Board) -> None:
        """Find the releases that came, went or changed since the last look."""
        rows = board.releases.copy()
        known, self._rows = self._rows, rows
        for key, row in known.items():
            if rows.get(key) is not row:
                self._take(key, row.fact)
        for key, row in rows.items():
            if known.get(key) is not row:
                self._put(key, row.fact)

    def _notice_incidents(self, board: Board) -> bool:
        """Find the incidents that came, went or changed since; whether that may matter to others."""
        rows = board.incidents.copy()
        known, self._incidents = self._incidents, rows
        told = [self._candidates.drop_incident(key) for key in known if key not in rows]
        for key, row in rows.items():
            if known.get(key) is not row and isinstance(row.fact, Incident):
                told.append(self._candidates.put_incident(key, row.fact))
        return any(told)

    def _put(self, key: str, fact: object) -> None:
        assert isinstance(fact, Release)
        line = _line_of(fact)
        self._lines.setdefault(line, {})[key] = fact
        self._changed[line] = None

    def _take(self, key: str, fact: object) -> None:
        assert isinstance(fact, Release)
        line = _line_of(fact)
        self._lines[line].pop(key, None)
        self._changed[line] = None

    def _roll_out(self, line: _Line) -> None:
        for rollout in self._rollouts.pop(line, ()):
            self._candidates.drop(rollout)
        releases = self._lines[line]
        if not releases:
            del self._lines[line]
            return
        self._rollouts[line] = found = rollouts_of(releases.values(), self._production)
        for rollout in found:
            self._candidates.add(rollout)

    # -- telling

    def of(self, row: Row) -> list[Suspect]:
        """The suspects of an incident, best first; of anything else none."""
        if self._board is None or not isinstance(row.fact, Incident):
            return []
        return self._candidates.of(row.fact, self._board.annotations(row.key))

    def dismissed(self, row: Row) -> list[tuple[Annotation, Release | None]]:
        """What people said was not it, with the release if it is still on the board."""
        if self._board is None or not isinstance(row.fact, Incident):
            return []
        notes = standing(self._board.annotations(row.key), row.fact)
        return [(note, self._release(note.text)) for note in notes if note.what == "suspect_dismissed"]

    def _release(self, key: str) -> Release | None:
        row = self._rows.get(key)
        return row.fact if row is not None and isinstance(row.fact, Release) else None

    def charged(self, row: Row) -> list[tuple[Row, Suspect]]:
        """The incidents of which a release is a suspect, in the order in which they began."""
        fact = row.fact
        if self._board is None or not isinstance(fact, Release):
            return []
        began = fact.started_at or fact.ended_at or fact.updated_at
        if began is None:
            return []
        since = began - timedelta(seconds=float(self.weights.tolerance))
        until = began + timedelta(seconds=float(self.weights.window))
        after = [
            (other.fact.started_at, other.key, other)
            for other in self._board.incidents.values()
            if isinstance(other.fact, Incident)
            and other.fact.started_at is not None
            and since <= other.fact.started_at <= until
        ]
        found: list[tuple[Row, Suspect]] = []
        for _, _, incident in sorted(after, key=lambda entry: entry[:2])[:MOST_CHARGED]:
            suspects = (each for each in self.of(incident) if any(one.key == row.key for one in each.rollout))
            found += ((incident, suspect) for suspect in suspects)
        return found


def _line_of(release: Release) -> _Line:
    owner = release.services[0] if release.services else release.repository or release.source
    return owner.casefold(), release.environment.casefold()
