"""How well a source is read, judged by the clock: a pure state machine, one `Tracker` a source.

    starting   not answered yet                       down     never succeeded, and failing
    fresh      every part read, at most 2 intervals ago
    partial    some part could not be read (a fresh source never has a failed part)
    aging      nothing read for over 2 intervals      stale    nothing for over 4, or a heartbeat is missing
    paused     by a person

Intervals are the configured ones, whatever back-off or budgets did to the schedule.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from statusboard.errors import SourceError
from statusboard.log import redact
from statusboard.model import HealthState, PartError, SourceHealth, health_key
from statusboard.text import clean

AGING = 2
STALE = 4
MAX_ERRORS = 50


def by_age(last_success: datetime | None, interval: float, now: datetime) -> HealthState:
    """What age alone says: ``fresh``, ``aging``, ``stale``, or ``starting`` where there was no success yet."""
    if last_success is None:
        return "starting"
    age = (now - last_success).total_seconds()
    if age > STALE * interval:
        return "stale"
    return "aging" if age > AGING * interval else "fresh"


def describe(error: BaseException) -> str:
    """An error as one safe line without secrets."""
    return clean(redact(str(error) or type(error).__name__), 300)


class Tracker:
    """The health of one source.  Tell it what happened, ask it to `judge`."""

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
        self._part_errors: dict[str, str] = {}
        self._error = ""
        self._told = before

    # -- what happened -------------------------------------------------------------------------------------------

    def read(self, part: str, at: datetime, beats: Collection[str], *, unchanged: bool = False) -> None:
        """A part was read by a poll that began at ``at``.  A 304 says nothing new of heartbeats."""
        self._error = ""
        self._part_errors.pop(part, None)
        if self.last_success is None or at > self.last_success:
            self.last_success = at
        if not unchanged:
            self._seen |= set(beats)

    def failed(self, part: str, error: SourceError) -> bool:
        """A part could not be read; returns whether that is new (to be logged once)."""
        new = part not in self._part_errors
        self._part_errors[part] = describe(error)
        return new

    def failed_whole(self, error: BaseException) -> bool:
        """Nothing of the source could be read; returns whether that is new."""
        new = not self._error
        self._error = describe(error)
        return new

    def polled(self, parts: Collection[str], beats: Collection[str] | None) -> None:
        """A poll is over: forget the errors of parts that are no longer asked for, and look for missing heartbeats.

        ``beats`` are those of all parts of this poll; ``None`` when no part was read anew.
        """
        for part in [p for p in self._part_errors if p not in parts]:
            del self._part_errors[part]
        if beats is not None:
            self._missing = (self._expected | self._seen) - frozenset(beats)

    # -- what it means -------------------------------------------------------------------------------------------

    @property
    def failing(self) -> bool:
        """Whether the newest poll left something unread."""
        return bool(self._error or self._part_errors)

    def judge(self, now: datetime) -> SourceHealth:
        """The health at this moment; the same object again while nothing that is stored has changed."""
        state = self._state(now)
        error = self._error
        if not error and self._missing:
            error = f"heartbeat {', '.join(sorted(self._missing))} is missing: an empty answer proves nothing"
        errors = tuple(PartError(part=p, error=e) for p, e in sorted(self._part_errors.items())[:MAX_ERRORS])
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

    def turns_at(self) -> datetime | None:
        """When age alone will change the state next, if nothing happens."""
        if self.last_success is None or self.paused:
            return None
        told = self._told.state if self._told is not None else "starting"
        factor = STALE if told == "aging" else AGING
        return self.last_success + timedelta(seconds=factor * self.interval)

    def _state(self, now: datetime) -> HealthState:
        if self.paused:
            return "paused"
        state = by_age(self.last_success, self.interval, now)
        if state == "starting":
            return "down" if self.failing else "starting"
        if self._missing:
            return "stale"
        return "partial" if state == "fresh" and self.failing else state
