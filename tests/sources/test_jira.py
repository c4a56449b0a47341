"""Jira: both flavours, the proof of the credential, tickets and incidents, and what left a search."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from sources._jira import INCIDENT_STATES, NOT_DONE, SEVERITIES, TICKET_STATES, split_order
from sources.jira import DEFAULT_JQL, Jira
from statusboard.errors import AuthError, BadAnswer, NotFound, RateLimited, TooLarge
from statusboard.model import Incident, Ticket
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

CLOUD = "https://acme.atlassian.net"
SITE = "https://jira.example/tracker"
SIGNED: dict[str, Any] = {"username": "env:JIRA_USER", "token": "env:JIRA_TOKEN"}
INCIDENTS = "issuetype = Incident"
CREATED = "2026-01-02T11:04:05.000+0800"


def issue(number: int, category: str = "new", *, project: str = "SHOP", kind: str = "Bug", **more: Any) -> Any:
    done = category == "done"
    fields: dict[str, Any] = {
        "summary": f"Summary {number}",
        "status": {"name": f"the site's word for {category}", "statusCategory": {"id": 2, "key": category}},
        "priority": {"id": "2", "name": "High"},
        "assignee": {"accountId": "a1", "displayName": "Ann Ash"},
        "reporter": {"accountId": "b1", "displayName": "Bob Birch"},
        "resolution": {"name": "Done"} if done else None,
        "issuetype": {"name": kind},
        "project": {"key": project, "name": "The shop"},
        "labels": ["checkout-team"],
        "components": [{"name": "cart"}, {"name": "payment"}],
        "created": CREATED,
        "updated": "2026-01-02T04:00:00.000+0000",
        "resolutiondate": "2026-01-02T05:00:00.000+0000" if done else None,
        "duedate": "2026-01-09",
        "statuscategorychangedate": "2026-01-02T03:30:00.000+0000",
    }
    return {"id": str(10_000 + number), "key": f"{project}-{number}", "fields": {**fields, **more}}


def holds(found: dict[str, Any], condition: str) -> bool:
    """One condition of a query, of the few that the tests use."""
    fields = found["fields"]
    match condition.split():
        case ["project", "=", name]:
            return bool(fields["project"]["key"] == name.strip('"'))
        case ["issuetype", "=", name]:
            return bool(fields["issuetype"]["name"] == name)
        case ["statusCategory", "!=", "Done"]:
            return bool(fields["status"]["statusCategory"]["key"] != "done")
        case ["updated", ">=", "-30d"]:
            return True
        case ["id", "=", number]:
            return bool(found["id"] == number)
    raise AssertionError(f"the server does not know {condition!r}")


class Server:
    """Jira as documented: Cloud below /rest/api/3/search/jql, Data Center below /rest/api/2/search."""

    def __init__(self, *issues: Any, cloud: bool = True, page: int = 100) -> None:
        self.cloud = cloud
        self.page = page
        self.issues = list(issues) or [issue(1), issue(2, "indeterminate"), issue(3, kind="Incident"), issue(4, "done")]
        self.projects = {"SHOP", "PAY"}
        self.me: dict[str, Any] = {"accountId": "x1", "displayName": "Board"} if cloud else {"name": "board"}
        self.info = {"baseUrl": CLOUD if cloud else SITE, "deploymentType": "Cloud" if cloud else "Server"}
        self.headers: dict[str, str] = {}

    def __call__(self, call: Call) -> Answer:
        path = call.path.removeprefix("/tracker").removeprefix("/ex/jira/c-1")
        version = "3" if self.cloud else "2"
        answer = Answer.of({"errorMessages": ["null for uri"]}, 404)
        if path == "/rest/api/2/serverInfo":
            answer = Answer.of(self.info)
        elif path == "/rest/api/2/myself":
            answer = Answer.of(self.me) if self.me else Answer.of({"message": "Client must be authenticated"}, 401)
        elif path == "/rest/api/2/search" and self.cloud:
            answer = Answer.of({"errorMessages": ["The requested API has been removed."]}, 410)
        elif path == ("/rest/api/3/search/jql" if self.cloud else "/rest/api/2/search"):
            answer = self.search(call)
        elif found := re.fullmatch(rf"/rest/api/{version}/issue/(\d+)", path):
            for one in self.issues:
                if one["id"] == found[1]:
                    answer = Answer.of(one)
        return msgspec.structs.replace(answer, headers={**answer.headers, **self.headers})

    def search(self, call: Call) -> Answer:
        condition, _ = split_order(call.param("jql"))
        if not condition:
            return Answer.of({"errorMessages": ["Unbounded JQL queries are not allowed here."]}, 400)
        conditions = re.sub(r"[()]", "", condition).split(" AND ")
        for one in conditions:
            if (project := re.fullmatch(r'project = "(.*)"', one)) and project[1] not in self.projects:
                said = f"The value '{project[1]}' does not exist for the field 'project'."
                return Answer.of({"errorMessages": [said], "errors": {}}, 400)
        found = [one for one in self.issues if all(holds(one, c) for c in conditions)]
        wanted = call.param("fields").split(",") if call.param("fields") else []
        size = min(int(call.param("maxResults", "50")), self.page)
        start = int((call.param("nextPageToken") or "t0")[1:]) if self.cloud else int(call.param("startAt", "0"))
        rows = [cut_down(one, wanted) for one in found[start : start + size]]
        if not self.cloud:
            return Answer.of({"startAt": start, "maxResults": size, "total": len(found), "issues": rows})
        last = start + size >= len(found)
        token = {} if last else {"nextPageToken": f"t{start + size}"}
        return Answer.of({"issues": rows, "isLast": last, **token})


def cut_down(one: Any, wanted: list[str]) -> Any:
    """Only the fields that were asked for; Cloud gives none by itself."""
    fields = {name: value for name, value in one["fields"].items() if name in wanted}
    return {"id": one["id"], "key": one["key"], **({"fields": fields} if fields else {})}


class TestCloudContract(SourceContract):
    source = Jira
    options: ClassVar = {"url": CLOUD, "incident_jql": INCIDENTS}
    state_fields = ("key",)
    time_fields = ("created", "updated", "resolutiondate", "duedate", "statuscategorychangedate")
    id_fields = ("id", "fields")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


class TestDataCenterContract(SourceContract):
    source = Jira
    options: ClassVar = {"url": SITE, "projects": ["SHOP", "PAY"], "jql": "updated >= -30d"}
    state_fields = ("key",)
    time_fields = ("created", "updated", "resolutiondate", "duedate", "statuscategorychangedate")
    id_fields = ("id", "fields")

    def vendor(self, call: Call) -> Answer:
        return Server(issue(1), issue(2, "done"), issue(5, "indeterminate", project="PAY"), cloud=False)(call)


def make(server: Server, **options: Any) -> Any:
    url = CLOUD if server.cloud else SITE
    source = make_source(Jira, {"url": url, **SIGNED, **options})
    return source, FakeHttp(server, options.get("url", url))


async def read(server: Server, **options: Any) -> Any:
    source, http = make(server, **options)
    return source, http, await read_one(source, http)


def searches(http: FakeHttp) -> list[Call]:
    return [call for call in http.calls if "/search" in call.path]


async def test_open_issues_are_tickets() -> None:
    _, http, part = await read(Server())
    assert [(item.ticket_id, item.state) for item in part.items] == [
        ("SHOP-1", "open"),
        ("SHOP-2", "in_progress"),
        ("SHOP-3", "open"),
    ]
    assert part.items[0] == Ticket(
        key="jira:ticket:10001",
        source="jira",
        title="Summary 1",
        state="open",
        raw_state="the site's word for new",
        ticket_id="SHOP-1",
        priority="High",
        assignee="Ann Ash",
        actor="Bob Birch",
        url="https://acme.atlassian.net/browse/SHOP-1",
        labels={
            "checkout-team": "",
            "project": "SHOP",
            "type": "Bug",
            "component": "cart",
            "components": "cart, payment",
            "due": "2026-01-09",
        },
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 4, tzinfo=UTC),
    )
    assert (part.reach, part.notes) == ("window", ())
    assert [call.path for call in http.calls] == ["/rest/api/2/myself", "/rest/api/3/search/jql"]
    assert http.calls[-1].param("jql") == DEFAULT_JQL


async def test_data_center_is_found_out_once_and_read_the_old_way() -> None:
    server = Server(cloud=False)
    source, http, part = await read(server, username="")
    assert [item.url for item in part.items][:1] == ["https://jira.example/tracker/browse/SHOP-1"]
    await read_one(source, http)
    assert [call.path.removeprefix("/tracker/rest/api") for call in http.calls] == [
        "/2/serverInfo",
        "/2/myself",
        "/2/search",
        "/2/search",
    ]


@pytest.mark.parametrize("word,flavor", [("Cloud", "cloud"), ("SERVER", "datacenter"), ("Data Center", "datacenter")])
async def test_flavors(word: str, flavor: str) -> None:
    server = Server(cloud=flavor == "cloud")
    server.info["deploymentType"] = word
    part = (await read(server, url=SITE))[2]
    assert len(part.items) == 3


async def test_a_jira_that_does_not_say_what_it_is() -> None:
    server = Server(cloud=False)
    server.info["deploymentType"] = "Spaceship"
    with pytest.raises(BadAnswer, match="flavor:"):
        await read(server)
    assert len((await read(server, flavor="datacenter"))[2].items) == 3


async def test_something_else_than_jira() -> None:
    source = make_source(Jira, {"url": SITE})
    with pytest.raises(NotFound, match="root of a Jira site"):
        await read_one(source, FakeHttp(lambda call: Answer.of({}, 404), SITE))
    with pytest.raises(BadAnswer, match="root of a Jira site"):
        await read_one(source, FakeHttp(lambda call: Answer.of({"version": "17.1"}), SITE))


async def test_a_scoped_token_goes_through_the_gateway_and_links_to_the_site() -> None:
    source, http = make(Server(), url="https://api.atlassian.com/ex/jira/c-1")
    part = await read_one(source, http)
    assert part.items[0].url == "https://acme.atlassian.net/browse/SHOP-1"


@pytest.mark.parametrize("flavor", ["cloud", "datacenter"])
@pytest.mark.parametrize("category", sorted(TICKET_STATES))
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
async def test_states(flavor: str, category: str, case: Any) -> None:
    server = Server(issue(1, category), issue(2, category, kind="Incident"), cloud=flavor == "cloud")
    for one in server.issues:
        one["fields"]["status"]["statusCategory"]["key"] = case(category)
    source, http, _ = await read(server, jql="updated >= -30d")
    ticket = await source.lookup("ticket", "10001", http)
    assert ticket is None or ticket.state == TICKET_STATES[category]
    source, http = make(server, jql="updated >= -30d", incident_jql=INCIDENTS)
    tickets = next(part for part in (await read_all(source, http)).parts if part.scope == "issues")
    assert [item.state for item in tickets.items] == [TICKET_STATES[category]]
    incident = await source.lookup("incident", "10002", http)
    assert incident is None or incident.state == INCIDENT_STATES[category]


async def test_a_category_of_next_year_is_unknown() -> None:
    _, _, part = await read(Server(issue(1, "parked")))
    assert [item.state for item in part.items] == ["unknown"]


@pytest.mark.parametrize("word", sorted(NOT_DONE))
async def test_what_was_not_done_is_cancelled(word: str) -> None:
    names = [word, word.upper(), word.replace("'", "\u2019"), "Done", "Erledigt", "Known Error"]
    server = Server(*[issue(n, "done", resolution={"name": name}) for n, name in enumerate(names, 1)])
    _, _, part = await read(server, jql="updated >= -30d")
    assert [item.state for item in part.items] == ["cancelled"] * 3 + ["done"] * 3
    assert [item.reason for item in part.items] == names
    assert {item.ended_at for item in part.items} == {datetime(2026, 1, 2, 5, tzinfo=UTC)}


async def test_a_resolution_alone_ends_nothing() -> None:
    _, _, part = await read(Server(issue(1, "indeterminate", resolution={"name": "Won't Do"})))
    assert [(item.state, item.ended_at) for item in part.items] == [("in_progress", None)]


# -- projects and paging ---------------------------------------------------------------------------------------------


async def test_each_project_is_a_part_and_a_wrong_one_harms_no_other() -> None:
    source, http = make(Server(issue(1), issue(2, project="PAY")), projects=["SHOP", "PAY", "SHPO"])
    parts = {part.scope: part for part in (await read_all(source, http)).parts}
    assert {name: [item.url.rpartition("/")[2] for item in part.items] for name, part in parts.items()} == {
        "SHOP issues": ["SHOP-1"],
        "PAY issues": ["PAY-2"],
        "SHPO issues": [],
    }
    assert isinstance(parts["SHPO issues"].error, BadAnswer)
    assert not parts["SHOP issues"].error


async def test_projects_narrow_the_query() -> None:
    _, http, _ = await read(Server(), projects=["SHOP"], jql='updated >= -30d ORDER by "created" ASC')
    assert http.calls[-1].param("jql") == 'project = "SHOP" AND (updated >= -30d) ORDER by "created" ASC'


@pytest.mark.parametrize("cloud", [True, False])
async def test_pages(cloud: bool) -> None:
    server = Server(*[issue(n) for n in range(1, 8)], cloud=cloud, page=3)
    _, http, part = await read(server, flavor="cloud" if cloud else "datacenter")
    assert [item.ticket_id for item in part.items] == [f"SHOP-{n}" for n in range(1, 8)]
    assert len(searches(http)) == 3
    assert part.notes == ()


@pytest.mark.parametrize("cloud", [True, False])
async def test_no_more_than_the_limit_is_read_and_that_is_said(cloud: bool) -> None:
    server = Server(*[issue(n) for n in range(1, 8)], cloud=cloud, page=3)
    _, http, part = await read(server, flavor="cloud" if cloud else "datacenter", limit=5)
    assert len(part.items) == 5
    assert [call.param("maxResults") for call in searches(http)] == ["5", "2"]
    assert part.notes == ("issues: only the 5 that changed last are read",)
    assert part.reach == "window"


async def test_pages_of_nothing_end() -> None:
    server = Server(*[issue(n) for n in range(1, 200)], page=1)
    _, http, part = await read(server)
    assert len(searches(http)) == 20
    assert len(part.items) == 20
    assert "only the 20 " in part.notes[0]


async def test_a_token_that_comes_again() -> None:
    page = {"accountId": "x", "issues": [issue(1)], "isLast": False, "nextPageToken": "t"}
    with pytest.raises(BadAnswer, match="circle"):
        await read_one(make(Server())[0], FakeHttp(lambda call: Answer.of(page), CLOUD))


async def test_a_query_that_jira_only_warns_of() -> None:
    def server(call: Call) -> Answer:
        return Answer.of({"accountId": "x", "issues": [], "warningMessages": ["The value 'SHPO' does not exist."]})

    source, _ = make(Server())
    with pytest.raises(NotFound, match="SHPO"):
        await read_one(source, FakeHttp(server, CLOUD))


# -- the credential --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options,credentials,header",
    [
        (
            {},
            {"username": "ann@acme.example", "token": "t"},
            "Basic " + base64.b64encode(b"ann@acme.example:t").decode(),
        ),
        ({}, {"token": "pat"}, "Bearer pat"),
        ({}, {"username": "ann", "password": "pw"}, "Basic " + base64.b64encode(b"ann:pw").decode()),
        ({"flavor": "datacenter"}, {"username": "ann", "token": "pat"}, "Bearer pat"),
    ],
)
def test_signing(options: Any, credentials: Any, header: str) -> None:
    assert make_source(Jira, {"url": SITE, **options}).sign(Credentials(**credentials)) == {"Authorization": header}


async def test_a_refused_credential_is_a_fault_before_anything_is_read() -> None:
    server = Server()
    server.me = {}
    source, http = make(server)
    with pytest.raises(AuthError):
        await read_one(source, http)
    assert not searches(http)


async def test_the_credential_is_proved_at_first_after_failures_and_now_and_then() -> None:
    server = Server()
    source, http, _ = await read(server)

    def proofs() -> int:
        return sum(call.path.endswith("/myself") for call in http.calls)

    await read_one(source, http)
    assert proofs() == 1
    source.clock.advance(601)
    await read_one(source, http)
    assert proofs() == 2
    http.handler = lambda call: Answer.of({}, 502) if "/search" in call.path else server(call)
    (failed,) = (await read_all(source, http)).parts
    assert failed.error is not None
    assert proofs() == 2
    http.handler = server
    await read_one(source, http)
    assert proofs() == 3


@pytest.mark.parametrize(
    "cloud,headers",
    [
        (True, {"x-seraph-loginreason": "AUTHENTICATED_FAILED"}),
        (False, {"x-seraph-loginreason": "AUTHENTICATION_DENIED"}),
        (False, {"x-ausername": "anonymous"}),
    ],
)
async def test_an_answer_to_anybody_is_no_answer(cloud: bool, headers: dict[str, str]) -> None:
    server = Server(cloud=cloud)
    source, http, _ = await read(server)
    server.headers = headers
    (part,) = (await read_all(source, http)).parts
    assert isinstance(part.error, AuthError)
    assert part.items == ()
    for told in ({"x-seraph-loginreason": "OK"}, {"x-ausername": "board", "x-seraph-loginreason": "OUT"}, {}):
        server.headers = told
        assert (await read_one(source, http)).error is None


async def test_without_a_credential_the_public_is_read_and_that_is_said() -> None:
    server = Server(cloud=False)
    server.me, server.headers = {}, {"x-ausername": "anonymous"}
    source = make_source(Jira, {"url": SITE})
    part = await read_one(source, FakeHttp(server, SITE))
    assert len(part.items) == 3
    assert part.notes == ("read without a credential: only what is public is seen",)


async def test_myself_that_is_nobody() -> None:
    server = Server()
    server.me = {"displayName": "?"}
    with pytest.raises(AuthError, match="whose"):
        await read(server)


async def test_a_limit_of_requests() -> None:
    source, _ = make(Server())
    with pytest.raises(RateLimited):
        await read_one(source, FakeHttp(lambda call: Answer.of({}, 429, retry_after="9"), CLOUD))


# -- incidents -------------------------------------------------------------------------------------------------------


async def test_issues_of_the_incident_query_are_incidents_and_no_tickets() -> None:
    server = Server(issue(1), issue(2, "indeterminate", kind="Incident"), issue(3, "done", kind="Incident"))
    source, http = make(server, incident_jql=f"{INCIDENTS} ORDER BY created")
    parts = {part.scope: part for part in (await read_all(source, http)).parts}
    assert [item.key for item in parts["issues"].items] == ["jira:ticket:10001"]
    assert parts["incidents"].items == (
        Incident(
            key="jira:incident:10002",
            source="jira",
            title="SHOP-2: Summary 2",
            state="acknowledged",
            raw_state="the site's word for indeterminate",
            severity="high",
            assignee="Ann Ash",
            actor="Bob Birch",
            acknowledged_at=datetime(2026, 1, 2, 3, 30, tzinfo=UTC),
            url="https://acme.atlassian.net/browse/SHOP-2",
            labels={
                "checkout-team": "",
                "project": "SHOP",
                "type": "Incident",
                "component": "cart",
                "components": "cart, payment",
                "due": "2026-01-09",
            },
            started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            updated_at=datetime(2026, 1, 2, 4, tzinfo=UTC),
        ),
    )
    assert "(issuetype = Incident) AND statusCategory != Done ORDER BY created" in [c.param("jql") for c in http.calls]


async def test_kinds_narrow() -> None:
    server = Server(issue(1), issue(2, kind="Incident"))
    for kinds, scopes in ((["ticket"], ["issues"]), (["incident"], ["incidents"]), ([], ["incidents", "issues"])):
        source, http = make(server, incident_jql=INCIDENTS, kinds=kinds)
        snapshot = await read_all(source, http)
        assert [part.scope for part in snapshot.parts] == scopes
        assert [len(part.items) for part in snapshot.parts] == [1] * len(scopes)


@pytest.mark.parametrize(
    "name,severity", [*SEVERITIES.items(), ("hIGHEST", "critical"), ("P1", "unknown"), ("", "unknown")]
)
async def test_severities(name: str, severity: str) -> None:
    server = Server(issue(1, kind="Incident", priority={"name": name}))
    _, _, part = await read(server, incident_jql=INCIDENTS, kinds=["incident"])
    (item,) = part.items
    assert item.severity == severity
    assert item.labels.get("severity", "") == (name if severity == "unknown" else "")


async def test_a_sites_own_severities() -> None:
    server = Server(issue(1, kind="Incident", priority={"name": "SEHR HOCH"}), issue(2, kind="Incident", priority=None))
    severities = {"Sehr hoch": "critical"}
    _, _, part = await read(server, incident_jql=INCIDENTS, kinds=["incident"], severities=severities)
    assert [item.severity for item in part.items] == ["critical", "unknown"]


async def test_more_open_incidents_than_are_read_is_a_fault() -> None:
    server = Server(*[issue(n, kind="Incident") for n in range(1, 5)])
    source, http = make(server, incident_jql=INCIDENTS, kinds=["incident"], limit=3)
    (part,) = (await read_all(source, http)).parts
    assert isinstance(part.error, TooLarge)
    assert len(part.items) == 3


# -- what left a search ----------------------------------------------------------------------------------------------


async def test_what_was_done_is_read_by_its_id() -> None:
    server = Server(issue(1), issue(2, kind="Incident"))
    source, http = make(server, incident_jql=INCIDENTS)
    await read_all(source, http)
    server.issues = [issue(1, "done"), issue(2, "done", kind="Incident")]
    await read_all(source, http)
    ticket = await source.lookup("ticket", "10001", http)
    incident = await source.lookup("incident", "10002", http)
    assert (ticket.state, incident.state) == ("done", "resolved")
    assert ticket.ended_at == incident.ended_at == datetime(2026, 1, 2, 5, tzinfo=UTC)
    with pytest.raises(NotFound):
        await source.lookup("ticket", "99999", http)


async def test_what_is_not_found_is_gone_only_for_who_is_signed_in() -> None:
    server = Server(issue(1), issue(2, kind="Incident"))
    source, http = make(server, incident_jql=INCIDENTS)
    await read_all(source, http)
    server.issues, server.me = [], {}  # Cloud with a token that has expired: all is as for anybody
    source.clock.advance(60)
    with pytest.raises(AuthError):
        await source.lookup("incident", "10002", http)
    server.me = {"accountId": "x1"}
    for _ in range(3):
        with pytest.raises(NotFound):
            await source.lookup("incident", "10002", http)
    assert [call.path for call in http.calls].count("/rest/api/2/myself") == 3


async def test_what_the_query_no_longer_means_is_gone() -> None:
    server = Server(issue(1), issue(2))
    source, http, _ = await read(server, projects=["SHOP"])
    server.issues[0]["fields"]["project"] = {"key": "PAY"}
    await read_one(source, http)
    assert await source.lookup("ticket", "10001", http) is None


async def test_a_ticket_beyond_the_limit_is_let_go() -> None:
    """Else each that was ever changed would be kept and asked for again and again."""
    server = Server(issue(1), issue(2), issue(3, kind="Incident"))
    source, http = make(server, incident_jql=INCIDENTS, limit=1)
    await read_all(source, http)
    assert await source.lookup("ticket", "10002", http) is None
    assert await source.lookup("ticket", "10003", http) is None  # it has become an incident
    assert await source.lookup("ticket", "odd", http) is None


async def test_an_incident_that_only_slipped_between_two_pages_is_not_resolved() -> None:
    server = Server(issue(3, kind="Incident"))
    source, http = make(server, incident_jql=INCIDENTS)
    await read_all(source, http)
    assert (await source.lookup("incident", "10003", http)).state == "open"
    server.issues = [issue(3)]
    assert await source.lookup("incident", "10003", http) is None


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options,said",
    [
        ({"jql": ""}, "`jql` has no condition"),
        ({"jql": " order BY updated"}, "`jql` has no condition"),
        ({"incident_jql": "ORDER BY x"}, "`incident_jql` has no condition"),
        ({"projects": [""]}, "`projects`"),
        ({"projects": ["A\nB"]}, "`projects`"),
        ({"kinds": ["incident"]}, "`incident_jql`"),
        ({"flavor": "server"}, "flavor"),
        ({"limit": 0}, "limit"),
    ],
)
def test_options_that_cannot_work(options: Any, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        make_source(Jira, {"url": CLOUD, **options})


@pytest.mark.parametrize(
    "jql,parts",
    [
        ("a = 1 ORDER BY b, c DESC", ("a = 1", "ORDER BY b, c DESC")),
        ('summary ~ "order by" order  by x', ('summary ~ "order by"', "order  by x")),
        (r"""a = "q\" order by" AND b = ' order by '""", (r"""a = "q\" order by" AND b = ' order by '""", "")),
        ("reorder = by", ("reorder = by", "")),
        ("", ("", "")),
    ],
)
def test_the_order_of_a_query(jql: str, parts: tuple[str, str]) -> None:
    assert split_order(jql) == parts


async def test_a_project_key_stays_one_value() -> None:
    source, http = make(Server(), projects=['A" OR project = "B'])
    assert (await source.scopes(http))[0].data[0].startswith(r'project = "A\" OR project = \"B" AND (')
