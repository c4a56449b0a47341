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
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Final

from statusboard.model import Release

GAP: Final = 2 * 3_600.0
"""Seconds: a target that follows later than this after the one before is no longer of the same rollout."""
STUCK: Final = 3_600.0
"""Seconds: what is said to run for longer is not believed to be rolling out all that time."""

LONG: Final = 30 * 60.0
"""Seconds: of longer rollouts one cannot tell by their beginning that it is long since they were out."""

#: Versions of one place that are remembered to tell a rollback by: nobody goes further back.
_REMEMBERED: Final = 50

_PLACE: Final = itemgetter(0, 1)
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

    def __init__(self, releases: tuple[Release, ...]) -> None:
        self.releases = releases
        self.undoes = False
        self.undone = False
        self.undone_at: float | None = None
        first = releases[0]
        self.environment = first.environment.casefold()
        self.began = start = _began(first)
        end = _ended(first, start)
        #: For each release when it began; and when it ended, or None while that is not known.
        self.starts, self.ends = [start], [end]
        self.failed = first.state == "failed"
        self.commits = max(0, first.commits or 0)
        longest, running = (end or start) - start, first.state == "running"
        for release in releases[1:]:
            start = _began(release)
            end = _ended(release, start)
            self.starts.append(start)
            self.ends.append(end)
            self.failed = self.failed or release.state == "failed"
            self.commits = max(self.commits, release.commits or 0)
            longest, running = max(longest, (end or start) - start), running or release.state == "running"
        self.lasted = longest + self.starts[-1] - self.began
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
        place = len(self.begun)
        if place and rollout.began < self.begun[-1]:
            place = bisect_right(self.begun, rollout.began)
        if rollout.lasted > self.longest:
            self.longest = rollout.lasted
        self.begun.insert(place, rollout.began)
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
    found = [Rollout(tuple(members)) for members in _gathered(begun)]
    found.sort(key=lambda rollout: (rollout.began, rollout.releases[0].key))
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


def _began(release: Release) -> float:
    time = release.started_at or release.ended_at or release.updated_at
    assert time is not None
    return time.timestamp()


def _ended(release: Release, began: float) -> float | None:
    """When it was out; one that ends before it begins was out when it began.

    Of what has been replaced some vendors tell when that was instead: such an end is not that of the rollout.
    """
    ended, updated = release.ended_at, release.updated_at
    if ended is None or (release.state in _REPLACED and (updated is None or updated <= ended)):
        return None
    return max(began, ended.timestamp())


def _name_of(release: Release) -> str:
    """What tells versions apart: the version, else the revision."""
    return release.version or release.revision


def _gathered(begun: list[tuple[float, str, Release]]) -> list[list[Release]]:
    """Releases by rollout."""
    found: list[list[Release]] = []
    open_: dict[tuple[object, ...], tuple[float, set[str], list[Release]]] = {}
    for began, _, release in begun:
        name = _name_of(release)
        if not name or not release.target:
            found.append([release])
            continue
        owner = release.services or (release.repository, release.source)
        key = (owner, release.environment.casefold(), release.setting, name)
        last, targets, members = open_.get(key, (0.0, set(), []))
        if not members or began - last > GAP or release.target in targets:
            targets, members = set(), []
            found.append(members)
        targets.add(release.target)
        members.append(release)
        ended = _ended(release, began)
        open_[key] = (began if ended is None else ended, targets, members)
    return found


def _mark_undone(rollouts: list[Rollout]) -> None:
    """Find who went back behind whom, place by place.  Of what names no service one cannot tell."""
    standing: dict[tuple[str, str, str, str], tuple[list[str], list[Rollout]]] = {}
    members = [
        (start, number, release, rollout)
        for rollout in rollouts
        for number, (start, release) in enumerate(zip(rollout.starts, rollout.releases, strict=True))
    ]
    members.sort(key=_PLACE)
    for start, _, release, rollout in members:
        name = _name_of(release)
        if not name or not release.services:
            continue
        place = (release.service.casefold(), release.environment.casefold(), release.target, release.setting)
        names, below = standing.setdefault(place, ([], []))
        if release.setting and release.previous_version and not names:
            names.append(release.previous_version)
            below.append(rollout)  # who set that nobody knows, and nobody undoes it
        replaced = names[-1] if names else release.previous_version
        if names and replaced == name:
            continue  # once more the same
        kept = len(names)
        if name in names:
            kept -= names[::-1].index(name)
        elif not release.setting:  # where 0.5 is no older than 1.5
            while kept and is_older(name, names[kept - 1]):
                kept -= 1
        if kept < len(names) or (not names and is_older(name, replaced)):
            rollout.undoes = True
            for undone in below[kept:]:
                if not undone.undone:
                    undone.undone, undone.undone_at = True, start
            del names[kept:], below[kept:]
        if not names or names[-1] != name:
            names.append(name)
            below.append(rollout)
        if len(names) > _REMEMBERED:
            del names[0], below[0]
    for rollout in rollouts:
        if not rollout.undoes and not rollout.undone:
            said = [_last_word(release) for release in rollout.releases if release.state == "rolled_back"]
            rollout.undone = bool(said)
            times = [time.timestamp() for time in said if time is not None]
            rollout.undone_at = max(min(times), rollout.began) if times else None


def _last_word(release: Release) -> datetime | None:
    times = [time for time in (release.ended_at, release.updated_at) if time is not None]
    return max(times, default=None)
