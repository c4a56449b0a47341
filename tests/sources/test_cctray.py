"""CCTray: one item a project, verdicts behind builds, stages and their jobs, and XML of every kind."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar
from xml.sax.saxutils import quoteattr

import httpx
import msgspec
import pytest

from sources.cctray import CCTray
from statusboard.client import mock
from statusboard.errors import AuthError, BadAnswer, NotFound, SourceError
from statusboard.model import Build, Part
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

URL = "https://ci.example/go/cctray.xml?branch=main"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def project(
    name: str, status: str | None = "Success", activity: str | None = "Sleeping", **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "activity": activity,
        "lastBuildStatus": status,
        "lastBuildLabel": "8",
        "lastBuildTime": "2026-01-02T03:04:05Z",
        "webUrl": f"https://ci.example/{name.replace(' ', '')}",
        **more,
    }


def feed(rows: object) -> str:
    """The XML of some rows; what a mutation left that is no list of rows is no feed."""
    if not isinstance(rows, list):
        return str(rows)
    elements = []
    for row in rows:
        given = row.items() if isinstance(row, dict) else ()
        attributes = (
            f"{name}={quoteattr(_NOT_IN_XML.sub('', _plain(value)))}" for name, value in given if value is not None
        )
        elements.append(f"<Project {' '.join(attributes)}/>")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Projects>{"".join(elements)}</Projects>'


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class TestContract(SourceContract):
    source = CCTray
    options: ClassVar = {"url": URL}
    state_fields = ("activity", "lastBuildStatus")
    time_fields = ("lastBuildTime",)
    id_fields = ("name",)

    def vendor(self, call: Call) -> Answer:
        return Answer.of(
            [
                project("checkout :: build"),
                project("checkout :: deploy", "Failure"),
                project("ledger", "Success", "Building"),
                project("shop", "Exception", "CheckingModifications"),
                project("till", "Unknown"),
            ]
        )

    def _respond(self, request: httpx.Request, mutate: Any) -> httpx.Response:
        rows = msgspec.json.decode(super()._respond(request, mutate).content)
        return httpx.Response(200, content=feed(rows).encode(), headers={"content-type": "application/xml"})


def answer(body: str | bytes, content_type: str = "application/xml", status: int = 200) -> Answer:
    content = body.encode() if isinstance(body, str) else body
    return Answer(status=status, headers={"content-type": content_type}, body=content)


async def read(*rows: dict[str, Any], **options: Any) -> Part:
    http = FakeHttp(lambda call: answer(feed(list(rows))))
    return await read_one(make_source(CCTray, {"url": URL, **options}), http)


async def build(status: str | None = "Success", activity: str | None = "Sleeping", **more: Any) -> Build:
    (item,) = (await read(project("shop", status, activity, **more))).items
    assert isinstance(item, Build)
    return item


async def refused(body: str | bytes, content_type: str = "application/xml") -> SourceError:
    (part,) = (
        await read_all(make_source(CCTray, {"url": URL}), FakeHttp(lambda call: answer(body, content_type)))
    ).parts
    assert isinstance(part.error, SourceError)
    return part.error


async def test_a_project_is_one_item() -> None:
    part = await read(project("checkout :: build", "Failure", lastBuildLabel="1.0.55 :: 2", category="shop"))
    assert part.items == (
        Build(
            key="cctray:build:checkout :: build",
            source="cctray",
            title="checkout :: build",
            state="failed",
            raw_state="Sleeping/Failure",
            pipeline="checkout :: build",
            url="https://ci.example/checkout::build",
            labels={"pipeline": "checkout", "category": "shop", "build": "1.0.55 :: 2"},
            updated_at=WHEN,
            ended_at=WHEN,
        ),
    )
    assert part.reach == "complete"


async def test_the_feed_is_asked_for_as_its_address_says() -> None:
    http = FakeHttp(lambda call: answer(feed([project("shop")])))
    await read_one(make_source(CCTray, {"url": URL}), http)
    assert [call.url for call in http.calls] == [URL]


@pytest.mark.parametrize(
    "status,state",
    [("Success", "success"), ("SUCCESS", "success"), ("Failure", "failed"), ("failure", "failed"),
     ("Exception", "failed"), ("EXCEPTION", "failed"), ("Failed", "failed"), ("Unknown", "unknown"),
     ("Pending", "queued"), ("Splendid", "unknown"), ("", "unknown"), (None, "unknown")],
)  # fmt: skip
async def test_how_the_last_build_went(status: str | None, state: str) -> None:
    for activity in ("Sleeping", "sleeping", "CheckingModifications"):
        assert (await build(status, activity)).state == state


@pytest.mark.parametrize("activity,state", [("Building", "running"), ("BUILDING", "running"), ("Pending", "queued")])
async def test_while_it_builds_the_verdict_is_the_last_one(activity: str, state: str) -> None:
    for status, verdict in (("Success", "success"), ("Failure", "failed"), ("Unknown", "unknown"), ("Pending", "")):
        item = await build(status, activity)
        assert (item.state, item.verdict) == (state, verdict)
        assert (item.updated_at, item.ended_at, item.run_number) == (None, None, None)  # those of the build before


async def test_a_project_in_an_unknown_activity_is_never_green() -> None:
    for activity in ("Dreaming", "", None):
        assert (await build("Success", activity)).state == "unknown"
        assert (await build("Failure", activity)).state == "failed"


async def test_what_was_never_built_is_no_build() -> None:
    never = {"lastBuildLabel": "", "lastBuildTime": "1970-01-01T00:00:00.000000-00:00"}
    part = await read(project("new", "Unknown", **never), project("first", "Unknown", "Building", **never))
    assert [(item.title, item.state, item.verdict) for item in part.items] == [("first", "running", "")]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text,naive",
    [("2026-01-02T03:04:05Z", False), ("2026-01-02T04:04:05.0000000+01:00", False),
     ("2026-01-02T03:04:05.000+0000", False), ("2026-01-02T03:04:05", True), ("2026-01-02 03:04:05", True)],
)  # fmt: skip
async def test_times_without_a_zone_are_approximate(text: str, naive: bool) -> None:
    item = await build(lastBuildTime=text)
    assert (item.ended_at, item.approximate) == (WHEN, naive)


async def test_a_time_that_is_none() -> None:
    for text in ("", "1970-01-01T00:00:00Z", "last night"):
        assert (await build(lastBuildTime=text)).ended_at is None


async def test_numbers_and_other_labels() -> None:
    assert (await build(lastBuildLabel="217")).run_number == 217
    assert (await build(lastBuildLabel="217")).labels == {}
    assert (await build(lastBuildLabel="9" * 40)).run_number is None
    assert (await build(lastBuildLabel="v1.2")).labels == {"build": "v1.2"}


async def test_a_stage_tells_of_its_jobs() -> None:
    part = await read(
        project("shop :: build", "Failure"),
        project("shop :: build :: unit", "Failure"),
        project("shop :: build :: lint"),
        project("shop :: build :: docs", "Failure"),
        project("shop :: deploy"),
        project("shop :: deploy :: eu"),
        project("shop :: deploy :: us", "Failure"),
    )
    assert [(item.title, item.state, item.reason) for item in part.items] == [
        ("shop :: build", "failed", "failed: unit, docs"),
        ("shop :: deploy", "success", ""),
        ("shop :: deploy :: us", "failed", ""),  # its stage does not tell of it
    ]


async def test_jobs_without_their_stage_are_shown() -> None:
    rows = [project("shop :: build"), project("shop :: build :: unit"), project("shop :: build :: lint", "Failure")]
    part = await read(*rows, projects=["shop :: build :: *"])
    assert [item.title for item in part.items] == ["shop :: build :: unit", "shop :: build :: lint"]


async def test_projects_are_chosen_by_name() -> None:
    rows = [project("shop"), project("shop-web", "Failure"), project("ledger")]
    assert [item.title for item in (await read(*rows, projects=["shop*"])).items] == ["shop", "shop-web"]
    assert [item.title for item in (await read(*rows, projects=["ledger", "shop"])).items] == ["shop", "ledger"]


async def test_a_name_that_matches_nothing_is_a_fault() -> None:
    http = FakeHttp(lambda call: answer(feed([project("shop")])))
    (part,) = (await read_all(make_source(CCTray, {"url": URL, "projects": ["shop", "legder*"]}), http)).parts
    assert [item.title for item in part.items] == ["shop"]
    assert isinstance(part.error, NotFound)
    assert "legder*" in str(part.error)


async def test_a_feed_without_projects_is_a_fault() -> None:
    for body in ("<Projects/>", "<Projects></Projects>"):
        assert isinstance(await refused(body), NotFound)


async def test_what_is_told_twice() -> None:
    older = "2026-01-01T00:00:00Z"
    part = await read(project("shop", "Success"), project("shop", "Failure"))
    assert [item.state for item in part.items] == ["failed"]  # never green by the order of the rows
    part = await read(project("shop", "Failure", lastBuildTime=older), project("shop", "Success"))
    assert [item.state for item in part.items] == ["success"]


async def test_projects_of_the_same_name_stay_apart() -> None:
    rows = [project("shop", webUrl="https://a.example"), project("shop", "Failure", webUrl="https://b.example")]
    part, other = await read(*rows), await read(*reversed(rows))
    assert sorted(item.state for item in part.items) == ["failed", "success"]
    assert {item.key: item.state for item in part.items} == {item.key: item.state for item in other.items}
    assert len({item.pipeline for item in part.items}) == 2  # type: ignore[union-attr]


async def test_a_project_without_a_name_costs_only_itself() -> None:
    http = FakeHttp(lambda call: answer(feed([project("shop"), project("", "Failure")])))
    (part,) = (await read_all(make_source(CCTray, {"url": URL}), http)).parts
    assert [item.title for item in part.items] == ["shop"]
    assert isinstance(part.error, BadAnswer)


async def test_who_broke_it() -> None:
    body = (
        '<Projects><Project name="shop" activity="Sleeping" lastBuildStatus="Failure"><messages>'
        '<message text="unit" kind="FailingTasks"/><message text="ann, bob" kind="Breakers"/>'
        "</messages></Project></Projects>"
    )
    part = await read_one(make_source(CCTray, {"url": URL}), FakeHttp(lambda call: answer(body)))
    assert part.items[0].actor == "ann, bob"


@pytest.mark.parametrize(
    "body",
    [
        "<projects><project NAME='shop' Activity='Sleeping' LASTBUILDSTATUS='Failure'/></projects>",
        "<p:Projects xmlns:p='x'><p:Project name='shop' activity='Sleeping' lastBuildStatus='Failure'/></p:Projects>",
        "<CruiseControl><Projects><Project name='shop' activity='Sleeping' lastBuildStatus='Failure'/></Projects>"
        "<Queues/></CruiseControl>",
        "\ufeff<Projects><!-- --><Project name='shop' activity='Sleeping' lastBuildStatus='Failure'/></Projects>",
    ],
)
async def test_names_in_any_dress(body: str) -> None:
    part = await read_one(make_source(CCTray, {"url": URL}), FakeHttp(lambda call: answer(body)))
    assert [(item.title, item.state) for item in part.items] == [("shop", "failed")]


@pytest.mark.parametrize(
    "declared,content_type,encoding",
    [
        ("UTF-8", "application/xml", "utf-8"),
        ("ISO-8859-1", "text/xml", "iso-8859-1"),
        ("windows-1252", "text/xml", "windows-1252"),
        ("", "text/xml; charset=ISO-8859-1", "iso-8859-1"),
        ("", 'text/xml; charset="utf-8"', "utf-8"),
        ("UTF-8", "text/xml; charset=ISO-8859-1", "utf-8"),  # what many servers claim by default
        ("utf-16", "text/xml", "utf-16"),
        ("GB18030", "text/xml", "gb18030"),
        ("no-such", "text/xml; charset=nor-such", "utf-8"),
    ],
)
async def test_encodings(declared: str, content_type: str, encoding: str) -> None:
    start = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = f'{start}<Projects><Project name="café" activity="Sleeping" lastBuildStatus="Failure"/></Projects>'
    http = FakeHttp(lambda call: answer(body.encode(encoding), content_type))
    part = await read_one(make_source(CCTray, {"url": URL}), http)
    assert [(item.title, item.state) for item in part.items] == [("café", "failed")]


async def test_a_wrong_byte_costs_one_letter() -> None:
    body = b'<Projects><Project name="caf\xe9" activity="Sleeping" lastBuildStatus="Failure"/></Projects>'
    part = await read_one(make_source(CCTray, {"url": URL}), FakeHttp(lambda call: answer(body)))
    assert [item.title for item in part.items] == ["caf\ufffd"]


BOMB = "<!DOCTYPE x [<!ENTITY a 'ha'>{}]><Projects><Project name='&j;'/></Projects>".format(
    "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefghi", "bcdefghij", strict=True))
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><Projects><Project name='&a;'/></Projects>",
        "<!DOCTYPE x SYSTEM 'https://evil.example/x.dtd'><Projects/>",
        "<!DOCTYPE x [<!ENTITY % p SYSTEM 'https://evil.example/x'>%p;]><Projects/>",
    ],
)
async def test_a_document_type_is_refused(body: str) -> None:
    error = await refused(body)
    assert isinstance(error, BadAnswer)
    assert "document type" in str(error)


@pytest.mark.parametrize(
    "body",
    ["<feed xmlns='http://www.w3.org/2005/Atom'/>", "<Projects>", "<Projects></Project>", "not XML", "",
     '{"projects": []}', "<a>" * 50_000 + "</a>" * 50_000, "<Projects><Project name='&nbsp;'/></Projects>"],
)  # fmt: skip
async def test_what_is_no_feed(body: str) -> None:
    error = await refused(body)
    assert isinstance(error, BadAnswer)
    assert "CCTray" in str(error) or "not XML" in str(error)


async def test_a_page_instead_of_a_feed() -> None:
    for page in ("<!doctype html><html><body>Hi</body></html>", "<html><body><p>Hi</body></html>"):
        assert "HTML" in str(await refused(page, "text/html"))
        assert "HTML" in str(await refused(page))


async def test_a_sign_in_page_is_an_auth_failure() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/login":
            return httpx.Response(200, html="<!doctype html><html>Sign in</html>")
        return httpx.Response(302, headers={"location": "/login"})

    source = make_source(CCTray, {"url": URL})
    (part,) = (await source.poll(mock(source, server).factory)).parts
    assert isinstance(part.error, AuthError)


@pytest.mark.parametrize(
    "options,header",
    [
        ({"token": "env:SECRET"}, "Bearer s3cret"),
        ({"username": "env:NAME", "password": "env:SECRET"}, "Basic YW5uOnMzY3JldA=="),
        ({}, None),
    ],
)
async def test_credentials(options: dict[str, str], header: str | None) -> None:
    seen: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text=feed([project("shop")]))

    source = make_source(CCTray, {"url": URL, **options})
    client = mock(source, server, environ={"SECRET": "s3cret", "NAME": "ann"})
    (part,) = (await source.poll(client.factory)).parts
    assert part.error is None
    assert [request.headers.get("authorization") for request in seen] == [header]
    assert seen[0].headers["accept"].startswith("application/xml")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="projects"):
        make_source(CCTray, {"projects": ["shop", " "]})
