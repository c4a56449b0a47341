"""Deployments as people speak of them: one version's way to all its targets, and who went back behind whom.  Pure.

**A rollout** is what brings one version of one service to an environment: the same version on several targets, the next
begun within `GAP` of the one before, is one rollout.  A target that gets the same version once more is a rollout of its
own (a redeploy).  Publications are none, nor is what waits to begin.  A setting (a flag, say) is rolled out too, and
rolled back by its former value.

**A rollback** is a deployment of an older version: one that stood in the same place before with another one in between,
or a lower number than that of what it replaces.  It undoes what was rolled out in between.  Of what its vendor calls
rolled back and nobody is seen to undo, the moment is that of its last word, where that is known.

What has no time at all cannot be put in order and is left out.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Final, TypeAlias

from statusboard.model import Release

GAP: Final = 2 * 3_600.0
"""Seconds: a target that follows later than this after the one before is no longer of the same rollout."""
STUCK: Final = 3_600.0
"""Seconds: what is said to run for longer is not believed to be rolling out all that time."""

LONG: Final = 30 * 60.0
"""Seconds: of longer rollouts one cannot tell by their beginning that it is long since they were out."""

#: Versions of one place that are remembered to tell a rollback by: nobody goes further back.
_REMEMBERED: Final = 50

_Member: TypeAlias = tuple[float, float | None, Release]
"""When a release began and ended (None: not known), and the release."""

_PLACE: Final = itemgetter(0, 1)
_NONE_OPEN: Final[tuple[float, set[str], list[_Member]]] = (0.0, set(), [])
_KIND: Final = attrgetter("kind")
_WAITING: Final = frozenset({"queued", "blocked"})
_REPLACED: Final = frozenset({"inactive", "rolled_back"})
_VERSION = re.compile(r"[vV]?([0-9]{1,9}(?:\.[0-9]{1,9}){1,4})")


class Rollout:
    """One version's way to its targets.  Times are seconds since 1970, UTC.

    ``releases`` are in the order in which they began.  ``undone_at``: when somebody went back behind it, as far as
    that is known; ``undone`` tells whether at all.  ``undoes``: it is a rollback itself.  ``failed``: on some target.
    ``commits``: how many it brings, 0 where nobody says.  ``environment`` is casefolded.  ``lasted``: seconds within
    which all of it was over, as far as is known.
    """

    __slots__ = (
        *("began", "commits", "ends", "environment", "failed", "lasted", "releases", "starts"),
        *("undoes", "undone", "undone_at"),
    )

    def __init__(self, members: Sequence[_Member]) -> None:
        self.undoes = False
        self.undone = False
        self.undone_at: float | None = None
        self.began, end, first = members[0]
        self.environment = first.environment.casefold()
        self.releases: tuple[Release, ...] = (first,)
        #: For each release when it began; and when it ended, or None while that is not known.
        self.starts, self.ends = [self.began], [end]
        self.failed = first.state == "failed"
        self.commits = max(0, first.commits or 0)
        self.lasted = 0.0 if end is None else end - self.began
        running = first.state == "running"
        if len(members) > 1:
            self.releases = tuple([release for _, _, release in members])
            for start, end, release in members[1:]:
                self.starts.append(start)
                self.ends.append(end)
                self.failed = self.failed or release.state == "failed"
                self.commits = max(self.commits, release.commits or 0)
                self.lasted = max(self.lasted, 0.0 if end is None else end - start)
                running = running or release.state == "running"
            self.lasted += self.starts[-1] - self.began
        if running:
            self.lasted += STUCK


class Row:
    """Rollouts in the order in which they began.  ``longest``: none of them `Rollout.lasted` longer than this.

    ``kind``: `UNDONE`, `SLOW`, `FAILED` or `PLAIN`.
    """

    __slots__ = ("begun", "kind", "longest", "rollouts")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.longest = 0.0
        self.begun: list[float] = []
        self.rollouts: list[Rollout] = []

    def add(self, rollout: Rollout) -> None:
        began, begun = rollout.began, self.begun
        if rollout.lasted > self.longest:
            self.longest = rollout.lasted
        if not begun or began >= begun[-1]:  # as nearly always
            begun.append(began)
            self.rollouts.append(rollout)
        else:
            place = bisect_right(begun, began)
            begun.insert(place, began)
            self.rollouts.insert(place, rollout)

    def drop(self, rollout: Rollout) -> None:
        place = bisect_left(self.begun, rollout.began)
        while self.rollouts[place] is not rollout:
            place += 1
        del self.begun[place], self.rollouts[place]


UNDONE, SLOW, FAILED, PLAIN = range(4)
"""What somebody went back behind, what took long, what failed, and that for which time and size alone can speak."""


class Line:
    """Rollouts of one service, repository or team: a row of each kind that there is, in order of the kinds."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def row_of(self, rollout: Rollout) -> Row:
        """The row in which a rollout lies, or is to lie."""
        kind = UNDONE if rollout.undone else SLOW if rollout.lasted > LONG else FAILED if rollout.failed else PLAIN
        for row in self.rows:
            if row.kind == kind:
                return row
        row = Row(kind)
        self.rows = sorted([*self.rows, row], key=_KIND)
        return row

    def __contains__(self, rollout: Rollout) -> bool:
        return rollout in self.row_of(rollout).rollouts


