"""When a source is polled next.  Pure functions of what happened; seconds throughout."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from statusboard.errors import AuthError, RateLimited, SourceError

JITTER = 0.1
QUICK = 0.5
SLOW = 1.5
#: Polls without any change after which a source may be asked less often.
QUIET_POLLS = 20
MIN_DELAY = 1.0
CAP_INCIDENTS = 60.0
CAP_OTHERS = 300.0
LEAST_CAP = 15.0
AUTH_FIRST = 300.0
AUTH_CAP = 3600.0
#: First polls are spread over this long, or one interval if that is shorter.
SPREAD = 5.0


def spread(index: int, count: int, interval: float) -> float:
    """How long the ``index``-th of ``count`` sources waits before its first poll."""
    return min(SPREAD, interval / 2, 0.05 * count) * index / max(count, 1)


def after_success(
    interval: float, *, running: bool, quiet_polls: int, kinds: Collection[str], budget_pause: float, random: Random
) -> float:
    """The delay after a poll that read everything: quicker while something runs, slower while all is quiet.

    ``budget_pause`` is the least interval with which the vendor's quota lasts until its reset.
    """
    delay = interval
    if running:
        delay = interval * QUICK
    elif quiet_polls >= QUIET_POLLS and "incident" not in kinds:
        delay = interval * SLOW
    delay = min(delay * (1 + random.uniform(-JITTER, JITTER)), interval * SLOW)
    return max(delay, budget_pause, MIN_DELAY)


def after_failure(
    error: BaseException, failures: int, interval: float, *, kinds: Collection[str], random: Random
) -> float:
    """The delay after the ``failures``-th failure in a row: exponential with full jitter, or what the vendor asks.

    An authentication failure is not going to heal by itself: 5 minutes, doubling to an hour.
    """
    if isinstance(error, AuthError):
        return min(AUTH_FIRST * 2.0 ** min(failures - 1, 10), AUTH_CAP)
    asked = error.retry_after if isinstance(error, SourceError) else None
    if isinstance(error, RateLimited) and asked is None:
        asked = 60.0
    if asked is not None:
        return max(asked, MIN_DELAY)
    # A source that is asked every few seconds is wanted back as soon: not later than after some of its intervals.
    cap = min(CAP_INCIDENTS if "incident" in kinds else CAP_OTHERS, max(LEAST_CAP, 8 * interval))
    ceiling = min(cap, interval * 2.0 ** min(failures - 1, 10))
    return max(random.uniform(0, ceiling), min(interval, cap) / 4, MIN_DELAY)
