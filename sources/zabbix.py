"""Zabbix (JSON-RPC API, 6.4 and later): problems of triggers as incidents.

Everything comes as text, and a fault with status 200 and an ``error``. Tokens go into the Authorization header, which
Zabbix takes since 6.4; the ``auth`` of earlier bodies is gone since 7.2. ``problem.get`` knows neither hosts nor
whether a trigger is still enabled: ``trigger.get`` does. A user sees the hosts of its groups and nothing else, without
a word, so that no host being visible is an error. The web interface answers from its database when the server that
watches the hosts has died: ``heartbeat`` names an item that tells.

Docs: zabbix.com/documentation, API: problem.get, trigger.get, "Problem object"; what's new in 6.4.0 and 7.2.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlencode

import msgspec

from sources._shared.answers import shaped
from sources._shared.checks import Sight, Texts, flag, newest, number
from sources._shared.rows import Rows, need, remote_id
from sources._zabbix import Answer, Around, Problem, Trigger, acknowledged, root_of, suppressed, text_id
from statusboard.api import (
    AuthError,
    BadAnswer,
    Context,
    Duration,
    Http,
    Incident,
    IncidentState,
    NotFound,
    Part,
    Scope,
    ServerError,
    Severity,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    clean,
    option,
    parse_time,
)

RPC: Final = "/api_jsonrpc.php"
LIMIT: Final = 1_000
Level = Literal["not classified", "information", "warning", "average", "high", "disaster"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
#: ``severity`` of a problem, by number.
SEVERITIES: Mapping[int, Severity] = {
    0: "unknown",  # the catalog may know its label
    1: "info",
    2: "low",
    3: "medium",
    4: "high",
    5: "critical",
}
#: What an error says (``message`` and ``data``) when the token is the trouble: Zabbix has one code for all of them.
REFUSED: Final = (
    "not authorized",
    "not authorised",
    "re-login",
    "api token expired",
    "no permissions to call",
    "no api access",
    "permission denied",
)


class ZabbixOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: zabbix``; ``url`` is the web interface's root."""

    hostgroups: Annotated[tuple[str, ...], option("only problems of hosts in these groups, by their whole names")] = ()
    severity: Annotated[Level, option("the least severity of a problem: information, warning, average, ...")] = (
        "not classified"
    )
    heartbeat: Annotated[
        str,
        option('an item that is always renewed, to notice a dead server: "Zabbix server/zabbix[uptime]" (HOST/KEY)'),
    ] = ""
    stale: Annotated[Duration, option("how old the heartbeat's last value may be")] = Duration(600)

    def __post_init__(self) -> None:
        if not all(self.hostgroups):
            raise ValueError("`hostgroups` has an empty name in it")
        host, _, key = self.heartbeat.partition("/")
        if self.heartbeat and not (host and key):
            raise ValueError('`heartbeat` is written HOST/KEY: "Zabbix server/zabbix[uptime]"')


