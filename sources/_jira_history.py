"""Jira's past: what its queries mean, but done."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sources._jira import FIELDS, Issue, Page, incident_of, ticket_of
from sources._shared.backwards import counted, oldest, past
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, Http, Item, NotFound, Past, Scope, clean, parse_time

if TYPE_CHECKING:
    from sources.jira import Jira

PAGE: Final = 100
LONGEST_TOKEN: Final = 2_000
#: What queries say to find what is not done yet.
_NOT_DONE: Final = re.compile(
    r"statusCategory\s*!=\s*[\"']?Done[\"']?|statusCategory\s+not\s+in\s*\(\s*[\"']?Done[\"']?\s*\)"
    r"|resolution\s*=\s*(?:Unresolved|EMPTY)|resolution\s+is\s+(?:EMPTY|null)",
    re.IGNORECASE,
)
#: And to find only what changed lately.
_LATELY: Final = re.compile(r"updated(?:Date)?\s*>=?\s*(?:-\d+[mhdw]|startOf\w+\([^()]*\))", re.IGNORECASE)
_DONE: Final = "statusCategory = Done"


class History:
    """Reads it."""

    def __init__(self, source: Jira) -> None:
        self._source = source

    async def read(self, scope: Scope, http: Http, since: datetime, cursor: str) -> Past:
        """One page of the issues of a query that are done, the last to change first."""
        source = self._source
        await source.introduce(http)
        cloud = source.flavor == "cloud"
        # Relative, since Jira reads a date in the zone of whoever asks; the day more is for a clock that differs.
        days = (source.clock.now() - since).days + 1
        query = f"{done(scope.data[0])} AND updated >= -{days}d ORDER BY updated DESC"
        params: dict[str, str | int] = {"jql": query, "fields": FIELDS, "maxResults": PAGE}
        first = 0
        if cloud and cursor:
            params["nextPageToken"] = cursor
        elif not cloud:
            params["startAt"] = first = counted(cursor, 0)
        page = (await source.get(f"{source.api}/search" + ("/jql" if cloud else ""), params, http)).decode(Page)
        if page.warning_messages and not page.issues:
            raise NotFound(f"Jira warns of the query: {clean(page.warning_messages[0], 200)}")
        rows = Rows("issue", Issue, page.issues)
        older = self._older(page, first, cloud)
        incidents: frozenset[str] = frozenset()
        if scope.kind == "ticket" and source.options.incident_jql:
            ids = ", ".join(str(row.id) for row in rows.good if str(row.id).isdecimal())
            incidents = await source.incidents(f"id in ({ids})", "", http) if ids else incidents

        def item(issue: Issue) -> Item | None:
            if scope.kind == "incident":
                return incident_of(source, source.site, issue, source.severities)
            return None if str(issue.id) in incidents else ticket_of(source, source.site, issue)

        changed = [parse_time(row.fields.updated) for row in rows.good if row.fields]
        return past(rows, item, older=older, reached=oldest(changed))

    @staticmethod
    def _older(page: Page, first: int, cloud: bool) -> str:
        if not cloud:
            read = first + len(page.issues)
            return str(read) if page.issues and (page.total is None or read < page.total) else ""
        token = page.next_page_token or ""
        if len(token) > LONGEST_TOKEN or not token.isprintable():
            raise BadAnswer("the token of the next page is none")
        return "" if page.is_last else token


def done(where: str) -> str:
    """A query's condition that means those of its issues which are done, whenever they changed."""
    changed = _LATELY.sub("updated IS NOT EMPTY", _NOT_DONE.sub(_DONE, where))
    return f"({changed}) AND {_DONE}"
