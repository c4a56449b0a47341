"""Checkmk: problems of hosts and services through its REST API, by POST or, from older versions, by GET."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.checkmk import COLUMNS, Checkmk
from statusboard.errors import AuthError, NotFound, SourceError
from statusboard.model import Incident, Part
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://mon.example/site"
NOW = 1767323045


def row(**more: Any) -> dict[str, Any]:
    return {
        "state": 2,
        "state_type": 1,
        "has_been_checked": 1,
        "plugin_output": "97.1% used",
        "long_plugin_output": "first\\nsecond",
        "last_time_ok": NOW - 900,
        "last_time_up": NOW - 900,
        "last_state_change": NOW - 600,
        "last_hard_state_change": NOW - 500,
        "acknowledged": 0,
        "comments_with_extra_info": [],
        "scheduled_downtime_depth": 0,
        "downtimes_with_extra_info": [],
        "is_flapping": 0,
        "notifications_enabled": 1,
        **more,
    }


def host(name: str, **more: Any) -> dict[str, Any]:
    return row(**{"name": name, "alias": name.title(), "groups": ["web"], "state": 1, **more})


def service(host_name: str, name: str, **more: Any) -> dict[str, Any]:
    of_host = {"host_alias": host_name.title(), "host_groups": ["web"], "host_state": 0, "host_has_been_checked": 1}
    planned = {"host_scheduled_downtime_depth": 0, "host_downtimes_with_extra_info": []}
    return row(**{"host_name": host_name, "description": name, **of_host, **planned, **more})


def downtime(author: str = "bob", start: int = NOW - 60, end: int = NOW + 600, **more: Any) -> list[Any]:
    fixed, pending = more.get("fixed", 1), more.get("pending", 0)
    return [7, author, "move", 0, NOW - 90, start, end, fixed, 0 if fixed else 600, 0, pending]


class Server:
    """Checkmk's REST API; ``post`` is what 2.4 has and earlier versions have not."""

    def __init__(self) -> None:
        self.hosts = [host("web01")]
        self.services = [service("db01", "Disk /")]
        self.visible = 3
        self.post = True

    def __call__(self, call: Call) -> Answer:
        kind = call.path.removeprefix("/site/check_mk/api/1.0/domain-types/").removesuffix("/collections/all")
        if call.method == "POST" and not self.post:
            return Answer.of({"title": "Method Not Allowed", "status": 405}, 405)
        if call.method == "POST":
            asked = msgspec.json.decode(call.body)
        else:
            query = call.param("query")
            asked = {"columns": call.query["columns"], "query": json.loads(query) if query else None}
        rows = self.hosts if kind == "host" else self.services
        if kind == "host" and "has_been_checked" not in json.dumps(asked.get("query")):
            assert list(asked["columns"]) == ["name"]
            rows = [{"name": str(number)} for number in range(self.visible)]
        else:
            assert tuple(asked["columns"]) == COLUMNS[kind]
        members = [{"domainType": kind, "id": "x", "title": "x", "links": [], "extensions": one} for one in rows]
        return Answer.of({"id": kind, "domainType": kind, "links": [], "value": members, "extensions": {}})


class TestContract(SourceContract):
    source = Checkmk
    options: ClassVar = {"url": URL}
    state_fields = ("state",)
    time_fields = ("last_time_ok", "last_time_up", "last_state_change", "last_hard_state_change")
    id_fields = ("name", "host_name", "description")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.hosts.append(host("web02", acknowledged=1, comments_with_extra_info=[[1, "ann", "hm", 4, NOW]]))
        server.services.append(
            service("db01", "CPU", scheduled_downtime_depth=1, downtimes_with_extra_info=[downtime()])
        )
        return server(call)

    def test_nothing_there(self) -> None:
        """That lists of comments and downtimes are empty ends no problem: the list of rows has to be."""

        def emptied(document: Any) -> Any:
            return {**document, "value": []}

        assert {(type(part.error), part.items) for part in self.run(emptied).parts} == {(NotFound, ())}


