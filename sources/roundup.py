"""Roundup issue tracker (REST API of 2.x): open issues become tickets.

What a status means is for each tracker to say; the words of the classic template are known (share/roundup/templates/
classic/initial_data.py), others are taken from the option ``states``, else they are unknown.  Only issues that are not
done are asked for; one that leaves that list is read once more by its id.

Docs: roundup-tracker.org, rest.html.  Without ``X-Requested-With``, ``Origin`` and ``Referer`` it refuses to answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec

from sources._shared.answers import shaped
from sources._shared.rows import Rows, need, remote_id
from statusboard.api import (
    Context,
    Http,
    Item,
    ItemKind,
    Part,
    Past,
    Scope,
    Source,
    SourceOptions,
    Ticket,
    TicketState,
    option,
    parse_time,
)

#: The statuses of the classic template, and those that trackers commonly add.
STATES: Mapping[str, TicketState] = {
    "unread": "open",
    "deferred": "open",
    "chatting": "open",
    "need-eg": "open",
    "new": "open",
    "open": "open",
    "pending": "open",
    "in-progress": "in_progress",
    "testing": "in_progress",
    "done-cbb": "done",
    "resolved": "done",
    "done": "done",
    "closed": "done",
    "rejected": "cancelled",
    "wontfix": "cancelled",
    "duplicate": "cancelled",
}
OVER: Final = frozenset({"done", "cancelled"})
STATUSES_KEPT: Final = 300.0
#: Issues on a page of the past.
PAGE: Final = 100
FIELDS: Final = "title,status,priority,assignedto,creator,creation,activity"


class RoundupOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: roundup``; ``url`` is the tracker's, as in its links (https://host/tracker/)."""

    filter: Annotated[dict[str, str], option("only issues with these values, e.g. {keyword: 3}")] = msgspec.field(
        default_factory=dict
    )
    states: Annotated[dict[str, TicketState], option("what this tracker's own statuses mean")] = msgspec.field(
        default_factory=dict
    )
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000), option("how many open issues to read, the newest first")] = 200


class Named(msgspec.Struct, frozen=True):
    """A linked thing with ``@verbose=2``: users have a user name, the rest a name."""

    id: str | int | None = None
    name: str | None = None
    username: str | None = None


class Issue(msgspec.Struct, frozen=True):
    id: str | int | None = None
    title: str | None = None
    status: Named | None = None
    priority: Named | None = None
    assignedto: Named | None = None
    creator: Named | None = None
    creation: str | None = None
    activity: str | None = None


class Collection(msgspec.Struct, frozen=True):
    collection: list[Any]
    total: int | None = msgspec.field(default=None, name="@total_size")


class CollectionReply(msgspec.Struct, frozen=True):
    data: Collection


class Single(msgspec.Struct, frozen=True):
    attributes: Issue


class SingleReply(msgspec.Struct, frozen=True):
    data: Single


