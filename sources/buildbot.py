"""Buildbot (REST API v2): builds, and the requests that wait to become one.

A build is told by its request: the request exists before the build, and a build that Buildbot retries is a further
build of the same request.  One list holds the newest builds of all builders, so a builder that rarely builds may not be
in it: its newest build is asked for once, and again whenever builds may have been missed.

Docs: docs.buildbot.net, developer/rest.html; the results from buildbot/process/results.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

import msgspec

from sources._shared.rows import Rows, need
from statusboard.api import (
    BadAnswer,
    Build,
    BuildState,
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

#: build.results once it is complete; before that it is null.
RESULTS: Mapping[int, tuple[str, BuildState]] = {
    0: ("success", "success"),
    1: ("warnings", "warning"),
    2: ("failure", "failed"),
    3: ("skipped", "skipped"),
    4: ("exception", "failed"),
    5: ("retry", "queued"),  # the request waits for a new build
    6: ("cancelled", "cancelled"),
}

BUILDERS_KEPT: Final = 300.0
#: Builds on one page of the past.
PAGE: Final = 100
AT_ONCE: Final = 50
"""How many requests are asked for in one URL."""
#: The properties that builds are asked for.
PROPERTIES: Final = ("branch", "revision", "got_revision", "owner", "owners", "scheduler", "repository", "project")
_PULL = re.compile(r"refs/(?:pull|merge-requests)/(\d+)/")


class BuildbotOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: buildbot``."""

    builders: Annotated[tuple[str, ...], option("only builders with these names; * and ? match anything")] = ()
    tags: Annotated[tuple[str, ...], option("only builders with one of these tags")] = ()
    limit: Annotated[int, msgspec.Meta(ge=1, le=200), option("how many of the newest builds to read")] = 50
    default_branch: Annotated[str, option("failures on other branches are shown, but are no faults")] = ""


class Builder(msgspec.Struct, frozen=True):
    """``masterids`` is empty for a builder that is no longer configured."""

    builderid: int | None = None
    name: str | None = None
    tags: list[str] | None = None
    masterids: list[int] | None = None


class BuildRow(msgspec.Struct, frozen=True):
    buildid: int | None = None
    buildrequestid: int | None = None
    builderid: int | None = None
    number: int | None = None
    results: int | None = None
    complete: bool | None = None
    complete_at: int | float | str | None = None
    started_at: int | float | str | None = None
    state_string: str | None = None
    properties: dict[str, Any] | None = None


class RequestRow(msgspec.Struct, frozen=True):
    buildrequestid: int | None = None
    builderid: int | None = None
    complete: bool | None = None
    complete_at: int | float | str | None = None
    submitted_at: int | float | str | None = None
    results: int | None = None


class Submission(msgspec.Struct, frozen=True):
    buildrequestid: int | None = None
    submitted_at: int | float | str | None = None


class Submissions(msgspec.Struct, frozen=True):
    buildrequests: list[Submission]


class Builders(msgspec.Struct, frozen=True):
    builders: list[Builder]


class Builds(msgspec.Struct, frozen=True):
    builds: list[Any]


class Requests(msgspec.Struct, frozen=True):
    buildrequests: list[Any]


