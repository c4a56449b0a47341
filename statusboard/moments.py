"""Moments as people write them: ``14:23``, ``yesterday 09:00``, ``-2h``, ``2026-11-20 14:00``.  Pure.

A time of day is one of the reader's zone.  Where a change of its clocks skips that time or brings it twice, a moment is
chosen all the same and the note says which.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, NamedTuple

from statusboard.clock import FIRST_YEAR, LAST_YEAR, parse_duration
from statusboard.errors import MomentError

FORMS: Final = "14:23, yesterday 09:00, friday 17:30, 2026-11-20 14:00 or -2h"
"""What can be written, for people."""

_LONGEST: Final = 64
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME: Final = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,6})[0-9]*)?)?"
_OF_DAY: Final = re.compile(rf"(?:(?P<day>[a-z]+)(?:,? (?:at )?|$))?(?:{_TIME})?")
_DATED: Final = re.compile(
    rf"(?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[t ]{_TIME} ?(?P<zone>z|utc|gmt|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?"
)
_AGO: Final = re.compile(r"-?(?P<length>[0-9][0-9.a-z ]*?)(?: ago)?")


class Meant(NamedTuple):
    """The moment that a text means (UTC), and what must be said of it; ``""`` where it is plain."""

    at: datetime
    note: str = ""


def parse_moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The moment that `meant` finds, without its note."""
    return meant(text, now, zone).at


def meant(text: str, now: datetime, zone: tzinfo) -> Meant:
    """The moment that a text means, seen from ``now`` by somebody in ``zone``.  `MomentError` says what can be written.

    ``now``; a time of day (the last one that has been), alone or after ``today``, ``yesterday`` or the name of a day of
    the week; those alone mean the beginning of that day; a date, a date and a time, both with ``Z`` or an offset too;
    how long ago (``-2h``, ``2h ago``, ``-1d12h``).
    """
    asked = " ".join(text.split()).casefold()
    if not asked or len(asked) > _LONGEST:
        raise _no_moment(text)
    if asked == "now":
        return Meant(now.astimezone(UTC))
    if found := _DATED.fullmatch(asked):
        return _dated(text, found, zone)
    if found := _OF_DAY.fullmatch(asked):
        return _of_day(text, found, now, zone)
    if found := _AGO.fullmatch(asked):
        try:
            return Meant(now.astimezone(UTC) - timedelta(seconds=_seconds(found["length"])))
        except ValueError:
            raise _no_moment(text) from None
    raise _no_moment(text)


def _seconds(length: str) -> float:
    if not re.search("[a-z]", length):
        raise ValueError("a number without a unit could be anything")
    return float(parse_duration(length))


def _dated(text: str, found: re.Match[str], zone: tzinfo) -> Meant:
    day, of_day = _day(text, found["date"]), _time(text, found) or time()
    if not found["zone"]:
        return _local(datetime.combine(day, of_day), zone)
    offset = found["zone"].replace(":", "")
    if offset in ("z", "utc", "gmt"):
        return Meant(datetime.combine(day, of_day, UTC))
    hours, minutes = int(offset[1:3]), int(offset[3:5] or 0)
    if hours > 14 or minutes > 59:
        raise MomentError(f"`{_shown(text)}` has an offset that no place on earth has")
    ahead = timedelta(hours=hours, minutes=minutes)
    return Meant(datetime.combine(day, of_day, UTC) - (ahead if offset[0] == "+" else -ahead))


def _of_day(text: str, found: re.Match[str], now: datetime, zone: tzinfo) -> Meant:
    local = now.astimezone(zone)
    today, of_day = local.date(), _time(text, found)
    match found["day"]:
        case None:
            assert of_day is not None  # the pattern matches nothing else but an empty text
            here = _local(datetime.combine(today, of_day), zone)
            if here.at <= now:
                return here
            then = _local(datetime.combine(today - timedelta(days=1), of_day), zone)
            return Meant(then.at, "; ".join(filter(None, (then.note, "yesterday: today it has not been that late"))))
        case "today":
            day = today
        case "yesterday":
            day = today - timedelta(days=1)
        case name:
            day = _last(text, name, today)
            if day == today and datetime.combine(day, of_day or time()) > local.replace(tzinfo=None):
                day -= timedelta(days=7)
    return _local(datetime.combine(day, of_day or time()), zone)


def _last(text: str, name: str, today: date) -> date:
    """The last day of this name, today among them."""
    named = [number for number, day in enumerate(_DAYS) if len(name) >= 3 and day.startswith(name)]
    if not named:
        raise _no_moment(text)
    return today - timedelta(days=(today.weekday() - named[0]) % 7)


def _day(text: str, told: str) -> date:
    try:
        day = date.fromisoformat(told)
    except ValueError:
        raise MomentError(f"`{_shown(text)}` is no moment: there is no such day") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise MomentError(f"`{_shown(text)}` is no moment of this history: which year is meant?")
    return day


def _time(text: str, found: re.Match[str]) -> time | None:
    if found["hour"] is None:
        return None
    try:
        part = int((found["part"] or "").ljust(6, "0"))
        return time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0), part)
    except ValueError:
        raise MomentError(f"`{_shown(text)}` is no moment: there is no such time of day") from None


def _local(told: datetime, zone: tzinfo) -> Meant:
    """The moment at which the clocks of a zone show this; the note says where they never did, or did twice."""
    first, second = (told.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return Meant(first)
    shown = f"{told:%H:%M}"
    if first.astimezone(zone).replace(tzinfo=None) == told:
        later = f"{second.astimezone(zone):%Y-%m-%d %H:%M%z}"
        return Meant(first, f"{shown} came twice on {told:%Y-%m-%d}: the first is meant, write {later} for the second")
    instead = f"{first.astimezone(zone):%H:%M %Z}"
    return Meant(first, f"{shown} was skipped on {told:%Y-%m-%d}, the clocks went forward: {instead} is meant")


def _no_moment(text: str) -> MomentError:
    return MomentError(f"`{_shown(text)}` is no moment: write {FORMS}")


def _shown(text: str) -> str:
    """What was typed, short and on one line."""
    one = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(one.split())[:40]
