"""GitHub's deployments, with how they went, and its published releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from sources._github import (
    DEPLOYED,
    DEPLOYMENT_STATES,
    Comparison,
    Deployment,
    DeploymentStatus,
    History,
    PublishedRelease,
    deployment_of,
    histories,
    publication_of,
    publications_before,
)
from sources._github_options import GitHubOptions, graphql_url, web_url
from sources._github_statuses import Known, Statuses
from sources._shared.brought import AT_ONCE, Brought, Comparing, Deployed
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows, need
from statusboard.api import AuthError, Http, Item, NotModified, Part, RateLimited, Release, Scope, Source

#: Of many repositories the published releases are not read at every poll (seconds): their list has an ETag, but a part
#: has room for one, and that is the deployments'.
PUBLISHED_KEPT: Final = 300.0
MANY: Final = 10
PUBLISHED: Final = 10


class _State(msgspec.Struct, frozen=True):
    """What the last good poll of a repository found."""

    deployments: Rows[Deployment]
    read: dict[int, Known]
    histories: dict[int, History]
    published: Rows[PublishedRelease]
    published_at: float


class Releases:
    """Reads what was deployed and published.  ``many``: there are so many repositories that requests matter."""

    def __init__(self, source: Source[GitHubOptions]) -> None:
        self.many = False
        options, url = source.options, source.options.url or source.default_url
        has_credential = bool(options.token or options.password) or "authorization" in map(str.lower, options.headers)
        self._source = source
        self._web = web_url(url)
        self._statuses = Statuses(source.clock, graphql_url(url) if has_credential else "")
        self._known: dict[str, _State] = {}
        self._comparing = Comparing()

    async def read(self, scope: Scope, http: Http) -> Part:
        """The newest deployments and published releases of a repository."""
        repo: str = scope.data
        # Taken away first: after a failure all is read anew. For the same reason nothing is conditional while nothing
        # is known: a 304 would leave us without the list that it vouches for.
        known = self._known.pop(repo, None)
        try:
            return await self._read(scope, known, http)
        except (AuthError, RateLimited):
            # Neither says that anything changed; an App's token runs out every hour, and then all would be read anew.
            if known is not None:
                self._known[repo] = known
            raise

    async def deployment(self, repo: str, path: str, http: Http) -> Item:
        """One deployment, by its path."""
        row = (await http.get(path)).decode(Deployment)
        status = await self._statuses.one(repo, row, http)
        history = histories([row], {need(row.id, "id"): status})
        return deployment_of(self._source, repo, row, status, history[need(row.id, "id")], self._web)

    async def publication(self, repo: str, path: str, http: Http) -> Item | None:
        """One published release, by its path."""
        return publication_of(self._source, repo, (await http.get(path)).decode(PublishedRelease))

    async def _read(self, scope: Scope, known: _State | None, http: Http) -> Part:
        repo: str = scope.data
        try:
            params = {"per_page": self._source.options.deployments}
            reply = await http.get(f"/repos/{repo}/deployments", params=params, conditional=known is not None)
            rows = as_documented(reply, list[Deployment], list[Any])
            deployments = Rows("deployment", Deployment, rows)
        except NotModified:
            assert known is not None
            deployments = known.deployments
        published, published_at = await self._published(repo, known, http)
        read = await self._statuses.read(repo, deployments.good, known.read if known else {}, http)
        statuses = {number: entry.status for number, entry in read.items()}
        history = histories(deployments.good, statuses, known.histories if known else {})
        brought, notes = await self.brought(repo, deployments.good, statuses, http)
        part = deployments.part(scope, lambda row: self._deployment(repo, row, read, history, brought), notes=notes)
        tags = publications_before(published.good)
        shown = set(list(dict.fromkeys(row.id for row in published.good if not row.draft))[:PUBLISHED])
        more = published.part(scope, lambda row: self._publication(repo, row, tags) if row.id in shown else None)
        if part.error is None and more.error is None:
            self._known[repo] = _State(deployments, read, history, published, published_at)
        return msgspec.structs.replace(part, items=part.items + more.items, error=part.error or more.error)

    async def brought(
        self,
        repo: str,
        deployments: Sequence[Deployment],
        statuses: Mapping[int, DeploymentStatus],
        http: Http,
        *,
        at_once: int = AT_ONCE,
    ) -> tuple[Mapping[int, Brought], list[str]]:
        """What the deployments brought, where that is asked for."""
        if not self._source.options.commits:
            return {}, []

        async def ask(older: str, newer: str) -> Brought:
            reply = await http.get(f"/repos/{repo}/compare/{older}...{newer}", params={"per_page": 100})
            return reply.decode(Comparison).brought()

        known = [
            Deployed(
                number=row.id,
                environment=row.environment or "",
                sha=row.sha or "",
                came_out=DEPLOYMENT_STATES.get((statuses[row.id].state or "").lower()) in DEPLOYED,
            )
            for row in deployments
            if row.id is not None and row.id in statuses
        ]
        return await self._comparing.of(repo, known, ask, at_once=at_once)

    async def _published(self, repo: str, known: _State | None, http: Http) -> tuple[Rows[PublishedRelease], float]:
        """The published releases, and when they were read; more than are shown, for what came before them."""
        now = self._source.clock.monotonic()
        if known is not None and self.many and now - known.published_at < PUBLISHED_KEPT:
            return known.published, known.published_at
        reply = await http.get(f"/repos/{repo}/releases", params={"per_page": 2 * PUBLISHED})
        rows = as_documented(reply, list[PublishedRelease], list[Any])
        return Rows("release", PublishedRelease, rows), now

    def _deployment(
        self,
        repo: str,
        row: Deployment,
        read: Mapping[int, Known],
        history: Mapping[int, History],
        brought: Mapping[int, Brought],
    ) -> Release:
        number = need(row.id, "id")
        made = deployment_of(self._source, repo, row, read[number].status, history[number], self._web)
        told = brought.get(number)
        return msgspec.structs.replace(made, commits=told.count, committed_at=told.middle) if told else made

    def _publication(self, repo: str, row: PublishedRelease, tags: Mapping[int, str]) -> Release | None:
        return publication_of(self._source, repo, row, tags.get(row.id or 0, ""))
