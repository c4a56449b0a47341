"""Azure DevOps, Services and Server: runs of pipelines, deployments and work items.

Classic releases live on a host of their own (``release_url``), to which the credential goes as well.  Deployments of
YAML pipelines are told by the environments that they deploy to, one list each, so these are named.  A query for work
items (WIQL) answers with ids only; their fields come in batches of 200.

Without a valid token Azure DevOps answers 203 or 302 with a page to sign in, unless it is told not to
(``X-TFS-FedAuthRedirect``); the client sees through the page, and this source through the redirect of a POST.

Docs: learn.microsoft.com/rest/api/azure/devops and MicrosoftDocs/vsts-rest-api-specs, version 7.1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from sources._azure_devops import (
    FIELDS,
    BuildRow,
    Definition,
    Listed,
    Workflow,
    WorkItem,
    WorkItemType,
    build_of,
    ticket_of,
    wiql,
)
from sources._azure_releases import Deployment, Environment, Ids, Record, WholeRelease, deployment_of, record_of
from sources._shared.rows import Rows
from statusboard.api import (
    AuthError,
    BadAnswer,
    Context,
    Credentials,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    Reply,
    Scope,
    Source,
    SourceOptions,
    TooLarge,
    basic,
    clean,
    option,
)

RELEASE_URL: Final = "https://vsrm.dev.azure.com"
BATCH: Final = 200  # the most work items that one request may name
PAGES: Final = 5
MOST_ENVIRONMENTS: Final = 20
#: Default branches of a project's repositories (main, master, ...) that are read further back.
MOST_BRANCHES: Final = 3
#: How long is kept what seldom changes: default branches, environments, the states of work items (seconds) ...
KEPT: Final = 3600.0
#: ... and how soon states are asked for again when one is not among them.
STATES_KEPT: Final = 300.0
MOST_DEPLOYMENTS: Final = 100


class AzureDevOpsOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: azure-devops``."""

    projects: Annotated[tuple[str, ...], option("projects, by name")]
    organization: Annotated[str, option("the organization; left out where `url` ends in the collection")] = ""
    release_url: Annotated[
        str, option(f"where classic releases are; {RELEASE_URL}, or `url` for a server of your own")
    ] = ""
    classic_releases: Annotated[bool, option("whether to read the deployments of classic releases")] = True
    environments: Annotated[
        tuple[str, ...], option("deployments of YAML pipelines to these environments; * and ? match anything")
    ] = ()
    query: Annotated[str, option("what work items to read, as a condition of WIQL; by default all open ones")] = ""
    builds: Annotated[int, msgspec.Meta(ge=1, le=200), option("how many runs to read of each project")] = 50
    deployments: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many deployments to read of each project")] = 50
    tickets: Annotated[int, msgspec.Meta(ge=1, le=1000), option("how many work items to read of each project")] = 200
    api_version: Annotated[str, option("7.0 for Azure DevOps Server 2022, 6.0 for 2020")] = "7.1"

    def __post_init__(self) -> None:
        if not self.projects or not all(self.projects):
            raise ValueError("`projects` is empty, or a name in it; name at least one project")
        if not self.organization and self.url.rstrip("/") in ("", AzureDevOps.default_url):
            raise ValueError("`organization` is missing: the first word behind https://dev.azure.com/")
        release = urlsplit(self.release_url)
        if self.release_url and (release.scheme not in ("http", "https") or not release.netloc):
            raise ValueError(f"`release_url` must be an address, such as {RELEASE_URL}")


