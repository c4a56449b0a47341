"""The past of Drone and Woodpecker: the builds of a repository, page by page.

Both number the pages of a list, newest first.  What has come in front since moves rows to pages behind, where they are
told once more.  Drone's list holds deployments and builds alike; Woodpecker's can be asked for deployments alone.
Drone gives only 25 where more than 100 are asked for, Woodpecker never more than 50 (drone/drone,
handler/api/repos/builds/list.go; woodpecker-ci/woodpecker, server/router/middleware/session/pagination.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sources._drone import attempts_of
from sources._shared.backwards import counted, oldest, past
from sources._shared.rows import Rows
from statusboard.api import Http, Past, Scope, parse_time

if TYPE_CHECKING:
    from sources._drone_family import Family


async def read(source: Family[Any, Any], scope: Scope, http: Http, cursor: str) -> Past:
    """One page of a part's past."""
    repository = await source.repository(scope.data, http)
    page = counted(cursor)
    params = source.window(repository, scope.kind, source.most, page)
    found = (await http.get(repository.api, params=params)).decode(list[Any])
    rows = Rows(source.noun, source.shape, found)
    return past(
        rows,
        source.converter(repository, rows.good, scope.kind, attempts_of(rows.good, {})),
        older=str(page + 1) if len(found) >= source.most else "",
        reached=oldest([parse_time(run.created) for run in source.runs(repository, rows.good)]),
    )
