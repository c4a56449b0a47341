"""The log file, and redaction of what must never be shown.

`redact` is for every place where an error or a foreign message is shown. The log file is private (0600), rotated, and
its lines are redacted and cleaned when they are written, so that no caller can forget it.
"""

from __future__ import annotations

import base64
import json
import logging
import logging.handlers
import os
import re
import stat
import threading
import time
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from statusboard.paths import private_dir
from statusboard.text import redact_url, strip_controls

HIDDEN = "***"
FILE_BYTES = 1_000_000
FILES = 3
"""Log files kept in all: the current one and its older ones, `.1` being the younger."""

_SHORTEST_SECRET = 4  # hiding every "a" would hide the message, not the secret
_LONGEST_MESSAGE = 8_000
_LONGEST_TRACEBACK = 32_000
_LONGEST_INPUT = 200_000
_NOISY = ("httpx", "httpcore", "asyncio", "keyring", "textual", "hpack", "markdown_it")

_URL = re.compile(r"[a-z][a-z0-9+.\-]{0,20}://[^\s\"'<>]+", re.ASCII | re.IGNORECASE)
# A header by name and its value: quoted as in a repr of a dict or of httpx's pairs, else to the end of the line.
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie|(?:private|job|deploy|circle)-token|x-[a-z\-]{0,40}(?:api-?key|token)"
    r"|(?:dd-)?(?:api|application)-key|api_?key)"
    r"(\\?['\"]\s*[:,]\s*b?\\?|\s*[:=]\s*)(\"[^\"\n]*\"?|'[^'\n]*'?|[^\s'\"][^\n]*)",
    re.ASCII | re.IGNORECASE,
)
# The credential must hold a capital, a digit or "=", else "basic settings" would be hidden too.
_SCHEME = re.compile(
    r"\b((?i:bearer|basic))\s+(?!(?i:auth))(?=[a-z._~+/\-]*[A-Z0-9=])[A-Za-z0-9._~+/=\-]{6,}", re.ASCII
)
# Tokens that vendors made recognisable on purpose.
_TOKEN = re.compile(
    r"\b(?:gh[a-z]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w\-]{16,}|xox[a-z]-[\w\-]{10,}|AKIA[A-Z0-9]{16})",
    re.ASCII,
)


class Redactor:
    """Knows the secrets of this run and hides them, and whatever looks like one, in any text. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._forms)} forms>"

    def add(self, secret: str) -> None:
        """Hides `secret` from now on, also as a URL, a string literal or base64 would hold it; shorter than 4
        characters is left alone."""
        stripped = secret.strip()
        if len(stripped) < _SHORTEST_SECRET:
            return
        with self._lock:
            self._forms.update(form for form in _forms(stripped) if len(form) >= _SHORTEST_SECRET)
            # The longest first: a secret that begins with another one is hidden whole.
            ordered = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def forget(self) -> None:
        """Knows no secret any more: what one test hides must not be missing in another's log."""
        with self._lock:
            self._forms.clear()
            self._pattern = None

    def redact(self, text: str) -> str:
        """`text` without known secrets, credentials in headers and tokens, and with its URLs redacted."""
        text = self._hide_known(text)
        if "://" in text:
            # Cleaning a URL may uncover a secret that invisible characters had split.
            text = self._hide_known(_URL.sub(lambda match: redact_url(match[0]), text))
        text = _HEADER.sub(_hide_value, text)
        text = _SCHEME.sub(rf"\1 {HIDDEN}", text)
        return _TOKEN.sub(HIDDEN, text)

    def _hide_known(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def _hide_value(header: re.Match[str]) -> str:
    name, separator, value = header.groups()
    quote_mark = value[0] if value[0] in "'\"" else ""
    return f"{name}{separator}{quote_mark}{HIDDEN}{quote_mark}"


def _forms(secret: str) -> Iterable[str]:
    yield secret
    yield quote(secret, safe="", errors="surrogatepass")
    yield quote(secret, errors="surrogatepass")
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode("ascii")


redactor = Redactor()
"""The one of this process; whoever learns a secret adds it here before using it."""


def redact(text: str) -> str:
    """`text` as it may be shown or logged: see `Redactor.redact`."""
    return redactor.redact(text)


class _Formatter(logging.Formatter):
    """One line a record, then the traceback indented, so that no message can pretend to be a record of its own."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - boundary: arguments may raise anything when shown; the record must not be lost
            message = f"{record.msg!r} (its arguments could not be shown)"
        message = _presentable(message, _LONGEST_MESSAGE).replace("\n", " ")
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{moment}.{int(record.msecs):03d}Z {record.levelname} {record.name}: {message}"
        details = []
        if record.exc_info:
            details.append(self.formatException(record.exc_info))
        if record.stack_info:
            details.append(record.stack_info)
        lines = [head]
        for detail in details:
            lines += _presentable(detail, _LONGEST_TRACEBACK).split("\n")
        return "\n    ".join(lines)

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        try:
            return super().formatException(ei)
        except Exception:  # noqa: BLE001 - boundary: a foreign exception may raise when shown
            return f"{ei[0]} (it could not be shown)"


def _presentable(text: str, limit: int) -> str:
    # Shortened last, for a secret cut in two would not be known again; and first, to bound the work on a huge text.
    return _shorten(redact(strip_controls(_shorten(text, _LONGEST_INPUT))), limit)


def _shorten(text: str, limit: int) -> str:
    """Both ends of `text` in about `limit` characters: a traceback ends with what went wrong."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} ... {text[-half:]}"


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotated file of mode 0600 that several boards may share, and whose failures never reach the screen."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        # NONBLOCK: opening a pipe that nobody reads must fail, not hang.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self.baseFilename, flags, 0o600)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)  # the file may come from a careless time
            return open(descriptor, "a", encoding=self.encoding, errors=self.errors)
        except OSError:
            os.close(descriptor)
            raise

    def emit(self, record: logging.LogRecord) -> None:
        # Another board may have rotated the file; writing on into its old one would scatter the log.
        if self.stream is not None and not self._is_current(self.stream):
            self.stream.close()
            self.stream = None  # the base class opens it again
        super().emit(record)

    def _is_current(self, stream: TextIOWrapper) -> bool:
        try:
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(stream.fileno()))
        except OSError:
            return False

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk costs the record; logging's own answer, a traceback on stderr, would tear the screen."""


def setup(path: Path, level: str | int = "INFO") -> str | None:
    """Sends the log of this process to `path` (0600, in a folder made 0700), rotated at 1 MB, 3 files.

    Returns None, or why the log goes nowhere or not as asked; never raises for that, since a board without a log is
    better than none. Calling it again replaces the earlier file.
    """
    shutdown()
    reason = None
    number = logging.getLevelNamesMapping().get(level.upper()) if isinstance(level, str) else level
    if number is None:
        reason = f"{level!r} is no log level (DEBUG, INFO, WARNING, ERROR): using INFO"
        number = logging.INFO
    handler: logging.Handler
    try:
        private_dir(path.parent)
        handler = _PrivateFile(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = strip_controls(f"no log is written to {path}: {error}").replace("\n", " ")
        handler = logging.NullHandler()  # without any handler logging would write warnings to stderr
    handler.setFormatter(_Formatter())
    handler.set_name(_HANDLER_NAME)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(number)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    return reason


def shutdown() -> None:
    """Closes the log file that `setup` opened, if any. Handlers of others stay."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.get_name() == _HANDLER_NAME]:
        root.removeHandler(handler)
        handler.close()


_HANDLER_NAME = "statusboard"
