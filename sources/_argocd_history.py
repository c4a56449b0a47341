"""Argo CD's past: the last syncs of each application, some applications at a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from sources._argocd import Application, Deploy, deploys_of
from sources._argocd_items import release_of
from sources._shared.backwards import past
from sources._shared.rows import Rows
from statusboard.api import Http, NotFound, Past, Scope

if TYPE_CHECKING:
    from sources.argocd import ArgoCD

#: Applications on a page, each of which takes a request.
PAGE: Final = 20
MOST_SYNCS: Final = 1_000


class History:
    """Reads it.  ``root`` is the address of the web interface."""

    def __init__(self, source: ArgoCD, root: str) -> None:
        self._source = source
        self._root = root
        self._applications: dict[str, list[str]] = {}

    async def read(self, scope: Scope, http: Http, since: datetime, cursor: str) -> Past:
        """The syncs of some more applications; a cursor is the name of the first of them."""
        if scope.name not in self._applications or not cursor:
            reading = await self._source.read_list(scope.data, http)
            self._applications[scope.name] = sorted(reading.apps)
        names = self._applications[scope.name]
        left = [name for name in names if name >= unquote(cursor)]
        deploys: Rows[Deploy] = Rows("sync", Deploy)
        for name in left[:PAGE]:
            try:
                app: Application = await self._source.application(name, http)
            except NotFound:  # deleted since the list was made
                continue
            deploys.good += deploys_of(app, MOST_SYNCS)
        page = past(deploys, lambda deploy: release_of(self._source, self._root, deploy), older="", reached=None)
        following = left[PAGE : PAGE + 1]
        share = 1 - (len(left) - PAGE) / len(names) if following else 1.0
        return Past(
            items=page.items,
            older=quote(following[0]) if following else "",
            reached=None if following else since,
            share=share,
            error=page.error,
        )
