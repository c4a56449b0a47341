"""Where a secret is, as a configuration writes it."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import Struct

ReferenceKind: TypeAlias = Literal["env", "file", "keyring"]

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEYRING_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/+-]{0,127}", re.ASCII)


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
