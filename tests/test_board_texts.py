"""Facts that say the same hold one text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from statusboard.board import MOST_TEXTS, Board, Texts
from statusboard.model import Annotation, Build, Change, Fact, Incident, Release, SourceHealth, Ticket, decode, encode
from statusboard.store.base import digest_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COMMON = {
    "source": "ci.example",
    "title": "the same title",
    "services": ("checkout", "cart"),
    "raw_state": "completed/success",
    "labels": {"region": "eu-central-1"},
}
FACTS: tuple[Fact, ...] = (
    Build(key="ci:build:1", state="success", branch="main", pipeline="unit tests", **COMMON),  # type: ignore[arg-type]
    Incident(key="ci:incident:1", state="open", assignee="ann", **COMMON),  # type: ignore[arg-type]
    Release(key="ci:release:1", state="success", environment="production", **COMMON),  # type: ignore[arg-type]
    Ticket(key="ci:ticket:1", state="open", priority="urgent", **COMMON),  # type: ignore[arg-type]
    Annotation(key="ci:annotation:1", source="ci", state="set", target="ci:build:1", text="looking"),
    SourceHealth(key="ci:source:ci", source="ci", state="fresh"),
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.kind)
def test_a_fact_says_what_it_said(fact: Fact) -> None:
    texts = Texts()
    for _ in range(2):
        shared = texts.share(decode(encode(fact)))
        assert shared == fact and encode(shared) == encode(fact)


def test_items_of_all_kinds_share_what_they_have_in_common() -> None:
    texts = Texts()
    first, *others = (texts.share(decode(encode(fact))) for fact in FACTS[:4])
    assert isinstance(first, Build)
    for other in others:
        assert isinstance(other, Incident | Release | Ticket)
        assert other.source is first.source
        assert other.services is first.services
        assert other.raw_state is first.raw_state
        assert other.labels["region"] is first.labels["region"]
        assert other.labels is not first.labels


def test_what_is_remembered_is_bounded() -> None:
    texts = Texts()
    for number in range(MOST_TEXTS + 10):
        assert texts[f"text {number}"] == f"text {number}"
    assert len(texts) == 10


def test_a_board_shares_what_changes_say() -> None:
    board = Board()
    for seq in (1, 2):
        fact = Build(key=f"ci:build:{seq}", state="success", **COMMON)  # type: ignore[arg-type]
        body = encode(fact)
        change = Change(
            seq=seq, observed_at=NOW, key=fact.key, kind="build", source=fact.source, type="pipelinerun.finished",
            origin="poll", body=body, body_hash=digest_of(fact.key, body),
        )  # fmt: skip
        board.fold([change])
    one, two = (row.fact for row in board.items())
    assert isinstance(one, Build) and isinstance(two, Build)
    assert one.raw_state is two.raw_state and one.key != two.key
