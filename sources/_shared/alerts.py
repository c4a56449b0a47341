"""What alert servers have in common: labels and annotations, text that quotes measured values, a memory that a restart
wipes, and alerts that always fire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from statusboard.api import Clock, Reply, Severity

#: Text that differs in nothing but its numbers is renewed this seldom (seconds).
TEXT_HOLD = 300.0
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")

#: The alert that always fires in most setups.
WATCHDOG: Final = "Watchdog"
#: Severity is only a convention: other words are left for the catalog, which reads them from the labels.
SEVERITIES: Mapping[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "info": "info",
}
LINKS: Mapping[str, tuple[str, ...]] = {
    "runbook": ("runbook_url", "runbook"),
    "dashboard": ("dashboard_url", "dashboard"),
}


class Labelled(msgspec.Struct, frozen=True):
    """An alert, as far as its labels and annotations tell."""

    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None

    def label(self, name: str) -> str:
        return (self.labels or {}).get(name) or ""

    def annotation(self, *names: str) -> str:
        """The first of these annotations that says anything."""
        annotations = self.annotations or {}
        return next((text for name in names if (text := annotations.get(name))), "")

    @property
    def is_machinery(self) -> bool:
        """Whether it tells of no fault: its severity is ``none``, by Prometheus' own convention."""
        return self.label("severity").lower() == "none"

    @property
    def severity(self) -> Severity:
        return SEVERITIES.get(self.label("severity").lower(), "unknown")

    def title(self, name: str = "") -> str:
        """Its name (``name`` where it has none), and in a few words what it is about."""
        summary = self.annotation("summary", "message", "title")
        return ": ".join(filter(None, (self.label("alertname") or name, summary)))

    @property
    def links(self) -> dict[str, str]:
        """The pages that its annotations name."""
        return {what: url for what, names in LINKS.items() if (url := self.annotation(*names))}

    @property
    def shown_labels(self) -> dict[str, str]:
        """The labels that have a value."""
        return {name: value for name, value in (self.labels or {}).items() if value}


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


class SteadyTexts:
    """What each alert last said of itself, so that new numbers are no news."""

    def __init__(self) -> None:
        self._shown: dict[str, SteadyText] = {}

    def steady(self, key: str, title: str, description: str, now: float) -> SteadyText:
        """The text to show for ``key`` at ``now`` (monotonic)."""
        text = SteadyText(title=title, description=description, at=now)
        text = self._shown[key] = text.steady(self._shown.get(key))
        return text

    def keep(self, keys: frozenset[str]) -> None:
        """Forget all others: they are over."""
        self._shown = {key: text for key, text in self._shown.items() if key in keys}


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


def served_at(reply: Reply, clock: Clock) -> datetime:
    """The server's own time: its start and its doings are told by its own clock."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).astimezone(UTC)
    except (TypeError, ValueError):
        return clock.now()


def words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """An option that may be one word or several."""
    return (value,) if isinstance(value, str) else value
