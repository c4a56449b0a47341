"""Datadog: monitors that are not well, what mutes them, declared incidents, two keys and many sites."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.datadog import Datadog
from statusboard.errors import AuthError, NotFound, TooLarge
from statusboard.model import Incident, Part
from statusboard.source import Credentials, LookupUnsupported, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

API = "https://api.datadoghq.com"
TRIGGERED = 1767323045  # 2026-01-02T03:04:05Z


def group(status: str = "Alert", triggered: int = TRIGGERED) -> dict[str, Any]:
    return {"status": status, "last_triggered_ts": triggered, "last_nodata_ts": 0, "last_notified_ts": triggered}


def monitor(number: int, word: str = "Alert", *groups: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"Till {number} is slow",
        "message": "p95 is over 2 s @slack-payments",
        "type": "query alert",
        "tags": ["service:checkout", "team:payments", "env:prod", "slo"],
        "priority": None,
        "overall_state": word,
        "overall_state_modified": "2026-01-02T03:04:05+00:00",
        "options": {"notify_no_data": False, "silenced": {}},
        "state": {"groups": {name: group(word) for name in groups or ("*",)}},
        "matching_downtimes": [],
        **more,
    }


def downtime(scope: str = "*", end: str | None = None, **identifier: Any) -> dict[str, Any]:
    return {
        "id": "d1",
        "type": "downtime",
        "attributes": {
            "monitor_identifier": identifier or {"monitor_tags": ["*"]},
            "scope": scope,
            "message": None,
            "status": "active",
            "schedule": {"start": "2026-01-02T00:00:00+00:00", "end": end},
        },
    }


def declared(number: int, state: str = "active", **more: Any) -> dict[str, Any]:
    attributes = {
        "public_id": number,
        "title": "Payments fail",
        "state": state,
        "severity": "SEV-2",
        "created": "2026-01-02T02:10:00+00:00",
        "detected": "2026-01-02T02:00:00+00:00",
        "resolved": None,
        "customer_impacted": True,
        "is_test": False,
        "commander": {"data": {"type": "users", "id": "u", "attributes": {"name": "", "handle": "ann@acme.example"}}},
        "fields": {
            "teams": {"type": "autocomplete", "value": ["Payments", "Web"]},
            "services": {"type": "autocomplete", "value": ["checkout"]},
            "summary": {"type": "textbox", "value": "Cards are refused."},
        },
        **more,
    }
    return {"data": {"id": f"u-{number}", "type": "incidents", "attributes": attributes}}


class Server:
    """The parts of Datadog's API that the source asks for."""

    def __init__(self) -> None:
        self.monitors = [monitor(1), monitor(2, "Warn", priority=1), monitor(3, "OK")]
        self.downtimes: list[dict[str, Any]] = []
        self.incidents = [declared(7), declared(8, "stable"), declared(9, "resolved")]
        self.downtimes_status = 200

    def __call__(self, call: Call) -> Answer:
        match call.path.split("/")[2:]:
            case ["v1", "monitor"]:
                wanted = [tag for tag in call.param("monitor_tags").split(",") if tag]
                rows = [row for row in self.monitors if set(wanted) <= set(row["tags"])]
                size, page = int(call.param("page_size")), int(call.param("page"))
                return Answer.of(rows[page * size : (page + 1) * size])
            case ["v2", "downtime"]:
                if self.downtimes_status != 200:
                    return Answer.of({"errors": ["Forbidden"]}, self.downtimes_status)
                size, offset = int(call.param("page[limit]")), int(call.param("page[offset]"))
                return Answer.of({"data": self.downtimes[offset : offset + size], "meta": {"page": {}}})
            case ["v2", "incidents", "search"]:
                size, offset = int(call.param("page[size]")), int(call.param("page[offset]"))
                wanted = call.param("query").removeprefix("state:(").rstrip(")").split(" OR ")
                rows = [i for i in self.incidents if i["data"]["attributes"]["state"] in wanted]
                shown = {"total": len(rows), "incidents": rows[offset : offset + size]}
                return Answer.of({"data": {"type": "incidents_search_results", "attributes": shown}})
            case ["v2", "incidents", number]:
                found = [i for i in self.incidents if i["data"]["id"] == number]
                return Answer.of(found[0]) if found else Answer.of({"errors": ["Incident not found"]}, 404)
        return Answer.of({"errors": ["Not found"]}, 404)


