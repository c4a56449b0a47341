"""Team files: what they may hold, what they may not, and how they are found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from statusboard.config import load_config
from statusboard.errors import ConfigError
from statusboard.registry import Registry
from tests.config.sources import Home

MAIN = """
    environments: {production: }
    include: [teams/*.yaml]
    sources:
      - {type: ci, name: gh, repos: acme/x, token: "keyring:github"}
    """


def test_each_team_owns_its_file(home: Home):
    home.write(
        """
        services: {web: {team: storefront, match: {repo: acme/web}}}
        environments: {canary: {tier: production}}
        sources: [{type: log, name: web-deploys, path: web.jsonl}]
        views: [{name: Web}]
        """,
        "teams/web.yaml",
    )
    home.write("services: {api: {team: core}}", "teams/api.yaml")
    config = home.load(MAIN)
    assert [s.name for s in config.services] == ["api", "web"]
    assert [s.name for s in config.sources] == ["gh", "web-deploys"]
    assert [e.name for e in config.environments] == ["production", "canary"]
    assert [v.name for v in config.views] == ["Web"]
    assert [f.name for f in config.files] == ["config.yaml", "api.yaml", "web.yaml"]
    assert getattr(config.sources[1].options, "path") == str(home.folder / "teams/web.jsonl")  # noqa: B009


def test_includes_may_include_and_are_meant_from_their_own_folder(home: Home):
    home.write("include: more/deep.yaml\n", "teams/a.yaml")
    home.write("services: {deep: }\n", "teams/more/deep.yaml")
    assert [s.name for s in home.load(MAIN).services] == ["deep"]


def test_a_pattern_leaves_out_the_file_it_stands_in(home: Home):
    home.write("services: {a: }", "a.yaml")
    config = home.load("include: '*.yaml'\nsources: [{type: ci, name: gh, repos: x}]")
    assert [f.name for f in config.files] == ["config.yaml", "a.yaml"]


def test_brackets_in_a_folders_name_are_no_pattern(home: Home):
    home.folder = home.folder / "[x]"
    home.main = home.folder / "config.yaml"
    home.write("services: {a: }", "teams/a.yaml")
    assert home.load(MAIN).services


@pytest.mark.parametrize(
    "text, path, message",
    [
        ("board: {title: x}", "board", "cannot hold `board`"),
        ("severities: {a: low}", "severities", "cannot hold `severities`"),
        ("keys: {a: b}", "keys", "cannot hold `keys`"),
        ("theme: x", "theme", "cannot hold `theme`"),
        ("secrets: ['env:X']", "secrets", "cannot hold `secrets`"),
        ("servces: {}", "", "unknown key `servces`"),
        ("title: x", "", "unknown key `title`"),
        ("sources: [{type: exec, name: e}]", "sources[0].type", "run commands"),
        ("sources: [{type: ci, name: e, repos: x, tls: {verify: false}}]", "sources[0].tls.verify", "relax TLS"),
        ("sources: [{type: ci, name: gh, repos: x}]", "sources[0].name", "is taken"),
        ("environments: {Production: }", "environments.Production", "is taken"),
        ("sources: [{type: ci, name: e, repos: x, token: hunter2}]", "sources[0].token", "in clear"),
    ],
)
def test_what_an_include_may_not_do(home: Home, text: str, path: str, message: str):
    included = home.write(text, "teams/a.yaml")
    problem = home.problem(MAIN)
    assert message in problem.message
    assert (problem.path, problem.file, problem.line) == (path, str(included), 1)


def test_relaxed_tls_hidden_behind_a_merge(home: Home):
    home.write(
        """
        sources:
          - {type: ci, name: a, repos: x, <<: {tls: {verify: false}}}
          - {type: ci, name: b, repos: x, <<: {token: "keyring:foreign"}}
        """,
        "teams/a.yaml",
    )
    assert ["relax TLS" in p.message or "keyring:foreign" in p.message for p in home.problems(MAIN)] == [True, True]


def test_an_include_that_asks_for_a_foreign_secret(home: Home):
    included = home.write("sources: [{type: ci, name: a, repos: x, token: 'env:AWS_KEY'}]", "teams/a.yaml")
    problem = home.problem(MAIN)
    assert "does not name the secret env:AWS_KEY" in problem.message
    assert 'secrets: ["env:AWS_KEY"]' in problem.hint
    assert problem.file == str(included)
    home.write("sources: [{type: ci, name: a, repos: x, headers: {X-Plain: 'env:AWS_KEY'}}]", "teams/a.yaml")
    assert "env:AWS_KEY" in home.problem(MAIN).message
    home.write("sources: [{type: ci, name: a, repos: x, username: 'env:AWS_KEY'}]", "teams/a.yaml")
    assert "env:AWS_KEY" in home.problem(MAIN).message


def test_a_secret_of_the_main_file_goes_where_that_sends_it_and_nowhere_else(home: Home):
    home.write("sources: [{type: ci, name: a, repos: y, token: 'keyring:github'}]", "teams/a.yaml")
    assert len(home.load(MAIN).sources) == 2
    home.write(
        "sources: [{type: ci, name: a, repos: y, token: 'keyring:github', url: 'https://evil.example'}]", "teams/a.yaml"
    )
    problem = home.problem(MAIN)
    assert "does not send the secret keyring:github to https://evil.example:443" in problem.message
    assert len(home.load(MAIN + 'secrets: ["keyring:github"]\n').sources) == 2


def test_named_secrets_may_be_used_anywhere(home: Home):
    home.write("sources: [{type: alerts, name: a, url: 'https://a.example', token: 'env:TEAM'}]", "teams/a.yaml")
    for secrets in ('"env:TEAM"', '["keyring:x", "env:TEAM"]'):
        assert len(home.load(MAIN + f"secrets: {secrets}\n", env={"TEAM": "x"}).sources) == 2


def test_an_include_that_cannot_be_read(home: Home):
    missing = "include: [missing.yaml, folder, 'none-*.yaml']\nsources: [{type: ci, name: gh, repos: x}]"
    (home.folder / "folder").mkdir()
    problems = home.problems(missing)
    assert ["no such file" in p.message for p in problems] == [True, False, False]
    assert "no regular file" in problems[1].message
    assert problems[2].message == "no file matches `none-*.yaml`"
    assert problems[2].hint == f"a path is meant from this file's folder, {home.folder}"
    assert all((p.file, p.line, p.path) == (str(home.main), 1, "include") for p in problems)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_an_include_that_would_never_end(home: Home):
    os.mkfifo(home.folder / "pipe")
    problem = home.problem("include: pipe\nsources: [{type: ci, name: gh, repos: x}]")
    assert "no regular file" in problem.message


def test_a_broken_include_is_reported_along_with_everything_else(home: Home):
    home.write("a: b: c\n", "teams/a.yaml")
    home.write("services: [x]\n", "teams/b.yaml")
    problems = home.problems(MAIN + "them: x\n")
    assert [Path(p.file).name for p in problems] == ["config.yaml", "a.yaml", "b.yaml"]


@pytest.mark.parametrize("first", ["config.yaml", "a.yaml", "./config.yaml", "teams/../config.yaml"])
def test_includes_in_a_circle(home: Home, first: str):
    (home.folder / "teams").mkdir()
    home.write("include: b.yaml", "a.yaml")
    home.write("include: a.yaml", "b.yaml")
    problem = home.problem(f"include: {first}\nsources: [{{type: ci, name: gh, repos: x}}]")
    assert "circle" in problem.message
    assert problem.line == 1


def test_a_circle_through_a_symbolic_link(home: Home):
    (home.folder / "link.yaml").symlink_to(home.main)
    assert "circle" in home.problem("include: link.yaml\nsources: [{type: ci, name: gh, repos: x}]").message


def test_a_file_included_twice(home: Home):
    home.write("services: {a: }", "a.yaml")
    problem = home.problem("include: [a.yaml, ./a.yaml]\nsources: [{type: ci, name: gh, repos: x}]")
    assert "included twice" in problem.message


def test_includes_do_not_go_on_for_ever(home: Home):
    for index in range(20):
        home.write(f"include: d{index + 1}.yaml", f"d{index}.yaml")
    assert "levels of includes" in home.problem("include: d0.yaml\nsources: [{type: ci, name: gh, repos: x}]").message


@pytest.mark.parametrize(
    ("options", "borrowed"),
    [
        ("type: kubernetes, context: prod", "your kubeconfig"),
        ("type: kubernetes", "the service account of this pod"),
        ("type: aws, region: eu-west-1", "the AWS credentials of this machine"),
        ("type: aws, region: eu-west-1, profile: prod", "the AWS credentials of this machine"),
    ],
)
def test_an_include_may_not_use_this_machine_s_own_credentials(tmp_path: Path, options: str, borrowed: str):
    main = tmp_path / "config.yaml"
    (tmp_path / "team.yaml").write_text(f"sources: [{{{options}, name: x}}]\n")
    main.write_text("include: team.yaml\n")
    with pytest.raises(ConfigError, match=f"an included file cannot use {borrowed}"):
        load_config(main, registry=Registry.installed())
    main.write_text(f"sources: [{{{options}, name: x}}]\n")
    assert [source.name for source in load_config(main, registry=Registry.installed()).sources] == ["x"]
