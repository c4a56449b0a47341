"""``statusboard digest``: what whoever takes over must know, as text, as Markdown, as JSON."""

from __future__ import annotations

from typing import Any

from tests.boards import health, incident, release
from tests.cli.kit import Home
from tests.cli.test_past import ago, lived

CONFIG = """
board: {timezone: UTC}
services: {checkout: {team: payments, match: {name: [checkout]}}, search: {team: discovery, match: {name: [search]}}}
sources: [{type: deploy-log, name: deploys, path: /nowhere}]
"""


def night(home: Home, goals: str = "") -> None:
    """A release, what it broke, and something else's end."""
    home.config.write_text(CONFIG + goals)
    checkout: dict[str, Any] = {"services": ("checkout",), "team": "payments", "environment": "production"}
    search: dict[str, Any] = {"services": ("search",), "team": "discovery", "environment": "production"}
    shipped = release(1, "success", version="v1.4.2", started_at=ago(100), ended_at=ago(95), **checkout)
    broke = incident(1, "open", title="Errors [b]rise[/b]", severity="critical", started_at=ago(91), **checkout)
    slow = incident(2, "open", title="Slow", severity="low", started_at=ago(200), **search)
    over = incident(2, "resolved", title="Slow", severity="low", started_at=ago(200), ended_at=ago(20), **search)
    lived(
        home,
        (600, [health("am", interval=3600.0, last_success=ago(600))]),
        (199, [slow]),
        (95, [shipped]),
        (90, [broke]),
        (20, [over]),
        (1, []),
        watched=("am",),
    )


def test_text_tells_what_is_open_since_when_and_after_what(home: Home) -> None:
    night(home)
    result = home.run("digest")
    assert result.code == 0
    assert "Incidents: 2 opened, 1 resolved, 1 still open\n" in result.out
    assert "Releases: 1 release to production" in result.out
    assert " open critical  checkout  Errors [b]rise[/b]" in result.out
    assert "suspect checkout v1.4.2" in result.out
    assert "Resolved: 1" in result.out and "low  search  Slow" in result.out
    assert "Goals" not in result.out


def test_into_a_pipe_texts_are_whole(home: Home) -> None:
    night(home)
    title = "a title that is told in full " * 4 + "to its very end"
    lived(home, (0.5, [incident(3, "open", title=title, services=("search",), started_at=ago(1))]))
    assert title in home.run("digest").out
    home.env["COLUMNS"] = "100"
    assert all(len(line) <= 100 for line in home.run("digest").out.splitlines())


def test_a_shorter_time_tells_less(home: Home) -> None:
    night(home)
    result = home.run("digest", "--since", "1h")
    assert "0 opened, 1 resolved, 1 still open" in result.out
    assert "Releases: 0 releases to production" in result.out


def test_markdown_is_for_a_chat(home: Home) -> None:
    night(home)
    out = home.run("digest", "--markdown").out
    assert out.startswith("**Hand-over, all teams")
    assert r"Errors \[b\]rise\[/b\]" in out
    assert "\n- " in out and "\n  - suspect" in out


def test_json_is_for_scripts_and_tells_times_in_utc(home: Home) -> None:
    night(home, "goals: {payments: {change_fail_rate: '<= 15%'}}\n")
    told = home.run("digest", "--json", "--since", "6h").json
    assert told["schema"] == 1 and told["since"].endswith("Z") and told["team"] is None
    (opened,) = told["still_open"]
    assert (opened["severity"], opened["team"], opened["new"]) == ("critical", "payments", True)
    suspect = opened["suspects"][0]
    assert suspect["points"] == sum(reason["points"] for reason in suspect["reasons"])
    assert [each["version"] for each in told["releases"]] == ["v1.4.2"]
    assert told["goals"][0]["metric"] == "change_fail_rate"


def test_a_team_is_told_of_its_own(home: Home) -> None:
    night(home)
    told = home.run("digest", "--team", "Discovery", "--json").json
    assert told["team"] == "discovery"
    assert (told["still_open"], told["releases"]) == ([], [])
    assert [each["title"] for each in told["resolved"]] == ["Slow"]


def test_a_team_that_is_not_there_is_refused_since_nothing_would_look_well(home: Home) -> None:
    night(home)
    result = home.run("digest", "--team", "paymets")
    assert result.code == 2
    assert "there is no team `paymets`; did you mean `payments`?" in result.err


def test_what_cannot_be_asked_is_said(home: Home) -> None:
    night(home)
    assert home.run("digest", "--markdown", "--json").code == 2
    assert "--since" in home.run("digest", "--since", "tomorrow-ish").err
    result = home.run("digest", "--since", "2190-01-01")
    assert (result.code, "is not before now" in result.err) == (2, True)


def test_without_a_history_it_says_so(home: Home) -> None:
    home.config.write_text(CONFIG)
    result = home.run("digest")
    assert result.code != 0
    assert "no history" in result.err
    assert result.out == ""