class TestContract(SourceContract):
    source = Datadog
    state_fields = ("overall_state",)
    time_fields = ("overall_state_modified", "end")
    id_fields = ("id", "is_test", "draft_status")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.monitors = [monitor(1, "Alert", "env:prod,host:a", "env:prod,host:b"), monitor(3, "OK")]
        server.downtimes = [downtime("host:a", "2026-01-03T00:00:00Z")]
        return server(call)


class TestContractWithIncidents(SourceContract):
    source = Datadog
    options: ClassVar = {"incidents": True}
    state_fields = ("state",)
    time_fields = ("created", "detected", "resolved")
    id_fields = ("id", "data", "attributes", "incidents")

    def vendor(self, call: Call) -> Answer:
        server = Server()
        server.monitors = [{"id": 3, "overall_state": "OK"} | {"tags": []}]
        return server(call)


def datadog(**options: Any) -> Source[Any]:
    return make_source(Datadog, options)


async def read(server: Server, **options: Any) -> Part:
    return await read_one(datadog(**options), FakeHttp(server, API))


async def incident(server: Server | None = None, *args: Any, **fields: Any) -> Incident:
    server = server or Server()
    server.monitors = [monitor(1, *args, **fields)]
    (found,) = (await read(server)).items
    assert isinstance(found, Incident)
    return found


# -- monitors ----------------------------------------------------------------------------------------------------------


async def test_what_alerts_is_an_incident() -> None:
    part = await read(Server())
    assert [item.key for item in part.items] == ["datadog:incident:monitor/1", "datadog:incident:monitor/2"]
    assert part.items[0] == Incident(
        key="datadog:incident:monitor/1",
        source="datadog",
        title="Till 1 is slow",
        description="p95 is over 2 s @slack-payments",
        state="open",
        raw_state="Alert",
        severity="high",
        services=("checkout",),
        team="payments",
        environment="prod",
        url="https://app.datadoghq.com/monitors/1",
        labels={"service": "checkout", "team": "payments", "env": "prod", "type": "query alert"},
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    assert part.reach == "complete"


@pytest.mark.parametrize(
    "word,state",
    [
        ("Alert", "open"),
        ("WARN", "open"),
        ("No Data", "pending"),
        ("Ignored", "suppressed"),
        ("Skipped", "suppressed"),
        ("Unknown", "unknown"),
        ("Alarm", "unknown"),
        (None, "unknown"),
    ],
)
async def test_states(word: str | None, state: str) -> None:
    assert (await incident(overall_state=word)).state == state


@pytest.mark.parametrize(
    "options,state",
    [
        ({"notify_no_data": True}, "open"),
        ({"on_missing_data": "show_and_notify_no_data", "notify_no_data": False}, "open"),
        ({"on_missing_data": "show_no_data"}, "pending"),
        (None, "pending"),
    ],
)
async def test_missing_data_counts_where_the_monitor_notifies_of_it(options: Any, state: str) -> None:
    found = await incident(None, "No Data", options=options)
    assert (found.state, found.reason) == (state, "no data")


@pytest.mark.parametrize(
    "state,priority,severity",
    [
        ("Alert", 1, "critical"),
        ("Warn", 2, "high"),
        ("Alert", 3, "medium"),
        ("Alert", "4", "low"),
        ("Alert", 5, "info"),
        ("Alert", None, "high"),
        ("Alert", 9, "high"),
        ("Warn", None, "medium"),
        ("No Data", None, "medium"),
        ("Unknown", None, "unknown"),
    ],
)
async def test_severity(state: str, priority: Any, severity: str) -> None:
    assert (await incident(None, state, priority=priority)).severity == severity


async def test_groups_say_where() -> None:
    found = await incident(None, "Alert", "region:eu,host:b", "region:eu,host:a", tags=[])
    assert found.reason == "2 groups: region:eu,host:a; region:eu,host:b"
    assert found.labels == {"region": "eu", "type": "query alert"}  # what they have in common
    found = await incident(None, "Alert", *(f"host:{n}" for n in range(9)))
    assert found.reason == "9 groups: host:0; host:1; host:2, …"
    assert (await incident(None, "Alert", "host:a")).reason == "host:a"


async def test_since_when_without_the_undocumented_time() -> None:
    groups = {"host:a": group(), "host:b": group(triggered=TRIGGERED - 60), "host:c": group("OK", TRIGGERED - 900)}
    found = await incident(overall_state_modified=None, state={"groups": groups})
    assert found.started_at == datetime(2026, 1, 2, 3, 3, 5, tzinfo=UTC)


async def test_a_draft_is_no_incident() -> None:
    server = Server()
    server.monitors = [monitor(1, draft_status="draft"), monitor(2, draft_status="published")]
    assert [item.key for item in (await read(server)).items] == ["datadog:incident:monitor/2"]


async def test_what_is_well_again_says_since_when() -> None:
    server = Server()
    source, http = datadog(), FakeHttp(server, API)
    (before, _) = (await read_one(source, http)).items
    server.monitors[0] = monitor(1, "OK", overall_state_modified="2026-01-02T03:10:00+00:00")
    resolved, other = (await read_one(source, http)).items
    assert (resolved.key, resolved.state, resolved.raw_state) == (before.key, "resolved", "OK")
    assert resolved.started_at == before.started_at
    assert resolved.ended_at == datetime(2026, 1, 2, 3, 10, tzinfo=UTC)
    assert (await read_one(source, http)).items == (other,)


async def test_pages() -> None:
    server = Server()
    server.monitors = [monitor(n, "OK") for n in range(1000)] + [monitor(1000)]
    http = FakeHttp(server, API)
    part = await read_one(datadog(), http)
    assert [item.key for item in part.items] == ["datadog:incident:monitor/1000"]
    assert [call.param("page") for call in http.calls if call.path == "/api/v1/monitor"] == ["0", "1", "2"]


async def test_more_than_are_read_is_said() -> None:
    rows = msgspec.json.encode([{"id": n, "overall_state": "OK"} for n in range(500)])
    http = FakeHttp(lambda call: Answer(body=rows), API)
    (part,) = (await read_all(datadog(), http)).parts
    assert isinstance(part.error, TooLarge)
    assert len(http.calls) == 10


async def test_tags() -> None:
    server = Server()
    server.monitors.append(monitor(4, tags=["team:web"]))
    http = FakeHttp(server, API)
    part = await read_one(datadog(tags=["team:payments", "env:prod"]), http)
    assert len(part.items) == 2
    assert part.scope == "monitors team:payments env:prod"
    with pytest.raises(NotFound, match="no monitor has the tags team:paymnets"):
        await read(server, tags=["team:paymnets"])
    server.monitors = []
    with pytest.raises(NotFound, match="application key may not see any"):
        await read(server)


# -- downtimes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope,groups,suppressed",
    [
        ("*", (), True),
        ("*", ("env:prod,host:a", "env:dev,host:b"), True),
        ("env:prod", ("env:prod,host:a", "env:prod,host:b"), True),
        ("env:prod AND host:a", ("env:prod,host:a",), True),
        ("ENV:Prod,host:a", ("env:prod,host:a",), True),
        ("env:prod", ("env:prod,host:a", "env:dev,host:b"), False),
        ("env:prod", (), False),  # of a monitor without groups it cannot be told
        ("env:(prod OR dev)", ("env:prod",), False),
        ("-env:dev", ("env:prod",), False),
        ("env:pr*", ("env:prod",), False),
        ("", ("env:prod",), False),
    ],
)
async def test_only_what_is_surely_muted_is_suppressed(scope: str, groups: tuple[str, ...], suppressed: bool) -> None:
    server = Server()
    server.downtimes = [downtime(scope)]
    assert (await incident(server, "Alert", *groups)).state == ("suppressed" if suppressed else "open")


