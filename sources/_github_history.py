"""GitHub's past: runs by when they were made, deployments with all their statuses, releases, and closed issues."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec

from sources._github import (
    AnyFound,
    Deployment,
    DeploymentStatus,
    Found,
    Issue,
    PublishedRelease,
    deployment_of,
    histories,
    publication_of,
    publications_before,
    repository_of,
    ticket_of,
)
from sources._github_builds import Builds, Lines
from sources._github_options import GitHubOptions, graphql_url, web_url
from sources._github_releases import Releases
from sources._github_runs import AnyRuns, Pipelines, Run, Runs, build_of
from sources._github_statuses import Statuses
from sources._shared.backwards import Until, counted, merged, moment, oldest, past
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows, need
from statusboard.api import Build, Http, Past, Release, Scope, Source, clean, parse_time

PAGE: Final = 100
#: Deployments on a page where each of them takes a request of its own.
FEW: Final = 30


class History:
    """Reads it.  ``builds`` knows the lists of runs, ``releases`` what deployments brought."""

    def __init__(self, source: Source[GitHubOptions], builds: Builds, releases: Releases) -> None:
        url = source.options.url or source.default_url
        self._source = source
        self._builds = builds
        self._releases = releases
        #: By repository, of the page before: the oldest deployment of each environment, and how it went.
        self._edges: dict[str, list[tuple[Deployment, list[DeploymentStatus]]]] = {}
        self._web = web_url(url)
        self._statuses = Statuses(source.clock, graphql_url(url) if has_credential(source.options) else "")
        self._newest: dict[str, dict[str, Run]] = {}

    async def read(self, scope: Scope, http: Http, since: datetime, cursor: str) -> Past:
        """One page of a scope's past."""
        match scope.kind:
            case "build":
                paths, _ = await self._builds.paths(scope.data, http)
                lists = {path: partial(self._runs, scope.data, path, http, since) for path in paths}
                return await merged(cursor, lists)
            case "release":
                repo: str = scope.data
                return await merged(
                    cursor,
                    {
                        "deployments": partial(self._deployments, repo, http),
                        "releases": partial(self._published, repo, http),
                    },
                )
            case _:
                return await self._issues(scope.data, http, since, cursor)

    # -- builds --------------------------------------------------------------------------------------------------

    async def _runs(self, lines: Lines, path: str, http: Http, since: datetime, cursor: str) -> Past:
        """Runs made at a time or before.  GitHub gives no more than the first thousand of them."""
        until = Until.of(cursor)
        params: dict[str, str | int] = {"per_page": PAGE, "page": until.page}
        params["created"] = f"{moment(since)}..{moment(until.at)}" if until.at else f">={moment(since)}"
        if lines.branch and not lines.is_pattern:
            params["branch"] = lines.branch
        found = as_documented(await http.get(path, params=params), Runs, AnyRuns).workflow_runs
        rows = Rows("run", Run, found)
        branch = await self._builds.default_branch(lines.repo, rows.good, http)
        pipelines = self._names(lines.repo, rows.good)

        def build(run: Run) -> Build | None:
            if lines.leaves_out(run.head_branch or ""):
                return None
            again = (run.run_attempt or 1) > 1
            return build_of(self._source, lines.repo, branch, run, pipeline=pipelines.of(run), overtaken=again)

        times = [parse_time(run.created_at) for run in rows.good]
        older, reached = until.older(times, more=len(found) >= PAGE)
        return past(rows, build, older=older, reached=reached)

    def _names(self, repo: str, runs: Sequence[Run]) -> Pipelines:
        """What the workflows of these runs are called now: as the newest run of each says."""
        newest = self._newest.setdefault(repo, {})
        for run in runs:
            if run.workflow not in newest or (run.id or 0) > (newest[run.workflow].id or 0):
                newest[run.workflow] = run
        pipelines = Pipelines()
        pipelines.learn([*runs, *newest.values()])
        return pipelines

    # -- releases ------------------------------------------------------------------------------------------------

    async def _deployments(self, repo: str, http: Http, cursor: str) -> Past:
        limit = PAGE if self._statuses.in_one_request else FEW
        # By how many were read: the size of a page may differ when this goes on.
        first = counted(cursor, 0)
        page, skip = divmod(first, limit)
        reply = await http.get(f"/repos/{repo}/deployments", params={"per_page": limit, "page": page + 1})
        found = as_documented(reply, list[Deployment], list[Any])
        rows = Rows("deployment", Deployment, found[skip:])
        told = await self._statuses.of_all(repo, rows.good, http)
        # What the page before ended with is told once more, now that it is known what was there before it.
        edges = self._edges.get(repo, []) if cursor else []
        self._edges[repo] = [(row, told[row.id]) for row in _oldest(rows.good) if row.id in told]
        told = {**{row.id: statuses for row, statuses in edges if row.id}, **told}
        rows.good[:0] = [row for row, _ in edges]
        last = {key: _last(statuses) for key, statuses in told.items()}
        known = [row for row in rows.good if row.id in last]
        history = histories(known, last)
        brought, notes = await self._releases.brought(repo, known, last, http, at_once=2 * limit)

        def release(row: Deployment) -> Release:
            key = need(row.id, "id")
            made = deployment_of(self._source, repo, row, last[key], history[key], self._web)
            if (commits := brought.get(key)) is not None:
                made = msgspec.structs.replace(made, commits=commits.count, committed_at=commits.middle)
            if made.state != "inactive" and made.state != "rolled_back":
                return made
            # What says so now is that another one took its place; it was deployed before that.
            return msgspec.structs.replace(made, ended_at=_succeeded(told[key]) or made.ended_at)

        older = str((page + 1) * limit) if len(found) >= limit else ""
        times = [parse_time(row.created_at) for row in rows.good]
        return past(rows, release, older=older, reached=oldest(times), notes=tuple(clean(note, 300) for note in notes))

    async def _published(self, repo: str, http: Http, cursor: str) -> Past:
        page = counted(cursor)
        reply = await http.get(f"/repos/{repo}/releases", params={"per_page": PAGE, "page": page})
        found = as_documented(reply, list[PublishedRelease], list[Any])
        rows = Rows("release", PublishedRelease, found)
        tags = publications_before(rows.good)
        return past(
            rows,
            lambda row: publication_of(self._source, repo, row, tags.get(row.id or 0, "")),
            older=str(page + 1) if len(found) >= PAGE else "",
            reached=oldest([parse_time(row.published_at) for row in rows.good]),
        )

    # -- tickets -------------------------------------------------------------------------------------------------

    async def _issues(self, where: str, http: Http, since: datetime, cursor: str) -> Past:
        """Closed issues by when they changed last: of a repository, or those that a search finds."""
        page = counted(cursor)
        order: dict[str, str | int] = {"sort": "updated", "per_page": PAGE}
        if not self._source.options.query:
            params = {**order, "state": "closed", "direction": "desc", "since": moment(since), "page": page}
            reply = await http.get(f"/repos/{where}/issues", params=params)
            found: Sequence[Any] = as_documented(reply, list[Issue], list[Any])
            rows = Rows("issue", Issue, found)
            times = [parse_time(row.updated_at) for row in rows.good]
            older = str(page + 1) if len(found) >= PAGE else ""
            return past(rows, lambda row: ticket_of(self._source, where, row), older=older, reached=oldest(times))
        until = Until.of(cursor)
        span = f"{moment(since)}..{moment(until.at)}" if until.at else f">={moment(since)}"
        query = f"{where.replace(' is:open', ' is:closed', 1)} updated:{span}"
        reply = await http.get("/search/issues", params={**order, "q": query, "order": "desc", "page": until.page})
        found = as_documented(reply, Found, AnyFound).items
        rows = Rows("issue", Issue, found)
        older, reached = until.older([parse_time(row.updated_at) for row in rows.good], more=len(found) >= PAGE)
        return past(rows, lambda row: ticket_of(self._source, repository_of(row), row), older=older, reached=reached)


def has_credential(options: GitHubOptions) -> bool:
    """Whether GitHub is told who asks."""
    return bool(options.token or options.password) or "authorization" in map(str.lower, options.headers)


def _oldest(deployments: Sequence[Deployment]) -> list[Deployment]:
    """The oldest of these deployments in each environment."""
    found: dict[str, Deployment] = {}
    for row in deployments:  # the newest first
        found[row.environment or ""] = row
    return list(found.values())


def _last(statuses: Sequence[DeploymentStatus]) -> DeploymentStatus:
    """The newest of a deployment's statuses, which come newest first."""
    return statuses[0] if statuses else DeploymentStatus(state="pending")


def _succeeded(statuses: Sequence[DeploymentStatus]) -> datetime | None:
    """When a deployment had come into being."""
    times = [parse_time(status.created_at) for status in statuses if (status.state or "").lower() == "success"]
    return oldest(times)
