"""What holds of the numbers whatever happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from statusboard.metrics import (
    METRICS,
    Deployment,
    Inputs,
    Ledger,
    Report,
    Scope,
    Stretch,
    median,
    report_of,
    window_of,
)
from statusboard.metrics.record import Record, in_order
from statusboard.metrics.steps import done
from statusboard.metrics.windows import joined
from statusboard.model import Annotation, Incident, Release
from statusboard.suspects import Candidates
from tests.metrics.kit import ALWAYS, DAYS, NOW, at, incident, ledger_of, release, report, tell, verdict

SOME = settings(max_examples=30, deadline=None)
Facts = list[Release | Incident | Annotation]
HOURS = st.integers(0, DAYS * 24 * 6 - 1).map(lambda n: n / 6)
SERVICES = st.sampled_from([("checkout",), ("web",), ("checkout", "web"), ()])
TYPES = ("deployment", "deployment", "deployment", "publication", "configuration")
SCOPES = (
    Scope(),
    Scope(service="checkout"),
    Scope(service="web"),
    Scope(team="payments"),
    Scope(environment="staging"),
)


@st.composite
def releases(draw: st.DrawFn) -> list[Release]:
    found = []
    for n in range(draw(st.integers(0, 12))):
        state = draw(st.sampled_from(["success"] * 4 + ["failed", "rolled_back", "inactive", "running", "unknown"]))
        hours = draw(HOURS)
        more: dict[str, Any] = {"target": draw(st.sampled_from(["", "eu", "us"])), "services": draw(SERVICES)}
        more["environment"] = draw(st.sampled_from(["production"] * 4 + ["staging", ""]))
        more["source"] = draw(st.sampled_from(["cd", "gh"]))
        if draw(st.booleans()):
            more["committed_at"] = at(hours - draw(st.integers(-2, 50)))
        version = draw(st.sampled_from(["1.0", "1.1", "1.2", "1.10", "main", ""]))
        time = draw(st.sampled_from([hours, hours, hours, None]))
        found.append(release(n, version, time, state=state, key=f"{more['source']}:release:{n}", **more))
    return found


@st.composite
def histories(draw: st.DrawFn) -> Facts:
    told = draw(releases())
    incidents = []
    for n in range(draw(st.integers(0, 8))):
        lasted = draw(st.sampled_from([None, 0.5, 3.0, 30.0, -1.0]))
        severity = draw(st.sampled_from(["critical", "high", "unknown", "low"]))
        incidents.append(incident(n, draw(HOURS), lasted, severity=severity, services=draw(SERVICES)))
    notes = [
        verdict(draw(st.sampled_from(incidents)), draw(st.sampled_from(told)), what)
        for what in draw(st.lists(st.sampled_from(["suspect_confirmed", "suspect_dismissed"]), max_size=2))
        if told and incidents
    ]
    return [*told, *incidents, *{note.key: note for note in notes}.values()]


def deployments(facts: Facts, scope: Scope = SCOPES[0]) -> list[Deployment]:
    return list(ledger_of(*facts).gathered(scope).deployments)


@SOME
@given(histories())
def test_a_deployment_counts_once_and_so_does_each_release(facts: Facts):
    found = deployments(facts)
    keys = [told.key for deployment in found for told in deployment.releases]
    assert len(keys) == len(set(keys))
    assert all(told.type == "deployment" and told.environment == "production" for d in found for told in d.releases)
    for deployment in found:
        versions = {told.version or told.revision for told in deployment.releases}
        places = [(told.source, told.target) for told in deployment.releases]
        assert len(versions) == 1 and len(places) == len(set(places))


@SOME
@given(histories())
def test_rates_are_parts_and_medians_lie_between(facts: Facts):
    for scope in SCOPES:
        for number in report(*facts, scope=scope).numbers:
            assert number.value is not None or number.why
            assert (number.unit == "per day" or number.n > 0) or number.value is None
            if number.unit == "share" and number.value is not None:
                assert number.value == len(number.behind) / number.n and 0 <= number.value <= 1
            if number.metric == "recovery_time" and number.value is not None:
                times = [d.recovery for d in number.counted if d.recovery is not None]
                assert len(times) == number.n and 0 <= min(times) <= number.value <= max(times)
            if number.metric == "lead_time" and number.value is not None:
                assert number.value >= 0 and all(d.new and d.came_out and not d.rollback for d in number.counted)


@SOME
@given(histories())
def test_one_more_incident_of_a_failed_deployment_changes_no_rate(facts: Facts):
    failed = next((d for d in deployments(facts) if d.failed and d.failure == "incident"), None)
    if failed is None:
        return
    twin = incident("twin", 0, severity="high", services=failed.services)
    told = [*facts, twin, verdict(twin, failed.releases[0])]
    before, after = report(*facts)["change_fail_rate"], report(*told)["change_fail_rate"]
    assert (before.value, before.n) == (after.value, after.n)


@SOME
@given(histories())
def test_an_incident_that_is_linked_to_nothing_is_in_no_rate(facts: Facts):
    counted = report(*facts)
    linked = {link.episode.incident.key for number in counted.numbers for d in number.counted for link in d.links}
    for episode in counted.unlinked.episodes:
        assert episode.incident.key not in linked
    evidence = {key for number in counted.numbers for key in number.evidence if ":incident:" in key}
    assert evidence <= linked


@SOME
@given(histories())
def test_a_rollback_brings_back_something_older_and_marks_what_it_undoes(facts: Facts):
    found = deployments(facts)
    by_key = {deployment.key: deployment for deployment in found}
    for deployment in found:
        if deployment.rollback:
            assert deployment.rework and not deployment.new
        if deployment.undone_by:
            undoing = by_key[deployment.undone_by]
            assert deployment.failed and undoing.rollback and undoing.version != deployment.version


@SOME
@given(histories())
def test_recovery_needs_an_end_that_somebody_saw(facts: Facts):
    for deployment in deployments(facts):
        fates = {link.episode.fate for link in deployment.links}
        if "open" in fates or (fates and "recovered" not in fates):
            assert deployment.recovered is None
        if deployment.recovery is not None:
            assert deployment.failed and deployment.recovery >= 0 and not deployment.open


@SOME
@given(histories(), st.data())
def test_the_order_in_which_things_are_told_does_not_matter(facts: Facts, data: st.DataObject):
    shuffled = data.draw(st.permutations(facts))
    for scope in SCOPES:
        assert deployments(facts, scope) == deployments(shuffled, scope)


@SOME
@given(histories(), st.data())
def test_news_one_by_one_come_to_the_same_as_all_at_once(facts: Facts, data: st.DataObject):
    ledger = ledger_of()
    queue: Facts = []
    for fact in facts:  # of some there was another word before
        if isinstance(fact, Release) and data.draw(st.booleans()):
            state = data.draw(st.sampled_from(["running", "success", "failed"]))
            queue.append(release(fact.key.rpartition(":")[2], "1.1", 3, state=state, key=fact.key, source=fact.source))
        queue.append(fact)
    while queue:
        size = data.draw(st.integers(1, 4))
        tell(ledger, *queue[:size])
        del queue[:size]
    whole = ledger_of(*facts)
    for scope in SCOPES:
        assert list(ledger.gathered(scope).deployments) == list(whole.gathered(scope).deployments)
        assert ledger.unlinked(scope) == whole.unlinked(scope)
        assert ledger.left_out(scope, at(0), NOW) == whole.left_out(scope, at(0), NOW)


@SOME
@given(histories(), st.data())
def test_what_waits_to_be_asked_for_changes_no_answer(facts: Facts, data: st.DataObject):
    eager, lazy = ledger_of(), ledger_of()
    for _ in eager.settled("staging"):  # so that nothing of it waits
        pass
    moved = ["production", "staging", "test"]
    before: Facts = [
        replace(fact, environment=data.draw(st.sampled_from(moved)), type=data.draw(st.sampled_from(TYPES)))
        for fact in facts
        if isinstance(fact, Release) and data.draw(st.booleans())
    ]
    names = st.sampled_from(["", "1.0", "1.1"])
    declared = [
        replace(fact, labels={"Release": name}, environment=data.draw(st.sampled_from(["production", "staging", ""])))
        if isinstance(fact, Incident) and (name := data.draw(names))
        else fact
        for fact in facts
    ]
    known = [before, declared] if data.draw(st.booleans()) else [before, declared[::-1], declared]
    for news in known:
        for ledger in (eager, lazy):
            tell(ledger, *news)
        for scope in SCOPES[:-1]:
            assert answers(lazy, scope) == answers(eager, scope)
        assert (lazy.services, lazy.teams) == (eager.services, eager.teams)
    for scope in (*SCOPES, Scope(service="web", environment="test")):
        assert answers(lazy, scope) == answers(eager, scope)
        assert before or lazy.parts(scope) == eager.parts(scope)
    assert [(found.key, found.at) for found in lazy.gathered(Scope()).deployments] == [
        (found.key, found.at) for found in ledger_of(*declared).gathered(Scope()).deployments
    ]


def answers(ledger: Ledger, scope: Scope) -> tuple[object, ...]:
    gathered = list(ledger.gathered(scope).deployments)
    return gathered, ledger.unlinked(scope), ledger.left_out(scope, at(0), NOW)


@SOME
@given(histories())
def test_what_is_suspected_is_the_first_suspect(facts: Facts):
    told = [fact for fact in facts if isinstance(fact, Release)]
    candidates = Candidates(told, production=lambda name: name == "production")
    for fact in facts:
        if isinstance(fact, Incident):
            best = candidates.of(fact)
            first = candidates.first(fact)
            assert (first and first.key) == (best[0].release.key if best else None)


def hours(since: int, lasted: int) -> Stretch:
    return Stretch(at(since), at(since + lasted))


WATCHED = st.lists(st.builds(hours, st.integers(0, 600), st.integers(1, 200)), max_size=4)


@SOME
@given(histories(), WATCHED, WATCHED)
def test_only_what_all_inputs_cover_counts(facts: Facts, one: list[Stretch], two: list[Stretch]):
    inputs = Inputs(tuple(joined(one)), tuple(joined(two)))
    counted = report(*facts, inputs=inputs)
    for number in counted.numbers:
        stretches = inputs.of(number.metric) or ()
        for deployment in number.counted:
            assert any(s.since <= deployment.at < s.until for s in stretches)
        if not stretches:
            assert number.value is None
        assert number.covered.days <= number.covered.of + 1e-9


@SOME
@given(histories(), st.integers(1, DAYS))
def test_windows_that_follow_each_other_count_each_deployment_once(facts: Facts, days: int):
    found = deployments(facts)

    def counted(now: Any) -> Report:
        return report_of(Scope(), window_of(days, now), found, Inputs(ALWAYS, ALWAYS))

    later, earlier = counted(NOW), counted(NOW - timedelta(days=days))
    for metric in METRICS:
        both = [*later[metric].counted, *earlier[metric].counted]
        assert len(both) == len({deployment.key for deployment in both})
        assert later[metric].before_n >= earlier[metric].n  # the one before is whole, the other ends now


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_half_of_the_values_lie_on_each_side_of_the_median(values: list[float]):
    middle = median(values)
    assert middle is not None
    assert sum(value <= middle for value in values) * 2 >= len(values)
    assert sum(value >= middle for value in values) * 2 >= len(values)


@SOME
@given(histories(), histories())
def test_a_record_in_which_a_line_moves_is_the_same_as_one_put_in_order_anew(one: Facts, two: Facts):
    def line(service: str, facts: Facts) -> list[Deployment]:
        own: Facts = [replace(fact, services=(service,)) for fact in facts if not isinstance(fact, Annotation)]
        return deployments(own, Scope(service=service))

    before = {(service, "production"): line(service, one) for service in ("a", "b", "c")}  # all at the same moments
    after = {**before, ("b", "production"): [*line("b", two), *before["b", "production"]]}
    after["b", "production"].sort(key=lambda deployment: deployment.at)
    record = Record.of(done(in_order(before.values())))
    for known, wanted in ((before, after), (after, before)):
        moved = Record.of(done(in_order(known.values()))).moved(
            ("b", "production"), known["b", "production"], wanted["b", "production"]
        )
        assert moved == Record.of(done(in_order(wanted.values())))
    assert record.moved(("b", "production"), before["b", "production"], before["b", "production"]) == record
