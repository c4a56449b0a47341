"""When things happen at the pretend company: working days are busy, nights and weekends are quiet."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0

WEEKEND: Final = 0.08
"""How much of a working day's doings there are on a Saturday or Sunday."""


class Calendar:
    """The time from ``since`` until ``until`` (Unix seconds), and chance."""

    def __init__(self, rng: Random, since: float, until: float) -> None:
        self.rng = rng
        self.since = since
        self.until = until

    def days(self) -> Iterator[tuple[float, bool]]:
        """Each midnight (UTC), and whether the day that begins is a working day."""
        day = self.since // DAY * DAY
        while day < self.until:
            yield day, (int(day // DAY) + 3) % 7 < 5  # the first day of Unix time was a Thursday
            day += DAY

    def times(self, a_day: float, *, before: float = 4 * HOUR) -> list[float]:
        """Moments at which something happens that happens so often on a working day; none in the last ``before``."""
        rng = self.rng
        found: list[float] = []
        for day, works in self.days():
            expected = a_day * (1.0 if works else WEEKEND) * rng.uniform(0.7, 1.3)
            count = int(expected) + (rng.random() < expected % 1)
            found += [day + min(max(rng.gauss(12.5, 2.8), 6.5), 20.0) * HOUR for _ in range(count)]
        return sorted(time for time in found if self.since + HOUR < time < self.until - before)

    def progress(self, at: float) -> float:
        """How much of the whole time has passed, from 0 to 1."""
        return (at - self.since) / (self.until - self.since)

    def minutes(self, least: float, most: float) -> float:
        """A duration in seconds of so many minutes."""
        return self.rng.uniform(least, most) * MINUTE

    def sha(self) -> str:
        return f"{self.rng.getrandbits(160):040x}"
