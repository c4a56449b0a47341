"""What servers with a past have in common: moments before now, and lists page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from statusboard.testing import Call
from statusboard.testing._history_contract import NOW

T = TypeVar("T")

__all__ = ["NOW", "at", "page", "unix"]


def at(hours: float) -> str:
    """So many hours before now."""
    return f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def unix(hours: float) -> int:
    """The same in seconds since 1970."""
    return round((NOW - timedelta(hours=hours)).timestamp())


def page(rows: list[T], call: Call, *, size: str = "per_page", number: str = "page", most: int = 100) -> list[T]:
    """The rows of the page that is asked for, of at most so many."""
    count, which = min(int(call.param(size, "20")), most), int(call.param(number, "1"))
    return rows[count * (which - 1) : count * which]


def within(rows: list[dict[str, Any]], field: str, low: str = "", high: str = "") -> list[dict[str, Any]]:
    """The rows whose time, as text, lies between these."""
    return [row for row in rows if (low or "") <= str(row[field]) <= (high or "9999")]
