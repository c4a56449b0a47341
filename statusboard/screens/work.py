"""Work that a screen does beside painting."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from textual.dom import DOMNode
from textual.worker import Worker

T = TypeVar("T")


def begin_work(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, T]],
    *,
    name: str = "",
    group: str = "default",
    exclusive: bool = False,
    exit_on_error: bool = True,
) -> Worker[T]:
    """Have a node do this; ``exclusive`` in the place of what it does in this ``group``.

    It is given what makes the coroutine, for work may be replaced before its turn: a coroutine that is made already
    would then never be awaited, about which Python warns.
    """
    return node.run_worker(
        work,
        name=name,
        group=group,
        exclusive=exclusive,
        exit_on_error=exit_on_error,
    )
