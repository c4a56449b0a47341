"""SQLite's errors, the operating system's and the decoders', as the store's own."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import msgspec

from statusboard.errors import StoreError, StoreUnusable


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for an error that did not come from SQLite."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def translated(error: Exception, path: Path) -> Exception:
    """The `StoreError` for what SQLite, the operating system or a decoder raised; any other error as it is."""
    if isinstance(error, msgspec.MsgspecError):
        named: Exception = StoreUnusable(f"{path} is damaged: what was read is not what was written", reason="damaged")
    elif isinstance(error, sqlite3.Error) and primary_code(error):
        named = _unusable(error, path)
    elif isinstance(error, OSError):
        named = StoreUnusable(
            f"{path} cannot be used: {error.strerror}", reason=_OS_REASONS.get(error.errno or 0, "io")
        )
    else:
        return error
    named.__cause__ = error
    return named


def not_followed(error: sqlite3.Error, path: Path) -> Exception:
    """`translated`, for a file that could not be opened to follow it."""
    if not os.access(path, os.R_OK):
        return StoreUnusable(f"{path} may not be read by this user", reason="unreadable")
    # The log needs files beside the database, which are gone when the last board has closed it.
    if primary_code(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        message = (
            f"{path} can be followed while a board writes it; none does now, and this user may not write beside it"
        )
        return StoreUnusable(message, reason="idle")
    return translated(error, path)


_OS_REASONS = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EACCES: "readonly",
    errno.EPERM: "readonly",
    errno.EROFS: "readonly",
}
_MESSAGES = {
    "locked": "another program keeps {path} locked",
    "readonly": "{path} may not be written (its permissions, or those of its folder or file system)",
    "damaged": "{path} is damaged",
    "full": "there is no room left to write {path}",
    "io": "{path} cannot be read or written ({name})",
}


def _unusable(error: sqlite3.Error, path: Path) -> StoreError:
    reason = _reason(error, path)
    if not reason:
        return StoreError(f"{path}: {error}")
    return StoreUnusable(_MESSAGES[reason].format(path=path, name=error.sqlite_errorname), reason=reason)


def _reason(error: sqlite3.Error, path: Path) -> str:
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "locked"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return "readonly"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return "damaged"
        case sqlite3.SQLITE_FULL:
            return "full"
        case sqlite3.SQLITE_IOERR if error.sqlite_errorcode == sqlite3.SQLITE_IOERR_SHORT_READ:
            return "damaged"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR:
            return "full" if _is_full(path) else "io"
        case _:
            return ""


def _is_full(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False
