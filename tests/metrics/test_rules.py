"""Each rule of docs/metrics.md by an example of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from statusboard.metrics import Inputs, Scope, Stretch, episode_of
from statusboard.metrics.numbers import Linking
from statusboard.model import Incident, Release
from tests.metrics.kit import ALWAYS, NOW, T0, at, deployments, incident, ledger_of, release, report, tell, verdict

# -- what a deployment is --------------------------------------------------------------------------------------------


def test_publications_are_no_deployments_and_neither_is_what_has_not_ended():
    facts = [
        release(1, "1.0", 1, type="publication"),
        release(2, "1.1", 2, state="running", ended_at=None),
        release(3, "1.2", 3, state="queued"),
        release(4, "1.3", 4, state="cancelled"),
        release(5, "1.4", 5, state="unknown"),
        release(6, "1.5", 6, state="inactive", ended_at=None),
    ]
    assert [found.version for found in deployments(*facts)] == ["1.5"]


def test_only_production_counts_unless_another_is_asked_for():
    facts = [release(1, "1.0", 1), release(2, "1.0", 2, environment="staging"), release(3, "1.0", 3, environment="")]
    ledger = ledger_of(*facts)
    assert [d.key for d in ledger.gathered(Scope()).deployments] == ["cd:release:1"]
    assert [d.key for d in ledger.gathered(Scope(environment="staging")).deployments] == ["cd:release:2"]
    assert ledger.left_out(Scope(), T0, NOW) == {"without an environment": 1}


def test_one_rollout_is_one_deployment():
    facts = [release(n, "1.0", 1 + n / 4, target=target) for n, target in enumerate(("eu", "us", "ap"))]
    (found,) = deployments(*facts)
    assert len(found.releases) == 3 and found.at == at(1.5)
    assert len(deployments(*facts, release(9, "1.0", 30, target="eu"))) == 2


def test_what_two_sources_tell_of_one_rollout_is_one_deployment():
    facts = [release(1, "1.0", 1), release("x", "1.0", 1.1, key="gh:release:1", source="gh")]
    (found,) = deployments(*facts)
    assert {told.source for told in found.releases} == {"cd", "gh"}


def test_a_release_without_a_time_is_left_out_and_told():
    ledger = ledger_of(release(1, "1.0", None), release(2, "1.1", 2))
    assert [d.version for d in ledger.gathered(Scope()).deployments] == ["1.1"]
    assert ledger.left_out(Scope(), T0, NOW) == {"without a time": 1}


def test_releases_without_versions_are_deployments_of_their_own():
    found = deployments(release(1, "", 1), release(2, "", 1.2), release(3, "", 3))
    assert len(found) == 3 and not any(d.rollback for d in found)


def test_two_items_with_one_id_are_one_and_the_newest_word_counts():
    (found,) = deployments(release(1, "1.0", 1, state="failed"), release(1, "1.0", 2))
    assert not found.failed and found.at == at(2)


def test_a_release_that_ended_before_it_began_was_out_when_it_began():
    (found,) = deployments(release(1, "1.0", 5, started_at=at(6)))
    assert found.at == at(6)


def test_a_release_that_has_moved_to_another_service_is_no_longer_of_the_first():
    ledger = ledger_of(release(1, "1.0", 1), release(1, "1.0", 1, services=("web",)))
    assert not ledger.gathered(Scope(service="checkout")).deployments
    assert len(ledger.gathered(Scope(service="web")).deployments) == 1


# -- what failed -----------------------------------------------------------------------------------------------------


def test_one_failed_deployment_counts_once_however_many_incidents():
    counted = report(release(1, "1.0", 10), *(incident(n, 10.1 + n / 10) for n in range(5)), release(2, "1.1", 40))
    rate = counted["change_fail_rate"]
    assert (rate.value, rate.n, rate.linked) == (0.5, 2, Linking(suspected=5))
    assert len(rate.behind) == 1 and len(rate.evidence) == 6


def test_an_incident_without_a_release_is_shown_and_in_no_rate():
    counted = report(release(1, "1.0", 10), incident(1, 100))
    assert (counted["change_fail_rate"].value, counted["recovery_time"].value) == (0.0, None)
    assert [episode.incident.key for episode in counted.unlinked.episodes] == ["am:incident:1"]


def test_an_incident_that_came_of_a_setting_is_no_deployments():
    deployed, broken = release(1, "1.0", 8), incident(1, 10.1)
    flag = release("flag", "on", 10, type="configuration", setting="new-basket")
    blamed = report(deployed, broken)
    assert blamed["change_fail_rate"].value == 1.0, "who else"
    for counted in (report(deployed, flag, broken), report(deployed, flag, broken, verdict(broken, flag))):
        assert (counted["change_fail_rate"].value, counted["deployment_frequency"].n) == (0.0, 1)
        assert [episode.incident.key for episode in counted.unlinked.episodes] == ["am:incident:1"]
    said = report(deployed, flag, broken, verdict(broken, deployed))
    assert said["change_fail_rate"].value == 1.0 and not said.unlinked.episodes
    assert ledger_of(flag).services == [] and not ledger_of(flag).parts(Scope())


def test_what_the_deployer_says_counts():
    counted = report(release(1, "1.0", 10, state="failed"), release(2, "1.0", 11), release(3, "1.1", 50))
    assert counted["change_fail_rate"].value == pytest.approx(1 / 3)
    assert counted["recovery_time"].value == 3_600.0
    assert counted["deployment_frequency"].n == 2  # what failed did not come out


def test_a_rollback_marks_the_one_it_undoes_and_is_rework():
    first, second, back = deployments(release(1, "1.0", 1), release(2, "1.1", 50), release(3, "1.0", 52))
    assert (first.failure, second.failure, second.undone_by) == ("", "undone", back.key)
    assert back.rollback and back.rework and not back.new
    assert second.recovery == 7_200.0


def test_a_lower_number_is_a_rollback_too():
    _, back = deployments(release(1, "2.10.0", 1), release(2, "2.9.3", 5))
    assert back.rollback


def test_the_same_version_once_more_is_no_rollback():
    assert not any(d.rollback or d.failed for d in deployments(release(1, "1.0", 1), release(2, "1.0", 50)))


def test_what_was_rolled_back_may_come_again():
    found = deployments(release(1, "1.0", 1), release(2, "1.1", 2), release(3, "1.0", 3), release(4, "1.1", 80))
    assert [d.rollback for d in found] == [False, False, True, False]


def test_severities_that_call_nobody_make_no_failure_unless_somebody_says_so():
    slight, deployed = incident(1, 10.2, severity="low"), release(1, "1.0", 10)
    assert not deployments(deployed, slight)[0].failed
    assert deployments(deployed, slight, verdict(slight, deployed))[0].failed


@pytest.mark.parametrize("state", ["pending", "suppressed"])
def test_what_is_pending_or_silenced_is_no_incident(state: str):
    counted = report(release(1, "1.0", 10), incident(1, 10.2, None, state=state))
    assert counted["change_fail_rate"].value == 0.0 and not counted.unlinked.episodes


# -- how incidents are linked ----------------------------------------------------------------------------------------


def test_a_person_comes_before_the_vendor_and_the_vendor_before_a_suspicion():
    old, new = release(1, "1.0", 1), release(2, "1.1", 10)
    broken = incident(1, 10.2)
    suspected = deployments(old, new, broken)
    assert [(d.version, [link.how for link in d.links]) for d in suspected] == [("1.0", []), ("1.1", ["suspected"])]
    named = replace(broken, labels={"release": "1.0"})
    declared = deployments(old, new, named)
    assert [[link.how for link in d.links] for d in declared] == [["declared"], []]
    confirmed = deployments(old, new, named, verdict(named, new))
    assert [[link.how for link in d.links] for d in confirmed] == [[], ["confirmed"]]


def test_what_was_dismissed_is_not_suspected_and_may_be_again():
    deployed, broken = release(1, "1.0", 10), incident(1, 10.2)
    dismissed = verdict(broken, deployed, "suspect_dismissed")
    ledger = ledger_of(deployed, broken, dismissed)
    assert not ledger.gathered(Scope()).deployments[0].failed and len(ledger.unlinked(Scope())) == 1
    again = ledger_of(deployed, broken, dismissed, replace(dismissed, state="withdrawn"))
    assert again.gathered(Scope()).deployments[0].failed


def test_a_verdict_is_of_one_episode():
    deployed, first = release(1, "1.0", 1), incident(1, 200)
    again = replace(first, started_at=at(400), ended_at=at(401))
    found = report(deployed, first, again, verdict(first, deployed))
    assert found["change_fail_rate"].linked == Linking(confirmed=1)
    assert len(found.unlinked.episodes) == 1


@pytest.mark.parametrize("name", ["1.0", "cd:release:1", "https://cd.example/1", "a" * 40, "a" * 12, "1"])
def test_what_a_vendor_may_declare(name: str):
    deployed = release(1, "1.0", 1, revision="a" * 40, url="https://cd.example/1")
    (found,) = deployments(deployed, incident(1, 200, labels={"Deployment": name}))
    assert [link.how for link in found.links] == ["declared"]


def test_a_vendor_may_declare_what_nobody_has_asked_for():
    staged = release(2, "1.1", 1, environment="staging", key="cd:release:2")
    ledger = ledger_of(release(1, "1.0", 1), staged)
    tell(ledger, incident(1, 2, environment="", labels={"release": "1.1"}))
    assert not ledger.unlinked(Scope()) and not ledger.gathered(Scope()).deployments[0].failed
    (found,) = ledger.gathered(Scope(environment="staging")).deployments
    assert [link.how for link in found.links] == ["declared"]


def test_who_has_deployed_to_staging_alone_is_known_and_has_no_numbers():
    ledger = ledger_of(release(1, "1.0", 1), release(2, "1.0", 1, environment="staging", services=("web",), team="it"))
    assert (ledger.services, ledger.teams) == (["checkout", "web"], ["it", "payments"])
    assert not ledger.gathered(Scope(team="it")).deployments
    assert len(ledger.gathered(Scope(team="it", environment="staging")).deployments) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"labels": {"version": "1.0"}},  # what it runs on, not what broke it
        {"labels": {"release": "1.0"}, "services": ("web",)},
        {"labels": {"release": "1.0"}, "environment": "staging"},
        {"labels": {"release": "9.9"}},
    ],
)
def test_what_is_no_declaration(more: dict[str, Any]):
    assert not deployments(release(1, "1.0", 1), incident(1, 200, **more))[0].failed


# -- recovery --------------------------------------------------------------------------------------------------------


def test_trouble_lasts_from_the_first_incident_to_the_last():
    (found,) = deployments(release(1, "1.0", 10), incident(1, 10.5, 1), incident(2, 11, 3))
    assert (found.trouble, found.recovered) == (at(10.5), at(14))


def test_an_open_incident_has_not_recovered():
    counted = report(release(1, "1.0", 10), incident(1, 10.5, 1), incident(2, 11, None))
    assert (counted["recovery_time"].value, counted["recovery_time"].missing) == (None, 1)
    assert counted["recovery_time"].why == "none of the failed deployments has recovered"


def test_a_withdrawn_incident_has_no_recovery_time():
    facts: list[Release | Incident] = [release(1, "1.0", 10), incident(1, 10.5, None)]
    counted = report(*facts, withdrawn=["am:incident:1"])
    assert (counted["change_fail_rate"].value, counted["recovery_time"].value) == (1.0, None)
    assert not counted["recovery_time"].counted
    beside = report(*facts, incident(2, 10.6, 1), withdrawn=["am:incident:1"])
    assert beside["recovery_time"].value == pytest.approx(1.1 * 3_600)


def test_an_incident_that_ends_before_it_begins_has_no_recovery_time():
    counted = report(release(1, "1.0", 10), incident(1, 10.5, -2))
    assert (counted["change_fail_rate"].value, counted["recovery_time"].value) == (1.0, None)
    assert episode_of(incident(1, 10.5, -2), T0).fate == "unclear"


def test_what_failed_without_an_incident_is_mended_by_the_next_good_one():
    counted = report(
        release(1, "1.0", 10, state="failed"), release(2, "1.1", 12, state="failed"), release(3, "1.2", 14)
    )
    assert counted["recovery_time"].value == 3 * 3_600.0  # the middle of 4 h and 2 h


def test_rework_ends_with_the_trouble_and_after_a_day():
    facts: list[Release | Incident] = [release(1, "1.0", 10), incident(1, 10.5, 60)]
    fix, later, after = release(2, "1.1", 20), release(3, "1.2", 40), release(4, "1.3", 80)
    assert [d.rework for d in deployments(*facts, fix, later, after)] == [False, True, False, False]


# -- no data ---------------------------------------------------------------------------------------------------------


def test_no_data_is_never_zero():
    nothing = report()
    assert [number.value for number in nothing.numbers] == [0.0 if n == 1 else None for n in range(5)]
    unwatched = report(release(1, "1.0", 10), inputs=Inputs((), ()))
    assert {number.value for number in unwatched.numbers} == {None}
    unknown = report(release(1, "1.0", 10), inputs=Inputs(None, None))
    assert {number.value for number in unknown.numbers} == {None}
    assert unknown["lead_time"].why == "no source tells of releases here"


def test_watched_without_a_deployment_is_a_frequency_of_zero():
    number = report(release(1, "1.0", -100), days=7)["deployment_frequency"]
    assert (number.value, number.n, number.why) == (0.0, 0, "watched, and nothing was deployed")


def test_a_frequency_needs_a_day_of_watching():
    hour = (Stretch(at(1), at(3)),)
    number = report(release(1, "1.0", 2), inputs=Inputs(hour, hour))["deployment_frequency"]
    assert (number.value, number.n, number.why) == (None, 1, "watched for less than a day")


def test_what_came_out_while_nobody_watched_is_in_no_number():
    day = (Stretch(at(0), at(24)),)
    counted = report(release(1, "1.0", 10), release(2, "1.1", 30), inputs=Inputs(ALWAYS, day))
    assert counted["deployment_frequency"].n == 2
    assert counted["change_fail_rate"].n == 1 and counted["change_fail_rate"].covered.days == 1.0


def test_a_window_before_that_was_hardly_watched_is_no_measure():
    half = (Stretch(NOW - timedelta(days=9), NOW),)
    counted = report(release(1, "1.0", 24 * 20), release(2, "1.1", 24 * 25), days=7, inputs=Inputs(half, half))
    number = counted["deployment_frequency"]
    assert (number.before, number.change, number.trend) == (None, None, "")


# -- commits ---------------------------------------------------------------------------------------------------------


def test_lead_time_is_from_the_commits_to_the_last_target():
    committed = at(-14)
    facts = [release(n, "1.0", 10 + n, target=target, committed_at=committed) for n, target in enumerate(("eu", "us"))]
    counted = report(*facts, release(5, "1.1", 40))
    lead = counted["lead_time"]
    assert (lead.value, lead.n, lead.missing, lead.silent) == (25 * 3_600.0, 1, 1, ("cd",))


def test_commits_after_the_deployment_are_not_believed():
    assert deployments(release(1, "1.0", 10, committed_at=at(11)))[0].lead is None


def test_a_rollback_brings_nothing_new():
    facts = [release(n, version, 10 * n, committed_at=at(0)) for n, version in ((1, "1.0"), (2, "1.1"), (3, "1.0"))]
    assert [d.lead is None for d in deployments(*facts)] == [False, False, True]
