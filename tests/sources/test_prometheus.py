"""Prometheus: alerts of rules as incidents, and rules that prove nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources.prometheus import Prometheus
from statusboard.model import Incident, Part
from statusboard.source import Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

URL = "https://prom.example/prefix"
NOW = "Fri, 02 Jan 2026 03:04:05 GMT"
SINCE = "2026-01-02T01:00:00.123456789Z"
EVALUATED = "2026-01-02T03:04:00.5Z"


def alert(name: str = "", state: str = "firing", **more: Any) -> dict[str, Any]:
    labels = {"alertname": name or "DiskFull", "severity": "critical", **more.pop("labels", {})}
    return {
        "labels": {label: value for label, value in labels.items() if value is not None},
        "annotations": {"summary": "disk is full", "description": "On a.", "runbook_url": "https://run.example/1"},
        "state": state,
        "activeAt": SINCE,
        "value": "9.31e+01",
        **more,
    }


def rule(name: str = "DiskFull", *alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "state": alerts[0]["state"] if alerts else "inactive",
        "name": name,
        "query": "disk_used > 90",
        "duration": 300,
        "keepFiringFor": 0,
        "labels": {"severity": "critical"},
        "annotations": {"summary": "disk is full"},
        "alerts": list(alerts),
        "health": "ok",
        "evaluationTime": 0.001,
        "lastEvaluation": EVALUATED,
        "type": "alerting",
        **more,
    }


def group(*rules: dict[str, Any], name: str = "disks", file: str = "/etc/rules.yml", **more: Any) -> dict[str, Any]:
    times = {"interval": 60, "evaluationTime": 0.002, "lastEvaluation": EVALUATED}
    return {"name": name, "file": file, "rules": list(rules), "limit": 0, **times, **more}


class Server:
    """A Prometheus as its documentation describes it."""

    def __init__(self, *groups: dict[str, Any], started: str = "2025-12-01T00:00:00.5+01:00") -> None:
        self.groups = list(groups)
        self.started = started
        self.date = NOW
        self.refuse_status = 0
        self.more: dict[str, Any] = {}
        self.calls: list[Call] = []

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        if call.path.endswith("/api/v1/rules"):
            assert call.query == {"type": ["alert"]}
            answer = {"status": "success", "data": {"groups": self.groups}, **self.more}
            return Answer.of(answer, date=self.date)
        assert call.path.endswith("/api/v1/status/runtimeinfo")
        if self.refuse_status:
            return Answer(status=self.refuse_status)
        return Answer.of({"status": "success", "data": {"startTime": self.started, "CWD": "/"}}, date=self.date)


class TestContract(SourceContract):
    source = Prometheus
    options: ClassVar = {"url": URL}
    state_fields = ("state", "health")
    time_fields = ("activeAt", "lastEvaluation", "startTime")
    id_fields = ("labels", "host")

    def vendor(self, call: Call) -> Answer:
        return Server(
            group(
                rule("DiskFull", alert(labels={"host": "a"}), alert(labels={"host": "b"}, state="pending")),
                rule("Fine"),
                rule("Watchdog", alert("Watchdog", labels={"severity": "none"})),
            ),
            group(rule("Slow", alert("Slow", keepFiringSince="2026-01-02T03:00:00Z")), name="latency"),
        )(call)


async def poll(source: Source[Any], server: Server) -> tuple[Part, Part]:
    """The part of the alerts and that of the rules."""
    alerts, rules = (await read_all(source, FakeHttp(server, URL))).parts
    assert (alerts.scope, rules.scope) == ("alerts", "rules")
    return alerts, rules


async def read(server: Server, **options: Any) -> tuple[Part, Part]:
    return await poll(make_source(Prometheus, {"url": URL, **options}), server)


async def test_a_firing_alert_is_an_open_incident() -> None:
    server = Server(group(rule("DiskFull", alert(labels={"team": "core", "empty": ""}))))
    alerts, rules = await read(server)
    (incident,) = alerts.items
    assert isinstance(incident, Incident)
    assert incident == Incident(
        key=f"prometheus:incident:{incident.fingerprint}",
        source="prometheus",
        title="DiskFull: disk is full",
        description="On a.",
        state="open",
        raw_state="firing",
        severity="critical",
        fingerprint=incident.fingerprint,
        started_at=datetime(2026, 1, 2, 1, 0, 0, 123456, tzinfo=UTC),
        url="https://prom.example/prefix/graph?g0.expr=disk_used+%3E+90&g0.tab=1",
        links={"runbook": "https://run.example/1"},
        labels={"alertname": "DiskFull", "severity": "critical", "team": "core"},
    )
    assert len(incident.fingerprint) == 20
    assert alerts.reach == "complete" and alerts.error is None and alerts.retire_only is None
    assert (rules.items, rules.error) == ((), None)
    assert [call.path for call in server.calls] == ["/prefix/api/v1/rules", "/prefix/api/v1/status/runtimeinfo"]


@pytest.mark.parametrize(
    "word, state",
    [("firing", "open"), ("Pending", "pending"), ("INACTIVE", "resolved"), ("unknown", "unknown"), ("sic", "unknown")],
)
async def test_every_state(word: str, state: str) -> None:
    (incident,) = (await read(Server(group(rule("A", alert(state=word))))))[0].items
    assert (incident.state, incident.raw_state) == (state, word)


async def test_a_free_severity_is_left_to_the_catalog() -> None:
    (incident,) = (await read(Server(group(rule("A", alert(labels={"severity": "page"}))))))[0].items
    assert isinstance(incident, Incident)
    assert incident.severity == "unknown" and incident.labels["severity"] == "page"


async def test_what_keep_firing_for_keeps_says_so() -> None:
    (incident,) = (await read(Server(group(rule("A", alert(keepFiringSince=SINCE))))))[0].items
    assert incident.state == "open" and "keep_firing_for" in incident.reason


async def test_of_alerts_with_the_same_labels_the_one_that_fires_counts() -> None:
    two = [rule("A", alert(state="pending")), rule("A", alert(state="firing"), query="other > 1")]
    (incident,) = (await read(Server(group(*two))))[0].items
    assert incident.state == "open" and "other" in incident.url


async def test_the_same_labels_in_another_order_or_group_are_the_same_alert() -> None:
    def key(labels: dict[str, str], name: str) -> Any:
        return Server(group(rule("A", alert(labels=labels)), name=name))

    (one,) = (await read(key({"a": "1", "b": "2"}, "x")))[0].items
    (two,) = (await read(key({"b": "2", "a": "1"}, "y")))[0].items
    (other,) = (await read(key({"a": "1", "b": "3"}, "x")))[0].items
    assert one.key == two.key != other.key


async def test_new_values_are_no_news() -> None:
    server = Server(group(rule("A", alert(annotations={"summary": "93.1% used"}))))
    source = make_source(Prometheus, {"url": URL})
    before = (await poll(source, server))[0]
    moved = alert(annotations={"summary": "94.7% used"}, value="9.47e+01")
    server.groups = [group(rule("A", moved, evaluationTime=7, lastEvaluation="2026-01-02T03:04:04Z"))]
    assert (await poll(source, server))[0].items == before.items


# --- heartbeats, filters --------------------------------------------------------------------------------------------


async def test_heartbeats_are_no_incidents() -> None:
    server = Server(group(rule("W", alert("Watchdog")), rule("D", alert("DeadMansSwitch")), rule("A", alert())))
    source = make_source(Prometheus, {"url": URL, "expect": "DeadMansSwitch"})
    alerts, _ = await poll(source, server)
    assert [item.labels["alertname"] for item in alerts.items] == ["DiskFull"]
    assert alerts.beats == {"Watchdog", "DeadMansSwitch"}
    assert source.expected_beats() == {"DeadMansSwitch"}


@pytest.mark.parametrize(
    "watchdog",
    [
        rule("Watchdog", alert("Watchdog", state="pending")),
        rule("Watchdog", alert("Watchdog"), health="err", lastError="no"),
        rule("Watchdog", alert("Watchdog"), lastEvaluation="2026-01-02T02:00:00Z"),  # it has not fired since
    ],
)
async def test_a_heartbeat_that_is_not_evaluated_beats_no_more(watchdog: dict[str, Any]) -> None:
    alerts, _ = await read(Server(group(watchdog)), expect="Watchdog")
    assert alerts.beats == frozenset() and alerts.items == ()


async def test_severity_none_is_machinery() -> None:
    alerts, _ = await read(Server(group(rule("I", alert("InfoInhibitor", labels={"severity": "None"})))))
    assert alerts.items == () and alerts.beats == frozenset()


async def test_a_filter_narrows_and_keeps_heartbeats() -> None:
    server = Server(
        group(
            rule("A", alert("A", labels={"team": "core"}), alert("A", labels={"team": "web"}), alert("A")),
            rule("Watchdog", alert("Watchdog")),
        )
    )
    alerts, _ = await read(server, filter=["team=~core|ops", "severity=critical"], expect="Watchdog")
    assert [item.labels.get("team") for item in alerts.items] == ["core"]
    assert alerts.beats == {"Watchdog"}


async def test_rules_that_a_filter_leaves_out_need_not_be_well() -> None:
    broken = {"health": "err", "lastError": "no such function"}
    mine = rule("Mine", labels={"team": "core"})
    other = rule("Other", labels={"team": "web"}, **broken)
    templated = rule("Templated", labels={"team": "{{ $labels.team }}"}, **broken)
    assert (await read(Server(group(mine, other)), filter="team=core"))[1].error is None
    _, rules = await read(Server(group(mine, templated)), filter="team=core")
    assert str(rules.error) == "1 of 2 rules prove nothing: Templated (disks): it cannot be evaluated: no such function"
    assert (await read(Server(group(mine, other)), filter="alertname=Mine"))[1].error is None


async def test_a_filter_that_no_rule_can_match_is_an_error() -> None:
    source = make_source(Prometheus, {"url": URL, "filter": "team=cor"})
    with pytest.raises(Exception, match="can give alerts that match `filter`"):
        await poll(source, Server(group(rule(labels={"team": "core"}))))


# --- what proves nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more, why",
    [
        ({"health": "err", "lastError": "many-to-many"}, "it cannot be evaluated: many-to-many"),
        ({"health": "ERR"}, "it cannot be evaluated: not said"),
        ({"health": "unknown", "lastEvaluation": "0001-01-01T00:00:00Z"}, "it was not evaluated yet"),
        ({"health": "sic"}, "its health is sic"),
        ({"health": None}, "its health is not said"),
        ({"lastEvaluation": "2026-01-02T02:58:00Z"}, "it was evaluated last at 2026-01-02 02:58:00 UTC"),
    ],
)
async def test_a_rule_that_is_not_evaluated_is_not_green(more: dict[str, Any], why: str) -> None:
    alerts, rules = await read(Server(group(rule("Fine"), rule("Broken", **more))))
    assert alerts.error is None, "the others can still resolve"
    assert str(rules.error) == f"1 of 2 rules prove nothing: Broken (disks): {why}"


async def test_how_late_a_rule_may_be() -> None:
    late = Server(group(rule("Slow", lastEvaluation="2026-01-02T02:58:10Z")))  # 5:55, one minute of it the interval
    assert (await read(late))[1].error is None
    assert (await read(late, late="4m"))[1].error is not None
    assert (await read(late, late=0))[1].error is None


async def test_the_servers_own_clock_tells_how_late_a_rule_is() -> None:
    server = Server(group(rule()))
    server.date = "Fri, 02 Jan 2026 09:04:05 GMT"
    assert (await read(server))[1].error is not None


async def test_an_error_keeps_its_words() -> None:
    source = make_source(Prometheus, {"url": URL})
    server = Server(group(rule("B", health="err", lastError="series x, y")))
    first = (await poll(source, server))[1].error
    server.groups = [group(rule("B", health="err", lastError="series y, x"))]
    assert str((await poll(source, server))[1].error) == str(first)
    server.groups = [group(rule("B", health="unknown"))]
    assert "not evaluated yet" in str((await poll(source, server))[1].error)
    server.groups = [group(rule("B"))]
    assert (await poll(source, server))[1].error is None


async def test_what_a_broken_rule_no_longer_shows_is_not_over() -> None:
    """A rule keeps its alerts when it fails, but not over a restart of the server."""
    source = make_source(Prometheus, {"url": URL, "hold": 0})
    server = Server(group(rule("A", alert("A")), rule("B", alert("B")), rule("C", alert("C"))))
    keys = {item.labels["alertname"]: item.key for item in (await poll(source, server))[0].items}
    server.groups = [group(rule("A", health="err", lastError="no"), rule("B"), rule("C", alert("C")))]
    for _ in range(2):
        alerts, _ = await poll(source, server)
        assert alerts.retire_only is not None
        assert keys["A"] not in alerts.retire_only
    server.groups = [group(rule("A"), rule("B"), rule("C"))]
    assert (await poll(source, server))[0].retire_only is None


async def test_while_a_rule_is_broken_the_alerts_of_others_end() -> None:
    source = make_source(Prometheus, {"url": URL, "hold": 0})
    server = Server(group(rule("A", alert("A")), rule("B", alert("B"))))
    keys = {item.labels["alertname"]: item.key for item in (await poll(source, server))[0].items}
    server.groups = [group(rule("A", health="unknown"), rule("B"))]
    assert (await poll(source, server))[0].retire_only == frozenset({keys["B"]})


async def test_after_a_restart_only_what_was_seen_since_may_be_resolved() -> None:
    server = Server(group(rule("A", alert("A"), alert("B"))))
    source = make_source(Prometheus, {"url": URL})
    first = (await poll(source, server))[0]
    assert first.retire_only is None
    keys = {item.labels["alertname"]: item.key for item in first.items}
    server.groups, server.started = [group(rule("A", alert("B")))], "2026-01-02T03:03:05Z"
    assert (await poll(source, server))[0].retire_only == frozenset({keys["B"]})
    source.clock.advance(301)  # type: ignore[attr-defined]
    assert (await poll(source, server))[0].retire_only is None
    asked = sum(call.path.endswith("runtimeinfo") for call in server.calls)
    assert asked == 2, "only when something vanished, and at first"


@pytest.mark.parametrize("status", [403, 404])
async def test_a_server_that_hides_its_start_is_noted(status: int) -> None:
    server = Server(group(rule("A", alert())))
    server.refuse_status = status
    alerts, _ = await read(server)
    assert alerts.retire_only is None and alerts.error is None
    assert "does not say when it started" in alerts.notes[0]


# --- odd answers ----------------------------------------------------------------------------------------------------


async def test_no_rules_at_all_is_an_error() -> None:
    with pytest.raises(Exception, match="no alerting rules at this address"):
        await read(Server(group(name="recording only")))


async def test_an_error_in_a_200_is_an_error() -> None:
    server = Server(group(rule()))
    server.more = {"status": "error", "error": "tenant unknown"}
    with pytest.raises(Exception, match="could not list its rules: tenant unknown"):
        await read(server)


@pytest.mark.parametrize(
    "more, why",
    [
        ({"warnings": ["ruler-1: deadline exceeded"]}, "some rules are missing: ruler-1: deadline exceeded"),
        ({"data": {"groups": [group(rule())], "groupNextToken": "x"}}, "only the first page"),
        ({"data": {"groups": [group(rule()), {"name": "g"}]}}, "the rule group g has no list of rules"),
        ({"data": {"groups": [group(rule(alerts=None, state="firing"))]}}, "the rule DiskFull has no list of alerts"),
        ({"data": {"groups": [group(rule("A", alert(labels={"team": 5})))]}}, "1 of 1 alerts could not be read"),
        ({"data": {"groups": [group(rule("A", {**alert(), "labels": None}))]}}, "alert of the rule A could not be"),
    ],
)
async def test_what_is_missing_retires_nothing(more: dict[str, Any], why: str) -> None:
    server = Server()
    server.more = more
    alerts, _ = await read(server)
    assert why in str(alerts.error)


async def test_rules_without_alerts_may_leave_the_list_out() -> None:
    """As vmalert does."""
    quiet = rule()
    del quiet["alerts"]
    alerts, rules = await read(Server(group(quiet, rule("R", type="recording", health="err"))))
    assert (alerts.error, rules.error) == (None, None)


async def test_the_page_of_an_expression_may_be_elsewhere() -> None:
    server = Server(group(rule("A", alert(), query='a{b="c"} > 1')))
    page = "https://grafana.example/explore?x={expr}"
    (incident,) = (await read(server, page=page))[0].items
    assert incident.url == "https://grafana.example/explore?x=a%7Bb%3D%22c%22%7D+%3E+1"
    server.groups = [group(rule("A", alert(), query="a" * 5_000))]
    assert (await read(server))[0].items[0].url == ""


@pytest.mark.parametrize(
    "options, message",
    [
        ({"filter": "payments"}, "`filter`: 'payments' is no matcher"),
        ({"filter": ["a=~("]}, "regular expression"),
        ({"page": "https://x.example"}, r"\{expr\}"),
        ({"page": "javascript:{expr}"}, "http"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        make_source(Prometheus, {"url": URL, **options})


async def test_replicas_share_fingerprints() -> None:
    one = (await read(Server(group(rule("A", alert()))), name="p1", cluster="prod"))[0].items[0]
    two = (await read(Server(group(rule("A", alert()))), name="p2", cluster="prod"))[0].items[0]
    assert isinstance(one, Incident) and isinstance(two, Incident)
    assert (one.cluster, one.fingerprint) == (two.cluster, two.fingerprint) == ("prod", one.fingerprint)
    assert one.key != two.key