class Roundup(Source[RoundupOptions]):
    """Open issues of one tracker."""

    type = "roundup"
    kinds = frozenset({"ticket"})
    Options = RoundupOptions
    summary = "Open issues of a Roundup tracker"
    default_interval = 60.0
    scopes_needed = "username and password of a user with the permissions Rest Access and View on issue, status, user"
    requests = (1, "source")
    example = """
        url: https://tracker.example.com/board/
        username: "keyring:roundup-username"
        password: "keyring:roundup-password"
    """
    setup = """
        `url` is the tracker's, as in its links. Its configuration must have the REST API switched on
        (`[web] enable_rest`, which is the default).

        - Make a user of its own for the board, with a role that may see issues and use the REST API, and no more.
        - Statuses of your own are read as open until `states` says what they mean: `states: {parked: cancelled}`.
    """
    verified = "real"
    history_kinds = kinds
    no_history = "that an issue was closed counts from its last change"

    def __init__(self, options: RoundupOptions, context: Context) -> None:
        super().__init__(options, context)
        self._states = {**STATES, **{name.lower(): state for name, state in options.states.items()}}
        self._open: tuple[str, ...] = ()
        self._over: tuple[str, ...] = ()
        self._open_at = float("-inf")

    def request_headers(self) -> Mapping[str, str]:
        tracker = urlsplit(self.options.url)
        return {
            "Accept": "application/json",
            "X-Requested-With": "rest",
            "Origin": f"{tracker.scheme}://{tracker.netloc.rpartition('@')[2]}",
            "Referer": self.options.url.rstrip("/") + "/",
        }

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name="issues", kind="ticket", reach="window")]

    async def read(self, scope: Scope, http: Http) -> Part:
        params: dict[str, str | int] = {
            "@verbose": 2,
            "@fields": FIELDS,
            "@sort": "-activity",
            "@page_size": self.options.limit,
            "status": ",".join(await self._open_statuses(http)),
            **self.options.filter,
        }
        data = (await http.get("/rest/data/issue", params=params)).decode(CollectionReply).data
        notes = []
        if data.total is not None and data.total > self.options.limit:
            notes.append(f"only the {self.options.limit} open issues that changed last are read, of {data.total}")
        return Rows("issue", Issue, data.collection).part(scope, self._ticket, notes=notes)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import counted, oldest, past  # nobody else needs it

        await self._open_statuses(http)
        if not self._over:
            return Past(notes=("no status of this tracker means that an issue is over: see `states`",))
        page = counted(cursor)
        params: dict[str, str | int] = {
            "@verbose": 2,
            "@fields": FIELDS,
            "@sort": "-activity",
            "@page_size": PAGE,
            "@page_index": page,
            "status": ",".join(self._over),
            **self.options.filter,
        }
        found = (await http.get("/rest/data/issue", params=params)).decode(CollectionReply).data.collection
        rows = Rows("issue", Issue, found)
        older = str(page + 1) if len(found) >= PAGE else ""
        return past(rows, self._ticket, older=older, reached=oldest([_time(row.activity) for row in rows.good]))

    async def lookup(self, kind: ItemKind, number: str, http: Http) -> Item | None:
        params: dict[str, str | int] = {"@verbose": 2, "@fields": FIELDS}
        if not number.isdecimal():
            return None
        reply = await http.get(f"/rest/data/issue/{number}", params=params)
        return self._ticket(msgspec.structs.replace(reply.decode(SingleReply).data.attributes, id=number))

    async def _open_statuses(self, http: Http) -> tuple[str, ...]:
        """The ids of the statuses that are not over, for the query; -1 stands for having none."""
        now = self.clock.monotonic()
        if now - self._open_at >= STATUSES_KEPT:
            reply = await http.get("/rest/data/status", params={"@fields": "name"})
            # In full, or not at all: the issues of a status that is left out would not even be asked for.
            rows = [shaped(row, Named) for row in reply.decode(CollectionReply).data.collection]
            ids = {str(need(row.id, "id")): self._state(row.name) for row in rows}
            self._open = tuple(number for number, state in ids.items() if state not in OVER)
            self._over = tuple(number for number, state in ids.items() if state in OVER)
            self._open_at = now
        return ("-1", *self._open)

    def _state(self, name: str | None) -> TicketState:
        return self._states.get((name or "").lower(), "unknown")

    def _ticket(self, issue: Issue) -> Ticket:
        number = remote_id(need(issue.id, "id"))
        status = issue.status or Named()
        priority = (issue.priority or Named()).name or ""
        return Ticket(
            key=self.key("ticket", number),
            source=self.name,
            title=issue.title or f"issue {number}",
            state=self._state(status.name),
            raw_state=status.name or "",
            ticket_id=f"issue{number}",
            priority=priority,
            assignee=(issue.assignedto or Named()).username or "",
            url=f"{self.options.url.rstrip('/')}/issue{number}",
            actor=(issue.creator or Named()).username or "",
            started_at=_time(issue.creation),
            updated_at=_time(issue.activity),
        )


def _time(text: str | None) -> datetime | None:
    """Roundup writes 2026-01-02.03:04:05, in UTC."""
    return parse_time((text or "").replace(".", "T", 1))
