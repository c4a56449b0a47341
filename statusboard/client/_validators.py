"""Validators (``ETag``, ``Last-Modified``) by source, part and request."""

from __future__ import annotations

from collections.abc import Iterable

from statusboard.model import Validator


class ValidatorCache:
    """What servers gave us to ask *has this changed?* with, for changes that are stored already.

    Filled from the store when the board starts, and by `SourceClient.commit` once the changes of a part are stored.
    """

    def __init__(self, validators: Iterable[Validator] = ()) -> None:
        self._parts: dict[tuple[str, str], dict[str, Validator]] = {}
        self.put(validators)

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def get(self, source: str, part: str, request: str) -> Validator | None:
        """The validator of a request, as a part of a source makes it."""
        requests = self._parts.get((source, part))
        return None if requests is None else requests.get(request)

    def put(self, validators: Iterable[Validator]) -> None:
        """Keep these in place of all that their parts had."""
        parts: dict[tuple[str, str], dict[str, Validator]] = {}
        for validator in validators:
            parts.setdefault((validator.source, validator.part), {})[validator.request] = validator
        self._parts.update(parts)

    def void(self, source: str, part: str | None = None) -> None:
        """Forget those of a source, or of one part of it: they are read in full next time."""
        for key in [key for key in self._parts if key[0] == source and part in (None, key[1])]:
            del self._parts[key]
