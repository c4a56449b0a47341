"""The matrix of services: what stands in it, what each line says, and that following changes equals looking anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from statusboard.board import Board
from statusboard.model import Fact
from statusboard.notes import episode_of
from statusboard.presenting import ASCII, UNICODE
from statusboard.presenting.deployed import Telling, place_cell
from statusboard.presenting.services import (
    health_cell,
    service_cells,
    service_columns,
    service_lines,
    services_title,
)
from statusboard.query import parse
from statusboard.services import NO_SERVICE, Health, Service, ServiceMatrix, by_team
from statusboard.services.matrix import AT_ONCE
from statusboard.text import cell_len
from tests.boards import NOW, STEPS, ago, board_of, build, fold, health, incident, note, release, ticket
from widgets.layout import Column, lay_out

ENVIRONMENTS = ("production", "staging", "test")
FILTERS = ("", "state:failed,open", "-is:stale", "is:current OR login", "since:100h", "-is:failing", "service:shop")
OPEN, FAILED = UNICODE.of("incident", "open"), UNICODE.of("release", "failed")
RUNNING, NOTHING = UNICODE.of("release", "running"), UNICODE.nothing
READ = (health("ci"), health("am"), health("cd"), health("tr"))
"""The sources of `tests.boards`, all read."""


def matrix_of(board: Board, text: str = "", *, faults_only: bool = False, **more: Any) -> ServiceMatrix:
    known = {"environments": ENVIRONMENTS, **more}
    matrix = ServiceMatrix(query=parse(text), faults_only=faults_only, **known)
    matrix.build(board, NOW)
    return matrix


def line_of(*facts: Fact, name: str = "shop", text: str = "", **more: Any) -> Service:
    """The line of a service on a board that shows these; all their sources are read unless they say otherwise."""
    return line(matrix_of(board_of(*READ, *facts), text, **more), name)


def line(matrix: ServiceMatrix, name: str = "shop") -> Service:
    found = matrix.service(name)
    assert found is not None
    return found


def words_of(service: Service, board: Board | None = None, **more: Any) -> dict[str, str]:
    if board is not None:
        more["state_of"] = board.state_of
    return {name: text for name, (text, _) in service_cells(service, Telling(NOW, **more)).cells.items()}


def shop(make: Any, *args: Any, **more: Any) -> Any:
    return make(*args, **{"services": ("shop",), **more})


# -- following changes


def state(matrix: ServiceMatrix) -> tuple[object, ...]:
    return (
        matrix.services,
        matrix.counts,
        matrix.faults,
        matrix.hidden_faults,
        matrix.environments,
        matrix.unowned,
        matrix.left_out,
        (matrix.blind, matrix.names_width, matrix.teams_width, matrix.has_published, matrix.has_tickets),
    )


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from(FILTERS), st.booleans())
def test_following_changes_equals_looking_anew(steps, text, faults_only):
    board = Board("s")
    known = {"pay": "payments"}
    matrix = matrix_of(board, text, faults_only=faults_only, known=known)
    for batch in steps:
        keys, lines = list(matrix.keys), {each.name: (each, words_of(each, board)) for each in matrix.services}
        change = matrix.update(board, fold(board, *batch), NOW)
        assert state(matrix) == state(matrix_of(board, text, faults_only=faults_only, known=known))
        assert change.order_changed or matrix.keys == keys
        assert change.changed <= set(matrix.keys)
        now = {each.name: (each, words_of(each, board)) for each in matrix.services}
        assert {name for name in now if name in lines and now[name] != lines[name]} <= change.changed


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from(FILTERS), st.integers(1, 4))
def test_building_in_steps_misses_nothing_that_comes_in_between(steps, text, chunk):
    board = Board("s")
    half = len(steps) // 2
    for batch in steps[:half]:
        fold(board, *batch)
    matrix = ServiceMatrix(environments=ENVIRONMENTS, query=parse(text))
    building = matrix.build_steps(board, NOW, chunk=chunk)
    for batch in steps[half:]:
        next(building, None)
        matrix.update(board, fold(board, *batch), NOW)
    for _ in building:
        pass
    assert state(matrix) == state(matrix_of(board, text))


# -- which services stand where


def test_services_come_from_the_config_and_from_items_and_the_rest_has_a_line_of_its_own():
    board = board_of(*READ, build(1, services=("web",)), incident(2), ticket(3))
    matrix = matrix_of(board, known={"ledger": "payments"})
    assert set(matrix.keys) == {"ledger", "web", NO_SERVICE}
    assert words_of(line(matrix, NO_SERVICE))["service"] == "(no service)"
    assert line(matrix, "ledger").health == "nothing"


def test_failing_stands_first_by_the_worst_then_what_is_not_known_then_the_names():
    board = board_of(
        *READ,
        build(1, services=("zoo",), pipeline="a"),
        build(2, services=("ant",), pipeline="b"),
        build(3, "unknown", services=("murky",), pipeline="c"),
        build(4, "failed", services=("broken",), pipeline="d"),
        incident(5, severity="low", services=("creaking",)),
        incident(6, severity="critical", services=("burning",)),
        incident(7, "acknowledged", severity="critical", services=("attended",)),
        release(8, "failed", services=("stuck",)),
        release(9, "failed", services=("tried",), environment="staging"),
        incident(10, severity="high"),
    )
    matrix = matrix_of(board, known={"empty": ""})
    assert matrix.keys == [
        *("burning", "attended", "stuck", NO_SERVICE, "broken", "creaking", "tried"),
        *("murky", "ant", "zoo", "empty"),
    ]


def test_an_item_of_several_services_is_in_each_line_and_counted_once():
    board = board_of(*READ, incident(1, severity="high", services=("shop", "pay", "shop")))
    matrix = matrix_of(board)
    assert matrix.keys == ["pay", "shop"] and matrix.faults == 1
    assert all(each.severities == (("high", 1),) for each in matrix.services)


def test_who_owns_a_service():
    board = board_of(
        *READ,
        build(1, services=("a",), team="core", pipeline="1"),
        build(2, services=("b",), pipeline="2"),
        build(3, services=("c",), pipeline="3", team="told"),
        build(4, services=("d",), pipeline="4"),
    )
    matrix = matrix_of(board, known={"c": "configured", "d": ""})
    assert [(each.name, each.team, each.owned) for each in matrix.services] == [
        ("a", "core", True),
        ("b", "", False),
        ("c", "configured", True),
        ("d", "", True),
    ]
    assert matrix.unowned == 1
    assert words_of(line(matrix, "b"))["team"] == "unowned"


def test_services_by_team_the_worst_first():
    board = board_of(
        *READ,
        build(1, services=("a",), team="core", pipeline="1"),
        build(2, services=("b",), pipeline="2"),
        build(3, "failed", services=("c",), team="pay", pipeline="3"),
        build(4, services=("d",), team="pay", pipeline="4"),
    )
    groups = by_team(matrix_of(board).services)
    assert [(group.name, group.well, len(group.services)) for group in groups] == [
        ("pay", 1, 2),
        ("core", 1, 1),
        ("", 1, 1),
    ]
    assert groups[0].worst.name == "c"


# -- health, and that it is never better than what is known


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ([shop(build)], "ok"),
        ([shop(build, 1, "failed")], "failing"),
        ([shop(build, 1, "failed", branch="side")], "ok"),
        ([shop(build, 1, "unknown")], "unknown"),
        ([shop(build, 1, "warning")], "warning"),
        ([shop(release, 1, "rolled_back")], "warning"),
        ([shop(release, 1, "failed")], "failing"),
        ([shop(release, 1, "unknown")], "unknown"),
        ([shop(incident, 1, "acknowledged")], "acknowledged"),
        ([shop(incident, 1, "acknowledged"), shop(incident, 2)], "failing"),
        ([shop(incident, 1, "acknowledged"), shop(build, 2, "failed")], "failing"),
        ([shop(incident, 1, "pending")], "ok"),
        ([shop(incident, 1, "suppressed")], "ok"),
        ([shop(incident, 1, "unknown")], "unknown"),
        ([shop(build), health("ci", "stale")], "unread"),
        ([shop(build), health("ci", "partial")], "unread"),
        ([shop(build), health("ci", "aging")], "ok"),
        ([shop(build), health("am", "down")], "unread"),
        ([shop(build), health("am", "down", optional=True)], "ok"),
        ([shop(build), health("ci", "down", optional=True)], "unread"),
        ([shop(build, 1, "failed"), health("ci", "down")], "failing"),
    ],
)
def test_health(facts, wanted):
    board = board_of(*{fact.key: fact for fact in (*READ, *facts)}.values())
    reads = {"ci": ("build",), "am": ("incident",), "cd": ("release",), "tr": ("ticket",)}
    assert line(matrix_of(board, reads=reads)).health == wanted


def test_a_source_that_has_never_been_heard_of_is_not_read():
    shown = line_of(shop(build), reads={"ci": ("build",), "pager": ("incident",), "am": (), "cd": (), "tr": ()})
    assert shown.health == "unread" and shown.blind == ("pager",)
    assert words_of(shown)["why"] == "pager not read"


def test_in_what_way_a_source_is_not_read_is_told_anew():
    board = board_of(shop(build), health("b", "down"))
    matrix = matrix_of(board)
    assert words_of(line(matrix, "shop"), board)["why"] == "b not read"
    assert matrix.update(board, fold(board, health("b", "partial")), NOW).changed == {"shop"}
    assert words_of(line(matrix, "shop"), board)["why"] == "b not read in full"
    assert not matrix.update(board, fold(board, replace(health("b", "partial"), error="again")), NOW)


def test_somebody_is_at_it_when_a_person_says_so():
    down, broken = shop(incident, 1), shop(build, 2, "failed")
    board = board_of(*READ, down, broken)
    matrix = matrix_of(board)
    said = [note(item, "", number=n, what="ack", episode=episode_of(item)) for n, item in enumerate((down, broken))]
    change = matrix.update(board, fold(board, said[0]), NOW)
    assert change.changed == {"shop"} and line(matrix).health == "failing"
    matrix.update(board, fold(board, said[1]), NOW)
    assert line(matrix).health == "acknowledged"
    matrix.update(board, fold(board, said[1].key), NOW)
    assert line(matrix).health == "failing"


def test_what_was_failing_when_it_was_read_last_keeps_its_place_and_loses_its_colour():
    facts = [shop(build, 1, "failed"), shop(incident, 2, severity="critical")]
    stale = [health("ci", "stale"), health("am", "stale"), health("cd"), health("tr")]
    board = board_of(*stale, *facts)
    shown = line(matrix_of(board))
    cells = service_cells(shown, Telling(NOW, state_of=board.state_of)).cells
    assert shown.rank == 0 and shown.was
    assert cells["health"] == ("? failing", "unknown")
    assert cells["incidents"] == ("? 1 critical", "stale")
    assert cells["builds"] == ("? 1", "stale")


def test_a_filter_that_hides_a_fault_does_not_make_its_service_look_well():
    facts = [shop(release), shop(incident, 2, severity="critical"), build(3, services=("other",))]
    board = board_of(*READ, *facts)
    matrix = matrix_of(board, "kind:release")
    shown = line(matrix)
    assert matrix.keys == ["shop"] and shown.health == "hidden" and shown.hidden == 1
    assert words_of(shown)["why"] == "1 failing hidden by the filter"
    assert (matrix.faults, matrix.hidden_faults, matrix.left_out) == (0, 1, 1)
    title = "".join(text for text, _ in services_title(matrix))
    assert "1 failing hidden" in title and "ok" not in title


def test_a_configured_service_of_which_nothing_is_known_passes_a_filter_for_its_name_or_team():
    known = {"ledger": "payments", "web": "storefront"}
    board = board_of(*READ)
    assert matrix_of(board, known=known).keys == ["ledger", "web"]
    assert matrix_of(board, "team:payments", known=known).keys == ["ledger"]
    assert matrix_of(board, "service:web", known=known).keys == ["web"]
    assert matrix_of(board, "-service:web", known=known).keys == ["ledger"]


def test_faults_only_shows_what_is_failing_and_what_may_be():
    board = board_of(
        *READ,
        build(1, services=("a",), pipeline="1"),
        build(2, "failed", services=("b",), pipeline="2"),
        build(3, "unknown", services=("c",), pipeline="3"),
    )
    matrix = matrix_of(board, faults_only=True, known={"d": ""})
    assert matrix.keys == ["b", "c"] and matrix.left_out == 2 and matrix.faults == 1


def test_a_service_that_leaves_takes_its_line_with_it():
    board = board_of(*READ, shop(build))
    matrix = matrix_of(board)
    change = matrix.update(board, fold(board, "ci:build:1"), NOW)
    assert matrix.keys == [] and change.order_changed and matrix.service("shop") is None


# -- what a line stands for


def test_the_subject_is_what_is_most_wrong_else_the_last_release_where_people_are_served_else_the_newest():
    facts = [
        shop(ticket, 1),
        shop(build, 2, pipeline="x"),
        shop(release, 3, environment="staging", started_at=ago(1)),
        shop(release, 4),
    ]
    board = board_of(*READ, *facts)
    matrix = matrix_of(board)
    assert matrix.subject("shop", board) == "cd:release:4"
    matrix.update(board, fold(board, shop(build, 5, "failed")), NOW)
    assert matrix.subject("shop", board) == "ci:build:5"
    matrix.update(board, fold(board, shop(incident, 6, severity="medium"), shop(incident, 7, severity="high")), NOW)
    assert matrix.subject("shop", board) == "am:incident:7"
    board = board_of(*READ, *facts[:2])
    assert matrix_of(board).subject("shop", board) in {fact.key for fact in facts[:2]}
    assert matrix_of(board, known={"empty": ""}).subject("empty", board) is None


# -- the cells


def test_what_lies_ahead_of_our_clock_is_not_what_runs():
    before, coming = release(1, version="v1.3", started_at=ago(80)), release(2, version="9.9", started_at=ago(-82))
    text, _ = place(before, coming)
    assert "v1.3" in text and "1h" in text and "9.9" not in text
    text, style = place(coming)
    assert text.split() == [UNICODE.of("release", "queued"), "9.9", "in", "1h"] and style == "muted"
    assert len(text) == len(place(before)[0]), "as wide as any other"


def place(*facts: Fact, environment: str = "production", board: Board | None = None) -> tuple[str, str]:
    board = board or board_of(*READ, *facts)
    return place_cell(line(matrix_of(board)), environment, Telling(NOW, state_of=board.state_of))


def test_what_runs_in_an_environment():
    assert place(release()) == ("  1.0         10m", "")
    assert place(release(1, "failed", version="1.4.2")) == (f"{FAILED} 1.4.2       10m", "failed")
    assert place(release(1, "rolled_back")) == (f"{UNICODE.of('release', 'rolled_back')} 1.0         10m", "warning")
    assert place(release(1, "unknown"))[0].startswith("? 1.0")
    assert place(release(1, started_at=None)) == (f"  1.0           {NOTHING}", "")
    assert place(release(1, version="", revision="0123456789abcdef"))[0].startswith("  0123456789 ")
    assert place(release(1, version="", revision=""))[0].startswith(f"  {NOTHING} ")


def test_a_release_under_way_shows_what_comes():
    old = release(1, version="1.0", started_at=ago(600))
    assert place(old, release(2, "running", version="1.1", started_at=ago(2))) == (
        f"{RUNNING} 1.1          2m",
        "running",
    )
    failed = release(1, "failed", version="1.0", started_at=ago(600))
    assert (
        place(failed, release(2, "running", version="1.1", started_at=ago(2)))[0] == f"{FAILED}{RUNNING} 1.1         2m"
    )
    assert place(release(1, "running", verdict="failed"))[0] == f"{FAILED}{RUNNING} 1.0        10m"
    assert place(release(1, "cancelled"))[0].startswith(UNICODE.of("release", "cancelled"))


def test_an_incident_is_seen_in_its_environment():
    down = incident(9, severity="critical", environment="production", services=("shop",))
    assert place(release(), down) == (f"{OPEN} 1.0         10m", "high")
    assert place(release(1, "failed"), down)[0] == f"{OPEN}{FAILED} 1.0        10m"
    assert place(down) == (f"{OPEN} {NOTHING}", "high")
    low = incident(9, severity="low", environment="staging", services=("shop",))
    assert place(release(), low) == ("  1.0         10m", "")
    assert place(release(), low, environment="staging") == (f"{OPEN} {NOTHING}", "low")


def test_targets_that_do_not_run_the_same_version():
    several = [
        release(1, target="eu", version="1.1", started_at=ago(1)),
        release(2, target="us", version="1.0"),
        release(3, target="ap", version="1.1"),
    ]
    assert place(*several)[0] == "  1.1 2/3      1m"
    assert place(*several[:1], release(4, "failed", target="us", version="1.0"))[0] == f"{FAILED} 1.0 1/2     10m"


def test_what_is_not_read_any_more_only_was():
    stale = [health("cd", "stale"), health("ci"), health("am"), health("tr")]
    board = board_of(*stale, release(1, version="1.4.2"), shop(build))
    assert place(board=board) == ("? was 1.4.2", "stale")
    down = incident(9, severity="critical", environment="production", services=("shop",))
    board = board_of(*stale, release(1, version="1.4.2"), down)
    assert place(board=board) == (f"{OPEN} was 1.4.2", "high")
    board = board_of(health("cd"), health("am", "stale"), release(), down)
    assert place(board=board) == ("? 1.0         10m", "stale")


def test_where_releases_are_not_read_nothing_is_said_to_run_nowhere():
    board = board_of(health("cd", "down"), health("ci"), health("am"), health("tr"), shop(build))
    reads = {"ci": ("build",), "am": ("incident",), "cd": ("release",), "tr": ("ticket",)}
    shown = line(matrix_of(board, reads=reads))
    assert words_of(shown, board)["at:production"].strip() == "?"


def test_versions_that_differ_from_where_people_are_served_stand_out():
    board = board_of(
        *READ,
        release(1, version="1.0"),
        release(2, version="1.0", environment="staging"),
        release(3, version="1.1", environment="test"),
    )
    cells = service_cells(line(matrix_of(board)), Telling(NOW)).cells
    assert cells["at:production"][1] == "" and cells["at:staging"][1] == "muted" and cells["at:test"][1] == ""


def test_counts_of_incidents_builds_and_tickets():
    shown = line_of(
        shop(incident, 1, severity="high"),
        shop(incident, 2, severity="critical"),
        shop(incident, 3, severity="critical"),
        shop(build, 4, "failed", pipeline="a"),
        shop(build, 5, pipeline="b"),
        shop(ticket, 6),
        shop(ticket, 7, "done"),
    )
    words = words_of(shown)
    assert words["incidents"] == "2 crit +1" and words["builds"] == f"{FAILED} 1" and words["tickets"] == "1"
    assert words_of(line_of(shop(build)))["builds"] == "✓"
    assert words_of(line_of(shop(build, 1, "running")))["builds"] == f"{RUNNING} 1"
    assert words_of(line_of(shop(build, 1, "unknown")))["builds"] == "? 1"
    assert "incidents" not in words_of(line_of(shop(build)))
    quiet = UNICODE.of("incident", "suppressed")
    assert words_of(line_of(shop(incident, 1, "suppressed")))["incidents"] == f"{quiet} 1"


def test_a_silent_pager_is_not_peace():
    board = board_of(health("am", "down"), health("ci"), shop(build))
    reads = {"ci": ("build",), "am": ("incident",)}
    assert words_of(line(matrix_of(board, reads=reads)))["incidents"] == "?"


def test_why_tells_the_worst_in_words():
    shown = line_of(shop(build, 1, "failed", title="Fix [it]", reason="2 of 9 jobs", pipeline="ci"))
    assert words_of(shown)["why"] == f"ci: Fix [it] {UNICODE.dash} 2 of 9 jobs"
    assert words_of(line_of(shop(incident, 1, title="Down")))["why"] == "Down"
    failed = release(1, "failed", version="1.4.2", target="eu", reason="timed out")
    assert words_of(line_of(failed))["why"] == f"1.4.2 failed in production eu {UNICODE.dash} timed out"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_health_has_a_word_and_every_sign_one_cell(glyphs):
    kinds: list[Health] = ["failing", "acknowledged", "hidden", "unknown", "unread", "warning", "ok", "nothing"]
    told = [health_cell(Service(name="x", health=kind), glyphs) for kind in kinds]
    assert len({text.partition(" ")[2] for text, _ in told}) == len(kinds)
    assert all(cell_len(text.partition(" ")[0]) == 1 for text, _ in told)
    assert all(cell_len(text) <= 9 for text, _ in told)


# -- the columns


def laid_out(matrix: ServiceMatrix, width: int) -> list[str]:
    columns = [Column(c.id, c.title, c.width, c.min_width, c.priority, c.align) for c in service_columns(matrix, width)]
    return [column.id for column in lay_out(columns, width).columns]


def full() -> ServiceMatrix:
    places = [release(n, environment=name) for n, name in enumerate((*ENVIRONMENTS, "canary"))]
    return matrix_of(board_of(*READ, *places, shop(ticket, 9), shop(release, 8, type="publication", environment="")))


def test_where_there_is_little_room_production_stays():
    matrix = full()
    assert laid_out(matrix, 60) == ["health", "service", "incidents", "builds", "at:production"]
    assert laid_out(matrix, 80) == ["health", "service", "incidents", "builds", "at:production", "at:staging"]
    four = [f"at:{name}" for name in (*ENVIRONMENTS, "canary")]
    assert laid_out(matrix, 120) == ["health", "service", "incidents", "builds", *four]
    assert laid_out(matrix, 200) == [
        *("health", "service", "incidents", "builds", *four, "published", "tickets", "team", "why")
    ]
    assert laid_out(matrix, 40)[:2] == ["health", "service"]


def test_environments_stand_in_the_order_of_the_config_and_their_number_is_bounded():
    several = [release(n, environment=f"pr-{n:03}") for n in range(40)]
    matrix = matrix_of(board_of(*READ, release(99, environment="staging"), release(98), *several))
    assert matrix.environments == ["production", "staging", *(f"pr-{n:03}" for n in range(10))]
    assert matrix.more_environments == 30
    assert "30 more environments" in "".join(text for text, _ in services_title(matrix))


def test_deployments_without_an_environment_have_a_column():
    matrix = matrix_of(board_of(*READ, release(environment=""), release(2)))
    assert matrix.environments == ["production", ""]


@pytest.mark.parametrize("version", ["1" * 500, "版本" * 250, "e\u0301" * 250, "אבג" * 160, "v1.0"])
def test_a_cell_of_an_environment_has_always_the_same_width(version):
    board = board_of(*READ, release(1, version=version), release(2, target="eu", started_at=ago(90)))
    text, _ = place(board=board)
    assert cell_len(text) == 17


def test_the_title_counts():
    board = board_of(
        *READ,
        build(1, services=("a",), pipeline="1", team="x"),
        build(2, "failed", services=("b",), pipeline="2"),
        build(3, "unknown", services=("c",), pipeline="3", team="x"),
    )
    title = "".join(text for text, _ in services_title(matrix_of(board, known={"d": "x"})))
    assert title == f"Services  4  {FAILED} 1 failing  ? 1 unknown  ✓ 1 ok  {NOTHING} 1 no data  1 unowned"


def test_five_thousand_services():
    facts = [build(n, services=(f"service-{n}",), pipeline=f"p{n}") for n in range(5_000)]
    board = board_of(*READ, *facts)
    matrix = matrix_of(board)
    assert len(matrix.keys) == 5_000
    change = matrix.update(board, fold(board, build(17, "failed", services=("service-17",), pipeline="p17")), NOW)
    assert matrix.keys[0] == "service-17" and change.changed == {"service-17"}


def test_the_details_tell_in_a_few_lines_how_a_service_is():
    facts = [
        shop(incident, 1, severity="high", environment="production", team="web"),
        shop(build, 2, "failed"),
        release(3, version="1.0"),
        release(4, version="1.1", environment="staging"),
    ]
    board = board_of(*READ, health("tr", "down"), *facts)
    matrix = matrix_of(board)
    lines = service_lines(line(matrix), matrix.environments, Telling(NOW, state_of=board.state_of))
    told = {label: words if isinstance(words, str) else "".join(word for word, _ in words) for label, words, _ in lines}
    assert told == {
        "service": f"shop  {FAILED} failing  web",
        "open": "1 high, 1 failing build",
        "runs": f"production {OPEN} 1.0 10m  staging 1.1 10m",
        "not read": "tr",
    }


def test_what_is_too_much_at_once_waits_to_be_done_in_steps():
    facts = [build(n, services=(f"s{n}",), pipeline=f"p{n}") for n in range(AT_ONCE + 1)]
    board = board_of(*READ, *facts)
    matrix = matrix_of(board)
    change = matrix.update(board, fold(board, health("ci", "stale")), NOW)
    assert matrix.waiting and not change
    matrix.update(board, fold(board, build(7, "failed", services=("s7",), pipeline="p7")), NOW)
    steps = 0
    for _ in matrix.settle_steps(board, NOW, chunk=100):
        steps += 1
        matrix.update(board, fold(board, build(f"n{steps}", services=(f"n{steps}",), pipeline=f"n{steps}")), NOW)
        if steps == 20:
            break
    for _ in matrix.settle_steps(board, NOW):
        pass
    assert steps > 5 and not matrix.waiting
    assert state(matrix) == state(matrix_of(board)) and matrix.keys[0] == "s7"
