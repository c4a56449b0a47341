"""The numbers of all scopes for the metrics view: read from the store, kept up to date, never in one long step."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from operator import is_
from typing import TYPE_CHECKING, Final

from statusboard.hindsight import Hindsight
from statusboard.metrics import Metric, Report, Scope, Stretch, window_of
from statusboard.metrics.windows import days_of
from statusboard.presenting.metrics import Standing
from statusboard.presenting.plotting import Values

if TYPE_CHECKING:
    from statusboard.measuring import Measure
    from statusboard.screens.live import Live

OLD: Final = timedelta(minutes=1)
"""After so long the window has moved on far enough to be looked at again."""
_SPAN: Final = {7: 1, 30: 3, 90: 7}
"""Days that one sign of a sparkline stands for, by those of the window."""


class Standings:
    """Reports of one store, with each number over time.  For one event loop."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._measure: Measure | None = None
        self._for: tuple[object, ...] = ()
        self._past: tuple[int, datetime] | None = None
        #: Whether more was read back after the past moment that the numbers are of.
        self.filled_later = False
        self._read_at: datetime | None = None
        self._values: dict[tuple[Scope, Metric, int], Values] = {}
        self._spans: dict[int, tuple[Stretch, ...]] = {}

    async def read(self, days: int) -> list[Standing]:
        """All scopes in the window of so many days that ends now, or at the past moment that is shown.

        Raises `StoreError`.
        """
        live = self._live
        now = live.now
        past = None if live.newest is None else (live.newest, now)
        wanted = (live.engine.store, live.settings.config, live.cells.zone)
        same = past == self._past and len(self._for) == len(wanted) and all(map(is_, self._for, wanted))
        if self._measure is None or not same:
            self._for, self._past = wanted, past
            known = live.knowledge()
            self._measure = live.settings.measure(known, live.cells.zone)
            self._measure.lasting = live.newest is None
            self.filled_later = isinstance(known, Hindsight) and await known.filled_later()
        measure = self._measure
        reports = [await measure.report(Scope(), days, now)]
        reports += await measure.by_team(days, now)
        reports += await measure.by_service(days, now)
        self._read_at = now
        self._values.clear()
        self._spans[days] = spans_of(days, now, measure.zone)
        told = any(number.n or number.before_n for number in reports[0].numbers) or reports[0].unlinked.episodes
        return [self._standing(measure, report, days) for report in reports] if told or len(reports) > 1 else []

    def _standing(self, measure: Measure, report: Report, days: int) -> Standing:
        scope = report.scope
        spans = self._spans[days]
        if scope.service:
            team = measure.catalog.team_of(scope.service)
            return Standing(f"service:{scope.service}", scope.service, report, spans, team)
        if scope.team:
            return Standing(f"team:{scope.team}", f"team {scope.team}", report, spans, scope.team)
        return Standing("all:", "everything", report, spans)

    def values(self, standing: Standing, metric: Metric) -> Values:
        """A number over the spans of its window, as of the last `read`."""
        if self._measure is None:
            return ()
        scope, days = standing.report.scope, standing.report.window.days
        known = self._values.get((scope, metric, days))
        if known is None:
            known = self._values[scope, metric, days] = self._measure.over(scope, metric, standing.spans)
        return known

    @property
    def read_at(self) -> datetime | None:
        """Of which moment the numbers are."""
        return self._read_at

    def is_old(self) -> bool:
        """Whether so much time has gone by that the window has moved."""
        return self._read_at is not None and not timedelta(0) <= self._live.now - self._read_at < OLD


def spans_of(days: int, now: datetime, zone: tzinfo) -> tuple[Stretch, ...]:
    """The window in equal stretches of whole local days, oldest first; the first may be shorter than the others."""
    each = days_of(window_of(days, now, zone), zone)
    step = _SPAN.get(days, max(1, days // 13))
    groups = [each[max(0, end - step) : end] for end in range(len(each), 0, -step)]
    return tuple(Stretch(group[0].since, group[-1].until) for group in reversed(groups))
