"""Decoding a list at once where all of it is as documented, which is several times quicker than row by row."""

from __future__ import annotations

from typing import TypeVar

from statusboard.api import BadAnswer, Reply

S = TypeVar("S")
L = TypeVar("L")


def as_documented(reply: Reply, shape: type[S], otherwise: type[L]) -> S | L:
    """The answer as ``shape`` (``list[Run]``); one that does not fit it as ``otherwise`` (``list[Any]``).

    `Rows` takes the rows of either: those of ``otherwise`` it reads one by one, so that an odd one does not cost the
    others.  `BadAnswer` where the answer is neither.
    """
    try:
        return reply.decode(shape)
    except BadAnswer:
        return reply.decode(otherwise)
