"""Suspects that were found once: they stand in for finding them again, and change no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from statusboard.metrics import Ledger, Scope
from statusboard.metrics.finds import Finds, Memory
from statusboard.model import Annotation, Incident, Release
from statusboard.suspects import Candidates
from statusboard.weights import Weights
from tests.metrics.kit import at, incident, release, tell, verdict
from tests.metrics.test_laws import SCOPES, Facts, answers, histories

Fact = Release | Incident | Annotation
Kept = dict[int, Finds]
NEEDS = {"checkout": ("web",), "web": ("till",)}


def told(facts: Iterable[Fact], kept: Kept | None = None, *, rules: bytes = b"rules", **more: Any) -> Ledger:
    """A ledger that knows these facts and remembers those finds."""
    production: Callable[[str], bool] = more.pop("production", lambda name: name == "production")
    ledger = Ledger(production, memory=Memory(kept, rules), **more)
    tell(ledger, *facts)
    return ledger


def same(one: Ledger, two: Ledger) -> bool:
    return all(answers(one, scope) == answers(two, scope) for scope in SCOPES)


def another(fact: Fact, data: st.DataObject) -> Fact:
    """The same, told otherwise."""
    match data.draw(st.integers(0, 3)):
        case 0 if not isinstance(fact, Annotation):
            return replace(fact, services=("till",), team="tills", repository="acme/till")
        case 1 if isinstance(fact, (Release, Incident)) and fact.started_at is not None:
            return replace(fact, started_at=fact.started_at - timedelta(minutes=data.draw(st.integers(-90, 90))))
        case 2 if isinstance(fact, Incident):
            return replace(fact, state="suppressed")
        case 2 if isinstance(fact, Release):
            return replace(fact, title="till goes out", version="1.3", state="failed")
    return fact


def near(facts: Facts) -> Facts:
    """The same within three days, where more of it has to do with each other."""

    def moved(time: datetime | None) -> datetime | None:
        return None if time is None else at(0) + (time - at(0)) / 9

    return [
        replace(fact, episode=moved(fact.episode))
        if isinstance(fact, Annotation)
        else replace(fact, started_at=moved(fact.started_at), ended_at=moved(fact.ended_at))
        for fact in facts
    ]


#: Long after it all, so that what is known of services, repositories and teams stays the same whatever changes.
KNOWN: Facts = [
    release("known", "1", 24 * 20, services=("till", "web", "checkout"), team="tills", repository="acme/till"),
    release("known-2", "1", 24 * 21, services=("till",), team="tills", repository="acme/till"),
    release("known-3", "1", 24 * 22, services=("web", "checkout")),
    release("known-4", "1", 24 * 23, services=()),
]


@settings(max_examples=300, deadline=None)
@given(histories().map(near), st.data())
def test_what_was_found_of_other_facts_changes_no_answer(facts: Facts, data: st.DataObject):
    kept = told([*facts, *KNOWN], depends_on=NEEDS).found_anew()
    now = list(facts)
    for _ in range(data.draw(st.integers(1, 2))):
        if now:
            place = data.draw(st.integers(0, len(now) - 1))
            now[place : place + 1] = data.draw(st.sampled_from([[], [another(now[place], data)]]))
    now += KNOWN
    assert same(told(now, kept, depends_on=NEEDS), told(now, rules=b"", depends_on=NEEDS))


def busy() -> Facts:
    """Some days with releases, and an incident after each."""
    facts: Facts = []
    for day in range(1, 9):
        facts += [release(day, f"1.{day}", 24 * day + 9), incident(day, 24 * day + 10)]
        facts += [release(f"web-{day}", f"2.{day}", 24 * day + 9.9, services=("web",), team="web")]
    return facts


class Asked:
    """Counts the incidents for which suspects are looked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: list[Incident] = []
        first = Candidates.first

        def counting(candidates: Candidates, incident: Incident, said: Iterable[Annotation] = ()) -> Release | None:
            self.of.append(incident)
            return first(candidates, incident, said)

        monkeypatch.setattr(Candidates, "first", counting)

    def days(self) -> list[int]:
        """The days (of those in `busy`) since the last call."""
        found = [int(each.key.rpartition(":")[2]) for each in self.of]
        self.of.clear()
        return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def test_of_the_same_facts_nothing_is_looked_for_again(asked: Asked):
    first = told(busy())
    kept = first.found_anew()
    assert len(kept) == len(asked.days()) == 8
    again = told(busy(), kept)
    assert asked.days() == [] and again.found_anew() == {}
    assert same(first, again)
    assert [len(d.links) for d in again.gathered(Scope(service="checkout")).deployments] == [1] * 8


