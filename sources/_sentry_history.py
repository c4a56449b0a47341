"""Sentry's past: resolved issues, each read by itself, which tells when that was; releases and deploys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sources._sentry import LONGEST_VERSION, Deploy, Issue, Version, cursor_of, last_deploy, publication_of
from sources._shared.answers import one
from sources._shared.backwards import moment, oldest, past
from sources._shared.rows import Rows, need
from statusboard.api import BadAnswer, Http, Item, NotFound, Past, Reply, Scope, SourceError, parse_time

if TYPE_CHECKING:
    from sources.sentry import Sentry

#: Issues on a page, each of which takes a request; and releases.
FEW: Final = 25
PAGE: Final = 100
LONGEST_CURSOR: Final = 200
_UNRESOLVED: Final = re.compile(r"\b(?:is:unresolved|status:unresolved)\b", re.IGNORECASE)


class History:
    """Reads it."""

    def __init__(self, source: Sentry, path: str) -> None:
        self._source = source
        self._path = path

    async def read(self, scope: Scope, narrowed: Mapping[str, Any], http: Http, since: datetime, cursor: str) -> Past:
        """One page of a scope's past."""
        params = {**narrowed, **({"cursor": cursor} if cursor else {})}
        if scope.kind == "release":
            return await self._releases(params, http)
        return await self._issues(params, http, since)

    async def _issues(self, params: dict[str, Any], http: Http, since: datetime) -> Past:
        source = self._source
        query, changed = _UNRESOLVED.subn("is:resolved", source.options.query)
        params |= {
            "query": query if changed else f"{query} is:resolved",
            "start": moment(since),
            "end": moment(source.clock.now()),
            "sort": "date",
            "limit": FEW,
        }
        reply = await http.get(f"{self._path}/issues/", params=params)
        listed = Rows("issue", Issue, reply.decode(list[Any]))
        rows = Rows("issue", Issue)
        for issue in listed.good:
            try:
                whole = await http.get(f"{self._path}/issues/{quote(str(need(issue.id, 'id')), safe='')}/")
            except NotFound:  # deleted since, or merged
                continue
            told = one(whole, Issue)
            if str(told.id) == str(issue.id):
                rows.good.append(told)
        seen = oldest([parse_time(issue.last_seen) for issue in listed.good])
        page = past(rows, source.incident, older=_following(reply), reached=seen)
        return page if listed.error is None else _with(page, listed.error)

    async def _releases(self, params: dict[str, Any], http: Http) -> Past:
        source = self._source
        reply = await http.get(f"{self._path}/releases/", params={**params, "per_page": PAGE})
        rows = Rows("release", Version, reply.decode(list[Any]))
        made = oldest([parse_time(row.date_created) for row in rows.good])
        page = past(
            rows, lambda row: publication_of(source, row, source.page(row)), older=_following(reply), reached=made
        )
        items: dict[str, Item] = {item.key: item for item in page.items}
        error = page.error
        for row in rows.good:
            deploys = Rows("deploy", Deploy, await self._deploys(row, http))
            more = past(deploys, partial(source.deployment, row), older="", reached=None)
            items.update({item.key: item for item in more.items})
            error = error or more.error
        return Past(items=tuple(items.values()), older=page.older, reached=page.reached, error=error)

    async def _deploys(self, row: Version, http: Http) -> list[Any]:
        last = last_deploy(row)
        if not row.version or len(row.version) > LONGEST_VERSION or (row.deploy_count or 0) <= len(last):
            return last
        try:
            reply = await http.get(f"{self._path}/releases/{quote(row.version, safe='')}/deploys/")
        except NotFound:
            return last
        return reply.decode(list[Any])


def _following(reply: Reply) -> str:
    """Where the next page begins; ``""`` after the last."""
    cursor = cursor_of(reply) if reply.next_url else ""
    if len(cursor) > LONGEST_CURSOR or not cursor.isprintable():
        raise BadAnswer("the cursor of the next page is none")
    return cursor


def _with(page: Past, error: SourceError) -> Past:
    return Past(items=page.items, older=page.older, reached=page.reached, error=page.error or error)
