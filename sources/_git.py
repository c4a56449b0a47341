"""What git prints, as data: tags, commits and the address that a clone came from.  Pure; `sources.git` runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from statusboard.api import BadAnswer

#: Our field: its name in the formats of ``git for-each-ref`` and, for commits, of ``git rev-list``.
TAG_FIELDS: Mapping[str, str] = {
    "name": "%(refname:lstrip=2)",
    "type": "%(objecttype)",
    "sha": "%(objectname)",
    "date": "%(creatordate:unix)",
    "tagger": "%(taggername)",
    "author": "%(authorname)",
    "subject": "%(contents:subject)",
    # What an annotated tag names.
    "tagged_type": "%(*objecttype)",
    "tagged_sha": "%(*objectname)",
    "tagged_author": "%(*authorname)",
}
COMMIT_FIELDS: Mapping[str, str] = {
    "sha": "%H",
    "parents": "%P",
    "date": "%ct",
    "author": "%an",
    "subject": "%<(300,trunc)%s",
    "body": "%<(600,trunc)%b",
}
TAG_FORMAT: Final = "%00".join(TAG_FIELDS.values())
#: Every field ends with a NUL: what stands between two commits is git's own line, whether it prints one or not.
COMMIT_FORMAT: Final = "%x00" + "%x00".join(COMMIT_FIELDS.values()) + "%x00"

#: How a commit that is no merge says that it stands for one: GitHub and Gitea end the subject so, GitLab the body.
_SQUASHED = re.compile(r"\([#!](?P<number>\d{1,18})\)\Z")
_MERGED = re.compile(r"Merge pull request [#!](?P<number>\d{1,18})\b")
_SEE = re.compile(r"^See merge request \S*!(?P<number>\d{1,18})$", re.MULTILINE)
_PLAIN_MERGE = re.compile(r"Merge (?:pull request|branch|remote-tracking branch|commit) ")
_SCP = re.compile(r"(?:[^@/:\s]+@)?(?P<host>[A-Za-z0-9.-]+):(?!//)(?P<path>[^\s:]+)")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?")
_NAME = re.compile(r"[\w.-]+(?:/[\w.~-]+)*")


class Tag(msgspec.Struct, frozen=True):
    """A tag; ``tagged_*`` are those of the object that an annotated one names."""

    name: str = ""
    type: str = ""
    sha: str = ""
    date: str = ""
    tagger: str = ""
    author: str = ""
    subject: str = ""
    tagged_type: str = ""
    tagged_sha: str = ""
    tagged_author: str = ""


class Commit(msgspec.Struct, frozen=True):
    """A commit of a branch's own line."""

    sha: str = ""
    parents: str = ""
    date: str = ""
    author: str = ""
    subject: str = ""
    body: str = ""

    @property
    def is_merge(self) -> bool:
        """Whether it has a second parent, or says that it stands for a merge."""
        return len(self.parents.split()) > 1 or bool(_SQUASHED.search(self.subject) or _SEE.search(self.body))

    @property
    def change(self) -> str:
        """The number of the pull or merge request, ``""`` where it names none."""
        match = _MERGED.match(self.subject) or _SQUASHED.search(self.subject) or _SEE.search(self.body)
        return match["number"] if match else ""

    @property
    def title(self) -> str:
        """The subject; of a merge that only says of what, what its body begins with."""
        first = self.body.partition("\n")[0]
        return first if first and _PLAIN_MERGE.match(self.subject) and not _SEE.match(first) else self.subject


class Remote(msgspec.Struct, frozen=True):
    """Where a clone came from: ``repository`` as owner/name, and the pages of its tags and commits, "" if unknown."""

    repository: str
    tags: str = ""
    commits: str = ""

    def tag(self, name: str) -> str:
        """The page of a tag."""
        return f"{self.tags}{quote(name)}" if self.tags else ""

    def commit(self, sha: str) -> str:
        """The page of a commit."""
        return f"{self.commits}{sha}" if self.commits else ""


def tags_of(out: bytes) -> list[dict[str, str]]:
    """The rows of ``git for-each-ref``, one a line: no field can hold a line's end."""
    lines = out.decode("utf-8", "replace").split("\n")
    return [_record(line.split("\0"), tuple(TAG_FIELDS)) for line in lines if line]


def commits_of(out: bytes) -> list[dict[str, str]]:
    """The commits of ``git rev-list``: no field can hold a NUL."""
    parts = out.decode("utf-8", "replace").split("\0")
    names = tuple(COMMIT_FIELDS)
    if len(parts) % (len(names) + 1) != 1:
        raise BadAnswer("git printed what it was not asked for")
    return list(_records(parts, names))


class Brought(msgspec.Struct, frozen=True):
    """What came with a release: how many commits, and when the middle one of them was made (Unix time, in seconds)."""

    count: int | None = None
    middle: int | None = None


def brought_of(out: bytes) -> Brought:
    """What ``git rev-list --timestamp`` prints of the commits between two releases: times and names."""
    times = []
    for line in out.decode("utf-8", "replace").split("\n"):
        time, _, name = line.partition(" ")
        if not time.isdecimal() or not name:
            if line:
                raise BadAnswer("git printed what it was not asked for")
            continue
        times.append(int(time))
    times.sort()
    return Brought(count=len(times), middle=times[(len(times) - 1) // 2] if times else None)


def _records(parts: Sequence[str], names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for start in range(1, len(parts) - 1, len(names) + 1):
        yield _record(parts[start : start + len(names)], names)


def _record(values: Sequence[str], names: tuple[str, ...]) -> dict[str, str]:
    if len(values) != len(names):
        raise BadAnswer("git printed what it was not asked for")
    return {name: value.strip() for name, value in zip(names, values, strict=True)}


def remote_of(address: str, otherwise: str) -> Remote:
    """What a remote's address tells, credentials left out; ``otherwise`` names a clone that came from nowhere."""
    try:
        parts = urlsplit(address)
        host, path = (parts.hostname or "", parts.path) if "://" in address else ("", "")
    except ValueError:
        return Remote(repository=otherwise)
    if not host and (match := _SCP.fullmatch(address)):
        host, path = match["host"].lower(), match["path"]
    path = path.strip("/").removesuffix(".git")
    if not _HOST.fullmatch(host) or not _NAME.fullmatch(path):
        return Remote(repository=otherwise)
    web = f"https://{host}/{path}"
    if "gitlab" in host:
        return Remote(repository=path, tags=f"{web}/-/tags/", commits=f"{web}/-/commit/")
    if any(word in host for word in ("github", "gitea", "forgejo", "codeberg")):
        return Remote(repository=path, tags=f"{web}/releases/tag/", commits=f"{web}/commit/")
    return Remote(repository=path)
