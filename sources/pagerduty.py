"""PagerDuty (REST API v2): triggered and acknowledged incidents, and who is on call for them.

The list is asked for with ``date_range=all``: without it PagerDuty leaves out what was triggered over a month ago. It
holds open incidents only; one that has left it is read by its id, which tells when and by whom it was resolved.  Where
many have left at once (the end of a storm), the list of what was resolved last tells it of a hundred in one answer.

A priority's name is the account's own. It becomes the label ``severity``, which the catalog reads (the config's
``severities:`` first, then the usual words, P1 among them); without a priority the urgency counts.  A snooze and an
acknowledgement that times out look the same: an acknowledged incident with a pending ``unacknowledge``.

What PagerDuty's words mean is in `sources._pagerduty`.  Docs: PagerDuty/api-schema, reference/REST/openapiv3.json;
support.pagerduty.com/docs/rest-api-rate-limits and /docs/api-access-keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec

from sources._pagerduty import NOBODY, Incidents, Reference, Row, incident_of
from sources._shared.answers import one
from sources._shared.rows import Rows
from statusboard.api import (
    BadAnswer,
    Context,
    Credentials,
    Http,
    Incident,
    Item,
    ItemKind,
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
)

PAGE: Final = 100
PAGES: Final = 10
#: Of more than so many that have left at once the list of resolved ones is asked, and so many pages of it.
FEW: Final = 5
ENDED_PAGES: Final = 5
#: How seldom it is read again who is on call, and which ids the names in the options stand for (seconds).
ON_CALL_KEPT: Final = 300.0
IDS_KEPT: Final = 3600.0
#: Escalation policies in one request: they are named in its URL.
POLICIES: Final = 50
_ID: Final = re.compile(r"[A-Z0-9]{7,20}")


class PagerDutyOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: pagerduty``."""

    services: Annotated[tuple[str, ...], option("only incidents of these services, by name or id")] = ()
    teams: Annotated[tuple[str, ...], option("only incidents of these teams, by name or id")] = ()
    on_call: Annotated[bool, option("read who is on call, into the label on_call")] = True

    def __post_init__(self) -> None:
        if self.services and self.teams:
            raise ValueError("`teams`: name services or teams, not both; for both, make two sources")
        for field, names in (("services", self.services), ("teams", self.teams)):
            if not all(name.strip() for name in names):
                raise ValueError(f"`{field}`: a name is empty; write names, or ids such as PIJ90N7")


class OnCall(msgspec.Struct, frozen=True):
    escalation_policy: Reference | None = None
    escalation_level: int | None = None
    user: Reference | None = None


class OneIncident(msgspec.Struct, frozen=True):
    incident: Row


class OnCalls(msgspec.Struct, frozen=True):
    oncalls: list[Any]
    more: bool | None = None


