"""The numbers in words: ``12.5%``, ``2d 3h``, ``3/week``.  Pure."""

from __future__ import annotations

from typing import Final

from statusboard.metrics.kinds import Unit

NOTHING: Final = "no data"
_PER: Final = (("day", 1.0), ("week", 7.0), ("month", 30.0))


def value_text(value: float | None, unit: Unit) -> str:
    """A value in its unit; `NOTHING` for None."""
    if value is None:
        return NOTHING
    if unit == "share":
        return f"{_short(100 * value)}%"
    if unit == "seconds":
        return length_text(value)
    name, days = _per(value)
    return f"{_short(value * days)}/{name}"


def _per(value: float) -> tuple[str, float]:
    """The time in which a frequency is best told, and its days: the shortest in which it is at least once."""
    return next(((name, days) for name, days in _PER if value * days >= 1), _PER[-1]) if value else _PER[0]


def change_text(change: float, unit: Unit, value: float | None = None) -> str:
    """How far a value has moved: ``+3.5 points``, ``-2h``, ``+0.4/day``; a frequency is told as ``value`` is."""
    sign = "+" if change > 0 else "-" if change < 0 else "±"
    size = abs(change)
    if unit == "share":
        return f"{sign}{_short(100 * size)} points"
    if unit == "seconds":
        return f"{sign}{length_text(size)}"
    name, days = _per(size if value is None else max(value, value - change))
    return f"{sign}{_short(size * days)}/{name}"


def length_text(seconds: float) -> str:
    """A length of time in its two largest units: ``3d 4h``, ``5m 20s``, ``0s``."""
    left = round(seconds)
    if left >= 3_600:  # to the minute, so that two units never round up to a third
        left = round(left / 60) * 60
    if left >= 86_400:
        left = round(left / 3_600) * 3_600
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def _short(number: float) -> str:
    """At most three digits that matter: 0.05, 1.4, 12.5, 250."""
    text = f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
