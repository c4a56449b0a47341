"""What GitLab's list of pipelines leaves out: when each ran, who started it, whether it warned, what failed in it.

That takes a request for each (two for one that failed or waits for somebody), made for those that matter, and not again
while nothing changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from sources._gitlab import FINISHED, Job, Pipeline
from sources._shared.answers import one
from sources._shared.rows import Rows
from statusboard.api import BadAnswer, Clock, Http, NotFound, SourceError, parse_time

#: What is older leaves the board as soon as it comes, unless it is the newest of its kind.
DETAILS_FOR: Final = timedelta(days=2)
#: So many are asked for in one poll of a list; the others in the next ones. At first there are twenty for each project.
AT_ONCE: Final = 6


class Seen(msgspec.Struct, frozen=True):
    """A pipeline's details as last read, what the list said of it then, and the jobs that made it fail.

    The jobs are known of what has failed, and of what waits for somebody (``manual``), else they are None.
    """

    row: Pipeline
    details: Pipeline
    failed_jobs: tuple[Job, ...] | None = None

    def holds_for(self, row: Pipeline) -> bool:
        """Whether the list says nothing new.  While a pipeline runs, its ``updated_at`` moves with every job."""
        same = row.status == self.row.status
        return same and (row.state not in FINISHED or row.updated_at == self.row.updated_at)


class Details:
    """The details of what is in each scope's window.

    ``wanting`` are the scopes that are to be read again, changed or not: not all their details have been asked for.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, dict[int, Seen]] = {}
        self.wanting: set[str] = set()

    async def of(
        self, scope: str, project: str, rows: Sequence[Pipeline], default_branch: str, http: Http
    ) -> tuple[dict[int, Seen], SourceError | None]:
        """The details by id of those rows (newest first) that need them, and why some are missing.

        ``project`` is its path in the API.
        """
        known: dict[int, Seen] = self._seen.get(scope, {})
        seen: dict[int, Seen] = {}
        lines: set[tuple[str, str]] = set()
        ask: list[tuple[bool, bool, Pipeline]] = []  # what matters most has False in front
        for row in rows:
            if not row.id or row.is_dangling or row.id in seen:
                continue
            before = known.get(row.id)
            if before is not None and before.holds_for(row):
                seen[row.id] = before
            elif row.line not in lines or self._is_recent(row):
                is_older = row.line in lines and row.state in FINISHED
                ask.append((row.ref != default_branch, is_older, row))
            if row.state in FINISHED:
                lines.add(row.line)
        self._seen[scope] = seen
        ask.sort(key=lambda entry: entry[:2])

        async def look(row: Pipeline) -> SourceError | None:
            try:
                seen[row.id or 0] = await read_details(project, row, http)  # which stays when time is up for the others
            except NotFound:  # it was deleted since the list was made
                return None
            except SourceError as exc:
                return exc
            return None

        errors = await asyncio.gather(*(look(row) for _, _, row in ask[:AT_ONCE]))
        if len(ask) > AT_ONCE:
            self.wanting.add(scope)
        else:
            self.wanting.discard(scope)
        return seen, next(filter(None, errors), None)

    def _is_recent(self, row: Pipeline) -> bool:
        created_at = parse_time(row.created_at)
        return row.state not in FINISHED or created_at is None or self._clock.now() - created_at < DETAILS_FOR


async def read_details(project: str, row: Pipeline, http: Http) -> Seen:
    """The details of one pipeline, of which only the id need be known."""
    path = f"{project}/pipelines/{row.id}"
    details = one(await http.get(path), Pipeline)
    if details.id != row.id:
        raise BadAnswer(f"pipeline {row.id}: the answer tells of another")
    if details.state not in ("failed", "blocked"):
        return Seen(row=row, details=details)
    reply = await http.get(f"{path}/jobs", params={"scope[]": "failed", "per_page": 100})
    jobs = Rows("job", Job, reply.decode(list[Any])).good
    return Seen(row=row, details=details, failed_jobs=tuple(job for job in jobs if not job.allow_failure))
