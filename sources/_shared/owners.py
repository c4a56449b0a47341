"""What lists told of owners that are gone: an application or project that was deleted takes its releases with it.

Lists of the newest say nothing of what is absent: it is only older.  But the last release of what no longer exists has
no successor, and if it failed it would be failing for good.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from statusboard.api import Part


class Owners:
    """Whose the items are that each part told last, by key."""

    def __init__(self) -> None:
        self._told: dict[str, Mapping[str, str]] = {}

    def gone(self, scope: str, there: Collection[str]) -> frozenset[str]:
        """The owners that this part told of last and that are not ``there`` now."""
        return frozenset(self._told.get(scope, {}).values()) - frozenset(there)

    def part(self, part: Part, owners: Mapping[str, str], there: Collection[str]) -> Part:
        """The part, which withdraws what it told of owners that are not ``there`` any more.

        ``owners`` are those of its own items, by key.  A part with an error withdraws nothing, and is not remembered.
        """
        if part.error is not None:
            return part
        gone = self.gone(part.scope, there)
        keys = frozenset(key for key, owner in self._told.get(part.scope, {}).items() if owner in gone)
        self._told[part.scope] = dict(owners)
        keys -= owners.keys()
        return msgspec.structs.replace(part, reach="complete", retire_only=keys) if keys else part
