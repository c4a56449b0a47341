"""Buildkite: builds of pipelines and organizations, block steps, rebuilds, retries, two quotas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from sources.buildkite import Buildkite
from statusboard.client import ClientPool
from statusboard.clock import FakeClock
from statusboard.current import slot_of
from statusboard.errors import AuthError, BadAnswer, NotFound, RateLimited
from statusboard.model import Build, Part
from statusboard.source import Credentials
from statusboard.testing import Answer, Call, FakeHttp, SourceContract, make_source, read_all, read_one

API = "https://api.buildkite.com"
START = datetime(2026, 1, 2, 3, tzinfo=UTC)


def when(minutes: float) -> str:
    """A time as Buildkite writes it, so many minutes after START."""
    return (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def pipeline(slug: str = "checkout", **more: Any) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-0000-0000-0000{slug:>08.8}",
        "slug": slug,
        "name": slug.title(),
        "repository": f"git@github.com:acme/{slug}.git",
        "default_branch": "main",
        "builds_url": f"{API}/v2/organizations/acme/pipelines/{slug}/builds",
        **more,
    }


def build(number: Any, state: str = "passed", slug: str = "checkout", **more: Any) -> dict[str, Any]:
    done = state in ("passed", "failed", "canceled")
    return {
        "id": f"{slug}-{number}",
        "number": number,
        "url": f"{API}/v2/organizations/acme/pipelines/{slug}/builds/{number}",
        "web_url": f"https://buildkite.com/acme/{slug}/builds/{number}",
        "state": state,
        "blocked": False,
        "cancel_reason": None,
        "message": "Fix the till\n\nIt rang twice.",
        "commit": "a" * 40,
        "branch": "main",
        "source": "webhook",
        "creator": {"id": "u1", "name": "Ann", "email": "ann@acme.example"},
        "author": {"username": "ann", "name": "Ann A.", "email": "ann@acme.example"},
        "created_at": when(number),
        "scheduled_at": when(number),
        "started_at": None if state in ("scheduled", "creating") else when(number + 0.5),
        "failing_at": None,
        "finished_at": when(number + 1) if done else None,
        "pull_request": None,
        "rebuilt_from": None,
        "pipeline": pipeline(slug),
        **more,
    }


class Server:
    """Buildkite's lists of builds with their filters and pages, newest first."""

    def __init__(self, *builds: dict[str, Any]) -> None:
        self.builds = list(builds) or [
            build(15, "scheduled"),
            build(14, "running"),
            build(13, "passed", blocked=True),
            build(
                12, "failed", pull_request={"id": "7", "base": "main", "repository": "git://github.com/eve/checkout"}
            ),
            build(11, "canceled", cancel_reason="superseded", triggered_from={"build_pipeline_slug": "release"}),
            build(10, "failed", rebuilt_from={"id": "checkout-9", "number": 9, "url": "x"}),
            build(9),
        ]
        self.token = ""

    def __call__(self, call: Call) -> Answer:
        if self.token and call.headers.get("authorization") != f"Bearer {self.token}":
            return Answer.of({"message": "Authentication required. Please supply a valid API Access Token"}, 401)
        match call.path.removeprefix("/v2/organizations/acme/").split("/"):
            case ["builds"]:
                return self.page(self.builds, call)
            case ["pipelines", slug, "builds"] if slug in ("checkout", "ledger"):
                return self.page([b for b in self.builds if b["pipeline"]["slug"] == slug], call)
            case ["pipelines", slug, "builds", number]:
                for found in self.builds:
                    if found["pipeline"]["slug"] == slug and str(found["number"]) == number:
                        return Answer.of(found)
        return Answer.of({"message": "Not Found"}, 404)

    def page(self, builds: list[dict[str, Any]], call: Call) -> Answer:
        assert call.param("exclude_jobs") == "true"
        if branches := call.query.get("branch[]"):
            builds = [b for b in builds if b["branch"] in branches]
        if since := call.param("finished_from"):
            builds = [b for b in builds if b["finished_at"] and b["finished_at"] >= since[:-1]]
        per_page, page = int(call.param("per_page", "30")), int(call.param("page", "1"))
        builds = sorted(builds, key=lambda b: str(b["created_at"]), reverse=True)[(page - 1) * per_page :]
        following = f"{call.url}&page={page + 1}" if page == 1 else call.url.replace(f"page={page}", f"page={page + 1}")
        link = {"link": f'<{following}>; rel="next"'} if len(builds) > per_page else {}
        return msgspec.structs.replace(Answer.of(builds[:per_page]), headers=link)


