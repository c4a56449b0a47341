"""Icinga 2: problems of hosts and services, what is planned or in hand, and an account that sees nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.icinga2 import Icinga2
from statusboard.errors import AuthError, NotFound, SourceError
from statusboard.model import Incident, Part
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://icinga.example:5665"
NOW = 1767323045.5  # the moment of the kit's clock


def host(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "display_name": name.title(),
        "problem": True,
        "state": 1,
        "state_type": 1,
        "last_reachable": True,
        "acknowledgement": 0,
        "acknowledgement_last_change": 0,
        "downtime_depth": 0,
        "flapping": False,
        "last_state_up": NOW - 900,
        "last_state_change": NOW - 600.25,
        "last_hard_state_change": NOW - 500,
        "last_check_result": {"output": "PING CRITICAL|rta=5ms\nlost 100%|x", "command": ["ping", "secret"]},
        "notes_url": "https://wiki.example/web",
        "action_url": "https://cmd.example/$host.name$",
        "groups": ["web"],
        **more,
    }  # fmt: skip


def service(host_name: str, name: str, **more: Any) -> dict[str, Any]:
    return host(name, **{"host_name": host_name, "last_state_ok": NOW - 60, "state": 2, "groups": [], **more})


class Server:
    """Icinga's API, with the few filters that the source writes."""

    def __init__(self) -> None:
        self.hosts = [host("web01")]
        self.services = [service("db01", "disk")]
        self.well = {"hosts": 3, "services": 9}
        self.comments: list[dict[str, Any]] = []
        self.downtimes: list[dict[str, Any]] = []
        self.forbidden: dict[str, int] = {}

    def __call__(self, call: Call) -> Answer:
        assert (call.method, call.headers["x-http-method-override"]) == ("POST", "GET")
        what = call.path.removeprefix("/v1/objects/")
        if status := self.forbidden.get(what):
            return Answer.of({"error": status, "status": "No objects found."}, status)
        asked = msgspec.json.decode(call.body)
        rows: list[dict[str, Any]] = getattr(self, what)
        if what in self.well and "problem" not in asked.get("filter", ""):
            return Answer.of({"results": [self.result({"name": "x"}) for _ in range(self.well[what])]})
        return Answer.of({"results": [self.result(row, asked.get("joins")) for row in rows]})

    def result(self, row: dict[str, Any], joins: Any = None) -> dict[str, Any]:
        joined = {"host": self.joined(row["host_name"])} if joins else {}
        return {"attrs": row, "joins": joined, "meta": {}, "name": row.get("name", ""), "type": "X"}

    def joined(self, name: str) -> dict[str, Any]:
        down = any(row["name"] == name for row in self.hosts)
        return {"display_name": name.title(), "problem": down, "groups": ["web"]}


class TestContract(SourceContract):
    source = Icinga2
    options: ClassVar = {"url": URL, "web_url": "https://icinga.example/icingaweb2"}
    state_fields = ("state",)
    time_fields = (
        "last_state_up",
        "last_state_ok",
        "last_state_change",
        "last_hard_state_change",
        "entry_time",
        "start_time",
        "end_time",
    )
    id_fields = ("name", "host_name")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.hosts += [host("web02", acknowledgement=1), host("web03", downtime_depth=1)]
        server.comments = [{"host_name": "web02", "service_name": "", "author": "ann", "text": "hm", "entry_time": NOW}]
        server.downtimes = [
            {"host_name": "web03", "service_name": "", "author": "bob", "comment": "", "start_time": NOW - 9,
             "end_time": NOW + 90_000, "fixed": True, "trigger_time": 0, "duration": 0},
        ]  # fmt: skip
        return server(call)


async def read(server: Server, **options: Any) -> tuple[Any, FakeHttp, dict[str, Part]]:
    source = make_source(Icinga2, {"url": URL, **options})
    http = FakeHttp(server, URL)
    return source, http, {part.scope: part for part in (await read_all(source, http)).parts}


def only(part: Part) -> Incident:
    assert part.error is None, part.error
    (item,) = part.items
    assert isinstance(item, Incident)
    return item