@pytest.mark.parametrize(
    "identifier,suppressed",
    [
        ({"monitor_id": 1}, True),
        ({"monitor_id": "1"}, True),
        ({"monitor_id": 2}, False),
        ({"monitor_tags": ["team:payments", "SLO"]}, True),
        ({"monitor_tags": ["team:payments", "team:web"]}, False),
        ({"monitor_tags": []}, False),
    ],
)
async def test_which_monitors_a_downtime_is_for(identifier: dict[str, Any], suppressed: bool) -> None:
    server = Server()
    server.downtimes = [downtime(**identifier)]
    assert (await incident(server)).state == ("suppressed" if suppressed else "open")


async def test_a_muted_monitor_says_why_and_until_when() -> None:
    server = Server()
    maintenance = downtime("host:a", "2026-01-02T06:00:00Z")
    maintenance["attributes"]["message"] = "new disks"
    again = downtime("env:prod", "2026-02-01T00:00:00Z")
    again["attributes"]["schedule"]["current_downtime"] = {"end": "2026-01-02T05:00:00Z"}
    server.downtimes = [maintenance, again]
    found = await incident(server, "Alert", "env:prod,host:a", "env:prod,host:b")
    assert found.state == "suppressed"
    assert found.suppressed_by == "downtime: env:prod; downtime: new disks"
    assert found.suppressed_until == datetime(2026, 1, 2, 5, tzinfo=UTC)  # then the first group is heard again
    found = await incident(server, "Alert", "env:dev,host:a", "env:dev,host:b")
    assert (found.state, found.reason) == ("open", "2 groups: env:dev,host:a; env:dev,host:b, 1 of them muted")


