"""What ``type: gitlab`` takes.  Pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

import msgspec

from statusboard.api import SourceOptions, option

REVIEW_APPS: Final = "review/*"
_NO_DOTS = r"(?!(?:.*/)?\.\.?(?:/|$))"
_PROJECT = re.compile(rf"\d+|{_NO_DOTS}[\w.-]+(?:/[\w.-]+)+", re.ASCII)
_GROUP = re.compile(rf"{_NO_DOTS}[\w.-]+(?:/[\w.-]+)*", re.ASCII)


class GitLabOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: gitlab``."""

    projects: Annotated[tuple[str, ...], option("projects, as group/project or by their number in quotes")] = ()
    groups: Annotated[
        tuple[str, ...], option("groups: all projects of them and their subgroups, at most 200 each")
    ] = ()
    exclude: Annotated[tuple[str, ...], option("projects of `groups` to leave out; * and ? match anything")] = ()
    branches: Annotated[tuple[str, ...], option("only builds of these branches, read one by one")] = ()
    environments: Annotated[
        tuple[str, ...],
        option("only deployments to these environments; * and ? match anything; without it, all but review/*"),
    ] = ()
    labels: Annotated[tuple[str, ...], option("only tickets with all of these labels")] = ()
    builds: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many pipelines to read of each project")] = 20
    deployments: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many deployments to read of each project")] = 20
    commits: Annotated[
        bool, option("ask when the commits of deployments were made, for lead times: one request a deployment")
    ] = False
    alerts: Annotated[
        bool | None,
        option("alert management: true for groups too, and a fault where we may not read it; false: none"),
    ] = None
    auth: Annotated[
        Literal["bearer", "private-token"],
        option("how the token is sent; private-token leaves Authorization to a proxy's username and password"),
    ] = "bearer"

    def __post_init__(self) -> None:
        if not self.projects and not self.groups:
            raise ValueError("name at least one of `projects` (as group/project) and `groups`")
        for project in self.projects:
            if not _PROJECT.fullmatch(project):
                raise ValueError(
                    f"`projects`: {project[:80]!r} is not of the form group/project (without the server), nor a number"
                )
        for group in self.groups:
            if not _GROUP.fullmatch(group):
                raise ValueError(f"`groups`: {group[:80]!r} is not of the form group or group/subgroup")
            if inside := [other for other in self.groups if group.lower().startswith(f"{other.lower()}/")]:
                raise ValueError(
                    f"`groups`: {group} is part of {inside[0]}, which is read with its subgroups; leave it out"
                )
        for branch in self.branches:
            if not branch.strip() or not branch.isprintable() or "*" in branch or len(branch) > 255:
                raise ValueError(f"`branches`: {branch[:80]!r} is no branch's name; * is not understood here")

    def wants_environment(self, name: str) -> bool:
        """Whether deployments to this environment are asked for."""
        patterns = self.environments
        return any(fnmatchcase(name, p) for p in patterns) if patterns else not fnmatchcase(name, REVIEW_APPS)

    def excludes(self, project: str) -> bool:
        """Whether a group's project is left out."""
        return any(fnmatchcase(project.lower(), pattern.lower()) for pattern in self.exclude)
