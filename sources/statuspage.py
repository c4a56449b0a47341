"""Public status pages of Atlassian Statuspage, and what imitates it: unresolved incidents, maintenance, components.

The outage may be a vendor's: the page's name stands before each title and is the item's service. One document says it
all, and its ETag vouches for it; when an incident has left it, the list of the newest incidents tells when it was over.
A component that is not well is an incident of its own where no incident names it.  Pages by other makers leave out
fields, and some use words of their own (incident.io: ``full_outage``, ``maintenance_in_progress``); of a page without
a list of incidents nothing can be said.

What the words mean is in `sources._statuspage`.  Docs: the page's own at /api, such as www.githubstatus.com/api;
docs.incident.io/api-reference for its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any

import msgspec

from sources._shared.rows import Rows
from sources._shared.words import meaning
from sources._statuspage import (
    SCHEDULED,
    STATES,
    Component,
    Indicator,
    Page,
    Row,
    component_of,
    concerned,
    incident_of,
    maintenance_of,
    names_of,
    verdict_of,
)
from statusboard.api import (
    Context,
    Http,
    Incident,
    NotFound,
    Part,
    Past,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    clean,
    option,
    parse_time,
)


class StatuspageOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: statuspage``."""

    components: Annotated[
        tuple[str, ...], option("only what concerns these components or groups, by name; * and ? match anything")
    ] = ()

    def __post_init__(self) -> None:
        if not all(name.strip() for name in self.components):
            raise ValueError("`components`: an empty name; leave `components` out for all components")


class Summary(msgspec.Struct, frozen=True):
    """/api/v2/summary.json"""

    incidents: list[Any]
    page: Page | None = None
    status: Indicator | None = None
    components: list[Any] | None = None
    scheduled_maintenances: list[Any] | None = None


class Incidents(msgspec.Struct, frozen=True):
    """/api/v2/incidents.json"""

    incidents: list[Any]


class Statuspage(Source[StatuspageOptions]):
    """What is wrong at somebody else's, by their own account."""

    type = "statuspage"
    kinds = frozenset({"incident"})
    Options = StatuspageOptions
    summary = "Incidents, maintenance and ailing components of a public status page"
    default_interval = 60.0
    scopes_needed = "none: status pages are public"
    requests = (1, "source")
    example = """\
url: https://www.githubstatus.com
components: [Actions, Webhooks, "API *"]
"""
    setup = """\
- `url` is the address of the page, such as `https://www.githubstatus.com`; each page is a source of its own.
- It is of the right kind if `/api/v2/summary.json` behind that address shows JSON. No account is needed.
- `components` narrows to what you depend on: names of components or of their groups, as the page shows them.
- Incidents that name no component are shown whatever you narrow to.
- Maintenance in progress is shown as suppressed, with its end; announced maintenance is not shown.
- All is shown under the page's own name as the service; `services:` in the config can say otherwise.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = "a page tells of its fifty newest incidents, and nothing of components that were not well"

    def __init__(self, options: StatuspageOptions, context: Context) -> None:
        super().__init__(options, context)
        self._open: set[str] = set()
        self._ill: dict[str, Incident] = {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name="status", kind="incident", reach="complete")]

    async def read(self, scope: Scope, http: Http) -> Part:
        found = (await http.get("/api/v2/summary.json", conditional=True)).decode(Summary)
        page = found.page or Page()
        components = Rows("component", Component, found.components or ())
        incidents = Rows("incident", Row, found.incidents)
        maintenances = Rows("maintenance", Row, found.scheduled_maintenances or ())
        wanted, missing = self._wanted(components.good)
        named = concerned(row for row in incidents.good if not _over(row))
        maintained = concerned(row for row in maintenances.good if _going_on(row))
        ill: dict[str, Incident] = {}

        def incident(row: Row) -> Incident | None:
            return incident_of(self, page, row) if _concerns(row, wanted) else None

        def maintenance(row: Row) -> Incident | None:
            return maintenance_of(self, page, row) if _going_on(row) and _concerns(row, wanted) else None

        def component(row: Component) -> Incident | None:
            word, names = (row.status or "").strip().lower(), names_of(row)
            told_of = named | maintained if word == "under_maintenance" else named
            if word == "operational" or row.group or not told_of.isdisjoint(names):
                return None
            if wanted is not None and wanted.isdisjoint(names):
                return None
            found = component_of(self, page, row)
            before = self._ill.get(found.key)
            if before is not None and before.state == found.state:  # from bad to worse: it is ill since it was well
                found = msgspec.structs.replace(found, started_at=before.started_at)
            ill[found.key] = found
            return found

        parts = (
            incidents.part(scope, incident),
            maintenances.part(scope, maintenance),
            components.part(scope, component),
        )
        items = {item.key: item for part in parts for item in part.items}
        error = next((part.error for part in parts if part.error), missing)
        if not items and wanted is None and (verdict := verdict_of(self, page, found.status)):
            items[verdict.key] = verdict
        is_open = {item.key for item in parts[0].items}
        for ended in await self._ended(self._open - is_open, page, http):
            items[ended.key] = ended
        self._open, self._ill = is_open, ill
        return msgspec.structs.replace(parts[0], items=tuple(items.values()), error=error)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import oldest, past  # nobody else needs it

        found = (await http.get("/api/v2/summary.json")).decode(Summary)
        wanted, _ = self._wanted(Rows("component", Component, found.components or ()).good)
        rows = Rows("incident", Row, (await http.get("/api/v2/incidents.json")).decode(Incidents).incidents)
        page = found.page or Page()
        return past(
            rows,
            lambda row: incident_of(self, page, row) if _concerns(row, wanted) else None,
            older="",
            reached=oldest([parse_time(row.created_at) for row in rows.good]),
        )

    async def _ended(self, keys: set[str], page: Page, http: Http) -> list[Incident]:
        """How the incidents ended that were there at the last poll.  Without an answer they are merely gone."""
        if not keys:
            return []
        try:
            rows = Rows("incident", Row, (await http.get("/api/v2/incidents.json")).decode(Incidents).incidents)
        except SourceError:
            return []
        found = [incident_of(self, page, row) for row in rows.good if row.id and _over(row)]
        return [item for item in found if item.key in keys]

    def _wanted(self, components: Sequence[Component]) -> tuple[set[str] | None, NotFound | None]:
        """The components that the options ask for, by id and by name; None for all.

        With an error where the page has none of a name: a wrong one would look like peace.
        """
        if not self.options.components:
            return None, None
        wanted: set[str] = set()
        missing: list[str] = []
        for pattern in self.options.components:
            name = pattern.strip().casefold()
            called = [row for row in components if fnmatchcase((row.name or "").casefold(), name)]
            groups = {row.id for row in called if row.group and row.id}
            called += [row for row in components if row.group_id in groups]
            if not called:
                missing.append(pattern)
            wanted.update(name for row in called for name in (row.id, row.name) if name)
        error = NotFound(clean(f"`components`: the page has none that is called {', '.join(missing)}", 300))
        if not wanted:
            raise error
        return wanted, error if missing else None


def _over(row: Row) -> bool:
    return meaning(STATES, row.status) == "resolved"


def _going_on(row: Row) -> bool:
    return (row.status or "").strip().lower() not in SCHEDULED and not _over(row)


def _concerns(row: Row, wanted: set[str] | None) -> bool:
    """Whether an incident is about wanted components; one that names none may be about any."""
    names = concerned([row])
    return wanted is None or not names or not wanted.isdisjoint(names)
