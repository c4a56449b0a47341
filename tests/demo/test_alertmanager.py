"""The pretend Alertmanager answers as 0.25 does."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def alerts(play, **params):
    answer = await play.alertmanager.get("/api/v2/alerts", params=params)
    assert answer.status_code == 200
    return answer.json()


def names(found):
    return sorted(alert["labels"]["alertname"] for alert in found)


async def test_alerts_have_the_shape_of_gettable_alerts(play):
    for alert in await alerts(play):
        assert alert.keys() == {
            "annotations", "endsAt", "fingerprint", "receivers", "startsAt", "status", "updatedAt", "generatorURL",
            "labels",
        }  # fmt: skip
        assert re.fullmatch(r"[0-9a-f]{16}", alert["fingerprint"])
        assert all(TIME.fullmatch(alert[name]) for name in ("startsAt", "endsAt", "updatedAt"))
        assert datetime.fromisoformat(alert["endsAt"]).timestamp() > play.clock.now, "it has not ended"
        assert alert["status"].keys() == {"inhibitedBy", "silencedBy", "state"}
        suppressed = bool(alert["status"]["inhibitedBy"] or alert["status"]["silencedBy"])
        assert alert["status"]["state"] == ("suppressed" if suppressed else "active")


async def test_the_watchdog_always_fires(play):
    for _ in range(10):
        assert names(await alerts(play, filter='alertname="Watchdog"')) == ["Watchdog"]
        play.turn(120)
        play.demo.world.act("see", vendor="alertmanager")


async def test_silenced_and_inhibited_alerts(play):
    found = {alert["labels"]["alertname"]: alert for alert in await alerts(play)}
    down = found["NodeDown"]
    assert found["TargetDown"]["status"]["inhibitedBy"] == [down["fingerprint"]]
    silences = (await play.alertmanager.get("/api/v2/silences")).json()
    silence = next(s for s in silences if s["id"] == down["status"]["silencedBy"][0])
    assert silence["status"] == {"state": "active"}
    assert {(m["name"], m["value"]) for m in silence["matchers"]} <= set(down["labels"].items())
    assert silence.keys() == {
        "id", "status", "updatedAt", "comment", "createdBy", "endsAt", "matchers", "startsAt",
    }  # fmt: skip
    only = (await play.alertmanager.get("/api/v2/silences", params={"filter": 'alertname="NodeDown"'})).json()
    assert [s["id"] for s in only] == [silence["id"]]


async def test_the_flags_choose_what_is_shown(still):
    still.demo.world.act("fire_alert", "checkout")
    everything = await alerts(still)
    silenced = [a for a in everything if a["status"]["silencedBy"]]
    inhibited = [a for a in everything if a["status"]["inhibitedBy"]]
    assert silenced
    assert inhibited
    assert await alerts(still, active="false") == [a for a in everything if a["status"]["state"] == "suppressed"]
    assert await alerts(still, silenced="false") == [a for a in everything if a not in silenced]
    assert await alerts(still, inhibited="false") == [a for a in everything if a not in inhibited]
    assert await alerts(still, receiver="nobody") == []


@pytest.mark.parametrize(
    ("matcher", "wanted"),
    [
        ('severity="none"', ["Watchdog"]),
        ("severity=none", ["Watchdog"]),
        ('alertname=~"Watch.*|Node.*"', ["NodeDown", "Watchdog"]),
        ('alertname=~"Watch"', []),
        ('service!~".+"', ["Watchdog"]),
    ],
)
async def test_matchers(play, matcher, wanted):
    assert names(await alerts(play, filter=matcher)) == wanted


async def test_several_matchers_must_all_match(play):
    found = await alerts(play, filter=['service="warehouse"', 'severity!="critical"'])
    assert names(found) == ["ReplicaMissing", "TargetDown"]


@pytest.mark.parametrize(("param", "value"), [("filter", "nonsense"), ("filter", 'a=~"("'), ("receiver", "(")])
async def test_a_bad_query_is_a_bare_string(play, param, value):
    answer = await play.alertmanager.get("/api/v2/alerts", params={param: value})
    assert answer.status_code == 400
    assert isinstance(answer.json(), str)


async def test_the_status_tells_since_when_it_runs(play):
    status = (await play.alertmanager.get("/api/v2/status")).json()
    assert datetime.fromisoformat(status["uptime"]).timestamp() < play.clock.now - 86_400
    assert status["versionInfo"]["version"] == "0.25.0"
    assert status["config"]["original"]


async def test_an_alert_keeps_its_fingerprint_while_it_fires_and_vanishes_when_it_is_over(still):
    still.demo.world.act("fire_alert", "checkout")
    (alert,) = await alerts(still, filter='service="checkout"')
    still.turn(61)
    (later,) = await alerts(still, filter='service="checkout"')
    assert later["fingerprint"] == alert["fingerprint"]
    assert later["startsAt"] == alert["startsAt"]
    assert later["updatedAt"] > alert["updatedAt"]
    still.demo.world.act("resolve_alert", "checkout")
    assert await alerts(still, filter='service="checkout"') == []


async def test_an_escalated_alert_inhibits_the_warning(still):
    world = still.demo.world
    world.acts.fire(world.service("search"), "LatencyP99High", "warning", "{service} is slow", "x > 2")
    world.act("escalate_alert", "search")
    found = {a["labels"]["severity"]: a for a in await alerts(still, filter='service="search"')}
    assert found["warning"]["status"] == {
        "inhibitedBy": [found["critical"]["fingerprint"]], "silencedBy": [], "state": "suppressed",
    }  # fmt: skip
    assert found["critical"]["status"]["state"] == "active"


async def test_a_silence_lapses(still):
    still.demo.world.act("fire_alert", "checkout")
    still.demo.world.story.silence_alert(still.demo.world.alerts[-1], seconds=60)
    (alert,) = await alerts(still, filter='service="checkout"')
    assert alert["status"]["state"] == "suppressed"
    still.turn(61)
    (alert,) = await alerts(still, filter='service="checkout"')
    assert alert["status"]["state"] == "active"


async def test_what_is_not_there(play):
    missing = await play.alertmanager.get("/api/v2/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, 404)
    assert (await play.alertmanager.post("/api/v2/status")).status_code == 405
    assert (await play.alertmanager.get("/-/ready")).text == "OK"
