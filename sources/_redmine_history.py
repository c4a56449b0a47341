"""Redmine's past: closed issues by when they changed last.

A filter of times takes two of them with ``><``, both of which are within (``date_clause`` of redmine/redmine,
app/models/query.rb).  The real server (5.0) keeps fractions of seconds that it does not tell, so a span ends a second
later.  The last to change come first, so what changes meanwhile is on no page behind.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sources._shared.backwards import Until, moment, past
from statusboard.api import HistoryUnsupported, Http, Past, parse_time

if TYPE_CHECKING:
    from sources.redmine import Redmine

#: The most that Redmine gives at once.
PAGE: Final = 100
SECOND: Final = timedelta(seconds=1)


async def read(source: Redmine, project: str, http: Http, since: datetime, cursor: str) -> Past:
    """One page of the issues of a project that are closed, of all for ``""``."""
    if source.options.query_id:
        raise HistoryUnsupported("`query_id` chooses the issues, and Redmine takes no other filter beside it")
    until = Until.of(cursor)
    span = f"><{moment(since)}|{moment(until.at + SECOND)}" if until.at else f">={moment(since)}"
    params = {**source.asked_for(project), "status_id": "closed", "updated_on": span}
    rows, total = await source.issues(params, http, PAGE, (until.page - 1) * PAGE)
    await source.know_statuses(rows.good, http)
    older, reached = until.older([parse_time(row.updated_on) for row in rows.good], more=total is not None)
    return past(rows, source.ticket, older=older, reached=reached)
