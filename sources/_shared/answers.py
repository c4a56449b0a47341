"""Whole answers, read as leniently as rows: numbers may come as text, and what is off is a `BadAnswer`."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from statusboard.api import BadAnswer, Reply, clean

T = TypeVar("T")


def one(reply: Reply, shape: type[T]) -> T:
    """The answer as one thing."""
    return shaped(reply.json(), shape)


def every(reply: Reply, shape: type[T]) -> list[T]:
    """The answer as a list in which nothing may be odd: one whose missing members would pass for members gone."""
    return [shaped(row, shape) for row in reply.decode(list[Any])]


def shaped(value: object, shape: type[T]) -> T:
    """A part of an answer as ``shape``."""
    try:
        return msgspec.convert(value, shape, strict=False)
    except msgspec.ValidationError as exc:
        raise BadAnswer(f"the answer is not as documented: {clean(exc, 200)}") from None
