"""Jenkins' folders: what of them is read together, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from sources._jenkins_rows import is_multibranch
from sources._shared.rows import need
from statusboard.api import BadAnswer, clean

#: Levels of folders that one look for them goes down.
LEVELS: Final = 4
#: So many branches are read together with the folder of their projects; of more, each project is a part of its own.
MOST_BRANCHES: Final = 300
LONGEST_PATH: Final = 4000
#: What is in a folder, level by level; of the last no more than whether it holds something.
NODES: Final = "jobs[name," * LEVELS + "jobs[name]{0,1}" + "]" * LEVELS


class Listing(msgspec.Struct, frozen=True):
    """A folder, or the top level."""

    class_: str | None = msgspec.field(default=None, name="_class")
    jobs: list[Any] | None = None


class Node(msgspec.Struct, frozen=True):
    """Something in a folder; what has ``jobs`` holds jobs itself."""

    class_: str | None = msgspec.field(default=None, name="_class")
    name: str | None = None
    jobs: list[Any] | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What one part reads, by full name: a folder (``nested``: with the branches of the projects in it), or a job."""

    name: str
    job: bool = False
    nested: bool = False


class Folders(msgspec.Struct):
    """What a look for folders has found: what to read, what holds jobs by its name, and where to look further."""

    targets: list[Target] = []
    names: set[str] = set()
    pending: list[str] = []


def full_name(name: str) -> str:
    """A name from the options as Jenkins writes it."""
    return name.strip("/ ")


def shown(name: str) -> str:
    """A full name in messages."""
    return clean(name, 80) or "the server"


def path_of(name: str) -> str:
    """Where a job or folder lies.  In its name a branch is encoded already, and is encoded once more."""
    path = "".join(f"/job/{quote(part, safe='')}" for part in name.split("/") if part)
    if len(path) > LONGEST_PATH:
        raise BadAnswer(f"a name is too long to be asked for: {shown(name)}")
    return path


def sort_in(found: Folders, name: str, rows: Sequence[Any], level: int = LEVELS) -> None:
    """Add to ``found`` what is in a folder; on level 1 of its folders it is only known whether they hold something.

    Projects and their branches are read together with their folder, unless that has folders of another kind.
    """
    try:
        nodes = msgspec.convert(rows, list[Node])
    except msgspec.ValidationError as exc:
        raise BadAnswer(f"{shown(name)}: {clean(exc, 200)}") from None
    groups = {f"{name}/{need(node.name, 'name')}".lstrip("/"): node for node in nodes if node.jobs is not None}
    branches = sum(len(group.jobs or ()) for group in groups.values())
    multibranch = all(is_multibranch(group.class_) for group in groups.values())
    nested = level > 1 and multibranch and 0 < branches <= MOST_BRANCHES
    if nested or any(node.jobs is None for node in nodes):
        found.targets.append(Target(name=name, nested=nested))
    found.names.update(groups)
    for inner, group in () if nested else groups.items():
        if level > 1:
            sort_in(found, inner, group.jobs or (), level - 1)
        elif group.jobs:
            found.pending.append(inner)
