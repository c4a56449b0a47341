"""PagerDuty's past: resolved incidents by when they were triggered, and the log that tells who acknowledged them when.

A resolved incident does not say that it was acknowledged.  A span of time may be six months long at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sources._pagerduty import Incidents, Reference, Row, incident_of
from sources._shared.backwards import Until, moment, past
from sources._shared.rows import Rows
from statusboard.api import Http, Incident, Past, SourceError, clean, parse_time

if TYPE_CHECKING:
    from sources.pagerduty import PagerDuty

PAGE: Final = 100
LONGEST_SPAN: Final = timedelta(days=170)
#: Pages of the log for one page of incidents, and for how long after the last of them was triggered.
LOG_PAGES: Final = 10
ANSWERED_WITHIN: Final = timedelta(days=1)


class Entry(msgspec.Struct, frozen=True):
    """log_entry"""

    type: str | None = None
    created_at: str | int | float | None = None
    agent: Reference | None = None
    incident: Reference | None = None


class Entries(msgspec.Struct, frozen=True):
    log_entries: list[Any]
    more: bool | None = None


class History:
    """Reads it."""

    def __init__(self, source: PagerDuty) -> None:
        self._source = source

    async def read(self, http: Http, since: datetime, cursor: str) -> Past:
        """Incidents that were triggered at a time or before."""
        source, until = self._source, Until.of(cursor)
        what = "teams" if source.options.teams else "services"
        asked_for = await source.asked_for(what, http)
        end = until.at + timedelta(seconds=1) if until.at else source.clock.now()
        begin = max(since, end - LONGEST_SPAN)
        params: dict[str, Any] = {
            "statuses[]": "resolved",
            "since": moment(begin),
            "until": moment(end),
            "time_zone": "UTC",
            "sort_by": "created_at:desc",
            "limit": PAGE,
            "offset": (until.page - 1) * PAGE,
        }
        if asked_for.ids:
            params[f"{what[:-1]}_ids[]"] = asked_for.ids
        found = (await http.get("/incidents", params=params)).decode(Incidents).incidents
        rows = Rows("incident", Row, found)
        made = [parse_time(row.created_at) for row in rows.good]
        older, reached = until.older(made, more=len(found) >= PAGE)
        if not older and begin > since:
            older, reached = f"{moment(begin)} 1", begin
        answered, notes = await self._answered(made, http)

        def incident(row: Row) -> Incident:
            told = incident_of(source, row, "")
            who, at = answered.get(row.id or "", ("", None))
            return msgspec.structs.replace(told, acknowledged_at=at, acknowledged_by=who) if at else told

        return past(rows, incident, older=older, reached=reached, notes=notes)

    async def _answered(
        self, made: Iterable[datetime | None], http: Http
    ) -> tuple[dict[str, tuple[str, datetime | None]], tuple[str, ...]]:
        """Who acknowledged these incidents first, and when, by their ids; incidents are told without it as well."""
        times = [at for at in made if at is not None]
        found: dict[str, tuple[str, datetime | None]] = {}
        if not times:
            return found, ()
        params: dict[str, Any] = {
            "since": moment(min(times)),
            "until": moment(min(max(times) + ANSWERED_WITHIN, self._source.clock.now())),
            "is_overview": "true",
            "time_zone": "UTC",
            "limit": PAGE,
        }
        try:
            for page in range(LOG_PAGES):
                answer = (await http.get("/log_entries", params={**params, "offset": page * PAGE})).decode(Entries)
                for entry in Rows("log entry", Entry, answer.log_entries).good:  # newest first
                    if (entry.type or "").lower().startswith("acknowledge_") and entry.incident and entry.incident.id:
                        found[entry.incident.id] = str(entry.agent or ""), parse_time(entry.created_at)
                if not answer.more:
                    return found, ()
        except SourceError as exc:
            return found, (clean(f"who acknowledged what is not told: {exc}", 300),)
        return found, ("of very busy days not all acknowledgements are told",)