class Zabbix(Source[ZabbixOptions]):
    """Problems of all hosts that the user sees, or of those of some host groups."""

    type = "zabbix"
    kinds = frozenset({"incident"})
    Options = ZabbixOptions
    summary = "Problems of Zabbix as incidents"
    scopes_needed = "a user of type User with read access to the host groups, and its API token"
    requests = (2, "source")
    example = """\
url: https://zabbix.example.com/zabbix
token: "keyring:zabbix"
severity: warning
heartbeat: "Zabbix server/zabbix[uptime]"
"""
    setup = """\
- Zabbix 6.4 or later: earlier ones take no token in a header.
- *Users > User groups*: a group with *Read* permission on the host groups to be seen. *Users > Users*: a user of the
  role *User role* in that group. *Users > API tokens > Create API token* for this user.
- Store the token with `statusboard login zabbix`. Then `token: "keyring:zabbix"`.
- `url` is the web interface's root; `/api_jsonrpc.php` is below it.
- Zabbix' web interface shows old problems and no new ones when the server itself has died. Name an item that is always
  renewed under `heartbeat`, as in the example; the user must see its host.
- Problems of disabled triggers and hosts are left out, as in Zabbix. At most 1,000 problems are read: with more the
  source counts as partly read; raise `severity`.
"""
    verified = "documented"
    no_history = "of Zabbix only the problems of now are read"

    def __init__(self, options: ZabbixOptions, context: Context) -> None:
        super().__init__(options, context)
        self._texts = Texts()
        self._sight = Sight()

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [Scope(name="problems", kind="incident", reach="complete")]

    async def read(self, scope: Scope, http: Http) -> Part:
        groups = await self._groups(http)
        if self.options.heartbeat:
            await self._listen(http)
        rows = Rows("problem", Problem, await self._problems(http, groups))
        if self._sight.must_ask("host", bool(rows.good), self.clock.monotonic()):
            count = number(await self._call(http, "host.get", countOutput=True, monitored_hosts=True, **groups))
            if count is None:
                raise BadAnswer("Zabbix does not say how many hosts there are")
            cure = "look at the permissions of the token's user groups, and at `hostgroups`"
            self._sight.told("host", count, self.clock.monotonic(), cure)
        around = await self._around(http, rows.good)
        left_out = sum(text_id(row.objectid) not in around.triggers for row in rows.good if text_id(row.objectid))
        notes = [f"problems of disabled or deleted triggers, left out: {left_out}"] if left_out else []
        part = rows.part(scope, lambda row: self._incident(row, around), notes=notes)
        self._texts.keep(frozenset(item.key for item in part.items))
        if len(rows.good) > LIMIT and part.error is None:
            fault = TooLarge(f"more than {LIMIT} problems; raise `severity` or name `hostgroups`")
            part = msgspec.structs.replace(part, error=fault)
        return part

    # -- asking --------------------------------------------------------------------------------------------------

    async def _call(self, http: Http, method: str, **params: object) -> Any:
        """The result of a method. Raises `AuthError` where the token is refused, `BadAnswer` for any other error."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Content-Type": "application/json-rpc"}
        reply = await http.post(RPC, json=body, headers=headers)
        answer = shaped(reply.json(), Answer)
        if answer.error is not None:
            said = clean(f"{answer.error.message or ''} {answer.error.data or ''}".strip(), 200)
            refused = any(words in said.lower() for words in REFUSED)
            raise (AuthError if refused else BadAnswer)(f"Zabbix refuses {method}: {said or answer.error.code}")
        if answer.result is msgspec.UNSET:
            raise BadAnswer(f"Zabbix answers {method} with no result")
        return answer.result

    async def _list(self, http: Http, method: str, **params: object) -> list[Any]:
        return shaped(await self._call(http, method, **params), list[Any])

    async def _groups(self, http: Http) -> dict[str, list[str]]:
        """The parameter that narrows to the configured host groups."""
        wanted = self.options.hostgroups
        if not wanted:
            return {}
        found = await self._list(http, "hostgroup.get", output=["groupid", "name"], filter={"name": wanted})
        ids = {str(row.get("name")): str(row.get("groupid")) for row in found if isinstance(row, dict)}
        if missing := [name for name in wanted if name not in ids]:
            raise NotFound(f"no host group {clean(missing[0], 80)} is visible to the token's user")
        return {"groupids": [ids[name] for name in wanted]}

    async def _listen(self, http: Http) -> None:
        """See that the heartbeat's last value is young."""
        host, _, key = self.options.heartbeat.partition("/")
        found = await self._list(http, "item.get", output=["lastclock"], host=host, filter={"key_": key})
        if not found:
            raise NotFound(f"`heartbeat`: no item {clean(self.options.heartbeat, 100)} is visible to the token's user")
        last = parse_time(found[0].get("lastclock") if isinstance(found[0], dict) else None)
        if last is None or (self.clock.now() - last).total_seconds() > self.options.stale:
            when = f"since {last:%Y-%m-%d %H:%M:%S} UTC" if last else "for long"
            raise ServerError(f"Zabbix has read nothing of the heartbeat {when}: its server does not run, or is behind")

    async def _problems(self, http: Http, groups: Mapping[str, list[str]]) -> list[Any]:
        least = LEVELS.index(self.options.severity)
        return await self._list(
            http,
            "problem.get",
            output="extend",
            recent=False,
            severities=list(range(least, len(LEVELS))),
            selectTags=["tag", "value"],
            selectAcknowledges=["userid", "clock", "action"],
            selectSuppressionData=["maintenanceid", "suppress_until", "userid"],
            sortfield=["eventid"],
            sortorder="DESC",
            limit=LIMIT + 1,
            **groups,
        )

    async def _around(self, http: Http, problems: Sequence[Problem]) -> Around:
        ids = sorted({text_id(problem.objectid) for problem in problems} - {""})
        triggers: dict[str, Trigger] = {}
        if ids:
            found = await self._list(
                http,
                "trigger.get",
                output=["triggerid", "url"],
                triggerids=ids,
                monitored=True,
                selectHosts=["host", "name"],
                selectDependencies=["triggerid"],
            )
            triggers = {text_id(row.triggerid): row for row in (shaped(row, Trigger) for row in found)}
        suppressions = [data for problem in problems for data in problem.suppression_data or ()]
        users = {text_id(data.userid) for data in suppressions}
        users |= {text_id(update.userid) for problem in problems for update in problem.acknowledges or ()}
        maintenances = {text_id(data.maintenanceid) for data in suppressions}
        return Around(
            triggers=triggers,
            by_trigger={text_id(problem.objectid): problem.name or "" for problem in problems},
            by_event={text_id(problem.eventid): problem.name or "" for problem in problems},
            users=await self._names(http, "user", users, "username"),
            maintenances=await self._names(http, "maintenance", maintenances, "name"),
        )

    async def _names(self, http: Http, what: str, ids: set[str], field: str) -> Mapping[str, str]:
        """The names of users or maintenances, as far as the token's user may see them."""
        ids = ids - {"", "0"}
        if not ids:
            return {}
        try:
            query = {f"{what}ids": sorted(ids), "output": [f"{what}id", field]}
            found = await self._list(http, f"{what}.get", **query)
        except SourceError:  # which users of the lowest type often may not; their numbers have to do
            return {}
        rows = [row for row in found if isinstance(row, dict)]
        return {str(row.get(f"{what}id")): str(row.get(field) or "") for row in rows}

    # -- what it means -------------------------------------------------------------------------------------------

    def _incident(self, row: Problem, around: Around) -> Incident | None:
        event = need(text_id(row.eventid), "eventid")
        trigger = around.triggers.get(need(text_id(row.objectid), "objectid"))
        if trigger is None or text_id(row.r_eventid) not in ("", "0"):
            return None
        key = self.key("incident", remote_id(event))
        hosts = trigger.hosts or []
        level = number(row.severity)
        at, by = acknowledged(row, around) if flag(row.acknowledged) else (None, "")
        taken: IncidentState = "acknowledged" if flag(row.acknowledged) else "open"
        state: IncidentState = "suppressed" if flag(row.suppressed) else taken
        why, until = suppressed(row, around) if state == "suppressed" else ("", None)
        root = root_of(row, trigger, around)
        text = self._texts.steady(key, row.opdata or "", "", self.clock.monotonic())
        since = parse_time(row.clock)
        page = urlencode({"triggerid": text_id(row.objectid), "eventid": event})
        labels: dict[str, str] = {}
        for tag in row.tags or ():
            if tag.tag:
                labels[tag.tag] = ", ".join(filter(None, (labels.get(tag.tag, ""), tag.value or "")))
        labels |= {
            "host": ", ".join(host.host or "" for host in hosts),
            "severity": LEVELS[level] if level in SEVERITIES and level is not None else str(row.severity or ""),
            "secondary": "yes" if root else "",
        }
        links = {"trigger": trigger.url} if trigger.url and "{" not in trigger.url else {}
        return Incident(
            key=key,
            source=self.name,
            title=": ".join(
                filter(None, (", ".join(host.name or host.host or "" for host in hosts), row.name or event))
            ),
            reason="; ".join(filter(None, (root, text.title))),
            state=state,
            raw_state="PROBLEM",
            severity=SEVERITIES.get(-1 if level is None else level, "unknown"),
            target=(hosts[0].host or "") if hosts else "",
            started_at=since,
            updated_at=newest(since, at),
            acknowledged_at=at,
            acknowledged_by=by,
            suppressed_by=why,
            suppressed_until=until,
            url=f"{self.base_url().rstrip('/')}/tr_events.php?{page}",
            links=links,
            labels={name: value for name, value in labels.items() if value},
        )