async def test_a_downtime_that_is_over_mutes_nothing() -> None:
    server = Server()
    server.downtimes = [downtime("*", "2026-01-02T03:00:00Z")]
    assert (await incident(server)).state == "open"
    server.downtimes[0]["attributes"] |= {"status": "ended", "schedule": {"end": None}}
    assert (await incident(server)).state == "open"


async def test_downtimes_that_the_monitor_itself_tells_of() -> None:
    old = [{"id": 1625, "scope": ["*"], "start": TRIGGERED - 60, "end": TRIGGERED + 3600}]
    found = await incident(matching_downtimes=old)
    assert (found.state, found.suppressed_by) == ("suppressed", "downtime")
    assert found.suppressed_until == datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC)


async def test_downtimes_are_asked_for_while_something_alerts() -> None:
    server = Server()
    server.monitors = [monitor(1, "OK")]
    http = FakeHttp(server, API)
    await read_one(datadog(), http)
    assert len(http.calls) == 1
    server.monitors = [monitor(1)]
    await read_one(datadog(downtimes=False), http)
    assert len(http.calls) == 2


async def test_without_the_right_to_see_downtimes() -> None:
    server = Server()
    server.downtimes = [downtime("*", "2026-01-02T04:00:00Z")]
    source, http = datadog(), FakeHttp(server, API)
    before = await read_one(source, http)
    assert {item.state for item in before.items} == {"suppressed"}
    server.downtimes_status = 403
    part = await read_one(source, http)
    assert part.items == before.items  # what was known stays
    assert part.notes == ("downtimes cannot be read, so muted monitors may show as open: the server answered 403",)
    await read_one(source, http)
    assert sum(call.path == "/api/v2/downtime" for call in http.calls) == 2  # it is not asked at every poll
    source.clock.advance(3600)  # type: ignore[attr-defined]
    assert {item.state for item in (await read_one(source, http)).items} == {"open"}  # until its end
    server.downtimes_status = 200
    source.clock.advance(301)  # type: ignore[attr-defined]
    assert (await read_one(source, http)).notes == ()


async def test_what_gets_worse_is_ill_since_it_was_well() -> None:
    """Else each turn from warning to alarm would be a new episode, without the acknowledgement of the one before."""
    server = Server()
    source, http = datadog(), FakeHttp(server, API)

    async def began(word: str, modified: str) -> Any:
        server.monitors = [monitor(1, word, overall_state_modified=modified)]
        (part,) = (await read_all(source, http)).parts
        return part.items[0].started_at

    first = await began("Warn", "2026-01-02T03:00:00+00:00")
    for _ in range(2):
        assert await began("Alert", "2026-01-02T03:02:00+00:00") == first
    assert await began("Warn", "2026-01-02T03:03:00+00:00") == first
    # The same word since another time: it was well in between.
    assert await began("Warn", "2026-01-02T03:04:00+00:00") == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


async def test_a_downtime_without_end_is_not_trusted_for_ever() -> None:
    server = Server()
    server.downtimes = [downtime("*")]
    source, http = datadog(), FakeHttp(server, API)
    assert {item.state for item in (await read_one(source, http)).items} == {"suppressed"}
    server.downtimes_status = 403
    source.clock.advance(600)  # type: ignore[attr-defined]
    assert {item.state for item in (await read_one(source, http)).items} == {"suppressed"}
    source.clock.advance(400)  # type: ignore[attr-defined]
    assert {item.state for item in (await read_one(source, http)).items} == {"open"}


# -- incidents ---------------------------------------------------------------------------------------------------------


async def incidents(server: Server) -> Part:
    parts = {part.scope: part for part in (await read_all(datadog(incidents=True), FakeHttp(server, API))).parts}
    assert sorted(parts) == ["incidents", "monitors"]
    return parts["incidents"]


async def test_declared_incidents() -> None:
    part = await incidents(Server())
    assert [item.key for item in part.items] == ["datadog:incident:incident/u-7", "datadog:incident:incident/u-8"]
    assert part.items[0] == Incident(
        key="datadog:incident:incident/u-7",
        source="datadog",
        title="Payments fail",
        description="Cards are refused.",
        state="open",
        raw_state="active",
        severity="high",
        services=("checkout",),
        team="Payments",
        url="https://app.datadoghq.com/incidents/7",
        labels={"severity": "SEV-2", "teams": "Payments, Web", "customer_impact": "yes"},
        assignee="ann@acme.example",
        started_at=datetime(2026, 1, 2, 2, 0, tzinfo=UTC),
    )
    assert part.reach == "window"


