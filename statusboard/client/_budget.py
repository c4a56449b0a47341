"""What a vendor lets us ask: quotas from its headers, and how to make them last.

Header forms: GitHub, Jira, Azure DevOps and Datadog send ``X-RateLimit-Limit/-Remaining/-Reset``, GitLab, Buildkite and
PagerDuty the same without ``X-``, Linear and Sentry with a word of their own in between.  ``Reset`` is a Unix time in
seconds or milliseconds, seconds left, or an ISO time; which of them is told by its size.  Gateways such as Kong send
``X-RateLimit-Remaining-Minute`` (``-Hour``, ``-Day``), whose windows are those of the clock.

Whatever form it has, what a vendor asks for is kept as a moment of the monotonic clock: a wall clock that is set back
must not make a minute's pause last an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

from msgspec import Struct

from statusboard.clock import Clock, parse_time

LONGEST_WAIT = 86_400.0
"""Seconds; a header that asks for more is taken for a mistake and cut to this."""

_RESET_UNKNOWN = 60.0  # seconds, where a vendor does not say when its quota is full again

_FAMILIES = (
    "x-ratelimit-",
    "ratelimit-",
    "x-ratelimit-requests-",
    "x-ratelimit-complexity-",
    "ratelimit-user-",
    "x-sentry-rate-limit-",
)
#: Windows in seconds.  One of a second is over before anybody could mind it.
_WINDOWS = {"minute": 60, "hour": 3_600, "day": 86_400}
_COSTS = {"x-ratelimit-complexity-": "x-complexity"}
_NUMBER = re.compile(r"\s*(\d{1,15})(?:\.\d*)?\s*(?:[,;].*)?", re.ASCII | re.DOTALL)


class Quota(Struct, frozen=True, gc=False):
    """What one answer says of one quota.

    ``reset`` is in seconds from that answer; ``cost`` is what the answer itself cost, in the quota's own unit.
    """

    name: str
    limit: int | None
    remaining: int | None
    reset: float | None
    cost: int = 1


class Budget(Struct, frozen=True, kw_only=True, gc=False):
    """What is left of a credential's quota.

    ``others`` is what further sources with the same credential ask for in a round of theirs.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_at: datetime | None = None
    others: int = 0

    def pause_for(self, requests_per_round: int, now: datetime) -> float:
        """The least interval, in seconds, at which the quota lasts to its reset; 0 where none is known."""
        if self.remaining is None or self.reset_at is None or requests_per_round <= 0:
            return 0.0
        left = (self.reset_at - now).total_seconds()
        if left <= 0:
            return 0.0
        rounds = self.remaining / (requests_per_round + self.others)
        return left if rounds <= 1 else left / rounds


