"""Deployments that nobody has asked for yet: to environments that are not production.  Pure."""

from __future__ import annotations

from collections.abc import Callable

from statusboard.metrics.watched import Part
from statusboard.model import Release


class _Waits(dict[str, bool]):
    """Whether deployments to an environment need not be looked at yet."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        self._counts = counts
        self.over = False

    def __missing__(self, environment: str) -> bool:
        waits = self[environment] = not self.over and not self._counts(environment)
        return waits


class Waiting:
    """``counts`` says of an environment whether its deployments are looked at in any case."""

    def __init__(self, counts: Callable[[str], bool]) -> None:
        #: By environment, whether deployments to it need not be looked at yet.
        self.waits = _Waits(counts)
        self._waiting: dict[str, tuple[Release, Part]] = {}
        self._asked: dict[str, tuple[Release, Part]] = {}

    def __bool__(self) -> bool:
        """Whether any wait that nobody has asked for."""
        return bool(self._waiting)

    @property
    def over(self) -> bool:
        """Whether all have been asked for, whatever comes."""
        return self.waits.over

    def put(self, release: Release, part: Part) -> None:
        """Keep a deployment, or its newest word."""
        if self._asked:
            self._asked.pop(release.key, None)
        self._waiting[release.key] = (release, part)

    def drop(self, key: str) -> None:
        """Forget what was said of a release: there is a newer word."""
        if self._waiting:
            self._waiting.pop(key, None)
        if self._asked:
            self._asked.pop(key, None)

    def ask(self, environment: str) -> None:
        """Have the deployments to an environment wait no longer."""
        if self.waits[environment]:
            self.waits[environment] = False
            self._move()

    def ask_for_all(self) -> None:
        """Have nothing wait any longer."""
        self.waits.over = True
        self.waits.clear()
        self._move()

    def _move(self) -> None:
        for key, (release, part) in list(self._waiting.items()):
            if not self.waits[release.environment]:
                del self._waiting[key]
                self._asked[key] = release, part

    def taken(self, most: int) -> list[tuple[Release, Part]]:
        """At most so many of those that were asked for; whoever gets them sees to them."""
        return [self._asked.popitem()[1] for _ in range(min(most, len(self._asked)))]
