"""What a deployment brought: how many commits, and when the middle one was made, as a forge compares two of them.

One request a deployment, asked once: what lies between two commits never changes.  It is worth a few requests at a poll
and no fault: a forge that does not answer costs the number and not the deployment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final, TypeAlias

import msgspec

from statusboard.api import BadAnswer, NotFound, SourceError, TooLarge, parse_time

#: Comparisons that are asked for at one poll of a repository, the newest deployments first.
AT_ONCE: Final = 5
#: Comparisons that are remembered.
REMEMBERED: Final = 5_000


class Brought(msgspec.Struct, frozen=True):
    """``count`` commits; half of them are older than ``middle``.  None is not known."""

    count: int | None = None
    middle: datetime | None = None


class Deployed(msgspec.Struct, frozen=True):
    """A deployment as far as it matters here; ``came_out``: it replaced what was there before."""

    number: int
    environment: str
    sha: str
    came_out: bool


Ask: TypeAlias = Callable[[str, str], Awaitable[Brought]]
"""From the older and the newer commit to what lies between them."""


def brought(times: Iterable[object], count: int | None = None) -> Brought:
    """Of the times at which commits were made; where there are more (``count``) than times, none is the middle."""
    listed = list(times)
    known = sorted(time for time in map(parse_time, listed) if time is not None)
    total = len(listed) if count is None else count
    whole = known and len(known) == total
    return Brought(count=total, middle=known[(len(known) - 1) // 2] if whole else None)


class Comparing:
    """Asks a forge, and remembers what it said."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Brought] = {}

    async def of(
        self, repository: str, deployments: Iterable[Deployed], ask: Ask, *, at_once: int = AT_ONCE
    ) -> tuple[dict[int, Brought], list[str]]:
        """What deployments brought, by number, as far as is known; and what must be said of it."""
        found: dict[int, Brought] = {}
        left = at_once
        for number, older, newer in _pairs(deployments):
            pair = (repository, older, newer)
            if pair not in self._known:
                if not left:
                    continue
                left -= 1
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                try:
                    self._known[pair] = await ask(older, newer)
                except (NotFound, BadAnswer, TooLarge):  # a commit that is gone, a difference beyond all measure
                    self._known[pair] = Brought()
                except SourceError as error:
                    return found, [f"{repository}: when commits were made could not be read: {error}"]
            found[number] = self._known[pair]
        return found, []


def _pairs(deployments: Iterable[Deployed]) -> list[tuple[int, str, str]]:
    """Each deployment that came out with the commit before it in its environment and its own, the newest first."""
    in_place: dict[str, str] = {}
    pairs: list[tuple[int, str, str]] = []
    for deployment in sorted(deployments, key=lambda deployment: deployment.number):
        if not deployment.came_out or not deployment.sha:
            continue
        older = in_place.get(deployment.environment)
        if older is not None and older != deployment.sha:
            pairs.append((deployment.number, older, deployment.sha))
        in_place[deployment.environment] = deployment.sha
    return pairs[::-1]
