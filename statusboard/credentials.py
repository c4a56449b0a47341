"""Secrets: where they come from, and a type for them that never prints.

A configuration holds references (``env:NAME``, ``file:/path``, ``keyring:NAME``), never the secret itself.
A `Keychain` resolves them.  Every failure is a `CredentialError` that says what a person can do about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, TypeVar

from msgspec import Struct

from statusboard.errors import CredentialError
from statusboard.log import redactor

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")
ReferenceKind: TypeAlias = Literal["env", "file", "keyring"]

KEYRING_SERVICE = "statusboard"
"""The service under which every secret is kept in the system's keyring; the user name is the reference's own."""

FILE_LIMIT = 64 * 1024
KEYRING_TIMEOUT = 5.0

_PROCESS_SALT = secrets.token_bytes(32)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEYRING_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/+-]{0,127}", re.ASCII)


class Secret:
    """A secret value.  Only `reveal` gives it; it neither prints, formats, pickles nor shows in a rich traceback.

    Secrets compare in constant time and may be dict keys.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value in clear."""
        return self._value

    def fingerprint(self, salt: bytes = _PROCESS_SALT) -> str:
        """16 hexadecimal digits that tell secrets apart and from which, without ``salt``, nothing can be guessed.

        By default they mean something in this process only; see `load_salt`.
        """
        return hashlib.blake2b(self._value.encode("utf-8", "surrogatepass"), digest_size=8, key=salt[:64]).hexdigest()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __rich_repr__(self) -> tuple[()]:
        return ()

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"), other._value.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


class Reference(Struct, frozen=True):
    """Where a secret is: an environment variable, a file, or an entry of the system's keyring."""

    kind: ReferenceKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def parse_reference(text: str) -> Reference:
    """``env:NAME``, ``file:/path`` or ``keyring:NAME``.

    Anything else is a ValueError.  Its text never repeats what was given: that may well be the secret in clear.
    """
    kind, colon, name = text.partition(":")
    if colon and kind == "env":
        if _ENV_NAME.fullmatch(name):
            return Reference("env", name)
        raise ValueError("after env: comes the name of an environment variable, such as env:GITHUB_TOKEN")
    if colon and kind == "file":
        if name and name.isprintable() and name == name.strip():
            return Reference("file", name)
        raise ValueError("after file: comes the path of a file, such as file:~/.secrets/github")
    if colon and kind == "keyring":
        if _KEYRING_NAME.fullmatch(name):
            return Reference("keyring", name)
        raise ValueError("after keyring: comes a name of letters, digits and ._@/+-, such as keyring:github")
    raise ValueError(
        "a secret is never written here, only where it is: keyring:NAME (stored by `statusboard login NAME`), "
        "env:NAME or file:/path"
    )


def is_reference(text: str) -> bool:
    """Whether ``text`` is written like a reference, right or wrong."""
    return text.partition(":")[0] in ("env", "file", "keyring") and ":" in text


