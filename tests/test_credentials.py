"""Secrets that never print, references, and the three places that secrets come from."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError
from rich.pretty import pretty_repr

from statusboard.credentials import (
    FILE_LIMIT,
    Keychain,
    Reference,
    Secret,
    is_reference,
    load_salt,
    parse_reference,
)
from statusboard.errors import CredentialError
from statusboard.log import redact
from tests.real.needs import program

VALUE = "s3cr3t-v4lue-of-tests"


# --- Secret ---------------------------------------------------------------------------------------------------------


def test_a_secret_shows_itself_to_nobody():
    secret = Secret(VALUE)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>30}", f"{[secret]!r}", pretty_repr([secret])]
    assert not [text for text in shown if VALUE in text]
    assert secret.reveal() == VALUE
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        vars(secret)


def test_secrets_compare_by_value_and_are_keys():
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret("other")
    assert Secret(VALUE) != VALUE
    assert {Secret(VALUE): 1}[Secret(VALUE)] == 1
    assert copy.deepcopy([Secret(VALUE)]) == [Secret(VALUE)]
    assert not Secret("")


def test_a_fingerprint_depends_on_the_salt():
    assert Secret(VALUE).fingerprint() == Secret(VALUE).fingerprint()
    assert Secret(VALUE).fingerprint(b"a" * 32) != Secret(VALUE).fingerprint(b"b" * 32)
    assert Secret(VALUE).fingerprint() != Secret("other").fingerprint()


def test_the_salt_is_made_once_and_private(tmp_path: Path):
    path = tmp_path / "salt"
    first = load_salt(path)
    assert len(first) == 32
    assert load_salt(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_short_salt_is_made_anew_and_an_unwritable_folder_is_no_fault(tmp_path: Path):
    path = tmp_path / "salt"
    path.write_bytes(b"short")
    assert len(load_salt(path)) == 32
    assert load_salt(path) == load_salt(path)
    assert len(load_salt(tmp_path / "no" / "such" / "folder")) == 32


# --- references -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,kind,name",
    [
        ("env:GITHUB_TOKEN", "env", "GITHUB_TOKEN"),
        ("file:/run/secrets/x", "file", "/run/secrets/x"),
        ("file:~/a b", "file", "~/a b"),
        ("keyring:github", "keyring", "github"),
        ("keyring:me@ci.example/x", "keyring", "me@ci.example/x"),
    ],
)
def test_references(text: str, kind: str, name: str):
    reference = parse_reference(text)
    assert (reference.kind, reference.name, str(reference)) == (kind, name, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ghp_abcdefghijkl",
        "env:",
        "env:A B",
        "env:1X",
        "ENV:X",
        "file:",
        "file: /x",
        "file:a\x00b",
        "keyring:",
        "keyring:-x",
        "keyring:a\nb",
        "keyring:" + "x" * 200,
        "vault:x",
    ],
)
def test_what_is_no_reference_is_refused_with_the_cure(text: str):
    with pytest.raises(ValueError, match=r"(env|file|keyring):\S"):
        parse_reference(text)


@given(st.text(min_size=6).filter(lambda text: not is_reference(text)))
def test_a_refusal_never_repeats_what_was_given(text: str):
    with pytest.raises(ValueError) as caught:
        parse_reference("§" + text)
    assert "§" + text not in str(caught.value)


# --- env: -----------------------------------------------------------------------------------------------------------


async def test_env_is_read_once_unless_asked_anew():
    environ = {"TOKEN": VALUE + "\n"}
    keychain = Keychain(environ=environ)
    assert (await keychain.resolve("env:TOKEN")).reveal() == VALUE
    environ["TOKEN"] = "another"
    assert (await keychain.resolve("env:TOKEN")).reveal() == VALUE
    assert (await keychain.resolve("env:TOKEN", fresh=True)).reveal() == "another"


async def test_what_was_resolved_is_redacted_from_then_on():
    await Keychain(environ={"TOKEN": "unmistakable-7161"}).resolve("env:TOKEN")
    assert "unmistakable" not in redact("it said unmistakable-7161 to us")


@pytest.mark.parametrize("environ,reason", [({}, "not set"), ({"TOKEN": ""}, "empty"), ({"TOKEN": " \n"}, "empty")])
async def test_env_that_is_missing_or_empty(environ: dict[str, str], reason: str):
    with pytest.raises(CredentialError, match=reason) as caught:
        await Keychain(environ=environ).resolve("env:TOKEN")
    assert caught.value.reference == "env:TOKEN"


async def test_a_secret_in_clear_is_not_repeated_in_the_error():
    with pytest.raises(CredentialError) as caught:
        await Keychain().resolve(VALUE)
    assert VALUE not in str(caught.value) + repr(caught.value)
    assert "keyring:NAME" in str(caught.value)


# --- file: ----------------------------------------------------------------------------------------------------------


def private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content,value",
    [
        (b"x y", "x y"),
        (b"x\n", "x"),
        (b"x\r\n", "x"),
        (b"x\n\n", "x\n"),
        (b"\xef\xbb\xbfx\n", "x"),
        ("ü".encode(), "ü"),
    ],
)
async def test_file_loses_one_newline(tmp_path: Path, content: bytes, value: str):
    path = private(tmp_path / "t", content)
    assert (await Keychain().resolve(f"file:{path}")).reveal() == value


async def test_a_relative_file_is_sought_beside_the_configuration_and_may_be_the_groups(tmp_path: Path):
    private(tmp_path / "t", b"x", 0o640)
    assert (await Keychain(folder=tmp_path).resolve("file:t")).reveal() == "x"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
async def test_a_file_open_to_everybody_is_refused(tmp_path: Path, mode: int):
    path = private(tmp_path / "t", VALUE.encode(), mode)
    with pytest.raises(CredentialError, match=f"chmod 600 {path}") as caught:
        await Keychain().resolve(f"file:{path}")
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(
    "content,reason",
    [(b"", "empty"), (b" \n", "empty"), (b"\xff\xfe", "UTF-8"), (b"x" * (FILE_LIMIT + 1), "larger than 64 kB")],
)
async def test_files_without_a_secret(tmp_path: Path, content: bytes, reason: str):
    path = private(tmp_path / "t", content)
    with pytest.raises(CredentialError, match=reason):
        await Keychain().resolve(f"file:{path}")


async def test_files_that_are_none(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, reason in [("pipe", "no regular file"), (".", "no regular file"), ("gone", "there is no file")]:
        with pytest.raises(CredentialError, match=reason):
            await Keychain(folder=tmp_path).resolve(f"file:{name}")
    with pytest.raises(CredentialError, match="home"):
        await Keychain().resolve("file:~no-such-user-here/x")


# --- keyring: with backends that behave as real ones were seen to -----------------------------------------------------


class Memory(KeyringBackend):
    """Keeps secrets as a real keyring does."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("no such password")


