"""GitHub's issues: the open ones of a repository, or those that a search finds."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sources._github import AnyFound, Found, Issue, repository_of, ticket_of
from sources._github_options import GitHubOptions
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, Http, Item, NotFound, Part, Scope, Source, Ticket, TooLarge

ISSUE_PAGES: Final = 10
SEARCH_PAGES: Final = 3


class Tickets:
    """Reads them."""

    def __init__(self, source: Source[GitHubOptions]) -> None:
        self._source = source
        self._searches = tuple(source.options.searches()) if source.options.query else ()
        #: By search: the keys of what it found, None where that is not all.
        self._found: dict[str, frozenset[str] | None] = dict.fromkeys(self._searches)

    def searches(self) -> list[Scope]:
        """The parts that ``query`` makes."""
        return [Scope(name=f"search {query}", kind="ticket", reach="window", data=query) for query in self._searches]

    async def read(self, scope: Scope, http: Http) -> Part:
        """The open issues of a repository, or what a search finds."""
        return await (self._search(scope, http) if self._searches else self._issues(scope, http))

    async def one(self, repo: str, path: str, http: Http) -> Item | None:
        """One issue, by its path; None for one that is open and that no search finds any more."""
        ticket = ticket_of(self._source, repo, (await http.get(path)).decode(Issue))
        return None if ticket is None or self._is_lost(ticket) else ticket

    async def _issues(self, scope: Scope, http: Http) -> Part:
        repo: str = scope.data
        params: dict[str, str | int] = {"state": "open", "sort": "updated", "direction": "desc", "per_page": 100}
        rows: Rows[Issue] = Rows("issue", Issue)
        notes: list[str] = []
        pages = 0
        try:
            async for reply in http.pages(f"/repos/{repo}/issues", params=params, conditional=True, limit=ISSUE_PAGES):
                rows.add(as_documented(reply, list[Issue], list[Any]))
                pages += 1
        except TooLarge:
            if pages < ISSUE_PAGES:
                raise
            notes.append(f"{repo}: only the {ISSUE_PAGES * 100} open issues that changed last are read")
        except NotFound as exc:
            if exc.status != 410:
                raise
            notes.append(f"{repo}: issues are turned off")
        return rows.part(scope, lambda issue: ticket_of(self._source, repo, issue), notes=notes)

    async def _search(self, scope: Scope, http: Http) -> Part:
        query: str = scope.data
        self._found[query] = None
        params: dict[str, str | int] = {"q": query, "sort": "updated", "order": "desc", "per_page": 100}
        rows: Rows[Issue] = Rows("issue", Issue)
        notes: list[str] = []
        pages, given_up = 0, False
        try:
            async for reply in http.pages("/search/issues", params=params, limit=SEARCH_PAGES):
                found = as_documented(reply, Found, AnyFound)
                rows.add(found.items)
                given_up = given_up or found.incomplete_results
                pages += 1
        except TooLarge:
            if pages < SEARCH_PAGES:
                raise
            notes.append(f"{query}: only the {SEARCH_PAGES * 100} issues that changed last are read")
        part = rows.part(scope, lambda issue: ticket_of(self._source, repository_of(issue), issue), notes=notes)
        if part.error is None and given_up:
            error = BadAnswer("GitHub gave the search up after its time limit; issues may be missing")
            part = msgspec.structs.replace(part, error=error)
        if part.error is None and not notes:
            self._found[query] = frozenset(item.key for item in part.items)
        return part

    def _is_lost(self, ticket: Ticket) -> bool:
        """Whether an issue is open all the same, and no search finds it: it has lost its label, say."""
        if not self._searches or ticket.state in ("done", "cancelled"):
            return False
        return all(keys is not None and ticket.key not in keys for keys in self._found.values())
