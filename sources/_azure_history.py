"""The past of Azure DevOps: runs by when they were queued, deployments of both sorts, work items that are over."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sources._azure_devops import FIELDS, BuildRow, Listed, WorkItem, build_of, past_wiql, ticket_of
from sources._azure_releases import Deployment, Environment, Ids, Record, deployment_of, record_of
from sources._shared.backwards import Until, merged, moment, oldest, past
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, HistoryUnsupported, Http, Past, Reply, Scope, TooLarge, parse_time

if TYPE_CHECKING:
    from sources.azure_devops import AzureDevOps

PAGE: Final = 200  # the most work items that one request may name
DEPLOYMENTS: Final = 100
LONGEST_TOKEN: Final = 500
MOST: Final = 5_000


class History:
    """Reads it."""

    def __init__(self, source: AzureDevOps) -> None:
        self._source = source

    async def read(self, scope: Scope, http: Http, since: datetime, cursor: str) -> Past:
        """One page of a scope's past."""
        project, what = scope.data
        match what:
            case "builds":
                return await self._builds(project, http, since, cursor)
            case "releases":
                return await self._deployments(project, http, since, cursor)
            case "environments":
                environments, _ = await self._source.wanted_environments(project, http)
                lists = {str(e.id): partial(self._records, project, e, http) for e in environments}
                return await merged(cursor, lists)
            case _:
                return await self._tickets(project, http, since, cursor)

    async def _builds(self, project: str, http: Http, since: datetime, cursor: str) -> Past:
        source, until = self._source, Until.of(cursor)
        limit = _limit(until)
        params: dict[str, str | int] = {
            "queryOrder": "queueTimeDescending", "statusFilter": "completed", "$top": limit, "minTime": moment(since)
        }  # fmt: skip
        if until.at is not None:
            params["maxTime"] = moment(until.at)
        found = (await source.get(project, "build/builds", http, params)).decode(Listed).value
        rows = Rows("build", BuildRow, found)
        branch_of = await source.default_branches(project, rows.good, http)
        page = source.page(project)
        older, reached = until.older([parse_time(row.queue_time) for row in rows.good], more=len(found) >= limit)
        return past(
            rows, lambda row: build_of(source, page, project, branch_of(row), row), older=older, reached=reached
        )

    async def _deployments(self, project: str, http: Http, since: datetime, cursor: str) -> Past:
        source = self._source
        params: dict[str, str | int] = {
            "queryOrder": "descending", "$top": DEPLOYMENTS, "minStartedTime": moment(since)
        }  # fmt: skip
        if cursor:
            params["continuationToken"] = cursor
        reply = await source.get(project, "release/deployments", http, params, root=source.release_root)
        rows = Rows("deployment", Deployment, reply.decode(Listed).value)
        page = source.page(project)
        reached = oldest([parse_time(row.started_on) or parse_time(row.queued_on) for row in rows.good])
        return past(
            rows, lambda row: deployment_of(source, page, project, row), older=_following(reply), reached=reached
        )

    async def _records(self, project: str, environment: Environment, http: Http, cursor: str) -> Past:
        source = self._source
        path = f"distributedtask/environments/{environment.id}/environmentdeploymentrecords"
        params: dict[str, str | int] = {"top": DEPLOYMENTS, **({"continuationToken": cursor} if cursor else {})}
        reply = await source.get(project, path, http, params)
        rows = Rows("deployment", Record, reply.decode(Listed).value)
        reached = oldest([parse_time(row.start_time) or parse_time(row.queue_time) for row in rows.good])
        convert = partial(record_of, source, source.page(project), project, environment)
        return past(rows, convert, older=_following(reply), reached=reached)

    async def _tickets(self, project: str, http: Http, since: datetime, cursor: str) -> Past:
        source = self._source
        if source.options.query:
            raise HistoryUnsupported("`query` chooses the work items, and those that are over it does not tell apart")
        until = Until.of(cursor)
        limit = _limit(until)
        workflow = await source.workflow(project, [], http)
        path = f"wit/wiql?{urlencode({'$top': limit, 'timePrecision': 'true'})}"
        query = past_wiql(workflow.over, moment(since), moment(until.at) if until.at else "")
        ids = [row.id for row in (await source.post(project, path, {"query": query}, http)).decode(Ids).work_items]
        rows: Rows[WorkItem] = Rows("work item", WorkItem)
        for start in range(0, len(ids), PAGE):
            body = {"ids": ids[start : start + PAGE], "fields": FIELDS, "errorPolicy": "omit"}
            listed: list[Any] = (await source.post(project, "wit/workitemsbatch", body, http)).decode(Listed).value
            rows.add(row for row in listed if row is not None)
        workflow = await source.workflow(project, rows.good, http)
        page = source.page(project)
        changed = [parse_time(row.text("System.ChangedDate")) for row in rows.good]
        older, reached = until.older(changed, more=len(ids) >= limit)
        return past(rows, lambda row: ticket_of(source, page, project, workflow, row), older=older, reached=reached)


def _limit(until: Until) -> int:
    """How many rows to ask for: these lists have no pages, so of many of one second more are asked for at once."""
    if PAGE * until.page > MOST:
        raise TooLarge(f"more than {MOST} of one second")
    return PAGE * until.page


def _following(reply: Reply) -> str:
    token: str = reply.headers.get("x-ms-continuationtoken", "")
    if len(token) > LONGEST_TOKEN or not token.isprintable():
        raise BadAnswer("the token of the next page is none")
    return token