class Buildbot(Source[BuildbotOptions]):
    """Builds of some or all builders."""

    type = "buildbot"
    kinds = frozenset({"build"})
    Options = BuildbotOptions
    summary = "Builds and waiting build requests of Buildbot"
    scopes_needed = "anonymous read access, which is Buildbot's default"
    requests = (3, "source")
    example = """
        url: https://buildbot.example.com
        builders: [checkout, "web-*"]
        default_branch: main
    """
    setup = """
        `url` is the web interface's, as in its links, without `#`. Buildbot lets anybody read by default; one behind
        basic authentication takes `username` and `password`.

        - Without `builders` and `tags` every configured builder is read.
        - With `default_branch`, a failure on any other branch is shown but is no fault.
    """
    verified = "real"
    history_kinds = kinds

    def __init__(self, options: BuildbotOptions, context: Context) -> None:
        super().__init__(options, context)
        self._builders: dict[int, Builder] = {}
        self._builders_at = float("-inf")
        self._rare: dict[int, list[Any]] = {}
        self._newest = 0
        #: When the builds that were read last were asked for, by the id of their request.
        self._submitted: dict[int, datetime | None] = {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name="builds", kind="build", reach="window")]

    async def read(self, scope: Scope, http: Http) -> Part:
        builders = await self._wanted(http)
        only: dict[str, Any] = {} if len(builders) == len(self._builders) else {"builderid__in": list(builders)}
        newest_first = {"order": "-buildid", "property": PROPERTIES, **only}
        window = await self._builds("/builds", {**newest_first, "limit": self.options.limit}, http)
        running = await self._builds("/builds", {**newest_first, "complete": "false"}, http)
        reply = await http.get("/api/v2/buildrequests", params={"claimed": "false", "complete": "false", **only})
        requests = Rows("request", RequestRow, reply.decode(Requests).buildrequests)

        rows = Rows("build", BuildRow, window)
        await self._add_rare(rows, builders, http)
        rows.add(running)
        await self._ask_when(rows, http)
        # Requests first: one that waits again has a build that says "retry" behind it.
        waiting = requests.part(scope, lambda row: self._waiting(row, builders))
        part = rows.part(scope, lambda row: self._build(row, builders))
        known = {item.key for item in waiting.items}
        items = waiting.items + tuple(item for item in part.items if item.key not in known)
        return msgspec.structs.replace(part, items=items, error=waiting.error or part.error)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import back_to, counted, past  # nobody else needs it

        builders = await self._wanted(http)
        params: dict[str, Any] = {"order": "-buildid", "limit": PAGE, "complete": "true", "property": PROPERTIES}
        if len(builders) < len(self._builders):
            params["builderid__in"] = list(builders)
        if before := counted(cursor, 0):
            params["buildid__lt"] = before
        found = await self._builds("/builds", params, http)
        rows = Rows("build", BuildRow, found)
        await self._ask_when(rows, http)
        ids = [row.buildid for row in rows.good if row.buildid and (not before or row.buildid < before)]
        older = str(min(ids)) if ids and len(found) >= PAGE else ""
        return back_to(past(rows, lambda row: self._build(row, builders), older=older, reached=None), since)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        builders = await self._wanted(http)
        params = {"order": "-buildid", "limit": 1, "property": PROPERTIES}
        builds = await self._builds(f"/buildrequests/{int(remote_id)}/builds", params, http)
        for build in Rows("build", BuildRow, builds).good:
            return self._build(build, builders)
        reply = await http.get(f"/api/v2/buildrequests/{int(remote_id)}")
        for request in Rows("request", RequestRow, reply.decode(Requests).buildrequests).good:
            return self._waiting(request, builders)
        return None

    async def _builds(self, path: str, params: Mapping[str, Any], http: Http) -> list[Any]:
        return (await http.get(f"/api/v2{path}", params=params)).decode(Builds).builds

    async def _wanted(self, http: Http) -> dict[int, Builder]:
        """The configured builders that the options ask for, by id."""
        now = self.clock.monotonic()
        if now - self._builders_at >= BUILDERS_KEPT:
            rows = (await http.get("/api/v2/builders")).decode(Builders).builders
            self._builders = {row.builderid: row for row in rows if row.builderid and row.masterids != []}
            self._builders_at = now
        wanted = {number: row for number, row in self._builders.items() if self._wants_builder(row)}
        if not wanted and (self.options.builders or self.options.tags):
            raise NotFound("no builder has one of the names and tags that are asked for")
        return wanted

    def _wants_builder(self, builder: Builder) -> bool:
        names, tags = self.options.builders, self.options.tags
        named = not names or any(fnmatchcase(builder.name or "", name) for name in names)
        return named and (not tags or not set(tags).isdisjoint(builder.tags or ()))

    async def _add_rare(self, rows: Rows[BuildRow], builders: Mapping[int, Builder], http: Http) -> None:
        """Add the newest finished build of each builder that has none in the window."""
        ids = [row.buildid for row in rows.good if row.buildid]
        if len(ids) >= self.options.limit and min(ids) > self._newest:
            self._rare.clear()  # builds between the last poll and this window were missed
        seen = {row.builderid for row in rows.good if row.complete}
        for number in builders:
            if number in seen:
                self._rare[number] = []  # what is stored of it stays
            elif number not in self._rare:
                params = {"order": "-buildid", "limit": 1, "complete": "true", "property": PROPERTIES}
                self._rare[number] = await self._builds(f"/builders/{number}/builds", params, http)
            rows.add(self._rare[number])
        self._newest = max(ids, default=self._newest)

    async def _ask_when(self, rows: Rows[BuildRow], http: Http) -> None:
        """Find out when the builds that are new here were asked for: a build does not tell it.

        A server that does not answer that has its builds read all the same.
        """
        ids = {row.buildrequestid for row in rows.good if row.buildrequestid}
        new = sorted(ids - self._submitted.keys())
        found: dict[int, datetime | None] = dict.fromkeys(new)
        for start in range(0, len(new), AT_ONCE):
            wanted = list(map(str, new[start : start + AT_ONCE]))
            fields = ["buildrequestid", "submitted_at"]
            try:
                params = {"buildrequestid__in": wanted, "field": fields}
                reply = await http.get("/api/v2/buildrequests", params=params)
                told = reply.decode(Submissions).buildrequests
            except (BadAnswer, NotFound):
                break
            found.update({row.buildrequestid: parse_time(row.submitted_at) for row in told if row.buildrequestid})
        self._submitted = {number: when for number, when in (self._submitted | found).items() if number in ids}

    def _build(self, row: BuildRow, builders: Mapping[int, Builder]) -> Build | None:
        builder = builders.get(need(row.builderid, "builderid"))
        if builder is None:
            return None
        properties = row.properties or {}
        word, state = _result(row.complete, row.results, "running")
        branch = _text(properties, "branch")
        pull = _PULL.match(branch)
        project = _text(properties, "project")
        ended_at = parse_time(row.complete_at)
        return Build(
            key=self.key("build", need(row.buildrequestid, "buildrequestid")),
            source=self.name,
            title=builder.name or f"builder {row.builderid}",
            state=state,
            raw_state=word,
            # While it runs it names the step at work, and would be a change at every poll.
            reason=(row.state_string or "") if state not in ("running", "success") else "",
            pipeline=builder.name or "",
            run_number=row.number,
            branch=branch,
            default_branch=self.options.default_branch,
            revision=_text(properties, "got_revision") or _text(properties, "revision"),
            change=pull[1] if pull else "",
            repository=_text(properties, "repository"),
            url=f"{self.options.url.rstrip('/')}/#/builders/{row.builderid}/builds/{row.number}",
            labels=_labels(builder, project),
            actor=_text(properties, "owner") or _text(properties, "owners"),
            trigger=_text(properties, "scheduler"),
            started_at=parse_time(row.started_at),
            queued_at=self._submitted.get(row.buildrequestid or 0) if row.started_at else None,
            updated_at=ended_at,
            ended_at=ended_at,
        )

    def _waiting(self, row: RequestRow, builders: Mapping[int, Builder]) -> Build | None:
        builder = builders.get(need(row.builderid, "builderid"))
        if builder is None:
            return None
        number = need(row.buildrequestid, "buildrequestid")
        word, state = _result(row.complete, row.results, "queued")
        ended_at = parse_time(row.complete_at)
        return Build(
            key=self.key("build", number),
            source=self.name,
            title=builder.name or f"builder {row.builderid}",
            state=state,
            raw_state=word,
            pipeline=builder.name or "",
            default_branch=self.options.default_branch,
            url=f"{self.options.url.rstrip('/')}/#/buildrequests/{number}",
            labels=_labels(builder, ""),
            started_at=parse_time(row.submitted_at),
            updated_at=ended_at,
            ended_at=ended_at,
        )


def _result(complete: bool | None, results: int | None, otherwise: BuildState) -> tuple[str, BuildState]:
    """The vendor's word and ours; ``otherwise`` for what is not complete."""
    if complete is None:
        return "", "unknown"
    if not complete:
        return otherwise, otherwise
    if results is None:
        return "complete", "unknown"
    return RESULTS.get(results, (f"results {results}", "unknown"))


def _text(properties: Mapping[str, Any], name: str) -> str:
    """A property's value as text.  Properties come as [value, source]; with codebases the value is an object."""
    pair = properties.get(name)
    value = pair[0] if isinstance(pair, list) and pair else None
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return ", ".join(str(part) for part in value if isinstance(part, str | int))
    return str(value) if isinstance(value, str | int) and value != "" else ""


def _labels(builder: Builder, project: str) -> dict[str, str]:
    labels = {"builder": builder.name or "", "tags": ", ".join(builder.tags or ()), "project": project}
    return {name: value for name, value in labels.items() if value}
