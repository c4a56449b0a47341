"""How the lists of Drone and Woodpecker are read.

Both list a repository's builds newest first.  Neither says anything of its limits, and there are no ETags.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

import msgspec

from sources._drone import DEPLOYS, PULLS, Attempt, Repository, Row, Run, attempts_of, build_of, release_of
from sources._shared.reruns import overtaken
from sources._shared.rows import Rows
from statusboard.api import (
    BadAnswer,
    Context,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    Scope,
    Source,
    SourceOptions,
    option,
)

REPOSITORY_KEPT: Final = 3600.0
_REPO: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/(?!\.\.?(?:/|$))[A-Za-z0-9_.-]+)+")


class FamilyOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both take."""

    repos: Annotated[tuple[str, ...], option("repositories, as owner/name")]
    builds: Annotated[int, msgspec.Meta(ge=1, le=50), option("how many builds to read of each repository")] = 25

    def __post_init__(self) -> None:
        if not self.repos:
            raise ValueError("`repos` is empty; name at least one as owner/name")
        for repo in self.repos:
            if not _REPO.fullmatch(repo):
                raise ValueError(f"`repos`: {repo[:80]!r} is not of the form owner/name")


O = TypeVar("O", bound=FamilyOptions)  # noqa: E741 - as in statusboard.source
R = TypeVar("R", bound=Row)


class Family(Source[O], ABC, Generic[O, R]):
    """Builds and releases of some repositories.  A vendor says how a repository is found and what its rows mean."""

    kinds = frozenset({"build", "release"})
    history_kinds = kinds
    #: What the vendor calls a build, the shape of one, and how many of them it gives at once.
    noun: ClassVar[str]
    shape: type[R]
    most: ClassVar[int]

    def __init__(self, options: O, context: Context) -> None:
        super().__init__(options, context)
        self._repos = {repo.lower(): repo for repo in reversed(options.repos)}
        self._found: dict[str, tuple[Repository, float]] = {}
        self._finding: dict[str, asyncio.Lock] = {}
        self._newest: dict[str, int] = {}
        self._attempts: dict[str, dict[int, Attempt]] = {}

    # -- what a vendor writes ------------------------------------------------------------------------------------

    @abstractmethod
    async def find(self, repo: str, before: Repository | None, http: Http) -> Repository:
        """Read a repository's details, which ``before`` are an hour old if there are any."""

    @abstractmethod
    def window(self, repository: Repository, kind: ItemKind, count: int, page: int = 1) -> Mapping[str, str | int]:
        """The parameters of a list of the newest builds, so many on a page."""

    @abstractmethod
    def further(self, repository: Repository, kind: ItemKind) -> tuple[str, Mapping[str, str | int]] | None:
        """Another list, that holds what may have dropped out of the window unseen; its address and parameters."""

    @abstractmethod
    def run_of(self, repository: Repository, row: R) -> Run:
        """What a row says; `BadAnswer` for one that cannot be told apart."""

    # -- what the board calls ------------------------------------------------------------------------------------

    async def scopes(self, http: Http) -> Sequence[Scope]:
        kinds: tuple[ItemKind, ...] = ("build", "release")
        return [
            Scope(name=f"{repo} {kind}s", kind=kind, reach="window", data=repo)
            for repo in dict.fromkeys(self._repos[repo.lower()] for repo in self.options.repos)
            for kind in kinds
            if self.wants(kind)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        repository = await self.repository(scope.data, http)
        params = self.window(repository, scope.kind, self.options.builds)
        try:
            page = (await http.get(repository.api, params=params)).decode(list[Any])
        except NotFound:
            self._found.pop(scope.data, None)  # it may have been removed, and added again
            raise
        rows = Rows(self.noun, self.shape, page)
        numbers = [number for row in rows.good if (number := row.number)]
        further = self.further(repository, scope.kind)
        if further and len(page) >= self.options.builds and min(numbers, default=1) > self._newest.get(scope.name, 0):
            rows.add((await http.get(further[0], params=further[1])).decode(list[Any]))
        attempts = attempts_of(rows.good, self._attempts.get(scope.name, {}))
        part = rows.part(scope, self.converter(repository, rows.good, scope.kind, attempts))
        if part.error is None and numbers:
            self._attempts[scope.name] = attempts
            self._newest[scope.name] = max(numbers)
        return part

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._drone_history import read  # nobody else needs it

        return await read(self, scope, http, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        repo, _, number = remote_id.rpartition("/")
        if repo.lower() not in self._repos or not number.isdecimal():
            return None
        repository = await self.repository(self._repos[repo.lower()], http)
        row = (await http.get(f"{repository.api}/{number}")).decode(self.shape)
        attempts = attempts_of([row], self._attempts.get(f"{repository.name} builds", {}))
        late = frozenset(attempt.first for attempt in attempts.values())  # it has fallen out of its list
        return self._item(repository, self.run_of(repository, row), kind, attempts, late)

    # -- what reading back needs as well -------------------------------------------------------------------------

    async def repository(self, repo: str, http: Http) -> Repository:
        """A repository's details, an hour old at most."""
        try:
            async with self._finding.setdefault(repo, asyncio.Lock()):  # its two parts are read at once
                before, read_at = self._found.get(repo, (None, float("-inf")))
                now = self.clock.monotonic()
                if before is None or now - read_at >= REPOSITORY_KEPT:
                    before = await self.find(repo, before, http)
                    self._found[repo] = before, now
                return before
        except NotFound:
            self._found.pop(repo, None)
            raise
        finally:
            self._finding.pop(repo, None)

    def runs(self, repository: Repository, rows: Iterable[R]) -> Iterator[Run]:
        """What the rows say, but for those that cannot be told apart, which are told of with the items."""
        for row in rows:
            try:
                yield self.run_of(repository, row)
            except BadAnswer:
                continue

    def converter(
        self, repository: Repository, rows: Iterable[R], kind: ItemKind, attempts: Mapping[int, Attempt]
    ) -> Callable[[R], Item | None]:
        """What makes items of the rows of a list; a restart of what newer code has followed in it is overtaken."""
        late = self._overtaken(self.runs(repository, rows), attempts)
        return lambda row: self._item(repository, self.run_of(repository, row), kind, attempts, late)

    # -- inside --------------------------------------------------------------------------------------------------

    def _overtaken(self, runs: Iterable[Run], attempts: Mapping[int, Attempt]) -> frozenset[int]:
        """The first attempts that builds of newer code have followed."""
        lines: list[tuple[int, tuple[str, ...]]] = []
        for run in runs:
            if run.event not in DEPLOYS:
                pull = run.ref if run.event in PULLS else ""
                attempt = attempts.get(run.number, Attempt())  # a number may be 0
                lines.append((attempt.first, (run.cron, run.branch, pull)))
        return overtaken(lines)

    def _item(
        self,
        repository: Repository,
        run: Run,
        kind: ItemKind,
        attempts: Mapping[int, Attempt],
        late: Container[int],
    ) -> Item | None:
        """The item of a run; None for one of the other kind."""
        if run.event in DEPLOYS:
            return release_of(self, repository, run, self.noun) if kind == "release" else None
        if kind != "build":
            return None
        attempt = attempts.get(run.number, Attempt())
        return build_of(self, repository, run, attempt, self.noun, overtaken=attempt.first in late)
