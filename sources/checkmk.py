"""Checkmk (REST API 1.0, Checkmk 2.1 and later): hosts and services that are not well, as incidents.

The API passes a Livestatus query on and gives back the columns that were asked for, whose lists of comments and
downtimes say who acknowledged and until when something is planned. Checkmk 2.4 takes queries by POST and has deprecated
GET (Werk 17003); older versions know GET alone. A user sees what its contact groups see and nothing else, without a
word, so that no host being visible is an error.

Docs: docs.checkmk.com, "REST API" and "Livestatus reference"; cmk/gui/openapi/endpoints/{host,service} and
cmk/utils/livestatus_helpers/tables in Checkmk/checkmk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec

from sources._shared.checks import (
    HOST_STATES,
    SERVICE_STATES,
    Check,
    Remark,
    Sight,
    Texts,
    flag,
    incident_of,
    newest,
    number,
)
from sources._shared.rows import Rows, need
from statusboard.api import (
    Context,
    Credentials,
    Http,
    Incident,
    Part,
    Reply,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    option,
    parse_time,
)

API: Final = "/check_mk/api/1.0"
SOFT: Final = 0  # state_type; 1 is hard
ACKNOWLEDGEMENT: Final = 4  # a comment's entry_type
NO_POST: Final = frozenset({404, 405})
#: Columns that hosts and services have alike.
COMMON: Final = (
    "state",
    "state_type",
    "has_been_checked",
    "plugin_output",
    "long_plugin_output",
    "last_state_change",
    "last_hard_state_change",
    "acknowledged",
    "comments_with_extra_info",
    "scheduled_downtime_depth",
    "downtimes_with_extra_info",
    "is_flapping",
    "notifications_enabled",
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "host": ("name", "alias", "groups", "last_time_up", *COMMON),
    "service": (
        *("host_name", "description", "last_time_ok", *COMMON),
        *("host_alias", "host_groups", "host_state", "host_has_been_checked"),
        *("host_scheduled_downtime_depth", "host_downtimes_with_extra_info"),
    ),
}

Number = bool | int | float | str | None
Expression = dict[str, Any]


class CheckmkOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: checkmk``; ``url`` is the site's."""

    hostgroups: Annotated[tuple[str, ...], option("only hosts of these groups (by their IDs), and their services")] = ()
    sites: Annotated[tuple[str, ...], option("only these sites of a distributed monitoring, by ID")] = ()

    def __post_init__(self) -> None:
        if not all(self.hostgroups) or not all(self.sites):
            raise ValueError("`hostgroups` or `sites` has an empty name in it")


class Row(msgspec.Struct, frozen=True):
    """The columns of a host or a service."""

    name: str | None = None
    alias: str | None = None
    groups: list[str] | None = None
    host_name: str | None = None
    description: str | None = None
    host_alias: str | None = None
    host_groups: list[str] | None = None
    host_state: Number = None
    host_has_been_checked: Number = None
    host_scheduled_downtime_depth: Number = None
    host_downtimes_with_extra_info: list[Any] | None = None
    state: Number = None
    state_type: Number = None
    has_been_checked: Number = None
    plugin_output: str | None = None
    long_plugin_output: str | None = None
    last_time_up: Number = None
    last_time_ok: Number = None
    last_state_change: Number = None
    last_hard_state_change: Number = None
    acknowledged: Number = None
    comments_with_extra_info: list[Any] | None = None
    scheduled_downtime_depth: Number = None
    downtimes_with_extra_info: list[Any] | None = None
    is_flapping: Number = None
    notifications_enabled: Number = None


class Member(msgspec.Struct, frozen=True):
    extensions: Row


class Collection(msgspec.Struct, frozen=True):
    value: list[Any]


