from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from statusboard import notes
from statusboard.board import Board
from statusboard.model import Fact, Incident, Release, Ticket
from statusboard.presenting.suspects import suspect_cell, suspect_lines
from statusboard.suspicion import Suspicion
from statusboard.weights import Weights
from tests.boards import NOW, fold


def production(environment: str) -> bool:
    return environment == "production"


def suspicion() -> Suspicion:
    return Suspicion(Weights(floor=40), {"shop": ("checkout",)}, production)


def release(number: int, minutes: float, service: str = "checkout", **more: object) -> Release:
    began = NOW - timedelta(minutes=minutes)
    fields = {
        "key": f"cd:release:{number}",
        "source": "cd",
        "state": "success",
        "version": f"1.{number}",
        "services": (service,),
        "environment": "production",
        "started_at": began,
        "ended_at": began + timedelta(minutes=1),
    }
    return Release(**{**fields, **more})  # type: ignore[arg-type]


def incident(number: int = 1, minutes: float = 10, service: str = "checkout") -> Incident:
    return Incident(
        key=f"am:incident:{number}",
        source="am",
        state="open",
        severity="high",
        title="Errors",
        services=(service,),
        environment="production",
        started_at=NOW - timedelta(minutes=minutes),
    )


def board_of(*facts: Fact) -> Board:
    board = Board("store")
    fold(board, *facts)
    return board


def test_what_was_set_is_a_suspect_as_what_was_deployed():
    flag = release(2, 12, type="configuration", setting="new-basket", version="on")
    published = release(3, 11, type="publication")
    board = board_of(release(1, 40), flag, published, incident(service="checkout"))
    found = suspicion()
    assert found.settle(board)
    broken = board.rows["am:incident:1"]
    suspects = found.of(broken)
    assert [suspect.release.key for suspect in suspects] == [flag.key, "cd:release:1"]
    assert isinstance(broken.fact, Incident)
    assert suspect_cell(suspects, broken.fact)[0] == "new-basket = on, 1 min"
    lines = suspect_lines(suspects, (), broken.fact, unread=(), hours=24, keys="")
    said = ["".join(word for word, _ in words) for _, words, _ in lines if not isinstance(words, str)]
    assert said[0] == "checkout new-basket = on in production" and said[1] == "checkout 1.1 to production"


def told(found: Suspicion, board: Board, key: str = "am:incident:1") -> list[tuple[str, int]]:
    return [(suspect.release.version, suspect.points) for suspect in found.of(board.rows[key])]


def test_releases_that_come_change_and_go_are_followed() -> None:
    board, found = board_of(incident()), suspicion()
    assert found.settle(board)
    assert told(found, board) == []
    fold(board, release(1, 15))
    assert told(found, board) == [], "nobody has looked yet"
    assert found.settle(board)
    assert [version for version, _ in told(found, board)] == ["1.1"]
    fold(board, release(1, 15, state="failed"))
    assert found.settle(board)
    (worse,) = found.of(board.rows["am:incident:1"])
    assert "failed" in [reason.words for reason in worse.reasons]
    fold(board, "cd:release:1")
    assert found.settle(board)
    assert told(found, board) == []


def test_what_is_neither_release_nor_breaks_at_that_time_changes_nothing() -> None:
    board, found = board_of(incident(), release(1, 15)), suspicion()
    found.settle(board)
    fold(board, Ticket(key="jira:ticket:1", source="jira", state="open"))
    assert not found.settle(board)
    fold(board, structs.replace(incident(), severity="critical", updated_at=NOW))
    assert not found.settle(board)