class _Filter(msgspec.Struct, frozen=True):
    """The ids that the options stand for, and what of them PagerDuty does not know."""

    ids: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class PagerDuty(Source[PagerDutyOptions]):
    """Open incidents of an account, or of some of its services or teams."""

    type = "pagerduty"
    kinds = frozenset({"incident"})
    Options = PagerDutyOptions
    summary = "Triggered and acknowledged incidents of PagerDuty, and who is on call"
    default_url = "https://api.pagerduty.com"
    concurrency = 1  # PagerDuty asks for it: serially, for one token
    scopes_needed = "a read-only API key, or the user token of somebody who may see the incidents"
    requests = (1, "source")
    example = """\
token: "keyring:pagerduty"
services: [Checkout, Ledger]
"""
    setup = """\
- Admins: *Integrations > API Access Keys > Create New API Key*, and tick *Read-only API Key*.
- Others: *My Profile > User Settings > Create API User Token*; it can do whatever you can.
- Store it with `statusboard login pagerduty`; it is shown only once. Then `token: "keyring:pagerduty"`.
- Leave `url` out: it is not your own address at pagerduty.com. An account in the EU service region needs
  `url: https://api.eu.pagerduty.com`.
- `services` or `teams` take names as PagerDuty shows them, or ids (the last part of their page's address).
- Without either, all incidents of the account are read, up to 1000 open ones; `service` and `team` choose none.
- Priorities are severities (P1 is critical); for names of your own say in the configuration's `severities:`, beside
  `sources:`, what they mean.
- Who is on call is read every five minutes, for open incidents, and shown as the label `on_call`.
"""
    verified = "documented"
    history_kinds = kinds

    def __init__(self, options: PagerDutyOptions, context: Context) -> None:
        super().__init__(options, context)
        self._filter: tuple[float, _Filter] | None = None
        self._open: set[str] = set()
        self._on_call: dict[str, tuple[float, str]] = {}
        self._on_call_fault = ""

    def request_headers(self) -> Mapping[str, str]:
        return {"Accept": "application/vnd.pagerduty+json;version=2"}

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        return {"Authorization": f"Token token={credentials.token}"} if credentials.token else {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        # A window: what has left the list of open incidents is read by its id.
        return [Scope(name="incidents", kind="incident", reach="window")]

    async def read(self, scope: Scope, http: Http) -> Part:
        what = "teams" if self.options.teams else "services"
        asked_for = await self.asked_for(what, http)
        params: dict[str, Any] = {
            "statuses[]": ("triggered", "acknowledged"),
            "date_range": "all",
            "time_zone": "UTC",
            "sort_by": "created_at:desc",
            "limit": PAGE,
        }
        if asked_for.ids:
            params[f"{what[:-1]}_ids[]"] = asked_for.ids
        rows: Rows[Row] = Rows("incident", Row)
        fault: SourceError | None = None
        if asked_for.unknown:
            fault = NotFound(f"`{what}`: PagerDuty knows no {', '.join(asked_for.unknown)}")
        for page in range(PAGES + 1):
            if page == PAGES:
                fault = TooLarge(f"more than {PAGE * PAGES} open incidents; narrow them by `services` or `teams`")
                break
            answer = (await http.get("/incidents", params={**params, "offset": page * PAGE})).decode(Incidents)
            rows.add(answer.incidents)
            if not (answer.more or (answer.more is None and len(answer.incidents) >= PAGE)):
                break
            if not answer.incidents:
                raise BadAnswer("a page of incidents is empty, and there are said to be more")
        if self.options.on_call:
            await self._read_on_call(rows.good, http)
        is_open = {row.id for row in rows.good if row.id}
        if fault is None:
            rows.good += await self._ended(self._open - is_open, params, http)
        self._open = is_open
        part = rows.part(scope, self._incident, notes=filter(None, [self._on_call_fault]))
        return msgspec.structs.replace(part, error=part.error or fault)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._pagerduty_history import History  # nobody else needs it

        return await History(self).read(http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        reply = await http.get(f"/incidents/{quote(remote_id, safe='')}", params={"time_zone": "UTC"})
        return self._incident(one(reply, OneIncident).incident)

    async def _ended(self, left: set[str], params: Mapping[str, Any], http: Http) -> list[Row]:
        """How those ended that were open at the last poll, where they are many.  What is not found is looked up."""
        ended: dict[str, Row] = {}
        if len(left) <= FEW:
            return []
        params = {**params, "statuses[]": "resolved", "sort_by": "resolved_at:desc"}
        try:
            for page in range(ENDED_PAGES):
                answer = (await http.get("/incidents", params={**params, "offset": page * PAGE})).decode(Incidents)
                found = Rows("incident", Row, answer.incidents).good
                ended |= {row.id: row for row in found if row.id in left}
                if len(ended) == len(left) or len(answer.incidents) < PAGE:
                    break
        except SourceError as exc:
            self.log.info("source %s: what was resolved last cannot be read: %s", self.name, exc)
        return list(ended.values())

    def _incident(self, row: Row) -> Incident:
        policy = row.escalation_policy or NOBODY
        return incident_of(self, row, self._on_call.get(policy.id or "", (0.0, ""))[1])

    # -- names ---------------------------------------------------------------------------------------------------

    async def asked_for(self, what: str, http: Http) -> _Filter:
        """What the options ask for; `NotFound` if PagerDuty knows nothing of it.

        Ids are proved as well, since no incidents at all would look fine.
        """
        wanted: tuple[str, ...] = getattr(self.options, what)
        now = self.clock.monotonic()
        if self._filter is not None and now - self._filter[0] < IDS_KEPT:
            return self._filter[1]
        try:
            found = {name: await self._id_of(what, name.strip(), http) for name in wanted}
        except SourceError:
            if self._filter is None:
                raise
            return self._filter[1]  # they were right an hour ago
        unknown = tuple(clean(name, 60) for name, id in found.items() if not id)
        if wanted and len(unknown) == len(found):
            raise NotFound(f"`{what}`: PagerDuty knows none of {', '.join(unknown)}"[:400])
        ids = tuple(dict.fromkeys(id for id in found.values() if id))
        self._filter = now, _Filter(ids=ids, unknown=unknown)
        return self._filter[1]

    async def _id_of(self, what: str, name: str, http: Http) -> str:
        if _ID.fullmatch(name):
            try:
                await http.get(f"/{what}/{name}")
            except NotFound:
                pass  # it may be a name in capitals
            else:
                return name
        for page in range(PAGES):  # others may have this name in theirs
            params: dict[str, Any] = {"query": name, "limit": PAGE, "offset": page * PAGE}
            answer = (await http.get(f"/{what}", params=params)).decode(dict[str, Any])
            listed = answer.get(what)
            if not isinstance(listed, list):
                raise BadAnswer(f"a list of {what} was asked for, and none came")
            for row in Rows(what, Reference, listed).good:
                if row.id and name.casefold() in ((row.name or "").casefold(), (row.summary or "").casefold()):
                    return row.id
            if answer.get("more") is not True:
                break
        return ""

    # -- on call -------------------------------------------------------------------------------------------------

    async def _read_on_call(self, incidents: Iterable[Row], http: Http) -> None:
        """Read who is on call for the policies of these incidents, where that was read long ago or never.

        Incidents are shown without it as well: where it cannot be had, the names known before stay, with a note.
        """
        now = self.clock.monotonic()
        policies = {row.escalation_policy.id for row in incidents if row.escalation_policy and row.escalation_policy.id}
        known = self._on_call = {policy: read for policy, read in self._on_call.items() if policy in policies}
        due = sorted(policy for policy in policies if policy not in known or now - known[policy][0] >= ON_CALL_KEPT)
        for start in range(0, len(due), POLICIES):
            some = due[start : start + POLICIES]
            try:
                names = await self._names_on_call(some, http)
            except SourceError as exc:
                names = {policy: name for policy, (_, name) in known.items()}
                self._on_call_fault = clean(f"who is on call cannot be read: {exc}", 300)
            else:
                self._on_call_fault = ""
            known.update({policy: (now, names.get(policy, "")) for policy in some})

    async def _names_on_call(self, policies: Sequence[str], http: Http) -> dict[str, str]:
        """By policy, who is on call now at its first level."""
        params: dict[str, Any] = {"escalation_policy_ids[]": policies, "time_zone": "UTC", "limit": PAGE}
        rows: Rows[OnCall] = Rows("on-call", OnCall)
        for page in range(PAGES):
            answer = (await http.get("/oncalls", params={**params, "offset": page * PAGE})).decode(OnCalls)
            rows.add(answer.oncalls)
            if not answer.more:
                break
        names: dict[str, set[str]] = {}
        levels: dict[str, int] = {}
        for row in sorted(rows.good, key=lambda row: row.escalation_level or 1):
            policy, name, level = row.escalation_policy or NOBODY, str(row.user or ""), row.escalation_level or 1
            if policy.id and name and levels.setdefault(policy.id, level) == level:
                names.setdefault(policy.id, set()).add(name)
        return {policy: ", ".join(sorted(some)) for policy, some in names.items()}
