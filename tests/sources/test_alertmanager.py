"""Alertmanager: alerts as incidents, heartbeats, and a server that forgot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from sources.alertmanager import Alertmanager
from statusboard.clock import FakeClock
from statusboard.model import Incident
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_one

URL = "https://am.example/prefix"
STARTED = "2026-01-02T01:00:00.123456789Z"


def alert(fingerprint: str, name: str = "", state: str = "active", **more: Any) -> dict[str, Any]:
    labels = {"alertname": name or f"Alert{fingerprint}", "severity": "critical", **more.pop("labels", {})}
    status = {"state": state, "silencedBy": [], "inhibitedBy": [], "mutedBy": [], **more.pop("status", {})}
    return {
        "annotations": {"summary": "disk is full", "description": "On host a.", "runbook_url": "https://run.example/1"},
        "endsAt": "2026-01-02T04:00:00.000Z",
        "fingerprint": fingerprint,
        "receivers": [{"name": "default"}],
        "startsAt": STARTED,
        "status": status,
        "updatedAt": "2026-01-02T03:00:00.000Z",
        "generatorURL": "https://prom.example/graph?g0.expr=up",
        "labels": {name: value for name, value in labels.items() if value is not None},
        **more,
    }


class Server:
    """An Alertmanager as its documentation describes it."""

    def __init__(self, *alerts: dict[str, Any], uptime: str = "2025-12-01T00:00:00.000Z") -> None:
        self.alerts = list(alerts)
        self.uptime = uptime
        self.silences = [
            {
                "id": "s1",
                "status": {"state": "active"},
                "createdBy": "ann",
                "comment": "planned work",
                "endsAt": "2026-01-02T05:00:00Z",
                "matchers": [],
            },
            {"id": "s2", "createdBy": "bob", "comment": "", "endsAt": "2026-01-02T06:00:00Z"},
        ]
        self.date = "Fri, 02 Jan 2026 03:04:05 GMT"
        self.refuse_status = 0

    @staticmethod
    def matches(alert: dict[str, Any], matcher: str) -> bool:
        return matcher in ("x=y", f'alertname="{alert["labels"].get("alertname")}"')

    def __call__(self, call: Call) -> Answer:
        if call.path.endswith("/alerts"):
            wanted = call.query.get("filter", [])
            shown = [
                a
                for a in self.alerts
                if all(m in (f'alertname="{a["labels"].get("alertname")}"', "x=y") for m in wanted)
            ]
            return Answer.of(shown)
        if call.path.endswith("/silences"):
            return Answer.of(self.silences)
        if self.refuse_status:
            return Answer(status=self.refuse_status)
        return Answer.of({"uptime": self.uptime, "cluster": {"status": "ready"}}, date=self.date)


class TestContract(SourceContract):
    source = Alertmanager
    options: ClassVar = {"url": URL}
    state_fields = ("state",)
    time_fields = ("startsAt", "endsAt", "updatedAt", "uptime")
    id_fields = ("fingerprint",)

    def vendor(self, call: Call) -> Answer:
        return Server(
            alert("a1"),
            alert("a2", state="suppressed", status={"silencedBy": ["s1"]}),
            alert("a3", state="unprocessed", labels={"severity": "page"}),
            alert("a4", "Watchdog"),
        )(call)


async def read(server: Server, **options: Any) -> Any:
    source = make_source(Alertmanager, {"url": URL, **options})
    http = FakeHttp(server, URL)
    return source, http, await read_one(source, http)


async def test_an_alert_is_an_open_incident() -> None:
    _, http, part = await read(Server(alert("a1", "DiskFull", labels={"team": "core"})))
    (incident,) = part.items
    assert incident == Incident(
        key="alertmanager:incident:a1",
        source="alertmanager",
        title="DiskFull: disk is full",
        description="On host a.",
        state="open",
        raw_state="active",
        severity="critical",
        fingerprint="a1",
        started_at=datetime(2026, 1, 2, 1, 0, 0, 123456, tzinfo=UTC),
        url="https://prom.example/graph?g0.expr=up",
        links={"runbook": "https://run.example/1", "generator": "https://prom.example/graph?g0.expr=up"},
        labels={"alertname": "DiskFull", "severity": "critical", "team": "core"},
    )
    assert part.reach == "complete"
    assert [call.path for call in http.calls] == ["/prefix/api/v2/alerts", "/prefix/api/v2/status"]


async def test_unprocessed_is_open_and_a_free_severity_is_left_to_the_catalog() -> None:
    _, _, part = await read(Server(alert("a1", state="unprocessed", labels={"severity": "page"})))
    assert part.items[0].state == "open"
    assert part.items[0].severity == "unknown"
    assert part.items[0].labels["severity"] == "page"


async def test_silenced_alerts_say_by_whom_and_until_when() -> None:
    both = alert("a1", state="suppressed", status={"silencedBy": ["s2", "s1"]})
    _, _, part = await read(Server(both))
    assert part.items[0].state == "suppressed"
    assert part.items[0].suppressed_by == "ann: planned work; bob"
    assert part.items[0].suppressed_until == datetime(2026, 1, 2, 6, tzinfo=UTC)


async def test_inhibited_and_muted_alerts_say_by_what() -> None:
    inhibited = alert("a2", state="suppressed", status={"inhibitedBy": ["a1", "gone"]})
    muted = alert("a3", state="suppressed", status={"mutedBy": ["weekends"]})
    _, http, part = await read(Server(alert("a1", "ClusterDown"), inhibited, muted))
    assert part.items[1].suppressed_by == "inhibited by ClusterDown; inhibited by gone"
    assert part.items[1].suppressed_until is None
    assert part.items[2].suppressed_by == "muted by weekends"
    assert not any(call.path.endswith("/silences") for call in http.calls)


async def test_a_silence_that_is_unknown_is_named_by_its_id() -> None:
    _, _, part = await read(Server(alert("a1", state="suppressed", status={"silencedBy": ["s9"]})))
    assert part.items[0].suppressed_by == "silence s9"


async def test_heartbeats_are_no_incidents() -> None:
    server = Server(alert("a1"), alert("w", "Watchdog"), alert("d", "DeadMansSwitch"))
    source, _, part = await read(server, expect="DeadMansSwitch")
    assert [item.fingerprint for item in part.items] == ["a1"]
    assert part.beats == {"Watchdog", "DeadMansSwitch"}
    assert source.expected_beats() == {"DeadMansSwitch"}


async def test_severity_none_is_machinery() -> None:
    _, _, part = await read(Server(alert("a1", "InfoInhibitor", labels={"severity": "None"})))
    assert part.items == ()
    assert part.beats == frozenset()


async def test_heartbeats_are_asked_for_beside_a_filter() -> None:
    server = Server(alert("a1"), alert("w", "Watchdog"))
    _, http, part = await read(server, filter=["x=y", 'alertname="Alerta1"'], expect=["Watchdog"])
    assert part.beats == {"Watchdog"}
    assert http.calls[0].query["filter"] == ["x=y", 'alertname="Alerta1"']
    assert http.calls[1].query["filter"] == ['alertname="Watchdog"']


async def test_an_alert_that_two_receivers_get_is_one_incident() -> None:
    _, _, part = await read(Server(alert("a1"), alert("a1")))
    assert len(part.items) == 1


async def test_what_prometheus_refreshes_changes_nothing() -> None:
    server = Server(alert("a1"))
    source, http, before = await read(server)
    server.alerts = [alert("a1", endsAt="2026-01-02T09:00:00Z", updatedAt="2026-01-02T08:00:00Z")]
    assert (await read_one(source, http)).items == before.items


async def test_text_that_differs_in_numbers_only_is_renewed_seldom() -> None:
    server = Server(alert("a1", annotations={"summary": "93.1% used"}))
    source, http, before = await read(server)
    server.alerts = [alert("a1", annotations={"summary": "94.7% used"})]
    assert (await read_one(source, http)).items == before.items
    source.clock.advance(300)
    assert (await read_one(source, http)).items[0].title == "Alerta1: 94.7% used"
    server.alerts = [alert("a1", annotations={"summary": "95% used, read only"})]
    assert (await read_one(source, http)).items[0].title == "Alerta1: 95% used, read only"


async def test_after_a_restart_only_what_was_seen_since_may_be_resolved() -> None:
    server = Server(alert("a1"), alert("a2"))
    source, http, part = await read(server)
    assert part.retire_only is None

    server.alerts, server.uptime = [alert("a2")], "2026-01-02T03:03:05Z"  # a minute ago, by its own clock
    part = await read_one(source, http)
    assert part.retire_only == frozenset({"alertmanager:incident:a2"})

    server.alerts = []  # a2 was there after the restart: it may go; a1 may not
    assert (await read_one(source, http)).retire_only == frozenset({"alertmanager:incident:a2"})

    source.clock.advance(301)
    assert (await read_one(source, http)).retire_only is None


async def test_the_servers_own_clock_tells_its_age() -> None:
    server = Server(alert("a1"), uptime="2026-01-02T09:00:00Z")  # six hours ahead of ours
    server.date = "Fri, 02 Jan 2026 09:01:00 GMT"
    source, http, part = await read(server)
    assert part.retire_only == frozenset({"alertmanager:incident:a1"})
    source.clock.advance(241)
    assert (await read_one(source, http)).retire_only is None


async def test_its_start_is_asked_for_only_when_something_vanished() -> None:
    server = Server(alert("a1"), alert("a2"))
    source, http, _ = await read(server)
    await read_one(source, http)
    assert sum(call.path.endswith("/status") for call in http.calls) == 1
    server.alerts.pop()
    await read_one(source, http)
    assert sum(call.path.endswith("/status") for call in http.calls) == 2


@pytest.mark.parametrize("status", [403, 404])
async def test_a_proxy_that_hides_the_status_is_noted(status: int) -> None:
    server = Server(alert("a1"))
    server.refuse_status = status
    _, _, part = await read(server)
    assert part.retire_only is None
    assert "does not say when it started" in part.notes[0]


async def test_one_unreadable_alert_costs_the_others_nothing_and_is_no_secret() -> None:
    source = make_source(Alertmanager, {"url": URL})
    odd = alert("a2", labels={"team": 5})
    (part,) = (await source.poll(lambda scope: FakeHttp(Server(alert("a1"), odd), URL))).parts
    assert [item.key for item in part.items] == ["alertmanager:incident:a1"]
    assert str(part.error).startswith("1 of 2 alerts could not be read")


async def test_cluster_is_kept_for_merging() -> None:
    _, _, part = await read(Server(alert("a1")), cluster="prod")
    assert (part.items[0].cluster, part.items[0].fingerprint) == ("prod", "a1")


def test_the_clock_of_the_kit_stands_still() -> None:
    assert isinstance(make_source(Alertmanager, {"url": URL}).clock, FakeClock)
