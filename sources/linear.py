"""Linear (GraphQL): issues that are not over as tickets, of some teams or of all that the key may see.

Linear answers a key that is restricted, and a team that it does not know, with an empty list; so each question asks for
the team as well.  Faults come with any status: 200 and ``errors``, or 400 for a limit of requests (``RATELIMITED``).

What Linear's words mean is in `sources._linear`.  Docs: linear.app/developers, graphql, pagination, rate-limiting.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec

from sources._linear import (
    ONE_ISSUE,
    OPEN_ISSUES,
    OVER,
    WAITING,
    Envelope,
    Issue,
    Issues,
    OneIssue,
    Page,
    fault_of,
    ticket_of,
)
from sources._shared.rows import Rows
from statusboard.api import (
    BadAnswer,
    Credentials,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    RateLimited,
    Scope,
    Source,
    SourceOptions,
    clean,
    option,
    parse_time,
)

T = TypeVar("T")

PAGE: Final = 100
#: Should Linear give less at once than it was asked for.
MOST_PAGES: Final = 20
_OAUTH = re.compile(r"lin_oauth_.*|[0-9a-f]{64}")


class LinearOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: linear``."""

    teams: Annotated[tuple[str, ...], option("only issues of these teams, by key: [ENG, OPS]")] = ()
    backlog: Annotated[bool, option("issues in the backlog and in triage as well")] = True
    limit: Annotated[
        int, msgspec.Meta(ge=1, le=1_000), option("how many issues to read of each team, the newest changes first")
    ] = 200

    def __post_init__(self) -> None:
        for team in self.teams:
            if not team.strip() or not team.isprintable() or "-" in team:
                raise ValueError(f"`teams`: {team[:80]!r} is no team's key; it is what its issues begin with (ENG)")


class Linear(Source[LinearOptions]):
    """Issues of each team, or of the whole workspace."""

    type = "linear"
    kinds = frozenset({"ticket"})
    Options = LinearOptions
    summary = "Issues of Linear that are not over, by team"
    default_url = "https://api.linear.app/graphql"
    default_interval = 60.0
    concurrency = 2
    scopes_needed = "a personal API key with the permission Read, restricted to the teams concerned; OAuth: read"
    requests = (1, "team")
    example = """\
token: "keyring:linear"
teams: [ENG, OPS]
"""
    setup = """\
- *Settings > Account > Security & access > Personal API keys > New API key*.
- Give it only the permission *Read*, and only the teams concerned. Store it with `statusboard login linear`.
- An OAuth access token with the scope `read` does as well.
- `teams` are keys: what the numbers of a team's issues begin with, ENG in ENG-123.
- Without `teams` all issues that the key may see are read.
- A long backlog hides what matters: `backlog: false` leaves out the backlog and triage.
- All keys of a person share one quota (2,500 requests an hour); 60 s leaves plenty for ten teams.
"""
    verified = "documented"
    history_kinds = kinds

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        if credentials.token and not _OAUTH.fullmatch(credentials.token):
            return {"Authorization": credentials.token}  # an API key; with "Bearer" it would be refused
        return super().sign(credentials)

    async def scopes(self, http: Http) -> Sequence[Scope]:
        teams = [(f"{clean(key, 80)} issues", key) for key in dict.fromkeys(self.options.teams)]
        return [Scope(name=name, kind="ticket", reach="window", data=key) for name, key in teams or [("issues", "")]]

    async def read(self, scope: Scope, http: Http) -> Part:
        wanted = {"state": {"type": {"nin": OVER if self.options.backlog else OVER + WAITING}}}
        rows = Rows("issue", Issue)
        read = 0
        more = True
        cursors: list[str | None] = [None]
        for _ in range(MOST_PAGES):
            first = min(PAGE, self.options.limit - read)
            page = await self.page(OPEN_ISSUES, scope.data, wanted, first, cursors[-1], http)
            rows.add(page.nodes)
            read += len(page.nodes)
            more = page.page_info.has_next_page
            if not more or read >= self.options.limit:
                break
            if page.page_info.end_cursor in cursors:
                raise BadAnswer("the pages of issues run in a circle")
            cursors.append(page.page_info.end_cursor)
        notes = [f"{scope.name}: only the {len(rows.good)} that changed last are read"] if more else []
        return rows.part(scope, lambda issue: ticket_of(self, issue), notes=notes)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._linear_history import read  # nobody else needs it

        return await read(self, scope.data, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        page = (await self._ask(ONE_ISSUE, {"issues": {"id": {"eq": remote_id}}}, OneIssue, http)).issues
        for issue in Rows("issue", Issue, page.nodes).good:
            ticket = ticket_of(self, issue)
            # An open one is no longer meant, or others have changed since: no more are read than `limit`.
            return ticket if ticket is not None and ticket.state in ("done", "cancelled") else None
        return None

    async def page(
        self, query: str, team: str, wanted: Mapping[str, Any], first: int, after: str | None, http: Http
    ) -> Page:
        """A page of a team's issues, of all that the key may see for ``""``; `NotFound` for a team that it may not."""
        teams = {"key": {"eqIgnoreCase": team}} if team else {}
        issues = {**wanted, **({"team": teams} if team else {})}
        variables = {"team": teams, "issues": issues, "first": first, "after": after}
        found = await self._ask(query, variables, Issues, http)
        if not found.teams.nodes:
            raise NotFound(f"Linear shows this key no team {clean(team, 80)}".rstrip())
        return found.issues

    async def _ask(self, query: str, variables: Mapping[str, Any], what: builtins.type[T], http: Http) -> T:
        url = self.options.url or self.default_url
        reply = await http.post(url, json={"query": query, "variables": variables})
        envelope = reply.decode(Envelope)
        if envelope.errors:
            kind, said = fault_of(envelope.errors)
            wait = self._wait(reply.headers) if kind is RateLimited else None
            raise kind(f"Linear: {said}", status=reply.status, retry_after=wait)
        try:
            return msgspec.convert(envelope.data, what, strict=False)
        except msgspec.ValidationError as exc:
            raise BadAnswer(f"Linear's answer: {clean(exc, 200)}") from None

    def _wait(self, headers: Mapping[str, str]) -> float | None:
        """Seconds until a quota that is used up is filled again, None where the headers do not tell."""
        waits = []
        for quota in ("requests", "complexity", "endpoint-requests"):
            reset = parse_time(headers.get(f"x-ratelimit-{quota}-reset", ""))
            if reset is not None and headers.get(f"x-ratelimit-{quota}-remaining", "0").strip() == "0":
                waits.append(max((reset - self.clock.now()).total_seconds(), 0.0))
        return max(waits, default=None)