class Forgetful(Memory):
    """Takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Failing(Memory):
    """Raises the same for everything."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error


class Hanging(Memory):
    """Waits for a person who never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.let_go.wait(60)
        return super().get_password(service, username)


class EncryptedKeyring(Memory):
    """Like the encrypted files of keyrings.alt, which ask for a password on the terminal."""

    def get_password(self, service: str, username: str) -> str | None:
        raise AssertionError("it would have prompted")


class PlaintextKeyring(Memory):
    """Like the plain files of keyrings.alt."""


class Chain(chainer.ChainerBackend):
    """Several backends, as keyring chains them when more than one is usable."""

    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()
        self.__dict__["_chained"] = list(backends)

    @property
    def backends(self) -> list[KeyringBackend]:
        chained: list[KeyringBackend] = self.__dict__["_chained"]
        return chained


async def test_keyring_stores_reads_and_deletes():
    memory = Memory()
    keychain = Keychain(keyring=lambda: memory)
    with pytest.raises(CredentialError, match="statusboard login github"):
        await keychain.resolve("keyring:github")
    await keychain.store("github", Secret(VALUE))
    assert memory.kept == {("statusboard", "github"): VALUE}
    assert await keychain.resolve(Reference("keyring", "github")) == Secret(VALUE)
    await keychain.store("github", Secret("newer"))
    assert (await keychain.resolve("keyring:github")).reveal() == "newer"
    await keychain.delete("github")
    assert memory.kept == {}
    with pytest.raises(CredentialError, match="no such secret"):
        await keychain.delete("github")


async def test_a_secret_is_never_written_in_clear():
    plain, memory = PlaintextKeyring(), Memory()
    with pytest.raises(CredentialError, match="in clear"):
        await Keychain(keyring=lambda: plain).store("github", Secret(VALUE))
    await Keychain(keyring=lambda: Chain(plain, memory)).store("github", Secret(VALUE))
    assert plain.kept == {} and memory.kept == {("statusboard", "github"): VALUE}


@pytest.mark.parametrize(
    "backend,advice",
    [
        (fail.Keyring(), "install and start one"),
        (null.Keyring(), "switched off"),
        (EncryptedKeyring(), "on the terminal"),
        (Chain(null.Keyring(), EncryptedKeyring()), "switched off"),
        (Failing(InitError("Failed to create the collection: no prompter.")), "unlock it first"),
        (Failing(KeyringLocked("Failed to unlock the collection!")), "locked"),
        (Failing(OSError(f"quoting {VALUE}")), "OSError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, KeyringBackend) else "",
)
async def test_each_failure_of_a_keyring_says_what_to_do(backend: KeyringBackend, advice: str):
    keychain = Keychain(keyring=lambda: backend)
    for work in (
        lambda: keychain.resolve("keyring:github"),
        lambda: keychain.store("github", Secret(VALUE)),
        lambda: keychain.delete("github"),
    ):
        with pytest.raises(CredentialError, match=advice) as caught:
            await work()
        assert caught.value.reference == "keyring:github"
        assert "env:" in str(caught.value)
        assert VALUE not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__


async def test_a_chain_is_asked_without_those_that_prompt():
    memory = Memory()
    chain = Chain(EncryptedKeyring(), Failing(KeyringLocked()), memory)
    memory.kept["statusboard", "x"] = VALUE
    assert (await Keychain(keyring=lambda: chain).resolve("keyring:x")).reveal() == VALUE


async def test_a_keyring_that_keeps_nothing_is_found_out():
    with pytest.raises(CredentialError, match="did not keep it"):
        await Keychain(keyring=Forgetful).store("x", Secret(VALUE))


async def test_a_keyring_that_hangs_costs_the_time_limit_once():
    hanging = Hanging()
    keychain = Keychain(keyring=lambda: hanging, timeout=0.05, environ={"TOKEN": VALUE})
    with pytest.raises(CredentialError, match="did not answer within"):
        await keychain.resolve("keyring:x")
    with pytest.raises(CredentialError, match="still does not answer"):
        await keychain.resolve("keyring:x")
    assert await keychain.resolve("env:TOKEN") == Secret(VALUE)
    hanging.kept["statusboard", "x"] = VALUE
    hanging.let_go.set()
    while any(thread.name == "statusboard-keyring" for thread in threading.enumerate()):
        await asyncio.sleep(0.01)
    assert await keychain.resolve("keyring:x") == Secret(VALUE)


async def test_many_who_ask_at_once_cost_one_reading():
    class Counting(Memory):
        asked = 0

        def get_password(self, service: str, username: str) -> str | None:
            self.asked += 1
            return super().get_password(service, username)

    counting = Counting()
    counting.kept["statusboard", "x"] = VALUE
    keychain = Keychain(keyring=lambda: counting)
    asking = [asyncio.create_task(keychain.resolve("keyring:x", fresh=True)) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()  # it was the first: the others still get their answer
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert answers[1:] == [Secret(VALUE)] * 49
    assert isinstance(answers[0], asyncio.CancelledError)
    assert counting.asked == 1


async def test_an_odd_name_or_an_empty_secret_is_not_stored():
    keychain = Keychain(keyring=Memory)
    with pytest.raises(CredentialError, match="keyring:github"):
        await keychain.store("a\nb", Secret(VALUE))
    with pytest.raises(CredentialError, match="empty"):
        await keychain.store("x", Secret(""))


# --- keyring: the real one --------------------------------------------------------------------------------------------

SCRIPT = """
import asyncio, sys
from statusboard.credentials import Keychain, Secret
from statusboard.errors import CredentialError

