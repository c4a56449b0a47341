"""Linear's past: issues that are over by when they changed last, the archived ones among them.

A page begins at a moment, since what an ``endCursor`` means once its issue has changed is not documented.  Where a
whole page changed in one second, as when many are closed at once, the pages of that second are gone through again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sources._linear import OVER, PAST_ISSUES, Issue, ticket_of
from sources._shared.backwards import Until, moment, past
from sources._shared.rows import Rows
from statusboard.api import Http, Past, TooLarge, parse_time

if TYPE_CHECKING:
    from sources.linear import Linear

PAGE: Final = 100
#: Of one second.
MOST_PAGES: Final = 50


async def read(source: Linear, team: str, http: Http, since: datetime, cursor: str) -> Past:
    """One page of a team's issues that are over, of all that the key may see for ``""``."""
    until = Until.of(cursor)
    if until.page > MOST_PAGES:
        raise TooLarge(f"more than {MOST_PAGES * PAGE} issues changed in one second")
    span = {"gte": moment(since), **({"lte": moment(until.at)} if until.at else {})}
    wanted: dict[str, Any] = {"state": {"type": {"in": OVER}}, "updatedAt": span}
    page = await source.page(PAST_ISSUES, team, wanted, PAGE, None, http)
    for _ in range(1, until.page):
        if page.page_info.has_next_page:
            page = await source.page(PAST_ISSUES, team, wanted, PAGE, page.page_info.end_cursor, http)
    rows = Rows("issue", Issue, page.nodes)
    changed = [parse_time(issue.updated_at) for issue in rows.good]
    older, reached = until.older(changed, more=page.page_info.has_next_page)
    return past(rows, lambda issue: ticket_of(source, issue), older=older, reached=reached)
