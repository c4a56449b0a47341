"""CCTray feeds (``cc.xml``, ``cctray.xml``) of GoCD, Concourse, Jenkins and others: how each project's last build went.

A feed has one row a project and nothing older, so a project is one item.  While it builds, ``lastBuildStatus`` is still
that of the build before: the item runs and keeps that verdict.  A project that was never built is left out.

GoCD lists a stage (``pipeline :: stage``) and each of its jobs (``pipeline :: stage :: job``).  A row whose parent is
shown is left out, and its failure is told as the parent's reason: one failure is not two.  It is shown after all where
it fails and its parent does not.

The feed is read in `sources._cctray`.  Attributes and words: cctray.org, pages/cctray-1.md;
``Pending`` is CruiseControl.NET's, and ``Failed`` was seen in feeds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Annotated, Final, Literal

import msgspec

from sources._cctray import rows_of
from sources._shared.rows import Rows, need, remote_id
from sources._shared.words import meaning
from statusboard.api import (
    Build,
    BuildState,
    Http,
    NotFound,
    Part,
    Scope,
    Source,
    SourceOptions,
    clean,
    option,
    parse_time,
    parse_time_exact,
)

#: lastBuildStatus: how the last build that ended went, whatever is going on now.
STATUSES: Mapping[str, BuildState] = {
    "success": "success",
    "failure": "failed",
    "exception": "failed",
    "failed": "failed",
    "unknown": "unknown",
    "pending": "queued",
}
#: activity; where nothing goes on the status stands.
ACTIVITIES: Mapping[str, Literal["idle", "running", "queued"]] = {
    "sleeping": "idle",
    "checkingmodifications": "idle",
    "building": "running",
    "pending": "queued",
}
SEPARATOR: Final = " :: "
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CCTrayOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: cctray``."""

    projects: Annotated[tuple[str, ...], option("only projects with these names; * and ? match anything")] = ()

    def __post_init__(self) -> None:
        if not all(name.strip() for name in self.projects):
            raise ValueError("`projects`: a name is empty; write names as the feed has them, or patterns such as shop*")


class Project(msgspec.Struct, frozen=True):
    """A row, by its attributes in lower case; ``breakers`` are those who broke it, from its messages."""

    name: str | None = None
    activity: str | None = None
    lastbuildstatus: str | None = None
    lastbuildlabel: str | None = None
    lastbuildtime: str | None = None
    weburl: str | None = None
    category: str | None = None
    breakers: str | None = None

    @property
    def last(self) -> BuildState:
        """How its last build went."""
        return meaning(STATUSES, self.lastbuildstatus)