async def read(server: Server, **options: Any) -> tuple[Any, FakeHttp, dict[str, Part]]:
    source = make_source(Checkmk, {"url": URL, **options})
    http = FakeHttp(server, URL)
    return source, http, {part.scope: part for part in (await read_all(source, http)).parts}


def only(part: Part) -> Incident:
    assert part.error is None, part.error
    (item,) = part.items
    assert isinstance(item, Incident)
    return item


async def test_a_service() -> None:
    _, _, parts = await read(Server())
    assert only(parts["services"]) == Incident(
        key="checkmk:incident:db01!Disk /",
        source="checkmk",
        title="Db01: Disk /",
        reason="97.1% used",
        description="first\nsecond",
        state="open",
        raw_state="CRITICAL",
        severity="critical",
        target="db01",
        url="https://mon.example/site/check_mk/view.py?view_name=service&host=db01&service=Disk+%2F",
        labels={"host": "db01", "check": "Disk /", "hostgroups": "web"},
        started_at=datetime(2026, 1, 2, 2, 49, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 55, 45, tzinfo=UTC),
    )
    assert parts["services"].reach == "complete"


async def test_a_host() -> None:
    server = Server()
    server.hosts[0].update(last_time_up=0, notifications_enabled=0, is_flapping=1)
    _, _, parts = await read(server)
    web = only(parts["hosts"])
    assert (web.key, web.title, web.raw_state) == ("checkmk:incident:web01", "Web01", "DOWN")
    assert web.url == "https://mon.example/site/check_mk/view.py?view_name=host&host=web01"
    assert web.started_at == datetime(2026, 1, 2, 2, 54, 5, tzinfo=UTC)  # it was never up
    assert web.labels == {"host": "web01", "hostgroups": "web", "flapping": "yes", "notifications": "off"}


@pytest.mark.parametrize(
    "value,state,raw",
    [(1, "open", "WARNING"), ("2", "open", "CRITICAL"), (3.0, "open", "UNKNOWN"), (4, "unknown", "4")],
)
async def test_states_of_services(value: object, state: str, raw: str) -> None:
    server = Server()
    server.services = [service("db01", "disk", state=value), service("db01", "well", state=0)]
    _, _, parts = await read(server)
    assert (only(parts["services"]).state, only(parts["services"]).raw_state) == (state, raw)


async def test_unreachable_hosts_and_soft_states() -> None:
    server = Server()
    server.hosts[0].update(state=2, state_type=0)
    _, _, parts = await read(server)
    assert (only(parts["hosts"]).state, only(parts["hosts"]).raw_state) == ("pending", "UNREACHABLE (soft)")


async def test_services_of_a_host_that_is_down_say_so() -> None:
    server = Server()
    server.services = [
        service("a", "x", host_state=1),
        service("b", "x", host_state=2),
        service("c", "x", host_state=1, host_has_been_checked=0),
    ]
    _, _, parts = await read(server)
    assert [(item.state, item.reason) for item in parts["services"].items] == [
        ("open", "its host a is down; 97.1% used"),
        ("open", "its host b is unreachable; 97.1% used"),
        ("open", "97.1% used"),
    ]


async def test_acknowledgements() -> None:
    server = Server()
    comments = [
        [3, "ann", "mine", 4, NOW - 60],
        [1, "bob", "old", 4, NOW - 900],
        [4, "eve", "just so", 1, NOW],
        ["odd"],
        None,
    ]
    server.hosts[0].update(acknowledged=1, comments_with_extra_info=comments)
    _, _, parts = await read(server)
    web = only(parts["hosts"])
    assert (web.state, web.acknowledged_by) == ("acknowledged", "ann")
    assert web.acknowledged_at == datetime(2026, 1, 2, 3, 3, 5, tzinfo=UTC)


