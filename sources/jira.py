"""Jira Cloud and Jira Data Center (or Server): issues as tickets, and those of ``incident_jql`` as incidents.

Cloud is searched through /rest/api/3/search/jql, which pages by a token, names no total, gives no field that was not
asked for and refuses a query without a condition (developer.atlassian.com, Issue search); Data Center through
/rest/api/2/search.

Both answer who is not signed in with 200 and fewer issues, Cloud even where a token was sent that has expired.  So a
credential is proved by /rest/api/2/myself, at first, after each failure and now and then; in between, each answer's
``X-Seraph-LoginReason`` and ``X-AUSERNAME`` (Data Center) tell.

What leaves a search is read by its id: Cloud's index is behind its issues, and absence alone ends nothing.  What is not
found then is gone only where the credential has just been proved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from sources._jira import (
    FIELDS,
    SEVERITIES,
    Issue,
    Me,
    Page,
    ServerInfo,
    incident_of,
    quoted,
    split_order,
    ticket_of,
)
from sources._shared.rows import Rows
from sources._shared.words import meaning
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
    Severity,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    basic,
    clean,
    option,
)

Flavor = Literal["cloud", "datacenter"]

DEFAULT_JQL: Final = "statusCategory != Done AND updated >= -30d ORDER BY updated DESC"
#: serverInfo's deploymentType.
FLAVORS: Mapping[str, Flavor] = {"cloud": "cloud", "server": "datacenter", "data center": "datacenter"}
#: Where scoped API tokens are taken: behind the gateway issues have no pages.
GATEWAY: Final = "api.atlassian.com"
#: How long a proof of the credential is good, and how long where an issue is said to be gone (seconds).
PROOF_KEPT: Final = 600.0
GONE_PROOF_KEPT: Final = 20.0
PAGE: Final = 100
#: Cloud may fill its pages with less than was asked for.
MOST_PAGES: Final = 20
NOT_SIGNED_IN: Final = frozenset({"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED", "AUTHORISATION_FAILED", "OUT"})


class JiraOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: jira``; ``url`` is the site's root."""

    projects: Annotated[tuple[str, ...], option("only tickets of these projects, by key: [SHOP, PAY]")] = ()
    jql: Annotated[str, option("which issues are tickets; by default those that are not done and changed lately")] = (
        DEFAULT_JQL
    )
    incident_jql: Annotated[
        str, option("which issues are incidents (and no tickets): project = OPS AND issuetype = Incident")
    ] = ""
    severities: Annotated[
        dict[str, Severity],
        option("severities of incidents by priority; Highest to Lowest and Blocker to Trivial are known"),
    ] = msgspec.field(default_factory=dict)
    flavor: Annotated[Flavor | None, option("cloud or datacenter (also Server); found out where it is not given")] = (
        None
    )
    limit: Annotated[
        int, msgspec.Meta(ge=1, le=1_000), option("how many issues to read of each query, the newest changes first")
    ] = 200

    def __post_init__(self) -> None:
        for name, jql in (("jql", self.jql), ("incident_jql", self.incident_jql)):
            if not split_order(jql)[0] and (name == "jql" or jql):
                raise ValueError(f"`{name}` has no condition, and Jira refuses to list everything; e.g. project = SHOP")
        for project in self.projects:
            if not project.strip() or not project.isprintable():
                raise ValueError(f"`projects`: {project[:80]!r} is no project key")
        if "incident" in self.kinds and not self.incident_jql:
            raise ValueError("`kinds` has incident, but no `incident_jql` says which issues are incidents")