class CCTray(Source[CCTrayOptions]):
    """The projects of one feed."""

    type = "cctray"
    kinds = frozenset({"build"})
    Options = CCTrayOptions
    summary = "The CCTray feed (cc.xml) of GoCD, Concourse, CruiseControl, Jenkins, TeamCity, Travis CI and others"
    scopes_needed = "read access to the pipelines that are to be seen"
    requests = (1, "source")
    example = """
        url: https://gocd.example.com/go/cctray.xml
        projects: ["checkout :: *", "ledger*"]
        token: "keyring:cctray"
    """
    setup = """
        `url` is the address of the feed itself:

        - GoCD `/go/cctray.xml`, with a personal access token (*your name > Personal Access Tokens*) as `token`;
          TeamCity `/app/rest/cctray/projects.xml`, with an access token.
        - Concourse `/api/v1/teams/TEAM/cc.xml`, Jenkins `/cc.xml` (with its plug-in *CCTray XML*), Woodpecker
          `/api/badges/OWNER/REPO/cc.xml`, Travis CI `https://api.travis-ci.com/repos/OWNER/REPO/cc.xml`.
        - `token` is sent as a bearer token, `username` and `password` as basic authentication; other headers that a
          server asks for go under `headers`. A feed that wants its token in the address cannot be read: use the
          service's own type.
        - A feed tells of the last build of each project only, without branch or commit: prefer the service's own type.
        - A feed without any project is an error, since some servers leave out what the credential may not see.
        - Jobs of a GoCD stage are told as the stage's reason; to see them as rows, name them alone under `projects`.
    """
    verified = "documented"
    no_history = "the feed tells of the last build of each project"

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name="projects", kind="build", reach="complete")]

    def request_headers(self) -> Mapping[str, str]:
        return {"Accept": "application/xml, text/xml;q=0.9, */*;q=0.1"}

    async def read(self, scope: Scope, http: Http) -> Part:
        # The whole address: its query belongs to it.
        reply = await http.get(self.options.url, conditional=True)
        told = rows_of(reply, self.options.url)
        if not told:
            raise NotFound("the feed names no project: perhaps this credential may see none")
        rows = Rows("project", Project, told)
        unmatched = [name for name in self.options.projects if not any(_matches(row, name) for row in rows.good)]
        rows.good = _distinct(row for row in rows.good if self._wants_project(row))
        twice = {name for name, count in Counter(row.name or "" for row in rows.good).items() if count > 1}
        reasons = _left_out(rows.good, twice)
        part = rows.part(scope, lambda row: self._build(row, reasons, twice))
        if unmatched and part.error is None:
            error = NotFound(f"no project of the feed matches {clean(unmatched[0], 80)}")
            part = msgspec.structs.replace(part, error=error)
        return part

    def _wants_project(self, row: Project) -> bool:
        # A row without a name is kept: it is a fault to be told of.
        names = self.options.projects
        return not names or row.name is None or any(_matches(row, name) for name in names)

    def _build(self, row: Project, reasons: Mapping[str, Sequence[str] | None], twice: Container[str]) -> Build | None:
        name = need(row.name, "name")
        reason = reasons.get(name, ())
        if reason is None or _never_built(row):
            return None
        state, verdict = _states(row)
        finished = state not in ("running", "queued")
        number = row.lastbuildlabel or ""
        at, naive = parse_time_exact(row.lastbuildtime) if finished else (None, False)
        # Feeds that others put together may name two projects alike.
        unique = f"{name}~{blake2b((row.weburl or '').encode(), digest_size=6).hexdigest()}" if name in twice else name
        labels = {"pipeline": name.split(SEPARATOR)[0] if SEPARATOR in name else "", "category": row.category or ""}
        if finished and not number.isdecimal():
            labels["build"] = number
        return Build(
            key=self.key("build", remote_id(unique)),
            source=self.name,
            title=name,
            state=state,
            verdict=verdict,
            raw_state="/".join(filter(None, (row.activity, row.lastbuildstatus))),
            reason=f"failed: {', '.join(reason)}" if reason and finished else "",
            pipeline=unique,
            run_number=int(number) if finished and number.isdecimal() and len(number) < 16 else None,
            url=row.weburl or "",
            labels={key: text for key, text in labels.items() if text},
            actor=row.breakers or "",
            updated_at=at,
            ended_at=at,
            approximate=naive,
        )


# -- rows --------------------------------------------------------------------------------------------------------------


def _states(row: Project) -> tuple[BuildState, BuildState | Literal[""]]:
    """The state, and the verdict that stands while it is not known yet."""
    activity = meaning(ACTIVITIES, row.activity)
    if activity == "idle":
        return row.last, ""
    if activity == "unknown":  # it may be building: only a failure is sure to be seen
        return ("failed" if row.last == "failed" else "unknown"), ""
    return activity, "" if row.last == "queued" or _nothing_before(row) else row.last


def _never_built(row: Project) -> bool:
    return meaning(ACTIVITIES, row.activity) == "idle" and _nothing_before(row)


def _nothing_before(row: Project) -> bool:
    said = (row.lastbuildstatus or "").strip().lower()
    return said == "unknown" and not row.lastbuildlabel and parse_time(row.lastbuildtime) is None


def _matches(row: Project, name: str) -> bool:
    return row.name is not None and fnmatchcase(row.name, name)


def _distinct(rows: Iterable[Project]) -> list[Project]:
    """The rows without those told twice, of which the latest counts, and of equally late ones a failed one."""
    found: dict[tuple[str | None, str | None], Project] = {}
    for row in rows:
        before = found.setdefault((row.name, row.weburl), row)
        if _weight(row) > _weight(before):
            found[row.name, row.weburl] = row
    return list(found.values())


def _weight(row: Project) -> tuple[datetime, bool]:
    return parse_time(row.lastbuildtime) or _LONG_AGO, row.last == "failed"


def _left_out(rows: Sequence[Project], twice: Container[str]) -> dict[str, Sequence[str] | None]:
    """By name: None for a row that its parent stands for, and for parents which of those rows failed."""
    named = {row.name: row for row in rows if row.name and row.name not in twice}
    found: dict[str, Sequence[str] | None] = {}
    failed: defaultdict[str, list[str]] = defaultdict(list)
    for name, row in named.items():
        above, _, last = name.rpartition(SEPARATOR)
        parent = named.get(above)
        if parent is None or _never_built(parent) or row.last not in ("success", parent.last):
            continue
        found[name] = None
        if row.last == "failed":
            failed[above].append(last)
    return {**failed, **found}
