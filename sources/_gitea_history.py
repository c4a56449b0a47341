"""The past of Gitea and Forgejo: runs (or tasks), published releases and closed issues, page by page.

Their lists cannot be asked for a span of time, but for issues.  A server may serve fewer rows at once than it is asked
for, so a page is followed by another one until all are told or none comes.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sources._gitea import AnyRuns, Issue, PublishedRelease, Run, Runs, build_of, publication_of, ticket_of
from sources._shared.backwards import back_to, counted, moment, oldest, past
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, HistoryUnsupported, Http, Item, NotFound, Past, parse_time

if TYPE_CHECKING:
    from sources.gitea import Gitea, Place


#: What most servers allow at once.
PAGE: Final = 50


class History:
    """Reads it."""

    def __init__(self, source: Gitea) -> None:
        self._source = source

    async def read(self, place: Place, http: Http, since: datetime, cursor: str) -> Past:
        """One page of a part's past."""
        match place.what:
            case "builds":
                return await self._runs(place.owner, http, since, cursor)
            case "releases":
                return await self._releases(place.owner, http, cursor)
            case _:
                return await self._issues(place, http, since, cursor)

    async def _runs(self, repo: str, http: Http, since: datetime, cursor: str) -> Past:
        """Runs; of servers that know none, tasks.  A cursor says which of them it counts: ``tasks 3``."""
        repository = await self._source.repository(repo, http)
        if repository.has_actions is False:
            raise HistoryUnsupported("Actions are turned off")
        what, _, page = cursor.partition(" ")
        params = {"page": counted(page), "limit": PAGE}
        path = f"/api/v1/repos/{repo}/actions"
        tasks = what == "tasks"
        try:
            reply = await http.get(f"{path}/{'tasks' if tasks else 'runs'}", params=params)
        except NotFound:
            if cursor:
                raise
            tasks = True
            reply = await http.get(f"{path}/tasks", params=params)
        found = as_documented(reply, Runs, AnyRuns)
        rows = Rows("run", Run, found.workflow_runs)
        count, total = len(found.workflow_runs), found.total_count
        more = count > 0 and not (isinstance(total, int) and params["page"] * count >= total)
        branch = repository.default_branch or ""

        def build(run: Run) -> Item:
            again = (run.run_attempt or 1) > 1
            return build_of(self._source, repository.name, branch, run, task=tasks, overtaken=again)

        older = f"{'tasks' if tasks else 'runs'} {params['page'] + 1}" if more else ""
        return back_to(past(rows, build, older=older, reached=None), since)

    async def _releases(self, repo: str, http: Http, cursor: str) -> Past:
        repository = await self._source.repository(repo, http)
        if repository.has_releases is False:
            raise HistoryUnsupported("releases are turned off")
        page = counted(cursor)
        params = {"draft": "false", "page": str(page), "limit": str(PAGE)}
        reply = await http.get(f"/api/v1/repos/{repo}/releases", params=params)
        found = as_documented(reply, list[PublishedRelease], list[Any])
        rows = Rows("release", PublishedRelease, found)
        return past(
            rows,
            lambda row: publication_of(self._source, repository.name, row),
            older=str(page + 1) if found else "",
            reached=oldest([parse_time(row.published_at) for row in rows.good]),
        )

    async def _issues(self, place: Place, http: Http, since: datetime, cursor: str) -> Past:
        """Closed issues that changed since then; the order is that in which they were made."""
        page = counted(cursor)
        params: dict[str, str | int] = {
            "state": "closed", "type": "issues", "since": moment(since), "page": page, "limit": PAGE
        }  # fmt: skip
        name, path = place.owner, "/api/v1/repos/issues/search"
        if place.grouped:
            params["owner"] = place.owner
        else:
            repository = await self._source.repository(place.owner, http)
            if repository.has_issues is False or repository.external_tracker is not None:
                raise HistoryUnsupported("issues are turned off, or kept elsewhere")
            name, path = repository.name, f"/api/v1/repos/{place.owner}/issues"
        found = as_documented(await http.get(path, params=params), list[Issue], list[Any])
        rows = Rows("issue", Issue, found)

        def ticket(issue: Issue) -> Item | None:
            if not place.grouped:
                return ticket_of(self._source, name, issue)
            repo = issue.repository.name if issue.repository else ""
            if not repo:
                raise BadAnswer("an issue tells no repository")
            known = self._source.organisations[place.owner]
            return ticket_of(self._source, repo, issue) if repo.lower() in known else None

        told = past(rows, ticket, older=str(page + 1) if found else "", reached=None)
        return told if told.older else msgspec.structs.replace(told, reached=since)
