"""``goals:`` of a config, and every mistake in it with its place."""

from __future__ import annotations

import pytest

from statusboard.config import schema
from statusboard.metrics import EXAMPLES, METRICS, goals_of
from tests.config.sources import REGISTRY, Home

HEAD = """
board: {store: /somewhere/acme.sqlite}
services: {checkout: {team: payments}}
"""


def problem(home: Home, text: str) -> str:
    return str(home.problem(HEAD + text))


@pytest.mark.parametrize("text", ["", "goals:\n", "goals: {}\n", "goals: {payments: {}}\n"])
def test_without_goals_there_are_none(home: Home, text: str):
    assert goals_of(home.load(HEAD + text).goals) == ()


def test_a_whole_section(home: Home):
    text = 'goals: {payments: {change_fail_rate: <= 15%, deployment_frequency: ">= 1/day", change_lead_time: 2d}}\n'
    config = home.load(HEAD + text)
    assert [(g.team, g.metric, g.text) for g in goals_of(config.goals)] == [
        ("payments", "change_fail_rate", "<= 15%"),
        ("payments", "deployment_frequency", ">= 1/day"),
        ("payments", "lead_time", "<= 2d"),
    ]
    assert not config.warnings


def test_each_number_has_an_example_that_is_right(home: Home):
    text = "".join(f'    {metric}: "{EXAMPLES[metric]}"\n' for metric in METRICS)
    goals = goals_of(home.load(f"{HEAD}goals:\n  payments:\n{text}").goals)
    assert [(goal.metric, goal.text) for goal in goals] == list(EXAMPLES.items())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'change_fail_rate: "<= 15"',
            "config.yaml:6: goals.payments.change_fail_rate: `15` has no unit; change_fail_rate is a share in per cent "
            "(such as `<= 15%`, in quotes)",
        ),
        ("change_fail_rate: 0.15", "`0.15` has no unit; change_fail_rate is a share in per cent"),
        ("change_fail_rate: 2d", "`2d` is a length of time with its unit; change_fail_rate is a share in per cent"),
        ("change_fail_rate: 120%", "a share is at most 100%"),
        ('change_fail_rate: ">= 15%"', "change_fail_rate is better the lower it is; this asks for the opposite (write"),
        (
            "lead_time: 15%",
            "`15%` is a share in per cent; lead_time is a length of time with its unit (such",
        ),
        ("lead_time: 2", "`2` has no unit; lead_time is a length of time with its unit (such as `<= 2h`"),
        ("lead_time: soon", "`soon` is not a length of time with its unit"),
        (
            "deployment_frequency: 1d",
            "`1d` is a length of time with its unit; deployment_frequency is so many",
        ),
        ("deployment_frequency: 5", "`5` has no unit; deployment_frequency is so many in a time (such as `>= 5/day`"),
        ("deployment_frequency: <= 1/day", "deployment_frequency is better the higher it is"),
        ("recovery_time: '<='", "there is no value"),
        ("recovery_time: [1h]", "this is a list, where a goal is wanted"),
        ("recovery_time:", "where a goal is wanted"),
        ("change_failure_rate: 15%", "there is no number `change_failure_rate` (did you mean `change_fail_rate`?)"),
        ("mttr: 1h", "there is no number `mttr` (known are: lead_time, deployment_frequency, recovery_time"),
        ("lead_time: 1d\n    change_lead_time: 2d", "`change_lead_time` is the same number as `lead_time` (keep one)"),
        ("lead_time: >= 1d", "a text that begins with `>` or `|` must be in quotes (such as"),
    ],
)
def test_a_goal_that_cannot_be_meant_says_what_would_be_right(home: Home, text: str, told: str):
    assert told in problem(home, f"goals:\n  payments:\n    {text}\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("goals: <= 15%", "goals: this is text, where a mapping is wanted (write `TEAM: {change_fail_rate"),
        ('goals: {change_fail_rate: "<= 15%"}', "`change_fail_rate` is a number; goals belong to a team"),
        ("goals: {payments: fast}", "goals.payments: this is text, where a mapping is wanted"),
    ],
)
def test_goals_belong_to_a_team(home: Home, text: str, told: str):
    assert told in problem(home, text + "\n")


def test_a_team_that_nothing_names_is_doubtful(home: Home):
    (warning,) = home.load(HEAD + "goals: {paiments: {lead_time: 1d}}\n").warnings
    assert "no service and no source is of the team `paiments` (did you mean `payments`?)" in str(warning)


def test_a_teams_own_file_may_hold_its_goals(home: Home):
    home.write("goals: {payments: {lead_time: 1d}}\n", "teams.yaml")
    assert home.load(HEAD + "include: teams.yaml\n").goals == {"payments": {"lead_time": "1d"}}
    told = problem(home, "include: teams.yaml\ngoals: {payments: {lead_time: 1d}}\n")
    assert "teams.yaml:1: goals.payments: the goals of `payments` are in another file already" in told


def test_the_schema_knows_them():
    team = schema(REGISTRY)["properties"]["goals"]["additionalProperties"]["properties"]
    assert set(METRICS) < set(team) and team["lead_time"]["examples"] == ["<= 2d"]
