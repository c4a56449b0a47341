"""The lanes of one view under one filter, followed change by change; those of other views are kept for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from statusboard.board import Board, Delta
from statusboard.clock import Clock
from statusboard.grouping import Gathering, Group, laid_out
from statusboard.model import ItemKind
from statusboard.presenting import names_width
from statusboard.query import Query, parse
from statusboard.sorting import URGENCY, Sort
from statusboard.view import LANES, Lane, LaneChange, ViewSpec, by_kind

Asked: TypeAlias = tuple[ItemKind, str, bool, Sort]
"""What a lane shows: kind, filter, faults only, order."""

KEPT: Final = 8
"""How many lanes that are not shown are still followed, so that going back to their view costs nothing."""


class LaneSet:
    """``lanes`` are those that are shown.

    A rebuild makes new ones and puts each in the place of the old one when it is ready, so that there is always
    something to see; changes that come meanwhile reach both.
    """

    def __init__(self, view: ViewSpec) -> None:
        self.view = view
        self.query = parse(view.filter)
        self.faults_only = False
        self.lanes: dict[ItemKind, Lane] = {kind: Lane(kind, self.query, sort=view.sort) for kind in view.lanes}
        self.folded: set[tuple[ItemKind, str]] = set()
        self.groups: dict[ItemKind, dict[str, Group]] = {}
        #: The cells that the names of a lane's groups need.
        self.widths: dict[ItemKind, int] = {}
        #: What a lane is gathered by although its view asks for none, with all its groups folded at first.
        self.gathered: dict[ItemKind, str] = {}
        self._opened: set[tuple[ItemKind, str]] = set()
        self._coming: dict[ItemKind, Lane] = {}
        self._built: dict[Asked, Lane] = {}
        self._kept: OrderedDict[Asked, Lane] = OrderedDict()
        self._lines: dict[ItemKind, list[str]] = {}
        #: The groups of each lane, as far as they are still right.
        self._gatherings: dict[ItemKind, Gathering] = {}
        self._grouped: set[ItemKind] = set()

    # -- what is shown

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """What the next rebuild shows.  A lane that was built for this already is there at once."""
        for asked, built in self._built.items():
            # What somebody typed is gone with the next letter; a view comes back.
            if asked[1] == self.view.filter and not asked[2]:
                self._kept[asked] = built
                self._kept.move_to_end(asked)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.view, self.query, self.faults_only = view, query, faults_only
        self._coming = {}
        known = self._kept | self._built
        wanted = {kind: self._asked(kind) for kind in view.lanes}
        self._built = {asked: known[asked] for asked in wanted.values() if asked in known}
        self.lanes = {
            kind: self._built.get(asked) or self.lanes.get(kind) or Lane(kind) for kind, asked in wanted.items()
        }
        for asked in self._built:
            self._kept.pop(asked, None)
        self._lines.clear()
        self._grouped.clear()

    def forget(self) -> None:
        """Nothing that was built is right any more: the next rebuild makes all of it anew."""
        self._built.clear()
        self._kept.clear()
        self._gatherings.clear()
        self._grouped.clear()

    async def rebuild(self, board: Board, clock: Clock, first: ItemKind | None = None) -> AsyncIterator[ItemKind]:
        """Build the lanes that are missing, that of ``first`` first; yields each kind as soon as its lane is in place.

        Lets others run after every thousand rows; whoever begins another one stops this one.
        """
        view = self.view
        kinds = [
            kind for kind in sorted(view.lanes, key=lambda kind: kind != first) if self._asked(kind) not in self._built
        ]
        coming = {kind: Lane(kind, self.query, faults_only=self.faults_only, sort=view.sort) for kind in kinds}
        self._coming = coming
        for kind in kinds:
            lane = coming[kind]
            for _ in lane.rebuild_steps(board, clock.now()):
                await asyncio.sleep(0)
                if self._coming is not coming:
                    return
            self.lanes[kind] = self._built[self._asked(kind)] = lane
            self._regroup(kind)
            del coming[kind]
            yield kind
            if self._coming is not coming:
                return

    def update(self, board: Board, delta: Delta, now: datetime) -> dict[ItemKind, LaneChange]:
        """Follow what a fold changed; returns what that does to each lane that is shown."""
        parts = by_kind(delta)
        for lane in (*self._coming.values(), *self._kept.values()):
            lane.update(board, parts[lane.kind], now)
        changes = {kind: lane.update(board, parts[kind], now) for kind, lane in self.lanes.items()}
        found = {kind: change for kind, change in changes.items() if change}
        for gathering in self._gatherings.values():
            gathering.touch(delta.changed)
        for kind in found:
            self._regroup(kind)
        return found

    def _regroup(self, kind: ItemKind) -> None:
        """The rows of a lane are others, or may look different."""
        self._lines.pop(kind, None)
        self._grouped.discard(kind)

    def _asked(self, kind: ItemKind) -> Asked:
        return (kind, self.query.text, self.faults_only, self.view.sort)

    @property
    def settled(self) -> bool:
        """Whether every lane shows what was asked for."""
        return not self._coming and all(map(self.is_ready, self.view.lanes))

    def is_ready(self, kind: ItemKind) -> bool:
        """Whether a lane shows what was asked for, and not what was there before."""
        return self._asked(kind) in self._built

    @property
    def has_everything(self) -> bool:
        """Whether it holds all that has a place in lanes, in the order that every board begins with."""
        view = self.view
        unfiltered = self.query.matches_all and not self.faults_only
        return self.settled and unfiltered and set(view.lanes) == set(LANES) and view.sort == URGENCY

    @property
    def faults(self) -> int:
        """How many failing rows are shown."""
        return sum(lane.faults for lane in self.lanes.values())

    # -- groups

    def lines(self, kind: ItemKind, board: Board) -> Sequence[str]:
        """The keys of a lane's rows, with those of its groups between them where the view has groups."""
        lane = self.lanes[kind]
        by = self.by(kind)
        if not by:
            return lane.keys
        lines = self._lines.get(kind)
        if lines is None:
            self._group(kind, board, by)
            groups = self.groups[kind].values()
            folded = {group.key for group in groups if self.is_folded(kind, group.key)}
            lines = self._lines[kind] = laid_out(groups, folded)
        return lines

    def _group(self, kind: ItemKind, board: Board, by: str) -> None:
        gathering = self._gatherings.get(kind)
        if gathering is None or gathering.by != by:
            gathering = self._gatherings[kind] = Gathering(by)
            self._grouped.discard(kind)
        if kind in self._grouped:
            return
        self._grouped.add(kind)
        lane = self.lanes[kind]
        states = {name: board.state_of(name) for name in board.health}
        groups = gathering.look(lane.keys, board.rows, states, urgent_first=lane.sort == URGENCY)
        self.groups[kind] = {group.key: group for group in groups}
        self.widths[kind] = names_width(groups, by)

    def by(self, kind: ItemKind) -> str:
        """What the rows of a lane are gathered by, ``""`` for nothing."""
        return self.view.group or self.gathered.get(kind, "")

    def gather(self, kind: ItemKind, by: str) -> bool:
        """Gather a lane's rows although its view does not ask for it, or (``""``) no longer; True where that is new."""
        if self.gathered.get(kind, "") == by:
            return False
        self.gathered[kind] = by
        self._opened.clear()
        self._lines.pop(kind, None)
        return True

    def group_of(self, kind: ItemKind, key: str) -> str | None:
        """The key of the group that a line belongs to, itself or by its row."""
        if not self.by(kind) or kind not in self._gatherings:
            return None
        if key in self.groups.get(kind, {}):
            return key
        group = self._gatherings[kind].group_of(key)
        return group.key if group is not None else None

    def fold(self, kind: ItemKind, group: str, folded: bool) -> None:
        """Fold a group of a lane, or open it."""
        (self.folded.add if folded else self.folded.discard)((kind, group))
        (self._opened.discard if folded else self._opened.add)((kind, group))
        self._lines.pop(kind, None)

    def fold_all(self, folded: bool) -> None:
        """Fold all groups of all lanes, or open them."""
        groups = {(kind, key) for kind in self.view.lanes for key in self.groups.get(kind, ())}
        self.folded, self._opened = (groups, set()) if folded else (set(), groups)
        self._lines.clear()

    def is_folded(self, kind: ItemKind, group: str) -> bool:
        """Whether a group's rows are out of sight."""
        if not self.view.group and self.gathered.get(kind):
            return (kind, group) not in self._opened
        return (kind, group) in self.folded
