"""Which releases are suspected of an incident, why, and how often that is right on generated histories."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from statusboard.catalog import Catalog
from statusboard.clock import Duration
from statusboard.model import Annotation, Incident, Release
from statusboard.rollouts import rollouts_of
from statusboard.suspects import MOST, Candidates, Reason, Suspect, Weights
from tests.bench import other_worlds, worlds
from tests.bench import suspects as bench
from tests.bench.labelled import History
from tests.config.sources import Home

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DEPENDS_ON = {"shop": ["cart", "Search"], "cart": ["ledger"]}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def release(name: str = "1", began: float | None = 10, ended: float | None = 4, **more: Any) -> Release:
    """A deployment of the shop; times in minutes before the incident."""
    known: dict[str, Any] = {
        "key": f"cd:release:{name}",
        "source": "cd",
        "state": "success",
        "services": ("shop",),
        "environment": "production",
        "version": f"1.{name}" if name.isdigit() else name,
        "started_at": None if began is None else ago(began),
        "ended_at": None if ended is None else ago(ended),
    }
    return Release(**(known | more))


def incident(**more: Any) -> Incident:
    known: dict[str, Any] = {
        "key": "alerts:incident:1",
        "source": "alerts",
        "state": "open",
        "services": ("shop",),
        "environment": "production",
        "started_at": NOW,
    }
    return Incident(**(known | more))


def suspects(
    releases: Iterable[Release],
    of: Incident | None = None,
    said: Iterable[Annotation] = (),
    beside: Iterable[Incident] = (),
    **weights: Any,
) -> list[Suspect]:
    candidates = Candidates(
        releases,
        weights=Weights(**weights),
        depends_on=DEPENDS_ON,
        production=lambda name: Catalog().tier_of(name) == "production",
    )
    for other in beside:
        candidates.put_incident(other.key, other)
    return candidates.of(of or incident(), said)


def names(found: Iterable[Suspect]) -> list[str]:
    return [suspect.release.key.rpartition(":")[2] for suspect in found]


def told(found: Iterable[Suspect]) -> list[str]:
    """The reasons of the only suspect, as one reads them."""
    (suspect,) = found
    assert sum(reason.points for reason in suspect.reasons) == suspect.points
    return [f"{reason.words} {reason.points:+}" for reason in suspect.reasons]


def told_all(found: Iterable[Suspect]) -> list[tuple[str, tuple[Reason, ...]]]:
    return [(suspect.release.key, suspect.reasons) for suspect in found]


# -- reasons ----------------------------------------------------------------------------------------------------------


def test_a_suspect_tells_each_of_its_points():
    undone = release("7", state="rolled_back", updated_at=ago(-20), commits=64)
    assert told(suspects([undone])) == [
        "same service +40",
        "finished 4 min before +34",
        "rolled back later +20",
        "64 commits +6",
    ]


@pytest.mark.parametrize(
    "more, words",
    [
        ({"services": ("SHOP", "x")}, "same service +40"),
        ({"services": ("cart",)}, "shop depends on cart +30"),
        ({"services": ("search",)}, "shop depends on Search +30"),
        ({"services": ("ledger",)}, "shop depends on ledger through cart +10"),
        ({"services": ("x",), "repository": "acme/shop"}, "same repository +15"),
        ({"services": ("x",), "team": "Till"}, "same team +10"),
    ],
)
def test_how_it_is_related(more: Mapping[str, Any], words: str):
    fault = incident(repository="acme/shop", team="till")
    assert told(suspects([release(**more)], fault)) == [words, "finished 4 min before +34"]


def test_a_repository_of_the_service_is_known_by_its_other_releases():
    known = release("1", began=9000, ended=9000, repository="acme/all")
    assert told(suspects([known, release("2", services=("x",), repository="Acme/All")]))[0] == "same repository +15"


def test_the_team_counts_more_where_an_incident_names_no_service():
    other = release(services=("x",), team="Till")
    assert told(suspects([other], incident(services=(), team="till")))[0] == "same team, no service is named +20"
    assert told(suspects([other], incident(team="till")))[0] == "same team +10"


def test_of_a_team_s_incident_without_a_service_what_the_team_depends_on_is_related():
    known = release("1", began=9000, ended=9000, team="till")
    found = suspects([known, release("2", services=("cart",))], incident(services=(), team="till"))
    assert told(found)[0] == "shop of the team depends on cart +10"


@pytest.mark.parametrize(
    "began, ended, more, words",
    [
        (10, 4, {}, "finished 4 min before +34"),
        (40, 30, {}, "finished 30 min before +26"),
        (200, 190, {}, "finished 3 h before +14"),
        (1_200, 1_199, {}, "finished 20 h before +2"),
        (1, 0.5, {}, "finished 30 s before +35"),
        (10, -5, {}, "was being rolled out +35"),
        (10, None, {}, "began 10 min before +32"),
        (10, None, {"state": "running"}, "was being rolled out +35"),
        (90, None, {"state": "running"}, "began 90 min before +19"),
        (-1, -5, {}, "began 1 min after, by its clock +30"),
        (-5, None, {}, "began 5 min after, by its clock +18"),
        (10, 20, {}, "finished 10 min before +32"),  # ends before it begins
        (None, 10, {}, "finished 10 min before +32"),
        (None, None, {"updated_at": ago(10)}, "began 10 min before +32"),
        (10, 2, {"state": "inactive"}, "began 10 min before +32"),  # its end is when it was replaced
    ],
)
def test_when_it_was(began: float | None, ended: float | None, more: Mapping[str, Any], words: str):
    reasons = told(suspects([release("1", began, ended, **more)]))
    assert words in reasons


def test_one_share_of_time_goes_quickly_and_the_other_slowly():
    hours = release(began=200, ended=180)
    assert "finished 3 h before +0" in told(suspects([hours], slow_time=0))
    assert "finished 3 h before +20" in told(suspects([hours], slow_half_life=Duration(14 * 86_400)))
    with pytest.raises(ValueError, match="slow_half_life"):
        Weights(slow_half_life=Duration(0))


def test_what_is_hours_old_in_the_service_gives_way_to_what_just_went_out_below():
    hours = [release(str(n), 60 * n, 60 * n - 4, version=f"3.{9 - n}") for n in (15, 18, 20)]
    below = release("9", 30, 24, services=("cart",))
    assert names(suspects([*hours, below])) == ["9", "15", "18"]
    assert names(suspects([*hours, below], slow_time=0, time=0)) == ["15", "18", "20"]


def test_a_failed_one_and_a_large_one_count_more():
    assert "failed +8" in told(suspects([release(state="failed")]))
    assert "8 commits +3" in told(suspects([release(commits=8)]))
    assert all("commit" not in reason for reason in told(suspects([release(commits=1)])))


def test_one_rolled_back_before_the_incident_counts_less():
    assert "rolled back before -20" in told(
        suspects([release(began=60, ended=50, state="rolled_back", updated_at=ago(9))])
    )


# -- gates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "candidate",
    [
        release(environment="staging"),
        release(environment="live-2"),
        release(type="publication"),
        release(state="queued"),
        release(state="blocked", began=None, ended=None),
        release(state="cancelled", began=None),
        release(began=None, ended=None),
        release(began=24 * 60 + 1),
        release(began=-5.1, ended=None),
        release(began=-600, ended=-700),
        release(services=("x",), began=120, ended=119),
    ],
)
def test_what_is_no_suspect(candidate: Release):
    assert suspects([candidate]) == []


def test_an_unknown_environment_passes_unscored():
    here = told(suspects([release()]))
    assert told(suspects([release(environment="")])) == here
    assert told(suspects([release()], incident(environment=""))) == here
    assert suspects([release(environment="live")], incident(environment="production")) == []
    assert told(suspects([release(environment="Production")])) == here


def test_an_incident_in_staging_has_no_suspect_but_of_an_unknown_environment():
    fault = incident(environment="staging")
    assert suspects([release(environment="staging"), release()], fault) == []


def test_of_an_incident_without_a_beginning_nothing_is_told():
    assert suspects([release()], incident(started_at=None)) == []


def test_an_incident_that_ends_before_it_begins_is_asked_by_its_beginning():
    assert names(suspects([release()], incident(state="resolved", ended_at=ago(600)))) == ["1"]


def test_the_tolerance_of_clocks_can_be_set():
    late = release(began=-1.5, ended=None)
    assert names(suspects([late])) == ["1"]
    assert suspects([late], tolerance=Duration(60)) == []


def test_the_best_three_whatever_the_order():
    many = [release(str(n), began=n * 20 + 10, ended=n * 20 + 4, version=f"2.{9 - n}") for n in range(6)]
    assert names(suspects(many)) == names(suspects(reversed(many))) == ["0", "1", "2"]
    assert names(suspects(many, floor=70)) == ["0"]


# -- rollouts and rollbacks -------------------------------------------------------------------------------------------


def to(target: str, began: float, ended: float | None, version: str = "2.0", **more: Any) -> Release:
    return release(f"{version}-{target}", began, ended, version=version, target=target, **more)


def test_one_version_on_several_targets_is_one_suspect():
    targets = [to("eu-1", 40, 35), to("eu-2", 30, 25), to("us-1", 10, 4), to("us-2", -5, -9)]
    (found,) = suspects(targets)
    assert [reason.words for reason in found.reasons] == ["same service", "finished 4 min before, 3/4 targets"]
    assert found.release is targets[2] and found.rollout == tuple(targets)
    (there,) = suspects(targets, incident(target="EU-1"))
    assert there.release is targets[0]


def test_without_a_version_each_is_one_of_its_own():
    assert len(suspects([to("eu-1", 40, 35, ""), to("eu-2", 30, 25, "")])) == 2


def test_the_same_version_once_more_is_a_release_of_its_own():
    again = [to("eu-1", 300, 290), to("eu-1", 20, 10, "2.0", key="cd:release:again")]
    assert names(suspects(again)) == ["again", "2.0-eu-1"]
    assert all(reason.points >= 0 for suspect in suspects(again) for reason in suspect.reasons)


def test_a_rollback_after_the_incident_is_the_cure_and_tells_of_what_it_undoes():
    releases = [release("1", 900, 890), release("2", 10, 4), release("3", -1, -3, version="1.1")]
    cause, first = suspects(releases)
    assert names([cause, first]) == ["2", "1"]
    assert "rolled back later" in [reason.words for reason in cause.reasons]
    assert "rolled back later" not in [reason.words for reason in first.reasons]


def test_a_rollback_before_the_incident_is_less_of_a_suspect():
    (found, undone) = suspects([release("2", 60, 50), release("3", 20, 10, version="1.1", previous_version="1.2")])
    assert [reason.words for reason in found.reasons] == ["same service", "finished 10 min before", "is a rollback"]
    assert "rolled back before" in [reason.words for reason in undone.reasons]


def test_an_older_number_is_a_rollback_though_nobody_saw_what_it_goes_back_to():
    replaced = release("9", 60, 50, version="v1.10.0")
    back = release("10", -1, -2, version="v1.9.3")
    assert names(suspects([replaced, back])) == ["9"]


def test_what_another_service_deploys_is_no_rollback():
    other = release("2", 60, 50, version="9.0", services=("cart",))
    assert "is a rollback" not in str(told([suspects([other, release("1", version="1.0")])[0]]))


# -- what else broke at the same time ---------------------------------------------------------------------------------


def broken(*services: str, minutes: float = 0, **more: Any) -> Incident:
    return incident(key=f"alerts:incident:{services}", services=services, started_at=ago(minutes), **more)


def test_what_stands_on_a_release_and_broke_too_speaks_for_it():
    """The shop and others depend on the ledger; that the shop does nobody has declared."""
    ledger, others = release(services=("ledger",)), [broken("cart"), broken("ledger", minutes=8), broken("api")]
    fault = incident(services=("desk",))
    ((words, points),) = [(told(found)[1:], found[0].related) for found in [suspects([ledger], fault, beside=others)]]
    assert (words, points) == (["cart and ledger broke too +15"], True)
    many = [broken("cart", f"x{n}") for n in range(2)] + [broken("ledger")]
    assert told(suspects([ledger], fault, beside=many))[1:] == ["cart and ledger broke too +15"]


@pytest.mark.parametrize(
    "other",
    [
        broken("api"),  # does not stand on it
        broken("shop", "cart"),  # the same, told once more
        broken(),
        broken("cart", minutes=11),
        broken("cart", minutes=-11),
        broken("cart", state="pending"),
        broken("cart", state="suppressed"),
        broken("cart", environment="staging"),
        incident(key="alerts:incident:2", services=("cart",), started_at=None),
    ],
)
def test_what_says_nothing_of_it(other: Incident):
    releases = [release(services=("ledger",))]
    assert suspects(releases, beside=[incident(), other]) == suspects(releases)


def test_in_a_storm_the_nearest_speak_and_more_than_eight_are_worth_no_more():
    storm = [broken(f"x{n:03}", "cart", minutes=n / 100 - 5) for n in range(900)]
    (found,) = suspects([release(services=("ledger",))], incident(services=("desk",)), beside=storm)
    assert found.reasons[-1].words == "cart, which depends on it, broke too"
    wide = {f"x{n}": ("ledger",) for n in range(40)}
    candidates = Candidates([release(services=("ledger",))], depends_on=wide, production=bench.production)
    for name in wide:
        candidates.put_incident(name, broken(name))
    (found,) = candidates.of(incident(services=("desk",)))
    assert found.reasons[-1] == Reason("x0, x1 and 38 more, which depend on it, broke too", 20)


def test_a_dependency_that_many_have_is_less_of_a_suspect_for_each():
    wide = {f"x{n}": ("ledger",) for n in range(7)} | {"shop": ("ledger",)}
    candidates = Candidates([release(services=("ledger",))], depends_on=wide, production=bench.production)
    assert told(candidates.of(incident()))[0] == "shop depends on ledger, as 7 others do +24"


# -- by its title -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title, words",
    [
        ("Shop 1.4 to production", "same service, by its title +35"),
        ("cart: 1.4", "shop depends on cart, by its title +25"),
        ("fix the shop", "nothing known relates them +0"),
        ("1.4 to shop", "nothing known relates them +0"),
        ("", "nothing known relates them +0"),
    ],
)
def test_a_title_may_name_the_service(title: str, words: str):
    named = [release(f"named-{name}", 9_000, 8_990, services=(name,)) for name in ("shop", "cart")]
    for releases in ([*named, release(services=(), title=title)], [release(services=(), title=title), *named]):
        assert told(suspects(releases)) == [words, "finished 4 min before +34"]


def test_a_title_counts_for_less_than_what_is_said():
    found = suspects([release(services=("shop",), title="cart 1.4"), release("old", 9_000, services=("cart",))])
    assert told(found)[0] == "same service +40"


def test_a_version_is_no_name():
    releases = [
        release("1", 9_000, services=("abc",)),
        release(services=(), title="abc to production", version="abcdef"),
    ]
    assert told(suspects(releases, incident(services=("abc",))))[0] == "nothing known relates them +0"


def test_the_title_of_an_incident_may_name_the_service():
    (found, below) = suspects(
        [release("1"), release("2", services=("cart",))], incident(services=(), title="Shop: 5xx")
    )
    assert found.reasons[0] == Reason("same service, by the incident's title", 35)
    assert below.reasons[0] == Reason("shop depends on cart, by the incident's title", 25)


# -- what people say --------------------------------------------------------------------------------------------------


def said(what: Any, key: str, episode: datetime | None = NOW, **more: Any) -> Annotation:
    known: dict[str, Any] = {"key": f"people:annotation:{key}", "source": "people", "state": "set", "author": "anna"}
    return Annotation(**known, target="alerts:incident:1", episode=episode, what=what, text=f"cd:release:{key}", **more)


def test_a_confirmed_one_stands_first_and_a_dismissed_one_is_left_out():
    times = [(10, 4), (60, 50), (100, 90), (200, 190)]
    releases = [release(str(n), *both, version=f"3.{9 - n}") for n, both in enumerate(times, 1)]
    notes = [said("suspect_dismissed", "1"), said("suspect_confirmed", "3")]
    found = suspects(releases, said=notes)
    assert names(found) == ["3", "2", "4"]
    assert [suspect.confirmed_by for suspect in found] == ["anna", "", ""]
    assert found[0].points == sum(reason.points for reason in found[0].reasons) > 0


def test_a_verdict_holds_for_its_episode():
    notes = [said("suspect_dismissed", "1", ago(600))]
    assert names(suspects([release()], said=notes)) == ["1"]


def test_one_confirmed_that_is_no_candidate_has_no_points():
    notes = [said("suspect_confirmed", "1"), said("suspect_confirmed", "gone")]
    (found,) = suspects([release("1", 9_000, 8_990)], said=notes)
    assert (found.points, found.reasons, found.confirmed_by) == (0, (), "anna")


def test_a_dismissed_target_takes_its_rollout_along():
    targets = [to("eu-1", 40, 35), to("us-1", 10, 4)]
    assert suspects(targets, said=[said("suspect_dismissed", "2.0-eu-1")]) == []


# -- laws -------------------------------------------------------------------------------------------------------------

_MINUTES = st.one_of(st.none(), st.integers(-30, 1_600))
_RELEASES = st.lists(
    st.builds(
        lambda began, ended, **more: (began, ended, more),
        _MINUTES,
        _MINUTES,
        state=st.sampled_from(["success", "failed", "running", "rolled_back", "inactive", "queued", "unknown"]),
        services=st.sampled_from([(), ("shop",), ("cart",), ("ledger",), ("x", "shop")]),
        title=st.sampled_from(["", "shop 1.0", "cart", "ledger: 2"]),
        team=st.sampled_from(["", "till"]),
        environment=st.sampled_from(["", "production", "staging"]),
        commits=st.one_of(st.none(), st.integers(-1, 300)),
        version=st.sampled_from(["", "1.0", "1.1", "2.0", "abc"]),
        target=st.sampled_from(["", "eu", "us"]),
        updated_at=st.one_of(st.none(), st.integers(-60, 60).map(ago)),
    ),
    max_size=25,
)
_INCIDENTS = st.builds(
    incident,
    services=st.sampled_from([(), ("shop",), ("cart", "shop")]),
    title=st.sampled_from(["", "shop is slow"]),
    team=st.sampled_from(["", "till"]),
    environment=st.sampled_from(["", "production"]),
    target=st.sampled_from(["", "eu"]),
)


def made(drawn: list[tuple[int | None, int | None, dict[str, Any]]]) -> list[Release]:
    return [release(str(n), began, ended, **more) for n, (began, ended, more) in enumerate(drawn)]


@settings(max_examples=80, deadline=None)
@given(_RELEASES, _INCIDENTS, st.integers(1, 60))
def test_every_score_is_the_sum_of_what_is_shown(drawn: Any, fault: Incident, floor: int):
    found = suspects(made(drawn), fault, floor=floor)
    assert len(found) <= MOST
    assert [suspect.points for suspect in found] == sorted((suspect.points for suspect in found), reverse=True)
    for suspect in found:
        assert suspect.points == sum(reason.points for reason in suspect.reasons) >= floor
        assert all(type(reason.points) is int and reason.words for reason in suspect.reasons)
        assert suspect.release in suspect.rollout
        assert suspect.release.type == "deployment" and suspect.release.environment in ("", "production")


_BESIDE = st.lists(
    st.builds(
        lambda services, minutes: broken(*services, minutes=minutes),
        st.sampled_from([("shop",), ("cart",), ("ledger",), ("api", "x")]),
        st.integers(-15, 15),
    ),
    max_size=4,
)


@settings(max_examples=120, deadline=None)
@given(_RELEASES, _INCIDENTS, _BESIDE, st.integers(1, 60))
def test_the_index_passes_over_nothing(drawn: Any, fault: Incident, others: list[Incident], floor: int):
    """The suspects among all releases are the best of those found by looking at each release alone."""
    releases = [structs.replace(one, version=one.key, target="") for one in made(drawn)]
    services = ("shop", "cart", "ledger", "search", "x")  # which are known to be services
    old = [release(f"old-{name}", 9_000, 8_990, services=(name,)) for name in services]
    alone = [suspect for one in releases for suspect in suspects([one, *old], fault, beside=others, floor=floor)]
    alone = [one for one in alone if "of the team" not in one.reasons[0].words]
    found = suspects([*releases, *old], fault, beside=others, floor=floor)
    candidates = Candidates(
        [*releases, *old], weights=Weights(floor=floor), depends_on=DEPENDS_ON, production=bench.production
    )
    for other in others:
        candidates.put_incident(other.key, other)
    assert candidates.first(fault) is (found[0].release if found else None)
    if not (fault.team and not fault.services):  # whose relations are known by other releases
        assert [suspect.points for suspect in found] == sorted((one.points for one in alone), reverse=True)[:MOST]


@settings(max_examples=60, deadline=None)
@given(_RELEASES, _INCIDENTS, _BESIDE, st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_learned_does_not_matter(
    drawn: Any, fault: Incident, others: list[Incident], chance: Any
):
    releases = [structs.replace(one, version=one.key, target="") for one in made(drawn)]
    others = list({other.key: other for other in others}.values())
    once = suspects(releases, fault, beside=others)
    candidates = Candidates((), depends_on=DEPENDS_ON, production=bench.production)
    gone = [structs.replace(one, key=f"{one.key}-gone") for one in releases]
    rollouts = [rollout for one in (*releases, *gone) for rollout in rollouts_of([one], bench.production)]
    chance.shuffle(rollouts)
    for rollout in rollouts:
        candidates.of(fault)
        candidates.add(rollout)
    for rollout in rollouts:
        if rollout.releases[0].key.endswith("-gone"):
            candidates.drop(rollout)
    for other in chance.sample(others, len(others)):
        candidates.put_incident(f"{other.key}-gone", other)
        candidates.put_incident(other.key, other)
        candidates.drop_incident(f"{other.key}-gone")
    assert told_all(candidates.of(fault)) == told_all(once)


# -- how often it is right --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, hindsight, top_1, top_3",
    [(worlds.history, True, 67, 83), (worlds.history, False, 75, 87), (other_worlds.history, True, 57, 78)],
)
def test_the_figures_hold(make: Callable[..., History], hindsight: bool, top_1: float, top_3: float):
    """Regression numbers of two short histories: below them something was broken.  docs/suspects.md has the table."""
    figures = bench.Figures()
    for seed in (2_000, 2_001):
        history = bench.ingested(make(seed, days=12 if hindsight else 3))
        figures = figures.plus(bench.measured(history, Weights(), hindsight=hindsight))
        figures = figures.plus(bench.compared(history, hindsight=hindsight))
    shown = f"{figures} {figures.top_1:.1f} {figures.top_3:.1f}"
    assert figures.top_1 >= top_1, shown
    assert figures.top_3 >= top_3, shown
    assert figures.precision >= 85, shown
    assert figures.top_1 - 100 * figures.latest / figures.caused >= 15, shown
    assert figures.oracle_among >= figures.among, "nobody is better than who knows it all"


def test_the_documentation_has_these_weights():
    text = (Path(__file__).parents[1] / "docs" / "suspects.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\S\d+) \|", text, re.MULTILINE)
    told = {name: int(points.replace("−", "-")) for name, points in rows}
    weights = structs.asdict(Weights())
    assert told == {name: points for name, points in weights.items() if name in told}
    assert weights.keys() - told.keys() == {"floor", "at_once", "half_life", "slow_half_life", "window", "tolerance"}
    for name in weights:
        assert f"`{name}`" in text


# -- in a config ------------------------------------------------------------------------------------------------------

SOURCES = "sources: [{type: ci, name: gh, repos: acme/x}]\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_weights_and_dependencies_of_a_config(home: Home):
    services = "services: {shop: {depends_on: [Cart, ledger]}, cart: {depends_on: ledger}, ledger: }\n"
    config = home.load(SOURCES + services + "suspects: {same_service: 50, half_life: 1h}\n")
    assert config.suspects == Weights(same_service=50, half_life=Duration(3600))
    assert config.catalog().depends_on == {"shop": ("Cart", "ledger"), "cart": ("ledger",)}
    assert home.load(SOURCES).suspects == Weights() == home.load(SOURCES + "suspects:\n").suspects


def test_a_dependency_files_nothing_anew(home: Home):
    before = home.load(SOURCES + "services: {shop: , cart: }\n")
    after = home.load(SOURCES + "services: {shop: {depends_on: cart}, cart: }\n")
    assert before.filing(before.sources[0]) == after.filing(after.sources[0])