@pytest.mark.parametrize(
    "state,shown",
    [("Active", "open"), ("stable", "open"), ("resolved", "resolved"), ("completed", "resolved"), ("new", "unknown")],
)
async def test_states_of_incidents(state: str, shown: str) -> None:
    found = await datadog().lookup("incident", "incident/u-7", FakeHttp(lambda call: Answer.of(declared(7, state))))
    assert found is not None
    assert found.state == shown


@pytest.mark.parametrize(
    "word,severity",
    [("SEV-0", "critical"), ("sev-1", "critical"), ("SEV-2", "high"), ("SEV-3", "medium"), ("SEV-4", "low"),
     ("SEV-5", "info"), ("UNKNOWN", "unknown"), (None, "unknown")],
)  # fmt: skip
async def test_severity_of_incidents(word: str | None, severity: str) -> None:
    server = Server()
    server.incidents = [declared(7, severity=word)]
    (found,) = (await incidents(server)).items
    assert isinstance(found, Incident)
    assert found.severity == severity


async def test_a_test_is_no_incident() -> None:
    server = Server()
    server.incidents = [declared(7, is_test=True)]
    assert (await incidents(server)).items == ()


async def test_more_incidents_than_are_read() -> None:
    server = Server()
    server.incidents = [declared(n) for n in range(250)]
    assert len((await incidents(server)).items) == 250
    server.incidents = [declared(n) for n in range(1001)]
    part = await incidents(server)
    assert len(part.items) == 1000
    assert isinstance(part.error, TooLarge)


async def test_what_has_left_the_search() -> None:
    server = Server()
    server.incidents[2] = declared(9, "resolved", resolved="2026-01-02T03:00:00+00:00")
    found = await datadog().lookup("incident", "incident/u-9", FakeHttp(server, API))
    assert found is not None
    assert (found.state, found.ended_at) == ("resolved", datetime(2026, 1, 2, 3, tzinfo=UTC))
    with pytest.raises(NotFound):
        await datadog().lookup("incident", "incident/u-99", FakeHttp(server, API))
    with pytest.raises(LookupUnsupported):
        await datadog().lookup("incident", "monitor/1", FakeHttp(server, API))


# -- keys and sites ----------------------------------------------------------------------------------------------------


async def test_two_keys() -> None:
    source = datadog(token="env:DD_API_KEY", password="env:DD_APP_KEY")
    signed = source.sign(Credentials(token="a", password="b"))
    assert signed == {"DD-API-KEY": "a", "DD-APPLICATION-KEY": "b"}
    with pytest.raises(AuthError):
        await read_one(source, FakeHttp(lambda call: Answer.of({"errors": ["Forbidden"]}, 403), API))


@pytest.mark.parametrize(
    "options,url,page",
    [
        ({}, "", "https://app.datadoghq.com"),
        ({"url": API}, API, "https://app.datadoghq.com"),
        ({"site": "datadoghq.eu"}, "https://api.datadoghq.eu", "https://app.datadoghq.eu"),
        ({"site": "datadoghq.eu", "url": API}, "https://api.datadoghq.eu", "https://app.datadoghq.eu"),
        ({"site": "us3.datadoghq.com"}, "https://api.us3.datadoghq.com", "https://us3.datadoghq.com"),
        ({"site": "ddog-gov.com"}, "https://api.ddog-gov.com", "https://app.ddog-gov.com"),
        ({"url": "https://proxy.acme.example/dd/"}, "https://proxy.acme.example/dd/", "https://proxy.acme.example/dd"),
    ],
)
async def test_sites(options: dict[str, Any], url: str, page: str) -> None:
    source = datadog(**options)
    assert source.options.url == url
    item = (await read_one(source, FakeHttp(Server(), API))).items[0]
    assert item.url == f"{page}/monitors/1"
    assert msgspec.structs.replace(source.options, name="other").url == url


@pytest.mark.parametrize(
    "options,named",
    [
        ({"site": "evil.example"}, "site"),
        ({"site": "datadoghq.eu", "url": "https://proxy.acme.example"}, "`site`"),
        ({"token": "env:A"}, "`password`"),
        ({"password": "env:A"}, "`password`"),
        ({"tags": ["a:b,c:d"]}, "`tags`"),
        ({"tags": [""]}, "`tags`"),
    ],
)
def test_options_are_checked(options: dict[str, Any], named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        datadog(**options)
