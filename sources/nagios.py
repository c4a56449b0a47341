"""Nagios Core 4 (the JSON CGIs): hosts and services that are not well, as incidents.

The CGIs read the files that Nagios writes and go on answering when it has died, hence ``last_data_update``: an answer
made of old data is an error. They answer 200 for everything: a fault is in ``result.type_code``. What a user may not
see is left out without a word, so that nothing at all being visible is an error, too. Enumerations come as words with
``formatoptions=enumerate``, times in milliseconds. What a plug-in prints is passed on in whatever encoding it has.
``last_state_change`` moves when a soft state becomes hard: a problem counts from when the check was last well.

Docs: the Nagios 4 JSON CGIs' own ``query=help``; cgi/statusjson.c and cgi/jsonutils.c in NagiosEnterprises/nagioscore.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec

from sources._shared.answers import shaped
from sources._shared.checks import Check, Remark, Sight, Texts, flag, incident_of, newest, number
from sources._shared.rows import Rows, need
from statusboard.api import (
    BadAnswer,
    Context,
    Duration,
    Http,
    Incident,
    Part,
    Reply,
    Scope,
    ServerError,
    Source,
    SourceError,
    SourceOptions,
    clean,
    option,
    parse_time,
)

CGI: Final = "/cgi-bin/statusjson.cgi"
SUCCESS: Final = 0
#: ``status`` of a host; "pending" is one that no check has looked at yet.
HOSTS: Mapping[str, str] = {"up": "UP", "pending": "UP", "down": "DOWN", "unreachable": "UNREACHABLE"}
#: ``status`` of a service.
SERVICES: Mapping[str, str] = {
    "ok": "OK",
    "pending": "OK",
    "warning": "WARNING",
    "critical": "CRITICAL",
    "unknown": "UNKNOWN",
}

Number = int | float | str | None


class NagiosOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: nagios``; ``url`` is the web interface's root."""

    hostgroups: Annotated[tuple[str, ...], option("only hosts of these groups, and their services")] = ()
    stale: Annotated[Duration, option("how old Nagios' own data may be before it counts as dead")] = Duration(180)

    def __post_init__(self) -> None:
        if not all(self.hostgroups):
            raise ValueError("`hostgroups` has an empty name in it")
        if self.stale < 30:
            raise ValueError("`stale` is at least 30s: Nagios writes its data every 10 seconds or less often")


class Result(msgspec.Struct, frozen=True):
    """How the query went; times are the server's own."""

    type_code: int
    type_text: str | None = None
    message: str | None = None
    query_time: Number = None
    last_data_update: Number = None


class Answer(msgspec.Struct, frozen=True):
    result: Result
    data: dict[str, Any] = {}


class Row(msgspec.Struct, frozen=True):
    """A host (``name``) or a service (``host_name`` and ``description``)."""

    name: str | None = None
    host_name: str | None = None
    description: str | None = None
    plugin_output: str | None = None
    long_plugin_output: str | None = None
    status: Number = None
    state_type: Number = None
    last_time_up: Number = None
    last_time_ok: Number = None
    last_state_change: Number = None
    last_hard_state_change: Number = None
    problem_has_been_acknowledged: bool | Number = None
    scheduled_downtime_depth: Number = None
    is_flapping: bool | Number = None
    notifications_enabled: bool | Number = None


class Note(msgspec.Struct, frozen=True):
    """A comment or a downtime."""

    host_name: str | None = None
    service_description: str | None = None
    author: str | None = None
    comment: str | None = None
    comment_data: str | None = None
    entry_time: Number = None
    start_time: Number = None
    flex_downtime_start: Number = None
    end_time: Number = None
    duration: Number = None
    fixed: bool | Number = None


Named = Mapping[tuple[str, str], tuple[Remark, ...]]