class TestContract(SourceContract):
    source = Buildkite
    options: ClassVar = {"organization": "acme"}
    state_fields = ("state", "blocked")
    time_fields = ("created_at", "started_at", "failing_at", "finished_at")
    id_fields = ("number", "slug", "pipeline")

    def vendor(self, call: Call) -> Answer:
        return Server()(call)


async def read(server: Server, **options: Any) -> Any:
    source = make_source(Buildkite, {"organization": "acme", "pipelines": ["checkout"], **options}, FakeClock(START))
    http = FakeHttp(server, API)
    return source, http, await read_one(source, http)


def builds(part: Part) -> list[Build]:
    return [item for item in part.items if isinstance(item, Build)]


async def one(**fields: Any) -> Build:
    _, _, part = await read(Server(build(9, **fields)))
    (item,) = part.items
    assert isinstance(item, Build)
    return item


# -- builds ------------------------------------------------------------------------------------------------------------


async def test_a_build() -> None:
    _, _, part = await read(Server())
    assert part.scope == "acme/checkout builds"
    assert part.reach == "window"
    assert part.items[5] == Build(
        key="buildkite:build:checkout/10",
        source="buildkite",
        title="Fix the till",
        state="failed",
        raw_state="failed",
        pipeline="checkout",
        run_number=10,
        attempt=2,
        branch="main",
        default_branch="main",
        revision="a" * 40,
        repository="acme/checkout",
        url="https://buildkite.com/acme/checkout/builds/10",
        labels={"pipeline": "Checkout", "rebuilt_from": "#9"},
        actor="Ann",
        trigger="webhook",
        started_at=START + timedelta(minutes=10.5),
        queued_at=START + timedelta(minutes=10),
        updated_at=START + timedelta(minutes=11),
        ended_at=START + timedelta(minutes=11),
    )


@pytest.mark.parametrize(
    "word,state",
    [
        ("creating", "queued"), ("scheduled", "queued"), ("waiting", "queued"), ("running", "running"),
        ("failing", "running"), ("canceling", "running"), ("blocked", "blocked"), ("passed", "success"),
        ("failed", "failed"), ("waiting_failed", "failed"), ("canceled", "cancelled"), ("skipped", "skipped"),
        ("not_run", "skipped"), ("finished", "unknown"), ("next_years_word", "unknown"), ("", "unknown"),
    ],
)  # fmt: skip
async def test_states_in_any_case(word: str, state: str) -> None:
    for form in (word, word.upper(), word.title()):
        item = await one(state=form)
        assert (item.state, item.raw_state) == (state, form)


@pytest.mark.parametrize(
    "word,state,verdict",
    [
        ("passed", "blocked", "success"),
        ("running", "blocked", ""),
        ("scheduled", "blocked", ""),
        ("blocked", "blocked", ""),
        ("failed", "failed", ""),
        ("failing", "running", ""),
        ("canceling", "running", ""),
        ("canceled", "cancelled", ""),
    ],
)
async def test_a_blocked_build_waits_and_keeps_its_verdict(word: str, state: str, verdict: str) -> None:
    item = await one(state=word, blocked=True, finished_at=when(10))
    assert (item.state, item.verdict, item.raw_state) == (state, verdict, f"{word}/blocked")
    assert (item.ended_at is None) == (state in ("blocked", "running"))


async def test_passed_is_not_known_to_be_over_without_word_of_a_block() -> None:
    assert (await one(blocked=None)).state == "unknown"


