"""Lines for the deploy log: what may be said, and appending them whole."""

from __future__ import annotations

import json
import multiprocessing
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sources._shared.lines import FIELDS as READ
from sources._shared.lines import STATES as WORDS
from sources._shared.lines import entry_of
from statusboard.emitting import CIS, FIELDS, LONGEST, EmitError, Times, append, from_ci, line_of, lines_of
from statusboard.model import STATES

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GOING = {"queued", "blocked", "running", "pending", "open", "acknowledged", "in_progress"}
VALUES = {"state": "", "url": "https://ci.example/7", "severity": "high", "run_number": "7"}
VALUES |= dict.fromkeys(("started", "ended", "time", "committed"), "2026-01-02T03:04:05Z")


def line(kind: str, labels: dict[str, str] | None = None, **said: object) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(line_of(kind, said, labels or {}, NOW))
    return made


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_whatever_can_be_said_is_understood_by_the_source(kind: Any) -> None:
    for state in STATES[kind]:
        said = {name: VALUES.get(name, f"a {name}") for name in FIELDS[kind]} | {"state": state}
        unsaid = {"ended"} if state in GOING else set()
        said = {name: value for name, value in said.items() if name not in unsaid}
        entry = entry_of(line_of(kind, said, {}, NOW))
        assert entry.kind == kind and entry.labels == {}
        assert sorted(entry.fields) == sorted(READ[kind])
        assert {name for name in READ[kind] if not entry.fields[name]} == unsaid
        assert WORDS[kind].get(state, "unknown") == state


def test_a_line_says_when_and_what_and_its_labels() -> None:
    made = line("release", {"squad": "payments"}, service=" till ", version="1", state="success")
    assert made == {
        "kind": "release",
        "time": "2026-01-02T03:04:05Z",
        "service": "till",
        "version": "1",
        "state": "success",
        "squad": "payments",
    }


def test_what_is_set_is_done_unless_it_is_said_otherwise() -> None:
    assert line("release", service="till", setting="new-basket", version="on")["state"] == "success"
    assert line("release", setting="new-basket", state="failed")["state"] == "failed"


def test_an_incident_or_ticket_is_open_unless_it_is_said_otherwise() -> None:
    assert line("incident", title="x")["state"] == "open"
    assert line("ticket", title="x")["state"] == "open"


@pytest.mark.parametrize(
    ("kind", "said", "why"),
    [
        ("deploy", {}, "there is no kind `deploy`; it is one of release, build, incident, ticket"),
        ("release", {"state": "success"}, "one of service, version"),
        ("release", {"service": "x"}, "`state` is missing; it is one of blocked"),
        ("release", {"service": "x", "state": "ok"}, "`ok` is no state of a release; it is one of blocked"),
        ("incident", {"title": "x", "state": "firing"}, "`firing` is no state of an incident"),
        ("incident", {"title": "x", "severity": "P1"}, "`P1` is no severity; it is one of critical"),
        ("incident", {"title": "x", "version": "1"}, "an incident has no `version`; it has title"),
        ("release", {"service": "x", "state": "success", "started": "noon"}, "`started` is no time: noon; write 2026"),
        ("release", {"service": "x", "state": "success", "url": "javascript:x"}, "`url` is no http or https address"),
        ("release", {"service": "x", "state": "success", "url": "https://a:b@c.example"}, "without a password"),
        ("release", {"service": ["x"], "state": "success"}, "`service` is neither text nor a number"),
        ("build", {"pipeline": "x", "state": "success", "run_number": "x7"}, "`run_number` is no whole number: x7"),
        ("incident", {"title": ""}, "`title` is empty: say in it what happened"),
        ("incident", {"id": "db-1", "title": "  "}, "`title` is empty"),
        ("incident", {"title": "x", "ended": "-5m"}, "an incident that is `open`: say that its state is resolved"),
        ("release", {"service": "x", "state": "running", "ended": "-5m"}, "is success or failed, or no end"),
        (
            "incident",
            {"title": "x", "state": "resolved", "started": "2026-01-02T20:00Z", "ended": "2026-01-02T19:00Z"},
            "`ended` .2026-01-02T19:00Z. is before `started` .2026-01-02T20:00Z.: is it the other way round",
        ),
        ("ticket", {"title": "x" * LONGEST}, f"more than {LONGEST}"),
    ],
)
def test_what_cannot_be_said(kind: str, said: dict[str, object], why: str) -> None:
    with pytest.raises(EmitError, match=why):
        line_of(kind, said, {}, NOW)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("2026-01-02T03:00:00", "2026-01-02T03:00:00+01:00"),
        ("2026-07-02 03:00", "2026-07-02T03:00:00+02:00"),
        ("20260102T030000", "2026-01-02T03:00:00+01:00"),
        ("03:50", "2026-01-02T03:50:00+01:00"),
        ("-10m", "2026-01-02T03:54:05+01:00"),
        ("2026-01-02T03:00:00Z", "2026-01-02T03:00:00Z"),
        ("2026-01-02T03:00:00-05:00", "2026-01-02T03:00:00-05:00"),
        (1767319200, 1767319200),
    ],
)
def test_a_time_without_a_zone_is_that_of_the_machine_and_is_written_with_its_offset(said: Any, written: Any) -> None:
    times = Times(NOW, ZoneInfo("Europe/Berlin"))
    row = json.loads(line_of("incident", {"title": "x", "started": said}, {}, NOW, times))
    assert row["started"] == written and not times.notes


