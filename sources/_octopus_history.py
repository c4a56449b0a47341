"""Octopus Deploy's past: the deployments of a space, newest first, with their tasks and versions.

A list is paged by how many rows to skip (octopus.com's reference of the API: ``skip``, ``take``, ``TotalResults``).
What has come in front since moves rows to pages behind, where they are told once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from sources._octopus import Collection, Deployment, Names, Space, Task, Version, names_of
from sources._shared.backwards import counted, oldest, past
from sources._shared.rows import Rows
from statusboard.api import Http, Past, Release, Scope, parse_time

if TYPE_CHECKING:
    from sources.octopus import Octopus

PAGE: Final = 100
#: How long what projects and environments are called is good for (seconds).
NAMES_KEPT: Final = 300.0


class History:
    """Reads it."""

    def __init__(self, source: Octopus) -> None:
        self._source = source
        self._names: dict[str, tuple[Names, float]] = {}

    async def read(self, scope: Scope, http: Http, cursor: str) -> Past:
        """One page of a space's past; a cursor is how many rows are before it."""
        source = self._source
        space = await source.space(scope.data, http)
        names = await self._names_of(space, http)
        skip = counted(cursor, 0)
        reply = await http.get(f"/api/{space.id}/deployments", params={"skip": skip, "take": PAGE})
        page = reply.decode(Collection)
        rows = Rows("deployment", Deployment, page.items)
        told = await source.by_id(http, space, "tasks", _told(row.task_id for row in rows.good), Task)
        tasks = {task.id: task for task in told}
        deployed = await source.by_id(http, space, "releases", _told(row.release_id for row in rows.good), Version)
        versions = {version.id: version.version for version in deployed}

        def release(row: Deployment) -> Release:
            task = tasks.get(row.task_id) or Task()
            return source.release(space, names, row, task, versions.get(row.release_id) or "")

        read = skip + len(page.items)
        more = len(page.items) >= PAGE if page.total_results is None else read < page.total_results
        lost = sum(row.task_id not in tasks for row in rows.good)
        return past(
            rows,
            release,
            older=str(read) if page.items and more else "",
            reached=oldest([parse_time(row.created) for row in rows.good]),
            notes=("how some deployments went is not told: their tasks are gone",) if lost else (),
        )

    async def _names_of(self, space: Space, http: Http) -> Names:
        names, at = self._names.get(space.id or "", (Names(), float("-inf")))
        now = self._source.clock.monotonic()
        if now - at >= NAMES_KEPT:
            names = names_of(await self._source.dashboard(space, http))
            self._names[space.id or ""] = names, now
        return names


def _told(ids: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(id for id in ids if id))
