"""Sentry: unresolved issues that were seen lately, what becomes of those that leave, releases and deploys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources.sentry import Sentry
from statusboard.client import ClientPool
from statusboard.errors import BadAnswer, NotFound, ServerError, TooLarge
from statusboard.model import Incident, Part, Release
from statusboard.source import LookupUnsupported, Source
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all

API = "https://sentry.io"
ROOT = "/api/0/organizations/acme"
OPTIONS = {"organization": "acme", "projects": ["web"]}


def issue(number: int, status: str = "unresolved", **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "shortId": f"WEB-{number}",
        "title": "TypeError: the till is none",
        "culprit": "till.open",
        "permalink": f"https://acme.sentry.io/issues/{number}/",
        "level": "error",
        "status": status,
        "statusDetails": {},
        "substatus": "ongoing",
        "priority": "medium",
        "project": {"id": "2", "name": "Web", "slug": "web"},
        "issueCategory": "error",
        "assignedTo": {"type": "user", "id": "1", "name": "Ann", "email": "ann@acme.example"},
        "count": "17",
        "userCount": 3,
        "firstSeen": "2026-01-01T02:00:00Z",
        "lastSeen": "2026-01-02T03:00:00Z",
        "lifetime": {"count": "1500", "userCount": 12, "firstSeen": "2026-01-01T02:00:00Z"},
        **more,
    }


def deploy(number: int, environment: str, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "environment": environment,
        "name": "",
        "url": f"https://ci.example/{number}",
        "dateStarted": "2026-01-02T02:50:00Z",
        "dateFinished": "2026-01-02T02:55:00Z",
        **more,
    }


def release(version: str, *deploys: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "version": version,
        "shortVersion": version,
        "status": "open",
        "ref": None,
        "url": None,
        "dateCreated": "2026-01-02T02:00:00Z",
        "dateReleased": "2026-01-02T02:30:00Z",
        "commitCount": 4,
        "deployCount": len(deploys),
        "lastCommit": {"id": "a" * 40, "repository": {"name": "acme/web"}},
        "lastDeploy": deploys[-1] if deploys else None,
        "projects": [{"id": 2, "slug": "web", "name": "Web"}],
        **more,
    }


class Server:
    """Sentry's API for one organization.  Like Sentry, it names a next page always."""

    def __init__(self) -> None:
        self.issues = [issue(1), issue(2, substatus="regressed", priority=None), issue(3, "resolved")]
        self.deploys = {"web@1.2": [deploy(5, "staging"), deploy(6, "production")]}
        self.releases = [release("web@1.3"), release("web@1.2", *self.deploys["web@1.2"])]

    def __call__(self, call: Call) -> Answer:
        if call.path.startswith("/api/0/projects/"):
            known = call.path == "/api/0/projects/acme/web/"
            return Answer.of({"id": "2", "slug": "web", "name": "Web"}) if known else self.missing()
        project = call.param("project")
        match call.path.removeprefix(f"{ROOT}/").rstrip("/").split("/"):
            case ["issues" | "releases"] if not project.lstrip("-").isdecimal():
                # Without any it would mean those that the token's owner has joined, none of an integration's.
                if not project:
                    return Answer.of([])
                return Answer.of({"detail": "Invalid project parameter. Values must be numbers."}, 400)
            case ["issues" | "releases"] if project not in ("2", "-1"):
                return Answer.of({"detail": "You do not have permission to perform this action."}, 403)
            case ["issues"]:
                rows = [i for i in self.issues if i["status"].lower() == "unresolved"]
                start, size = int(call.param("cursor", "0")), int(call.param("limit"))
                more = str(len(rows) > start + size).lower()
                query = f"project={project}&limit={size}&cursor={start + size}"
                link = f'<{API}{ROOT}/issues/?{query}>; rel="next"; results="{more}"; cursor="{start + size}"'
                return Answer.of(rows[start : start + size], link=link)
            case ["issues", number]:
                found = [i for i in self.issues if i["id"] == number]
                return Answer.of(found[0]) if found else self.missing()
            case ["releases"]:
                link = f'<{API}{ROOT}/releases/?cursor=100>; rel="next"; results="false"; cursor="100"'
                return Answer.of(self.releases, link=link)
            case ["releases", version, "deploys"]:
                deploys = self.deploys.get(version.replace("%40", "@"))
                return Answer.of(deploys) if deploys is not None else self.missing()
        return self.missing()

    def missing(self) -> Answer:
        return Answer.of({"detail": "The requested resource does not exist"}, 404)


