"""Buildkite (REST API v2): builds of some pipelines, or of all of an organization.

A list of builds is in the order they were created. A pipeline that seldom builds may not be in it, so at first, and
after a gap, the builds of the default branches are read further back. A failed job can be retried long after its
build: the build then runs and ends once more, under its old number. Where the list goes back less than a day, the
builds that ended since the last poll are asked for as well.

A build that waits at a block step keeps its last state, mostly ``passed``, with ``blocked`` beside it. It is shown as
blocked, and its verdict counts: many a pipeline ends with a step that nobody ever unblocks. A rebuild is a new build
with a number of its own, and names the one that it was ``rebuilt_from``.

What Buildkite's words mean is in `sources._buildkite`.  Docs: buildkite.com/docs/apis/rest-api (builds, rate-limits).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec

from sources._buildkite import Row, attempts_of, build_of
from sources._shared.rows import Rows
from statusboard.api import (
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
    parse_time,
)

#: Where the list reaches back less far than this, builds may have been retried that are no longer in it.
RETRIED_WITHIN: Final = timedelta(days=1)
PAGE: Final = 100
#: Pages of builds of the default branches that are read of a whole organization, at first and after a gap.
PAGES: Final = 3
_SLUG: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class BuildkiteOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: buildkite``."""

    organization: Annotated[str, option("the organization, as in buildkite.com/<organization>")]
    pipelines: Annotated[
        tuple[str, ...], option("only these pipelines, as in buildkite.com/<organization>/<pipeline>")
    ] = ()
    builds: Annotated[
        int, msgspec.Meta(ge=1, le=PAGE), option("how many builds to read of each pipeline that is named")
    ] = 30

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.organization):
            raise ValueError(
                f"`organization`: {self.organization[:80]!r} is no organization; "
                "write its name as in the address of its page, acme for buildkite.com/acme"
            )
        for pipeline in self.pipelines:
            if not _SLUG.fullmatch(pipeline):
                raise ValueError(
                    f"`pipelines`: {pipeline[:80]!r} is no pipeline; "
                    "write its name as in the address of its page, checkout for buildkite.com/acme/checkout"
                )


class _Place(msgspec.Struct, frozen=True):
    """What a scope reads: a path, and the pipeline that it is of, ``""`` for all of them."""

    path: str
    pipeline: str
    per_page: int
    further_pages: int


class _Seen(msgspec.Struct, frozen=True):
    """What the last good poll of a scope saw: when the newest build was made and the last one ended, and attempts."""

    newest: datetime
    ended: datetime | None
    attempts: Mapping[str, int]


