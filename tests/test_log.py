"""The log file and redaction."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard import log
from statusboard.log import FILE_BYTES, FILES, Redactor, redact

LOG = logging.getLogger("test")
SECRET = "hunter2-s3cret"


@pytest.fixture(autouse=True)
def quiet_root() -> Iterator[None]:
    """Gives the root logger back as it was."""
    root = logging.getLogger()
    level = root.level
    levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "asyncio", "keyring", "textual")}
    yield
    log.shutdown()
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "board.log"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- redaction ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "https://host/x?{}",
        "https://host/x?access_token={}&page=2",
        "https://me:{}@host/x",
        "https://{}@host/x",
        "Authorization: Bearer {}",
        "authorization: {}",
        "{{'Authorization': 'Bearer {}'}}",
        '{{"authorization":"Basic {}"}}',
        '"{{\\"authorization\\": \\"token {}\\"}}"',
        "(b'Authorization', b'token {}')",
        "Headers([('private-token', '{}'), ('accept', '*/*')])",
        "PRIVATE-TOKEN: {}",
        "X-Redmine-API-Key={}",
        "X-Octopus-ApiKey: {}",
        "DD-API-KEY: {}",
        "Circle-Token: {}",
        "Cookie: a=b; session={}; c=d",
        "Set-Cookie: session={}; HttpOnly",
        "cookie='session={}'",
        "sent Bearer {} to it",
        "curl -H 'authorization: bearer {}'",
    ],
)
def test_credentials_are_hidden_by_their_place(text: str) -> None:
    shown = Redactor().redact(text.format("Tok3nTok3nTok3n"))
    assert "Tok3n" not in shown
    assert "***" in shown or "https://host/x" in shown
    assert Redactor().redact(shown) == shown


@pytest.mark.parametrize(
    "token",
    ["ghp_" + "a" * 36, "github_pat_" + "a" * 40, "glpat-" + "a" * 20, "xoxb-1234567890-abc", "AKIA" + "A" * 16],
)
def test_tokens_that_vendors_made_recognisable_are_hidden(token: str) -> None:
    assert Redactor().redact(f"bad value {token}!") == "bad value ***!"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://host/a/b 404 Not Found",
        "basic settings are missing; bearer authentication is needed",
        "Basic authentication failed",
        "the authorization of acme/x, then the cookie jar",
        "timeout after 10 s: part acme/x",
        "token: keyring:github is not in the keyring",
        "",
    ],
)
def test_plain_messages_stay(text: str) -> None:
    assert Redactor().redact(text) == text


def test_registered_secrets_are_hidden_in_every_form() -> None:
    redactor = Redactor()
    redactor.add('p"ä/s\\s w&rd\n')
    for form in ('p"ä/s\\s w&rd', "p%22%C3%A4%2Fs%5Cs%20w%26rd", 'p"ä/s\\\\s w&rd', 'p\\"\\u00e4/s\\\\s w&rd'):
        assert redactor.redact(f"[{form}]") == "[***]"
    redactor.add(SECRET)
    assert redactor.redact("aHVudGVyMi1zM2NyZXQ=") == "***"
    assert SECRET not in repr(redactor)


def test_a_secret_that_begins_with_another_is_hidden_whole() -> None:
    redactor = Redactor()
    for secret in ("abcd", "abcdefgh", "abcdef"):
        redactor.add(secret)
    assert redactor.redact("x abcdefgh y abcd") == "x *** y ***"


@pytest.mark.parametrize("secret", ["", "abc", "   abc  \n"])
def test_a_very_short_secret_is_left_alone(secret: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    assert redactor.redact("abc or abcd") == "abc or abcd"


WORDS = st.text(st.characters(exclude_characters="*"), max_size=30)  # "*" is what secrets become


@given(WORDS.map(str.strip).filter(lambda secret: len(secret) >= 4), WORDS, WORDS)
def test_a_registered_secret_never_survives(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    assert secret not in redactor.redact(f"{before}{secret}{after}")


def test_a_secret_split_by_an_invisible_character_in_a_url_is_hidden() -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    assert redactor.redact(f"https://host/{SECRET[:4]}\u200b{SECRET[4:]}/x") == "https://host/***/x"


@given(st.text(), st.text("Authorization: Bearer basic cookie=\"'\\x-token://@?#&\n", max_size=80))
def test_redaction_takes_any_text(a: str, b: str) -> None:
    assert isinstance(Redactor().redact(a + b), str)


def test_redaction_of_a_long_hostile_text_is_not_quadratic() -> None:
    # Each of these would not end in the life of a test if a pattern went back over the whole text at every step.
    for piece in ("x-", "cookie ", "bearer ", "a://", "api-key", "authorization'"):
        assert isinstance(Redactor().redact(piece * 30_000), str)


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_file_is_private_and_holds_the_line(path: Path) -> None:
    assert log.setup(path, "INFO") is None
    logging.getLogger("statusboard.poller").info("source %s is down", "ci")
    logging.getLogger("statusboard.poller").debug("not this")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO statusboard\.poller: source ci is down\n", path.read_text()
    )
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_an_open_file_of_before_is_made_private(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("old\n")
    path.chmod(0o644)
    assert log.setup(path, "INFO") is None
    LOG.warning("new")
    assert mode(path) == 0o600
    assert path.read_text().startswith("old\n")


def test_secrets_and_controls_do_not_reach_the_file(path: Path) -> None:
    log.redactor.add(SECRET)
    log.setup(path, "INFO")
    logging.getLogger("x").warning("title \x1b]52;c;AA\x07\u202e %s\n2026-01-01 INFO forged", SECRET)
    logging.getLogger("x").warning("GET https://me:pw@host/?token=abc with {'Authorization': 'Bearer Abc123'}")
    text = path.read_text()
    assert text.count("\n") == 2
    assert "title ]52;c;AA *** 2026-01-01 INFO forged" in text
    assert "GET https://host/?token=*** with {'Authorization': '***'}" in text


def test_a_secret_hidden_by_invisible_characters_or_a_cut_is_found(path: Path) -> None:
    log.redactor.add(SECRET)
    log.setup(path, "INFO")
    LOG.warning("%s", "\u200b".join(SECRET))
    LOG.warning("%s", "x" * 3_995 + SECRET + "y" * 10_000)
    text = path.read_text()
    assert SECRET[:5] not in text
    assert len(text) < 9_000


def test_tracebacks_keep_lines_but_show_no_locals_or_secrets(path: Path) -> None:
    log.redactor.add(SECRET)
    log.setup(path, "INFO")

    def fail(password: str) -> None:
        raise RuntimeError(f"refused {password} \x1b[1m\n2026-01-01T00:00:00.000Z INFO root: forged")

    local_value = "only-in-a-variable-" + "0" * 3
    try:
        fail(SECRET)
    except RuntimeError:
        logging.getLogger("x").exception("poll failed")
    text = path.read_text()
    assert "ERROR x: poll failed\n    Traceback (most recent call last):\n" in text
    assert "RuntimeError: refused *** [1m\n    2026-01-01T00:00:00.000Z INFO root: forged\n" in text
    assert local_value not in text
    assert all(line.startswith("    ") for line in text.splitlines()[1:])


def test_what_cannot_be_shown_is_still_logged(path: Path) -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

        __repr__ = __str__

    log.setup(path, "INFO")
    [handler] = [h for h in logging.getLogger().handlers if h.get_name() == "statusboard"]  # pytest's raise
    for message, argument in (("value %s", Rude()), ("too %s few %s", 1)):
        handler.handle(LOG.makeRecord("test", logging.WARNING, "", 0, message, (argument,), None))
    LOG.warning("lone \ud800 surrogate")
    try:
        raise Rude
    except Rude:
        LOG.exception("rude")
    text = path.read_text()
    assert "'value %s' (its arguments could not be shown)" in text
    assert "'too %s few %s' (its arguments could not be shown)" in text
    assert "lone \ufffd surrogate" in text
    assert "ERROR test: rude\n" in text
    assert "Rude" in text


def test_rotation_keeps_a_few_private_files(path: Path) -> None:
    log.setup(path, "INFO")
    line = "x" * 7_000
    for _ in range(FILES * FILE_BYTES // 7_000 + 200):
        LOG.info(line)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["board.log", "board.log.1", "board.log.2"]
    assert all(mode(file) == 0o600 and file.stat().st_size <= FILE_BYTES for file in files)


def test_a_file_rotated_by_another_board_is_opened_anew(path: Path) -> None:
    log.setup(path, "INFO")
    LOG.info("first")
    path.rename(path.with_suffix(".log.1"))
    LOG.info("second")
    assert "second" in path.read_text()
    assert "second" not in path.with_suffix(".log.1").read_text()


def test_setup_again_replaces_the_file(path: Path) -> None:
    log.setup(path, "INFO")
    other = path.with_name("other.log")
    log.setup(other, "DEBUG")
    LOG.debug("here")
    assert path.read_text() == ""
    assert other.read_text().count("here") == 1


def test_third_parties_are_quiet(path: Path) -> None:
    log.setup(path, "DEBUG")
    for name in ("httpx", "httpcore.connection", "asyncio", "keyring.backend", "textual"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("matter")
    text = path.read_text()
    assert "chatter" not in text
    assert text.count("matter") == 5


def test_without_a_file_the_program_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    reason = log.setup(tmp_path / "file" / "board.log", "INFO")
    assert reason is not None
    assert "no log is written" in reason
    LOG.error("nobody reads this")
    assert capsys.readouterr().err == ""


def test_a_link_or_a_pipe_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.log").symlink_to("elsewhere")
    os.mkfifo(tmp_path / "pipe.log")
    assert "link.log" in (log.setup(tmp_path / "link.log") or "")
    assert "pipe.log" in (log.setup(tmp_path / "pipe.log") or "")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["a\x00b.log", "a" * 300 + ".log"])
def test_an_impossible_name_is_a_reason(tmp_path: Path, name: str) -> None:
    assert "no log is written" in (log.setup(tmp_path / name) or "")


def test_an_unknown_level_is_said_and_info_is_used(path: Path) -> None:
    assert "'LOUD' is no log level" in (log.setup(path, "LOUD") or "")
    LOG.info("still here")
    assert "still here" in path.read_text()


def test_a_write_that_fails_is_silent(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(path, "INFO")
    LOG.info("before")
    path.unlink()
    path.parent.rmdir()
    LOG.info("lost")
    assert capsys.readouterr().err == ""
    path.parent.mkdir()
    LOG.info("after")
    assert "after" in path.read_text()


def test_redact_knows_what_the_process_learned() -> None:
    log.redactor.add("a-made-up-secret")
    assert redact("so a-made-up-secret it is") == "so *** it is"
