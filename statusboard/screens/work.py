"""Work that a screen does beside painting.

What fails in it unexpectedly takes nothing else away: `statusboard.screens.terminal.TerminalApp` logs it and says so.
Of `VITAL` work alone a board is none without it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from textual.dom import DOMNode
from textual.worker import Worker

T = TypeVar("T")

VITAL: Final = "vital"
"""The group of what an app cannot go on without: a fault in it ends the app."""
_CALLED: Final[Mapping[str, str]] = {
    "handover": "hand-over",
    "rebuild": "this view",
    "settle": "services",
    "refeed": "timeline",
    "catch-up": "timeline",
    "older": "timeline, further back",
    "left": "timeline",
    "history": "what changed of this item",
    "lineage": "what its pipeline did before",
    "welcome": "what happened meanwhile",
    "away": "what happened meanwhile",
    "visit": "keeping when somebody was here",
    "unseen": "the next change",
    "form": "this form",
    "look": "looking around",
    "write": "saving",
}
"""What people call the work of a group, where that is another word."""


def begin_work(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, T]],
    *,
    name: str = "",
    group: str = "default",
    exclusive: bool = False,
) -> Worker[T]:
    """Have a node do this; ``exclusive`` in the place of what it does in this ``group``.

    It is given what makes the coroutine, for work may be replaced before its turn: a coroutine that is made already
    would then never be awaited, about which Python warns.
    """
    return node.run_worker(work, name=name, group=group, exclusive=exclusive)


def called(worker: Worker[Any]) -> str:
    """What people call this work."""
    if worker.group == "default":
        return worker.name or "something"
    return _CALLED.get(worker.group, worker.group)
