"""``init``: from git remotes, and from answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from statusboard.cli._proposing import (
    Remote,
    SourceDraft,
    api_url,
    config_text,
    parse_remote,
    parse_remotes,
    propose,
)
from statusboard.cli.init import check_text, interview
from statusboard.registry import Registry
from tests.cli.kit import Home

INSTALLED = Registry.installed()


@pytest.mark.parametrize(
    "url, remote",
    [
        ("https://github.com/acme/checkout.git", Remote("github.com", "acme/checkout")),
        ("https://github.com/acme/checkout", Remote("github.com", "acme/checkout")),
        ("https://github.com/acme/checkout/", Remote("github.com", "acme/checkout")),
        ("https://me:s3cr3t@github.com/acme/checkout.git", Remote("github.com", "acme/checkout")),
        ("git@github.com:acme/checkout.git", Remote("github.com", "acme/checkout")),
        ("github.com:acme/checkout", Remote("github.com", "acme/checkout")),
        ("ssh://git@GitHub.com:22/acme/checkout.git", Remote("github.com", "acme/checkout")),
        ("ssh://git@ssh.github.com:443/acme/checkout.git", Remote("github.com", "acme/checkout")),
        ("git://github.com/acme/che.ck-out.git", Remote("github.com", "acme/che.ck-out")),
        ("git+ssh://git@ghe.example.com/team/x", Remote("ghe.example.com", "team/x")),
        ("https://ghe.example.com:8443/team/x.git", Remote("ghe.example.com:8443", "team/x")),
        ("https://gitlab.com/group/sub/x.git", Remote("gitlab.com", "group/sub/x")),
        ("/srv/git/checkout.git", None),
        ("../checkout", None),
        ("file:///srv/git/checkout.git", None),
        ("https://github.com/", None),
        ("https://[::1/x", None),
        ("https://github.com/acme/che\x1b[31mckout", None),
        ("C:\\repos\\checkout", None),
        ("", None),
    ],
)
def test_a_remote_in_any_of_its_forms(url: str, remote: Remote | None) -> None:
    assert parse_remote(url) == remote


def test_what_git_prints() -> None:
    listing = (
        "origin\tgit@github.com:me/checkout.git (fetch)\norigin\tgit@github.com:me/checkout.git (push)\n"
        "up stream\thttps://github.com/acme/checkout (fetch) [blob:none]\nlocal\t/srv/x (fetch)\n"
    )
    assert parse_remotes(listing)[0] == Remote("github.com", "me/checkout")
    assert len(parse_remotes(listing)) <= 2


@pytest.mark.parametrize(
    "host, url",
    [
        ("github.com", ""),
        ("github.example.com", "https://github.example.com/api/v3"),
        ("git.example.com:8443", "https://git.example.com:8443/api/v3"),
        ("acme.ghe.com", "https://api.acme.ghe.com"),
    ],
)
def test_where_the_api_is(host: str, url: str) -> None:
    assert api_url(host) == url


def test_forks_share_a_service_and_hosts_get_a_source_each() -> None:
    remotes = [
        Remote("github.com", "me/checkout"),
        Remote("github.com", "acme/Checkout"),
        Remote("github.com", "ACME/checkout"),
        Remote("git.example.com", "team/ledger"),
        Remote("gitlab.com", "a/b"),
        Remote("gitlab.com", "c/d"),
    ]
    proposal = propose(remotes)
    assert [(s.name, s.options["repos"]) for s in proposal.sources] == [
        ("github", ("me/checkout", "acme/Checkout")),
        ("git.example.com", ("team/ledger",)),
    ]
    assert [(s.name, s.repos) for s in proposal.services] == [
        ("checkout", ("me/checkout", "acme/Checkout")),
        ("ledger", ("team/ledger",)),
    ]
    assert proposal.skipped == ("gitlab.com",)
    check_text(config_text("Payments: today", proposal.sources, proposal.services))


@pytest.mark.parametrize("title", ["yes", "1.10", "a: b", '"', "{x", "#1", "[/x]", "\x1b[31m", "null", "- a", "ä 漢字"])
def test_any_title_and_any_name_of_a_service_is_written_as_text(title: str) -> None:
    source = SourceDraft(type="deploy-log", name="d", options={"path": title.replace("\x1b", "") or "x"})
    text = config_text(title, [source])
    check_text(text)
    assert yaml.safe_load(text)["board"]["title"] == title.replace("\x1b", "")


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(home: Home) -> Path:
    git(home.folder, "init", "-q", ".")
    git(home.folder, "remote", "add", "origin", "https://me:s3cr3t-t0ken@github.com/acme/checkout.git")
    git(home.folder, "remote", "add", "work", "git@github.example.com:team/ledger.git")
    return home.folder


def test_from_git_writes_a_configuration_that_works(home: Home, repository: Path) -> None:
    result = home.run("init", "--from-git")
    assert result.code == 0 and str(home.config) in result.out, result.err
    text = home.config.read_text()
    assert "s3cr3t" not in text + result.out + result.err
    config = yaml.safe_load(text)
    assert [(s["type"], s.get("url"), s["repos"], s["token"]) for s in config["sources"]] == [
        ("github", None, ["acme/checkout"], "keyring:github"),
        ("github", "https://github.example.com/api/v3", ["team/ledger"], "keyring:github.example.com"),
    ]
    assert config["services"].keys() == {"checkout", "ledger"}
    assert "statusboard login github" in text and "statusboard login github.example.com" in result.out
    assert home.config.stat().st_mode & 0o077 == 0
    check_text(text)


def test_an_existing_file_is_never_overwritten(home: Home, repository: Path) -> None:
    home.config.write_text("mine")
    result = home.run("init", "--from-git")
    assert result.code == 2 and "is not overwritten" in result.err
    assert home.config.read_text() == "mine"
    (home.folder / "link.yaml").symlink_to(home.folder / "nowhere")
    assert home.run("init", "--from-git", "-o", "link.yaml").code == 2
    assert not (home.folder / "nowhere").exists()


def test_to_another_file(home: Home, repository: Path) -> None:
    result = home.run("init", "--from-git", "--output", "statusboard.yaml")
    assert result.code == 0 and "statusboard trust" in result.out
    assert (home.folder / "statusboard.yaml").exists() and not home.config.exists()
    missing = home.run("init", "--from-git", "--output", "no/such/folder/x.yaml")
    assert missing.code == 2 and "cannot be written" in missing.err


def test_the_platforms_folder_is_made(home: Home, repository: Path) -> None:
    del home.env["STATUSBOARD_CONFIG"]
    result = home.run("init", "--from-git")
    assert result.code == 0
    (written,) = (home.folder / "xdg").rglob("config.yaml")
    assert written.parent.stat().st_mode & 0o777 == 0o700


def test_no_repository_no_github_and_nobody_to_ask(home: Home) -> None:
    assert "no git repository" in home.run("init", "--from-git").err
    git(home.folder, "init", "-q", ".")
    git(home.folder, "remote", "add", "origin", "https://gitlab.com/a/b.git")
    result = home.run("init", "--from-git")
    assert result.code == 2 and "gitlab.com" in result.err
    asked = home.run("init")
    assert asked.code == 2 and "--from-git" in asked.err and "nobody to answer" in asked.err
    assert not home.config.exists()


class Person:
    """Answers in turn; Enter where the answer is None."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []

    def ask(self, question: str, default: str) -> str:
        self.heard.append(question)
        answer = self.answers.pop(0)
        return default if answer is None else answer

    def say(self, text: str) -> None:
        self.heard.append(text)


