"""The pretend company: the same for the same seed, of the size asked for, and never growing without end."""

from __future__ import annotations

import pytest

from statusboard.demo.records import Build
from statusboard.demo.state import LONGEST_JUMP
from statusboard.demo.world import World
from tests.demo.conftest import START


def builds_of(world: World) -> list[Build]:
    return [build for service in world.services for build in service.builds]


def portrait(world: World) -> list[object]:
    """Everything that can be read of a world, in a form that can be compared."""
    return [
        [
            (b.id, b.request_id, b.title, b.actor, b.sha, b.state, b.attempt, b.started, b.ended)
            for b in builds_of(world)
        ],
        [(d.id, d.version, d.previous, d.region, d.states) for s in world.services for d in s.deployments],
        [(p.id, p.version, p.body, p.created) for s in world.services for p in s.publications],
        [(t.number, t.title, t.status, t.assignee, t.updated) for s in world.services for t in s.issues],
        [(t.id, t.title, t.status, t.assignee, t.updated) for t in world.tracker],
        [(a.fingerprint, a.starts) for a in world.alerts],
        [(s.id, s.starts, s.ends) for s in world.silences],
        [world.faults, world.deploy_lines, world.now],
    ]


def counts(world: World) -> tuple[int, int, int, int]:
    """Builds, releases, alerts, tickets."""
    releases = sum(
        len(s.publications) + len({(d.version, d.environment) for d in s.deployments}) for s in world.services
    )
    tickets = len(world.tracker) + sum(not t.pull for s in world.services for t in s.issues)
    return len(builds_of(world)), releases, len(world.alerts), tickets


def test_the_same_seed_tells_the_same_story():
    worlds = [World(seed=3, start=START) for _ in range(2)]
    for world in worlds:
        world.advance(START + 900)
    assert portrait(worlds[0]) == portrait(worlds[1])


def test_another_seed_tells_another_story():
    assert portrait(World(seed=3, start=START)) != portrait(World(seed=4, start=START))


def test_how_often_time_is_told_makes_no_difference():
    leap, steps = World(start=START), World(start=START)
    leap.advance(START + 800)
    for second in range(0, 801, 7):
        steps.advance(START + second)
    steps.advance(START + 800)
    assert portrait(leap) == portrait(steps)


def test_a_small_company_is_small():
    world = World(start=START)
    builds, releases, alerts, tickets = counts(world)
    assert len(world.services) == 8
    assert 50 <= builds <= 85
    assert 15 <= releases <= 32
    assert 5 <= alerts <= 8
    assert 18 <= tickets <= 32


def test_the_biggest_company_has_ten_thousand_items_however_much_is_asked_for():
    world = World(size=5_000, start=START)
    assert 9_000 <= sum(counts(world)) <= 12_000
    assert len({service.name for service in world.services}) == len(world.services)
    assert {service.ci for service in world.services} == {"actions", "buildbot"}


@pytest.mark.parametrize("options", [{"size": 0}, {"size": -1}, {"speed": 0.0}, {"speed": -2.0}])
def test_impossible_sizes_and_speeds_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        World(start=START, **options)


def test_the_past_is_in_order():
    world = World(start=START)
    for build in builds_of(world):
        times = [t for t in (build.created, build.started, build.ended) if t is not None]
        assert times == sorted(times)
        assert times[-1] <= START
        assert build.finished == (build.ended is not None)
    assert min(build.created for build in builds_of(world)) < START - 5 * 3600
    for service in world.services:
        assert [b.created for b in service.builds] == sorted(b.created for b in service.builds)


def test_every_default_branch_starts_green_at_the_smallest_size():
    world = World(start=START - 60)
    for service in world.services:
        for pipeline in service.pipelines:
            verdicts = [
                b.state
                for b in service.builds
                if b.pipeline == pipeline and b.branch == "main" and not b.fork and b.state in ("success", "failed")
            ]
            assert verdicts[-1] == "success"


def test_the_oddities_are_there():
    builds = builds_of(World(start=START))
    assert {"cancelled", "skipped", "warning", "exception", "blocked"} <= {b.state for b in builds}
    assert any(b.attempt > 1 and b.state == "success" for b in builds)
    assert any(b.state == "failed" and b.change and b.branch != "main" for b in builds)
    assert any(b.state == "failed" and b.fork and b.branch == "main" for b in builds)


def test_titles_hold_markup_and_wide_letters():
    world = World(start=START)
    titles = {b.title for b in builds_of(world)} | {t.title for t in world.tracker}
    assert "fix: handle list[int] in [prod] config" in titles
    assert any("\u3040" <= char <= "\u9fff" for title in titles for char in title)


def test_a_month_does_not_fill_the_memory():
    world = World(start=START)
    sizes = []
    for hour in range(1, 31):
        world.advance(START + hour * LONGEST_JUMP)
        sizes.append(sum(counts(world)))
    assert max(sizes[15:]) < 1.25 * max(sizes[:15])
    assert len(world._agenda) < 100


def test_after_a_long_sleep_the_story_goes_on_where_it_was():
    world, awake = World(start=START), World(start=START)
    before = world.story.rounds
    world.advance(START + 50 * LONGEST_JUMP)
    assert world.story.rounds == before
    world.advance(START + 50 * LONGEST_JUMP + 200)
    awake.advance(START + 200)
    assert world.story.rounds == awake.story.rounds == before + 1


def test_speed_shortens_the_story():
    slow, fast = World(start=START), World(start=START, speed=10)
    slow.advance(START + 360)
    fast.advance(START + 36)
    assert slow.story.rounds == fast.story.rounds
    assert fast.story.rounds > World(start=START).story.rounds


def test_time_never_runs_backwards():
    world = World(start=START)
    world.advance(START + 100)
    before = portrait(world)
    world.advance(START - 100)
    assert portrait(world) == before


@pytest.mark.parametrize(
    ("name", "service"),
    [("dance", "checkout"), ("release", "nobody"), ("silence_alert", "payments"), ("rerun_build", "nobody")],
)
def test_an_act_that_cannot_be_is_refused(name, service):
    with pytest.raises(LookupError):
        World(start=START).act(name, service)


def test_every_act_can_be_called():
    world = World(start=START)
    world.act("fire_alert", "checkout")
    for name in world.act_names:
        if name not in ("resolve_alert", "close_ticket"):
            world.act(name, "checkout")
    world.act("close_ticket", "checkout")
    world.act("resolve_alert", "checkout")
    world.act("resolve_alert", "checkout")
    world.advance(START + 600)
    assert not world.faults.get("github")
