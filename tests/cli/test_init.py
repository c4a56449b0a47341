"""``init``: what is found around a folder, what is made of it, and the questions."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml

from statusboard.cli._asking import interview
from statusboard.registry import Registry
from statusboard.setup.answers import brief, check_text, samples_of, settled
from statusboard.setup.detecting import (
    PLACES,
    VARIABLES,
    Remote,
    Surroundings,
    contexts,
    look,
    parse_remote,
    parse_remotes,
    root_of,
)
from statusboard.setup.proposing import (
    Proposal,
    ServiceDraft,
    SourceDraft,
    api_url,
    azure_project,
    config_text,
    propose,
)
from statusboard.source import Source, SourceOptions, option
from tests.cli.kit import Home, Result, read_until

INSTALLED = Registry.installed()
NO_KEYRING = "no keyring runs here: start one, or use env:NAME"


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
    assert parse_remotes(listing) == [Remote("github.com", "me/checkout"), Remote("github.com", "acme/checkout")]


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


@pytest.mark.parametrize(
    "url, found",
    [
        ("https://acme@dev.azure.com/acme/My%20Shop/_git/checkout", ("acme", "My Shop")),
        ("https://dev.azure.com/acme/_git/checkout", ("acme", "checkout")),
        ("git@ssh.dev.azure.com:v3/acme/Shop/checkout", ("acme", "Shop")),
        ("https://acme.visualstudio.com/DefaultCollection/Shop/_git/checkout", ("acme", "Shop")),
        ("https://dev.azure.com/acme/Shop", None),
        ("https://dev.azure.com/_git/checkout", None),
    ],
)
def test_projects_of_azure_devops(url: str, found: tuple[str, str] | None) -> None:
    remote = parse_remote(url)
    assert remote is not None
    assert azure_project(remote) == found


# --- looking --------------------------------------------------------------------------------------------------------


def make(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


def test_files_of_the_repository_are_found_from_below_its_root(tmp_path: Path) -> None:
    make(
        tmp_path,
        *(".git/HEAD", ".github/workflows/ci.yml", ".gitlab-ci.yml", "Jenkinsfile", ".buildkite/pipeline.yml"),
        *(".circleci/config.yml", ".drone.yml", ".woodpecker/a.yml", ".woodpecker.yml", "azure-pipelines.yml"),
        *(".forgejo/workflows/ci.yml", ".teamcity/settings.kts", "src/a.py"),
    )
    seen = look(tmp_path / "src", {}, INSTALLED.names())
    assert root_of(tmp_path / "src") == tmp_path
    assert seen == Surroundings(
        files={
            "github": (".github/workflows",),
            "gitlab": (".gitlab-ci.yml",),
            "gitea": (".forgejo/workflows",),
            "jenkins": ("Jenkinsfile",),
            "buildkite": (".buildkite",),
            "circleci": (".circleci",),
            "drone": (".drone.yml",),
            "woodpecker": (".woodpecker", ".woodpecker.yml"),
            "azure-devops": ("azure-pipelines.yml",),
            "teamcity": (".teamcity",),
        }
    )
    assert look(tmp_path / "src", {}, ("jenkins",)).files == {"jenkins": ("Jenkinsfile",)}, "only what is installed"


def test_of_the_environment_only_names_are_taken(tmp_path: Path) -> None:
    environ = {
        "GH_TOKEN": "s3cr3t",
        "GITHUB_TOKEN": " ",
        "DD_API_KEY": "s3cr3t",
        "JENKINS_URL": "https://me:s3cr3t@ci.example.com",
        "JIRA_EMAIL": "s3cr3t",
        "PATH": "/bin",
        "HOME": str(tmp_path),
    }
    seen = look(tmp_path, environ, INSTALLED.names())
    assert seen.variables == {
        "github": {"token": "GH_TOKEN"},
        "datadog": {"token": "DD_API_KEY"},
        "jira": {"username": "JIRA_EMAIL"},
    }
    assert seen.places == {"jenkins": ("JENKINS_URL",)}
    assert "s3cr3t" not in repr(seen)
    assert seen.where("jenkins") == ("JENKINS_URL in the environment",)


KUBECONFIG = """
apiVersion: v1
kind: Config
contexts:
- {name: staging, context: {cluster: a, user: u}}
- {name: prod, context: {cluster: b, user: u}}
- {context: {}}
- 5
current-context: prod
users:
- {name: u, user: {token: s3cr3t}}
"""


def test_contexts_are_those_of_the_kubeconfig(tmp_path: Path) -> None:
    make(tmp_path, ".kube/config")
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)
    (tmp_path / "other").write_text("contexts: [{name: prod}, {name: kind-local}]")
    home = {"HOME": str(tmp_path)}
    assert contexts(home) == ["staging", "prod"]
    assert contexts({**home, "KUBECONFIG": f"{tmp_path}/other:{tmp_path}/.kube/config:{tmp_path}/none"}) == [
        "prod",
        "kind-local",
        "staging",
    ]
    assert contexts({}) == []
    seen = look(tmp_path, home, ("kubernetes",))
    assert seen.contexts == ("staging", "prod") and "s3cr3t" not in repr(seen)
    assert look(tmp_path, home, ("github",)).contexts == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "contexts: 5", "contexts: [", "!!python/object:x {}", "a: " + "[" * 1_000]
)
def test_what_is_no_kubeconfig_has_no_contexts(tmp_path: Path, text: str) -> None:
    (tmp_path / "k").write_text(text)
    assert contexts({"KUBECONFIG": str(tmp_path / "k")}) == []
    assert contexts({"KUBECONFIG": str(tmp_path)}) == [], "a folder"
    (tmp_path / "k").write_bytes(b"\xff")
    assert contexts({"KUBECONFIG": str(tmp_path / "k")}) == []
    (tmp_path / "k").write_text("contexts: [{name: a}]" + " " * 1_000_000)
    assert contexts({"KUBECONFIG": str(tmp_path / "k")}) == []


# --- proposing ------------------------------------------------------------------------------------------------------


def proposed(*remotes: str, keyring: bool = True, known: Sequence[str] = (), **seen: Any) -> Proposal:
    found = tuple(Remote(*remote.split("/", 1)) for remote in remotes)
    return propose(Surroundings(remotes=found, **seen), known or INSTALLED.names(), keyring=keyring)


def test_forks_share_a_service_and_hosts_get_a_source_each() -> None:
    proposal = proposed(
        *("github.com/me/checkout", "github.com/acme/Checkout", "github.com/ACME/checkout"),
        *("git.example.com/team/ledger", "gitlab.com/shop/web/front", "bitbucket.org/c/d", "bitbucket.org/c/e"),
    )
    assert [(s.name, s.type, s.options) for s in proposal.sources] == [
        ("github", "github", {"repos": ["me/checkout", "acme/Checkout"], "token": "keyring:github"}),
        (
            "git.example.com",
            "github",
            {
                "url": "https://git.example.com/api/v3",
                "repos": ["team/ledger"],
                "token": "keyring:git.example.com",
            },
        ),
        ("gitlab", "gitlab", {"projects": ["shop/web/front"], "token": "keyring:gitlab"}),
    ]
    assert "taken for a GitHub Enterprise server" in proposal.sources[1].comments[0]
    assert proposal.services == (
        ServiceDraft(name="checkout", repos=("me/checkout", "acme/Checkout")),
        ServiceDraft(name="ledger", repos=("team/ledger",)),
        ServiceDraft(name="front", repos=("shop/web/front",)),
    )
    assert proposal.skipped == {"bitbucket.org": "there is no source type for it"}
    check_text(config_text("Payments: today", proposal.sources, proposal.services), INSTALLED)


@pytest.mark.parametrize(
    "remote, files, type, options",
    [
        ("gitlab.com/a/b/c", (), "gitlab", {"projects": ["a/b/c"]}),
        ("gitlab.acme.example/a/b", (), "gitlab", {"url": "https://gitlab.acme.example", "projects": ["a/b"]}),
        ("codeberg.org/a/b", (), "gitea", {"url": "https://codeberg.org", "repos": ["a/b"]}),
        ("gitea.acme.example:3000/a/b", (), "gitea", {"url": "https://gitea.acme.example:3000", "repos": ["a/b"]}),
        ("dev.azure.com/acme/Shop/_git/x", (), "azure-devops", {"organization": "acme", "projects": ["Shop"]}),
        ("code.acme.example/a/b", ("gitlab",), "gitlab", {"url": "https://code.acme.example", "projects": ["a/b"]}),
        ("code.acme.example/a/b/c", ("gitlab",), "gitlab", {"url": "https://code.acme.example", "projects": ["a/b/c"]}),
        ("code.acme.example/a/b", ("gitea",), "gitea", {"url": "https://code.acme.example", "repos": ["a/b"]}),
        ("code.acme.example/a/b", (), "github", {"url": "https://code.acme.example/api/v3", "repos": ["a/b"]}),
    ],
)
def test_hosts_by_their_name_or_by_what_the_folder_holds(
    remote: str, files: tuple[str, ...], type: str, options: Mapping[str, Any]
) -> None:
    proposal = proposed(remote, files=dict.fromkeys(files, ("x",)))
    draft = proposal.sources[0]
    assert draft.type == type
    assert {name: value for name, value in draft.options.items() if name != "token"} == options
    assert ("taken for" in " ".join(draft.comments)) is ("code." in remote)
    check_text(config_text("x", proposal.sources[:1]), INSTALLED)


@pytest.mark.parametrize(
    "remote, why",
    [
        ("bitbucket.org/a/b", "there is no source type for it"),
        ("git.sr.ht/~a/b", "there is no source type for it"),
        ("code.acme.example/a/b/c", "no name that could be read"),
        ("gitlab.com/a/b", "no source type `gitlab`"),
    ],
)
def test_what_is_left_out_is_named(remote: str, why: str) -> None:
    proposal = proposed(remote, known=("github", "jenkins"))
    assert proposal.sources == () and why in proposal.skipped[remote.split("/")[0]]


def test_builders_take_the_repositories_of_remotes() -> None:
    proposal = proposed(
        *("github.com/acme/checkout", "bitbucket.org/acme/web"),
        files={"circleci": (".circleci",), "drone": (".drone.yml",), "jenkins": ("Jenkinsfile",)},
        variables={"circleci": {"token": "CIRCLE_TOKEN"}},
    )
    github, circleci, drone, jenkins = proposal.sources
    assert circleci.options == {"projects": ["gh/acme/checkout", "bb/acme/web"], "token": "env:CIRCLE_TOKEN"}
    assert circleci.found == (".circleci", "CIRCLE_TOKEN in the environment")
    assert drone.options == {"repos": ["acme/checkout", "acme/web"], "token": "keyring:drone"}
    assert jenkins.options == {"username": "keyring:jenkins-username", "token": "keyring:jenkins"}
    whole, unfinished = settled(proposal, INSTALLED)
    assert [draft.type for draft in whole] == ["github", "circleci"]
    assert github in whole
    assert [(draft.type, draft.options["url"], draft.comments[-1]) for draft in unfinished] == [
        ("drone", "https://drone.acme.example", "Not known here: url."),
        ("jenkins", "https://jenkins.example.com", "Not known here: url."),
    ]


def test_tokens_in_the_environment_tell_of_tools() -> None:
    variables = {
        "pagerduty": {"token": "PAGERDUTY_TOKEN"},
        "linear": {"token": "LINEAR_API_KEY"},
        "datadog": {"token": "DD_API_KEY", "password": "DD_APP_KEY"},
        "sentry": {"token": "SENTRY_AUTH_TOKEN"},
        "gitlab": {"token": "GITLAB_TOKEN"},
    }
    proposal = proposed(variables=variables, places={"sentry": ("SENTRY_ORG",)})
    whole, unfinished = settled(proposal, INSTALLED)
    assert [(draft.type, draft.options) for draft in whole] == [
        ("datadog", {"token": "env:DD_API_KEY", "password": "env:DD_APP_KEY"}),
        ("linear", {"token": "env:LINEAR_API_KEY"}),
        ("pagerduty", {"token": "env:PAGERDUTY_TOKEN"}),
    ]
    assert [(draft.type, draft.comments[-1]) for draft in unfinished] == [
        ("gitlab", "Not known here: projects."),
        ("sentry", "Not known here: organization."),
    ]
    assert unfinished[1].found == ("SENTRY_AUTH_TOKEN, SENTRY_ORG in the environment",)
    assert "What the environment says in SENTRY_ORG is not copied here." in unfinished[1].comments


def test_half_of_a_pair_of_keys_is_not_enough() -> None:
    proposal = proposed(variables={"datadog": {"token": "DD_API_KEY"}}, keyring=True)
    assert proposal.sources[0].options == {"token": "env:DD_API_KEY", "password": "keyring:datadog-password"}
    assert any("statusboard login datadog-password" in comment for comment in proposal.sources[0].comments)


def test_a_token_goes_to_no_host_that_only_a_remote_names() -> None:
    variables = {"gitlab": {"token": "GITLAB_TOKEN"}, "github": {"token": "GITHUB_TOKEN"}}
    remotes = ("gitlab.evil.example/a/b", "github.evil.example/a/b", "gitlab.com/a/b", "github.com/a/b")
    for keyring in (True, False):
        drafts = {draft.name: draft for draft in proposed(*remotes, variables=variables, keyring=keyring).sources}
        assert drafts["gitlab"].options["token"] == "env:GITLAB_TOKEN"
        assert drafts["github"].options["token"] == "env:GITHUB_TOKEN"
        for name in ("gitlab.evil.example", "github.evil.example"):
            own = f"keyring:{name}" if keyring else f"env:{name.upper().replace('.', '_')}_TOKEN"
            assert drafts[name].options["token"] == own
            assert "if it is for" in " ".join(drafts[name].comments)
            assert drafts[name].found == ("the git remotes",)


def test_without_a_keyring_variables_are_to_be_set() -> None:
    proposal = proposed("github.com/a/b", "10.0.0.1:3000/a/b", files={"gitea": (".gitea",)}, keyring=False)
    assert [draft.options["token"] for draft in proposal.sources] == [
        "env:GITHUB_TOKEN",
        "env:GITEA_10_0_0_1_3000_TOKEN",
    ]
    assert "No keyring can be used here: export GITHUB_TOKEN" in " ".join(proposal.sources[0].comments)
    check_text(config_text("x", proposal.sources), INSTALLED)


def test_contexts_are_suggested_and_not_read() -> None:
    known = {"github": INSTALLED.load("github"), "kubernetes": Cluster}
    proposal = proposed(contexts=("prod", "gke_acme_prod", "gke/acme prod"), known=tuple(known))
    assert [(draft.name, draft.options) for draft in proposal.suggestions] == [
        ("kubernetes-prod", {"context": "prod"}),
        ("kubernetes-gke_acme_prod", {"context": "gke_acme_prod"}),
        ("kubernetes-gke-acme-prod", {"context": "gke/acme prod"}),
    ]
    assert proposal.sources == ()
    twins = proposed(contexts=("a b", "a/b"), known=tuple(known)).suggestions
    assert [draft.name for draft in twins] == ["kubernetes-a-b", "kubernetes-a-b-2"]


class ClusterOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    context: Annotated[str, option("a context")] = ""


class Cluster(Source[ClusterOptions]):
    type = "kubernetes"
    kinds = frozenset({"release"})
    Options = ClusterOptions
    needs_url = False
    example = "context: prod"


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["yes", "1.10", "a: b", '"', "{x", "#1", "[/x]", "\x1b[31m", "null", "- a", "ä 漢字"])
def test_any_title_and_any_name_of_a_service_is_written_as_text(title: str) -> None:
    source = SourceDraft(type="deploy-log", name="d", options={"path": title.replace("\x1b", "") or "x"})
    text = config_text(title, [source])
    check_text(text, INSTALLED)
    assert yaml.safe_load(text)["board"]["title"] == title.replace("\x1b", "")


def test_values_of_any_shape_are_written() -> None:
    values = {"limit": 5, "exact": True, "map": {"a: b": ["x", "yes"]}, "list": ["1.10", "a, b"], "text": "null"}
    text = config_text("x", [SourceDraft(type="t", name="n", options=values)])
    assert yaml.safe_load(text)["sources"] == [{"type": "t", "name": "n", **values}]


def test_what_is_commented_out_works_once_the_marks_are_gone() -> None:
    known = {"github": INSTALLED.load("github"), "jenkins": INSTALLED.load("jenkins"), "kubernetes": Cluster}
    seen = Surroundings(
        remotes=(Remote("github.com", "a/b"),), files={"jenkins": ("Jenkinsfile",)}, contexts=("prod", "staging")
    )
    registry = Registry.of(known)
    proposal = propose(seen, registry.names())
    whole, unfinished = settled(proposal, registry)
    text = config_text("x", whole, proposal.services, unfinished=unfinished, suggestions=proposal.suggestions)
    check_text(text, registry)
    assert [source["type"] for source in yaml.safe_load(text)["sources"]] == ["github"]
    assert "# Found: Jenkinsfile." in text and text.count("# Found: the contexts of the kubeconfig.") == 1
    lines = [
        line.replace("# ", "", 1) if line.startswith(("  # - type", "  #   ")) else line for line in text.splitlines()
    ]
    check_text("\n".join(lines), registry)
    sources = yaml.safe_load("\n".join(lines))["sources"]
    assert [source["name"] for source in sources] == ["github", "jenkins", "kubernetes-prod", "kubernetes-staging"]


# --- from git -------------------------------------------------------------------------------------------------------


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which nothing is found."""
    names = [name for options in VARIABLES.values() for names in options.values() for name in names]
    for name in [*names, *(name for names in PLACES.values() for name in names), "KUBECONFIG"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repository(home: Home, bare: None) -> Path:
    git(home.folder, "init", "-q", ".")
    git(home.folder, "remote", "add", "origin", "https://me:s3cr3t-t0ken@github.com/acme/checkout.git")
    git(home.folder, "remote", "add", "work", "git@github.example.com:team/ledger.git")
    return home.folder


def from_git(home: Home, *args: str, **environ: str) -> Result:
    """`init --from-git` where there is a keyring."""
    backend = {"PYTHON_KEYRING_BACKEND": "tests.cli.keyring_file.FileKeyring", "TEST_KEYRING": str(home.folder / "k")}
    return home.process("init", "--from-git", *args, env={**backend, **environ})


def test_from_git_writes_a_configuration_that_works(home: Home, repository: Path) -> None:
    make(repository, ".github/workflows/ci.yml", "Jenkinsfile")
    result = from_git(home, LINEAR_API_KEY="lin_s3cr3t")
    assert result.code == 0 and str(home.config) in result.out, result.err
    text = home.config.read_text()
    assert "s3cr3t" not in text + result.out + result.err
    config = yaml.safe_load(text)
    assert [(s["type"], s.get("url"), s.get("repos"), s["token"]) for s in config["sources"]] == [
        ("github", None, ["acme/checkout"], "keyring:github"),
        ("github", "https://github.example.com/api/v3", ["team/ledger"], "keyring:github.example.com"),
        ("linear", None, None, "env:LINEAR_API_KEY"),
    ]
    assert config["services"].keys() == {"checkout", "ledger"}
    assert "# Found: the git remotes, .github/workflows." in text
    assert "# Found: LINEAR_API_KEY in the environment." in text
    assert "  # - type: jenkins" in text and "# Found: Jenkinsfile." in text
    assert "found: linear (LINEAR_API_KEY in the environment)" in result.out
    assert "statusboard login github" in text and "statusboard login github.example.com" in result.out
    assert "export" not in result.out
    assert home.config.stat().st_mode & 0o077 == 0
    check_text(text, INSTALLED)


def test_without_a_keyring_it_says_what_to_export(home: Home, repository: Path) -> None:
    result = from_git(home, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert result.code == 0
    tokens = [source["token"] for source in yaml.safe_load(home.config.read_text())["sources"]]
    assert tokens == ["env:GITHUB_TOKEN", "env:GITHUB_EXAMPLE_COM_TOKEN"]
    assert "export GITHUB_TOKEN=..." in result.out and "statusboard login" not in result.out


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


def test_no_repository_nothing_to_read_and_nobody_to_ask(home: Home, bare: None) -> None:
    assert "no git repository" in home.run("init", "--from-git").err
    git(home.folder, "init", "-q", ".")
    git(home.folder, "remote", "add", "origin", "https://bitbucket.org/a/b.git")
    make(home.folder, "Jenkinsfile")
    result = home.run("init", "--from-git")
    assert result.code == 2 and "left out: bitbucket.org: there is no source type for it" in result.err
    assert "nothing here tells enough of jenkins to be read" in result.err
    asked = home.run("init")
    assert asked.code == 2 and "--from-git" in asked.err and "nobody to answer" in asked.err
    assert not home.config.exists()


# --- questions ------------------------------------------------------------------------------------------------------


class Person:
    """Answers questions by a word in them, in turn where there are several; Enter where there is no answer."""

    def __init__(self, **answers: str | Sequence[str]) -> None:
        self.answers = {word: [given] if isinstance(given, str) else list(given) for word, given in answers.items()}
        self.asked: list[str] = []
        self.heard: list[str] = []

    def ask(self, question: str, default: str) -> str:
        self.asked.append(f"{question} [{default}]")
        assert len(self.asked) < 60, f"asked again and again: {question}"
        words = question.replace("(", " ").split()
        word = next((word for word in words if self.answers.get(word)), "")
        return self.answers[word].pop(0) if word else default

    def say(self, text: str) -> None:
        self.heard.append(text)

    @property
    def everything(self) -> str:
        return "\n".join(self.heard + self.asked)

    def interview(
        self, seen: Surroundings | None = None, no_keyring: str = "", known: Registry = INSTALLED
    ) -> tuple[str, list[SourceDraft], list[ServiceDraft]]:
        found = interview(known, self.ask, self.say, seen or Surroundings(), no_keyring)
        assert not any(self.answers.values()), f"never asked for: {self.answers}"
        return found


def test_answers_become_sources() -> None:
    person = Person(
        Title="Payments",
        Which="github, alertmanager, roundup",
        name=["github", "prod-alerts"],
        repos="acme/checkout, acme/web",
        token="env:GITHUB_TOKEN",
        url=["https://api.github.com", "https://am.example.com", "https://tracker.example.com/demo"],
    )
    title, drafts, services = person.interview()
    text = config_text(title, drafts, services)
    check_text(text, INSTALLED)
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


def test_what_was_found_is_the_default() -> None:
    seen = Surroundings(
        remotes=(Remote("github.com", "acme/checkout"), Remote("gitlab.acme.example", "a/b")),
        files={"github": (".github/workflows",), "jenkins": ("Jenkinsfile",)},
        variables={"github": {"token": "GH_TOKEN"}},
    )
    person = Person(url=["https://api.github.com", "https://gitlab.acme.example", "https://ci.acme.example"])
    _, drafts, services = person.interview(seen)
    assert "Found here: github (the git remotes, .github/workflows, GH_TOKEN in the environment)" in person.heard
    assert "Found here: jenkins (Jenkinsfile)" in person.heard
    assert "Which of them (several with commas) [github, gitlab, jenkins]" in person.asked
    assert [(draft.name, dict(draft.options)) for draft in drafts] == [
        ("github", {"repos": ["acme/checkout"], "token": "env:GH_TOKEN"}),
        (
            "gitlab.acme.example",
            {"url": "https://gitlab.acme.example", "projects": ["a/b"], "token": "keyring:gitlab.acme.example"},
        ),
        (
            "jenkins",
            {
                "url": "https://ci.acme.example",
                "username": "keyring:jenkins-username",
                "token": "keyring:jenkins",
            },
        ),
    ]
    assert [service.name for service in services] == ["checkout", "b"]
    check_text(config_text("x", drafts, services), INSTALLED)


def test_services_are_those_of_the_sources_that_were_chosen() -> None:
    seen = Surroundings(remotes=(Remote("github.com", "acme/checkout"), Remote("gitlab.com", "a/b")))
    _, _, services = Person(Which="gitlab").interview(seen)
    assert [service.name for service in services] == ["b"]


def test_contexts_of_the_kubeconfig_are_offered() -> None:
    registry = Registry.of({"kubernetes": Cluster, "github": INSTALLED.load("github")})
    person = Person(Which="kubernetes, kubernetes")
    _, drafts, _ = person.interview(Surroundings(contexts=("prod", "staging")), known=registry)
    assert "Found here: kubernetes (the contexts of the kubeconfig)" in person.heard
    assert [draft.options for draft in drafts] == [{"context": "prod"}, {"context": "staging"}]


def test_a_kubeconfig_has_its_own_credentials() -> None:
    person = Person(Which="kubernetes")
    _, drafts, _ = person.interview(Surroundings(contexts=("prod",)))
    assert drafts[0].options == {"context": "prod"}
    assert not any("where is the" in question for question in person.asked)


def test_a_wrong_answer_is_asked_again_with_what_is_wrong() -> None:
    person = Person(
        Which=["alertmanger", "alertmanager"],
        url=["htp://am", "https://am.example.com"],
        name=["no good name", "am"],
        expect=["Watchdog", ""],
    )
    _, drafts, _ = person.interview()
    assert "did you mean `alertmanager`?" in person.everything
    assert "no good name" in person.everything
    assert person.heard.index("  ! this is no http or https URL (use https://)") > 0, "at once"
    assert drafts[0].name == "am" and drafts[0].options["url"] == "https://am.example.com"


def test_what_was_answered_before_is_the_default_the_next_time() -> None:
    person = Person(Which="gitlab", projects=["", "acme/shop"], token="env:MINE")
    _, drafts, _ = person.interview()
    assert drafts[0].options["projects"] == ["acme/shop"]
    assert [question for question in person.asked if "token" in question][1].endswith("[env:MINE]")


def test_a_required_answer_is_asked_for_at_once() -> None:
    person = Person(Which="deploy-log", path=["", "", "/var/log/deploys.jsonl"])
    _, drafts, _ = person.interview()
    assert drafts[0].options == {"path": "/var/log/deploys.jsonl"}
    assert person.heard.count("  ! path is needed") == 2
    assert len([question for question in person.asked if "  name" in question]) == 1


def test_no_address_is_asked_of_what_has_none() -> None:
    person = Person(Which="deploy-log", path="x.jsonl")
    person.interview()
    assert not any("url" in question.split("(")[0] for question in person.asked)


def test_lists_and_mappings_may_be_written_as_in_yaml() -> None:
    person = Person(
        Which="http-json, exec",
        url="https://pager.example.com",
        kind="incident",
        id="id",
        path="/alarms",
        items="-",
        fields="{title: summary, state: status}",
        states='{"firing": "open"}',
        command='[/usr/bin/alarms, "--since 1,2"]',
    )
    _, drafts, _ = person.interview()
    assert drafts[0].options["fields"] == {"title": "summary", "state": "status"}
    assert drafts[0].options["states"] == {"firing": "open"} and "items" not in drafts[0].options
    assert drafts[1].options["command"] == ["/usr/bin/alarms", "--since 1,2"]
    check_text(config_text("x", drafts), INSTALLED)


def test_a_secret_in_clear_is_refused_at_once_and_not_repeated() -> None:
    person = Person(Which="github", repos="a/b", token=["ghp_0123456789abcdef0123", "-"])
    _, drafts, _ = person.interview()
    assert "token" not in drafts[0].options
    assert "only where it is" in person.everything and "ghp_0123" not in person.everything


def test_where_there_is_no_keyring_others_are_offered_at_once() -> None:
    person = Person(Which="github, roundup", repos="a/b", url=["https://api.github.com", "https://t.example.com"])
    _, drafts, _ = person.interview(no_keyring=NO_KEYRING)
    assert "Credentials are to be had from env:NAME or file:/path: no keyring runs here" in person.heard
    assert not any("keyring:" in question for question in person.asked)
    assert drafts[0].options["token"] == "env:GITHUB_TOKEN"
    assert drafts[1].options["username"] == "env:ROUNDUP_USERNAME"
    assert drafts[1].options["password"] == "env:ROUNDUP_PASSWORD"


def test_what_is_said_of_a_type_before_its_questions() -> None:
    person = Person(Which="pagerduty")
    person.interview()
    text = "\n".join(person.heard)
    assert f"\npagerduty: {INSTALLED.load('pagerduty').summary}" in text
    assert "Read-only API Key" in text and "statusboard sources pagerduty" in text
    assert max(map(len, text.splitlines()[3:])) <= 110


def test_setup_in_brief() -> None:
    setup = """
        First *things* first,
        on two lines.

            some code

        - **One** `thing`.
        - Another
          thing.
        - Too much.
    """
    assert brief(setup, "x") == [
        "- First things first, on two lines.",
        "- One `thing`.",
        "- Another thing.",
        "- More: statusboard sources x",
    ]
    announced = setup.replace("two lines.", "two lines:")
    assert brief(announced, "x")[:3] == ["- First things first, on two lines:", "    some code", "- One `thing`."]
    assert brief("", "x") == [] and brief("One.", "x") == ["- One."]


def test_every_installed_type_can_be_set_up_from_its_own_example() -> None:
    """Whoever answers as the example does gets a configuration that is valid."""
    for name in INSTALLED.names():
        samples = samples_of(INSTALLED, name)

        def ask(question: str, default: str, name: str = name, samples: dict[str, Any] = samples) -> str:
            if question.startswith("Which"):
                return name
            option = question.split()[0]
            if option in samples and not question.startswith(("Title", "  name", "  where")):
                value = samples[option]
                return value if isinstance(value, str) else json.dumps(value)
            return default

        _, drafts, _ = interview(INSTALLED, ask, lambda text: None, Surroundings(), "")
        check_text(config_text("x", drafts), INSTALLED)


def test_on_a_narrow_terminal_no_word_is_broken_and_an_interrupt_says_that_nothing_was_written(home: Home) -> None:
    ours, theirs = pty.openpty()
    env = {"COLUMNS": "50", "TERM": "xterm", "STATUSBOARD_CONFIG": str(home.folder / "new.yaml")}
    process = home.start("init", env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        shown = read_until(ours, b"Title of the board")
        os.write(ours, b"\n")
        shown = read_until(ours, b"Which of them", shown)
        process.send_signal(signal.SIGINT)
        # What comes in the very moment in which Python begins to read a line waits for the next key, or another one.
        shown = read_until(ours, b"nothing was written", shown, again=lambda: process.send_signal(signal.SIGINT))
        assert process.wait(60) == 130
    finally:
        process.kill()
        os.close(ours)
    lines = [line.strip("\r") for line in shown.decode().split("\n")]
    listed = lines[next(n for n, line in enumerate(lines) if line.startswith("Sources: ")) :]
    assert all(len(line) <= 50 for line in lines)
    assert {"checkmk,", "deploy-log,"} <= {word for line in listed for word in line.split()}
    assert not (home.folder / "new.yaml").exists()