class TestContract(SourceContract):
    source = Sentry
    options: ClassVar = OPTIONS
    state_fields = ("status",)
    time_fields = ("firstSeen", "dateCreated", "dateReleased", "dateStarted", "dateFinished")
    id_fields = ("id", "version", "deployCount", "lastDeploy")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


def sentry(**options: Any) -> Source[Any]:
    return make_source(Sentry, {**OPTIONS, **options})


async def poll(source: Source[Any], server: Any) -> list[Part]:
    """Through the real client, which knows what ``results="false"`` means."""

    def handle(request: httpx.Request) -> httpx.Response:
        answer = server(Call(method="GET", url=str(request.url), headers=dict(request.headers)))
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    transport = httpx.MockTransport(handle)
    async with ClientPool(source.clock, transport=transport, salt=b"test", trust_env=False) as pool:
        return list((await source.poll(pool.for_source(source).factory)).parts)


async def incidents(server: Server, **options: Any) -> list[Incident]:
    (part,) = await poll(sentry(kinds=["incident"], **options), server)
    if part.error:
        raise part.error
    return [item for item in part.items if isinstance(item, Incident)]


async def incident(**fields: Any) -> Incident:
    server = Server()
    server.issues = [issue(1, **fields)]
    (found,) = await incidents(server)
    return found


# -- issues ------------------------------------------------------------------------------------------------------------


async def test_an_issue_is_an_incident() -> None:
    first, second = await incidents(Server())
    assert first == Incident(
        key="sentry:incident:1",
        source="sentry",
        title="TypeError: the till is none",
        description="till.open",
        state="open",
        raw_state="unresolved/ongoing",
        reason="over 1,000 events, over 10 users",
        severity="medium",
        services=("web",),
        url="https://acme.sentry.io/issues/1/",
        labels={"project": "web", "issue": "WEB-1", "level": "error", "priority": "medium", "category": "error"},
        assignee="Ann",
        started_at=datetime(2026, 1, 1, 2, tzinfo=UTC),
    )
    assert second.reason == "is back after it was resolved, over 1,000 events, over 10 users"
    assert second.severity == "high"  # by its level


@pytest.mark.parametrize(
    "status,state",
    [
        ("unresolved", "open"),
        ("UNRESOLVED", "open"),
        ("ignored", "suppressed"),
        ("Muted", "suppressed"),
        ("resolved", "resolved"),
        ("resolvedInNextRelease", "resolved"),
        ("pending_deletion", "resolved"),
        ("deletion_in_progress", "resolved"),
        ("pending_merge", "resolved"),
        ("reprocessing", "unknown"),
        ("a-word-of-next-year", "unknown"),
        (None, "unknown"),
    ],
)
async def test_states_of_issues(status: str | None, state: str) -> None:
    source = sentry(kinds=["incident"])
    server = Server()

    def vendor(call: Call) -> Answer:
        return Answer.of([issue(1) | {"status": status}]) if call.path.endswith("/issues/") else server(call)

    http = FakeHttp(vendor, API)
    (part,) = (await read_all(source, http)).parts
    assert [item.state for item in part.items] == [state]


@pytest.mark.parametrize(
    "level,priority,severity",
    [
        ("fatal", "low", "low"),
        ("error", "HIGH", "high"),
        ("info", "medium", "medium"),
        ("fatal", None, "critical"),
        ("error", None, "high"),
        ("Warning", None, "medium"),
        ("info", None, "info"),
        ("debug", None, "info"),
        ("sample", None, "info"),
        ("error", "of next year", "unknown"),
        (None, None, "unknown"),
    ],
)
async def test_severity(level: str | None, priority: str | None, severity: str) -> None:
    assert (await incident(level=level, priority=priority)).severity == severity