def quotas(headers: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    """The quotas in an answer's headers (names in lower case); ``now`` by the vendor's clock where it is known."""
    if not any("rate" in name for name in headers):
        return
    for family in _FAMILIES:
        remaining = _number(headers.get(f"{family}remaining"))
        if remaining is None:
            continue
        resource = headers.get(f"{family}resource", "")[:64]
        yield Quota(
            f"{family}{resource}",
            _number(headers.get(f"{family}limit")),
            remaining,
            seconds_until(headers.get(f"{family}reset"), now),
            _number(headers.get(_COSTS.get(family, ""))) or 1,
        )
    for window, seconds in _WINDOWS.items():
        remaining = _number(headers.get(f"x-ratelimit-remaining-{window}"))
        if remaining is not None:
            limit = _number(headers.get(f"x-ratelimit-limit-{window}"))
            yield Quota(window, limit, remaining, seconds - now.timestamp() % seconds)


def seconds_until(value: str | None, now: datetime) -> float | None:
    """Seconds until a moment given as a Unix time, as seconds left, as an HTTP date or as an ISO time."""
    if not value:
        return None
    number = _number(value)
    if number is None:
        moment = http_date(value) or parse_time(value)
        seconds = None if moment is None else (moment - now).total_seconds()
    elif number >= 10**11:
        seconds = number / 1000 - now.timestamp()
    elif number >= 10**8:
        seconds = number - now.timestamp()
    else:
        seconds = float(number)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


@lru_cache(maxsize=64)  # many answers carry the same second
def http_date(value: str) -> datetime | None:
    """An HTTP date (``Date``, ``Last-Modified``, ``Retry-After``) as aware UTC."""
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _number(value: str | None) -> int | None:
    match = _NUMBER.fullmatch(value) if value else None
    return int(match[1]) if match else None


class _Bucket:
    """One quota as last told, and who spends it.  ``reset_at`` is by the monotonic clock."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.remaining: int | None = None
        self.reset_at: float | None = None
        self.spent: dict[str, int] = {}
        self.last_round: dict[str, int] = {}

    def budget(self, source: str, clock: Clock) -> Budget:
        left = None if self.reset_at is None else self.reset_at - clock.monotonic()
        over = left is not None and left <= 0
        others = sum(self.per_round(other) for other in self.spent.keys() | self.last_round.keys() if other != source)
        return Budget(
            limit=self.limit,
            remaining=self.limit if over else self.remaining,
            reset_at=None if left is None or over else clock.now() + timedelta(seconds=left),
            others=others,
        )

    def per_round(self, source: str) -> int:
        return max(self.spent.get(source, 0), self.last_round.get(source, 0))


class Ledger:
    """The quotas of one origin and credential, shared by all sources that use them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._used_by: dict[str, tuple[str, ...]] = {}
        self._blocked_until: float | None = None

    def refused_for(self, area: str) -> float:
        """Seconds for which no request should be sent; 0 where one may.

        ``area`` is the first segment of the path: a vendor may have several quotas (GitHub's search has its own).
        """
        now = self._clock.monotonic()
        if self._blocked_until is not None:
            if self._blocked_until > now:
                return self._blocked_until - now
            self._blocked_until = None
        for name in self._used_by.get(area, ()):
            bucket = self._buckets[name]
            if bucket.remaining == 0 and bucket.reset_at is not None and bucket.reset_at > now:
                return bucket.reset_at - now
        return 0.0

    def wait_for_room(self, share: float) -> float:
        """Seconds until more than this share of every quota is left: until its reset, where it is not; 0 for now."""
        now = self._clock.monotonic()
        waits = [max(self._blocked_until - now, 0.0) if self._blocked_until is not None else 0.0]
        for bucket in self._buckets.values():
            if bucket.remaining is None or not bucket.limit or bucket.remaining > bucket.limit * share:
                continue
            waits.append(_RESET_UNKNOWN if bucket.reset_at is None else max(bucket.reset_at - now, 0.0))
        return max(waits)

    def learn(self, source: str, area: str, headers: Mapping[str, str], status: int) -> None:
        """Take note of what an answer says that came just now."""
        names = []
        for quota in quotas(headers, http_date(headers.get("date", "")) or self._clock.now()):
            bucket = self._buckets.setdefault(quota.name, _Bucket()) if len(self._buckets) < 64 else None
            if bucket is None:
                continue
            # A 304 is free with some vendors: then what remains has not become less.
            free = status == 304 and bucket.remaining is not None and (quota.remaining or 0) >= bucket.remaining
            if not free:
                bucket.spent[source] = bucket.spent.get(source, 0) + quota.cost
            bucket.limit = quota.limit
            bucket.remaining = quota.remaining
            bucket.reset_at = None if quota.reset is None else self._clock.monotonic() + quota.reset
            names.append(quota.name)
        if names and (area in self._used_by or len(self._used_by) < 256):
            self._used_by[area] = tuple(names)

    def block(self, seconds: float) -> None:
        """The vendor asked us to stay away."""
        until = self._clock.monotonic() + min(max(seconds, 0.0), LONGEST_WAIT)
        if self._blocked_until is None or until > self._blocked_until:
            self._blocked_until = until

    def start_round(self, source: str) -> None:
        """A poll of ``source`` begins."""
        for bucket in self._buckets.values():
            bucket.last_round[source] = bucket.spent.pop(source, 0)

    def forget(self, source: str) -> None:
        """``source`` is gone."""
        for bucket in self._buckets.values():
            bucket.spent.pop(source, None)
            bucket.last_round.pop(source, None)

    def budget(self, source: str) -> Budget:
        """The quota that binds ``source`` most; an empty one where the vendor names none."""
        return max(self._budgets(source), default=(0.0, 0.0, Budget()), key=lambda entry: entry[:2])[2]

    def pause(self, source: str) -> float:
        """The least interval, in seconds, at which every quota lasts, by what the last round cost."""
        return max((pause for pause, _, _ in self._budgets(source)), default=0.0)

    def _budgets(self, source: str) -> Iterator[tuple[float, float, Budget]]:
        now = self._clock.now()
        for bucket in self._buckets.values():
            budget = bucket.budget(source, self._clock)
            used = 1 - budget.remaining / budget.limit if budget.remaining is not None and budget.limit else 0.0
            yield budget.pause_for(bucket.per_round(source), now), used, budget
