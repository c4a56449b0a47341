"""The form of a first source without a screen, and a trial in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from statusboard.setup.checking import CredentialFinding, PartFinding, SourceFinding
from statusboard.setup.detecting import Surroundings
from statusboard.setup.forming import Form
from statusboard.setup.proposing import SourceDraft
from statusboard.setup.telling import told
from tests.app.welcoming import FOUND, KNOWN, SECRET

# -- the form without a screen


def form(tmp_path: Path, like: SourceDraft | None = None, **more: Any) -> Form:
    return Form(KNOWN, "lamp", Surroundings(), like=like, folder=tmp_path, **more)


def test_answers_become_a_draft(tmp_path):
    one = form(tmp_path, taken=["lamp"])
    assert [field.name for field in one.fields] == ["name", "rooms", "file", "token"]
    assert one.fields[0].value == "lamp-2" and one.fields[1].needed and one.fields[3].secret
    draft, complaints = one.draft(
        {"name": "x", "rooms": "hall, attic", "file": "lamps.txt", "token": "file:secrets/lamp"}
    )
    assert complaints == []
    assert draft == SourceDraft(
        type="lamp",
        name="x",
        options={
            "rooms": ["hall", "attic"],
            "file": str(tmp_path / "lamps.txt"),
            "token": f"file:{tmp_path / 'secrets/lamp'}",
        },
    )


@pytest.mark.parametrize(
    "answers, wrong",
    [
        ({"rooms": "hall"}, "name"),
        ({"name": "x"}, "rooms"),
        ({"name": "x", "rooms": "hall", "token": SECRET}, "token"),
        ({"name": "x", "rooms": "hall", "token": "env:not a name"}, "token"),
        ({"name": "two words", "rooms": "hall"}, "name"),
    ],
)
def test_wrong_answers_are_told_at_their_field(tmp_path, answers, wrong):
    draft, complaints = form(tmp_path).draft(answers)
    assert [complaint.field for complaint in complaints] == [wrong]
    assert SECRET not in repr((draft, complaints))


def test_what_was_found_stands_there_and_a_variable_only_if_it_is_set(tmp_path):
    seen = Surroundings(variables={"lamp": {"token": "LAMP_TOKEN"}})
    found = Form(KNOWN, "lamp", seen, like=FOUND, folder=tmp_path)
    assert {field.name: field.value for field in found.fields}["token"] == "env:LAMP_TOKEN"
    unset = form(tmp_path, like=FOUND)
    assert {field.name: field.value for field in unset.fields}["token"] == ""


# -- a trial in words


def finding(**more: Any) -> SourceFinding:
    values: dict[str, Any] = {
        "name": "gh",
        "type": "github",
        "url": "https://api.example",
        "verdict": "ok",
        "reachable": True,
        "error": "",
        "seconds": 0.84,
        "interval": 30.0,
        "credentials": (),
        "parts": (),
        "items": {"build": 12, "release": 1},
        "left_out": (),
        "budget": None,
        "requests": 4,
        "requests_per_hour": 480,
        "clock_offset": None,
        "beats": (),
        "missing_beats": (),
        **more,
    }
    return SourceFinding(**values)


def test_what_was_read_and_what_it_costs():
    assert told(finding()) == [
        ("OK: read 12 builds, 1 release in 0.8 s", "success"),
        ("4 requests; at most 480 an hour, every 30s", "muted"),
    ]


def test_what_was_read_in_part_names_the_parts_and_is_no_success():
    parts = [PartFinding(part=f"acme/{n}", kind="build", error=f"404 [/x] {n}") for n in range(7)]
    lines = told(finding(verdict="partial", parts=tuple(parts), hint="a right is missing", needs="Actions: read"))
    assert lines[0] == ("PARTIAL: read 12 builds, 1 release in 0.8 s, but not all", "warning")
    assert ("acme/0: 404 [/x] 0", "warning") in lines and ("and 2 more parts that were not read", "warning") in lines
    assert ("It may be: a right is missing", "") in lines and ("It needs: Actions: read", "") in lines
    assert not any(style == "success" for _, style in lines)


def test_a_failure_is_told_once_with_the_way_on():
    missing = CredentialFinding(option="token", reference="env:X", error="this environment variable is not set")
    lines = told(
        finding(
            verdict="failed",
            items={},
            error="env:X: this environment variable is not set",
            credentials=(missing,),
            reachable=None,
        )
    )
    assert [text for text, _ in lines] == [
        "FAILED: env:X: this environment variable is not set",
        "How to set it up: statusboard sources github",
    ]
    unreachable = told(finding(verdict="failed", items={}, error="no connection", reachable=False))
    assert any("Nothing answers there" in text for text, _ in unreachable)
    lines = told(
        finding(
            type="deploy-log", url="", verdict="failed", items={}, error="/x: there is no such file", reachable=False
        )
    )
    assert [text for text, _ in lines] == [
        "FAILED: /x: there is no such file",
        "How to set it up: statusboard sources deploy-log",
    ]


def test_what_would_look_wrong_later_is_told_now():
    lines = told(finding(clock_offset=-120.0, left_out=("acme: no title",), missing_beats=("Watchdog",)))
    assert ("its clock is 120 s behind ours: ages will look wrong", "warning") in lines
    assert ("1 item left out: acme: no title", "warning") in lines
    assert ("heartbeat Watchdog is missing", "warning") in lines