async def test_one_more_event_is_no_news() -> None:
    before = await incident(count="17", lastSeen="2026-01-02T03:00:00Z")
    lifetime = {"count": "1999", "userCount": 99}
    assert await incident(count="18", lastSeen="2026-01-02T03:04:00Z", lifetime=lifetime) == before


@pytest.mark.parametrize(
    "count,reason",
    [("9", ""), ("10", "over 10 events"), ("99999", "over 10,000 events"), ("2000000", "over 1,000,000 events")],
)
async def test_numbers_are_told_by_their_size(count: str, reason: str) -> None:
    assert (await incident(lifetime={"count": count, "userCount": 0})).reason == reason


async def test_a_team_may_be_responsible() -> None:
    found = await incident(assignedTo={"type": "team", "id": "2", "name": "#payments"}, substatus="escalating")
    assert (found.assignee, found.team) == ("#payments", "payments")
    assert found.reason.startswith("is escalating, ")


async def test_only_what_was_seen_lately_is_asked_for_and_shown() -> None:
    server = Server()
    server.issues = [issue(1), issue(2, lastSeen="2026-01-01T03:00:00Z")]
    asked: list[Call] = []

    def vendor(call: Call) -> Answer:
        if call.path.endswith("/issues/"):
            asked.append(call)
        return server(call)

    (part,) = await poll(sentry(kinds=["incident"], environments=["production"], period=86_400), vendor)
    assert [item.key for item in part.items] == ["sentry:incident:1"]
    assert part.items[0].environment == "production"
    assert [asked[0].param(p) for p in ("query", "statsPeriod", "sort", "environment", "project")] == [
        "is:unresolved",
        "1440m",
        "date",
        "production",
        "2",
    ]


async def test_pages() -> None:
    server = Server()
    server.issues = [issue(number) for number in range(1, 251)]
    assert len(await incidents(server)) == 250


async def test_pages_that_are_said_to_be_at_another_host() -> None:
    """A region's server answers for sentry.io, and may name itself; the token is for the host of the config."""
    server, hosts = Server(), set[str]()
    server.issues = [issue(number) for number in range(1, 151)]

    def vendor(call: Call) -> Answer:
        hosts.add(httpx.URL(call.url).host)
        answer = server(call)
        link = answer.headers.get("link", "").replace(API, "https://us.sentry.io")
        return msgspec.structs.replace(answer, headers={**answer.headers, "link": link})

    (part,) = await poll(sentry(kinds=["incident"]), vendor)
    assert (len(part.items), part.error, hosts) == (150, None, {"sentry.io"})


async def test_no_page_is_read_of_what_is_quiet() -> None:
    server = Server()
    quiet = {"lastSeen": "2025-12-31T00:00:00Z"}
    server.issues = [issue(number, **(quiet if number > 150 else {})) for number in range(1, 1000)]
    assert len(await incidents(server)) == 150


async def test_more_than_are_read_is_said() -> None:
    server = Server()
    server.issues = [issue(number) for number in range(1, 502)]
    (part,) = await poll(sentry(kinds=["incident"]), server)
    assert len(part.items) == 500
    assert isinstance(part.error, TooLarge)


# -- issues that have left the list ------------------------------------------------------------------------------------


async def looked_up(**fields: Any) -> Incident | None:
    server = Server()
    fields = {"lifetime": None, **fields}
    server.issues = [issue(1, **fields)]
    found = await sentry().lookup("incident", "1", FakeHttp(server, API))
    assert found is None or isinstance(found, Incident)
    return found


