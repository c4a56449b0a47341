"""``login`` and ``logout``, against a keyring of the tests' own."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.kit import Home, Result

SECRET = "s3cr3t-t0ken-ÄÖ"


@pytest.fixture
def keyring(home: Home) -> Path:
    file = home.folder / "keyring.json"
    home.env["PYTHON_KEYRING_BACKEND"] = "tests.cli.keyring_file.FileKeyring"
    home.env["TEST_KEYRING"] = str(file)
    return file


def stored(keyring: Path) -> dict[str, str]:
    return dict(json.loads(keyring.read_text())) if keyring.exists() else {}


def untold(result: Result, home: Home) -> bool:
    log = home.log.read_text() if home.log.exists() else ""
    return SECRET not in result.out + result.err + log


def test_from_a_pipe_one_line_is_stored_and_never_shown(home: Home, keyring: Path) -> None:
    result = home.process("login", "github", stdin=f"{SECRET}\n")
    assert result.code == 0 and '"keyring:github"' in result.out and untold(result, home)
    assert stored(keyring) == {"statusboard/github": SECRET}
    again = home.process("login", "keyring:github", stdin="another")
    assert again.code == 0 and stored(keyring) == {"statusboard/github": "another"}


def test_it_says_which_sources_use_it(home: Home, keyring: Path) -> None:
    home.config.write_text(
        'sources:\n  - {type: github, name: gh, repos: [a/b], token: "keyring:github"}\n'
        '  - {type: github, name: other, repos: [a/b], token: "keyring:else"}\n'
    )
    result = home.process("login", "github", stdin=SECRET)
    assert "used by: gh;" in result.out


def test_logout_deletes_it(home: Home, keyring: Path) -> None:
    home.process("login", "github", stdin=SECRET)
    result = home.process("logout", "github")
    assert result.code == 0 and stored(keyring) == {}
    again = home.process("logout", "github")
    assert again.code == 2 and "holds no such secret" in again.err


@pytest.mark.parametrize(
    "stdin, told",
    [
        ("", "empty"),
        ("\n", "empty"),
        ("  \n", "empty"),
        ("one\ntwo\n", "one line"),
        ("x" * 70_000, "longer than 64 kB"),
    ],
)
def test_what_is_no_secret_is_refused(stdin: str, told: str, home: Home, keyring: Path) -> None:
    result = home.process("login", "github", stdin=stdin)
    assert result.code == 2 and told in result.err and stored(keyring) == {}


@pytest.mark.parametrize(
    "fault, told",
    [
        ("locked", "the keyring is locked"),
        ("no prompt", "nothing here can ask for its password"),
        ("forgets", "did not keep it"),
    ],
)
def test_each_failure_of_a_keyring_has_words_that_help(fault: str, told: str, home: Home, keyring: Path) -> None:
    home.env["TEST_KEYRING_FAULT"] = fault
    result = home.process("login", "github", stdin=SECRET)
    assert result.code == 2 and told in result.err and untold(result, home)
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "backend, told",
    [("keyring.backends.fail.Keyring", "no keyring runs here"), ("keyring.backends.null.Keyring", "switched off")],
)
def test_no_keyring_at_all(backend: str, told: str, home: Home) -> None:
    home.env["PYTHON_KEYRING_BACKEND"] = backend
    for command in ("login", "logout"):
        result = home.process(command, "github", stdin=SECRET)
        assert result.code == 2 and told in result.err and untold(result, home)


def test_typed_it_is_hidden(home: Home, keyring: Path) -> None:
    """On a real terminal: what is typed is stored, and nothing of it is echoed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "statusboard", "login", "github"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, **home.env},
        start_new_session=True,
    )
    os.close(follower)
    seen = b""
    typed = False
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([leader], [], [], 0.5)[0]:
            try:
                data = os.read(leader, 4096)
            except OSError:  # the other end is closed
                break
            seen += data
        if not typed and b"(hidden)" in seen and seen.rstrip().endswith(b":"):
            os.write(leader, b"typed-t0ken\r")
            typed = True
    os.close(leader)
    assert process.wait(60) == 0
    assert b"stored" in seen and b"typed-t0ken" not in seen
    assert stored(keyring) == {"statusboard/github": "typed-t0ken"}
