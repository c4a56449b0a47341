"""Icinga 2 (REST API v1): hosts and services that are not well, as incidents.

``problem`` is asked for, never the bare state: a host that no check has looked at yet has the state 1, which is DOWN.
A query that the API user may not make answers 404 *No objects found*, as does a filter that fails; one whose
permission filter hides everything answers 200 and an empty list, so it is asked now and then what is visible at all.

Docs: icinga.com/docs, 12 Icinga 2 API and 09 Object Types; lib/remote/objectqueryhandler.cpp in Icinga/icinga2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    AuthError,
    Context,
    Http,
    Incident,
    NotFound,
    Part,
    Scope,
    Source,
    SourceOptions,
    option,
    parse_time,
)

AS_GET: Final = {"X-HTTP-Method-Override": "GET"}
SOFT: Final = 0  # state_type; 1 is hard
ACKNOWLEDGEMENT: Final = 4  # a comment's entry_type
ATTRS: Final = (
    "name",
    "display_name",
    "state",
    "state_type",
    "last_reachable",
    "acknowledgement",
    "acknowledgement_last_change",
    "downtime_depth",
    "flapping",
    "enable_notifications",
    "last_state_change",
    "last_hard_state_change",
    "last_check_result",
    "notes_url",
    "action_url",
    "groups",
)
#: A host's join has no ``last_reachable`` of its own: that of the service says as much.
JOINS: Final = ("host.display_name", "host.problem", "host.groups")
REMARKS: Final = ("host_name", "service_name", "author")

Number = int | float | str | None


class Icinga2Options(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: icinga2``; ``url`` is that of the API."""

    hostgroups: Annotated[tuple[str, ...], option("only hosts of these groups, and their services")] = ()
    filter: Annotated[
        str,
        option('only hosts for which this Icinga expression holds, and their services: host.vars.os == "Linux"'),
    ] = ""
    web_url: Annotated[str, option("Icinga Web's root, for links: https://icinga.example.com/icingaweb2")] = ""

    def __post_init__(self) -> None:
        if self.web_url and not self.web_url.startswith(("http://", "https://")):
            raise ValueError("`web_url` starts with https:// (or http://)")
        if not all(self.hostgroups):
            raise ValueError("`hostgroups` has an empty name in it")


class Result(msgspec.Struct, frozen=True):
    """CheckResult; its ``command`` may hold passwords and is never read."""

    output: str | None = None


class Attrs(msgspec.Struct, frozen=True):
    name: str | None = None
    host_name: str | None = None
    display_name: str | None = None
    state: Number = None
    state_type: Number = None
    last_reachable: bool | Number = None
    acknowledgement: Number = None
    acknowledgement_last_change: Number = None
    downtime_depth: Number = None
    flapping: bool | Number = None
    enable_notifications: bool | Number = None
    last_state_up: Number = None
    last_state_ok: Number = None
    last_state_change: Number = None
    last_hard_state_change: Number = None
    last_check_result: Result | None = None
    notes_url: str | None = None
    action_url: str | None = None
    groups: list[str] | None = None


class Host(msgspec.Struct, frozen=True):
    display_name: str | None = None
    problem: bool | Number = None
    groups: list[str] | None = None


class Joins(msgspec.Struct, frozen=True):
    host: Host | None = None


class Row(msgspec.Struct, frozen=True):
    attrs: Attrs
    joins: Joins | None = None


class Note(msgspec.Struct, frozen=True):
    """A comment or a downtime."""

    host_name: str | None = None
    service_name: str | None = None
    author: str | None = None
    text: str | None = None
    comment: str | None = None
    entry_time: Number = None
    start_time: Number = None
    end_time: Number = None
    trigger_time: Number = None
    duration: Number = None
    fixed: bool | Number = None


class NoteRow(msgspec.Struct, frozen=True):
    attrs: Note


class Answer(msgspec.Struct, frozen=True):
    results: list[Any]


Named = Mapping[tuple[str, str], tuple[Remark, ...]]


