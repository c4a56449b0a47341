"""How far a run of backfill has come, as plain data for whoever shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

PartState: TypeAlias = Literal["waiting", "reading", "done", "unsupported", "failed"]
State: TypeAlias = Literal["waiting", "reading", "done", "partial", "failed", "unsupported", "stopped"]


class PartProgress(Struct, kw_only=True):
    """One part on its way.  ``why`` says what is wrong with it, or why it has no past; ``resumed``: it went on."""

    part: str
    kind: str
    state: PartState = "waiting"
    why: str = ""
    reached: datetime | None = None
    ended: bool = False
    resumed: bool = False
    pages: int = 0
    items: int = 0
    changes: int = 0
    left_out: int = 0
    notes: list[str] = []
    fraction: float = 0.0


class SourceProgress(Struct, kw_only=True):
    """One source on its way.

    ``now`` is the part that is being read, ``until`` when a wait ends and ``waits`` what it is for, ``limits`` what of
    the past this vendor does not tell.
    """

    name: str
    type: str
    state: State = "waiting"
    why: str = ""
    limits: str = ""
    now: str = ""
    until: datetime | None = None
    waits: str = ""
    requests: int = 0
    parts: dict[str, PartProgress] = {}

    @property
    def fraction(self) -> float:
        """How much of it is behind us, from 0 to 1."""
        if self.state not in ("waiting", "reading"):
            return 1.0
        return sum(part.fraction for part in self.parts.values()) / len(self.parts) if self.parts else 0.0

    @property
    def changes(self) -> int:
        return sum(part.changes for part in self.parts.values())

    @property
    def reached(self) -> datetime | None:
        """Back to when all parts that have a past are read; None where that is not known of one."""
        moments = [part.reached for part in self.parts.values() if part.state != "unsupported" and not part.ended]
        known = [moment for moment in moments if moment is not None]
        return max(known) if known and len(known) == len(moments) else None


def verdict_of(progress: SourceProgress) -> tuple[State, str]:
    """How a source ended whose parts have all ended, and why it is not all well."""
    parts = list(progress.parts.values())
    failed = [part for part in parts if part.state == "failed"]
    if failed:
        return ("failed" if len(failed) == len(parts) else "partial"), failed[0].why
    if parts and all(part.state == "unsupported" for part in parts):
        return "unsupported", parts[0].why
    if any(part.left_out for part in parts):
        return "partial", next(part.notes[-1] for part in parts if part.left_out and part.notes)
    return "done", ""