def test_what_a_time_of_day_leaves_open_is_said() -> None:
    times = Times(NOW, ZoneInfo("Europe/Berlin"))
    row = json.loads(line_of("incident", {"title": "x", "started": "23:50"}, {}, NOW, times))
    assert row["started"] == "2026-01-01T23:50:00+01:00"
    assert times.notes == ["started 23:50: yesterday: today it has not been that late"] and not times.zoneless


def test_lines_from_outside_without_a_zone_are_counted() -> None:
    times = Times(NOW, ZoneInfo("Europe/Berlin"))
    data = b'{"kind": "ticket", "title": "x", "time": "2026-01-02 03:00"}\n{"kind": "ticket", "title": "y"}'
    first, second = map(json.loads, lines_of(data, NOW, times))
    assert (first["time"], second["time"], times.zoneless) == ("2026-01-02T03:00:00+01:00", "2026-01-02T03:04:05Z", 1)


def test_what_is_over_may_say_from_when_to_when() -> None:
    made = line("incident", title="x", state="resolved", started="2026-01-02T19:00Z", ended="2026-01-02T20:00Z")
    assert (made["started"], made["ended"]) == ("2026-01-02T19:00Z", "2026-01-02T20:00Z")
    assert "ended" in line("incident", title="move", state="suppressed", ended="2026-01-02T20:00Z")


def test_a_label_cannot_pass_for_a_field() -> None:
    with pytest.raises(EmitError, match="`state` cannot be a label's name"):
        line_of("incident", {"title": "x"}, {"state": "resolved"}, NOW)


def test_lines_from_outside_are_checked_and_completed() -> None:
    data = b'{"service": "till", "state": "success", "squad": "payments"}\r\n\n{"kind": "ticket", "title": "x"}'
    first, second = map(json.loads, lines_of(data, NOW))
    assert first["kind"] == "release" and first["time"] == "2026-01-02T03:04:05Z" and first["squad"] == "payments"
    assert second["state"] == "open"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing came on standard input"),
        (b'{"service": "x", "state": "success"}\n{"service": "x"', "line 2: this is not JSON"),
        (b"[" * 8000, "line 1: this is not JSON"),
        (b"[1]", "line 1: this is no JSON object"),
        (b'{"kind": 7}', "line 1: there is no kind"),
        (b'{"service": "x", "state": "success", "more": {"a": 1}}', "line 1: `more` is neither text nor a number"),
        (b'{"service": "' + b"x" * LONGEST + b'"}', "line 1: it has"),
        (b"{}\n" * 1001, "1001 lines at once, more than 1000"),
    ],
)
def test_lines_from_outside_that_cannot_be(data: bytes, why: str) -> None:
    with pytest.raises(EmitError, match=why):
        lines_of(data, NOW)


# -- appending ---------------------------------------------------------------------------------------------------------