async def test_downtimes_also_of_the_host() -> None:
    server = Server()
    server.hosts = []
    planned = [downtime("ann"), downtime("later", NOW + 60, pending=1), ["odd"]]
    server.services = [
        service("a", "own", scheduled_downtime_depth=1, downtimes_with_extra_info=planned),
        service("a", "host", host_scheduled_downtime_depth=1, host_downtimes_with_extra_info=[downtime()]),
        service("a", "flexible", scheduled_downtime_depth=1, downtimes_with_extra_info=[downtime(fixed=0)]),
        service("a", "later", downtimes_with_extra_info=[downtime(pending=1)]),
        service("a", "old", downtimes_with_extra_info=[downtime(start=NOW + 60)[:9]]),
    ]
    _, _, parts = await read(server)
    own, of_host, flexible, later, old = parts["services"].items
    assert isinstance(own, Incident) and isinstance(of_host, Incident) and isinstance(flexible, Incident)
    end = datetime(2026, 1, 2, 3, 14, 5, tzinfo=UTC)
    assert (own.state, own.suppressed_by, own.suppressed_until) == ("suppressed", "downtime by ann: move", end)
    assert (of_host.state, of_host.suppressed_by) == ("suppressed", "downtime by bob: move")
    assert (flexible.state, flexible.suppressed_until) == ("suppressed", None)
    assert (later.state, old.state) == ("open", "open")


async def test_versions_without_post_are_asked_by_get() -> None:
    server = Server()
    server.post = False
    source, http, parts = await read(server, hostgroups=["web"])
    assert only(parts["services"]).title == "Db01: Disk /"
    before = len(http.calls)
    await read_all(source, http)
    assert {call.method for call in http.calls[before:]} == {"GET"}
    query = json.loads(http.calls[-1].param("query"))
    assert query["expr"][2] == {"op": "or", "expr": [{"op": ">=", "left": "host_groups", "right": "web"}]}


async def test_what_is_asked_for() -> None:
    _, http, _ = await read(Server(), hostgroups=["web", "db"], sites=["north"])
    asked = {call.path.split("/")[-3]: msgspec.json.decode(call.body) for call in http.calls}
    for kind, column in (("host", "groups"), ("service", "host_groups")):
        assert asked[kind]["sites"] == ["north"]
        assert asked[kind]["query"] == {
            "op": "and",
            "expr": [
                {"op": "!=", "left": "state", "right": "0"},
                {"op": "=", "left": "has_been_checked", "right": "1"},
                {
                    "op": "or",
                    "expr": [
                        {"op": ">=", "left": column, "right": "web"},
                        {"op": ">=", "left": column, "right": "db"},
                    ],
                },
            ],
        }


async def test_no_problem_is_believed_only_of_who_sees_something() -> None:
    server = Server()
    server.hosts, server.services = [], []
    source, http, parts = await read(server)
    assert [(part.error, part.items) for part in parts.values()] == [(None, ()), (None, ())]
    await read_all(source, http)
    assert len(http.calls) == 6
    server.visible = 0
    source.clock.advance(601)
    for part in (await read_all(source, http)).parts:
        assert isinstance(part.error, NotFound)
        assert "is visible to this account" in str(part.error)


@pytest.mark.parametrize("status,kind", [(401, AuthError), (400, SourceError), (404, NotFound)])
async def test_refusals(status: int, kind: type[SourceError]) -> None:
    source = make_source(Checkmk, {"url": URL})
    http = FakeHttp(lambda call: Answer.of({"title": "no", "status": status}, status), URL)
    for part in (await read_all(source, http)).parts:
        assert isinstance(part.error, kind)


def test_the_credential_is_user_and_secret() -> None:
    source = make_source(Checkmk, {"url": URL})
    signed = source.sign(Credentials(username="board", password="s3cret"))
    assert signed == {"Authorization": "Bearer board s3cret"}
    assert source.sign(Credentials()) == {}


@pytest.mark.parametrize("options", [{"hostgroups": [""]}, {"sites": [""]}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="empty name"):
        make_source(Checkmk, {"url": URL, **options})
