"""Which repositories a GitHub organisation has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from sources._github import Repository
from sources._github_options import REPO
from sources._shared.decoding import as_documented
from sources._shared.rows import Rows
from statusboard.api import AuthError, BadAnswer, Clock, Http, NotFound, SourceError, TooLarge

#: For how long a list is good, and how soon it is tried again after a failure (seconds).
KEPT: Final = 600.0
RETRY: Final = 60.0
PAGES: Final = 4


class Organisation:
    """The repositories of ``org`` but for those that ``exclude`` matches and archived ones.

    There are at most ``most`` of them, those pushed to last first.

    ``error`` says why the list could not be had, or not in full; what was known before stays.  ``note`` says that
    there are more.
    """

    def __init__(self, org: str, most: int, exclude: Sequence[str], clock: Clock) -> None:
        self.org = org
        self.repositories: list[Repository] = []
        self.error: SourceError | None = None
        self.note = ""
        self._most = most
        self._exclude = tuple(pattern.lower() for pattern in exclude)
        self._clock = clock
        self._good_until = float("-inf")

    def __iter__(self) -> Iterator[tuple[str, Repository]]:
        """Their names, and what is known of them."""
        for repository in self.repositories:
            yield repository.full_name or "", repository

    async def look(self, http: Http) -> None:
        """Ask for the list again where it is some minutes old."""
        now = self._clock.monotonic()
        if not self.org or now < self._good_until:
            return
        try:
            await self._read(http)
            self._good_until = now + (KEPT if self.error is None else RETRY)
        except SourceError as exc:
            self.error = exc
            if self.repositories and not isinstance(exc, AuthError):
                self._good_until = now + RETRY

    async def _read(self, http: Http) -> None:
        total, more = 0, False
        rows: Rows[Repository] = Rows("repository", Repository)
        params: dict[str, str | int] = {"type": "all", "sort": "pushed", "direction": "desc", "per_page": 100}
        try:
            async for reply in http.pages(f"/orgs/{self.org}/repos", params=params, limit=PAGES):
                page = as_documented(reply, list[Repository], list[Any])
                rows.add(page)
                total, more = total + len(page), bool(reply.next_url)
                if len(self._wanted(rows.good)) >= self._most:
                    break
        except NotFound as exc:
            raise NotFound(f"{exc}; a person's repositories are named under repos", status=exc.status) from None
        except TooLarge:
            if not more:
                raise  # one page was too large, not their number
        named = [row for row in rows.good if REPO.fullmatch(row.full_name or "")]
        live, odd = self._wanted(named), total - len(named)
        if not live and not odd:
            raise NotFound(f"{self.org}: it has no repository that can be seen, and is neither archived nor left out")
        self.error = BadAnswer(f"{self.org}: {odd} of {total} repositories could not be read") if odd else None
        self.note = ""
        if more or len(live) > self._most:
            self.note = f"{self.org}: only the {self._most} repositories that were pushed to last are read"
        self.repositories = live[: self._most]

    def _wanted(self, repositories: Sequence[Repository]) -> list[Repository]:
        """Those that can still change and are not left out."""
        return [row for row in repositories if not (row.archived or row.disabled or self._excludes(row))]

    def _excludes(self, repository: Repository) -> bool:
        name = (repository.full_name or "").lower()
        return any(fnmatchcase(name, pattern) for pattern in self._exclude)
