"""Zabbix: problems with their hosts, who has them in hand, and errors that come with status 200."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.zabbix import Zabbix
from statusboard.errors import AuthError, BadAnswer, NotFound, ServerError, SourceError, TooLarge
from statusboard.model import Incident, Part
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://mon.example/zabbix"
NOW = 1767323045


def problem(event: int, trigger: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "eventid": str(event),
        "source": "0",
        "object": "0",
        "objectid": str(trigger or event + 100),
        "clock": str(NOW - 600),
        "ns": "5",
        "r_eventid": "0",
        "r_clock": "0",
        "cause_eventid": "0",
        "name": "Disk is full",
        "acknowledged": "0",
        "severity": "4",
        "suppressed": "0",
        "opdata": "97.1 %",
        "urls": [],
        "tags": [{"tag": "service", "value": "shop"}, {"tag": "scope", "value": "a"}, {"tag": "scope", "value": "b"}],
        "acknowledges": [],
        "suppression_data": [],
        **more,
    }


def trigger(number: int, host: str = "web01", **more: Any) -> dict[str, Any]:
    hosts = [{"hostid": "7", "host": host, "name": host.title()}]
    return {"triggerid": str(number), "url": "", "hosts": hosts, "dependencies": [], **more}


class Server:
    """Zabbix' API, with the methods that the source calls; everything is text, as there."""

    def __init__(self) -> None:
        self.problems = [problem(1)]
        self.triggers = [trigger(101)]
        self.hosts = "12"
        self.groups = [{"groupid": "4", "name": "Web"}, {"groupid": "5", "name": "Databases"}]
        self.users: list[dict[str, Any]] = [{"userid": "3", "username": "ann"}]
        self.maintenances = [{"maintenanceid": "9", "name": "patch day"}]
        self.items = [{"itemid": "1", "lastclock": str(NOW - 30)}]
        self.errors: dict[str, dict[str, Any]] = {}

    def __call__(self, call: Call) -> Answer:
        assert (call.method, call.path) == ("POST", "/zabbix/api_jsonrpc.php")
        asked = msgspec.json.decode(call.body)
        assert "auth" not in asked
        if error := self.errors.get(asked["method"]) or self.errors.get(""):
            return Answer.of({"jsonrpc": "2.0", "error": error, "id": asked["id"]})
        result = self.result(asked["method"], asked["params"])
        return Answer.of({"jsonrpc": "2.0", "result": result, "id": asked["id"]})

    def result(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "problem.get":
                assert params["recent"] is False
                found = [row for row in self.problems if int(row["severity"]) in params["severities"]]
                return found[: params["limit"]]
            case "trigger.get":
                assert params["monitored"] is True
                return [row for row in self.triggers if row["triggerid"] in params["triggerids"]]
            case "host.get":
                assert params["countOutput"] is True
                return self.hosts
            case "hostgroup.get":
                return [row for row in self.groups if row["name"] in params["filter"]["name"]]
            case "user.get":
                return [row for row in self.users if row["userid"] in params["userids"]]
            case "maintenance.get":
                return [row for row in self.maintenances if row["maintenanceid"] in params["maintenanceids"]]
            case "item.get":
                assert (params["host"], params["filter"]) == ("Zabbix server", {"key_": "zabbix[uptime]"})
                return self.items
        raise AssertionError(method)


class TestContract(SourceContract):
    source = Zabbix
    options: ClassVar = {"url": URL}
    time_fields = ("clock", "suppress_until")
    id_fields = ("eventid", "objectid", "triggerid")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.problems += [
            problem(2, acknowledged="1", acknowledges=[{"userid": "3", "clock": str(NOW - 60), "action": "6"}]),
            problem(3, suppressed="1", suppression_data=[{"maintenanceid": "9", "userid": "0", "suppress_until": "0"}]),
        ]
        server.triggers += [trigger(102), trigger(103)]
        return server(call)


async def read(server: Server, **options: Any) -> tuple[Any, FakeHttp, Part]:
    source = make_source(Zabbix, {"url": URL, **options})
    http = FakeHttp(server, URL)
    return source, http, await read_one(source, http)


def methods(http: FakeHttp) -> list[str]:
    return [msgspec.json.decode(call.body)["method"] for call in http.calls]


def asked(http: FakeHttp, method: str) -> dict[str, Any]:
    found = (msgspec.json.decode(call.body) for call in http.calls)
    params: dict[str, Any] = next(body["params"] for body in found if body["method"] == method)
    return params


def incidents(part: Part) -> dict[str, Incident]:
    return {item.key.rpartition(":")[2]: item for item in part.items if isinstance(item, Incident)}


async def test_a_problem() -> None:
    server = Server()
    server.triggers = [trigger(101, url="https://run.example/disk")]
    _, http, part = await read(server)
    assert incidents(part)["1"] == Incident(
        key="zabbix:incident:1",
        source="zabbix",
        title="Web01: Disk is full",
        reason="97.1 %",
        state="open",
        raw_state="PROBLEM",
        severity="high",
        target="web01",
        url="https://mon.example/zabbix/tr_events.php?triggerid=101&eventid=1",
        links={"trigger": "https://run.example/disk"},
        labels={"host": "web01", "severity": "high", "service": "shop", "scope": "a, b"},
        started_at=datetime(2026, 1, 2, 2, 54, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 54, 5, tzinfo=UTC),
    )
    assert (part.reach, part.notes) == ("complete", ())
    assert methods(http) == ["problem.get", "trigger.get"]


@pytest.mark.parametrize(
    "number,severity,label",
    [("0", "unknown", "not classified"), ("1", "info", "information"), ("2", "low", "warning"),
     ("3", "medium", "average"), (4, "high", "high"), ("5", "critical", "disaster")],
)  # fmt: skip
async def test_severities(number: Any, severity: str, label: str) -> None:
    server = Server()
    server.problems[0]["severity"] = number
    _, _, part = await read(server)
    assert (incidents(part)["1"].severity, incidents(part)["1"].labels["severity"]) == (severity, label)


async def test_only_problems_of_a_severity_are_asked_for() -> None:
    server = Server()
    server.problems = [problem(1, severity="2"), problem(2, 101, severity="3")]
    _, http, part = await read(server, severity="average")
    assert list(incidents(part)) == ["2"]
    assert asked(http, "problem.get")["severities"] == [3, 4, 5]


async def test_new_numbers_are_no_news() -> None:
    server = Server()
    source, http, before = await read(server)
    server.problems[0]["opdata"] = "98.4 %"
    assert (await read_one(source, http)).items == before.items


async def test_acknowledgements() -> None:
    server = Server()
    updates = [
        {"userid": "8", "clock": str(NOW - 30), "action": "4"},  # a message
        {"userid": "3", "clock": str(NOW - 60), "action": "6"},  # a message and an acknowledgement
        {"userid": "8", "clock": str(NOW - 90), "action": "2"},
    ]
    server.problems = [
        problem(1, acknowledged="1", acknowledges=updates),
        problem(2, 101, acknowledged="1", acknowledges=updates[2:]),
        problem(3, 101, acknowledged="0", acknowledges=updates[2:]),  # it was taken back
    ]
    _, _, part = await read(server)
    mine, theirs, nobodys = incidents(part).values()
    assert (mine.state, mine.acknowledged_by) == ("acknowledged", "ann")
    assert mine.acknowledged_at == mine.updated_at == datetime(2026, 1, 2, 3, 3, 5, tzinfo=UTC)
    assert (theirs.state, theirs.acknowledged_by) == ("acknowledged", "user 8")  # whom we may not see
    assert (nobodys.state, nobodys.acknowledged_by, nobodys.acknowledged_at) == ("open", "", None)


async def test_suppressed_problems() -> None:
    server = Server()
    by_maintenance = {"maintenanceid": "9", "userid": "0", "suppress_until": str(NOW + 600)}
    by_user = {"maintenanceid": "0", "userid": "3", "suppress_until": "0"}
    server.problems = [
        problem(1, 101, suppressed="1", suppression_data=[by_maintenance]),
        problem(2, 101, suppressed="1", acknowledged="1", suppression_data=[by_user, by_maintenance]),
        problem(3, 101, suppressed="1"),
    ]
    _, _, part = await read(server)
    one, both, unsaid = incidents(part).values()
    assert {one.state, both.state, unsaid.state} == {"suppressed"}
    end = datetime(2026, 1, 2, 3, 14, 5, tzinfo=UTC)
    assert (one.suppressed_by, one.suppressed_until) == ("maintenance patch day", end)
    assert (both.suppressed_by, both.suppressed_until) == ("ann; maintenance patch day", None)
    assert (unsaid.suppressed_by, unsaid.suppressed_until) == ("", None)


async def test_names_that_may_not_be_seen_cost_nothing() -> None:
    server = Server()
    suppression = [{"maintenanceid": "9", "userid": "0", "suppress_until": "0"}]
    server.problems = [problem(1, suppressed="1", suppression_data=suppression)]
    server.errors = {"maintenance.get": {"code": -32500, "message": "Application error.", "data": "no"}}
    _, _, part = await read(server)
    assert incidents(part)["1"].suppressed_by == "maintenance 9"


async def test_what_follows_from_another_problem_says_so_and_stays() -> None:
    server = Server()
    server.problems = [
        problem(1, name="Router is down", opdata=""),
        problem(2, name="No answer"),
        problem(3, name="Slow", cause_eventid="1"),
        problem(4, cause_eventid="77", opdata=""),
    ]
    on_router, on_none = [{"triggerid": "101"}], [{"triggerid": "999"}]
    server.triggers = [
        trigger(101),
        trigger(102, dependencies=on_router),
        trigger(103),
        trigger(104, dependencies=on_none),
    ]
    _, _, part = await read(server)
    found = incidents(part)
    assert {item.state for item in found.values()} == {"open"}
    assert [found[event].reason for event in "1234"] == [
        "",
        "depends on Router is down; 97.1 %",
        "a symptom of Router is down; 97.1 %",
        "a symptom of event 77",
    ]
    assert ["secondary" in found[event].labels for event in "1234"] == [False, True, True, True]


async def test_problems_of_disabled_triggers_are_left_out_and_counted() -> None:
    server = Server()
    server.problems.append(problem(2))
    _, _, part = await read(server)
    assert list(incidents(part)) == ["1"]
    assert part.notes == ("problems of disabled or deleted triggers, left out: 1",)


async def test_hosts_are_chosen_by_group() -> None:
    _, http, _ = await read(Server(), hostgroups=["Databases", "Web"])
    assert asked(http, "problem.get")["groupids"] == ["5", "4"]
    with pytest.raises(NotFound, match="no host group Wbe is visible"):
        await read(Server(), hostgroups=["Web", "Wbe"])


async def test_no_problem_is_believed_only_of_who_sees_something() -> None:
    server = Server()
    server.problems = []
    source, http, part = await read(server)
    assert (part.error, part.items) == (None, ())
    await read_one(source, http)
    assert methods(http) == ["problem.get", "host.get", "problem.get"]
    server.hosts = "0"
    source.clock.advance(601)
    with pytest.raises(NotFound, match="no host is visible"):
        await read_one(source, http)
    server.hosts = "many"
    with pytest.raises(BadAnswer, match="how many hosts"):
        await read_one(source, http)


async def test_a_server_that_has_died_is_noticed_by_its_heartbeat() -> None:
    server = Server()
    beat = "Zabbix server/zabbix[uptime]"
    _, _, part = await read(server, heartbeat=beat)
    assert list(incidents(part)) == ["1"]
    server.items = [{"lastclock": str(NOW - 601)}]
    with pytest.raises(ServerError, match="since 2026-01-02 02:54:04 UTC"):
        await read(server, heartbeat=beat)
    await read(server, heartbeat=beat, stale="11m")
    server.items = [{"lastclock": "0"}]
    with pytest.raises(ServerError, match="for long"):
        await read(server, heartbeat=beat)
    server.items = []
    with pytest.raises(NotFound, match="no item"):
        await read(server, heartbeat=beat)


@pytest.mark.parametrize(
    "data,kind",
    [
        ("Not authorized.", AuthError),
        ("Not authorised.", AuthError),
        ("Session terminated, re-login, please.", AuthError),
        ("API token expired.", AuthError),
        ('No permissions to call "problem.get".', AuthError),
        ('Invalid parameter "/": unexpected parameter "auth".', BadAnswer),
        (None, BadAnswer),
    ],
)
async def test_errors_come_with_200(data: str | None, kind: type[SourceError]) -> None:
    server = Server()
    server.errors = {"": {"code": -32602, "message": "Invalid params.", "data": data}}
    with pytest.raises(kind, match="Invalid params"):
        await read(server)


async def test_more_problems_than_are_read_are_said_to_be_more() -> None:
    server = Server()
    server.problems = [problem(number, 101) for number in range(1, 1_200)]
    source = make_source(Zabbix, {"url": URL})
    (part,) = (await read_all(source, FakeHttp(server, URL))).parts
    assert len(part.items) == 1_001
    assert isinstance(part.error, TooLarge)


def test_the_token_goes_into_the_header() -> None:
    signed = make_source(Zabbix, {"url": URL}).sign(Credentials(token="t0ken"))
    assert signed == {"Authorization": "Bearer t0ken"}


@pytest.mark.parametrize(
    "options", [{"hostgroups": [""]}, {"heartbeat": "zabbix[uptime]"}, {"heartbeat": "/x"}, {"severity": "bad"}]
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        make_source(Zabbix, {"url": URL, **options})