def test_answers_become_sources() -> None:
    person = Person(
        "Payments",
        "github, alertmanager, roundup",
        *(None, "acme/checkout, acme/web", None, "env:GITHUB_TOKEN"),
        *("prod-alerts", "https://am.example.com"),
        *(None, "https://tracker.example.com/demo", None, None),
    )
    title, drafts = interview(INSTALLED, person.ask, person.say)
    assert not person.answers
    text = config_text(title, drafts)
    check_text(text)
    assert yaml.safe_load(text)["board"]["title"] == "Payments"
    assert yaml.safe_load(text)["sources"] == [
        {"type": "github", "name": "github", "repos": ["acme/checkout", "acme/web"], "token": "env:GITHUB_TOKEN"},
        {"type": "alertmanager", "name": "prod-alerts", "url": "https://am.example.com"},
        {
            "type": "roundup",
            "name": "roundup",
            "url": "https://tracker.example.com/demo",
            "username": "keyring:roundup-username",
            "password": "keyring:roundup-password",
        },
    ]


def test_a_wrong_answer_is_asked_again_with_what_is_wrong() -> None:
    person = Person(
        None,
        "alertmanger",
        "alertmanager",
        *(None, "htp://am"),
        *("no good name", "https://am.example.com"),
        *(None, "https://am.example.com"),
    )
    _, drafts = interview(INSTALLED, person.ask, person.say)
    heard = "\n".join(person.heard)
    assert "did you mean `alertmanager`?" in heard and "http" in heard and "no good name" in heard
    assert drafts[0].options == {"url": "https://am.example.com"}


def test_a_secret_in_clear_is_refused_and_not_repeated() -> None:
    person = Person(
        None,
        "github",
        *(None, "a/b", None, "ghp_0123456789abcdef0123"),
        *(None, "a/b", None, "-"),
    )
    _, drafts = interview(INSTALLED, person.ask, person.say)
    assert "token" not in drafts[0].options
    assert "in clear" in "\n".join(person.heard) and "ghp_0123" not in "\n".join(person.heard)
