"""Changing JSON documents field by field: what vendors do to theirs without telling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

#: A field by the names on the way to it; list indices are left out, so one path stands for all rows.
Path: TypeAlias = tuple[str, ...]
Mutate: TypeAlias = Callable[[Any], Any]


def unchanged(document: Any) -> Any:
    """The document itself."""
    return document


def always(value: Any) -> Mutate:
    """The same value, whatever was there."""
    return lambda _: value


def paths(document: Any, here: Path = ()) -> Iterator[Path]:
    """Every field of a document, each once."""
    found: dict[Path, None] = {}
    if isinstance(document, dict):
        for name, value in document.items():
            found[(*here, name)] = None
            found.update(dict.fromkeys(paths(value, (*here, name))))
    elif isinstance(document, list):
        for value in document:
            found.update(dict.fromkeys(paths(value, here)))
    yield from found


def without(path: Path) -> Mutate:
    """Leaves a field out."""
    return lambda document: _edit(document, path, lambda parent, name: parent.pop(name))


def setting(path: Path, change: Callable[[Any], Any]) -> Mutate:
    """Puts ``change(value)`` in a field's place."""

    def put(parent: dict[str, Any], name: str) -> None:
        parent[name] = change(parent[name])

    return lambda document: _edit(document, path, put)


def named(names: tuple[str, ...], change: Callable[[Any], Any]) -> Mutate:
    """Puts ``change(value)`` in place of every field with one of these names."""

    def mutate(document: Any) -> Any:
        if isinstance(document, dict):
            return {k: change(v) if k in names else mutate(v) for k, v in document.items()}
        if isinstance(document, list):
            return [mutate(value) for value in document]
        return document

    return mutate


def leaves(change: Callable[[Any], Any]) -> Mutate:
    """Puts ``change(value)`` in place of everything that is neither a list nor an object."""

    def mutate(document: Any) -> Any:
        if isinstance(document, dict):
            return {name: mutate(value) for name, value in document.items()}
        if isinstance(document, list):
            return [mutate(value) for value in document]
        return change(document)

    return mutate


def lists(change: Callable[[list[Any]], list[Any]]) -> Mutate:
    """Puts ``change(rows)`` in place of the lists of objects."""

    def mutate(document: Any) -> Any:
        if isinstance(document, dict):
            return {name: mutate(value) for name, value in document.items()}
        if isinstance(document, list):
            rows = [mutate(value) for value in document]
            return change(rows) if all(isinstance(row, dict) for row in rows) else rows
        return document

    return mutate


def _edit(document: Any, path: Path, edit: Callable[[dict[str, Any], str], object]) -> Any:
    """A copy of the document with ``edit`` applied to the parents of the field."""
    if isinstance(document, list):
        return [_edit(value, path, edit) for value in document]
    if not isinstance(document, dict) or not path or path[0] not in document:
        return document
    copy = dict(document)
    if len(path) == 1:
        edit(copy, path[0])
    else:
        copy[path[0]] = _edit(copy[path[0]], path[1:], edit)
    return copy
