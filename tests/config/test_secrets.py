"""No secret in clear passes, wherever it stands, and none is ever repeated."""

from __future__ import annotations

import pytest

from tests.config.sources import Home

# Put together here, so that no scanner takes this file for a leak.
GITHUB = "ghp" + "_" + "a1B2" * 9
GITLAB = "glpat" + "-" + "a1B2c3D4e5F6g7H8i9J0"
JWT = "eyJ" + "hbGciOiJIUzI1" + ".eyJ" + "zdWIiOiIxMjM0" + ".c2ln"


@pytest.mark.parametrize(
    "option, path",
    [
        ("token: hunter2", "token"),
        ("token: 12345678", "token"),
        ("token: true", "token"),
        ("password: 'hunter2 hunter3'", "password"),
        (f"token: {GITHUB}", "token"),
        ("headers: {Authorization: hunter2}", "headers.Authorization"),
        ("headers: {authorization: 'token hunter2'}", "headers.authorization"),
        ("headers: {Cookie: hunter2}", "headers.Cookie"),
        ("headers: {X-Api-Key: hunter2}", "headers.X-Api-Key"),
        ("headers: {PRIVATE-TOKEN: hunter2}", "headers.PRIVATE-TOKEN"),
        ("headers: {DD-APPLICATION-KEY: hunter2}", "headers.DD-APPLICATION-KEY"),
        ("headers: {X-Auth: hunter2}", "headers.X-Auth"),
        ("headers: {X-Note: 'Bearer hunter2hunter2'}", "headers.X-Note"),
        ("words: {api_key: hunter2}", "words.api_key"),
        ("words: {note: " + GITLAB + "}", "words.note"),
        ("words: {note: " + JWT + "}", "words.note"),
    ],
)
def test_a_secret_in_clear_is_refused_with_what_stores_it(home: Home, option: str, path: str):
    problem = home.problem(f"sources:\n  - {{type: ci, name: gh, repos: x, {option}}}\n")
    assert problem.message == "a secret stands here in clear"
    assert problem.line == 2
    assert problem.path == f"sources[0].{path}"
    assert "statusboard login" in problem.hint
    assert "keyring:" in problem.hint
    assert "hunter" not in str(problem)
    assert "12345678" not in str(problem)
    assert "a1B2" not in str(problem)


def test_the_command_names_the_source(home: Home):
    problem = home.problem("sources: [{type: ci, name: gh, repos: x, token: hunter2}]")
    assert "`statusboard login gh`" in problem.hint
    assert '`token: "keyring:gh"`' in problem.hint
    problem = home.problem("sources: [{type: ci, name: gh, repos: x, headers: {X-Api-Key: hunter2}}]")
    assert '`headers: {X-Api-Key: "keyring:gh"}`' in problem.hint


@pytest.mark.parametrize(
    "text",
    [
        f"views: [{{name: a, filter: {GITHUB}}}]",
        f"board: {{title: {GITHUB}}}",
        f"services: {{a: {{match: {{label: {{x: {GITHUB}}}}}}}}}",
        f"keys: {{a: {GITHUB}}}",
    ],
)
def test_a_recognisable_token_is_refused_anywhere(home: Home, text: str):
    problem = home.problem("sources: [{type: ci, name: gh, repos: x}]\n" + text)
    assert problem.message == "a secret stands here in clear"
    assert GITHUB not in str(problem)


@pytest.mark.parametrize(
    "option, message",
    [
        ("url: 'https://me:hunter2@ci.example'", "user name or password stands in a URL"),
        ("url: 'https://hunter2@ci.example'", "user name or password stands in a URL"),
        ("words: {a: 'https://me:hunter2@ci.example'}", "user name or password stands in a URL"),
        ("words: {a: 'postgresql://me:hunter2@db/x'}", "user name or password stands in a URL"),
        ("url: 'https://ci.example/?private_token=hunter2'", "a secret stands in a URL"),
        ("words: {path: '/x?api_key=hunter2'}", "a secret stands in a URL"),
    ],
)
def test_secrets_in_urls(home: Home, option: str, message: str):
    problem = home.problem(f"sources: [{{type: ci, name: gh, repos: x, {option}}}]")
    assert message in problem.message
    assert "hunter2" not in str(problem)