class Nagios(Source[NagiosOptions]):
    """Problems of all hosts and services, or of those of some host groups."""

    type = "nagios"
    kinds = frozenset({"incident"})
    Options = NagiosOptions
    summary = "Hosts and services of Nagios Core 4 that are not well, as incidents"
    default_interval = 30.0
    concurrency = 2  # each request starts a program that reads all of Nagios' data
    scopes_needed = "authorized_for_all_hosts and authorized_for_all_services, or a contact of what is to be seen"
    requests = (2, "source or host group")
    example = """\
url: https://nagios.example.com/nagios
username: "env:NAGIOS_USER"
password: "keyring:nagios"
"""
    setup = """\
- `url` is the web interface's root: `/nagios`, on Debian `/nagios4`. Below it `/cgi-bin/statusjson.cgi` must answer,
  which Nagios Core has since 4.0.7.
- Make a user for the board in the web server's password file: `htpasswd /usr/local/nagios/etc/htpasswd.users board`.
  It has to be basic authentication; Debian's own Apache configuration asks for a digest where it asks at all.
- In `cgi.cfg`, put it into `authorized_for_all_hosts`, `authorized_for_all_services` and `authorized_for_read_only`.
- `username` and `password` refer to this user's; store the latter with `statusboard login nagios`.
- Soft states are pending, acknowledged problems acknowledged; a downtime, also that of its host, suppresses a problem.
- If Nagios writes `status.dat` less often than every two minutes (`status_update_interval`), raise `stale`.
"""
    verified = "real"
    no_history = "Nagios tells how hosts and services stand now"

    def __init__(self, options: NagiosOptions, context: Context) -> None:
        super().__init__(options, context)
        self._texts = Texts()
        self._sight = Sight()

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name="problems", kind="incident", reach="complete")]

    async def read(self, scope: Scope, http: Http) -> Part:
        rows: Rows[Row] = Rows("problem", Row)
        for group in self.options.hostgroups or ("",):
            chosen = {"hostgroup": group} if group else {}
            hosts = await self._ask(
                http, "hostlist", "hostlist", details="true", hoststatus="down unreachable", **chosen
            )
            bad = "warning critical unknown"
            services = await self._ask(http, "servicelist", "servicelist", details="true", servicestatus=bad, **chosen)
            rows.add(hosts.values())
            for name, of_host in services.items():
                rows.add(shaped(of_host, dict[str, Any]).values() if isinstance(of_host, dict) else [{name: of_host}])
            if self._sight.must_ask(f"host{group and f' of {group}'}", bool(hosts or services), self.clock.monotonic()):
                await self._look(http, chosen)
        acknowledgements: Named = {}
        downtimes: Named = {}
        if rows.good:
            downtimes = await self._downtimes(http)
        if any(flag(row.problem_has_been_acknowledged) for row in rows.good):
            acknowledgements = await self._acknowledgements(http)
        down = {row.name: HOSTS.get(str(row.status).strip().lower(), "") for row in rows.good if row.name}

        def convert(row: Row) -> Incident | None:
            return incident_of(self, self._check(row, down, acknowledgements, downtimes), self._texts)

        part = rows.part(scope, convert)
        self._texts.keep(frozenset(item.key for item in part.items))
        return part

    async def _ask(self, http: Http, query: str, holds: str, **params: str) -> dict[str, Any]:
        """What a query finds, by name or number. Raises `SourceError` for what Nagios cannot or will not say."""
        reply = await http.get(CGI, params={"query": query, "formatoptions": "enumerate", **params})
        answer = shaped(_document(reply), Answer)
        result = answer.result
        if result.type_code != SUCCESS:
            said = ": ".join(filter(None, (result.type_text, result.message)))
            raise BadAnswer(f"Nagios does not answer {query}: {clean(said, 300) or result.type_code}")
        asked, written = parse_time(result.query_time), parse_time(result.last_data_update)
        if asked is None or written is None:
            raise BadAnswer("Nagios does not say how old its data is")
        if (asked - written).total_seconds() > self.options.stale:
            raise ServerError(
                f"Nagios has written no data since {written:%Y-%m-%d %H:%M:%S} UTC: it does not run any more, "
                "or `stale` is less than its status_update_interval"
            )
        if holds not in answer.data:
            raise BadAnswer(f"Nagios answers {query} without {holds}")
        return shaped(answer.data[holds], dict[str, Any])

    async def _look(self, http: Http, chosen: Mapping[str, str]) -> None:
        """Ask how many hosts there are, in whatever state."""
        counts = await self._ask(http, "hostcount", "count", **chosen)
        what = f"host of {chosen['hostgroup']}" if chosen else "host"
        cure = "is the user in `authorized_for_all_hosts` of cgi.cfg, or a contact?"
        self._sight.told(what, sum(number(count) or 0 for count in counts.values()), self.clock.monotonic(), cure)

    async def _acknowledgements(self, http: Http) -> Named:
        """By whom what was acknowledged: Nagios keeps it in comments, the newest of which counts."""
        found: dict[tuple[str, str], tuple[Remark, ...]] = {}
        comments = await self._ask(http, "commentlist", "commentlist", details="true", entrytypes="acknowledgement")
        rows = Rows("comment", Note, comments.values())
        for note in sorted(rows.good, key=lambda n: parse_time(n.entry_time) or self.clock.now()):
            remark = Remark(author=note.author or "", text=note.comment_data or "", at=parse_time(note.entry_time))
            found[note.host_name or "", note.service_description or ""] = (remark,)
        return found

    async def _downtimes(self, http: Http) -> Named:
        """The downtimes that are in effect."""
        found: dict[tuple[str, str], tuple[Remark, ...]] = {}
        downtimes = await self._ask(http, "downtimelist", "downtimelist", details="true", ineffect="yes")
        for note in Rows("downtime", Note, downtimes.values()).good:
            end = parse_time(note.end_time)
            if not flag(note.fixed) and (start := parse_time(note.flex_downtime_start)):
                end = parse_time(start.timestamp() + (number(note.duration) or 0))
            place = (note.host_name or "", note.service_description or "")
            remark = Remark(author=note.author or "", text=note.comment or "", until=end)
            found[place] = (*found.get(place, ()), remark)
        return found

    def _check(self, row: Row, down: Mapping[str, str], acknowledgements: Named, downtimes: Named) -> Check:
        service = row.description or ""
        host = need(row.host_name if service else row.name, "name")
        word = str(row.status).strip().lower()
        # Nagios tells nobody of a service while its host is in a downtime.
        planned = downtimes.get((host, service), ())
        if service:
            planned = (*planned, *downtimes.get((host, ""), ()))
        page = urlencode({"type": 2, "host": host, "service": service} if service else {"type": 1, "host": host})
        return Check(
            host=host,
            service=service,
            state=(SERVICES if service else HOSTS).get(word, ""),
            raw=str(row.status or ""),
            soft=str(row.state_type).strip().lower() in ("soft", "0"),
            output=(row.plugin_output or "").strip(),
            # Nagios escapes the ends of lines.
            details=(row.long_plugin_output or "").replace("\\n", "\n").strip(),
            since=parse_time(row.last_time_ok if service else row.last_time_up) or parse_time(row.last_state_change),
            changed=newest(parse_time(row.last_state_change), parse_time(row.last_hard_state_change)),
            acknowledged=flag(row.problem_has_been_acknowledged),
            acknowledgement=acknowledgements.get((host, service), (Remark(),))[0],
            in_downtime=bool(number(row.scheduled_downtime_depth)),
            downtimes=planned,
            flapping=flag(row.is_flapping),
            host_state=down.get(host, "") if service else "",
            url=f"{self.base_url().rstrip('/')}/cgi-bin/extinfo.cgi?{page}",
            labels={"notifications": "off" if row.notifications_enabled in (False, 0) else ""},
        )


def _document(reply: Reply) -> Any:
    """The answer; bytes that are not UTF-8 are replaced, since one plug-in's output must not hide all the rest."""
    try:
        return reply.json()
    except SourceError as exc:
        mended = reply.body.decode("utf-8", "replace").encode()
        if mended == reply.body:
            raise
        try:
            return msgspec.json.decode(mended)
        except (msgspec.DecodeError, RecursionError):
            raise exc from None
