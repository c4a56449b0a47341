"""Roundup's REST interface, as 2.6 answers it for its classic tracker: ``/board/rest/data/CLASS``.

As in the original, a collection gives only ids and links unless ``@fields`` asks for more, ``@verbose=2`` adds the
names of linked items, times look like ``2026-11-22.04:19:32``, unknown ``@`` parameters are ignored and unknown fields
are refused.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from urllib.parse import quote

from statusboard.demo.names import PEOPLE, ROBOT
from statusboard.demo.records import Ticket
from statusboard.demo.servers import Pages, Request, Response, encode
from statusboard.demo.state import State

TRACKER = "/board"
USER = "demo"

STATUSES = ("unread", "deferred", "chatting", "need-eg", "in-progress", "testing", "done-cbb", "resolved")
PRIORITIES = ("critical", "urgent", "bug", "feature", "wish")

LABELS = {"issue": "title", "status": "name", "priority": "name", "keyword": "name", "user": "username"}
"""The classes, and the property that names an item of each."""

LINKS = {
    "status": "status",
    "priority": "priority",
    "keyword": "keyword",
    "assignedto": "user",
    "creator": "user",
    "actor": "user",
}
"""Properties of an issue that link to items, and the class of those."""

ON_REQUEST = ("activity", "actor", "creation", "creator")
"""What an item shows only when it is asked for by name."""

Row = dict[str, object]


class _Refused(Exception):
    """The request is refused with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def moment(when: float) -> str:
    """A Unix time as Roundup writes it: UTC with a dot between date and time."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d.%H:%M:%S")


class Roundup:
    """Answers requests of the one user with ``password`` about the tracker of ``state``."""

    def __init__(self, state: State, password: str) -> None:
        self._state = state
        self._password = password
        self._pages = Pages()
        labels: dict[str, tuple[str, ...]] = {
            "status": STATUSES,
            "priority": PRIORITIES,
            "keyword": tuple(service.name for service in state.services),
            "user": ("admin", "anonymous", USER, ROBOT, *PEOPLE),
        }
        self._names = {name: {str(n): label for n, label in enumerate(given, 1)} for name, given in labels.items()}
        self._numbers = {name: {label: number for number, label in rows.items()} for name, rows in self._names.items()}
        self._issues: tuple[int, list[Row]] = (-1, [])
        self.url = ""
        """``http://127.0.0.1:PORT/board``, as it says in links; set once the server listens."""

    def answer(self, request: Request) -> Response:
        """The answer to one request; nothing here can be written to."""
        try:
            if not self._known(request):
                return Response(401, b"Invalid Login - Invalid login", "text/plain")
            if request.method != "GET":
                raise _Refused(405, "Method not allowed.")
            if not request.path.startswith(f"{TRACKER}/rest/data/"):
                raise _Refused(404, "Nothing matches the given URI")
            way = request.path.removeprefix(f"{TRACKER}/rest/data/").strip("/").split("/")
            if way[0] not in LABELS:
                raise _Refused(404, f"Class {way[0]} not found")
            make = self._collection if len(way) == 1 else self._item
            return self._pages.get(request.target, self._state.revisions["tracker"], lambda: make(way, request))
        except _Refused as refused:
            return Response(refused.status, encode({"error": {"status": refused.status, "msg": refused.message}}))

    def _known(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            raise _Refused(403, "Forbidden.")
        try:
            pair = b64decode(given, validate=True).decode()
        except ValueError:
            return False
        return scheme.lower() == "basic" and pair == f"{USER}:{self._password}"

    # ------------------------------------------------------------------------------------------------------ resources

    def _collection(self, way: list[str], request: Request) -> Response:
        name = way[0]
        rows = [row for row in self._rows(name) if all(test(row) for test in self._filters(name, request))]
        for key in reversed([key for key in request.first("@sort").split(",") if key]):
            self._sort(name, rows, key)
        total = len(rows)
        data: Row = {}
        size, index = self._number(request, "@page_size"), max(1, self._number(request, "@page_index") or 1)
        if size:
            data["@links"] = self._page_links(request, size, index, total)
            rows = rows[(index - 1) * size : index * size]
        fields, verbose = self._fields(name, request), self._number(request, "@verbose", 1)
        if verbose >= 2 and not fields:
            fields = [LABELS[name]]
        collection = [self._show(name, row, fields, verbose) for row in rows]
        body = encode({"data": {"collection": collection, **data, "@total_size": total}})
        return Response(200, body, headers={"Vary": "Origin, Accept-Encoding", "X-Count-Total": str(total)})

    def _item(self, way: list[str], request: Request) -> Response:
        name, number = way[0], way[1]
        row = next((row for row in self._rows(name) if row["id"] == number), None)
        if row is None or len(way) > 2:
            raise _Refused(404, f"no such {name} {number}")
        fields = self._fields(name, request) or [field for field in row if field not in (*ON_REQUEST, "id")]
        shown = self._show(name, row, fields, self._number(request, "@verbose", 1))
        attributes = {field: value for field, value in shown.items() if field not in ("id", "link")}
        tag = f'"{blake2b(encode(row), digest_size=16).hexdigest()}"'
        data = {"id": number, "type": name, "link": shown["link"], "attributes": attributes, "@etag": tag}
        return Response(200, encode({"data": data}), headers={"ETag": tag, "Vary": "Origin, Accept-Encoding"})

    def _page_links(self, request: Request, size: int, index: int, total: int) -> dict[str, list[dict[str, str]]]:
        rest = "&".join(
            f"{quote(name, safe='@')}={quote(value, safe='@,:-.')}"
            for name, value in request.query
            if name != "@page_index"
        )
        pages = {"self": index}
        if index > 1:
            pages["prev"] = index - 1
        if index * size < total:
            pages["next"] = index + 1
        base = self.url + request.path.removeprefix(TRACKER)
        return {rel: [{"rel": rel, "uri": f"{base}?@page_index={page}&{rest}"}] for rel, page in sorted(pages.items())}

    # ----------------------------------------------------------------------------------------------------------- rows

    def _rows(self, name: str) -> list[Row]:
        """The items of a class with all properties; links are ids, several links a list of ids."""
        if name == "issue":
            revision = self._state.revisions["tracker"]
            if self._issues[0] != revision:
                self._issues = revision, [self._issue(ticket) for ticket in self._state.tracker]
            return list(self._issues[1])
        rows: list[Row] = []
        for number, label in self._names[name].items():
            row: Row = {"id": number, LABELS[name]: label}
            if name in ("status", "priority"):
                row["order"] = float(number)
            rows.append(row)
        return rows

    def _issue(self, ticket: Ticket) -> Row:
        return {
            "id": str(ticket.id),
            "activity": moment(ticket.updated),
            "actor": self._numbers["user"][ticket.actor],
            "assignedto": self._numbers["user"][ticket.assignee] if ticket.assignee else None,
            "creation": moment(ticket.created),
            "creator": self._numbers["user"][ticket.creator],
            "files": [],
            "keyword": [self._numbers["keyword"][ticket.service.name]],
            "messages": [],
            "nosy": [],
            "priority": self._numbers["priority"][ticket.priority],
            "status": self._numbers["status"][ticket.status],
            "superseder": [],
            "title": ticket.title,
        }

    def _show(self, name: str, row: Row, fields: list[str], verbose: int) -> Row:
        shown: Row = {"id": row["id"], "link": f"{self.url}/rest/data/{name}/{row['id']}"}
        for field in sorted(fields):
            prop, _, deeper = field.partition(".")
            value = row[prop]
            if deeper:
                shown[field] = None if value is None else self._names[LINKS[prop]][str(value)]
            elif isinstance(value, list):
                shown[field] = [self._link(LINKS[prop], str(number), verbose) for number in value]
            elif prop in LINKS and value is not None:
                shown[field] = self._link(LINKS[prop], str(value), verbose)
            else:
                shown[field] = value
        return shown

    def _link(self, name: str, number: str, verbose: int) -> object:
        if verbose < 1:
            return number
        link = {"id": number, "link": f"{self.url}/rest/data/{name}/{number}"}
        return link | {LABELS[name]: self._names[name][number]} if verbose > 1 else link

    # ---------------------------------------------------------------------------------------------------------- query

    @staticmethod
    def _number(request: Request, name: str, default: int = 0) -> int:
        text = request.first(name)
        try:
            return int(text) if text else default
        except ValueError:
            raise _Refused(400, f"When using {name}: invalid literal for int() with base 10: {text!r}") from None

    def _fields(self, name: str, request: Request) -> list[str]:
        text = request.first("@fields") or request.first("@attrs")
        fields = [field for field in text.replace(":", ",").split(",") if field and field != "id"]
        known = self._rows(name)[0] if self._rows(name) else {}
        for field in fields:
            prop, _, deeper = field.partition(".")
            if prop not in known or (deeper and (prop not in LINKS or deeper != LABELS[LINKS[prop]])):
                raise _Refused(400, f"'Unknown property: {field}'")
        return fields

    def _filters(self, name: str, request: Request) -> list[Callable[[Row], bool]]:
        return [self._filter(name, field, value) for field, value in request.query if not field.startswith("@")]

    def _filter(self, name: str, field: str, text: str) -> Callable[[Row], bool]:
        if name == "issue" and field in LINKS:
            wanted = {self._wanted(LINKS[field], value) for value in text.split(",")}
            return lambda row: not wanted.isdisjoint(_many(row[field]))
        if field == LABELS[name]:
            words = text.lower().split()
            return lambda row: all(word in str(row[field]).lower() for word in words)
        if field == "id":
            return lambda row: row["id"] == text
        raise _Refused(400, f"Field {field} is not valid for {name} class.")

    def _wanted(self, name: str, value: str) -> str | None:
        """An id as a filter names it: by itself, by the label of the item, or -1 for none."""
        if value == "-1":
            return None
        if value.isdigit():
            return value
        if value not in self._numbers[name]:
            raise _Refused(400, f'\'No key ({LABELS[name]}) value "{value}" for "{name}"\'')
        return self._numbers[name][value]

    def _sort(self, name: str, rows: list[Row], key: str) -> None:
        field, down = key.lstrip("+-"), key.startswith("-")
        if rows and field not in rows[0]:
            raise _Refused(400, f"Field {field} is not valid for {name} class.")
        numeric = field == "id" or field in LINKS
        rows.sort(key=lambda row: (int(str(row[field] or 0)), "") if numeric else (0, str(row[field])), reverse=down)


def _many(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
