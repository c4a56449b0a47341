"""Jenkins' past: job by job, a hundred builds at a time.

Jenkins has no list of all builds of a folder, and reads a file for each build that it tells of.  So a job is left as
soon as its builds are older than what is asked for, and one that has few is told by the list of jobs alone.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import msgspec

from sources._jenkins import Read, build_of, primary_branch, read_of
from sources._jenkins_folders import Target, path_of
from sources._jenkins_rows import BuildRow, Job
from sources._shared.backwards import counted, oldest, past
from sources._shared.rows import Rows
from statusboard.api import Http, Item, Past, Scope, parse_time

if TYPE_CHECKING:
    from sources.jenkins import Jenkins

PAGE: Final = 100
#: How long the list of a folder's jobs is good for (seconds).
JOBS_KEPT: Final = 300.0


class _Builds(msgspec.Struct, frozen=True, rename="camel"):
    all_builds: list[Any]


class History:
    """Reads it."""

    def __init__(self, source: Jenkins) -> None:
        self._source = source
        self._jobs: dict[str, tuple[dict[str, Read], float]] = {}

    async def read(self, scope: Scope, http: Http, since: datetime, cursor: str) -> Past:
        """Some more builds of the job that is next; a cursor is how many of which job have been read."""
        jobs = await self._jobs_of(scope, http)
        offset, _, word = cursor.partition(" ")
        skip, first = counted(offset, 0), unquote(word)
        items: list[Item] = []
        error = None
        names = [name for name in jobs if name >= first]
        for place, name in enumerate(names):
            read = jobs[name]
            told, whole = read.builds, len(read.job.builds or ()) < self._source.options.builds
            newest = max((at for row in told.good if (at := parse_time(row.timestamp))), default=None)
            if name != first:
                skip = 0
            if whole or (skip == 0 and newest is not None and newest < since):
                page = self._page(read, told)
                items += page.items
                error = error or page.error
                continue
            rows = await self._more(name, skip, http)
            page = self._page(read, rows)
            times = [parse_time(row.timestamp) for row in rows.good]
            reached = oldest(times)
            on = len(times) >= PAGE and (reached is None or reached > since)
            following = name if on else next(iter(names[place + 1 :]), "")
            older = f"{skip + PAGE if on else 0} {quote(following)}" if following else ""
            share = 1 - (len(names) - place - (0 if on else 1)) / len(jobs)
            found = (*items, *page.items)
            if older:
                return Past(items=found, older=older, share=share, error=error or page.error)
            return Past(items=found, reached=since, error=error or page.error)
        return Past(items=tuple(items), reached=since, error=error)

    def _page(self, read: Read, rows: Rows[BuildRow]) -> Past:
        convert = partial(self._build, read)
        return past(rows, convert, older="", reached=None)

    def _build(self, read: Read, row: BuildRow) -> Item:
        return build_of(self._source, read.job, read.line, row, self._source.options.parameters)

    async def _more(self, name: str, skip: int, http: Http) -> Rows[BuildRow]:
        tree = f"allBuilds[{self._source.fields}]{{{skip},{skip + PAGE}}}"
        reply = await http.get(f"{path_of(name)}/api/json", params={"tree": tree})
        return Rows("build", BuildRow, reply.decode(_Builds).all_builds)

    async def _jobs_of(self, scope: Scope, http: Http) -> dict[str, Read]:
        """The jobs of a part by their full names, in order."""
        known, at = self._jobs.get(scope.name, ({}, float("-inf")))
        now = self._source.clock.monotonic()
        if now - at >= JOBS_KEPT:
            target: Target = scope.data
            found: dict[str, Read] = {}
            for project, rows in await self._source.projects(target, http):
                default = primary_branch(rows.good) or self._source.options.default_branch
                for job in rows.good:
                    if _counts(job, project):
                        found.setdefault(job.full_name or "", read_of(project, default, job))
            known = dict(sorted(found.items()))
            self._jobs[scope.name] = known, now
        return known


def _counts(job: Job, project: str) -> bool:
    """Whether a job is one whose builds are read at all."""
    return bool(job.full_name) and job.is_job() and not job.is_off(branch=bool(project)) and job.builds is not None
