"""Spinnaker's past: the executions of an application by when they were asked for, a page of a search at a time.

Gate sorts them by that, the newest first, and takes both ends of a span, in milliseconds, to be within (spinnaker/gate,
ExecutionsController).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sources._shared.backwards import Until, past
from sources._shared.rows import Rows
from sources._spinnaker import Execution
from statusboard.api import Http, Past, parse_time

if TYPE_CHECKING:
    from sources.spinnaker import Spinnaker

PAGE: Final = 100


async def read(source: Spinnaker, application: str, http: Http, since: datetime, cursor: str) -> Past:
    """One page of the executions of an application."""
    until = Until.of(cursor)
    params: dict[str, str | int] = {
        "triggerTimeStartBoundary": _milliseconds(since),
        "startIndex": (until.page - 1) * PAGE,
        "size": PAGE,
        "expand": "false",
    }
    if until.at is not None:
        params["triggerTimeEndBoundary"] = _milliseconds(until.at)
    path = f"/applications/{quote(application, safe='')}"
    found = (await http.get(f"{path}/executions/search", params=params)).decode(list[Any])
    if not found and not cursor:
        # Else an application with a slip in its name would look as one that never deployed.
        await http.get(path, params={"expand": "false"})
    rows = Rows("execution", Execution, found)
    places = await source.places_of(application, rows.good, http)
    older, reached = until.older([parse_time(row.build_time) for row in rows.good], more=len(found) >= PAGE)
    if places.fault and not places.known:
        raise places.fault
    return past(rows, lambda row: source.release(application, places.known, row), older=older, reached=reached)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
