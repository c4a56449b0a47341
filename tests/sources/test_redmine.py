"""Redmine: open issues, what statuses mean, paging, and keys that no longer count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.redmine import CLOSED, OPEN, Redmine
from statusboard.errors import AuthError, BadAnswer, NotFound
from statusboard.model import Ticket
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://redmine.example/tracker"
TOKEN = {"token": "env:REDMINE_KEY"}
STATUSES = {1: "New", 2: "In Progress", 3: "Resolved", 4: "Feedback", 5: "Closed", 6: "Rejected"}
PROJECTS = {"shop": 1, "billing": 2, "secret": 3}


def issue(number: int, status: int = 1, project: str = "shop", **more: Any) -> dict[str, Any]:
    closed = status >= 5
    return {
        "id": number,
        "project": {"id": PROJECTS[project], "name": project.title()},
        "tracker": {"id": 1, "name": "Bug"},
        "status": {"id": status, "name": STATUSES[status], "is_closed": closed},
        "priority": {"id": 3, "name": "High"},
        "author": {"id": 1, "name": "Bob Birch"},
        "assigned_to": {"id": 5, "name": "Ann Ash"},
        "category": {"id": 1, "name": "Cart"},
        "fixed_version": {"id": 1, "name": "1.4"},
        "subject": f"Subject {number}",
        "description": "",
        "start_date": "2026-01-02",
        "due_date": "2026-01-09",
        "done_ratio": 0,
        "created_on": "2026-01-02T03:04:05Z",
        "updated_on": "2026-01-02T05:00:00+01:00",
        "closed_on": "2026-01-02T05:00:00Z" if closed else None,
        **more,
    }


class Server:
    """Redmine as it behaved when it was tried: 5.0, or with ``old`` one that leaves ``is_closed`` out of issues."""

    def __init__(self, *issues: dict[str, Any], old: bool = False) -> None:
        self.issues = list(issues) or [issue(1), issue(2, 2), issue(3, 5)]
        self.old = old
        self.key_counts = True
        self.rest = True
        self.queries = {8: {5, 6}}

    def __call__(self, call: Call) -> Answer:
        match call.path.removeprefix("/tracker/").removesuffix(".json").split("/"):
            case ["users", "current"]:
                if not self.rest:
                    return Answer(status=403)
                if not self.key_counts:
                    return Answer(status=401, headers={"www-authenticate": 'Basic realm="Redmine API"'})
                return Answer.of({"user": {"id": 5, "login": "board"}})
            case ["issue_statuses"]:
                rows = [{"id": n, "name": name, "is_closed": n >= 5} for n, name in STATUSES.items()]
                return Answer.of({"issue_statuses": rows})
            case ["issues"]:
                return self.list(call)
            case ["issues", number]:
                for found in self.seen():
                    if str(found["id"]) == number:
                        return Answer.of({"issue": found})
        return Answer(status=404)

    def seen(self) -> list[dict[str, Any]]:
        """What the one who asks may see, as this server writes it."""
        seen = [one for one in self.issues if one["project"]["name"] != "Secret" or (self.key_counts and self.rest)]
        if not self.old:
            return seen
        return [{**one, "status": {k: v for k, v in one["status"].items() if k != "is_closed"}} for one in seen]

    def list(self, call: Call) -> Answer:
        found = self.seen()
        if project := call.param("project_id"):
            if project not in PROJECTS:
                return Answer(status=404)
            if project == "secret" and not self.key_counts:
                return Answer(status=401)
            found = [one for one in found if one["project"]["id"] == PROJECTS[project]]
        if query := call.param("query_id"):
            if int(query) not in self.queries:
                return Answer(status=404)
            found = [one for one in found if one["status"]["id"] in self.queries[int(query)]]
        elif call.param("status_id", "open") == "open":
            found = [one for one in found if one["status"]["id"] < 5]
        offset, limit = int(call.param("offset", "0")), min(int(call.param("limit", "25")), 100)
        rows = found[offset : offset + limit]
        return Answer.of({"issues": rows, "total_count": len(found), "offset": offset, "limit": limit})


class TestContract(SourceContract):
    source = Redmine
    options: ClassVar = {"url": URL, "projects": ["shop", "billing"]}
    state_fields = ("is_closed",)
    time_fields = ("created_on", "updated_on", "closed_on", "due_date")

    def vendor(self, call: Call) -> Answer:
        return Server(issue(1), issue(2, 2), issue(4, 3, "billing"))(call)


class TestContractOfOldOnes(SourceContract):
    source = Redmine
    options: ClassVar = {"url": URL, "query_id": 8}
    state_fields = ("is_closed",)
    time_fields = ("created_on", "updated_on", "closed_on", "due_date")

    def vendor(self, call: Call) -> Answer:
        server = Server(issue(1), issue(2, 2), issue(3, 5), old=True)
        server.queries = {8: set(STATUSES)}
        return server(call)


def make(server: Server, **options: Any) -> Any:
    return make_source(Redmine, {"url": URL, **TOKEN, **options}), FakeHttp(server, URL)


async def read(server: Server, **options: Any) -> Any:
    source, http = make(server, **options)
    return source, http, await read_one(source, http)


async def test_open_issues_are_tickets() -> None:
    _, http, part = await read(Server())
    assert [(item.ticket_id, item.state) for item in part.items] == [("#1", "open"), ("#2", "in_progress")]
    assert part.items[0] == Ticket(
        key="redmine:ticket:1",
        source="redmine",
        title="Subject 1",
        state="open",
        raw_state="New",
        ticket_id="#1",
        priority="High",
        assignee="Ann Ash",
        actor="Bob Birch",
        url="https://redmine.example/tracker/issues/1",
        labels={"project": "Shop", "tracker": "Bug", "category": "Cart", "version": "1.4", "due": "2026-01-09"},
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 4, tzinfo=UTC),
    )
    assert (part.reach, part.notes) == ("window", ())
    assert [call.path for call in http.calls] == ["/tracker/users/current.json", "/tracker/issues.json"]
    assert http.calls[-1].query == {
        "sort": ["updated_on:desc,id:desc"],
        "status_id": ["open"],
        "limit": ["100"],
        "offset": ["0"],
    }


@pytest.mark.parametrize("old", [False, True])
async def test_states(old: bool) -> None:
    server = Server(*[issue(n, n) for n in STATUSES], old=old)
    server.queries = {8: set(STATUSES)}
    for change in (str.upper, str.lower, str.title):
        for one in server.issues:
            one["status"]["name"] = change(one["status"]["name"])
        _, _, part = await read(server, query_id=8)
        words = {**OPEN, **CLOSED}
        assert [item.state for item in part.items] == [words[name.lower()] for name in STATUSES.values()]
        ended = [item.ended_at is not None for item in part.items]
        assert ended == [False] * 4 + [True] * 2


async def test_names_cannot_open_what_is_closed() -> None:
    server = Server(issue(1, 5), issue(2, 1), issue(3, 5, closed_on=None), issue(4, 1))
    server.queries = {8: set(STATUSES)}
    for one, name in zip(server.issues, ("In Progress", "Closed", "Erledigt", "Neu"), strict=True):
        one["status"]["name"] = name
    _, _, part = await read(server, query_id=8)
    assert [item.state for item in part.items] == ["done", "open", "done", "open"]


async def test_statuses_of_this_server() -> None:
    server = Server(issue(1), issue(2))
    server.issues[0]["status"]["name"] = "In REVIEW"
    server.issues[1]["status"] = {"id": 99, "name": "In Review"}
    server.queries = {8: {1, 99}}
    _, _, part = await read(server, query_id=8, states={"In Review": "in_progress"})
    assert [item.state for item in part.items] == ["in_progress", "unknown"]


async def test_statuses_are_asked_for_only_where_issues_are_silent_and_seldom() -> None:
    server = Server(old=True)
    source, http, _ = await read(server)

    def asked() -> int:
        return sum("issue_statuses" in call.path for call in http.calls)

    await read_one(source, http)
    assert asked() == 1
    source.clock.advance(601)
    await read_one(source, http)
    assert asked() == 2


async def test_a_reopened_issue_has_not_ended() -> None:
    _, _, part = await read(Server(issue(1, 2, closed_on="2026-01-02T05:00:00Z")))
    assert (part.items[0].state, part.items[0].ended_at) == ("in_progress", None)


# -- projects, queries, pages ----------------------------------------------------------------------------------------


async def test_each_project_is_a_part_and_a_wrong_one_harms_no_other() -> None:
    source, http = make(Server(issue(1), issue(2, 1, "billing")), projects=["shop", "billing", "shpo"])
    parts = {part.scope: part for part in (await read_all(source, http)).parts}
    assert {name: [item.key for item in part.items] for name, part in parts.items()} == {
        "shop issues": ["redmine:ticket:1"],
        "billing issues": ["redmine:ticket:2"],
        "shpo issues": [],
    }
    assert isinstance(parts["shpo issues"].error, NotFound)
    assert parts["shop issues"].error is None


async def test_subprojects() -> None:
    _, http, _ = await read(Server(), projects=["shop"])
    assert "subproject_id" not in http.calls[-1].query
    _, http, _ = await read(Server(), projects=["shop"], subprojects=False)
    assert http.calls[-1].param("subproject_id") == "!*"


async def test_a_saved_query() -> None:
    _, http, part = await read(Server(), query_id=8)
    assert [(item.ticket_id, item.state) for item in part.items] == [("#3", "done")]
    assert "status_id" not in http.calls[-1].query
    with pytest.raises(NotFound):
        await read(Server(), query_id=9)


async def test_pages() -> None:
    _, http, part = await read(Server(*[issue(n) for n in range(1, 151)]))
    assert len(part.items) == 150
    assert [(call.param("offset"), call.param("limit")) for call in http.calls[1:]] == [("0", "100"), ("100", "100")]
    assert part.notes == ()


async def test_no_more_than_the_limit_is_read_and_that_is_said() -> None:
    _, http, part = await read(Server(*[issue(n) for n in range(1, 151)]), limit=120)
    assert len(part.items) == 120
    assert [call.param("limit") for call in http.calls[1:]] == ["100", "20"]
    assert part.notes == ("issues: only the 120 that changed last are read, of 150",)


async def test_pages_that_hold_less_than_they_promise_end() -> None:
    def server(call: Call) -> Answer:
        rows = [issue(1)] if call.param("offset") == "0" else []
        return Answer.of({"user": {"id": 1}, "issues": rows, "total_count": 50})

    source, _ = make(Server())
    part = await read_one(source, FakeHttp(server, URL))
    assert (len(part.items), part.notes) == (1, ("issues: only the 1 that changed last are read, of 50",))


async def test_small_pages_end() -> None:
    def server(call: Call) -> Answer:
        number = int(call.param("offset", "0")) + 1
        return Answer.of({"user": {"id": 1}, "issues": [issue(number)], "total_count": 500})

    http = FakeHttp(server, URL)
    part = await read_one(make(Server())[0], http)
    assert (len(part.items), len(http.calls)) == (20, 21)
    assert part.notes


# -- the key ---------------------------------------------------------------------------------------------------------


def test_signing() -> None:
    source, _ = make(Server())
    assert source.sign(Credentials(token="k")) == {"X-Redmine-API-Key": "k"}
    assert source.sign(Credentials(username="a", password="b")) == {"Authorization": "Basic YTpi"}
    assert source.sign(Credentials()) == {}


async def test_a_revoked_key_is_a_fault_although_redmine_still_answers() -> None:
    server = Server(issue(1), issue(2, 1, "secret"))
    source, http, part = await read(server)
    assert len(part.items) == 2
    server.key_counts = False
    assert FakeHttp(server, URL).handler(Call(method="GET", url=f"{URL}/issues.json")).status == 200
    with pytest.raises(AuthError):
        await source.scopes(http)
    with pytest.raises(AuthError):
        await read_one(source, http)


async def test_a_rest_api_that_is_turned_off() -> None:
    server = Server()
    server.rest = False
    with pytest.raises(AuthError, match="REST web service"):
        await read(server)


async def test_something_else_than_redmine() -> None:
    source, _ = make(Server())
    with pytest.raises(NotFound, match="root of a Redmine"):
        await read_one(source, FakeHttp(lambda call: Answer(status=404), URL))
    with pytest.raises(BadAnswer, match="root of a Redmine"):
        await read_one(source, FakeHttp(lambda call: Answer.of({"username": "root"}), URL))


async def test_without_a_key_the_public_is_read_and_that_is_said() -> None:
    server = Server(issue(1), issue(2, 1, "secret"))
    server.key_counts = False
    http = FakeHttp(server, URL)
    part = await read_one(make_source(Redmine, {"url": URL}), http)
    assert [item.key for item in part.items] == ["redmine:ticket:1"]
    assert part.notes == ("read without a key: only what anybody may see is seen",)
    assert [call.path for call in http.calls] == ["/tracker/issues.json"]


# -- what left the list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", [False, True])
async def test_what_was_closed_is_read_by_its_id(old: bool) -> None:
    server = Server(issue(1), issue(2), old=old)
    source, http, _ = await read(server)
    server.issues = [issue(1, 6), issue(2, 5)]
    await read_one(source, http)
    assert [(await source.lookup("ticket", n, http)).state for n in ("1", "2")] == ["cancelled", "done"]
    with pytest.raises(NotFound):
        await source.lookup("ticket", "9", http)


async def test_what_moved_elsewhere_is_gone() -> None:
    server = Server(issue(1), issue(2))
    source, http, _ = await read(server, projects=["shop"])
    server.issues[0] = issue(1, 1, "billing")
    await read_one(source, http)
    assert await source.lookup("ticket", "1", http) is None


async def test_what_went_where_the_key_may_not_look_is_gone() -> None:
    server = Server(issue(1), issue(2))
    source, _, _ = await read(server)

    def vendor(call: Call) -> Answer:
        return Answer(status=403) if call.path.endswith("/issues/1.json") else server(call)

    assert await source.lookup("ticket", "1", FakeHttp(vendor, URL)) is None
    with pytest.raises(AuthError):
        await source.lookup("ticket", "1", FakeHttp(lambda call: Answer(status=401), URL))


async def test_a_ticket_beyond_the_limit_is_let_go() -> None:
    """Else each that was ever changed would be kept and asked for again and again."""
    source, http, _ = await read(Server(issue(1), issue(2)), limit=1)
    assert await source.lookup("ticket", "2", http) is None
    assert await source.lookup("ticket", "2/../1", http) is None


@pytest.mark.parametrize(
    "options,said",
    [
        ({"projects": ["Shop / Cart"]}, "`projects`"),
        ({"projects": [""]}, "`projects`"),
        ({"subprojects": False}, "`subprojects: false`"),
        ({"subprojects": False, "projects": ["shop"], "query_id": 8}, "`subprojects`"),
        ({"query_id": -1}, "query_id"),
        ({"limit": 1001}, "limit"),
        ({"states": {"x": "finished"}}, "states"),
    ],
)
def test_options_that_cannot_work(options: Any, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        make_source(Redmine, {"url": URL, **options})