def test_what_breaks_at_the_same_time_is_followed() -> None:
    """The dependency that a shop and a basket share is likelier to have broken both than either's own."""
    found = Suspicion(Weights(), {"shop": ("ledger",), "basket": ("ledger",)}, production)
    board = board_of(incident(service="shop"), release(1, 15, "ledger"))
    found.settle(board)
    ((_, alone),) = told(found, board)
    fold(board, incident(2, 11, "basket"))
    assert found.settle(board)
    ((_, both),) = told(found, board)
    assert both == alone + 10
    (suspect,) = found.of(board.rows["am:incident:1"])
    assert "basket, which depends on it, broke too" in [reason.words for reason in suspect.reasons]
    fold(board, structs.replace(incident(2, 11, "basket"), state="suppressed"))
    assert found.settle(board)
    assert told(found, board) == [("1.1", alone)]
    fold(board, incident(2, 11, "basket"))
    found.settle(board)
    fold(board, "am:incident:2")
    assert found.settle(board)
    assert told(found, board) == [("1.1", alone)]


def test_another_board_is_looked_at_anew() -> None:
    found = suspicion()
    found.settle(board_of(incident(), release(1, 15)))
    other = board_of(incident(), release(2, 12))
    assert found.settle(other)
    assert [version for version, _ in told(found, other)] == ["1.2"]


def test_a_release_that_moves_to_another_service_takes_its_line_along() -> None:
    board, found = board_of(incident(), incident(2, -1, "search"), release(1, 15)), suspicion()
    found.settle(board)
    fold(board, release(1, 15, service="search"))
    assert found.settle(board)
    assert told(found, board) == []
    assert told(found, board, "am:incident:2")


def test_of_a_release_the_incidents_since_are_told() -> None:
    board = board_of(release(1, 15), incident(1, 10), incident(2, 12), incident(3, 30), incident(4, -1, "search"))
    found = suspicion()
    found.settle(board)
    charged = found.charged(board.rows["cd:release:1"])
    assert [row.key for row, _ in charged] == ["am:incident:2", "am:incident:1"]


def test_what_people_say_goes_before() -> None:
    first, second = release(1, 15), release(2, 40)
    board, found = board_of(incident(), first, second), suspicion()
    found.settle(board)
    assert [version for version, _ in told(found, board)] == ["1.1", "1.2"]
    fold(board, notes.judge(incident(), first, "ann", NOW, guilty=False))
    found.settle(board)
    assert [version for version, _ in told(found, board)] == ["1.2"]
    ((note, dismissed),) = found.dismissed(board.rows["am:incident:1"])
    assert (note.author, dismissed) == ("ann", first)
    fold(board, notes.judge(incident(), first, "bob", NOW, guilty=True))
    found.settle(board)
    assert [suspect.confirmed_by for suspect in found.of(board.rows["am:incident:1"])] == ["bob", ""]
    word = notes.last_verdict(board.annotations("am:incident:1"), incident())
    assert word is not None
    fold(board, notes.withdraw(word, "bob", NOW))
    found.settle(board)
    assert [suspect.confirmed_by for suspect in found.of(board.rows["am:incident:1"])] == ["", ""]


releases = st.builds(
    release,
    st.integers(1, 8),
    st.integers(1, 200),
    st.sampled_from(["checkout", "search", "shop"]),
    state=st.sampled_from(["success", "failed", "running", "queued", "rolled_back"]),
    environment=st.sampled_from(["production", "staging", ""]),
    target=st.sampled_from(["", "eu", "us"]),
)


@settings(max_examples=60)
@given(st.lists(st.lists(st.one_of(releases, st.integers(1, 8)), max_size=6), max_size=6))
def test_followed_step_by_step_it_knows_what_a_fresh_look_does(steps: list[list[Release | int]]) -> None:
    board = board_of(incident(), incident(2, 60, "shop"))
    found = suspicion()
    for step in steps:
        keys = {f"cd:release:{each}" for each in step if isinstance(each, int)} & board.rows.keys()
        fold(board, *(each for each in step if not isinstance(each, int)), *sorted(keys))
        found.settle(board)
    fresh = suspicion()
    fresh.settle(board)
    for key in ("am:incident:1", "am:incident:2"):
        assert found.of(board.rows[key]) == fresh.of(board.rows[key])