async def test_a_failing_build_runs_on_and_says_so() -> None:
    item = await one(state="failing", failing_at=when(9.7), finished_at=None)
    assert (item.state, item.reason, item.updated_at) == ("running", "a job has failed", START + timedelta(minutes=9.7))


async def test_who_cancelled_and_why() -> None:
    assert (await one(state="canceled", cancel_reason="superseded")).reason == "superseded"


async def test_what_has_not_started_counts_from_its_making() -> None:
    assert (await one(state="scheduled", started_at=None)).started_at == START + timedelta(minutes=9)


@pytest.mark.parametrize(
    "fields,actor",
    [
        ({}, "Ann"),
        ({"creator": None}, "Ann A."),
        ({"creator": None, "author": "bob@acme.example"}, "bob@acme.example"),
        ({"creator": None, "author": {"username": "bob"}}, "bob"),
        ({"creator": None, "author": None}, ""),
    ],
)
async def test_the_actor(fields: dict[str, Any], actor: str) -> None:
    assert (await one(**fields)).actor == actor


@pytest.mark.parametrize(
    "pull,change,fork",
    [
        (None, "", ""),
        ({}, "", ""),
        ({"id": "7", "repository": "git://github.com/Acme/checkout.git"}, "7", ""),
        ({"id": 7, "repository": "https://github.com/eve/checkout"}, "7", "eve/checkout"),
        ({"id": "7"}, "7", ""),
    ],
)
async def test_pull_requests_and_forks(pull: Any, change: str, fork: str) -> None:
    item = await one(pull_request=pull)
    assert (item.change, item.fork) == (change, fork)


async def test_a_pipeline_that_got_another_name_is_the_same() -> None:
    before, after = await one(), await one(pipeline={**pipeline("checkout"), "name": ":rocket: Shop"})
    assert slot_of(before) == slot_of(after)


async def test_a_build_that_another_triggered() -> None:
    item = await one(triggered_from={"build_id": "x", "build_number": 3, "build_pipeline_slug": "release"})
    assert item.labels == {"pipeline": "Checkout", "triggered_from": "release #3"}


# -- rebuilds and retries ----------------------------------------------------------------------------------------------


async def test_attempts_of_rebuilds_stay_when_the_first_build_leaves_the_list() -> None:
    def again(number: int, former: int) -> dict[str, Any]:
        return build(number, rebuilt_from={"id": f"checkout-{former}", "number": former})

    server = Server(again(3, 2), again(2, 1), build(1))
    source, http, part = await read(server)
    assert [item.attempt for item in part.items] == [3, 2, 1]
    server.builds = [again(4, 3), again(3, 2)]
    assert [item.attempt for item in builds(await read_one(source, http))] == [4, 3]
    _, _, fresh = await read(server)
    assert [item.attempt for item in fresh.items] == [3, 2]  # at least


async def test_a_retried_build_runs_and_ends_again_under_its_number() -> None:
    server = Server(build(1, "failed"))
    source, http, before = await read(server)
    server.builds[0].update(state="running", finished_at=None)
    running = await read_one(source, http)
    server.builds[0].update(state="passed", finished_at=when(30))
    passed = await read_one(source, http)
    items = [part.items[0] for part in (before, running, passed)]
    assert [item.state for item in items] == ["failed", "running", "success"]
    assert len({item.key for item in items}) == 1
    assert [item.ended_at for item in items] == [START + timedelta(minutes=2), None, START + timedelta(minutes=30)]


async def test_a_build_that_was_retried_after_it_left_the_list_is_read() -> None:
    server = Server(*(build(number, branch="side") for number in range(30, 20, -1)), build(1, "failed"))
    source, http, part = await read(server, builds=10)
    assert "buildkite:build:checkout/1" in {item.key for item in part.items}  # on the default branch
    http.calls.clear()
    server.builds[-1].update(state="passed", finished_at=when(40))
    part = await read_one(source, http)
    assert [call.param("finished_from") for call in http.calls] == ["", "2026-01-02T03:31:00Z"]
    retried = next(item for item in builds(part) if item.run_number == 1)
    assert (retried.state, retried.ended_at) == ("success", START + timedelta(minutes=40))


