"""What the sources that read hosts and services share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sources._shared.checks import PROVEN, Check, Remark, Sight, Texts, flag, incident_of, newest, number
from sources.alertmanager import Alertmanager
from statusboard.errors import NotFound
from statusboard.model import Incident
from statusboard.testing import make_source

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ONE = datetime(2026, 1, 2, 13, tzinfo=UTC)


def incident(texts: Texts | None = None, **fields: Any) -> Incident | None:
    source = make_source(Alertmanager, {"url": "https://x.example", "name": "mon"})
    check = Check(**{"host": "web01", "service": "disk", "state": "CRITICAL", "raw": "2", **fields})
    return incident_of(source, check, texts or Texts())


def test_a_check_as_an_incident() -> None:
    found = incident(
        host_title="Web 1", title="Disk", output="97% used", details="more", since=NOON, changed=ONE, url="https://w/1",
        links={"notes": "https://w/2"}, labels={"hostgroups": "web", "none": ""}, flapping=True,
    )  # fmt: skip
    assert found == Incident(
        key="mon:incident:web01!disk",
        source="mon",
        title="Web 1: Disk",
        reason="97% used",
        description="more",
        state="open",
        raw_state="CRITICAL",
        severity="critical",
        target="web01",
        started_at=NOON,
        updated_at=ONE,
        url="https://w/1",
        links={"notes": "https://w/2"},
        labels={"host": "web01", "check": "disk", "hostgroups": "web", "flapping": "yes"},
    )


@pytest.mark.parametrize("state", ["OK", "UP"])
def test_what_is_well_is_no_incident(state: str) -> None:
    assert incident(state=state) is None


@pytest.mark.parametrize(
    "fields,state",
    [
        ({}, "open"),
        ({"soft": True}, "pending"),
        ({"soft": True, "acknowledged": True}, "acknowledged"),
        ({"acknowledged": True, "in_downtime": True}, "suppressed"),
        ({"downtimes": (Remark(),)}, "suppressed"),
        ({"state": "", "in_downtime": True}, "unknown"),
    ],
)
def test_states(fields: dict[str, Any], state: str) -> None:
    found = incident(**fields)
    assert found is not None
    assert found.state == state


@pytest.mark.parametrize(
    "state,severity",
    [("DOWN", "critical"), ("UNREACHABLE", "medium"), ("WARNING", "medium"), ("UNKNOWN", "medium"), ("", "unknown")],
)
def test_severities(state: str, severity: str) -> None:
    found = incident(state=state)
    assert found is not None
    assert found.severity == severity
    assert found.raw_state == (state or "2")


def test_a_failure_of_a_host_that_is_down_is_secondary_and_stays_in_sight() -> None:
    found = incident(host_state="DOWN", output="no answer", soft=True)
    assert found is not None
    assert (found.state, found.reason) == ("pending", "its host web01 is down; no answer")
    assert (found.labels["host_state"], found.labels["state_type"]) == ("down", "soft")
    host = incident(service="", state="DOWN", host_state="DOWN")
    assert host is not None
    assert (host.key, host.title, host.reason) == ("mon:incident:web01", "web01", "")
    assert host.labels == {"host": "web01"}


def test_downtimes_say_by_whom_and_until_when() -> None:
    ann, bob = Remark(author="ann", text="move", until=NOON), Remark(author="bob", until=ONE)
    both = incident(downtimes=(bob, ann))
    assert both is not None
    assert (both.suppressed_by, both.suppressed_until) == ("downtime by ann: move; downtime by bob", ONE)
    endless = incident(downtimes=(ann, Remark(author="eve")))
    assert endless is not None
    assert endless.suppressed_until is None
    unnamed = incident(in_downtime=True)
    assert unnamed is not None
    assert (unnamed.suppressed_by, unnamed.suppressed_until) == ("downtime", None)


def test_who_acknowledged_is_told_only_while_it_is() -> None:
    remark = Remark(author="ann", text="on it", at=NOON)
    found = incident(acknowledged=True, acknowledgement=remark)
    assert found is not None
    assert (found.acknowledged_by, found.acknowledged_at) == ("ann", NOON)
    former = incident(acknowledgement=remark)
    assert former is not None
    assert (former.acknowledged_by, former.acknowledged_at) == ("", None)


def test_new_numbers_are_no_news() -> None:
    texts = Texts()
    first = incident(texts, output="97% used")
    assert first == incident(texts, output="98% used")
    texts.keep(frozenset())
    assert first != incident(texts, output="98% used")


def test_an_account_that_sees_nothing_is_a_fault() -> None:
    sight = Sight()
    assert sight.must_ask("host", False, 0)
    with pytest.raises(NotFound, match="no host is visible"):
        sight.told("host", 0, 0, "look")
    assert sight.must_ask("host", False, 1)
    sight.told("host", 3, 2, "look")
    assert not sight.must_ask("host", False, 2 + PROVEN - 1)
    assert sight.must_ask("service", False, 2)
    assert sight.must_ask("host", False, 2 + PROVEN)
    assert not sight.must_ask("host", True, 2 + PROVEN)  # problems are proof enough


@pytest.mark.parametrize(
    "value,count",
    [(1, 1), (1.0, 1), ("1", 1), ("1.0", 1), (" 2 ", 2), (1.5, None), (True, None), (None, None), ("x", None),
     ([], None), (float("nan"), None), ("inf", None), (1e300, int(1e300))],
)  # fmt: skip
def test_numbers(value: object, count: int | None) -> None:
    assert number(value) == count


@pytest.mark.parametrize(
    "value,yes",
    [(True, True), (False, False), (1, True), (0, False), ("1", True), ("0", False), ("True", True), ("no", False),
     (None, False), (2.0, True)],
)  # fmt: skip
def test_flags(value: object, yes: bool) -> None:
    assert flag(value) is yes


def test_the_newest_of_times() -> None:
    assert newest(None, ONE, NOON) == ONE
    assert newest(None) is None
