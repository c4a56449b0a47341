"""A value that never prints, and the salt that its fingerprints are made with."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import NoReturn

_PROCESS_SALT = secrets.token_bytes(32)


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