def rollouts_of(
    releases: Iterable[Release], production: Callable[[str], bool] = lambda environment: True
) -> list[Rollout]:
    """The rollouts among ``releases``, in the order in which they began.

    ``production`` says which environments count; an unknown one (``""``) always does.
    """
    counts: dict[str, bool] = {"": True}
    begun: list[tuple[float, str, Release]] = []
    for release in releases:
        if release.type == "publication" or release.state in _WAITING:
            continue
        environment = release.environment
        if environment not in counts:
            counts[environment] = production(environment)
        time = release.started_at or release.ended_at or release.updated_at
        never = release.state == "cancelled" and release.started_at is None
        if time is not None and not never and counts[environment]:
            begun.append((time.timestamp(), release.key, release))
    begun.sort(key=_PLACE)
    found = [Rollout(members) for members in _gathered(begun)]
    _mark_undone(found)
    return found


def is_older(version: str, than: str) -> bool:
    """Whether both are numbers such as ``v1.4.2`` and the first is the lower one."""
    if version == than:
        return False
    left, right = _numbers(version), _numbers(than)
    return left is not None and right is not None and left < right


@functools.lru_cache(maxsize=1_000)
def _numbers(version: str) -> list[int] | None:
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()  # 1.4 is 1.4.0
    return numbers


def _ended(release: Release, began: float) -> float | None:
    """When it was out; one that ends before it begins was out when it began.

    Of what has been replaced some vendors tell when that was instead: such an end is not that of the rollout.
    """
    ended, updated = release.ended_at, release.updated_at
    if ended is None or (release.state in _REPLACED and (updated is None or updated <= ended)):
        return None
    return max(began, ended.timestamp())


def _gathered(begun: list[tuple[float, str, Release]]) -> list[list[_Member]]:
    """Releases by rollout, in the order in which the first of each began."""
    found: list[list[_Member]] = []
    open_: dict[tuple[object, ...], tuple[float, set[str], list[_Member]]] = {}
    for began, _, release in begun:
        ended = _ended(release, began)
        member = (began, ended, release)
        name = release.version or release.revision  # what tells versions apart
        target = release.target
        if not name or not target:
            found.append([member])
            continue
        owner = release.services or (release.repository, release.source)
        key = (owner, release.environment.casefold(), release.setting, name)
        last, targets, members = open_.get(key, _NONE_OPEN)
        if not members or began - last > GAP or target in targets:
            targets, members = {target}, [member]
            found.append(members)
        else:
            targets.add(target)
            members.append(member)
        open_[key] = (began if ended is None else ended, targets, members)
    return found


class _Place:
    """What has stood in one place, newest last: each name once, and which rollout brought it."""

    __slots__ = ("below", "known", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.known: set[str] = set()
        self.below: list[Rollout] = []

    def add(self, name: str, rollout: Rollout) -> None:
        self.names.append(name)
        self.known.add(name)
        self.below.append(rollout)
        if len(self.names) > _REMEMBERED:
            self.known.discard(self.names[0])
            del self.names[0], self.below[0]

    def cut(self, kept: int) -> list[Rollout]:
        """Forget all but the oldest ones; returns who brought the others."""
        undone = self.below[kept:]
        self.known.difference_update(self.names[kept:])
        del self.names[kept:], self.below[kept:]
        return undone


def _mark_undone(rollouts: list[Rollout]) -> None:
    """Find who went back behind whom, place by place.  Of what names no service one cannot tell."""
    places: dict[tuple[str, str, str, str], _Place] = {}
    members = [(rollout.began, 0, rollout.releases[0], rollout) for rollout in rollouts]
    for rollout in rollouts:
        if len(rollout.starts) > 1:
            others = zip(rollout.starts[1:], rollout.releases[1:], strict=True)
            members += [(start, number, release, rollout) for number, (start, release) in enumerate(others, 1)]
    members.sort(key=_PLACE)
    for start, _, release, rollout in members:
        name = release.version or release.revision
        services = release.services
        if not name or not services:
            continue
        setting = release.setting
        where = (services[0].casefold(), rollout.environment, release.target, setting)
        place = places.get(where)
        if place is None:
            place = places[where] = _Place()
            if setting and release.previous_version:
                place.add(release.previous_version, rollout)  # who set that nobody knows, and nobody undoes it
        names = place.names
        replaced = names[-1] if names else release.previous_version
        if names and replaced == name:
            continue  # once more the same
        kept = len(names)
        if name in place.known:
            kept = names.index(name) + 1
        elif not setting:  # where 0.5 is no older than 1.5
            while kept and is_older(name, names[kept - 1]):
                kept -= 1
        if kept < len(names) or (not names and is_older(name, replaced)):
            rollout.undoes = True
            for undone in place.cut(kept):
                if not undone.undone:
                    undone.undone, undone.undone_at = True, start
        if not names or names[-1] != name:
            place.add(name, rollout)
    for rollout in rollouts:
        if not rollout.undoes and not rollout.undone:
            said = [_last_word(release) for release in rollout.releases if release.state == "rolled_back"]
            if said:
                rollout.undone = True
                times = [time.timestamp() for time in said if time is not None]
                rollout.undone_at = max(min(times), rollout.began) if times else None


def _last_word(release: Release) -> datetime | None:
    times = [time for time in (release.ended_at, release.updated_at) if time is not None]
    return max(times, default=None)