class AzureDevOps(Source[AzureDevOpsOptions]):
    """Builds from pipelines, releases from classic releases and environments, tickets from work items."""

    type = "azure-devops"
    kinds = frozenset({"build", "release", "ticket"})
    Options = AzureDevOpsOptions
    summary = "Azure DevOps pipelines, deployments and work items"
    default_url = "https://dev.azure.com"
    default_interval = 60.0
    requests = (4, "project (1 more for each of the environments)")
    scopes_needed = (
        "a personal access token with Build (read), Release (read) and Work Items (read); for `environments` also "
        "Environment (read & manage), since there is no lesser one"
    )
    example = """\
organization: acme
projects: [Shop]
token: "keyring:azure-devops"
"""
    setup = """\
- In Azure DevOps open *User settings > Personal access tokens > New Token*, for this organization only. Give it
  *Build: Read*, *Release: Read* and *Work Items: Read* (leave out what `kinds` leaves out). An Entra token will do too.
- Store it with `statusboard login azure-devops`; it is shown only once. Then `token: "keyring:azure-devops"`. It ends
  on the date that you choose: the board then says that it is refused.
- Deployments of YAML pipelines: name their `environments` (`["*"]` for all, at most 20 of a project); the token then
  needs *Environment: Read & manage*. `classic_releases: false` where nobody uses the classic ones.
- A server of your own: `url: https://tfs.example/tfs/DefaultCollection` without `organization`, and `api_version`.
- `query` takes the place of "open", such as `[System.AreaPath] UNDER 'Shop\\Web' AND [System.State] <> 'Closed'`.
"""
    verified = "documented"
    history_kinds = kinds

    def __init__(self, options: AzureDevOpsOptions, context: Context) -> None:
        super().__init__(options, context)
        url = (options.url or self.default_url).rstrip("/")
        own = url != self.default_url
        organization = f"/{quote(options.organization, safe='')}" if options.organization else ""
        self._prefix = organization
        self._root = url + organization
        self.release_root = (options.release_url or (url if own else RELEASE_URL)).rstrip("/") + organization
        self._newest: dict[str, int] = {}
        self._branches: dict[str, dict[int, tuple[str, float]]] = {}
        self._environments: dict[str, tuple[list[Environment], float]] = {}
        self._workflows: dict[str, tuple[Workflow, float]] = {}

    def origins(self) -> tuple[str, ...]:
        release = urlsplit(self.release_root)
        return (f"{release.scheme}://{release.netloc}",)

    def request_headers(self) -> Mapping[str, str]:
        return {"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress"}

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        token = credentials.token
        if token and not token.startswith("eyJ"):  # no JSON Web Token, so a personal access token
            return {"Authorization": basic("", token)}
        return super().sign(credentials)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        wanted: dict[str, ItemKind] = {"builds": "build"}
        if self.options.classic_releases:
            wanted["releases"] = "release"
        if self.options.environments:
            wanted["environments"] = "release"
        wanted["tickets"] = "ticket"
        return [
            Scope(name=f"{project} {what}", kind=kind, reach="window", data=(project, what))
            for project in dict.fromkeys(self.options.projects)
            for what, kind in wanted.items()
            if self.wants(kind)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        project, what = scope.data
        match what:
            case "builds":
                return await self._read_builds(scope, project, http)
            case "releases":
                return await self._read_deployments(scope, project, http)
            case "environments":
                return await self._read_environments(scope, project, http)
            case _:
                return await self._read_tickets(scope, project, http)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._azure_history import History  # nobody else needs it

        return await History(self).read(scope, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        project = next((name for name in self.options.projects if remote_id.startswith(f"{name}/")), "")
        what = remote_id.removeprefix(f"{project}/").split("/") if project else []
        page = self.page(project)
        match what:
            case ["build", number]:
                row = (await self.get(project, f"build/builds/{number}", http)).decode(BuildRow)
                return build_of(self, page, project, (await self.default_branches(project, [row], http))(row), row)
            case ["deployment", release, number]:
                reply = await self.get(project, f"release/releases/{release}", http, root=self.release_root)
                deployment = reply.decode(WholeRelease).deployment(int(number))
                return deployment_of(self, page, project, deployment) if deployment else None
            case ["environment", place, number]:
                listed = await self.records(project, place, 100, http)
                record = next((r for r in Rows("deployment", Record, listed).good if str(r.id) == number), None)
                names = {str(e.id): e for e in (await self.wanted_environments(project, http))[0]}
                return record_of(self, page, project, names[place], record) if record and place in names else None
            case [number] if kind == "ticket":
                params = {"fields": ",".join(FIELDS)}
                item = (await self.get(project, f"wit/workitems/{number}", http, params)).decode(WorkItem)
                return ticket_of(self, page, project, await self.workflow(project, [item], http), item)
        return None

    # -- builds --------------------------------------------------------------------------------------------------

    async def _read_builds(self, scope: Scope, project: str, http: Http) -> Part:
        params: dict[str, str | int] = {"queryOrder": "queueTimeDescending", "$top": self.options.builds}
        rows = Rows("build", BuildRow, (await self.get(project, "build/builds", http, params)).decode(Listed).value)
        branch_of = await self.default_branches(project, rows.good, http)
        ids = [row.id for row in rows.good if row.id]
        if len(ids) >= self.options.builds and min(ids) > self._newest.get(scope.name, 0):
            # Runs between the last poll and this window may have been missed: what each pipeline last said must not
            # be among them.
            common = Counter(filter(None, map(branch_of, rows.good))).most_common(MOST_BRANCHES)
            for branch in [name for name, _ in common] or [""]:
                params = {"maxBuildsPerDefinition": 1, "statusFilter": "completed", "$top": 200}
                if branch:
                    params["branchName"] = f"refs/heads/{branch}"
                rows.add((await self.get(project, "build/builds", http, params)).decode(Listed).value)
            branch_of = await self.default_branches(project, rows.good, http)
        if ids:
            self._newest[scope.name] = max(ids)
        page = self.page(project)
        return rows.part(scope, lambda row: build_of(self, page, project, branch_of(row), row))

    async def default_branches(self, project: str, rows: Sequence[BuildRow], http: Http) -> Callable[[BuildRow], str]:
        """What the default branch of a run is; its pipeline's properties are asked for hourly."""
        known = self._branches.setdefault(project, {})
        now = self.clock.monotonic()
        pipelines = {row.definition.id for row in rows if row.definition and row.definition.id}
        due = sorted(p for p in pipelines if p not in known or now - known[p][1] >= KEPT)
        if due:
            params = {"definitionIds": ",".join(map(str, due)), "includeAllProperties": "true"}
            listed = (await self.get(project, "build/definitions", http, params)).decode(Listed).value
            known.update((pipeline, ("", now)) for pipeline in due)
            for row in Rows("pipeline", Definition, listed).good:
                branch = (row.repository.default_branch or "") if row.repository else ""
                if row.id in pipelines:
                    known[row.id] = branch.removeprefix("refs/heads/"), now
        return lambda row: known.get((row.definition.id if row.definition else None) or 0, ("", now))[0]

    # -- releases ------------------------------------------------------------------------------------------------

    async def _read_deployments(self, scope: Scope, project: str, http: Http) -> Part:
        params: dict[str, str | int] = {"queryOrder": "descending", "$top": self.options.deployments}
        reply = await self.get(project, "release/deployments", http, params, root=self.release_root)
        rows = Rows("deployment", Deployment, reply.decode(Listed).value)
        ids = [row.id for row in rows.good if row.id]
        for _ in range(PAGES - 1):
            following = reply.headers.get("x-ms-continuationtoken", "")
            if not following or not ids or min(ids) <= self._newest.get(scope.name, 0):
                break
            # At first, and after a gap, what was deployed seldom is behind this page.
            params = {"queryOrder": "descending", "$top": MOST_DEPLOYMENTS, "continuationToken": following}
            reply = await self.get(project, "release/deployments", http, params, root=self.release_root)
            rows.add(reply.decode(Listed).value)
            ids = [row.id for row in rows.good if row.id]
        page = self.page(project)
        part = rows.part(scope, lambda row: deployment_of(self, page, project, row))
        if part.error is None:
            self._newest[scope.name] = max(ids, default=0)
        return part

    async def _read_environments(self, scope: Scope, project: str, http: Http) -> Part:
        environments, missing = await self.wanted_environments(project, http)
        page = self.page(project)
        items: list[Item] = []
        error: Exception | None = NotFound(f"{project} has no environment {missing}") if missing else None
        for environment in environments:
            rows = Rows("deployment", Record, await self.records(project, str(environment.id), 20, http))
            part = rows.part(scope, partial(record_of, self, page, project, environment))
            items += part.items
            error = part.error or error
        return msgspec.structs.replace(scope.part(items), error=error)

    async def wanted_environments(self, project: str, http: Http) -> tuple[list[Environment], str]:
        """The environments that are asked for, and those that are not there."""
        listed, read_at = self._environments.get(project, ([], float("-inf")))
        now = self.clock.monotonic()
        if now - read_at >= KEPT:
            listed = await self._all_environments(project, http)
            self._environments[project] = listed, now
        asked = self.options.environments
        found = [e for e in listed if any(fnmatchcase(e.name or "", name) for name in asked)]
        if len(found) > MOST_ENVIRONMENTS:
            raise TooLarge(f"`environments` are {len(found)} of {project}; name at most {MOST_ENVIRONMENTS}")
        missing = [name for name in asked if not any(fnmatchcase(e.name or "", name) for e in found)]
        if missing:
            self._environments.pop(project)  # it may be made any moment
        return found, clean(", ".join(missing), 200)

    async def _all_environments(self, project: str, http: Http) -> list[Environment]:
        found: dict[int, Environment] = {}
        params: dict[str, str | int] = {"$top": 100}
        for _ in range(PAGES):
            reply = await self.get(project, "distributedtask/environments", http, params)
            rows = Rows("environment", Environment, reply.decode(Listed).value).good
            found.update((row.id, row) for row in rows if row.id and row.name)
            params["continuationToken"] = reply.headers.get("x-ms-continuationtoken", "")
            if not params["continuationToken"]:
                return list(found.values())
        raise TooLarge(f"{project} has more than {PAGES * 100} environments")

    async def records(self, project: str, environment: str, limit: int, http: Http) -> list[Any]:
        """The newest deployments to an environment."""
        path = f"distributedtask/environments/{environment}/environmentdeploymentrecords"
        reply = await self.get(project, path, http, {"top": limit})
        records = reply.decode(Listed).value
        numbers = [row["id"] for row in records if isinstance(row, dict) and type(row.get("id")) is int]
        if numbers != sorted(numbers, reverse=True) and reply.headers.get("x-ms-continuationtoken"):
            # Nothing documents the order; were it another one, the newest would be on pages that we do not read.
            raise BadAnswer(f"the deployments to environment {environment} of {project} do not come newest first")
        return records

    # -- tickets -------------------------------------------------------------------------------------------------

    async def _read_tickets(self, scope: Scope, project: str, http: Http) -> Part:
        workflow = await self.workflow(project, [], http)
        limit = self.options.tickets
        path = f"wit/wiql?{urlencode({'$top': limit})}"
        query = {"query": wiql(self.options.query, workflow.over)}
        ids = [row.id for row in (await self.post(project, path, query, http)).decode(Ids).work_items if row.id]
        rows: Rows[WorkItem] = Rows("work item", WorkItem)
        for start in range(0, len(ids), BATCH):
            body = {"ids": ids[start : start + BATCH], "fields": FIELDS, "errorPolicy": "omit"}
            listed = (await self.post(project, "wit/workitemsbatch", body, http)).decode(Listed).value
            rows.add(row for row in listed if row is not None)  # deleted since the query was answered
        if ids and not rows.good:
            raise BadAnswer(f"{len(ids)} work items of {project} were found, and none could be read")
        workflow = await self.workflow(project, rows.good, http)
        page = self.page(project)
        notes = [f"{project}: only the {limit} work items that changed last are read"] if len(ids) >= limit else []
        return rows.part(scope, lambda item: ticket_of(self, page, project, workflow, item), notes=notes)

    async def workflow(self, project: str, items: Sequence[WorkItem], http: Http) -> Workflow:
        """What states mean in a project; asked for hourly, and soon again where a state is not known."""
        known, read_at = self._workflows.get(project, (None, float("-inf")))
        now = self.clock.monotonic()
        kept = KEPT if known is None or all(map(known.knows, items)) else STATES_KEPT
        if known is None or now - read_at >= kept:
            listed = (await self.get(project, "wit/workitemtypes", http)).decode(Listed).value
            known = Workflow(Rows("type", WorkItemType, listed).good)
            self._workflows[project] = known, now
        return known

    # -- requests ------------------------------------------------------------------------------------------------

    def page(self, project: str) -> str:
        return f"{self._root}/{quote(project, safe='')}"

    async def get(
        self,
        project: str,
        path: str,
        http: Http,
        params: Mapping[str, str | int] | None = None,
        *,
        root: str = "",
    ) -> Reply:
        url = f"{root or self._prefix}/{quote(project, safe='')}/_apis/{path}"
        return await http.get(url, params={"api-version": self.options.api_version, **(params or {})})

    async def post(self, project: str, path: str, body: object, http: Http) -> Reply:
        joint = "&" if "?" in path else "?"
        url = f"{self._prefix}/{quote(project, safe='')}/_apis/{path}{joint}api-version={self.options.api_version}"
        try:
            return await http.post(url, json=body)
        except BadAnswer as exc:
            if exc.status == 302:
                raise AuthError(f"{exc}: this is the way to sign in, so the token is refused", status=302) from exc
            raise
