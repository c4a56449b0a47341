"""The lines of the details pane, and what of them reaches the terminal."""

from __future__ import annotations

import re
from typing import Any, Self

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region

from statusboard.text import cell_len
from widgets.details import AIRY, LABEL, DetailsPane, Row, Section, lay_sections, wrap, wrap_words


def lines(rows: list[Row]) -> list[str]:
    return ["".join(text for text, _ in row.words) for row in rows]


def laid(*sections: Section, width: int = 40, airy: bool = True) -> list[str]:
    return lines(lay_sections(sections, width, airy=airy))


# -- laying


def test_a_value_wraps_beside_its_label():
    assert laid(("Where", [("service", "a bb ccc dddd eeeee ffffff", "")]), width=34) == [
        "Where",
        " service  a bb ccc dddd eeeee",
        "          ffffff",
    ]


def test_labels_take_no_more_room_than_they_need():
    told = laid(("Said", [("ann", "on it", "")]), ("Labels", [("a" * 40, "x", ""), ("b", "y", "")]), width=60)
    assert told[:2] == ["Said", " ann  on it"]
    assert told[4] == " " + "a" * (LABEL - 3) + "…  x"
    assert told[5] == " b" + " " * (LABEL - 1) + "y"


def test_what_has_no_label_takes_all_the_room():
    assert laid(("", [("", "the title", "strong")]), ("Why", [("", "because", "")])) == [
        "the title",
        "",
        "Why",
        " because",
    ]


def test_in_a_low_pane_no_line_is_left_blank():
    assert laid(("", [("", "x", "")]), ("Why", [("", "y", "")]), airy=False) == ["x", "Why", " y"]


def test_in_a_narrow_pane_values_stand_below_their_label():
    assert laid(("Where", [("service", "checkout", "")]), width=20) == ["Where", " service", "  checkout"]


def test_each_line_of_a_long_link_leads_to_all_of_it():
    url = "https://ci.example/" + "a" * 30
    rows = lay_sections([("Links", [("page", url, "link"), ("bad", "javascript:x", "link")])], 40)
    assert [row.url for row in rows] == ["", url, url, ""]


def test_words_that_belong_together_go_to_the_next_line_together():
    words = [("09:37 ", "muted"), ("open", "high"), (" › 09:41 ", "muted"), ("acked", ""), (" by ann", "")]
    assert wrap_words(words, 22) == [
        [("09:37 ", "muted"), ("open", "high")],
        [("› 09:41 ", "muted"), ("acked", ""), (" by ann", "")],
    ]


texts = st.text("ab 漢é\u0301ש", max_size=80)


@given(texts, st.integers(2, 40))
def test_wrapping_loses_nothing_and_never_exceeds(text, width):
    found = wrap(text, width)
    assert all(cell_len(line) <= width for line in found)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")


@given(st.lists(st.tuples(texts, st.sampled_from(["", "muted"])), max_size=8), st.integers(2, 40))
def test_wrapped_words_lose_nothing_and_never_exceed(words, width):
    found = wrap_words(words, width)
    assert all(sum(cell_len(text) for text, _ in line) <= width for line in found)
    together = "".join(text for line in found for text, _ in line)
    assert together.replace(" ", "") == "".join(text for text, _ in words).replace(" ", "")


@given(
    st.lists(st.tuples(texts, st.lists(st.tuples(texts, texts, st.just("")), max_size=4)), max_size=4),
    st.integers(8, 70),
    st.booleans(),
)
def test_no_line_is_wider_than_the_pane(sections, width, airy):
    for line in lines(lay_sections(sections, width, airy=airy)):
        assert cell_len(line) <= width


# -- in a terminal


class Watched(DetailsPane):
    """Notes how many parts it asks to have painted anew."""

    watched: list[int] | None = None

    def refresh(self, *regions: Region, **more: Any) -> Self:
        if self.watched is not None:
            self.watched.append(len(regions))
        return super().refresh(*regions, **more)


class Terminal(App[None]):
    """A pane, and all that is written."""

    CSS = "Watched { height: 100%; border: none; }"

    def __init__(self, *, links: bool = True) -> None:
        super().__init__()
        self.pane = Watched(links=links)
        self.painted: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def shown(self) -> list[str]:
        """The lines of the terminal."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]

    def written(self) -> str:
        """What the lines are to a terminal."""
        return "".join(strip.render(self.console) for strip in self.screen._compositor.render_strips())


async def test_links_are_told_to_the_terminal_whole_and_with_an_id_of_our_own():
    url = "https://ci.example/?a=1;b=2&c=" + "x" * 60
    app = Terminal()
    async with app.run_test(size=(60, 20)) as pilot:
        bad = ["https://a.example/\x07", "file:///etc/passwd", "https://a.example/ b", "https://u:p@a.example/"]
        app.pane.show("k", [("Links", [("page", url, "link"), *(("bad", each, "link") for each in bad)])])
        await pilot.pause()
        found = [link for link in re.findall(r"\x1b\]8;([^;]*);([^\x1b]*)\x1b\\", app.written()) if link[1]]
        assert [target for _, target in found] == [url, url], "one a line"
        assert re.fullmatch(r"id=-?[0-9-]+", found[0][0])
        assert len({params for params, _ in found}) == 1, "for the terminal they are one"


async def test_a_terminal_that_knows_no_links_is_told_none():
    app = Terminal(links=False)
    async with app.run_test(size=(60, 20)) as pilot:
        app.pane.show("k", [("Links", [("page", "https://ci.example/1", "link")])])
        await pilot.pause()
        assert "]8;" not in app.written() and "https://ci.example/1" in app.written()


async def test_it_scrolls_keeps_its_place_for_one_subject_and_begins_anew_for_another():
    long: list[Section] = [("", [("", f"line {n}", "") for n in range(100)])]
    app = Terminal()
    async with app.run_test(size=(40, 20)) as pilot:
        app.pane.show("a", long)
        app.pane.focus()
        await pilot.pause()
        assert app.shown()[0] == " line 0"
        await pilot.press("j", "j", "pagedown")
        await pilot.pause()
        assert app.shown()[0] == " line 22"
        await pilot.press("G")
        await pilot.pause()
        assert app.shown()[-1] == " line 99"
        app.pane.show("a", [("", [("", f"Line {n}", "") for n in range(90)])])
        await pilot.pause()
        assert app.shown()[-1] == " Line 89"
        app.pane.show("b", long)
        await pilot.pause()
        assert app.shown()[0] == " line 0"


async def test_only_what_differs_is_painted():
    app = Terminal()
    async with app.run_test(size=(40, 20)) as pilot:
        app.pane.show("a", [("", [("", f"line {n}", "") for n in range(10)])])
        await pilot.pause()
        asked: list[int] = []
        app.pane.watched = asked
        app.pane.show("a", [("", [("", f"line {n}", "") for n in range(10)])])
        assert asked == []
        app.pane.show("a", [("", [("", f"line {n if n != 4 else 44}", "") for n in range(10)])])
        assert asked == [1]
        await pilot.pause()
        assert app.shown()[4] == " line 44"


async def test_another_width_breaks_lines_elsewhere():
    app = Terminal()
    async with app.run_test(size=(60, AIRY + 4)) as pilot:
        app.pane.show("a", [("", [("", "word " * 20, "")])])
        await pilot.pause()
        assert len([line for line in app.shown() if line]) == 2
        await pilot.resize_terminal(30, 20)
        await pilot.pause()
        assert len([line for line in app.shown() if line]) == 4
