"""``notices:`` of a config: what it becomes, and where it is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from statusboard.config import schema
from statusboard.noticing.options import BY_DEFAULT, NoticesOptions, QuietOptions
from statusboard.query import parse
from tests.config.sources import REGISTRY, Home

SOURCES = "sources: [{type: ci, name: gh, repos: acme/x, token: 'env:CI_TOKEN'}]\n"
GOOD = (
    SOURCES
    + """
notices:
  quiet: {from: "22:00", to: 07:00, except: "severity:critical"}
  at_most: 8
  terminal: osc9
  rules:
    - {when: "kind:incident severity:>=high", on: [opened, resolved], by: [bell, terminal, desktop]}
    - {when: "kind:build team:payments", on: failed, by: command, command: [notify-me, "{title}: {url}"]}
    - {on: blind, by: visual}
"""
)


def test_rules_quiet_hours_and_ways(home: Home):
    notices = home.load(GOOD, check_filter=parse).notices
    assert notices.quiet == QuietOptions(from_="22:00", to="07:00", except_="severity:critical")
    assert (notices.at_most, notices.terminal, notices.tmux, notices.walls) == (8, "osc9", False, False)
    first, second, third = notices.rules
    assert (first.when, first.on, first.by) == (
        "kind:incident severity:>=high",
        ("opened", "resolved"),
        ("bell", "terminal", "desktop"),
    )
    assert (second.on, second.by, second.command) == (("failed",), ("command",), ("notify-me", "{title}: {url}"))
    assert third.when == ""


@pytest.mark.parametrize("text", ["", "notices:\n", "notices: {}\n", "notices: {quiet: , at_most: 5}\n"])
def test_without_rules_new_incidents_are_told_on_the_screen(home: Home, text: str):
    assert home.load(SOURCES + text).notices == NoticesOptions()
    assert [rule.by for rule in BY_DEFAULT] == [("visual",)]


def test_no_rules_are_rules_too(home: Home):
    assert home.load(SOURCES + "notices: {rules: []}").notices.rules == ()


def test_what_commands_must_not_see_is_known(home: Home):
    assert home.load(GOOD).secret_variables == ("CI_TOKEN",)


RULE = "notices: {rules: [{on: [opened], by: [bell]%s}]}"
COMMAND = "notices: {rules: [{on: [opened], by: [command]%s}]}"


@pytest.mark.parametrize(
    "text, path, message, hint",
    [
        ("notices: [a]", "notices", "a list, where a mapping is wanted", ""),
        ("notices: {rule: []}", "notices", "unknown key `rule`", "did you mean `rules`?"),
        ("notices: {at_most: 0}", "notices.at_most", ">= 1", ""),
        ("notices: {terminal: 9}", "notices.terminal", "`9` is not one of auto, osc9", ""),
        ("notices: {quiet: {from: '22:00'}}", "notices.quiet", "`to` is missing", "07:00"),
        ("notices: {quiet: {from: '25:00', to: '07:00'}}", "notices.quiet.from", "no time of day", ""),
        ("notices: {quiet: {from: '22:00', to: 7}}", "notices.quiet.to", "no time of day", ""),
        ("notices: {quiet: {from: '22:00', to: '22:00'}}", "notices.quiet.to", "the same as `from`", ""),
        ("notices: {rules: [{by: [bell]}]}", "notices.rules[0]", "`on` is missing", "become"),
        ("notices: {rules: [{on: [opened]}]}", "notices.rules[0]", "`by` is missing", "told"),
        ("notices: {rules: [{on: [], by: [bell]}]}", "notices.rules[0].on", "`on` is empty", ""),
        ("notices: {rules: [{on: [fired], by: [bell]}]}", "notices.rules[0].on[0]", "`fired` is not one of", ""),
        ("notices: {rules: [{on: [opend], by: [bell]}]}", "notices.rules[0].on[0]", "", "did you mean `opened`?"),
        ("notices: {rules: [{on: [opened], by: [mail]}]}", "notices.rules[0].by[0]", "`mail` is not one of", ""),
        (RULE % ", command: [x]", "notices.rules[0].command", "`by` does not name it", ""),
        (COMMAND % "", "notices.rules[0]", "there is none", ""),
        (COMMAND % ", command: []", "notices.rules[0].by", "there is none", ""),
        (COMMAND % ", command: notify-me now", "notices.rules[0].command", "split by no shell", ""),
        (COMMAND % ", command: [a, '{titel}']", "notices.rules[0].command", "{titel}, which stands for nothing", ""),
        (COMMAND % ", command: ['{title}']", "notices.rules[0].command", "must name its program itself", ""),
        (COMMAND % ", command: [sh, -c, 'say {title}']", "notices.rules[0].command", "would run {title} as code", ""),
        (COMMAND % ", command: [env, /bin/bash, -xec, '{url}']", "notices.rules[0].command", "{url} as code", ""),
    ],
)
def test_what_is_wrong_is_named(home: Home, text: str, path: str, message: str, hint: str):
    problem = home.problem(SOURCES + text)
    assert problem.line == 2 and problem.file == str(home.main)
    assert problem.path.startswith(path) or path.startswith(problem.path)
    assert message in problem.message and hint in problem.hint


@pytest.mark.parametrize(
    "text, path",
    [
        ("notices: {rules: [{when: 'kind:foo', on: [opened], by: [bell]}]}", "notices.rules[0].when"),
        ("notices: {rules: {when: 'kind:foo', on: [opened], by: [bell]}}", "notices.rules[0].when"),
        ("notices: {quiet: {from: '22:00', to: '07:00', except: 'severty:high'}}", "notices.quiet.except"),
    ],
)
def test_a_filter_that_does_not_parse_is_named_with_its_place(home: Home, text: str, path: str):
    problem = home.problem(SOURCES + text, check_filter=parse)
    assert problem.path == path and "the filter does not parse" in problem.message
    shown = (SOURCES + text).splitlines()[problem.line - 1][problem.column - 1 :]
    assert shown.startswith(("foo", "severty"))


def test_an_include_may_not_hold_them(home: Home):
    home.write("notices: {rules: [{on: [opened], by: [command], command: [evil]}]}", "team.yaml")
    problem = home.problem("include: team.yaml\n" + SOURCES)
    assert "an included file cannot hold `notices`" in problem.message and problem.file.endswith("team.yaml")


def test_editors_know_them():
    notices: dict[str, Any] = schema(REGISTRY)["properties"]["notices"]["properties"]
    rule = notices["rules"]["anyOf"][0]["items"]
    assert set(rule["required"]) == {"on", "by"} and rule["additionalProperties"] is False
    assert set(notices["quiet"]["properties"]) == {"from", "to", "except"}
    assert notices["at_most"]["default"] == 5