async def test_where_the_list_reaches_back_a_day_one_request_will_do() -> None:
    source, http, _ = await read(Server(*(build(number) for number in range(3000, 0, -300))), builds=10)
    source.clock.advance(3000 * 60)
    http.calls.clear()
    await read_one(source, http)
    assert len(http.calls) == 1


async def test_more_builds_than_are_read_are_noted() -> None:
    server = Server(*(build(number) for number in range(150, 0, -1)))
    source, http, _ = await read(server, builds=10)
    for row in server.builds:
        row["finished_at"] = when(200)
    part = await read_one(source, http)
    assert "more than 100 builds ended" in part.notes[0]


# -- what is read ------------------------------------------------------------------------------------------------------


async def test_a_quiet_poll_is_one_request_a_pipeline() -> None:
    source, http, _ = await read(Server())
    http.calls.clear()
    await read_one(source, http)
    assert [call.path for call in http.calls] == ["/v2/organizations/acme/pipelines/checkout/builds"]


async def test_at_first_and_after_a_gap_the_default_branch_is_read_further_back() -> None:
    side = [build(number, branch="side") for number in range(30, 20, -1)]
    server = Server(*side, build(2, "failed"))
    source, http, part = await read(server, builds=10)
    assert http.calls[-1].query["branch[]"] == ["main"]
    assert "buildkite:build:checkout/2" in {item.key for item in part.items}
    http.calls.clear()
    await read_one(source, http)
    assert not any("branch[]" in call.query for call in http.calls)
    server.builds = [build(number, branch="side") for number in range(60, 50, -1)] + [build(45, "failed")]
    part = await read_one(source, http)
    assert "buildkite:build:checkout/45" in {item.key for item in part.items}


async def test_a_whole_organization() -> None:
    server = Server(
        *(build(n, branch="side") for n in range(500, 400, -1)), *(build(n, slug="ledger") for n in range(400))
    )
    _, http, part = await read(server, pipelines=[])
    assert part.scope == "acme builds"
    assert [call.path for call in http.calls] == ["/v2/organizations/acme/builds"] * 4
    assert len(part.items) == 400  # the newest 100 and three pages of the default branches
    assert {item.key.split("/")[0] for item in part.items} == {"buildkite:build:checkout", "buildkite:build:ledger"}


async def test_one_failing_pipeline_harms_no_other() -> None:
    source = make_source(Buildkite, {"organization": "acme", "pipelines": ["checkout", "gone", "checkout", "ledger"]})
    parts = {part.scope: part for part in (await read_all(source, FakeHttp(Server(), API))).parts}
    assert list(parts) == ["acme/checkout builds", "acme/gone builds", "acme/ledger builds"]
    assert isinstance(parts["acme/gone builds"].error, NotFound)
    assert len(parts["acme/checkout builds"].items) == 7
    assert parts["acme/ledger builds"].notes == ("ledger: no builds yet",)


async def test_an_organization_without_a_build_is_a_fault() -> None:
    server = Server()
    server.builds = []
    with pytest.raises(NotFound, match="acme: no build at all"):
        await read(server, pipelines=[])


async def test_an_odd_row_does_not_cost_the_others() -> None:
    source = make_source(Buildkite, {"organization": "acme", "pipelines": ["checkout"]})
    (part,) = (await read_all(source, FakeHttp(Server(build(2), {**build(1), "number": "x"}), API))).parts
    assert [item.run_number for item in builds(part)] == [2]
    assert isinstance(part.error, BadAnswer)


async def test_a_build_is_read_again_by_its_number() -> None:
    server = Server()
    source, http, _ = await read(server)
    server.builds[1].update(state="passed", finished_at=when(20))
    found = await source.lookup("build", "checkout/14", http)
    assert (found.key, found.state) == ("buildkite:build:checkout/14", "success")
    rebuilt = await source.lookup("build", "checkout/10", http)
    assert rebuilt.attempt == 2
    assert await source.lookup("build", "ledger/1", http) is None  # no longer asked for
    with pytest.raises(NotFound):
        await source.lookup("build", "checkout/99", http)


