"""GitLab's past: pipelines and deployments by id, releases, closed issues and incidents, resolved alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sources._gitlab import Deployment, Pipeline, PublishedRelease, build_of, deployment_of, publication_of
from sources._gitlab_graphql import resolved_alerts
from sources._gitlab_issues import Issue, incident_of, incident_of_alert, ticket_of
from sources._shared.backwards import counted, moment, oldest, past
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows
from statusboard.api import HistoryUnsupported, Http, Item, Past, clean, parse_time

if TYPE_CHECKING:
    from sources.gitlab import GitLab, Place

PAGE: Final = 100
Params = dict[str, str | int]


class History:
    """Reads the past of the parts of a GitLab source."""

    def __init__(self, source: GitLab) -> None:
        self._source = source
        #: By project, of the page before: the oldest deployment of each environment.
        self._edges: dict[str, tuple[Deployment, ...]] = {}

    async def read(self, place: Place, http: Http, since: datetime, cursor: str) -> Past:
        """One page of a part's past."""
        match place.what:
            case "builds":
                return await self._pipelines(place, http, since, cursor)
            case "deployments":
                return await self._deployments(place, http, cursor)
            case "releases":
                return await self._publications(place, http, cursor)
            case "alerts":
                return await self._alerts(place, http, cursor)
            case _:
                return await self._issues(place, http, since, cursor)

    async def _pipelines(self, place: Place, http: Http, since: datetime, cursor: str) -> Past:
        """As the list tells of them, which is less than GitLab knows: all else takes a request each."""
        source = self._source
        project = await source.project(place.owner, place.path, http)
        if project.builds_access_level == "disabled":
            raise HistoryUnsupported("CI/CD is turned off")
        params: Params = {"order_by": "id", "sort": "desc", "updated_after": moment(since)}
        if place.branch:
            params["ref"] = place.branch
        found, older = await _page(f"{place.path}/pipelines", params, list[Pipeline], http, cursor)
        rows = Rows("pipeline", Pipeline, found)

        def build(row: Pipeline) -> Item | None:
            if place.branch and row.ref != place.branch:
                return None
            return build_of(source, project, project.path, row)

        return past(rows, build, older=older, reached=oldest([parse_time(row.created_at) for row in rows.good]))

    async def _deployments(self, place: Place, http: Http, cursor: str) -> Past:
        source = self._source
        project = await source.project(place.owner, place.path, http)
        if not source.deployments.has_credential:
            raise HistoryUnsupported("GitLab tells of deployments only with a token")
        if project.environments_access_level == "disabled":
            raise HistoryUnsupported("environments are turned off")
        tiers = await source.deployments.tiers(place.owner, place.path, http)
        params: Params = {"order_by": "id", "sort": "desc"}
        found, older = await _page(f"{place.path}/deployments", params, list[Deployment], http, cursor)
        rows = Rows("deployment", Deployment, found)
        reached = oldest([parse_time(row.created_at) for row in rows.good])
        # What the page before ended with is told once more, now that it is known what was there before it.
        edges = self._edges.get(place.owner, ()) if cursor else ()
        self._edges[place.owner] = tuple({row.place: row for row in rows.good}.values())
        rows.good[:0] = edges
        brought, notes = await source.deployments.brought_by(
            project.path, place.path, rows.good, http, at_once=2 * PAGE
        )

        def release(row: Deployment) -> Item | None:
            if row.place and not source.options.wants_environment(row.place):
                return None
            made = deployment_of(source, project, project.path, row, tiers.get(row.place, ""))
            told = brought.get(row.id or 0)
            return msgspec.structs.replace(made, commits=told.count, committed_at=told.middle) if told else made

        return past(rows, release, older=older, reached=reached, notes=tuple(clean(note, 300) for note in notes))

    async def _publications(self, place: Place, http: Http, cursor: str) -> Past:
        source = self._source
        project = await source.project(place.owner, place.path, http)
        if project.releases_access_level == "disabled":
            raise HistoryUnsupported("releases are turned off")
        found, older = await _page(f"{place.path}/releases", {}, list[PublishedRelease], http, cursor)
        rows = Rows("release", PublishedRelease, found)
        reached = oldest([parse_time(row.released_at) for row in rows.good])
        return past(rows, lambda row: publication_of(source, project.path, row), older=older, reached=reached)

    async def _issues(self, place: Place, http: Http, since: datetime, cursor: str) -> Past:
        """Closed issues, or incidents, by when they changed last."""
        source = self._source
        params: Params = {
            "state": "closed", "scope": "all", "order_by": "updated_at", "sort": "desc", "updated_after": moment(since)
        }  # fmt: skip
        incidents = place.what == "incidents"
        if incidents:
            params["issue_type"] = "incident"
        elif source.options.labels:
            params["labels"] = ",".join(source.options.labels)
        found, older = await _page(f"{place.path}/issues", params, list[Issue], http, cursor)
        rows = Rows("issue", Issue, found)

        def item(issue: Issue) -> Item | None:
            repo = issue.repository(place.owner)
            if source.leaves_out(place, repo):
                return None
            if incidents:
                return None if issue.issue_type and not issue.is_incident else incident_of(source, repo, issue, None)
            return None if source.wants("incident") and issue.is_incident else ticket_of(source, repo, issue)

        return past(rows, item, older=older, reached=oldest([parse_time(row.updated_at) for row in rows.good]))

    async def _alerts(self, place: Place, http: Http, cursor: str) -> Past:
        repo = (await self._source.project(place.owner, place.path, http)).path
        rows, older, permitted = await resolved_alerts(repo, http, cursor)
        if not permitted:
            raise HistoryUnsupported("alerts are only shown to the role Developer")
        return past(
            rows,
            lambda alert: incident_of_alert(self._source, repo, alert),
            older=older,
            reached=oldest([parse_time(row.started_at) for row in rows.good]),
        )


async def _page(
    path: str, params: Mapping[str, str | int], shape: Any, http: Http, cursor: str
) -> tuple[list[Any], str]:
    """A page of a list, and the number of the next one, ``""`` after the last."""
    page = counted(cursor)
    reply = await http.get(path, params={**params, "per_page": PAGE, "page": page})
    found: list[Any] = as_documented(reply, shape, list[Any])
    return found, str(page + 1) if len(found) >= PAGE else ""
