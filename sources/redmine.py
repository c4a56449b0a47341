"""Redmine (REST API): open issues as tickets, of some projects, of a saved query, or all that the key's owner sees.

Three facts that the real server (5.0) showed:

- A key that was revoked, and any key where the REST API is turned off, is taken for no key: issues come with 200, but
  only those that anybody may see.  So each poll first asks /users/current.json, which needs a key that counts.
- Statuses are each site's own.  Whether one is closed is a fact (``is_closed``, from 5.0 on in each issue, before it in
  /issue_statuses.json); names only tell more, and only the English ones that Redmine comes with are known.
- A saved query takes the place of every filter but the project; one that belongs to a project is 404 without it.

Docs: redmine.org, Rest_api, Rest_Issues, Rest_IssueStatuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from sources._shared.rows import Rows, need, remote_id
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
    Scope,
    Source,
    SourceOptions,
    Ticket,
    TicketState,
    clean,
    option,
    parse_time,
)

#: What the names of open statuses add: Redmine's own are New, In Progress, Resolved (to be verified), Feedback.
OPEN: Mapping[str, TicketState] = {
    "new": "open",
    "feedback": "open",
    "in progress": "in_progress",
    "resolved": "in_progress",
}
#: What the names of closed statuses add: Redmine's own are Closed and Rejected.
CLOSED: Mapping[str, TicketState] = {
    "closed": "done",
    "rejected": "cancelled",
}
OVER: Final = frozenset({"done", "cancelled"})
STATUSES_KEPT: Final = 600.0
#: The most that Redmine gives at once.
PAGE: Final = 100
#: Should a server give less at once than it was asked for.
MOST_PAGES: Final = 20


class RedmineOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: redmine``; ``url`` is the server's root."""

    projects: Annotated[tuple[str, ...], option("only issues of these projects, by identifier as in their URLs")] = ()
    subprojects: Annotated[bool, option("issues of the projects' subprojects as well")] = True
    query_id: Annotated[
        int, msgspec.Meta(ge=0), option("the issues of this saved query (the number in its URL); 0: all open ones")
    ] = 0
    states: Annotated[
        dict[str, TicketState], option("what this server's own statuses mean, e.g. {In Review: in_progress}")
    ] = msgspec.field(default_factory=dict)
    limit: Annotated[
        int, msgspec.Meta(ge=1, le=1_000), option("how many issues to read of each project, the newest changes first")
    ] = 200

    def __post_init__(self) -> None:
        for project in self.projects:
            if not project or not project.isprintable() or set(project) & set("/?#, "):
                raise ValueError(f"`projects`: {project[:80]!r} is no identifier; it is in the URL, /projects/<this>")
        if not self.subprojects and not self.projects:
            raise ValueError("`subprojects: false` says nothing without `projects`")
        if not self.subprojects and self.query_id:
            raise ValueError("`subprojects`: Redmine ignores it with `query_id`; leave it out and narrow the query")


class Named(msgspec.Struct, frozen=True):
    name: str | None = None


class Status(msgspec.Struct, frozen=True):
    id: int | None = None
    name: str | None = None
    is_closed: bool | None = None


class Issue(msgspec.Struct, frozen=True):
    id: int | None = None
    project: Named | None = None
    tracker: Named | None = None
    status: Status | None = None
    priority: Named | None = None
    author: Named | None = None
    assigned_to: Named | None = None
    category: Named | None = None
    fixed_version: Named | None = None
    subject: str | None = None
    due_date: str | int | float | None = None
    created_on: str | int | float | None = None
    updated_on: str | int | float | None = None
    closed_on: str | int | float | None = None


class Issues(msgspec.Struct, frozen=True):
    issues: list[Any]
    total_count: int | None = None


class OneIssue(msgspec.Struct, frozen=True):
    issue: Issue


class Statuses(msgspec.Struct, frozen=True):
    issue_statuses: list[Any]


class User(msgspec.Struct, frozen=True):
    id: int


class CurrentUser(msgspec.Struct, frozen=True):
    user: User