async def main():
    keychain = Keychain()
    for step in sys.argv[1:]:
        try:
            if step == "store":
                await keychain.store("github", Secret("from-the-real-one"))
                print("stored")
            elif step == "delete":
                await keychain.delete("github")
                print("deleted")
            else:
                print((await keychain.resolve("keyring:github", fresh=True)).reveal())
        except CredentialError as exc:
            print(exc)

asyncio.run(main())
"""


def in_session(home: Path, before: str, *steps: str, bus: bool = True, **environ: str) -> list[str]:
    """What the script above says in a session of its own; stdin is empty, so a prompt would end in an error."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    environment = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **environ,
    }
    python = [sys.executable, "-c", SCRIPT, *steps]
    if bus:
        python = [program("dbus-run-session", package="dbus"), "--", "sh", "-c", f'{before}\nexec "$@"', "sh", *python]
    done = subprocess.run(
        python, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()


UNLOCK = "printf {} | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null"


@pytest.mark.real
def test_gnome_keyring_stores_reads_and_deletes(tmp_path: Path):
    program("gnome-keyring-daemon", package="gnome-keyring")
    said = in_session(tmp_path, UNLOCK.format("pw"), "read", "store", "read", "delete", "read")
    assert said[1:4] == ["stored", "from-the-real-one", "deleted"]
    assert all("statusboard login github" in said[i] for i in (0, 4))


@pytest.mark.real
def test_gnome_keyring_locked_by_another_password(tmp_path: Path):
    program("gnome-keyring-daemon", package="gnome-keyring")
    assert in_session(tmp_path, UNLOCK.format("pw"), "store") == ["stored"]
    (said,) = in_session(tmp_path, UNLOCK.format("wrong"), "read")
    assert "locked" in said


@pytest.mark.real
def test_gnome_keyring_without_anybody_to_unlock_it(tmp_path: Path):
    program("gnome-keyring-daemon", package="gnome-keyring")
    start = "gnome-keyring-daemon --start --components=secrets >/dev/null"
    (said,) = in_session(tmp_path, start, "read")
    assert "unlock it" in said


@pytest.mark.real
def test_no_session_bus_and_the_null_backend(tmp_path: Path):
    (said,) = in_session(tmp_path, "", "read", bus=False)
    assert "no keyring runs here" in said
    (said,) = in_session(tmp_path, "", "store", bus=False, PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    assert "switched off" in said