async def test_a_resolved_issue_says_when_and_by_whom() -> None:
    activity = [
        {"type": "note", "dateCreated": "2026-01-02T03:03:00Z", "user": {"name": "Eve"}},
        {"type": "set_resolved_in_release", "dateCreated": "2026-01-02T03:02:00Z", "user": {"name": "Bob"}},
        {"type": "set_resolved", "dateCreated": "2026-01-01T00:00:00Z", "user": None},
    ]
    found = await looked_up(status="resolved", activity=activity)
    assert found is not None
    assert (found.state, found.actor) == ("resolved", "Bob")
    assert found.ended_at == found.updated_at == datetime(2026, 1, 2, 3, 2, tzinfo=UTC)


async def test_an_archived_issue_is_suppressed_until_its_time() -> None:
    details = {"ignoreUntil": "2026-01-03T00:00:00Z", "actor": {"name": "Ann"}}
    found = await looked_up(status="ignored", substatus="archived_until_condition_met", statusDetails=details)
    assert found is not None
    assert found.state == "suppressed"
    assert found.suppressed_by == "archived until a condition is met by Ann"
    assert found.suppressed_until == datetime(2026, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "ignored", "substatus": "archived_forever"},
        {"lastSeen": "2026-01-01T00:00:00Z"},
        {"id": "1", "merged": True},
    ],
)
async def test_what_is_no_longer_there(fields: dict[str, Any]) -> None:
    if fields.pop("merged", False):  # Sentry answers with the issue that it was merged into
        http = FakeHttp(lambda call: Answer.of(issue(7)), API)
        assert await sentry().lookup("incident", "1", http) is None
    else:
        assert await looked_up(**fields) is None


async def test_what_is_there_all_the_same() -> None:
    found = await looked_up(count="150", userCount=1)
    assert found is not None
    assert (found.state, found.reason) == ("open", "over 100 events")
    with pytest.raises(NotFound):
        await sentry().lookup("incident", "99", FakeHttp(Server(), API))
    with pytest.raises(BadAnswer):
        await sentry().lookup("incident", "1", FakeHttp(lambda call: Answer.of([]), API))
    with pytest.raises(LookupUnsupported):
        await sentry().lookup("release", "deploy/1", FakeHttp(Server(), API))


# -- releases ----------------------------------------------------------------------------------------------------------


async def releases(source: Source[Any], http: FakeHttp) -> list[Release]:
    (part,) = (await read_all(source, http)).parts
    if part.error:
        raise part.error
    return [item for item in part.items if isinstance(item, Release)]


async def test_releases_and_deploys() -> None:
    newest, published, staging, production = await releases(sentry(kinds=["release"]), FakeHttp(Server(), API))
    assert newest.version == "web@1.3"
    assert published == Release(
        key="sentry:release:release/web@1.2",
        source="sentry",
        title="web@1.2",
        state="success",
        raw_state="open",
        type="publication",
        version="web@1.2",
        revision="a" * 40,
        commits=4,
        services=("web",),
        repository="acme/web",
        url="https://sentry.io/organizations/acme/releases/web%401.2/",
        started_at=datetime(2026, 1, 2, 2, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 30, tzinfo=UTC),
    )
    assert production == msgspec.structs.replace(
        published,
        key="sentry:release:deploy/6",
        title="web@1.2 to production",
        raw_state="deployed",
        type="deployment",
        environment="production",
        links={"deploy": "https://ci.example/6"},
        started_at=datetime(2026, 1, 2, 2, 50, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, 2, 55, tzinfo=UTC),
        ended_at=datetime(2026, 1, 2, 2, 55, tzinfo=UTC),
    )
    assert (staging.key, staging.environment) == ("sentry:release:deploy/5", "staging")


@pytest.mark.parametrize("status,state", [("Open", "success"), ("archived", "inactive"), ("new", "unknown")])
async def test_states_of_releases(status: str, state: str) -> None:
    server = Server()
    server.releases = [release("1", status=status)]
    (found,) = await releases(sentry(kinds=["release"]), FakeHttp(server, API))
    assert found.state == state


async def test_a_prerelease_says_so() -> None:
    server = Server()
    server.releases = [release("web@1.4.0-rc.1"), release("web@1.3")]
    assert [r.prerelease for r in await releases(sentry(kinds=["release"]), FakeHttp(server, API))] == [True, False]