def test_a_password_that_breaks_its_url_is_not_shown_either(home: Home):
    problem = home.problem("sources: [{type: ci, name: gh, repos: x, url: 'https://me:hunt/er2@ci.example/'}]")
    assert "hunt" not in str(problem)
    assert "er2" not in str(problem)


def test_a_user_name_is_a_reference_too(home: Home):
    problem = home.problem("sources: [{type: ci, name: gh, repos: x, username: alice}]")
    assert "only where it is" in problem.message
    assert '"keyring:gh"' in problem.hint
    problem = home.problem(f"sources: [{{type: ci, name: gh, repos: x, username: {GITHUB}}}]")
    assert GITHUB not in str(problem)


@pytest.mark.parametrize("text", ["$TOKEN", "${TOKEN}"])
def test_shell_variables_are_not_references(home: Home, text: str):
    problem = home.problem(f"sources: [{{type: ci, name: gh, repos: x, token: {text!r}}}]")
    assert problem.hint == 'write "env:TOKEN"'


@pytest.mark.parametrize("text", ["env:NOT-A-NAME", "file:", "keyring:", "keyring:\\u00e9"])
def test_references_that_are_none(home: Home, text: str):
    problem = home.problem(f'sources: [{{type: ci, name: gh, repos: x, token: "{text}"}}]')
    assert problem.path == "sources[0].token"
    assert problem.message.startswith("after ")


@pytest.mark.parametrize(
    "option",
    [
        "token: 'keyring:github'",
        "token: env:TOKEN",
        "token: 'file:~/.token'",
        "token: ''",
        "username: env:USERNAME",
        "headers: {Authorization: 'env:HEADER', X-Scope-OrgID: payments, Accept-Language: de}",
        "words: {page_token: '', project_key: ABC, author: bob}",
        "words: {site: 'https://example.com/?key=ABC'}",
        "words: {title: Basic authentication fails}",
        "url: 'http://ci.example'",
    ],
)
def test_what_is_fine(home: Home, option: str):
    assert home.load(f"sources: [{{type: ci, name: gh, repos: x, {option}}}]").sources


def test_a_variable_that_is_not_set_is_a_warning(home: Home):
    text = "sources: [{type: ci, name: gh, repos: x, token: env:CI_TOKEN}]"
    (warning,) = home.load(text).warnings
    assert "CI_TOKEN is not set" in warning.message
    assert (warning.line, warning.path) == (1, "sources[0].token")
    assert home.load(text, env={"CI_TOKEN": "   "}).warnings
    assert home.load(text, env={"CI_TOKEN": "x"}).warnings == ()


@pytest.mark.parametrize(
    "url", ["http://ci.example", "http://10.0.0.1:8080", "HTTP://ci.example", "http://[2001:db8::1]"]
)
def test_credentials_do_not_travel_unencrypted(home: Home, url: str):
    problem = home.problem(f"sources: [{{type: ci, name: gh, repos: x, token: env:T, url: '{url}'}}]")
    assert "unencrypted" in problem.message
    assert "https" in problem.hint
    problem = home.problem(f"sources: [{{type: ci, name: gh, repos: x, headers: {{Cookie: env:T}}, url: '{url}'}}]")
    assert "unencrypted" in problem.message


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "http://ci.localhost"])
def test_to_this_very_machine_they_may(home: Home, url: str):
    assert home.load(f"sources: [{{type: ci, name: gh, repos: x, token: env:T, url: '{url}'}}]").sources


def test_no_struct_shows_a_secret(home: Home):
    config = home.load("sources: [{type: ci, name: gh, repos: x, token: env:T}]", env={"T": "hunter2"})
    assert "hunter2" not in repr(config)
