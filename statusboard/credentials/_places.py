"""Files and keyrings: reading and writing a secret there, and what to say when that fails.

Everything here blocks, and a keyring may block for good: `Keychain` calls it in a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from statusboard.credentials._reference import Reference
from statusboard.credentials._secret import Secret
from statusboard.errors import CredentialError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

KEYRING_SERVICE = "statusboard"
"""The service under which every secret is kept in the system's keyring; the user name is the reference's own."""

FILE_LIMIT = 64 * 1024
"""The longest file that is taken for a secret, in bytes."""


def read_file(reference: Reference, path: Path) -> str:
    """The secret in a file that is not open to everybody, without its last newline."""
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

_NO_KEYRING = (
    "no keyring runs here: install and start one (GNOME Keyring, KWallet, KeePassXC with its Secret Service) in this "
    "session and start the board again, or use env:NAME or file:/path instead"
)


def usable(reference: Reference, chosen: KeyringBackend) -> list[KeyringBackend]:
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


def _in_clear(backend: KeyringBackend) -> bool:
    """Whether a backend keeps secrets unencrypted, as the plain files of keyrings.alt."""
    return any("Plaintext" in base.__name__ for base in type(backend).__mro__)


def read_keyring(reference: Reference, backends: list[KeyringBackend]) -> str:
    """The secret that one of the backends holds."""
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


def write_keyring(reference: Reference, secret: Secret, backends: list[KeyringBackend]) -> None:
    """Store a secret in the first backend that encrypts what it keeps, and make sure that it is there."""
    backend = next((backend for backend in backends if not _in_clear(backend)), None)
    if backend is None:
        raise CredentialError(
            str(reference),
            "the only keyring here would write the secret to a file in clear: start a desktop keyring; if a file is "
            "what you want, write it yourself with mode 0600 and use file:/path",
        )
    backend.set_password(KEYRING_SERVICE, reference.name, secret.reveal())
    kept = backend.get_password(KEYRING_SERVICE, reference.name)
    if kept is None or Secret(kept) != secret:
        raise CredentialError(str(reference), "the keyring took the secret and did not keep it; use env: or file:")


def delete_keyring(reference: Reference, backends: list[KeyringBackend]) -> None:
    """Delete a secret wherever it is."""
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


def explained(reference: Reference, exc: Exception) -> CredentialError:
    """A keyring's failure in words that help.  The library's own text is left out: it may quote what it was given."""
    if reference.kind == "file":
        return CredentialError(str(reference), f"the file could not be read ({type(exc).__name__})")
    if isinstance(exc, ImportError):
        return CredentialError(str(reference), "the keyring package or its backend is not installed; use env: or file:")
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
    return CredentialError(
        str(reference), f"the keyring failed ({type(exc).__name__}); is it running? Else use env: or file:"
    )