class Jira(Source[JiraOptions]):
    """Tickets of each project (or of one query), and incidents of another."""

    type = "jira"
    kinds = frozenset({"ticket", "incident"})
    Options = JiraOptions
    summary = "Issues of Jira Cloud or Data Center as tickets, those of a query as incidents"
    default_interval = 60.0
    scopes_needed = (
        "Browse projects for the user; a scoped Cloud token needs read:jira-work and read:jira-user, "
        "a Data Center token has its user's rights"
    )
    requests = (1, "project or query; twice that with incident_jql")
    example = """\
url: https://acme.atlassian.net
username: "env:JIRA_USER"
token: "keyring:jira"
projects: [SHOP, PAY]
incident_jql: project = OPS AND issuetype = Incident
"""
    setup = """\
- **Cloud**: id.atlassian.com, *Security > API tokens > Create API token*; it lives a year at most.
- There `username` refers to the account's e-mail address and `token` to the token: `statusboard login jira` stores it.
- *Failed to parse Connect Session Auth Token* is what Jira Cloud says to a token without `username`.
- `url` is where Jira begins: on Cloud `https://SITE.atlassian.net`, elsewhere with its prefix if it has one.
- A token *with scopes* is taken only at `url: https://api.atlassian.com/ex/jira/<cloud id>`.
- That id is in `https://<site>/_edge/tenant_info`; the scopes are `read:jira-work` and `read:jira-user`.
- **Data Center**: *Profile > Personal Access Tokens > Create token*; give `token` and no `username`.
- Best use an account of its own that may browse just these projects; without any, only what is public is seen.
- *The value 'PAY' does not exist for the field 'project'*: there is no such project, or the user may not see it.
- A status counts by its category (to do, in progress, done), whatever it is called.
- `jql` and `incident_jql` are written as in Jira's own search; of the latter, those not done are read.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = "of incidents Jira tells when they were made and resolved, and not what happened in between"

    def __init__(self, options: JiraOptions, context: Context) -> None:
        super().__init__(options, context)
        self.severities = {**SEVERITIES, **{name.lower(): severity for name, severity in options.severities.items()}}
        self._signs = bool(options.token or options.username or options.password)
        self.flavor: Flavor | None = options.flavor or _flavor_of(options.url)
        behind_gateway = urlsplit(options.url).hostname == GATEWAY
        self.site = "" if behind_gateway else options.url.rstrip("/")
        self._proved_at = float("-inf")

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        if credentials.token and credentials.username and self.options.flavor != "datacenter":
            return {"Authorization": basic(credentials.username, credentials.token)}
        return super().sign(credentials)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        await self.introduce(http)
        found: list[Scope] = []
        if self.wants("ticket"):
            where, order = split_order(self.options.jql)
            order = order or "ORDER BY updated DESC"
            for project in dict.fromkeys(self.options.projects):
                query = (f"project = {quoted(project)} AND ({where})", order)
                found.append(Scope(name=f"{clean(project, 80)} issues", kind="ticket", reach="window", data=query))
            if not found:
                found.append(Scope(name="issues", kind="ticket", reach="window", data=(where, order)))
        if self.wants("incident") and self.options.incident_jql:
            where, order = split_order(self.options.incident_jql)
            query = (f"({where}) AND statusCategory != Done", order or "ORDER BY updated DESC")
            found.append(Scope(name="incidents", kind="incident", reach="window", data=query))
        return found

    async def read(self, scope: Scope, http: Http) -> Part:
        try:
            return await self._read(scope, http)
        except SourceError:
            self._proved_at = float("-inf")
            raise

    async def _read(self, scope: Scope, http: Http) -> Part:
        where, order = scope.data
        rows, whole = await self._search(f"{where} {order}", FIELDS, http)
        notes = [] if self._signs else ["read without a credential: only what is public is seen"]
        if scope.kind == "incident":
            part = rows.part(scope, lambda issue: incident_of(self, self.site, issue, self.severities), notes=notes)
            if not whole and part.error is None:
                error = TooLarge(f"more than {len(rows.good)} incidents are open; narrow incident_jql, or raise limit")
                part = msgspec.structs.replace(part, error=error)
            return part
        if not whole:
            notes.append(f"{scope.name}: only the {len(rows.good)} that changed last are read")
        incidents = await self.incidents(where, order, http)
        return rows.part(
            scope,
            lambda issue: None if str(issue.id) in incidents else ticket_of(self, self.site, issue),
            notes=notes,
        )

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._jira_history import History  # nobody else needs it

        try:
            return await History(self).read(scope, http, since, cursor)
        except SourceError:
            self._proved_at = float("-inf")
            raise

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        if not remote_id.isdecimal():
            return None
        await self.introduce(http)
        try:
            reply = await self.get(f"{self.api}/issue/{remote_id}", {"fields": FIELDS}, http)
        except NotFound:
            await self.introduce(http, GONE_PROOF_KEPT)  # who is not signed in is told the same
            raise
        issue = reply.decode(Issue)
        item: Item
        if kind == "incident":
            item = incident_of(self, self.site, issue, self.severities)
        else:
            item = ticket_of(self, self.site, issue)
        if item.state in ("resolved", "done", "cancelled"):
            return item
        # It is not over, so the query no longer means it, or others have changed since: no more are read than `limit`.
        # An incident must not be called resolved because it was missed between two pages.
        is_meant = kind == "incident" and remote_id in await self.incidents(f"id = {remote_id}", "", http)
        return item if is_meant else None

    # -- asking --------------------------------------------------------------------------------------------------

    @property
    def api(self) -> str:
        return "/rest/api/3" if self.flavor == "cloud" else "/rest/api/2"

    async def introduce(self, http: Http, proof_kept: float = PROOF_KEPT) -> None:
        """Find out which Jira this is, and see that it knows us, as it did ``proof_kept`` seconds ago."""
        if self.flavor is None or not self.site:
            try:
                info = (await self.get("/rest/api/2/serverInfo", {}, http)).decode(ServerInfo)
            except (BadAnswer, NotFound) as exc:
                raise type(exc)(f"{exc}; is url: the root of a Jira site?", status=exc.status) from None
            self.site = self.site or info.base_url.rstrip("/")
            flavor = self.flavor or meaning(FLAVORS, info.deployment_type)
            if flavor == "unknown":
                raise BadAnswer("Jira does not say whether it is Cloud or Data Center; say so with flavor:")
            self.flavor = flavor
        now = self.clock.monotonic()
        if self._signs and now - self._proved_at >= proof_kept:
            me = (await self.get("/rest/api/2/myself", {}, http)).decode(Me)
            if not (me.account_id or me.name or me.key):
                raise AuthError("Jira does not say whose the credential is; it may be ignored")
            self._proved_at = now

    async def get(self, path: str, params: Mapping[str, str | int], http: Http) -> Reply:
        """An answer to us, and not to just anybody."""
        reply = await http.get(path, params=params)
        if self._signs:
            user = reply.headers.get("x-ausername", "").lower()
            reasons = {word.strip().upper() for word in reply.headers.get("x-seraph-loginreason", "").split(",")}
            if user == "anonymous" or (not user and "OK" not in reasons and reasons & NOT_SIGNED_IN):
                self._proved_at = float("-inf")
                raise AuthError("Jira took the credential for none and answered as to anybody; it may have expired")
        return reply

    async def _search(self, jql: str, fields: str, http: Http) -> tuple[Rows[Issue], bool]:
        """The first issues of a query, and whether they are all."""
        path = f"{self.api}/search" + ("/jql" if self.flavor == "cloud" else "")
        rows = Rows("issue", Issue)
        params: dict[str, str | int] = {"jql": jql, "fields": fields}
        read = 0
        tokens: set[str] = set()
        for _ in range(MOST_PAGES):
            params["maxResults"] = min(PAGE, self.options.limit - read)
            page = (await self.get(path, params, http)).decode(Page)
            if page.warning_messages and not page.issues:
                raise NotFound(f"Jira warns of the query: {clean(page.warning_messages[0], 200)}")
            rows.add(page.issues)
            read += len(page.issues)
            if self.flavor == "cloud":
                token = page.next_page_token
                more = bool(token) and page.is_last is not True
                if more and token in tokens:
                    raise BadAnswer("the pages of the search run in a circle")
                params["nextPageToken"] = token or ""
                tokens.add(token or "")
            else:
                more = bool(page.issues) and (page.total is None or read < page.total)
                params["startAt"] = read
            if not more:
                return rows, page.is_last is not False and read >= (page.total or 0)
            if read >= self.options.limit:
                break
        return rows, False

    async def incidents(self, where: str, order: str, http: Http) -> frozenset[str]:
        """The ids of those of a query that are incidents, and so no tickets.

        Asked of Jira: NOT in JQL would leave out the tickets that have no value at all in the fields concerned.
        """
        if not self.options.incident_jql:
            return frozenset()
        incident, _ = split_order(self.options.incident_jql)
        rows, _ = await self._search(f"({where}) AND ({incident}) {order}".strip(), "id", http)
        return frozenset(str(issue.id) for issue in rows.good)


def _flavor_of(url: str) -> Flavor | None:
    host = urlsplit(url).hostname or ""
    return "cloud" if host == GATEWAY or host.endswith(".atlassian.net") else None