def _write(path: str, name: str) -> None:
    for number in range(200):
        append(
            Path(path), [line_of("release", {"service": name * 200, "version": number, "state": "success"}, {}, NOW)]
        )


def test_many_writers_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    log = tmp_path / "deploys.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(log), name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    told = [(row["service"][0], row["version"]) for row in map(json.loads, log.read_text().splitlines())]
    assert sorted(told) == [(name, number) for name in "abcd" for number in range(200)]
    assert all([n for who, n in told if who == name] == list(range(200)) for name in "abcd")


def test_a_line_that_somebody_did_not_finish_does_not_spoil_the_next(tmp_path: Path) -> None:
    log = tmp_path / "deploys.jsonl"
    log.write_bytes(b'{"service": "cut o')
    append(log, [b'{"service": "x"}\n'])
    assert log.read_bytes() == b'{"service": "cut o\n{"service": "x"}\n'


def test_a_log_that_was_rotated_away_while_we_waited_is_left_alone(tmp_path: Path) -> None:
    import fcntl
    import threading

    log = tmp_path / "deploys.jsonl"
    log.write_bytes(b"old\n")
    with log.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(target=append, args=(log, [b"new\n"]))
        writer.start()
        log.rename(tmp_path / "deploys.jsonl.1")
        fcntl.flock(held, fcntl.LOCK_UN)
        writer.join(30)
    assert not writer.is_alive()
    written = log.read_bytes() if log.exists() else b""
    # Whether it waited for the lock or came later: the line is whole, in one file only, and never lost.
    assert ((tmp_path / "deploys.jsonl.1").read_bytes() + written).count(b"new\n") == 1
    assert written == b"new\n"


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(EmitError, match="cannot be written: is a directory"):
        append(tmp_path, [b"x\n"])
    with pytest.raises(EmitError, match="no such file or directory"):
        append(tmp_path / "nowhere" / "log", [b"x\n"])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_told() -> None:
    with pytest.raises(EmitError, match="/dev/full cannot be written: no space left on device"):
        append(Path("/dev/full"), [b"x\n"])


# -- what a CI says ----------------------------------------------------------------------------------------------------


def test_github_actions() -> None:
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SHA": "abc",
        "GITHUB_ACTOR": "ann",
        "GITHUB_REPOSITORY": "acme/till",
        "GITHUB_REF_NAME": "main",
        "GITHUB_HEAD_REF": "",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "77",
        "GITHUB_RUN_NUMBER": "7",
        "GITHUB_WORKFLOW": "Ship",
    }
    url = "https://github.com/acme/till/actions/runs/77"
    common = {"revision": "abc", "actor": "ann", "repository": "acme/till", "url": url}
    assert from_ci("release", environ) == common
    assert from_ci("build", environ) == {**common, "branch": "main", "pipeline": "Ship", "run_number": "7"}
    assert from_ci("incident", environ) == {"actor": "ann", "repository": "acme/till", "url": url}


@pytest.mark.parametrize("ci", sorted(CIS))
@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_whatever_a_ci_says_makes_a_good_line(ci: str, kind: str) -> None:
    names = {name for texts in CIS[ci].values() for text in texts for name in _names(text)}
    environ = dict.fromkeys(names, "7") | {ci: "1"}
    for name in names:
        if name.endswith(("_URL", "_LINK", "URI")):
            environ[name] = "https://ci.example/"
    said = from_ci(kind, environ)
    own = {"service": "x", "state": "success"} if kind == "release" else {"title": "x"}
    line_of(kind, {**own, **({"state": "failed"} if kind == "build" else {}), **said}, {}, NOW)
    assert said or ci == "TEAMCITY_VERSION"
    assert all(name in FIELDS[kind] for name in said)  # type: ignore[index]


def _names(text: str) -> list[str]:
    import string

    return [name for _, name, _, _ in string.Formatter().parse(text) if name]


def test_what_is_missing_or_odd_is_not_said() -> None:
    assert from_ci("build", {"JENKINS_URL": "x", "BUILD_NUMBER": "1.4", "BUILD_URL": "javascript:x"}) == {}
    with pytest.raises(EmitError, match="this is no CI that is known"):
        from_ci("release", {"CI": "true"})