def test_news_afterwards_are_looked_for_as_ever(asked: Asked):
    ledger = told(busy(), told(busy()).found_anew())
    ledger.found_anew()
    asked.days()
    tell(ledger, release("late", "1.5.1", 24 * 5 + 9.9))
    assert asked.days() == [5]
    assert [link.key for link in ledger.gathered(Scope()).deployments if link.version == "1.5.1" and link.links]
    assert ledger.found_anew() == {}


@pytest.mark.parametrize(
    ("changed", "days"),
    [
        # What a day rests on lies in it, in the day before, and around midnight; and when somebody went back behind it.
        (release(4, "1.4", 24 * 4 + 9, state="failed"), [3, 4, 5]),
        (incident(4, 24 * 4 + 10, title="Another"), [3, 4, 5]),
        (release("new", "7", 24 * 20), []),
        (release("back", "2.3", 24 * 5 + 20, services=("web",), team="web"), [3, 4, 5, 6]),
        (release("us", "1.9", 24 * 6 + 9.1, target="us", state="failed"), [5, 6, 7]),
    ],
)
def test_only_around_what_was_told_otherwise_it_is_looked_again(asked: Asked, changed: Fact, days: list[int]):
    both = [release(where, "1.9", 24 * 6 + 9 + 0.1 * n, target=where) for n, where in enumerate(("eu", "us"))]
    before = [*busy(), *both, release("back", "2.3", 24 * 5 + 21, services=("web",), team="web")]
    kept = told(before).found_anew()
    facts = [fact for fact in before if fact.key != changed.key]
    asked.days()
    again = told([*facts, changed], kept)
    assert sorted(asked.days()) == days
    assert same(again, told([*facts, changed], rules=b""))


@pytest.mark.parametrize(
    "otherwise",
    [
        {"rules": b"others"},
        {"weights": Weights(floor=30)},
        {"depends_on": NEEDS},
        {"production": lambda name: name in ("production", "staging")},
        {"facts": [release("other", "1", 24 * 20, services=("till",), repository="acme/till")]},
        {"facts": [release("other", "1", 24 * 20, team="others")]},
    ],
)
def test_where_the_rules_or_what_is_known_of_services_differ_all_is_found_anew(asked: Asked, otherwise: dict[str, Any]):
    facts = [*busy(), release("there", "1", 24 * 12, environment="staging", services=("till",))]
    kept = told(facts).found_anew()
    asked.days()
    told([*facts, *otherwise.pop("facts", ())], kept, **otherwise)
    assert sorted(asked.days()) == list(range(1, 9))


def test_without_rules_nothing_is_kept_and_nothing_believed(asked: Asked):
    kept = told(busy()).found_anew()
    asked.days()
    ledger = told(busy(), kept, rules=b"")
    assert len(asked.days()) == 8 and ledger.found_anew() == {}


def test_what_a_person_dismissed_is_looked_for_without_it(asked: Asked):
    kept = told(busy()).found_anew()
    dismissed = verdict(incident(4, 24 * 4 + 10), release(4, "1.4", 24 * 4 + 9), "suspect_dismissed")
    asked.days()
    ledger = told([*busy(), dismissed], kept)
    assert asked.days() == [4]
    assert same(ledger, told([*busy(), dismissed], rules=b""))
    assert same(told(busy(), kept), told(busy()))  # and when it is taken back, what was found holds


def test_words_stand_for_what_they_say(asked: Asked):
    def numbered(kept: Kept | None, words: dict[str, int]) -> Ledger:
        ledger = Ledger(lambda name: name == "production", memory=Memory(kept, b"rules"))
        for fact in busy():
            if isinstance(fact, Release):
                ledger.put_release(fact, word=words.get(fact.key, 1))
        tell(ledger, *(fact for fact in busy() if isinstance(fact, Incident)))
        return ledger

    kept = numbered(None, {}).found_anew()
    asked.days()
    numbered(kept, {})
    assert asked.days() == []
    numbered(kept, {"cd:release:6": 2})
    assert sorted(asked.days()) == [5, 6, 7]
