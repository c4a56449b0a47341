"""The 90 days before the demo begins: their story, and that they lead up to the world that the vendors show."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from statusboard.demo import items
from statusboard.demo.history import Chronicle, write
from statusboard.demo.names import TEAM_OF
from statusboard.demo.state import FIRST_IDS
from statusboard.demo.world import World
from statusboard.model import Build, Incident, Release, Ticket, remote_id
from tests.demo.conftest import START

URLS = {"buildbot": "http://127.0.0.1:9", "roundup": "http://127.0.0.1:8/board"}
LOG = "/nowhere/deploys.jsonl"


def chronicle(seed: int = 7, size: int = 1, start: float = START) -> tuple[Chronicle, World]:
    world = World(seed=seed, size=size, start=start, relive=True)
    later = World(seed=seed, size=size, start=start)
    return write(world, later, seed=seed, urls=URLS, log=LOG), world


@pytest.fixture(scope="module")
def told() -> Chronicle:
    return chronicle()[0]


def deployments(told: Chronicle) -> list[Release]:
    """All that went to production, each as it was when it had just ended, in the order in which they did."""
    found: dict[str, Release] = {}
    for each in told.told:
        item = each.item
        if isinstance(item, Release) and item.environment in ("production", "prod") and item.ended_at is not None:
            found.setdefault(item.key, item)
    return list(found.values())


def service_of(release: Release) -> str:
    return release.services[0] if release.services else release.repository.partition("/")[2]


def test_the_same_seed_tells_the_same(told: Chronicle) -> None:
    assert chronicle()[0] == told
    assert chronicle(seed=8)[0] != told


@pytest.mark.parametrize(("seed", "size"), [(7, 1), (1, 1), (23, 1), (5, 90)])
def test_it_is_told_in_order_and_ends_before_the_world_begins(seed: int, size: int) -> None:
    told, world = chronicle(seed, size)
    times = [each.at for each in told.told]
    assert times == sorted(times)
    assert told.since < times[0]
    assert times[-1] < told.until < world.now
    assert told.until - told.since > 89 * 86_400
    assert len(told.told) > 14_000


@pytest.mark.parametrize("seed", [7, 11])
def test_ids_and_numbers_lead_up_to_those_of_the_world(seed: int) -> None:
    told, world = chronicle(seed)
    runs: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    issues: defaultdict[str, set[int]] = defaultdict(set)
    for each in told.told:
        match each.item:
            case Build() as build:
                assert build.run_number is not None
                runs[build.repository.removeprefix("https://github.example/"), build.pipeline].add(build.run_number)
                number = int(remote_id(build.key).rpartition("/")[2])
                assert number <= FIRST_IDS["run" if build.source == items.GITHUB else "request"]
            case Ticket() as ticket if ticket.source == items.GITHUB and each.at < told.until:
                issues[ticket.repository].add(int(ticket.ticket_id.removeprefix("#")))
    for service in world.services:
        for pipeline in service.pipelines:
            numbers = runs[service.repo, pipeline]
            last = service.numbers[pipeline]
            assert numbers == set(range(last - len(numbers) + 1, last + 1))
            assert min(numbers) > 0


@pytest.mark.parametrize("seed", [7, 11])
def test_production_runs_at_the_end_what_the_world_begins_with(seed: int) -> None:
    told, world = chronicle(seed)
    runs = {service_of(r): r.version for r in deployments(told) if r.state == "success"}
    assert runs == {service.name: service.version for service in world.services}


def test_a_deployment_follows_what_ran_before(told: Chronicle) -> None:
    runs: dict[tuple[str, str], str] = {}
    for release in deployments(told):
        place = (service_of(release), release.target)
        before = runs.get(place)
        if before is not None and release.previous_version:
            assert release.previous_version == before or release.target
        if release.state == "success":
            runs[place] = release.version


def test_nights_and_weekends_are_quiet(told: Chronicle) -> None:
    pushed = [
        datetime.fromtimestamp(each.at, UTC)
        for each in told.told
        if isinstance(each.item, Build) and each.item.pipeline != "nightly"
    ]
    days = Counter(moment.weekday() for moment in pushed)
    assert max(days[5], days[6]) * 4 < min(days[day] for day in range(5))
    hours = Counter(moment.hour for moment in pushed)
    assert sum(hours[hour] for hour in range(9, 17)) > 4 * sum(hours[hour] for hour in (*range(6), *range(21, 24)))


def test_alerts_follow_releases_and_some_have_none_behind_them(told: Chronicle) -> None:
    ended = [(release.ended_at, release) for release in deployments(told) if release.ended_at]
    alerts = {(e.key, e.item.started_at): e.item for e in told.told if isinstance(e.item, Incident)}
    close = [
        alert
        for alert in alerts.values()
        if any(timedelta(0) < alert.started_at - at < timedelta(hours=1) for at, _ in ended if alert.started_at)
    ]
    assert len(alerts) > 60
    assert 15 < len(close) < len(alerts) - 15
    assert any(alert.state == "suppressed" for alert in alerts.values())


def test_what_breaks_is_rolled_back_or_fails(told: Chronicle) -> None:
    states = Counter(e.item.state for e in told.told if isinstance(e.item, Release))
    assert states["rolled_back"] > 8
    assert states["failed"] > 2


def test_one_team_gets_better(told: Chronicle) -> None:
    middle = (told.since + told.until) / 2
    undone = [
        e.at
        for e in told.told
        if isinstance(e.item, Release)
        and e.item.state in ("rolled_back", "failed")
        and TEAM_OF[service_of(e.item)] == "payments"
    ]
    shipped = [
        release.ended_at.timestamp()
        for release in deployments(told)
        if release.ended_at and TEAM_OF[service_of(release)] == "payments" and not release.target
    ]
    early, late = (sum(at < middle for at in times) for times in (undone, shipped))
    assert early / late > 2 * (len(undone) - early) / (len(shipped) - late)


def test_the_deploy_log_says_when_commits_were_made(told: Chronicle) -> None:
    known = [each for each in deployments(told) if each.committed_at is not None]
    assert {service_of(each) for each in known} == {"invoicing", "warehouse"}, "GitHub was not asked"
    first: dict[tuple[str, str, str], float] = {}  # not those that a roll-back brings again
    for each in known:
        assert each.ended_at is not None and each.committed_at is not None
        took = (each.ended_at - each.committed_at).total_seconds() / 3600
        first.setdefault((service_of(each), each.version, each.target), took)
    hours = list(first.values())
    assert 2 < median(hours) < 20 and min(hours) > 0 and max(hours) < 60


def test_one_pipeline_is_flaky_one_grows_and_one_was_red_for_days(told: Chronicle) -> None:
    ended: dict[tuple[str, int], Build] = {}
    for each in told.told:
        if isinstance(each.item, Build) and each.item.ended_at:
            ended[each.item.key, each.item.attempt] = each.item
    builds = list(ended.values())
    outcomes: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for build in builds:
        outcomes[build.repository, build.pipeline, build.revision].add(build.state)
    flaky = Counter(key[:2] for key, states in outcomes.items() if {"failed", "success"} <= states)
    assert flaky.most_common(1)[0][1] > 20
    assert len(flaky) == 1

    def takes(repository: str, since: float, until: float) -> float:
        span = told.until - told.since
        return median(
            (build.ended_at - build.started_at).total_seconds()
            for build in builds
            if build.repository == repository and build.pipeline == "CI" and build.ended_at and build.started_at
            if since <= (build.started_at.timestamp() - told.since) / span < until
        )

    assert takes("acme/search", 0.8, 1.0) > 1.8 * takes("acme/search", 0.0, 0.2)
    assert takes("acme/checkout", 0.8, 1.0) < 1.2 * takes("acme/checkout", 0.0, 0.2)
    nightly = Counter(b.repository for b in builds if b.pipeline == "nightly" and b.state == "failed")
    assert [count > 4 for count in nightly.values()] == [True]


def test_some_nights_nobody_watched_and_sources_were_blind(told: Chronicle) -> None:
    nights = [gap for gap in told.gaps if not gap.source]
    assert len(nights) > 2
    assert {gap.source for gap in told.gaps} > {"", items.GITHUB}
    ends = [gap.until for gap in told.gaps]
    assert all(since >= before for before, since in zip(ends, [gap.since for gap in told.gaps][1:], strict=False))