async def test_a_host_that_is_down() -> None:
    _, http, parts = await read(Server(), web_url="https://icinga.example/icingaweb2/")
    assert only(parts["hosts"]) == Incident(
        key="icinga2:incident:web01",
        source="icinga2",
        title="Web01",
        reason="PING CRITICAL",
        description="lost 100%",
        state="open",
        raw_state="DOWN",
        severity="critical",
        target="web01",
        url="https://icinga.example/icingaweb2/icingadb/host?name=web01",
        links={"notes": "https://wiki.example/web"},
        labels={"host": "web01", "hostgroups": "web"},
        started_at=datetime(2026, 1, 2, 2, 49, 5, 500000, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 55, 45, 500000, tzinfo=UTC),
    )
    assert parts["hosts"].reach == "complete"
    asked = [msgspec.json.decode(call.body) for call in http.calls]
    assert {query["filter"] for query in asked} == {"host.problem", "service.problem"}
    assert not any("command" in attr for query in asked for attr in query["attrs"])


async def test_a_service() -> None:
    _, _, parts = await read(Server(), web_url="https://i.example")
    disk = only(parts["services"])
    assert (disk.key, disk.title, disk.target) == ("icinga2:incident:db01!disk", "Db01: Disk", "db01")
    assert (disk.raw_state, disk.severity) == ("CRITICAL", "critical")
    assert disk.url == "https://i.example/icingadb/service?name=disk&host.name=db01"
    assert disk.labels == {"host": "db01", "check": "disk", "hostgroups": "web"}
    assert disk.started_at == datetime(2026, 1, 2, 3, 3, 5, 500000, tzinfo=UTC)


async def test_what_was_never_well_counts_from_its_last_change() -> None:
    server = Server()
    server.hosts[0]["last_state_up"] = 0
    _, _, parts = await read(server)
    assert only(parts["hosts"]).started_at == datetime(2026, 1, 2, 2, 54, 5, 250000, tzinfo=UTC)


@pytest.mark.parametrize("state,word", [(1, "WARNING"), (2.0, "CRITICAL"), ("3", "UNKNOWN"), ("2.0", "CRITICAL")])
async def test_states_of_services(state: object, word: str) -> None:
    server = Server()
    server.services = [service("db01", "disk", state=state)]
    _, _, parts = await read(server)
    assert (only(parts["services"]).state, only(parts["services"]).raw_state) == ("open", word)


async def test_a_state_of_next_year_is_unknown_and_ok_is_none() -> None:
    server = Server()
    server.services = [service("db01", "disk", state=7), service("db01", "load", state=0)]
    _, _, parts = await read(server)
    assert (only(parts["services"]).state, only(parts["services"]).raw_state) == ("unknown", "7")


async def test_soft_states_are_pending() -> None:
    server = Server()
    server.services = [service("db01", "disk", state_type=0.0, flapping=True, enable_notifications=False)]
    _, _, parts = await read(server)
    disk = only(parts["services"])
    assert (disk.state, disk.raw_state) == ("pending", "CRITICAL (soft)")
    assert (disk.labels["flapping"], disk.labels["state_type"]) == ("yes", "soft")
    assert disk.labels["notifications"] == "off"


async def test_services_of_a_host_that_is_down_say_so() -> None:
    server = Server()
    server.services = [
        service("web01", "http", last_reachable=False),
        service("db01", "disk", last_reachable=False),
        service("db01", "load"),
    ]
    _, _, parts = await read(server)
    http, disk, load = parts["services"].items
    assert (http.state, http.reason) == ("open", "its host web01 is down; PING CRITICAL")
    assert disk.reason.startswith("its host db01 is unreachable")
    assert load.reason == "PING CRITICAL"


async def test_unreachable_hosts() -> None:
    server = Server()
    server.hosts = [host("web01", last_reachable=False)]
    _, _, parts = await read(server)
    assert (only(parts["hosts"]).raw_state, only(parts["hosts"]).severity) == ("UNREACHABLE", "medium")


async def test_acknowledgements() -> None:
    server = Server()
    server.hosts[0].update(acknowledgement=2, acknowledgement_last_change=NOW - 60)
    older = {"host_name": "web01", "service_name": "", "author": "bob", "text": "old", "entry_time": NOW - 900}
    server.comments = [{**older, "author": "ann", "text": "mine", "entry_time": NOW - 60}, older]
    _, http, parts = await read(server)
    found = only(parts["hosts"])
    assert (found.state, found.acknowledged_by) == ("acknowledged", "ann")
    assert found.acknowledged_at == datetime(2026, 1, 2, 3, 3, 5, 500000, tzinfo=UTC)
    asked = [msgspec.json.decode(call.body) for call in http.calls if call.path.endswith("/comments")]
    assert [query["filter"] for query in asked] == ["comment.entry_type == 4"]