class Checkmk(Source[CheckmkOptions]):
    """Problems of hosts, and of services."""

    type = "checkmk"
    kinds = frozenset({"incident"})
    Options = CheckmkOptions
    summary = "Hosts and services of Checkmk that are not well, as incidents"
    scopes_needed = "an automation user with the role Guest (to see everything) or in the contact groups to be seen"
    requests = (2, "source")
    example = """\
url: https://checkmk.example.com/mysite
username: "env:CHECKMK_USER"
password: "keyring:checkmk"
"""
    setup = """\
- *Setup > Users > Add user*: a user for the board, with an **automation secret** for machine accounts. The role *Guest*
  sees everything and may change nothing; a normal monitoring user sees what its contact groups see.
- Activate the change. `username` refers to the user's name, `password` to its automation secret
  (`statusboard login checkmk`).
- `url` is the site's: what stands before `/check_mk/` in the browser.
- Soft states are pending, acknowledged problems acknowledged; a downtime, also that of its host, suppresses a problem.
- A central site leaves out, without a word, what a remote site that it does not reach would tell. Where that matters,
  let each site be a source of its own.
"""
    verified = "documented"
    no_history = "Checkmk tells how hosts and services stand now"

    def __init__(self, options: CheckmkOptions, context: Context) -> None:
        super().__init__(options, context)
        self._texts = {"hosts": Texts(), "services": Texts()}
        self._sight = Sight()
        self._by_get = False

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        if credentials.username and credentials.password:
            return {"Authorization": f"Bearer {credentials.username} {credentials.password}"}
        return super().sign(credentials)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name=what, kind="incident", reach="complete") for what in ("hosts", "services")]

    async def read(self, scope: Scope, http: Http) -> Part:
        noun = scope.name.removesuffix("s")
        bad = [_is("!=", "state", "0"), _is("=", "has_been_checked", "1")]
        rows = Rows("problem", Member, await self._query(noun, http, COLUMNS[noun], bad))
        if self._sight.must_ask(noun, bool(rows.good), self.clock.monotonic()):
            visible = await self._query("host", http, ("name",), [])
            cure = "look at the user's role and contact groups, at `hostgroups` and `sites`"
            self._sight.told(noun, len(visible), self.clock.monotonic(), cure)

        def convert(member: Member) -> Incident | None:
            return incident_of(self, self._check(member.extensions, noun == "service"), self._texts[scope.name])

        part = rows.part(scope, convert)
        self._texts[scope.name].keep(frozenset(item.key for item in part.items))
        return part

    async def _query(self, noun: str, http: Http, columns: Sequence[str], wanted: list[Expression]) -> list[Any]:
        """The hosts or services that all of ``wanted`` and the options ask for."""
        groups = [_is(">=", "host_groups" if noun == "service" else "groups", name) for name in self.options.hostgroups]
        conditions = [*wanted, *([{"op": "or", "expr": groups}] if groups else [])]
        asked: dict[str, Any] = {"columns": columns}
        if self.options.sites:
            asked["sites"] = self.options.sites
        if conditions:
            asked["query"] = {"op": "and", "expr": conditions}
        reply = await self._ask(f"{API}/domain-types/{noun}/collections/all", http, asked)
        return reply.decode(Collection).value

    async def _ask(self, path: str, http: Http, asked: Mapping[str, Any]) -> Reply:
        if not self._by_get:
            try:
                return await http.post(path, json=asked)
            except SourceError as exc:
                if exc.status not in NO_POST:
                    raise
        query = {"query": json.dumps(asked["query"])} if "query" in asked else {}
        reply = await http.get(path, params={**asked, **query})
        self._by_get = True
        return reply

    def _check(self, row: Row, service: bool) -> Check:
        host = need(row.host_name if service else row.name, "name")
        description = need(row.description, "description") if service else ""
        state = number(row.state)
        words = SERVICE_STATES if service else HOST_STATES
        # A service's host that no check has looked at yet has a state all the same.
        host_state = HOST_STATES.get(number(row.host_state) or 0, "") if flag(row.host_has_been_checked) else ""
        own, of_host = row.downtimes_with_extra_info or (), row.host_downtimes_with_extra_info or ()
        groups = row.host_groups if service else row.groups
        page = {"view_name": "service" if service else "host", "host": host}
        return Check(
            host=host,
            service=description,
            host_title=(row.host_alias if service else row.alias) or host,
            state=words.get(state, "") if state is not None else "",
            raw="" if row.state is None else str(row.state),
            soft=number(row.state_type) == SOFT,
            output=(row.plugin_output or "").strip(),
            details=(row.long_plugin_output or "").replace("\\n", "\n").strip(),
            since=parse_time(row.last_time_ok if service else row.last_time_up) or parse_time(row.last_state_change),
            changed=newest(parse_time(row.last_state_change), parse_time(row.last_hard_state_change)),
            acknowledged=flag(row.acknowledged),
            acknowledgement=_acknowledgement(row.comments_with_extra_info or ()),
            in_downtime=flag(row.scheduled_downtime_depth) or (service and flag(row.host_scheduled_downtime_depth)),
            downtimes=_downtimes((*own, *of_host), self.clock.now()),
            flapping=flag(row.is_flapping),
            host_state="" if not service or host_state == "UP" else host_state,
            url=f"{self.base_url().rstrip('/')}/check_mk/view.py?"
            + urlencode({**page, "service": description} if service else page),
            labels={
                "hostgroups": ", ".join(groups or ()),
                "notifications": "off" if row.notifications_enabled in (False, 0) else "",
            },
        )


def _is(operator: str, column: str, value: str) -> Expression:
    """A condition; ``>=`` on a list is Livestatus' way to say *contains*."""
    return {"op": operator, "left": column, "right": value}


def _acknowledgement(comments: Sequence[Any]) -> Remark:
    """By whom it was acknowledged: of the comments (id, author, comment, entry type, entry time) the newest."""
    found = Remark()
    for comment in comments:
        match comment:
            case [_, str(author), str(text), kind, at, *_] if number(kind) == ACKNOWLEDGEMENT:
                moment = parse_time(at)
                if found.at is None or (moment is not None and moment >= found.at):
                    found = Remark(author=author, text=text, at=moment)
    return found


def _downtimes(downtimes: Sequence[Any], now: datetime) -> tuple[Remark, ...]:
    """Those in effect of: id, author, comment, origin, entry, start and end time, fixed, duration, recurring, pending.

    Of a flexible one it is not said when it began, hence neither when it ends.
    """
    found: list[Remark] = []
    for downtime in downtimes:
        match downtime:
            case [_, str(author), str(text), _, _, start, end, fixed, *more]:
                begins = parse_time(start)
                pending = flag(more[2]) if len(more) > 2 else begins is None or begins > now
                if not pending:
                    found.append(Remark(author=author, text=text, until=parse_time(end) if flag(fixed) else None))
    return tuple(found)
