"""GitLab's deployments: the newest, and the last ones of environments that are seldom deployed to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from sources._gitlab import FINISHED, WAITING, Comparison, Deployment, Environment, Project, deployment_of
from sources._gitlab_options import GitLabOptions
from sources._shared.answers import every, one
from sources._shared.brought import AT_ONCE, Brought, Comparing, Deployed, brought
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows
from statusboard.api import Http, Item, NotFound, Part, Reply, Scope, Source

ENVIRONMENTS_KEPT: Final = 3600.0
#: Environments whose newest deployment is looked for beyond the window.
RARE_ENVIRONMENTS: Final = 20
LASTING_TIERS: Final = frozenset({"production", "staging"})
#: Headers (in lower case) that carry a credential, for who sets them under `headers`.
CREDENTIALS: Final = frozenset({"authorization", "private-token", "job-token"})

#: What is said of a project, by its name and its path in the API.
Ask: TypeAlias = Callable[[str, str, Http], Awaitable[Project]]


class Deployments:
    """Reads those of a source's projects.  ``named`` are the projects (in lower case) that a person has named."""

    def __init__(self, source: Source[GitLabOptions], named: Container[str], project: Ask) -> None:
        options = source.options
        headers = {name.lower() for name in options.headers}
        self._source = source
        self._options = options
        self._named = named
        self._project = project
        self.has_credential = bool(options.token or options.password or headers & CREDENTIALS)
        self._newest: dict[str, int] = {}
        self._environments: dict[str, tuple[dict[str, str], float]] = {}
        self._rare: dict[str, dict[str, list[Any]]] = {}
        self._latest: dict[str, dict[str, int]] = {}
        self._comparing = Comparing()

    async def read(self, scope: Scope, name: str, base: str, http: Http) -> Part:
        """The newest deployments of a project, whose path in the API is ``base``."""
        if not self.has_credential:
            return scope.part((), notes=[f"{name}: GitLab tells of deployments only with a token"])
        project = await self._project(name, base, http)
        if project.environments_access_level == "disabled":
            return scope.part((), notes=[f"{name}: environments are turned off"])
        tiers = await self.tiers(name, base, http)
        wanted = [environment for environment in tiers if self._options.wants_environment(environment)]
        if self._options.environments and not wanted and name.lower() in self._named:
            raise NotFound(f"{name} has no environment that `environments` matches")
        path, limit = f"{base}/deployments", self._options.deployments
        newest_first: dict[str, str | int] = {"order_by": "id", "sort": "desc"}
        reply = await http.get(path, params={**newest_first, "per_page": limit}, conditional=True)
        rows = Rows("deployment", Deployment, as_documented(reply, list[Deployment], list[Any]))
        ids = [row.id for row in rows.good if row.id]
        if len(ids) >= limit:
            if min(ids) > self._newest.get(scope.name, 0):
                self._rare.pop(scope.name, None)  # deployments between the last poll and this window were missed
            lasting = [place for place in wanted if self._options.environments or tiers[place] in LASTING_TIERS]
            rare = self._rare.setdefault(scope.name, {})
            there = {row.place for row in rows.good if row.state not in WAITING}
            for environment in lasting[:RARE_ENVIRONMENTS]:
                if environment in there:
                    rare[environment] = []  # what is stored of it stays
                elif environment not in rare:
                    reply = await http.get(path, params={**newest_first, "environment": environment, "per_page": 5})
                    rare[environment] = [row for row in reply.decode(list[Any]) if _is_finished(row)]
                rows.add(rare[environment])
        self._newest[scope.name] = max(ids, default=0)
        repo = project.path
        latest = self._latest[repo] = {}
        for row in rows.good:
            latest[row.place] = max(latest.get(row.place, 0), row.id or 0)

        brought, notes = await self.brought_by(repo, base, rows.good, http)

        def convert(row: Deployment) -> Item | None:
            if (row.place and not self._options.wants_environment(row.place)) or self._is_superseded(repo, row):
                return None
            made = deployment_of(self._source, project, repo, row, tiers.get(row.place, ""))
            told = brought.get(row.id or 0)
            return msgspec.structs.replace(made, commits=told.count, committed_at=told.middle) if told else made

        return rows.part(scope, convert, notes=notes)

    async def brought_by(
        self, repo: str, base: str, rows: Sequence[Deployment], http: Http, *, at_once: int = AT_ONCE
    ) -> tuple[Mapping[int, Brought], list[str]]:
        """What the deployments brought, where that is asked for."""
        if not self._options.commits:
            return {}, []

        async def ask(older: str, newer: str) -> Brought:
            reply = await http.get(f"{base}/repository/compare", params={"from": older, "to": newer})
            return brought(commit.committed_date for commit in reply.decode(Comparison).commits)

        known = [
            Deployed(number=row.id, environment=row.place, sha=row.sha or "", came_out=row.state == "success")
            for row in rows
            if row.id is not None and self._options.wants_environment(row.place)
        ]
        return await self._comparing.of(repo, known, ask, at_once=at_once)

    async def one(self, name: str, base: str, reply: Reply, http: Http) -> Item | None:
        """One deployment, from its own answer; None for one that nobody started and that a newer one has followed."""
        deployment = one(reply, Deployment)
        if self._is_superseded(name, deployment):
            return None
        project = await self._project(name, base, http)
        tiers = await self.tiers(name, base, http)
        return deployment_of(self._source, project, name, deployment, tiers.get(deployment.place, ""))

    async def tiers(self, name: str, path: str, http: Http) -> dict[str, str]:
        """The tiers of a project's environments (of the first hundred) by their names; asked for hourly."""
        tiers, at = self._environments.get(name, ({}, float("-inf")))
        now = self._source.clock.monotonic()
        if now - at >= ENVIRONMENTS_KEPT:
            reply = await http.get(f"{path}/environments", params={"states": "available", "per_page": 100})
            tiers = {row.name: (row.tier or "").lower() for row in every(reply, Environment) if row.name}
            self._environments[name] = tiers, now
        return tiers

    def _is_superseded(self, repo: str, deployment: Deployment) -> bool:
        """Whether nobody started it, and there is a newer one to the same environment."""
        latest = self._latest.get(repo, {}).get(deployment.place, 0)
        return deployment.state in WAITING and (deployment.id or 0) < latest


def _is_finished(row: object) -> bool:
    """Whether what a row says will not change: what is kept of it is not read again."""
    return any(deployment.state in FINISHED for deployment in Rows("deployment", Deployment, [row]).good)
