"""Datadog: monitors that are not well, and declared incidents where asked for.

All monitors are listed, not only those that alert: the list tells an organization where all is well from a tag that no
monitor has, or a key that sees none. Which of them are muted stands elsewhere (a monitor's own answer knows of old
downtimes only), and is asked for while something alerts. A downtime is a query: only where it is plain that it takes in
every group that alerts is a monitor suppressed.  ``overall_state_modified`` is in every answer, though in no document.

What Datadog's words mean is in `sources._datadog`.  Docs: docs.datadoghq.com/api/latest (monitors, downtimes,
incidents, rate-limits), /account_management/api-app-keys and /getting_started/site.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec

from sources._datadog import (
    Downtime,
    IncidentRow,
    Monitor,
    declared_incident,
    monitor_incident,
    mutes_of,
    page_of,
    state_of,
)
from sources._shared.answers import one
from sources._shared.rows import Rows, need
from statusboard.api import (
    Context,
    Credentials,
    HistoryUnsupported,
    Http,
    Incident,
    Item,
    ItemKind,
    LookupUnsupported,
    NotFound,
    Part,
    Past,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    clean,
    option,
    parse_time,
)

DEFAULT_URL: Final = "https://api.datadoghq.com"
MONITORS: Final = 500
MONITOR_PAGES: Final = 10
PAGE: Final = 100
PAGES: Final = 10
#: How soon downtimes that could not be read are asked for again (seconds).
DOWNTIMES_HELD: Final = 300.0
#: How long those that were read last mute anything meanwhile: they may have been ended since.
DOWNTIMES_TRUSTED: Final = 900.0
#: Only Datadog's own: whoever may choose the site must not choose where the keys go.
Site = Literal[
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "uk1.datadoghq.com",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
]


class DatadogOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: datadog``.  ``token`` is the API key, ``password`` the application key."""

    site: Annotated[Site, option("your Datadog site, as in the address of its pages, without app.")] = "datadoghq.com"
    tags: Annotated[tuple[str, ...], option("only monitors with these tags, such as team:payments")] = ()
    downtimes: Annotated[bool, option("read downtimes, for which a key needs monitors_downtime")] = True
    incidents: Annotated[bool, option("read declared incidents as well, not only monitors")] = False

    def __post_init__(self) -> None:
        if bool(self.token) != bool(self.password):
            raise ValueError("`password`: Datadog wants two keys: token is the API key, password the application key")
        for tag in self.tags:
            if not tag.strip() or "," in tag:
                raise ValueError(f"`tags`: {tag[:80]!r} is no tag; write a list such as [team:payments, env:prod]")
        if self.site != "datadoghq.com":
            url = f"https://api.{self.site}"
            if self.url.rstrip("/") not in ("", DEFAULT_URL, url):
                raise ValueError("`site`: leave it out where `url` is given")
            msgspec.structs.force_setattr(self, "url", url)


class _List(msgspec.Struct, frozen=True):
    data: list[Any]


class _Found(msgspec.Struct, frozen=True):
    incidents: list[Any]


class _FoundData(msgspec.Struct, frozen=True):
    attributes: _Found


class _Search(msgspec.Struct, frozen=True):
    data: _FoundData