class Icinga2(Source[Icinga2Options]):
    """Problems of hosts, and of services."""

    type = "icinga2"
    kinds = frozenset({"incident"})
    Options = Icinga2Options
    summary = "Hosts and services of Icinga 2 that are not well, as incidents"
    scopes_needed = "objects/query/Host, /Service, /Comment and /Downtime; filter-expression from 2.17 on"
    requests = (2, "source")
    example = """\
url: https://icinga.example.com:5665
username: "env:ICINGA_USER"
password: "keyring:icinga2"
tls: {ca: /etc/ssl/certs/icinga-ca.pem}
web_url: https://icinga.example.com/icingaweb2
"""
    setup = """\
- On the master, in `/etc/icinga2/conf.d/api-users.conf`, write an `ApiUser` with a `password` and `permissions = [
  "objects/query/Host", "objects/query/Service", "objects/query/Comment", "objects/query/Downtime" ]`; reload Icinga.
- Icinga 2.17 and later also want the permission `filter-expression`, since the board asks for problems only.
- `username` and `password` are those of this `ApiUser`; store the latter with `statusboard login icinga2`.
- Icinga signs its own certificate: copy `/var/lib/icinga2/certs/ca.crt` from the master and name it under `tls: {ca:}`.
  The `url` must have the host name that the certificate has.
- Soft states are pending, acknowledged problems acknowledged, those in a downtime suppressed until it ends.
- Without Comment and Downtime the board cannot say who acknowledged, nor until when a downtime lasts.
"""
    verified = "real"
    no_history = "Icinga 2 tells how hosts and services stand now"

    def __init__(self, options: Icinga2Options, context: Context) -> None:
        super().__init__(options, context)
        self._texts = {"hosts": Texts(), "services": Texts()}
        self._sight = Sight()
        groups = " || ".join(f"{json.dumps(group, ensure_ascii=False)} in host.groups" for group in options.hostgroups)
        self._filter = " && ".join(f"({part})" for part in (groups, options.filter) if part)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name=what, kind="incident", reach="complete") for what in ("hosts", "services")]

    async def read(self, scope: Scope, http: Http) -> Part:
        service = scope.name == "services"
        wanted = f"{'service' if service else 'host'}.problem"
        attrs = [*ATTRS, *(("host_name", "last_state_ok") if service else ("last_state_up",))]
        more = {"joins": JOINS} if service else {}
        rows = Rows("problem", Row, await self._query(scope.name, http, attrs, wanted, **more))
        noun = scope.name.removesuffix("s")
        if self._sight.must_ask(noun, bool(rows.good), self.clock.monotonic()):
            visible = await self._query(scope.name, http, ["name"])
            cure = "look at the filters of the API user's permissions, at `filter` and `hostgroups`"
            self._sight.told(noun, len(visible), self.clock.monotonic(), cure)
        notes: list[str] = []
        acknowledgements: Named = {}
        downtimes: Named = {}
        if any(number(row.attrs.acknowledgement) for row in rows.good):
            acknowledgements = await self._acknowledgements(http, notes)
        if any(number(row.attrs.downtime_depth) for row in rows.good):
            downtimes = await self._downtimes(http, notes)

        def convert(row: Row) -> Incident | None:
            check = self._check(row, service, acknowledgements, downtimes)
            return incident_of(self, check, self._texts[scope.name])

        part = rows.part(scope, convert, notes=notes)
        self._texts[scope.name].keep(frozenset(item.key for item in part.items))
        return part

    async def _query(
        self, what: str, http: Http, attrs: Sequence[str], wanted: str = "", **more: Sequence[str]
    ) -> list[Any]:
        """The objects of a type, of those hosts that the options ask for."""
        conditions = " && ".join(filter(None, (wanted, self._filter)))
        query = {"attrs": attrs, **more, **({"filter": conditions} if conditions else {})}
        try:
            reply = await http.post(f"/v1/objects/{what}", json=query, headers=AS_GET)
        except NotFound as exc:
            kind = what[:-1].capitalize()
            raise NotFound(
                f"Icinga gives no {what}: does its API user have objects/query/{kind}, and is `filter` right?",
                status=exc.status,
            ) from None
        return reply.decode(Answer).results

    async def _remarks(self, what: str, http: Http, notes: list[str], query: Mapping[str, Any]) -> list[Note]:
        try:
            reply = await http.post(f"/v1/objects/{what}", json=query, headers=AS_GET)
        except (NotFound, AuthError):  # it answers 404 to who may not ask, later versions 403
            notes.append(f"the API user may not see {what}: it lacks objects/query/{what[:-1].capitalize()}")
            return []
        rows = Rows(what[:-1], NoteRow, reply.decode(Answer).results)
        return [row.attrs for row in rows.good]

    async def _acknowledgements(self, http: Http, notes: list[str]) -> Named:
        """By whom what was acknowledged: Icinga keeps it in comments, the newest of which counts."""
        query = {
            "attrs": (*REMARKS, "text", "entry_time"),
            "filter": f"comment.entry_type == {ACKNOWLEDGEMENT}",
        }
        found: dict[tuple[str, str], tuple[Remark, ...]] = {}
        comments = await self._remarks("comments", http, notes, query)
        for comment in sorted(comments, key=lambda c: parse_time(c.entry_time) or self.clock.now()):
            remark = Remark(author=comment.author or "", text=comment.text or "", at=parse_time(comment.entry_time))
            found[comment.host_name or "", comment.service_name or ""] = (remark,)
        return found

    async def _downtimes(self, http: Http, notes: list[str]) -> Named:
        """The downtimes that are in effect."""
        times = ("entry_time", "start_time", "end_time", "trigger_time", "duration", "fixed")
        query = {"attrs": (*REMARKS, "comment", *times)}
        found: dict[tuple[str, str], tuple[Remark, ...]] = {}
        for downtime in await self._remarks("downtimes", http, notes, query):
            start, end = parse_time(downtime.start_time), parse_time(downtime.end_time)
            if not flag(downtime.fixed):  # flexible: it begins with the fault, and lasts
                start = parse_time(downtime.trigger_time)
                end = parse_time(start.timestamp() + (number(downtime.duration) or 0)) if start else None
            if start and start <= self.clock.now() and (end is None or end > self.clock.now()):
                place = (downtime.host_name or "", downtime.service_name or "")
                remark = Remark(author=downtime.author or "", text=downtime.comment or "", at=start, until=end)
                found[place] = (*found.get(place, ()), remark)
        return found

    def _check(self, row: Row, service: bool, acknowledgements: Named, downtimes: Named) -> Check:
        attrs = row.attrs
        name = need(attrs.name, "name")
        host = need(attrs.host_name, "host_name") if service else name
        place = (host, name if service else "")
        joined = (row.joins.host if row.joins else None) or Host()
        unreachable = attrs.last_reachable is not None and not flag(attrs.last_reachable)
        state = (SERVICE_STATES if service else HOST_STATES).get(_or(number(attrs.state), -1), "")
        if not service and state == "DOWN" and unreachable:
            state = "UNREACHABLE"
        host_state = ""
        if service and (flag(joined.problem) or unreachable):
            host_state = "DOWN" if flag(joined.problem) else "UNREACHABLE"
        output, _, details = _printed(attrs)
        acknowledged_at = parse_time(attrs.acknowledgement_last_change)
        remark = acknowledgements.get(place, (Remark(at=acknowledged_at),))[0]
        changed = newest(parse_time(attrs.last_state_change), parse_time(attrs.last_hard_state_change))
        groups = joined.groups if service else attrs.groups
        links = {
            what: url
            for what, url in (("notes", attrs.notes_url), ("action", attrs.action_url))
            if url and "$" not in url  # macros are not expanded
        }
        return Check(
            host=host,
            service=place[1],
            host_title=(joined.display_name if service else attrs.display_name) or host,
            title=(attrs.display_name or name) if service else "",
            state=state,
            raw=f"{attrs.state}" if attrs.state is not None else "",
            soft=number(attrs.state_type) == SOFT,
            output=output,
            details=details,
            since=parse_time(attrs.last_state_ok if service else attrs.last_state_up)
            or parse_time(attrs.last_state_change),
            changed=changed,
            acknowledged=bool(number(attrs.acknowledgement)),
            acknowledgement=remark,
            in_downtime=bool(number(attrs.downtime_depth)),
            downtimes=downtimes.get(place, ()) if number(attrs.downtime_depth) else (),
            flapping=flag(attrs.flapping),
            host_state=host_state,
            url=self._page(host, place[1]) or links.get("action", "") or links.get("notes", ""),
            links=links,
            labels={
                "hostgroups": ", ".join(groups or ()),
                "notifications": "off" if attrs.enable_notifications in (False, 0) else "",
            },
        )

    def _page(self, host: str, service: str) -> str:
        """The object's page in Icinga DB Web."""
        if not self.options.web_url:
            return ""
        query = {"name": service, "host.name": host} if service else {"name": host}
        return f"{self.options.web_url.rstrip('/')}/icingadb/{'service' if service else 'host'}?{urlencode(query)}"


def _printed(attrs: Attrs) -> tuple[str, str, str]:
    """What the plug-in printed: its first line, and the rest without measured values."""
    first, line, rest = ((attrs.last_check_result.output if attrs.last_check_result else "") or "").partition("\n")
    return first.partition("|")[0].strip(), line, rest.partition("|")[0].strip()


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
