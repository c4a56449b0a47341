"""Reading lists row by row, so that one odd row does not cost the others.

A row that cannot be read is never left out in silence: the part keeps what was read and carries an error, so that it
retires nothing and the source shows as partial.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from statusboard.api import BadAnswer, Item, Part, Scope, clean

T = TypeVar("T")


class Rows(Generic[T]):
    """The rows of one list, however many pages it came in.

    ``good`` are the rows that could be read as ``type``; ``what`` names one of them in errors ("alert").
    """

    def __init__(self, what: str, type: type[T], rows: Iterable[object] = ()) -> None:
        self.what = what
        self.good: list[T] = []
        self._type = type
        self._faults: list[str] = []
        self._total = 0
        self.add(rows)

    def add(self, rows: Iterable[object]) -> None:
        """Read the rows of one more page.  Numbers may come as text, as some vendors send them."""
        for row in rows:
            self._total += 1
            try:
                self.good.append(msgspec.convert(row, self._type, strict=False))
            except msgspec.ValidationError as exc:
                self._faults.append(str(exc))

    @property
    def error(self) -> BadAnswer | None:
        """What is to be said of the rows that are not of the type; None where all are."""
        return self._error(self._faults)

    def part(self, scope: Scope, convert: Callable[[T], Item | None], **extra: Any) -> Part:
        """The part that these rows make.

        ``convert`` returns a row's item, or None for a row that does not belong on the board (a draft), or raises
        `BadAnswer`.  Of rows with the same key the first counts.  ``extra`` is passed on to `Scope.part`.
        """
        items: dict[str, Item] = {}
        faults = list(self._faults)
        for row in self.good:
            try:
                item = convert(row)
            except BadAnswer as exc:
                faults.append(str(exc))
            else:
                if item is not None:
                    items.setdefault(item.key, item)
        part = scope.part(items.values(), **extra)
        return msgspec.structs.replace(part, error=self._error(faults)) if faults else part

    def _error(self, faults: list[str]) -> BadAnswer | None:
        if not faults:
            return None
        return BadAnswer(f"{len(faults)} of {self._total} {self.what}s could not be read: {faults[0]}")


def need(value: T | None, what: str) -> T:
    """``value``, which an item cannot be told apart without.  `BadAnswer` where it is missing."""
    if value is None or value == "":
        raise BadAnswer(f"no {what}")
    return value


def remote_id(value: object) -> str:
    """A vendor's id as the end of a key: itself where it is short and printable, else as unlike the others."""
    text = str(value)
    if len(text) <= 200 and text.isprintable():
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"{clean(text, 40)}~{digest}"


def zone_notes(number: int, what: str) -> list[str]:
    """What is to be said of so many lines whose times name no zone, and which may be hours off."""
    if not number:
        return []
    who = f"1 {what} has" if number == 1 else f"{number} {what}s have"
    return [f"{who} times without a zone: taken as UTC"]
