"""What a group holds (the projects of a group, the repositories of an organisation), asked for now and then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from statusboard.api import Clock, SourceError, TooLarge

T = TypeVar("T")


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """The members by name as last listed, when that was (monotonic), and why they are not all or not the newest."""

    members: Mapping[str, T]
    at: float
    error: SourceError | None = None


class Listings(Generic[T]):
    """The last good list of each group.

    A list that cannot be renewed stays in use, with the error to be shown beside it: with fewer parts than before, a
    board would take what they hold for withdrawn.
    """

    def __init__(self, clock: Clock, kept: float) -> None:
        self._clock = clock
        self._kept = kept
        self._known: dict[str, Listed[T]] = {}

    async def of(self, group: str, ask: Callable[[], Awaitable[tuple[Mapping[str, T], TooLarge | None]]]) -> Listed[T]:
        """The members of ``group``, from ``ask`` when they have been known for too long.

        ``ask`` gives them with an error where they are more than are read. Raises its `SourceError` while nothing is
        known.
        """
        known = self._known.get(group)
        now = self._clock.monotonic()
        if known is not None and now - known.at < self._kept:
            return known
        try:
            members, error = await ask()
        except SourceError as exc:
            if known is None:
                raise
            return Listed(members=known.members, at=known.at, error=exc)
        found = self._known[group] = Listed(members=members, at=now, error=error)
        return found

    def __getitem__(self, group: str) -> Mapping[str, T]:
        """The members that were listed last."""
        return self._known[group].members
