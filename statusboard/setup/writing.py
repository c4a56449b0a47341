"""Writing a first configuration: valid, whole or not at all, for its owner's eyes, and never over another one."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from statusboard.errors import StatusboardError
from statusboard.paths import private_dir
from statusboard.setup.answers import check_text

if TYPE_CHECKING:
    from statusboard.registry import Registry


class NotWritten(StatusboardError):
    """The file was not written: which, why, and what would be right."""


def refuse_existing(target: Path) -> None:
    """NotWritten where there is something already, be it a dangling link."""
    if os.path.lexists(target):
        raise _exists(target)


def write_new(target: Path, text: str, known: Registry, *, made: bool) -> None:
    """Write a configuration that is valid for the ``known`` types, where there is none (0600).

    ``made``: the folder is ours to make.  ConfigError where it would not be valid; NotWritten where it cannot be
    written.  Nobody ever sees half of it, not even where the disk is full.
    """
    check_text(text, known)
    part = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        if made:
            private_dir(target.parent)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            _place(part, target, text)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise NotWritten(f"{target} cannot be written: {error.strerror or error}") from None


def _place(part: Path, target: Path, text: str) -> None:
    """Give a written file its name, unless that is taken."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def _exists(target: Path) -> NotWritten:
    return NotWritten(
        f"{target} exists and is not overwritten; move it away, or name another file (`statusboard init --output FILE`)"
    )
