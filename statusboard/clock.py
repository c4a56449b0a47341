"""Time: a clock that tests can hold still, tolerant parsing of vendors' times, durations, and short ages.

All datetimes that leave this module are aware and in UTC.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1990, 2200
"""Years outside this range are taken for "no time": zero times, placeholders and nonsense."""

_US = timedelta(microseconds=1)


class Clock(Protocol):
    """What the board asks about time, so that tests can answer it."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`; a value of 0 or less only yields to the event loop."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that moves only when told to. Not for use from several threads.

    `advance` moves it at once; `run_for` moves it from deadline to deadline and lets tasks run in between.
    """

    _SETTLE_ROUNDS = 50  # turns of the event loop that woken tasks get to come to rest

    def __init__(self, start: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) -> None:
        self._start = start.astimezone(UTC)
        self._elapsed_us = 0  # whole microseconds: many small steps must not drift
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._elapsed_us)

    def monotonic(self) -> float:
        return self._elapsed_us / 1_000_000

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        deadline = self._elapsed_us + max(1, round(seconds * 1_000_000))
        heapq.heappush(self._sleepers, (deadline, next(self._order), future))
        await future

    def advance(self, seconds: float) -> None:
        """Moves time by `seconds` and wakes, in order of deadline, every sleeper whose time has come.

        Woken tasks run at the next turn of the event loop, and all of them see the new time.
        """
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} s")
        self._move_to(self._elapsed_us + round(seconds * 1_000_000))

    async def run_for(self, seconds: float) -> None:
        """Moves time by `seconds`, stopping at each deadline on the way so that tasks run at their own moment.

        Tasks that wait for anything but this clock (a thread, a socket) get no more than some turns of the loop.
        """
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} s")
        end = self._elapsed_us + round(seconds * 1_000_000)
        await self._settle()
        while (deadline := self._next_deadline()) is not None and deadline <= end:
            self._move_to(deadline)
            await self._settle()
        self._move_to(end)
        await self._settle()

    def _next_deadline(self) -> int | None:
        while self._sleepers and self._sleepers[0][2].done():  # cancelled while asleep
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _move_to(self, elapsed_us: int) -> None:
        # A task that advances the clock during run_for may already have moved it further.
        self._elapsed_us = max(self._elapsed_us, elapsed_us)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_us:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    async def _settle(self) -> None:
        for _ in range(self._SETTLE_ROUNDS):
            await asyncio.sleep(0)


async def breathe() -> None:
    """Let everybody else have their turn, between two pieces of work in the event loop.

    After one turn of the loop whoever called it is first in the next one, before what became due (a timer, a socket,
    another thread's result) while it worked; after two it comes behind all that.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)


# --- zones ----------------------------------------------------------------------------------------------------------


class MachineZone(tzinfo):
    """The zone of this machine, with the changes of its clocks."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """How far it is ahead of UTC at a time of its own."""
        return _here(dt).utcoffset() if dt is not None else None

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Not told apart from the rest of the offset."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """As people call it: ``CET``."""
        return _here(dt).tzname() if dt is not None else None

    def fromutc(self, dt: datetime) -> datetime:
        """A time of its own, of one in UTC that is marked as its own."""
        moment = dt.replace(tzinfo=UTC)
        local = moment.astimezone().replace(tzinfo=None)
        again = _here(local).astimezone(UTC) != moment  # the second time that its clocks show this
        return local.replace(tzinfo=self, fold=int(again))


_MACHINE = MachineZone()


def _here(dt: datetime) -> datetime:
    return dt.replace(tzinfo=None).astimezone()


def zone_of(name: str) -> tzinfo:
    """The zone of that name, UTC where there is none; that of this machine for ``""``."""
    if not name:
        return _MACHINE
    from zoneinfo import ZoneInfo  # which not everything that needs the time needs

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


# --- vendors' times -------------------------------------------------------------------------------------------------

_LONGEST_TIME = 64
_FIRST_SECOND = int((datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
_END_SECOND = int((datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_ZONE_WORD = re.compile(r"\s*(?:z|utc|gmt)$", re.IGNORECASE)
_SPACED_OFFSET = re.compile(r"\s+(?=[+-][0-9]{2}:?(?:[0-9]{2})?$)")
_LEAP_SECOND = re.compile(r"(?<=[0-9]{2}:[0-9]{2}:)60|(?<=[0-9]{2}[0-9]{2})60(?=[.,Z+-]|$)")


def parse_time(value: object) -> datetime | None:
    """A vendor's time as aware UTC, or None when there is none or it makes no sense. Never raises.

    Takes what API_FACTS calls the general time forms: RFC 3339 with any number of fraction digits, offsets with and
    without colon, compact ISO 8601, forms without a zone (read as UTC), a date alone, and Unix time in seconds,
    milliseconds, microseconds or nanoseconds as int, float or digits. None, "", 0 and years outside 1990-2200
    (Go's zero time, 1970) are None.
    """
    return parse_time_exact(value)[0]


def parse_time_exact(value: object) -> tuple[datetime | None, bool]:
    """Like `parse_time`, with whether the time is approximate: its zone was not given, so it may be hours off."""
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, datetime):
        return _to_utc(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value), False
    return None, False


def _from_text(text: str) -> tuple[datetime | None, bool]:
    if len(text) > _LONGEST_TIME:
        return None, False
    text = text.strip()
    if _NUMBER.fullmatch(text):
        moment = _from_number(float(text) if "." in text else int(text))
        if moment is not None:
            return moment, False
    try:
        return _to_utc(datetime.fromisoformat(text))
    except ValueError:
        text = _SPACED_OFFSET.sub("", _ZONE_WORD.sub("+00:00", text))
        text = _LEAP_SECOND.sub("59", text)
    try:
        return _to_utc(datetime.fromisoformat(text))
    except ValueError:
        return None, False


def _to_utc(moment: datetime) -> tuple[datetime | None, bool]:
    approximate = moment.tzinfo is None
    if approximate:
        moment = moment.replace(tzinfo=UTC)
    elif moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except (OverflowError, ValueError):  # year 1 or 9999 moved out of range
            return None, False
    if FIRST_YEAR <= moment.year <= LAST_YEAR:
        return moment, approximate
    return None, False


def _from_number(value: float) -> datetime | None:
    """Unix time in the unit that gives a sensible year; the ranges of the four units do not overlap."""
    for per_second in (1, 1_000, 1_000_000, 1_000_000_000):
        if _FIRST_SECOND * per_second <= value < _END_SECOND * per_second:
            if isinstance(value, int):
                return EPOCH + timedelta(microseconds=value * 1_000_000 // per_second)
            return EPOCH + timedelta(seconds=value / per_second)
    return None


def rfc3339(moment: datetime) -> str:
    """`2026-01-02T03:04:05Z`, with microseconds only when there are any. `moment` is aware."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact."""
    return (moment - EPOCH) // _US


def from_us(microseconds: int) -> datetime:
    """The inverse of `to_us`."""
    return EPOCH + microseconds * _US


def age(now: datetime, then: datetime) -> str:
    """How long ago (at most 4 cells, steps that change rarely): `<1m`, `5m`, `3h`, `2d`, `5w`, `2y`; ahead: `now`."""
    seconds = (now - then).total_seconds()
    if seconds < 0:
        return "now"
    if seconds < 60:
        return "<1m"
    if seconds < 3_600:
        return f"{int(seconds // 60)}m"
    days = int(seconds // 86_400)
    if days < 1:
        return f"{int(seconds // 3_600)}h"
    if days < 14:
        return f"{days}d"
    if days < 365:
        return f"{days // 7}w"
    return f"{min(days // 365, 999)}y"


# --- durations ------------------------------------------------------------------------------------------------------

_DURATION = re.compile(
    r"(?:([0-9.]+)w)?(?:([0-9.]+)d)?(?:([0-9.]+)h)?(?:([0-9.]+)m(?!s))?(?:([0-9.]+)s)?(?:([0-9.]+)ms)?", re.ASCII
)
_UNIT_SECONDS = (604_800, 86_400, 3_600, 60, 1, 0.001)
_LONGEST_DURATION = 100 * 365 * 86_400


class Duration(float):
    """A length of time in seconds, written and shown as `1m30s`; usable as a msgspec field through the hooks below."""

    __slots__ = ()

    def __str__(self) -> str:
        milliseconds = round(abs(self) * 1_000)
        parts = []
        for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
            count, milliseconds = divmod(milliseconds, size)
            if count:
                parts.append(f"{count}{unit}")
        return ("-" if self < 0 and parts else "") + ("".join(parts) or "0s")

    def __repr__(self) -> str:
        return f"Duration({float(self)!r})"


def parse_duration(value: object) -> Duration:
    """`"15s"`, `"2m"`, `"1h30m"`, `"500ms"`, `"2d"`, `"1w"`, or a number of seconds. ValueError says what is wrong."""
    seconds: float | None = None
    if isinstance(value, str):
        seconds = _duration_seconds(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= _LONGEST_DURATION else value  # float() of a huge int overflows
    if seconds is None or seconds != seconds:
        shown = value[:40] if isinstance(value, str) else str(value)[:40]
        raise ValueError(f"{shown!r} is not a duration; write it like 15s, 2m, 1h30m, 500ms or 2d")
    if seconds < 0:
        raise ValueError("a duration cannot be negative")
    if seconds > _LONGEST_DURATION:
        raise ValueError("a duration cannot be longer than 100 years")
    return Duration(seconds)


def _duration_seconds(text: str) -> float | None:
    """Seconds, or None if `text` is no duration."""
    compact = text.replace(" ", "").lower()
    if not compact or len(compact) > 64:
        return None
    try:
        if _NUMBER.fullmatch(compact):
            return float(compact)
        match = _DURATION.fullmatch(compact)
        if match is None:
            return None
        parts = (float(count) * unit for count, unit in zip(match.groups(), _UNIT_SECONDS, strict=True) if count)
        return round(sum(parts), 9)
    except ValueError:  # "1.2.3s"
        return None


def duration_dec_hook(target: type, value: Any) -> Any:
    """msgspec `dec_hook` for `Duration` fields; NotImplementedError for any other type, so hooks can be chained."""
    if target is Duration:
        return parse_duration(value)
    raise NotImplementedError(f"no decoder for {target!r}")


def duration_enc_hook(value: Any) -> Any:
    """msgspec `enc_hook`: a `Duration` as its text."""
    if isinstance(value, Duration):
        return str(value)
    raise NotImplementedError(f"no encoder for {type(value)!r}")
