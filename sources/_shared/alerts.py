"""What alert servers have in common: text that quotes measured values, and a memory that a restart wipes."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

#: Text that differs in nothing but its numbers is renewed this seldom (seconds).
TEXT_HOLD = 300.0
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")


class SteadyText(msgspec.Struct, frozen=True):
    """What an alert says of itself, and since when we show it so."""

    title: str
    description: str
    at: float

    def steady(self, shown: SteadyText | None) -> SteadyText:
        """``shown`` while it says the same, or for some minutes the same with other numbers; else this text."""
        if shown is None or self.at - shown.at >= TEXT_HOLD or self._words() != shown._words():
            return self
        return shown

    def _words(self) -> tuple[str, str]:
        return _NUMBER.sub("#", self.title), _NUMBER.sub("#", self.description)


class ServerMemory:
    """What the server has shown since it last started: nothing else may be called resolved while it is young."""

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._start: datetime | None = None
        self._young_until = float("-inf")
        self._seen: set[str] = set()
        self._last: frozenset[str] | None = None

    def must_ask(self, present: frozenset[str]) -> bool:
        """Whether the server's start matters now: something vanished, or we just began to look."""
        return self._last is None or bool(self._last - present)

    def restarted(self, start: datetime | None, served_at: datetime, now: float) -> None:
        """The server says that it started at ``start``; ``now`` is our monotonic time."""
        if start != self._start:
            self._start = start
            self._seen.clear()
        if start is not None:
            self._young_until = now + self._hold - (served_at - start).total_seconds()

    def remember(self, present: frozenset[str], now: float) -> frozenset[str] | None:
        """Take note of an answer; returns the keys that absence may resolve, None for all of them."""
        self._last = present
        if now >= self._young_until:
            self._seen.clear()
            return None
        self._seen |= present
        return frozenset(self._seen)