async def test_deploys_are_asked_for_where_the_list_does_not_tell() -> None:
    server = Server()
    server.releases = [release("web@1.2", *server.deploys["web@1.2"]), release("web@1.1", deploy(4, "production"))]
    source, http = sentry(kinds=["release"]), FakeHttp(server, API)
    for _ in range(3):
        assert [r.environment for r in await releases(source, http) if r.type == "deployment"] == [
            "staging",
            "production",
            "production",
        ]
    asked = [call.path for call in http.calls if call.path.endswith("/deploys/")]
    assert asked == [f"{ROOT}/releases/web%401.2/deploys/"]
    server.deploys["web@1.2"].append(deploy(7, "emea"))
    server.releases[0] = release("web@1.2", *server.deploys["web@1.2"])
    found = await releases(source, http)
    assert [r.environment for r in found if r.version == "web@1.2"] == ["", "staging", "production", "emea"]


async def test_deploys_that_cannot_be_read_cost_no_release() -> None:
    server = Server()
    server.deploys["web@1.1"] = [deploy(1, "staging"), deploy(2, "production")]
    server.releases.append(release("web@1.1", *server.deploys["web@1.1"]))
    asked: list[str] = []

    def vendor(call: Call) -> Answer:
        asked.append(call.path)
        return Answer(status=500) if call.path.endswith("/deploys/") else server(call)

    (part,) = (await read_all(sentry(kinds=["release"]), FakeHttp(vendor, API))).parts
    assert isinstance(part.error, ServerError)
    assert [item.key for item in part.items if item.environment] == [
        "sentry:release:deploy/6",
        "sentry:release:deploy/2",
    ]
    assert sum(path.endswith("/deploys/") for path in asked) == 1


async def test_a_version_that_no_path_can_hold() -> None:
    server = Server()
    server.releases = [release("web/1", deploy(1, "staging"), deploy(2, "production"))]
    found = await releases(sentry(kinds=["release"]), FakeHttp(server, API))
    assert [r.environment for r in found] == ["", "production"]


@pytest.mark.parametrize(
    "url,page",
    [
        ("https://de.sentry.io", "https://sentry.io/organizations/acme/releases/web%401.3/"),
        ("https://errors.acme.example/", "https://errors.acme.example/organizations/acme/releases/web%401.3/"),
    ],
)
async def test_the_page_of_a_release(url: str, page: str) -> None:
    found = await releases(sentry(kinds=["release"], url=url), FakeHttp(Server(), API))
    assert found[0].url == page


# -- options and access ------------------------------------------------------------------------------------------------


async def test_one_part_a_project_and_kind() -> None:
    parts = await poll(sentry(projects=["web", "gone", "web"]), Server())
    assert [part.scope for part in parts] == ["gone issues", "gone releases", "web issues", "web releases"]
    assert isinstance(parts[0].error, NotFound)
    assert isinstance(parts[1].error, NotFound)
    assert parts[2].error is None
    assert len(parts[2].items) == 2
    parts = await poll(sentry(projects=[]), Server())
    assert [(part.scope, len(part.items)) for part in parts] == [("acme issues", 2), ("acme releases", 4)]


async def test_the_id_of_a_project_is_asked_for_once() -> None:
    server, asked = Server(), list[str]()

    def vendor(call: Call) -> Answer:
        asked.append(call.path.rstrip("/").rpartition("/")[2])
        return server(call)

    source = sentry()
    await poll(source, vendor)
    assert asked.count("web") == 1
    asked.clear()
    await poll(source, vendor)
    assert sorted(asked) == ["issues", "releases"]


@pytest.mark.parametrize(
    "options",
    [
        {"organization": "Acme Inc"},
        {"organization": "https://sentry.io/acme"},
        {"organization": ""},
        {"projects": ["acme/web"]},
        {"query": " "},
        {"period": 30},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=f"`{next(iter(options))}`"):
        sentry(**options)
