"""Every error that the board raises on purpose.

    StatusboardError
    +-- ConfigError              the configuration is wrong: what, where, and what would be right
    +-- CredentialError          a secret could not be had (which reference, why, what to do)
    +-- QueryError               a filter does not parse (position, what would be right)
    +-- MomentError              a moment cannot be read, or nothing is known of it (what is the earliest)
    +-- DeliveryError            a notice could not be given
    +-- SourceError              a source could not be read
    |   +-- Timeout              no answer in time
    |   +-- TransportError       no connection, or it broke
    |   +-- AuthError            401, 403, a sign-in page: the credential is refused
    |   +-- RateLimited          429 and its kin; ``retry_after`` seconds
    |   +-- NotFound             404, 410: the thing asked for is not there (or hidden from us)
    |   +-- ServerError          5xx
    |   +-- BadAnswer            an answer that is not what the vendor documents
    |   +-- TooLarge             a cap on bytes, pages, items or time was met
    |   +-- Refused              we refused: a foreign origin, https to http, a bad URL
    |   +-- SourceBug            the source itself raised something unforeseen
    +-- StoreError               the history could not be read or written
        +-- HistoryGone          the changes asked for were retired
        +-- LeaseLost            another board polls this store now
        +-- NewerSchema          the database was written by a newer program
        +-- StoreUnusable        locked, damaged, full, read-only, on a network file system

Messages are one line, carry no secret, and are meant for the person who can mend it.
"""

from __future__ import annotations

from datetime import datetime


class StatusboardError(Exception):
    """The root of the tree above."""


class Problem:
    """One thing wrong with a configuration.

    ``file``/``line``/``column`` say where (1-based, 0 when not known), ``path`` the key path (``sources[2].url``),
    ``message`` what is wrong, ``hint`` what would be right.
    """

    __slots__ = ("column", "file", "hint", "line", "message", "path")

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, column: int = 0, path: str = "", hint: str = ""
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        where = self.file + (f":{self.line}" if self.line else "")
        parts = [p for p in (where, self.path) if p]
        text = ": ".join([*parts, self.message])
        return f"{text} ({self.hint})" if self.hint else text

    def __repr__(self) -> str:
        return f"Problem({str(self)!r})"


class ConfigError(StatusboardError):
    """The configuration is wrong; ``problems`` lists every one that was found."""

    def __init__(self, problems: list[Problem] | str, **where: object) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems, **where)]  # type: ignore[arg-type]
        self.problems = problems
        super().__init__("\n".join(str(p) for p in problems))


class CredentialError(StatusboardError):
    """A secret could not be had.  ``reference`` is its name (``keyring:github``), never its value."""

    def __init__(self, reference: str, message: str) -> None:
        self.reference = reference
        super().__init__(f"{reference}: {message}")


class QueryError(StatusboardError):
    """A filter does not parse.  ``start``/``end`` are character offsets into the text."""

    def __init__(self, message: str, start: int, end: int) -> None:
        self.start = start
        self.end = end
        super().__init__(message)


class MomentError(StatusboardError):
    """A moment cannot be read, lies ahead, or is one of which nothing is known.

    ``earliest`` is the first moment that can be shown, where that is what is wrong.
    """

    def __init__(self, message: str, *, earliest: datetime | None = None) -> None:
        self.earliest = earliest
        super().__init__(message)


class DeliveryError(StatusboardError):
    """A notice could not be given: by which means, and why."""


class SourceError(StatusboardError):
    """A source could not be read.  ``retry_after`` is in seconds, where the vendor said so."""

    retry_after: float | None

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Timeout(SourceError):
    """No answer in time."""


class TransportError(SourceError):
    """No connection, or it broke."""


class AuthError(SourceError):
    """The credential is missing, wrong, expired or not allowed to see this."""


class RateLimited(SourceError):
    """The vendor asks us to come back later."""


class NotFound(SourceError):
    """The thing asked for is not there, or hidden from this credential."""


class ServerError(SourceError):
    """The vendor's server failed (5xx)."""


class BadAnswer(SourceError):
    """The answer is not what the vendor documents."""


class TooLarge(SourceError):
    """A cap on bytes, pages, items or time was met; what was read is not the whole."""


class Refused(SourceError):
    """We did not send the request: it would have carried credentials, or us, where they do not belong."""


class SourceBug(SourceError):
    """The source raised something that is none of the above; the log has the traceback."""


class StoreError(StatusboardError):
    """The history could not be read or written."""


class HistoryGone(StoreError):
    """The changes asked for were retired; ``oldest`` is the first that is still there."""

    def __init__(self, oldest: int) -> None:
        self.oldest = oldest
        super().__init__(f"changes before {oldest} are no longer kept")


class LeaseLost(StoreError):
    """Another board polls this store now; nothing was written."""


class NewerSchema(StoreError):
    """The database was written by a newer program; it was not touched."""


class StoreUnusable(StoreError):
    """The database cannot be used as it is; ``reason`` is a short word for it."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
