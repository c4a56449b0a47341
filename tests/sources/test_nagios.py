"""Nagios Core: problems of hosts and services from its JSON CGIs, and data that nobody renews any more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.nagios import Nagios
from statusboard.errors import BadAnswer, NotFound, ServerError, SourceError
from statusboard.model import Incident, Part
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://mon.example/nagios4"
NOW = 1767323045000


def status(**more: Any) -> dict[str, Any]:
    return {
        "plugin_output": "PING CRITICAL - 100% lost",
        "long_plugin_output": "first\\nsecond",
        "perf_data": "rta=5ms",
        "status": "down",
        "last_time_up": NOW - 900_000,
        "last_time_ok": 0,
        "last_state_change": NOW - 600_000,
        "last_hard_state_change": NOW - 500_000,
        "state_type": "hard",
        "last_check": NOW,
        "notifications_enabled": True,
        "problem_has_been_acknowledged": False,
        "scheduled_downtime_depth": 0,
        "is_flapping": False,
        **more,
    }


def host(name: str, **more: Any) -> dict[str, Any]:
    return status(name=name, **more)


def service(host_name: str, name: str, **more: Any) -> dict[str, Any]:
    return status(**{"host_name": host_name, "description": name, "status": "critical", **more})


class Server:
    """statusjson.cgi, with the queries that the source makes."""

    def __init__(self) -> None:
        self.hosts = [host("web01")]
        self.services = [service("db01", "disk")]
        self.groups = {"web": ("web01",), "db": ("db01",)}
        self.comments: list[dict[str, Any]] = []
        self.downtimes: list[dict[str, Any]] = []
        self.count = {"up": 3, "down": 1, "unreachable": 0, "pending": 2}
        self.result: dict[str, Any] = {}
        self.data: dict[str, Any] | None = None

    def __call__(self, call: Call) -> Answer:
        assert call.path == "/nagios4/cgi-bin/statusjson.cgi"
        assert call.param("formatoptions") == "enumerate"
        group = call.param("hostgroup")
        if group and group not in self.groups:
            wrong = {
                "type_code": 6,
                "type_text": "Option Value Invalid",
                "message": f"The hostgroup '{group}' could not be found.",
            }
            return Answer.of({"format_version": 0, "result": {**self.head(), **wrong}, "data": {"options": {}}})
        data = self.data if self.data is not None else self.found(call, group)
        return Answer.of(
            {"format_version": 0, "result": {**self.head(), **self.result}, "data": {"selectors": {}, **data}}
        )

    def head(self) -> dict[str, Any]:
        return {
            "query_time": NOW,
            "cgi": "statusjson.cgi",
            "user": "board",
            "program_start": NOW - 86_400_000,
            "last_data_update": NOW - 10_000,
            "type_code": 0,
            "type_text": "Success",
            "message": "",
        }

    def found(self, call: Call, group: str) -> dict[str, Any]:
        here = self.groups.get(group)
        match call.param("query"):
            case "hostlist":
                assert (call.param("details"), call.param("hoststatus")) == ("true", "down unreachable")
                return {"hostlist": {row["name"]: row for row in self.hosts if not here or row["name"] in here}}
            case "servicelist":
                assert (call.param("details"), call.param("servicestatus")) == ("true", "warning critical unknown")
                found: dict[str, dict[str, Any]] = {}
                for row in self.services:
                    if not here or row["host_name"] in here:
                        found.setdefault(row["host_name"], {})[row["description"]] = row
                return {"servicelist": found}
            case "commentlist":
                assert (call.param("details"), call.param("entrytypes")) == ("true", "acknowledgement")
                return {"commentlist": {str(number): row for number, row in enumerate(self.comments)}}
            case "downtimelist":
                assert (call.param("details"), call.param("ineffect")) == ("true", "yes")
                return {"downtimelist": {str(number): row for number, row in enumerate(self.downtimes)}}
            case "hostcount":
                return {"count": self.count}
        raise AssertionError(call.url)


def downtime(host_name: str, service_name: str = "", **more: Any) -> dict[str, Any]:
    place = {"host_name": host_name, **({"service_description": service_name} if service_name else {})}
    times = {"start_time": NOW - 60_000, "end_time": NOW + 600_000, "flex_downtime_start": 0, "duration": 660}
    return {"downtime_id": 1, **place, **times, "fixed": True, "author": "bob", "comment": "move", **more}


class TestContract(SourceContract):
    source = Nagios
    options: ClassVar = {"url": URL}
    state_fields = ("status",)
    time_fields = (
        "last_time_up",
        "last_time_ok",
        "last_state_change",
        "last_hard_state_change",
        "entry_time",
        "end_time",
    )
    # Hosts and services are members of objects, under their own names.
    id_fields = ("name", "host_name", "description", "web01", "web02", "web03", "db01", "disk", "load")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.hosts.append(host("web02", problem_has_been_acknowledged=True))
        server.services.append(service("web03", "load", scheduled_downtime_depth=1, status="warning"))
        server.comments = [{"host_name": "web02", "author": "ann", "comment_data": "hm", "entry_time": NOW}]
        server.downtimes = [downtime("web03", "load")]
        return server(call)

    def test_nothing_there(self) -> None:
        def emptied(document: Any) -> Any:
            for name in {"hostlist", "servicelist"} & document["data"].keys():
                document["data"][name] = {}
            return document

        (part,) = self.run(emptied).parts
        assert (part.error, part.items) == (None, ())


async def read(server: Server, **options: Any) -> tuple[Any, FakeHttp, Part]:
    source = make_source(Nagios, {"url": URL, **options})
    http = FakeHttp(server, URL)
    return source, http, await read_one(source, http)


def by_name(part: Part) -> dict[str, Incident]:
    assert part.error is None, part.error
    return {item.key.removeprefix("nagios:incident:"): item for item in part.items if isinstance(item, Incident)}


async def test_a_host_that_is_down() -> None:
    _, http, part = await read(Server())
    assert by_name(part)["web01"] == Incident(
        key="nagios:incident:web01",
        source="nagios",
        title="web01",
        reason="PING CRITICAL - 100% lost",
        description="first\nsecond",
        state="open",
        raw_state="DOWN",
        severity="critical",
        target="web01",
        url="https://mon.example/nagios4/cgi-bin/extinfo.cgi?type=1&host=web01",
        labels={"host": "web01"},
        started_at=datetime(2026, 1, 2, 2, 49, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 55, 45, tzinfo=UTC),
    )
    assert part.reach == "complete"
    assert [call.param("query") for call in http.calls] == ["hostlist", "servicelist", "downtimelist"]


async def test_a_service() -> None:
    server = Server()
    server.services = [service("db 1", "Disk /", notifications_enabled=False, is_flapping=True)]
    _, _, part = await read(server)
    disk = by_name(part)["db 1!Disk /"]
    assert (disk.title, disk.raw_state, disk.severity) == ("db 1: Disk /", "CRITICAL", "critical")
    assert disk.url == f"{URL}/cgi-bin/extinfo.cgi?type=2&host=db+1&service=Disk+%2F"
    assert disk.started_at == datetime(2026, 1, 2, 2, 54, 5, tzinfo=UTC)  # it was never well
    assert disk.labels == {"host": "db 1", "check": "Disk /", "flapping": "yes", "notifications": "off"}


@pytest.mark.parametrize(
    "word,state,raw",
    [("warning", "open", "WARNING"), ("Critical", "open", "CRITICAL"), ("UNKNOWN", "open", "UNKNOWN"),
     ("odd", "unknown", "odd"), (16, "unknown", "16")],
)  # fmt: skip
async def test_states_of_services(word: object, state: str, raw: str) -> None:
    server = Server()
    server.services = [service("db01", "disk", status=word)]
    _, _, part = await read(server)
    assert (by_name(part)["db01!disk"].state, by_name(part)["db01!disk"].raw_state) == (state, raw)


@pytest.mark.parametrize("word", ["ok", "pending", "OK"])
async def test_what_is_well_is_no_incident(word: str) -> None:
    server = Server()
    server.services = [service("db01", "disk", status=word)]
    _, _, part = await read(server)
    assert list(by_name(part)) == ["web01"]


async def test_soft_states_are_pending() -> None:
    server = Server()
    server.hosts[0]["state_type"] = "soft"
    server.services[0]["state_type"] = "SOFT"
    _, _, part = await read(server)
    assert {(item.state, item.raw_state) for item in by_name(part).values()} == {
        ("pending", "DOWN (soft)"),
        ("pending", "CRITICAL (soft)"),
    }


async def test_services_of_a_host_that_is_down_or_unreachable_say_so() -> None:
    server = Server()
    server.hosts.append(host("db01", status="unreachable"))
    server.services.append(service("web01", "http"))
    _, _, part = await read(server)
    found = by_name(part)
    assert (found["db01"].raw_state, found["db01"].severity) == ("UNREACHABLE", "medium")
    assert found["web01!http"].state == "open"
    assert found["web01!http"].reason == "its host web01 is down; PING CRITICAL - 100% lost"
    assert found["db01!disk"].reason.startswith("its host db01 is unreachable")
    assert found["db01!disk"].labels["host_state"] == "unreachable"


async def test_acknowledgements() -> None:
    server = Server()
    server.hosts[0]["problem_has_been_acknowledged"] = True
    older = {"host_name": "web01", "author": "bob", "comment_data": "", "entry_time": NOW - 90_000}
    server.comments = [{**older, "author": "ann", "entry_time": NOW - 60_000}, older]
    _, _, part = await read(server)
    found = by_name(part)["web01"]
    assert (found.state, found.acknowledged_by) == ("acknowledged", "ann")
    assert found.acknowledged_at == datetime(2026, 1, 2, 3, 3, 5, tzinfo=UTC)


async def test_downtimes_also_of_the_host() -> None:
    server = Server()
    server.hosts = [host("web01", scheduled_downtime_depth=1)]
    server.services = [service("web01", "http"), service("db01", "disk"), service("db01", "load")]
    flexible = {"fixed": False, "flex_downtime_start": NOW - 30_000, "duration": 3_600, "author": "ann", "comment": ""}
    server.downtimes = [downtime("web01"), downtime("db01", "disk", **flexible)]
    _, _, part = await read(server)
    found = by_name(part)
    assert {name: item.state for name, item in found.items()} == {
        "web01": "suppressed",
        "web01!http": "suppressed",
        "db01!disk": "suppressed",
        "db01!load": "open",
    }
    assert found["web01!http"].suppressed_by == "downtime by bob: move"
    assert found["web01!http"].suppressed_until == datetime(2026, 1, 2, 3, 14, 5, tzinfo=UTC)
    assert (found["db01!disk"].suppressed_by, found["db01!disk"].suppressed_until) == (
        "downtime by ann",
        datetime(2026, 1, 2, 4, 3, 35, tzinfo=UTC),
    )


async def test_data_that_nobody_renews_is_a_fault() -> None:
    server = Server()
    server.result = {"last_data_update": NOW - 181_000}
    with pytest.raises(ServerError, match="no data since 2026-01-02 03:01:04 UTC"):
        await read(server)
    _, _, part = await read(server, stale="5m")
    assert len(part.items) == 2
    server.result = {"last_data_update": None}
    with pytest.raises(BadAnswer, match="how old"):
        await read(server)


async def test_faults_come_with_200() -> None:
    server = Server()
    with pytest.raises(BadAnswer, match="The hostgroup 'wbe' could not be found"):
        await read(server, hostgroups=["web", "wbe"])
    server.data = {}
    with pytest.raises(BadAnswer, match="without hostlist"):
        await read(server)


async def test_hosts_are_chosen_by_group() -> None:
    server = Server()
    server.services.append(service("other", "disk"))
    _, http, part = await read(server, hostgroups=["web", "db"])
    assert set(by_name(part)) == {"web01", "db01!disk"}
    assert {call.param("hostgroup") for call in http.calls} == {"web", "db", ""}


async def test_no_problem_is_believed_only_of_who_sees_something() -> None:
    server = Server()
    server.hosts, server.services = [], []
    source, http, part = await read(server)
    assert (part.error, part.items) == (None, ())
    await read_one(source, http)
    assert [call.param("query") for call in http.calls] == ["hostlist", "servicelist", "hostcount"] + [
        "hostlist",
        "servicelist",
    ]
    server.count = {"up": 0, "down": 0, "unreachable": 0, "pending": 0}
    source.clock.advance(601)
    with pytest.raises(NotFound, match="no host is visible"):
        await read_one(source, http)


async def test_output_in_another_encoding_costs_nothing_else() -> None:
    server = Server()
    server.hosts[0]["plugin_output"] = "caf\u00e9"

    def latin(call: Call) -> Answer:
        answer = server(call)
        body = answer.body.replace("caf\u00e9".encode(), "caf\u00e9".encode("latin-1"))
        return msgspec.structs.replace(answer, body=body)

    part = await read_one(make_source(Nagios, {"url": URL}), FakeHttp(latin, URL))
    assert by_name(part)["web01"].reason == "caf\ufffd"


async def test_one_odd_row_costs_the_others_nothing() -> None:
    server = Server()
    server.services.append(service("db01", "load", plugin_output=["odd"]))
    source = make_source(Nagios, {"url": URL})
    (part,) = (await read_all(source, FakeHttp(server, URL))).parts
    assert [item.key for item in part.items] == ["nagios:incident:web01", "nagios:incident:db01!disk"]
    assert isinstance(part.error, SourceError)


@pytest.mark.parametrize("options", [{"stale": "5s"}, {"hostgroups": [""]}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="stale|hostgroups"):
        make_source(Nagios, {"url": URL, **options})
