"""``trust``: what a folder's configuration would do is shown, and it is used only when a person said yes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.kit import Home

CONFIG = """
include: team.yaml
sources:
  - {type: github, name: gh, repos: [acme/x], url: "https://ghe.example.com/api/v3", token: "keyring:github",
     tls: {verify: false}}
  - {type: deploy-log, name: deploys, path: /var/log/deploys.jsonl}
"""


@pytest.fixture
def local(home: Home) -> Path:
    del home.env["STATUSBOARD_CONFIG"]
    (home.folder / "team.yaml").write_text("services: {checkout: {team: payments}}\n")
    file = home.folder / "statusboard.yaml"
    file.write_text(CONFIG)
    return file


def test_what_matters_is_shown_and_then_it_is_used(home: Home, local: Path) -> None:
    before = home.run("show")
    assert before.code == 2 and "is not trusted yet" in before.err
    result = home.run("trust", "--yes")
    assert result.code == 0
    for told in (
        str(local),
        "team.yaml",
        "https://ghe.example.com/api/v3",
        "SENDS the secrets keyring:github",
        "NOT check who answers",
        "/var/log/deploys.jsonl",
        "trusted;",
    ):
        assert told in result.out, told
    assert "not trusted" not in home.run("check", "deploys").err
    assert "trusted already" in home.run("trust").out


def test_a_change_ends_trust_and_forget_does(home: Home, local: Path) -> None:
    assert home.run("trust", "-y").code == 0
    (home.folder / "team.yaml").write_text("services: {checkout: {team: others}}\n")
    assert "has changed since it was trusted" in home.run("show").err
    assert "has changed since" in home.run("trust", "-y").out
    assert home.run("trust", "--forget").code == 0
    assert "is not trusted yet" in home.run("show").err
    assert "nothing to forget" in home.run("trust", "--forget").out


def test_without_anybody_to_ask_nothing_is_trusted(home: Home, local: Path) -> None:
    result = home.run("trust")
    assert result.code == 2 and "--yes" in result.err
    assert "SENDS" in result.out, "but what it would do is shown"
    assert "is not trusted yet" in home.run("show").err


@pytest.mark.parametrize(
    "text, told",
    [("sources: [", "config"), ("", "the file is empty"), ("views: []", "no sources"), (None, "statusboard.yaml")],
)
def test_what_cannot_be_used_cannot_be_trusted(text: str | None, told: str, home: Home, local: Path) -> None:
    local.unlink()
    if text is not None:
        local.write_text(text)
    result = home.run("trust", "--yes")
    assert result.code == 2 and told in result.err
    assert "trusted;" not in result.out


def test_another_folder_or_file(home: Home, local: Path, tmp_path: Path) -> None:
    other = home.folder / "other"
    other.mkdir()
    (other / "statusboard.yaml").write_text("sources: [{type: deploy-log, name: d, path: x}]\n")
    assert home.run("trust", "--yes", str(other)).code == 0
    assert "trusted already" in home.run("trust", str(other / "statusboard.yaml")).out
    assert "is not trusted yet" in home.run("show").err, "this folder's is another"


def test_hostile_names_are_shown_as_plain_text(home: Home, local: Path) -> None:
    local.write_text('sources: [{type: deploy-log, name: d, path: "/tmp/\\e[2J\\u202Ex"}]\n')
    result = home.run("trust", "--yes")
    assert "\x1b" not in result.out + result.err and "\u202e" not in result.out + result.err