# -- credentials, quotas, options --------------------------------------------------------------------------------------


def test_the_token_is_a_bearer_token() -> None:
    source = make_source(Buildkite, {"organization": "acme"})
    assert source.sign(Credentials(token="bkua_1")) == {"Authorization": "Bearer bkua_1"}


class Live:
    """The source through the real client, with Buildkite's two sets of quota headers in each answer."""

    def __init__(self, tmp_path: Path, organization: int, user: int, token: str = "bkua_1") -> None:
        secret = tmp_path / "token"
        secret.write_text(token)
        secret.chmod(0o600)
        self.server = Server()
        self.server.token = "bkua_1"
        self.left = {"": (organization, 200), "user-": (user, 50)}
        self.status = 200
        self.asked = 0
        clock = FakeClock(START)
        self.source = make_source(Buildkite, {"organization": "acme", "token": f"file:{secret}"}, clock)
        self.pool = ClientPool(clock, transport=httpx.MockTransport(self.answer), salt=b"salt", trust_env=False)
        self.client = self.pool.for_source(self.source)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        call = Call(method="GET", url=str(request.url), headers={k.lower(): v for k, v in request.headers.items()})
        answer = self.server(call)
        headers = dict(answer.headers)
        for who, (left, limit) in self.left.items():
            headers[f"ratelimit-{who}remaining"] = str(left)
            headers[f"ratelimit-{who}limit"] = str(limit)
            headers[f"ratelimit-{who}reset"] = "42"
            headers[f"ratelimit-{who}scope"] = "rest_user" if who else "rest"
        return httpx.Response(
            self.status if self.status != 200 else answer.status, content=answer.body, headers=headers
        )

    async def part(self) -> Any:
        (part,) = (await self.source.poll(self.client.factory)).parts
        return part


@pytest.mark.parametrize("organization,user,tightest", [(80, 35, (35, 50)), (9, 40, (9, 200))])
async def test_both_quotas_are_kept_to(tmp_path: Path, organization: int, user: int, tightest: tuple[int, int]) -> None:
    live = Live(tmp_path, organization, user)
    async with live.pool:
        assert (await live.part()).error is None
        left, limit, reset = live.client.budget_view()
        assert (left, limit) == tightest
        assert left is not None
        assert reset == pytest.approx(42)
        assert live.client.pause_for(1) == pytest.approx(42 / left)


@pytest.mark.parametrize("organization,user", [(80, 0), (0, 35)])
async def test_nothing_is_asked_while_either_quota_is_used_up(tmp_path: Path, organization: int, user: int) -> None:
    live = Live(tmp_path, organization, user)
    async with live.pool:
        await live.part()
        asked = live.asked
        error = (await live.part()).error
        assert isinstance(error, RateLimited)
        assert error.retry_after == pytest.approx(42)
        assert live.asked == asked


async def test_a_refusal_for_the_users_quota_says_when_to_come_back(tmp_path: Path) -> None:
    live = Live(tmp_path, 80, 0)
    live.status = 429
    async with live.pool:
        error = (await live.part()).error
        assert isinstance(error, RateLimited)
        assert error.retry_after == 42


async def test_a_wrong_token_is_told(tmp_path: Path) -> None:
    live = Live(tmp_path, 80, 35, token="wrong")
    async with live.pool:
        assert isinstance((await live.part()).error, AuthError)


@pytest.mark.parametrize(
    "options,message",
    [
        ({}, "organization"),
        ({"organization": ""}, "`organization`"),
        ({"organization": "https://buildkite.com/acme"}, "acme for buildkite.com/acme"),
        ({"organization": ".."}, "`organization`"),
        ({"organization": "acme", "pipelines": ["acme/checkout"]}, "checkout for buildkite.com/acme/checkout"),
        ({"organization": "acme", "builds": 0}, "builds"),
        ({"organization": "acme", "builds": 101}, "builds"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        make_source(Buildkite, options)