class Buildkite(Source[BuildkiteOptions]):
    """Builds of an organization's pipelines."""

    type = "buildkite"
    kinds = frozenset({"build"})
    Options = BuildkiteOptions
    summary = "Builds of Buildkite, of some pipelines or of a whole organization"
    default_url = "https://api.buildkite.com"
    default_interval = 60.0  # a user may make 50 requests a minute
    scopes_needed = "an API access token of the organization with the scope read_builds"
    requests = (2, "pipeline, or for the organization where none is named; 1 where builds are few")
    example = """\
organization: acme
pipelines: [checkout, ledger]
token: "keyring:buildkite"
"""
    setup = """\
- *Personal Settings > API Access Tokens > New API Access Token*: choose the organization under *Organization Access*
  and under *REST API Scopes* tick *Read* for *Builds* (`read_builds`), nothing else.
- Store it with `statusboard login buildkite`; it is shown only once. Then `token: "keyring:buildkite"`.
- `organization` and `pipelines` are the names in the address of a pipeline's page: `buildkite.com/acme/checkout`.
- Without `pipelines` the newest 100 builds of the organization are read in one request; in a busy organization name
  the pipelines that matter.
- Buildkite allows 50 requests a minute to each user, and 200 to the organization; the board keeps to what is left.
- A token may be limited to network addresses (*Allowed IP Addresses*): the board's must be among them.
- A build that waits at a block step is shown as blocked and counts as passed; rebuilds are builds of their own.
"""
    verified = "documented"
    history_kinds = kinds

    def __init__(self, options: BuildkiteOptions, context: Context) -> None:
        super().__init__(options, context)
        self._seen: dict[str, _Seen] = {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        organization = self.options.organization
        path = f"/v2/organizations/{organization}"
        if not self.options.pipelines:
            place = _Place(path=f"{path}/builds", pipeline="", per_page=PAGE, further_pages=PAGES)
            return [Scope(name=f"{organization} builds", kind="build", reach="window", data=place)]
        return [
            Scope(
                name=f"{organization}/{pipeline} builds",
                kind="build",
                reach="window",
                data=_Place(
                    path=f"{path}/pipelines/{pipeline}/builds",
                    pipeline=pipeline,
                    per_page=self.options.builds,
                    further_pages=1,
                ),
            )
            for pipeline in dict.fromkeys(self.options.pipelines)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        place: _Place = scope.data
        seen = self._seen.get(scope.name)
        params: dict[str, Any] = {"exclude_jobs": "true", "per_page": place.per_page}
        page = (await http.get(place.path, params=params)).decode(list[Any])
        rows = Rows("build", Row, page)
        if not page and not place.pipeline:
            raise NotFound(f"{self.options.organization}: no build at all; may the token's user see its pipelines?")
        notes = [] if page else [f"{place.pipeline}: no builds yet"]
        made = [at for row in rows.good if (at := parse_time(row.created_at))]
        if made and len(page) >= place.per_page:
            if seen is None or min(made) > seen.newest:
                await self._read_default_branches(place, rows, http)
            elif seen.ended and self.clock.now() - min(made) < RETRIED_WITHIN:
                notes = await self._read_ended(place, seen.ended, rows, http)
        attempts = attempts_of(rows.good, seen.attempts if seen else {})
        part = rows.part(scope, lambda row: build_of(self, place.pipeline, row, attempts), notes=notes)
        if part.error is None and made:
            ended = (at for row in rows.good if (at := parse_time(row.finished_at)))
            last = max(ended, default=seen.ended if seen else None)
            self._seen[scope.name] = _Seen(newest=max(made), ended=last, attempts=attempts)
        return part

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import Until, moment, past  # nobody else needs it

        place: _Place = scope.data
        until = Until.of(cursor)
        params: dict[str, Any] = {"exclude_jobs": "true", "per_page": PAGE, "page": until.page}
        params["created_from"] = moment(since)
        if until.at is not None:
            params["created_to"] = moment(until.at + timedelta(seconds=1))  # which is before it, not at it
        page = (await http.get(place.path, params=params)).decode(list[Any])
        rows = Rows("build", Row, page)
        attempts = attempts_of(rows.good, {})
        older, reached = until.older([parse_time(row.created_at) for row in rows.good], more=len(page) >= PAGE)
        return past(rows, lambda row: build_of(self, place.pipeline, row, attempts), older=older, reached=reached)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        pipeline, _, number = remote_id.rpartition("/")
        if not number.isdecimal() or (self.options.pipelines and pipeline not in self.options.pipelines):
            return None
        path = f"/v2/organizations/{self.options.organization}/pipelines/{quote(pipeline, safe='')}/builds/{number}"
        row = (await http.get(path, params={"exclude_jobs": "true"})).decode(Row)
        known = {key: attempt for seen in self._seen.values() for key, attempt in seen.attempts.items()}
        return build_of(self, pipeline, row, attempts_of([row], known))

    async def _read_default_branches(self, place: _Place, rows: Rows[Row], http: Http) -> None:
        """Builds before this list may have been missed: what the default branches last said must not be among them."""
        branches = {row.pipeline.default_branch for row in rows.good if row.pipeline and row.pipeline.default_branch}
        if not branches:
            return
        params: dict[str, Any] = {"exclude_jobs": "true", "per_page": place.per_page, "branch[]": sorted(branches)[:20]}
        pages = 0
        async for reply in http.pages(place.path, params=params, limit=place.further_pages + 1):
            rows.add(reply.decode(list[Any]))
            pages += 1
            if pages >= place.further_pages:
                break

    async def _read_ended(self, place: _Place, since: datetime, rows: Rows[Row], http: Http) -> list[str]:
        """Builds that ended since then, by Buildkite's clock, however long ago they were made; and what to note."""
        moment = since.isoformat().replace("+00:00", "Z")
        params: dict[str, Any] = {"exclude_jobs": "true", "per_page": PAGE, "finished_from": moment}
        page = (await http.get(place.path, params=params)).decode(list[Any])
        rows.add(page)
        if len(page) < PAGE:
            return []
        return [f"more than {PAGE} builds ended since the last poll; retried ones may be missed: name fewer pipelines"]