def load_salt(path: Path) -> bytes:
    """The salt kept in ``path`` (32 random bytes, mode 0600), made when there is none.

    With it, fingerprints mean the same in every run of this user, and still nothing to anybody else.  Where it can be
    neither read nor written the salt of this process is returned.
    """
    for _ in range(2):  # the second time round, another process made it first
        try:
            with path.open("rb") as file:
                salt = file.read(65)
            if len(salt) >= 32:
                return salt[:32]
            path.unlink()
        except FileNotFoundError:
            pass
        except OSError:
            return _PROCESS_SALT
        try:
            _write_new(path, salt := secrets.token_bytes(32))
        except FileExistsError:
            continue
        except OSError:
            return _PROCESS_SALT
        return salt
    return _PROCESS_SALT


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that did not exist, readable by its owner only; nobody ever sees it half written."""
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


class Keychain:
    """Resolves references to secrets, remembers them, and stores and deletes those of the keyring.

    ``folder`` is what relative ``file:`` paths are relative to (the configuration's own folder), ``environ`` stands in
    for the environment, ``keyring`` for the choice of a keyring backend, ``timeout`` is in seconds: short for a
    board, longer where a person is there to unlock the keyring.  Files and keyrings are read off the event loop.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
        keyring: Callable[[], KeyringBackend] | None = None,
        timeout: float = KEYRING_TIMEOUT,
    ) -> None:
        self._folder = folder or Path()
        self._environ = os.environ if environ is None else environ
        self._choose = keyring
        self._timeout = timeout
        self._known: dict[Reference, Secret] = {}
        self._reading: dict[Reference, asyncio.Task[Secret]] = {}
        self._keyring_lock = threading.Lock()  # its backends are not made for several threads
        self._hung: dict[str, threading.Thread] = {}

    def __repr__(self) -> str:
        return f"<Keychain of {len(self._known)} secrets>"

    async def resolve(self, reference: Reference | str, *, fresh: bool = False) -> Secret:
        """The secret; ``fresh`` reads it anew.  `CredentialError` says what to do where it cannot be had."""
        if isinstance(reference, str):
            try:
                reference = parse_reference(reference)
            except ValueError as exc:
                raise CredentialError("a credential", str(exc)) from None
        if not fresh and (known := self._known.get(reference)) is not None:
            return known
        reading = self._reading.get(reference)
        if reading is None:
            # One reading for all who ask meanwhile, whoever of them is cancelled.
            reading = self._reading[reference] = asyncio.create_task(self._read(reference), name="statusboard-secret")
            reading.add_done_callback(lambda task: self._read_is_over(reference, task))
        return await asyncio.shield(reading)

    def _read_is_over(self, reference: Reference, task: asyncio.Task[Secret]) -> None:
        self._reading.pop(reference, None)
        if not task.cancelled():
            task.exception()  # asked for, even if nobody waits any more

    async def _read(self, reference: Reference) -> Secret:
        if reference.kind == "env":
            value = self._from_environment(reference)
        elif reference.kind == "file":
            value = await self._aside(reference, lambda: _read_file(reference, self._path(reference)))
        else:
            value = await self._aside(reference, lambda: _read_keyring(reference, self._backends(reference)))
        secret = Secret(value)
        redactor.add(value)
        self._known[reference] = secret
        return secret

    async def store(self, name: str, secret: Secret) -> None:
        """Put a secret into the keyring, and read it back: some keyrings accept everything and keep nothing."""
        reference = _keyring_reference(name)
        if not secret:
            raise CredentialError(str(reference), "an empty secret is not stored")
        redactor.add(secret.reveal())
        self._known.pop(reference, None)
        await self._aside(reference, lambda: _write_keyring(reference, secret, self._backends(reference)))

    async def delete(self, name: str) -> None:
        """Take a secret out of the keyring."""
        reference = _keyring_reference(name)
        self._known.pop(reference, None)
        await self._aside(reference, lambda: _delete_keyring(reference, self._backends(reference)))

    def _from_environment(self, reference: Reference) -> str:
        value = self._environ.get(reference.name)
        if value is None:
            raise CredentialError(
                str(reference), "this environment variable is not set; export it before the board starts"
            )
        if not value.strip():
            raise CredentialError(str(reference), "this environment variable is empty")
        return value.strip("\r\n")

    def _path(self, reference: Reference) -> Path:
        try:
            return self._folder / Path(reference.name).expanduser()
        except RuntimeError:
            raise CredentialError(str(reference), "there is no such home folder") from None

    def _backends(self, reference: Reference) -> list[KeyringBackend]:
        import keyring

        return _usable(reference, (self._choose or keyring.get_keyring)())

    async def _aside(self, reference: Reference, work: Callable[[], T]) -> T:
        """Run ``work`` in a daemon thread: it may hang for good, and must then not keep the program from ending."""
        place = "keyring" if reference.kind == "keyring" else str(reference)
        hung = self._hung.get(place)
        if hung is not None and hung.is_alive():
            raise CredentialError(str(reference), f"the {_PLACE[reference.kind]} still does not answer")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)  # type: ignore[arg-type]  # what `work` returned
            else:
                answer.set_exception(error)

        def run() -> None:
            result: T | None = None
            error: Exception | None = None
            try:
                with self._keyring_lock if reference.kind == "keyring" else contextlib.nullcontext():
                    result = work()
            except Exception as exc:  # noqa: BLE001 - boundary: carried over to whoever waits
                error = exc
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile; nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        thread = threading.Thread(target=run, name=f"statusboard-{reference.kind}", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError:
            self._hung[place] = thread
            raise CredentialError(
                str(reference),
                f"the {_PLACE[reference.kind]} did not answer within {self._timeout:g} s; {_WHEN_HUNG[reference.kind]}",
            ) from None
        except CredentialError:
            raise
        except Exception as exc:  # noqa: BLE001 - boundary: keyring backends raise whatever their libraries do
            raise _explained(reference, exc) from None


_PLACE: Mapping[ReferenceKind, str] = {"env": "environment", "file": "file", "keyring": "keyring"}
_WHEN_HUNG: Mapping[ReferenceKind, str] = {
    "env": "",
    "file": "is it on a network drive?",
    "keyring": "a window may be asking for its password; unlock it, or use env: or file:",
}


# --- files ----------------------------------------------------------------------------------------------------------


def _read_file(reference: Reference, path: Path) -> str:
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise CredentialError(str(reference), f"there is no file {path}") from None
    except PermissionError:
        raise CredentialError(str(reference), f"{path} may not be read by this user") from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a path"
        raise CredentialError(str(reference), f"{path} cannot be read: {reason}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise CredentialError(str(reference), f"{path} is no regular file")
    with open(descriptor, "rb") as file:
        if status.st_mode & stat.S_IRWXO & ~stat.S_IXOTH:
            raise CredentialError(str(reference), f"{path} is open to everybody on this machine; run: chmod 600 {path}")
        try:
            content = file.read(FILE_LIMIT + 1)
        except OSError as exc:
            raise CredentialError(str(reference), f"{path} cannot be read: {exc.strerror}") from None
    if len(content) > FILE_LIMIT:
        raise CredentialError(str(reference), f"{path} is larger than {FILE_LIMIT // 1024} kB; is it the right file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CredentialError(str(reference), f"{path} is not text in UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise CredentialError(str(reference), f"{path} is empty")
    return text


# --- keyrings -------------------------------------------------------------------------------------------------------


def _keyring_reference(name: str) -> Reference:
    try:
        return parse_reference(f"keyring:{name}")
    except ValueError as exc:
        raise CredentialError("keyring", str(exc)) from None


_NO_KEYRING = (
    "no keyring runs here: install and start one (GNOME Keyring, KWallet, KeePassXC with its Secret Service) in this "
    "session and start the board again, or use env:NAME or file:/path instead"
)


def _usable(reference: Reference, chosen: KeyringBackend) -> list[KeyringBackend]:
    """The backends to ask, in order, without those that keep nothing or would ask for a password on the terminal."""
    from keyring.backends import chainer, fail, null

    candidates = chosen.backends if isinstance(chosen, chainer.ChainerBackend) else [chosen]
    usable = [
        backend for backend in candidates if not isinstance(backend, fail.Keyring | null.Keyring) and not _asks(backend)
    ]
    if usable:
        return usable
    if any(isinstance(backend, null.Keyring) for backend in candidates):
        raise CredentialError(
            str(reference),
            "the keyring is switched off (the null backend keeps nothing): see PYTHON_KEYRING_BACKEND and "
            "keyringrc.cfg, or use env:NAME or file:/path instead",
        )
    if any(_asks(backend) for backend in candidates):
        raise CredentialError(
            str(reference),
            "the only keyring here asks for its password on the terminal, which would break the screen: start a "
            "desktop keyring, or use env:NAME or file:/path instead",
        )
    raise CredentialError(str(reference), _NO_KEYRING)


def _asks(backend: KeyringBackend) -> bool:
    """Whether a backend reads a password from the terminal, as the encrypted files of keyrings.alt and its kin do."""
    return any("Encrypted" in base.__name__ or hasattr(base, "keyring_key") for base in type(backend).__mro__)


def _read_keyring(reference: Reference, backends: list[KeyringBackend]) -> str:
    value = _first(reference, backends, lambda backend: backend.get_password(KEYRING_SERVICE, reference.name))
    if not value:
        raise CredentialError(
            str(reference), f"the keyring holds no such secret; store it with: statusboard login {reference.name}"
        )
    return value


def _first(
    reference: Reference, backends: list[KeyringBackend], ask: Callable[[KeyringBackend], str | None]
) -> str | None:
    """The first answer of several backends; the first one's failure counts only when no other has an answer."""
    failure: Exception | None = None
    for backend in backends:
        try:
            if (value := ask(backend)) is not None:
                return value
        except Exception as exc:  # noqa: BLE001 - boundary: backends raise whatever their libraries do
            failure = failure or exc
    if failure is not None:
        raise failure
    return None


def _write_keyring(reference: Reference, secret: Secret, backends: list[KeyringBackend]) -> None:
    backend = backends[0]
    backend.set_password(KEYRING_SERVICE, reference.name, secret.reveal())
    kept = backend.get_password(KEYRING_SERVICE, reference.name)
    if kept is None or Secret(kept) != secret:
        raise CredentialError(str(reference), "the keyring took the secret and did not keep it; use env: or file:")


def _delete_keyring(reference: Reference, backends: list[KeyringBackend]) -> None:
    from keyring.errors import PasswordDeleteError

    found = False
    for backend in backends:
        if backend.get_password(KEYRING_SERVICE, reference.name) is None:
            continue
        found = True
        try:
            backend.delete_password(KEYRING_SERVICE, reference.name)
        except PasswordDeleteError:
            raise CredentialError(str(reference), "the keyring refuses to delete this secret") from None
        if backend.get_password(KEYRING_SERVICE, reference.name) is not None:
            raise CredentialError(str(reference), "the keyring still holds this secret")
    if not found:
        raise CredentialError(str(reference), "the keyring holds no such secret")


def _explained(reference: Reference, exc: Exception) -> CredentialError:
    """A keyring's failure in words that help.  The library's own text is left out: it may quote what it was given."""
    from keyring import errors

    if isinstance(exc, errors.NoKeyringError):
        return CredentialError(str(reference), _NO_KEYRING)
    if isinstance(exc, errors.KeyringLocked):
        return CredentialError(
            str(reference),
            "the keyring is locked, and it was not unlocked (no password given, or a wrong one); unlock it, or use "
            "env: or file:",
        )
    if isinstance(exc, errors.InitError):
        return CredentialError(
            str(reference),
            "the keyring is locked or has no default collection, and nothing here can ask for its password (as over "
            "SSH); unlock it first: gnome-keyring-daemon --unlock, or use env: or file:",
        )
    if isinstance(exc, errors.PasswordSetError):
        return CredentialError(str(reference), "the keyring refuses to store this secret; is it locked or read-only?")
    if reference.kind == "file":
        return CredentialError(str(reference), f"the file could not be read ({type(exc).__name__})")
    if isinstance(exc, ImportError):
        return CredentialError(str(reference), "the keyring package or its backend is not installed; use env: or file:")
    return CredentialError(
        str(reference), f"the keyring failed ({type(exc).__name__}); is it running? Else use env: or file:"
    )
