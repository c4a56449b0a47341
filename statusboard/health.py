"""How well a source is read, judged by the clock: a pure state machine, one `Tracker` a source.

    starting   not answered yet                       down     never succeeded, and failing
    fresh      every part read, at most 2 intervals ago
    partial    some part could not be read (a fresh source never has a failed part)
    aging      nothing read for over 2 intervals      stale    nothing for over 4, or a heartbeat is missing
    paused     by a person

Intervals are the configured ones, whatever back-off or budgets did to the schedule.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from statusboard.errors import SourceError
from statusboard.log import redact
from statusboard.model import HealthState, PartError, SourceHealth, health_key
from statusboard.text import clean

AGING = 2
STALE = 4
MAX_ERRORS = 50


def by_age(last_success: datetime | None, interval: float, now: datetime) -> HealthState:
    """What age alone says: ``fresh``, ``aging``, ``stale``, or ``starting`` where there was no success yet.

    A success that lies ahead was told by a clock that has been set back since: how old it is nobody knows.
    """
    if last_success is None:
        return "starting"
    age = (now - last_success).total_seconds()
    if age > STALE * interval or age < -AGING * interval:
        return "stale"
    return "aging" if age > AGING * interval else "fresh"


_ORDER: Mapping[HealthState, int] = {
    "starting": 0, "fresh": 1, "partial": 2, "aging": 3, "stale": 4, "down": 5, "paused": 6
}  # fmt: skip


def aged(stored: HealthState, last_success: datetime | None, interval: float, now: datetime) -> HealthState | None:
    """What age makes of a stored state that nobody judges now: ``aging``, ``stale``; None where that is no worse."""
    state = by_age(last_success, interval, now)
    return state if state in ("aging", "stale") and _ORDER[state] > _ORDER[stored] else None


def afresh(before: SourceHealth | None) -> SourceHealth | None:
    """What is left of a source's health when it is read with other options: whether a person paused it."""
    if before is None:
        return None
    return msgspec.structs.replace(before, error="", errors=(), beats=(), missing=(), last_success=None)


def describe(error: BaseException) -> str:
    """An error as one safe line without secrets."""
    return clean(redact(str(error) or type(error).__name__), 300)


def _silence(missing: Collection[str]) -> str:
    """What missing heartbeats mean, for people; ``""`` where none is missing."""
    if not missing:
        return ""
    return f"heartbeat {', '.join(sorted(missing))} is missing: an empty answer proves nothing"


class Tracker:
    """The health of one source.  Tell it what happened, ask it to `judge`.

    ``before`` is what was stored last, by whatever process: what could not be read then counts as unread until it is
    read.
    """

    def __init__(
        self,
        source: str,
        type: str,
        interval: float,
        *,
        optional: bool = False,
        expected: Collection[str] = (),
        before: SourceHealth | None = None,
        last_success: datetime | None = None,
    ) -> None:
        self.source = source
        self.type = type
        self.interval = interval
        self.optional = optional
        self.paused = before is not None and before.state == "paused"
        self.last_success = last_success
        self._expected = frozenset(expected)
        self._seen: set[str] = set(before.beats) if before is not None else set()
        self._missing: frozenset[str] = frozenset(before.missing) if before is not None else frozenset()
        # By part, those of its newest answer in full.
        self._beats: dict[str, frozenset[str]] = {}
        self._part_errors = {e.part: e.error for e in before.errors} if before is not None else {}
        self._error = before.error if before is not None and before.error != _silence(before.missing) else ""
        self._told = before
        self._moved = True  # since the last judgement, by more than time
        self._judged: datetime | None = None

    # -- what happened -------------------------------------------------------------------------------------------

    def read(self, part: str, at: datetime, beats: Collection[str], *, unchanged: bool = False) -> None:
        """A part was read by a poll that began at ``at``.  A 304 says nothing new of heartbeats."""
        self._moved = self._moved or not unchanged or self.failing
        self._error = ""
        self._part_errors.pop(part, None)
        self.last_success = at
        self._judged = None
        if not unchanged:
            self._beats[part] = frozenset(clean(str(beat), 100) for beat in beats)
            self._seen |= self._beats[part]

    def failed(self, part: str, error: SourceError) -> bool:
        """A part could not be read; returns whether that is new (to be logged once)."""
        self._moved = True
        new = part not in self._part_errors
        self._part_errors[part] = describe(error)
        return new

    def failed_whole(self, error: BaseException) -> bool:
        """Nothing of the source could be read; returns whether that is new."""
        self._moved = True
        new = not self._error
        self._error = describe(error)
        return new

    def polled(self, parts: Collection[str]) -> None:
        """A poll of these parts is over: forget those that are no longer asked for, look for missing heartbeats.

        A heartbeat may be in any part.  While one was not read in full yet, none can be found missing.
        """
        if self._beats.keys() == parts and not self._moved:
            return
        self._moved = True
        self._part_errors = {part: error for part, error in self._part_errors.items() if part in parts}
        self._beats = {part: beats for part, beats in self._beats.items() if part in parts}
        present = frozenset[str]().union(*self._beats.values())
        if not self._beats:
            return
        whole = len(self._beats) == len(set(parts))
        self._missing = (self._expected | self._seen if whole else self._missing) - present

    # -- what it means -------------------------------------------------------------------------------------------

    @property
    def failing(self) -> bool:
        """Whether the newest poll left something unread."""
        return bool(self._error or self._part_errors)

    def judge(self, now: datetime) -> SourceHealth:
        """The health at this moment; the same object again while nothing that is stored has changed."""
        self._keep_pace(now)
        state = self._state(now)
        if self._told is not None and self._told.state == state and not self._moved:
            return self._told
        self._moved = False
        error = self._error or _silence(self._missing)
        errors = tuple(
            PartError(part=clean(p, 200), error=e) for p, e in sorted(self._part_errors.items())[:MAX_ERRORS]
        )
        told = self._told
        beats = tuple(sorted(self._seen))
        missing = tuple(sorted(self._missing))
        if told is not None and (
            (told.state, told.error, told.errors, told.optional, told.type, told.interval, told.beats, told.missing)
            == (state, error, errors, self.optional, self.type, self.interval, beats, missing)
        ):
            return told
        since = told.started_at if told is not None and told.state == state else now
        self._told = SourceHealth(
            key=health_key(self.source),
            source=self.source,
            title=self.source,
            state=state,
            type=self.type,
            interval=self.interval,
            optional=self.optional,
            error=error,
            errors=errors,
            beats=beats,
            missing=missing,
            started_at=since,
            updated_at=now,
            last_success=self.last_success,
        )
        return self._told

    def _keep_pace(self, now: datetime) -> None:
        """A clock that is set back makes nothing younger: the success moves back with it."""
        if self._judged is not None and now < self._judged and self.last_success is not None:
            self.last_success -= self._judged - now
        self._judged = now

    def _state(self, now: datetime) -> HealthState:
        if self.paused:
            return "paused"
        state = by_age(self.last_success, self.interval, now)
        if state == "starting":
            return "down" if self.failing else "starting"
        if self._missing:
            return "stale"
        return "partial" if state == "fresh" and self.failing else state
