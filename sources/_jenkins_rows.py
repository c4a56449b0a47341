"""Jenkins' answers as data: jobs, builds, what waits, and what plug-ins add to them.

Fields from jenkinsci/jenkins (hudson.model.Run, Job, Queue, Cause), git-plugin (BuildData) and scm-api (metadata
actions, SCMRevisionAction).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import msgspec


class Cause(msgspec.Struct, frozen=True, rename="camel"):
    class_: str | None = msgspec.field(default=None, name="_class")
    short_description: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    upstream_project: str | None = None
    upstream_build: int | None = None


class GitBranch(msgspec.Struct, frozen=True):
    name: str | None = None


class GitRevision(msgspec.Struct, frozen=True):
    sha: str | None = msgspec.field(default=None, name="SHA1")
    branch: list[GitBranch] | None = None


class Parameter(msgspec.Struct, frozen=True):
    name: str | None = None
    value: Any = None


class Action(msgspec.Struct, frozen=True, rename="camel"):
    """What a plug-in adds to a build: the fields of several kinds of them, of which each has its own."""

    causes: list[Cause | None] | None = None
    last_built_revision: GitRevision | None = None
    remote_urls: list[str] | None = None
    revision: Any = None
    parameters: list[Parameter] | None = None


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """What the branch's host tells of a branch or pull request."""

    class_: str | None = msgspec.field(default=None, name="_class")
    object_display_name: str | None = None
    object_url: str | None = None
    contributor: str | None = None
    contributor_display_name: str | None = None


class BuildRow(msgspec.Struct, frozen=True, rename="camel"):
    """Run.  ``timestamp`` is when it was taken off the queue, in milliseconds; ``duration`` is 0 while it builds."""

    number: int | None = None
    url: str | None = None
    result: str | None = None
    building: bool | None = None
    timestamp: int | float | str | None = None
    duration: int | float | None = None
    display_name: str | None = None
    description: str | None = None
    actions: list[Action | None] | None = None

    def told(self) -> Iterable[Action]:
        """Its actions; what has nothing to tell is null or empty."""
        return filter(None, self.actions or ())


class QueueItem(msgspec.Struct, frozen=True, rename="camel"):
    id: int | None = None
    why: str | None = None
    in_queue_since: int | float | str | None = None
    blocked: bool | None = None
    buildable: bool | None = None
    stuck: bool | None = None
    actions: list[Action | None] | None = None


class Job(msgspec.Struct, frozen=True, rename="camel"):
    """A job, or what holds jobs (then ``jobs`` is there, and no ``builds``)."""

    class_: str | None = msgspec.field(default=None, name="_class")
    full_name: str | None = None
    url: str | None = None
    color: str | None = None
    buildable: bool | None = None
    disabled: bool | None = None
    queue_item: QueueItem | None = None
    actions: list[Metadata | None] | None = None
    builds: list[Any] | None = None
    jobs: list[Any] | None = None

    @property
    def name(self) -> str:
        """The last part of its full name, as people write it: branches are encoded in it."""
        return unquote((self.full_name or "").rpartition("/")[2])

    def is_job(self) -> bool:
        """Whether it is a job: not a folder, nor some other thing that plug-ins put among jobs."""
        return self.jobs is None and (self.builds, self.color, self.buildable) != (None, None, None)

    def is_off(self, *, branch: bool) -> bool:
        """Whether it was disabled, or is a branch that is gone: nobody will mend its last build."""
        color = (self.color or "").lower()
        return bool(self.disabled) or color.startswith("disabled") or (branch and self.buildable is False)

    def told(self) -> Iterable[Metadata]:
        """Its actions; what has nothing to tell is null or empty."""
        return filter(None, self.actions or ())


def is_multibranch(class_: str | None) -> bool:
    """Whether the class is that of a project with a job for each branch."""
    return "multibranchproject" in (class_ or "").lower()