async def test_downtimes_fixed_and_flexible() -> None:
    server = Server()
    server.hosts = [host("a", downtime_depth=1), host("b", downtime_depth=1), host("c", downtime_depth=1)]
    server.services = []
    fixed = {
        "service_name": "", "author": "ann", "comment": "move", "fixed": True, "trigger_time": 0, "duration": 0,
        "start_time": NOW - 60, "end_time": NOW + 600,
    }  # fmt: skip
    flexible = {**fixed, "fixed": False, "duration": 1800.0, "author": "bob", "comment": ""}
    server.downtimes = [
        {**fixed, "host_name": "a"},
        {**fixed, "host_name": "a", "start_time": NOW + 60, "author": "later"},
        {**fixed, "host_name": "a", "service_name": "disk", "author": "another"},
        {**flexible, "host_name": "b", "trigger_time": NOW - 60},
        {**flexible, "host_name": "c"},
    ]
    _, _, parts = await read(server)
    a, b, c = parts["hosts"].items
    assert isinstance(a, Incident) and isinstance(b, Incident) and isinstance(c, Incident)
    assert {a.state, b.state, c.state} == {"suppressed"}
    assert (a.suppressed_by, a.suppressed_until) == (
        "downtime by ann: move",
        datetime(2026, 1, 2, 3, 14, 5, 500000, UTC),
    )
    assert (b.suppressed_by, b.suppressed_until) == ("downtime by bob", datetime(2026, 1, 2, 3, 33, 5, 500000, UTC))
    assert (c.suppressed_by, c.suppressed_until) == ("downtime", None)


@pytest.mark.parametrize("status", [403, 404])
async def test_who_may_not_see_comments_is_told(status: int) -> None:
    server = Server()
    server.hosts[0].update(acknowledgement=1, acknowledgement_last_change=NOW, downtime_depth=1)
    server.forbidden = {"comments": status, "downtimes": status}
    _, _, parts = await read(server)
    found = only(parts["hosts"])
    assert (found.state, found.acknowledged_by, found.suppressed_until) == ("suppressed", "", None)
    assert found.acknowledged_at is not None
    assert [note.split(": it lacks ")[1] for note in parts["hosts"].notes] == [
        "objects/query/Comment",
        "objects/query/Downtime",
    ]


async def test_no_problem_is_believed_only_of_who_sees_something() -> None:
    server = Server()
    server.hosts, server.services = [], []
    source, http, parts = await read(server)
    assert [(part.error, part.items) for part in parts.values()] == [(None, ()), (None, ())]
    assert len(http.calls) == 4
    await read_all(source, http)
    assert len(http.calls) == 6  # it was seen to see
    server.well = {"hosts": 3, "services": 0}
    source.clock.advance(601)
    hosts, services = (await read_all(source, http)).parts
    assert hosts.error is None
    assert isinstance(services.error, NotFound)
    assert "no service is visible" in str(services.error)


async def test_a_query_that_is_refused_says_what_is_missing() -> None:
    server = Server()
    server.forbidden = {"hosts": 404, "services": 403}
    _, _, parts = await read(server)
    assert "objects/query/Host" in str(parts["hosts"].error)
    assert isinstance(parts["hosts"].error, NotFound)
    assert isinstance(parts["services"].error, AuthError)


async def test_hosts_are_chosen_by_group_and_expression() -> None:
    _, http, _ = await read(Server(), hostgroups=["web", 'd"b'], filter='host.vars.os == "Linux"')
    asked = {call.path.rpartition("/")[2]: msgspec.json.decode(call.body)["filter"] for call in http.calls}
    chosen = '("web" in host.groups || "d\\"b" in host.groups) && (host.vars.os == "Linux")'
    assert asked == {"hosts": f"host.problem && {chosen}", "services": f"service.problem && {chosen}"}


async def test_one_odd_row_costs_the_others_nothing() -> None:
    server = Server()
    server.hosts += [{**host("x"), "name": ["odd"]}]
    _, _, parts = await read(server)
    assert [item.key for item in parts["hosts"].items] == ["icinga2:incident:web01"]
    assert isinstance(parts["hosts"].error, SourceError)


@pytest.mark.parametrize("options", [{"web_url": "icinga.example"}, {"hostgroups": [""]}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="web_url|hostgroups"):
        make_source(Icinga2, {"url": URL, **options})