class Datadog(Source[DatadogOptions]):
    """Monitors in Alert, Warn or No Data; declared incidents."""

    type = "datadog"
    kinds = frozenset({"incident"})
    Options = DatadogOptions
    summary = "Monitors of Datadog that alert, warn or miss data; its declared incidents on request"
    default_url = DEFAULT_URL
    default_interval = 60.0
    scopes_needed = (
        "an API key, and an application key with the scopes monitors_read, monitors_downtime (for downtimes) "
        "and incident_read (for incidents)"
    )
    requests = (1, "500 monitors (1 more for downtimes while something alerts)")
    example = """\
site: datadoghq.eu
token: "keyring:datadog-api"
password: "keyring:datadog-app"
tags: [team:payments]
"""
    setup = """\
- Datadog wants two keys: `token` is the API key, `password` is the application key.
- *Organization Settings > API Keys > New Key*; store it with `statusboard login datadog-api`.
- *Organization Settings > Application Keys > New Key*; it is shown once: `statusboard login datadog-app`.
- Edit that key's scopes: `monitors_read` and `monitors_downtime`. The latter could mute as well; to do without it write
  `downtimes: false`, and muted monitors show as open. `incidents: true` needs `incident_read`.
- `site` is where you sign in, without `app.`: `datadoghq.com`, `datadoghq.eu`, `us3.datadoghq.com`, ...
- `tags` narrows to monitors that have them; up to 5000 monitors are listed at each poll.
- Tags `service`, `team` and `env` say whose a monitor is; its priority, 1 to 5, is the severity.
- A monitor without data is an open incident where it notifies of that, else it is only pending.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = (
        "Datadog tells of a monitor only how it stands now; of declared incidents (`incidents: true`) all is told"
    )

    def __init__(self, options: DatadogOptions, context: Context) -> None:
        super().__init__(options, context)
        self._page = page_of(options.url or DEFAULT_URL)
        self._open: dict[str, Incident] = {}
        self._downtimes: list[Downtime] = []
        self._downtimes_at = float("-inf")
        self._downtimes_read_at = float("-inf")
        self._downtimes_fault = ""

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        keys = {"DD-API-KEY": credentials.token, "DD-APPLICATION-KEY": credentials.password}
        return {name: key for name, key in keys.items() if key}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        scopes = [Scope(name=" ".join(("monitors", *self.options.tags)), kind="incident", reach="complete")]
        if self.options.incidents:  # what has left the search is read by its id
            scopes.append(Scope(name="incidents", kind="incident", reach="window", data="incidents"))
        return scopes

    async def read(self, scope: Scope, http: Http) -> Part:
        return await (self._read_incidents if scope.data else self._read_monitors)(scope, http)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._shared.backwards import counted, oldest, past  # nobody else needs it

        if not scope.data:
            raise HistoryUnsupported(self.no_history)
        first = counted(cursor, 0)
        params: dict[str, Any] = {"query": "state:resolved", "sort": "-created", "page[size]": PAGE}
        reply = await http.get("/api/v2/incidents/search", params={**params, "page[offset]": first})
        listed = reply.decode(_Search).data.attributes.incidents
        rows = Rows("incident", IncidentRow, listed)
        told = [row.data.attributes for row in rows.good if row.data and row.data.attributes]
        return past(
            rows,
            lambda row: declared_incident(self, need(row.data, "data"), self._page),
            older=str(first + PAGE) if len(listed) >= PAGE else "",
            reached=oldest([parse_time(row.created) for row in told]),
        )

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        what, _, number = remote_id.partition("/")
        if what != "incident":
            raise LookupUnsupported
        reply = await http.get(f"/api/v2/incidents/{quote(number, safe='')}")
        return declared_incident(self, need(one(reply, IncidentRow).data, "data"), self._page)

    # -- monitors ------------------------------------------------------------------------------------------------

    async def _read_monitors(self, scope: Scope, http: Http) -> Part:
        params: dict[str, Any] = {"group_states": "alert,warn,no data", "with_downtimes": "true", "page_size": MONITORS}
        if self.options.tags:
            params["monitor_tags"] = ",".join(tag.strip() for tag in self.options.tags)
        rows: Rows[Monitor] = Rows("monitor", Monitor)
        fault: SourceError | None = None
        for page in range(MONITOR_PAGES + 1):
            if page == MONITOR_PAGES:
                fault = TooLarge(f"more than {MONITORS * MONITOR_PAGES} monitors; narrow them by `tags`")
                break
            listed = (await http.get("/api/v1/monitor", params={**params, "page": page})).decode(list[Any])
            rows.add(listed)
            if len(listed) < MONITORS:
                if page == 0 and not listed:
                    raise NotFound(self._nothing())
                break
        if self.options.downtimes and any(state_of(row) in ("open", "pending") for row in rows.good):
            await self._read_downtimes(http)
        part = rows.part(scope, self._monitor, notes=filter(None, [self._downtimes_fault]))
        self._open = {i.key: i for i in part.items if isinstance(i, Incident) and i.state != "resolved"}
        return msgspec.structs.replace(part, error=part.error or fault)

    def _nothing(self) -> str:
        if self.options.tags:
            return clean(f"`tags`: no monitor has the tags {', '.join(self.options.tags)}", 300)
        return "there are no monitors, or the application key may not see any"

    def _monitor(self, row: Monitor) -> Incident | None:
        """A monitor that is not well, or was not at the last poll; None for the others, and for drafts."""
        mutes = mutes_of(row, self._downtimes, self.clock.now())
        incident = monitor_incident(self, row, mutes, self._page)
        if (row.draft_status or "").lower() == "draft":
            return None
        before, ended_at = self._open.get(incident.key), parse_time(row.overall_state_modified)
        if incident.state != "resolved":
            if before and (before.raw_state != incident.raw_state or before.updated_at == incident.updated_at):
                # From bad to worse, or back: it has been ill since it was well.
                incident = msgspec.structs.replace(incident, started_at=before.started_at)
            return incident
        if before is None or ended_at is None:
            return None  # that it is absent says as much
        return msgspec.structs.replace(incident, started_at=before.started_at, ended_at=ended_at)

    async def _read_downtimes(self, http: Http) -> None:
        """Read the downtimes that are on now.  Where that fails, those known before stay for a while, with a note."""
        now = self.clock.monotonic()
        if now - self._downtimes_read_at > DOWNTIMES_TRUSTED:
            self._downtimes = []
        if self._downtimes_fault and now - self._downtimes_at < DOWNTIMES_HELD:
            return
        rows: Rows[Downtime] = Rows("downtime", Downtime)
        params: dict[str, Any] = {"current_only": "true", "page[limit]": PAGE}
        self._downtimes_at = now
        try:
            for page in range(PAGES):
                reply = await http.get("/api/v2/downtime", params={**params, "page[offset]": page * PAGE})
                listed = reply.decode(_List).data
                rows.add(listed)
                if len(listed) < PAGE:
                    break
        except SourceError as exc:
            self._downtimes_fault = clean(f"downtimes cannot be read, so muted monitors may show as open: {exc}", 300)
        else:
            self._downtimes, self._downtimes_fault, self._downtimes_read_at = rows.good, "", now

    # -- incidents -----------------------------------------------------------------------------------------------

    async def _read_incidents(self, scope: Scope, http: Http) -> Part:
        rows: Rows[IncidentRow] = Rows("incident", IncidentRow)
        params: dict[str, Any] = {"query": "state:(active OR stable)", "sort": "-created", "page[size]": PAGE}
        fault: SourceError | None = None
        for page in range(PAGES + 1):
            if page == PAGES:
                fault = TooLarge(f"more than {PAGE * PAGES} open incidents")
                break
            reply = await http.get("/api/v2/incidents/search", params={**params, "page[offset]": page * PAGE})
            listed = reply.decode(_Search).data.attributes.incidents
            rows.add(listed)
            if len(listed) < PAGE:
                break
        part = rows.part(scope, lambda row: declared_incident(self, need(row.data, "data"), self._page))
        return msgspec.structs.replace(part, error=part.error or fault)
