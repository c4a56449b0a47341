"""What the pretend world is made of.  Plain mutable records: the vendor front ends put them into their own formats.

All times are Unix seconds (float).  ``None`` means that it has not happened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from statusboard.demo.names import HOSTING, ORGANISATION

BuildState = Literal[
    "queued", "blocked", "running", "success", "warning", "failed", "timed_out", "cancelled", "skipped", "exception"
]
DeploymentState = Literal["queued", "waiting", "in_progress", "success", "failure", "inactive"]
Vendor = Literal["github", "alertmanager", "buildbot", "roundup"]
Fault = Literal["unavailable", "hang", "drop", "cut"]

VENDORS: tuple[Vendor, ...] = ("github", "alertmanager", "buildbot", "roundup")
FAULTS: tuple[Fault, ...] = ("unavailable", "hang", "drop", "cut")


@dataclass(slots=True, eq=False)
class Build:
    """One run of one pipeline: an Actions run, or a Buildbot build (whose ``id`` is 0 while it is only requested)."""

    service: Service
    pipeline: str
    id: int
    request_id: int
    number: int
    title: str
    actor: str
    sha: str
    branch: str
    event: str
    created: float
    asked: float
    """When its newest attempt was asked for."""
    updated: float
    state: BuildState = "queued"
    attempt: int = 1
    change: int = 0
    """Number of the pull request that it was run for, or 0."""
    fork: str = ""
    """Owner of the fork that its branch lives in, or ``""`` for a branch of the repository itself."""
    started: float | None = None
    ended: float | None = None

    @property
    def finished(self) -> bool:
        return self.state not in ("queued", "blocked", "running")


@dataclass(slots=True, eq=False)
class Deployment:
    """One version on its way to one environment (and, in the deploy log, one region)."""

    service: Service
    id: int
    environment: str
    version: str
    previous: str
    sha: str
    actor: str
    task: str
    region: str
    created: float
    committed: float | None = None
    """When its commits were made, as whoever deploys tells it."""
    states: list[tuple[float, DeploymentState, int]] = field(default_factory=list)
    """Every state it has had: when, which, and the id of the status; oldest first."""

    @property
    def state(self) -> DeploymentState:
        return self.states[-1][1]

    @property
    def updated(self) -> float:
        return self.states[-1][0]


@dataclass(slots=True, eq=False)
class Publication:
    """A published release of a repository (a tag with notes)."""

    service: Service
    id: int
    version: str
    body: str
    author: str
    created: float
    draft: bool = False
    prerelease: bool = False


@dataclass(slots=True, eq=False)
class Ticket:
    """An issue of GitHub or Roundup, or (``pull``) a pull request, which GitHub lists among its issues."""

    service: Service
    id: int
    number: int
    title: str
    body: str
    creator: str
    created: float
    updated: float
    status: str
    """``open`` or ``closed`` on GitHub, the name of a status on Roundup."""
    priority: str = "bug"
    assignee: str = ""
    actor: str = ""
    """Who touched it last."""
    labels: tuple[str, ...] = ()
    branch: str = ""
    pull: bool = False
    closed: float | None = None


@dataclass(slots=True, eq=False)
class Silence:
    """A promise of a person not to be told about some alerts until ``ends``."""

    id: str
    labels: dict[str, str]
    """What the labels of an alert must be."""
    by: str
    comment: str
    starts: float
    ends: float

    def covers(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(name) == value for name, value in self.labels.items())


@dataclass(slots=True, eq=False)
class Alert:
    """A firing alert.  The same labels, which never change, are the same alert."""

    labels: dict[str, str]
    annotations: dict[str, str]
    expression: str
    starts: float
    fingerprint: str = field(init=False)
    """16 hex digits over the labels, as Alertmanager identifies alerts."""

    def __post_init__(self) -> None:
        text = "\xff".join(f"{name}\xff{value}" for name, value in sorted(self.labels.items()))
        self.fingerprint = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def committed(service: str, version: str, cut: float, *, hours: float = 24.0) -> float:
    """When the commits of a version were made that was cut then: at most so many ``hours`` before, mostly a few."""
    chance = int.from_bytes(hashlib.blake2b(f"{service} {version}".encode(), digest_size=4).digest()) / 2**32
    return cut - (0.02 + 0.98 * chance**2) * hours * 3600


@dataclass(slots=True, eq=False)
class Service:
    """One service, its repository and everything that happened there, oldest first."""

    name: str
    team: str
    repo_id: int
    ci: Literal["actions", "buildbot"]
    pipelines: tuple[str, ...]
    version: str
    """What runs in production."""
    latest: str
    """The newest version that was cut."""
    builds: list[Build] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    issues: list[Ticket] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    """The last number given, by pipeline; issues and pull requests share the one called ``#``."""
    cuts: dict[str, float] = field(default_factory=dict)
    """When each version was cut."""
    broken: set[str] = field(default_factory=set)
    """The pipelines that fail on the default branch until somebody fixes them."""

    @property
    def repo(self) -> str:
        return f"{ORGANISATION}/{self.name}"

    @property
    def url(self) -> str:
        return f"{HOSTING}/{self.repo}"

    def next_number(self, of: str) -> int:
        self.numbers[of] = self.numbers.get(of, 0) + 1
        return self.numbers[of]
