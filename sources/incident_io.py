"""incident.io (REST API v2): incidents in triage, active and paused.

The categories of a status have two vocabularies: the API's (``live``, ``learning``) and the app's (``active``,
``post-incident``), which newer parts of the API use as well.  Severities are the organization's own; their ranks (a
higher one is more severe) put them into ours, the most severe first.  What has left the list is read by its id, which
tells when it was over, or that it was declined or merged.  Test and tutorial incidents are left out by the API itself.

What its words mean is in `sources._incident_io`.  Docs: docs.incident.io/api-reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from sources._incident_io import Rank, Row, incident_of, is_unreal, severities_of
from sources._shared.answers import one
from sources._shared.rows import Rows
from statusboard.api import (
    BadAnswer,
    Context,
    Http,
    Incident,
    Item,
    ItemKind,
    LookupUnsupported,
    NotFound,
    Part,
    Past,
    Scope,
    Severity,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    clean,
    parse_time,
)

PAGE: Final = 250
PAGES: Final = 4
#: The categories of what is over and was real.
OVER: Final = ("learning", "closed")
LONGEST_CURSOR: Final = 200
#: How seldom the organization's severities are read, and how soon again for one that is not known (seconds).
SEVERITIES_KEPT: Final = 3600.0
SEVERITIES_HELD: Final = 300.0


class IncidentIoOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: incident-io``; it has none of its own."""


class PaginationMeta(msgspec.Struct, frozen=True):
    after: str | None = None


class Incidents(msgspec.Struct, frozen=True):
    incidents: list[Any]
    pagination_meta: PaginationMeta | None = None


class OneIncident(msgspec.Struct, frozen=True):
    incident: Row


class Severities(msgspec.Struct, frozen=True):
    severities: list[Any]


class IncidentIo(Source[IncidentIoOptions]):
    """Incidents that are not over."""

    type = "incident-io"
    kinds = frozenset({"incident"})
    Options = IncidentIoOptions
    summary = "Incidents of incident.io in triage, active or paused"
    default_url = "https://api.incident.io"
    scopes_needed = "an API key that may view data, such as public incidents; for private ones, those as well"
    requests = (1, "source")
    example = """\
token: "keyring:incident-io"
"""
    setup = """\
- *Settings > API keys > Add new*: tick only *View data, like public incidents and organisation settings*.
- It is shown once: store it with `statusboard login incident-io`; then `token: "keyring:incident-io"`.
- Private incidents are seen only by a key with a permission for them; without it the board knows nothing of them, and
  one that is made private while it is open is unknown from then on.
- Severities go by their rank: the most severe is critical, the next high, then medium, low and info.
- The incident lead is the assignee. Other roles and custom fields are labels; a field `Service` says whose it is.
- Up to 1000 open incidents are read; test and tutorial incidents are not.
"""
    verified = "documented"
    history_kinds = kinds

    def __init__(self, options: IncidentIoOptions, context: Context) -> None:
        super().__init__(options, context)
        self._severities: dict[str, Severity] = {}
        self._severities_at = float("-inf")
        self._severities_fault = ""

    async def scopes(self, http: Http) -> Sequence[Scope]:
        # A window: what has left the list is read by its id.
        return [Scope(name="incidents", kind="incident", reach="window")]

    async def read(self, scope: Scope, http: Http) -> Part:
        rows: Rows[Row] = Rows("incident", Row)
        fault: SourceError | None = None
        params: dict[str, Any] = {"status_category[one_of]": ("triage", "live", "paused"), "page_size": PAGE}
        for page in range(PAGES + 1):
            if page == PAGES:
                fault = TooLarge(f"more than {PAGE * PAGES} open incidents")
                break
            answer = (await http.get("/v2/incidents", params=params)).decode(Incidents)
            rows.add(answer.incidents)
            after = answer.pagination_meta.after if answer.pagination_meta else None
            if not after or not answer.incidents:
                break
            params["after"] = after
        await self._read_severities(rows.good, http)
        part = rows.part(scope, self._open, notes=filter(None, [self._severities_fault]))
        return msgspec.structs.replace(part, error=part.error or fault)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import oldest, past  # nobody else needs it

        params: dict[str, Any] = {
            "status_category[one_of]": OVER,
            "created_at[gte]": f"{since:%Y-%m-%d}",
            "page_size": PAGE,
            **({"after": cursor} if cursor else {}),
        }
        answer = (await http.get("/v2/incidents", params=params)).decode(Incidents)
        rows = Rows("incident", Row, answer.incidents)
        await self._read_severities(rows.good, http)
        older = (answer.pagination_meta.after if answer.pagination_meta else None) or ""
        if len(older) > LONGEST_CURSOR or not older.isprintable():
            raise BadAnswer("the cursor of the next page is none")
        return past(
            rows,
            lambda row: None if is_unreal(row) else self._incident(row),
            older=older if answer.incidents else "",
            reached=oldest([parse_time(row.created_at) for row in rows.good]),
        )

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        try:
            reply = await http.get(f"/v2/incidents/{quote(remote_id, safe='')}")
        except NotFound:
            # Nobody deletes incidents: somebody made it private, and it may well go on.
            raise LookupUnsupported from None
        incident = one(reply, OneIncident).incident
        await self._read_severities([incident], http)
        return self._incident(incident)

    def _incident(self, row: Row) -> Incident:
        return incident_of(self, row, self._severities)

    def _open(self, row: Row) -> Incident | None:
        incident = self._incident(row)
        return None if incident.state == "resolved" or is_unreal(row) else incident

    async def _read_severities(self, incidents: Sequence[Row], http: Http) -> None:
        """Read what severities there are: hourly, and sooner for an incident that has another one.

        Where that fails their names are still labels, which the catalog may know.
        """
        now = self.clock.monotonic()
        asked = {row.severity.id for row in incidents if row.severity and row.severity.id}
        kept = SEVERITIES_KEPT if asked <= self._severities.keys() else SEVERITIES_HELD
        if not asked or now - self._severities_at < kept:
            return
        self._severities_at = now
        try:
            listed = (await http.get("/v1/severities")).decode(Severities).severities
        except SourceError as exc:
            self._severities_fault = clean(f"severities cannot be read: {exc}", 300)
        else:
            self._severities = severities_of(Rows("severity", Rank, listed).good)
            self._severities_fault = ""