class Redmine(Source[RedmineOptions]):
    """Open issues of each project, or of the whole server."""

    type = "redmine"
    kinds = frozenset({"ticket"})
    Options = RedmineOptions
    summary = "Open issues of Redmine, by project or saved query"
    default_interval = 60.0
    concurrency = 2
    scopes_needed = "the API key of a user with the permission View issues in the projects; none for public ones"
    requests = (1, "project, and for proving the key")
    example = """\
url: https://redmine.example
token: "keyring:redmine"
projects: [shop, billing]
"""
    setup = """\
- An administrator turns on *Administration > Settings > API > Enable REST web service*.
- Make a user whose roles hold no more than *View issues* in the projects, and sign in as that user.
- *My account* shows the *API access key* on its right. Store it with `statusboard login redmine`, or give
  `username` and `password`.
- `projects` are identifiers, as in `/projects/<identifier>`; without them all that the user may see is read.
- `query_id` is the number in a saved query's URL; a query of one project needs that project in `projects`.
- Open or closed is what Redmine says of a status; say in `states` which of your own mean work in progress.
- A private certificate authority: `tls: {ca: /path/ca.pem}`.
"""
    verified = "real"
    history_kinds = kinds

    def __init__(self, options: RedmineOptions, context: Context) -> None:
        super().__init__(options, context)
        self._states = {name.lower(): state for name, state in options.states.items()}
        self._signs = bool(options.token or options.username or options.password)
        self._closed: dict[int, bool] = {}
        self._closed_at = float("-inf")

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        return {"X-Redmine-API-Key": credentials.token} if credentials.token else super().sign(credentials)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        if self._signs:
            await self._prove(http)
        projects = [(f"{clean(name, 80)} issues", name) for name in dict.fromkeys(self.options.projects)]
        return [
            Scope(name=name, kind="ticket", reach="window", data=project)
            for name, project in projects or [("issues", "")]
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        params = self.asked_for(scope.data)
        if self.options.query_id:
            params["query_id"] = self.options.query_id
        else:
            params["status_id"] = "open"
        rows, total = await self.issues(params, http, self.options.limit)
        notes = [] if self._signs else ["read without a key: only what anybody may see is seen"]
        if total is not None:
            notes.append(f"{scope.name}: only the {len(rows.good)} that changed last are read, of {total}")
        await self.know_statuses(rows.good, http)
        return rows.part(scope, self.ticket, notes=notes)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._redmine_history import read  # nobody else needs it

        return await read(self, scope.data, http, since, cursor)

    async def lookup(self, kind: ItemKind, number: str, http: Http) -> Item | None:
        if not number.isdecimal():
            return None
        try:
            issue = (await http.get(f"/issues/{number}.json")).decode(OneIssue).issue
        except AuthError as exc:
            if exc.status != 403:
                raise
            return None  # the key counts, as this poll has proved: the issue is where it may not look
        await self.know_statuses([issue], http)
        ticket = self.ticket(issue)
        # An open one no longer belongs to what is read, or others have changed since: no more are read than `limit`.
        return ticket if ticket.state in OVER else None

    def asked_for(self, project: str) -> dict[str, str | int]:
        """The parameters of a list of a project's issues, of all for ``""``: the last to change first."""
        params: dict[str, str | int] = {"sort": "updated_on:desc,id:desc"}
        if project:
            params["project_id"] = project
        if not self.options.subprojects:
            params["subproject_id"] = "!*"
        return params

    async def _prove(self, http: Http) -> None:
        """See that the key counts: Redmine answers those without one too, with less."""
        try:
            (await http.get("/users/current.json")).decode(CurrentUser)
        except AuthError as exc:
            if exc.status != 403:
                raise
            advice = "is the REST web service turned on (Administration, Settings, API)?"
            raise AuthError(f"{exc}; {advice}", status=exc.status) from None
        except (BadAnswer, NotFound) as exc:
            raise type(exc)(f"{exc}; is url: the root of a Redmine?", status=exc.status) from None

    async def issues(
        self, params: Mapping[str, str | int], http: Http, limit: int, first: int = 0
    ) -> tuple[Rows[Issue], int | None]:
        """So many issues of a list, behind the ``first`` of it, and how many there are where that is more."""
        rows = Rows("issue", Issue)
        read, total = first, 0
        for _ in range(MOST_PAGES):
            size = min(PAGE, first + limit - read)
            page = (await http.get("/issues.json", params={**params, "limit": size, "offset": read})).decode(Issues)
            rows.add(page.issues)
            read += len(page.issues)
            total = read if page.total_count is None else page.total_count
            if read >= total:
                return rows, None
            if read >= first + limit or not page.issues:
                break
        return rows, total

    async def know_statuses(self, issues: Sequence[Issue], http: Http) -> None:
        """Read which statuses are closed, where the issues themselves do not say it (before 5.0)."""
        now = self.clock.monotonic()
        silent = any(issue.status and issue.status.is_closed is None for issue in issues)
        if silent and now - self._closed_at >= STATUSES_KEPT:
            reply = await http.get("/issue_statuses.json")
            rows = Rows("status", Status, reply.decode(Statuses).issue_statuses).good
            self._closed = {row.id: row.is_closed for row in rows if row.id is not None and row.is_closed is not None}
            self._closed_at = now

    def _state(self, status: Status) -> TicketState:
        closed = status.is_closed if status.is_closed is not None else self._closed.get(status.id or 0)
        name = (status.name or "").strip().lower()
        if closed is None:
            return "unknown"
        if name in self._states:
            return self._states[name]
        return CLOSED.get(name, "done") if closed else OPEN.get(name, "open")

    def ticket(self, issue: Issue) -> Ticket:
        """An issue, whose status is known (`know_statuses`)."""
        number = remote_id(need(issue.id, "id"))
        status = issue.status or Status()
        state = self._state(status)
        return Ticket(
            key=self.key("ticket", number),
            source=self.name,
            title=issue.subject or f"issue {number}",
            state=state,
            raw_state=status.name or "",
            ticket_id=f"#{number}",
            priority=_name(issue.priority),
            assignee=_name(issue.assigned_to),
            actor=_name(issue.author),
            url=f"{self.options.url.rstrip('/')}/issues/{number}",
            labels=_labels(issue),
            started_at=parse_time(issue.created_on),
            updated_at=parse_time(issue.updated_on),
            ended_at=parse_time(issue.closed_on) if state in OVER else None,  # an issue keeps it when it is reopened
        )


def _name(named: Named | None) -> str:
    return (named.name or "") if named else ""


def _labels(issue: Issue) -> dict[str, str]:
    labels = {
        "project": _name(issue.project),
        "tracker": _name(issue.tracker),
        "category": _name(issue.category),
        "version": _name(issue.fixed_version),
        "due": issue.due_date if isinstance(issue.due_date, str) else "",
    }
    return {name: value for name, value in labels.items() if value}
