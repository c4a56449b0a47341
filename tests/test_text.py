"""The boundary for foreign text and URLs."""

from __future__ import annotations

import html
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len as rich_cell_len

from statusboard.text import URL_LIMIT, cell_len, clean, clip, fit, markdown, redact_url, safe_url, strip_controls

# Text where trouble is frequent: controls, bidi, joiners, marks, wide and composing characters, surrogates.
NASTY = st.text(
    st.one_of(
        st.sampled_from(
            " \t\n\r\x00\x07\x1b\x7f\x85\x9b\xa0\xad[]<>ae"
            "\u0300\u0301\u0316\u0323\u0327\u0344\u034f\u0345\u061c\u093c\u0915\u0958\u09c7\u09be\u09d7\u0f73"
            "\u1100\u1161\u11a8\uac00\u115f\u1160\u180e\u200b\u200d\u202e\u2066\u2028\u2065\u206a\u3000\u3099\u304b"
            "\u3164\ufe0f\ufeff\ufff9\ufffe\uffff\ud800\udfff\ue000日本❤"
            "\U0001f468\U0001f3fd\U0001d15e\U0001d165\U000e0041\U000e0100\U0010ffff"
        ),
        st.characters(),
    ),
    max_size=60,
)

# All of the planes that hold characters in use, and a sample of the empty ones.
EVERY_CODE = (
    *range(0x20000),
    *range(0x20000, 0xE0000, 997),
    *range(0xE0000, 0xE1000),
    sys.maxunicode - 1,
    sys.maxunicode,
)


@given(NASTY, st.integers(-1, 50))
@example("a\u0301\u0302\u0303\u0304\u09be", 10)
@example("\u09c7\u0301\u0302\u0303\u0304\u09be", 10)
@example(" \u0301x", 10)
@example("\u0301 x", 10)
def test_clean_is_printable_bounded_and_idempotent(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert once.isprintable()
    assert cell_len(once) <= max(limit, 0)
    assert clean(once, limit) == once
    assert clean(clean(text)) == clean(text)
    assert unicodedata.is_normalized("NFC", once)


@given(NASTY)
def test_width_of_clean_text_is_what_rich_says(text: str) -> None:
    assert cell_len(clean(text)) == rich_cell_len(clean(text))


def test_width_of_every_printable_character_is_what_rich_says() -> None:
    different = [
        f"U+{code:04X}"
        for code in EVERY_CODE
        if (char := chr(code)).isprintable() and clean(char) and cell_len(char) != rich_cell_len(char)
    ]
    assert different == []


def test_the_stated_difference_from_rich() -> None:
    assert (cell_len("❤\ufe0f"), rich_cell_len("❤\ufe0f")) == (1, 2)
    assert (cell_len("👨\u200d👩"), rich_cell_len("👨\u200d👩")) == (4, 2)


def test_no_single_character_gets_through_that_should_not() -> None:
    for code in EVERY_CODE:
        safe = clean(f"a{chr(code)}b")
        assert safe.isprintable(), hex(code)
        assert clean(safe) == safe, hex(code)


@pytest.mark.parametrize(
    "code",
    [
        *(0x00, 0x07, 0x08, 0x1B, 0x1F, 0x7F, 0x80, 0x9B, 0x9F, 0xAD, 0x034F, 0x061C, 0x115F, 0x1160, 0x180E),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *(0x3164, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0, 0xFFF9, 0xFFFA, 0xFFFB),
        *(0xE0000, 0xE0001, 0xE0041, 0xE007F, 0xE0100, 0xE01EF),
    ],
)
def test_controls_and_invisible_characters_are_removed(code: int) -> None:
    assert clean(f"a{chr(code)}b") == "ab"


@pytest.mark.parametrize("code", [0xD800, 0xDFFF, 0xE000, 0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFF, 0x10FFFD, 0x10FFFF])
def test_what_has_no_known_shape_is_replaced(code: int) -> None:
    assert clean(f"a{chr(code)}b") == "a\ufffdb"


@pytest.mark.parametrize("space", ["\n", "\r\n", "\t", "\v", "\f", "\x85", "\u2028", "\u2029", "\xa0", "\u3000", "   "])
def test_white_space_becomes_one_space(space: str) -> None:
    assert clean(f"{space}a{space}{space}b{space}") == "a b"


def test_terminal_sequences_lose_their_power() -> None:
    hostile = "[/x] [@click=app.quit]boom \x1b]52;c;aGk=\x07\u202e\x9b31m"
    assert clean(hostile) == "[/x] [@click=app.quit]boom ]52;c;aGk=31m"


def test_stacked_marks_are_capped_and_words_keep_theirs() -> None:
    assert clean("Z" + "\u0335\u0336\u0337\u0338" * 50 + "algo") == "Z\u0335\u0336\u0337algo"
    assert clean("\u0301\u0301abc") == "abc"
    for word in ("café", "ကြွေး", "हिन्दी", "Tiếng Việt", "שָׁלוֹם", "한국어"):
        assert clean(word) == unicodedata.normalize("NFC", word)
    assert clean("cafe\u0301") == "caf\u00e9"


@pytest.mark.parametrize(
    "value, expected",
    [
        (None, ""),
        ("", ""),
        (12, "12"),
        (1.5, "1.5"),
        (True, "True"),
        (b"caf\xc3\xa9\xff", "caf\u00e9\ufffd"),
        (["a\x1b"], "['a\\x1b']"),
    ],
)
def test_any_value_becomes_text(value: object, expected: str) -> None:
    assert clean(value) == expected


def test_a_value_whose_str_raises_is_named_by_its_type() -> None:
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert clean(Rude()) == "<Rude>"
    assert clean(10**5000) == "<int>"


def test_clean_text_is_returned_as_it_is() -> None:
    title = "build 12 failed: lint, test"
    assert clean(title) is title


def test_a_huge_value_is_cut_and_says_so() -> None:
    assert clean("x" * 1_000_000, 5) == "xxxx…"
    assert clean("\u200b" * 1_000_000 + "x", 5) == "…"
    assert clean("ab" + "\x00" * 1_000_000, 5) == "ab…"
    assert clean("a" + "\u0301\u0316" * 100_000, 5) == clean("a\u0301\u0316\u0301\u0316", 5) + "…"


@given(NASTY, st.integers(-2, 30))
def test_clip_and_fit_keep_to_their_width(text: str, cells: int) -> None:
    text = clean(text)
    assert cell_len(clip(text, cells)) <= max(cells, 0)
    assert cell_len(fit(text, cells)) == max(cells, 0)
    if cell_len(text) <= cells:
        assert clip(text, cells) == text


@pytest.mark.parametrize(
    "text, cells, expected",
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 1, "…"),
        ("abcd", 0, ""),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0323\u0301abc", 2, "e\u0323\u0301…"),
    ],
)
def test_clip(text: str, cells: int, expected: str) -> None:
    assert clip(text, cells) == expected


def test_fit_pads() -> None:
    assert fit("日", 4) == "日  "
    assert fit("日本語", 4) == "日… "


def test_strip_controls_keeps_lines_and_indents() -> None:
    assert strip_controls("a:\n    b\x1b[1m\r\n\u202ec\td") == "a:\n    b[1m \nc d"


def test_hostile_variety_does_not_wear_out_the_tables() -> None:
    for code in range(0x20000):
        cell_len(clean(chr(code)))
    assert clean("café 日本\x1b") == "café 日本"
    assert cell_len("café 日本") == 9


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/x/actions/runs/1",
        "http://localhost:8080",
        "http://127.0.0.1:9093/#/alerts?filter=%7Ba%3D%22b%22%7D",
        "https://[::1]:8443/x?y=1&z={a}",
        "HTTPS://Example.COM./",
        "https://host/@scope/pkg",
        "https://host?x=a@b",
    ],
)
def test_good_urls_pass_unchanged(url: str) -> None:
    assert safe_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        5,
        b"https://a/",
        "",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//host/x",
        "https:host",
        "https://",
        "https:///x",
        "https://?x",
        "https://:80/",
        "https://user:pw@host/",
        "https://user@host/",
        "https://@host/",
        "https://host/a b",
        " https://host/",
        "https://host/\n",
        "https://host/\x1b]8;;",
        "https://host/\x7f",
        "https://host\\@evil/",
        'https://host/"',
        "https://host/'",
        "https://host/<x>",
        "https://host/`",
        "https://hóst/",
        "https://host/\u202e",
        "http\u017f://host/",
        "https://host:65536/",
        "https://host:x/",
        "https://ho%73t/",
        "https://[zz]/",
        "https://host/" + "a" * URL_LIMIT,
    ],
)
def test_bad_urls_are_dropped(url: object) -> None:
    assert safe_url(url) == ""


@given(st.one_of(NASTY, NASTY.map("https://".__add__), st.from_regex(r"\Ahttps?://[a-z@:\[\]/?#.]{0,20}\Z")))
def test_safe_url_passes_only_plain_ascii(value: object) -> None:
    url = safe_url(value)
    assert url in ("", value)
    assert url.isascii()
    assert clean(url, URL_LIMIT) == url
    if url:
        authority = url.split("//", 1)[1].partition("/")[0].partition("?")[0].partition("#")[0]
        assert authority
        assert "@" not in authority


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://host/a/b", "https://host/a/b"),
        ("https://host/a?token=abc&page=2#frag", "https://host/a?token=***&page=***"),
        ("https://host/a?abc", "https://host/a?***"),
        ("https://host/a?x=1;y=2&&z=", "https://host/a?x=***&y=***&&z=***"),
        ("https://me:secret@host:8/a", "https://host:8/a"),
        ("https://token@host/", "https://host/"),
        ("https://me:p@ss@host/", "https://host/"),
        ("https://me:pa/ss@host/a", "https://host/a"),
        ("https://me:pa#ss@host/a", "https://host/a"),
        ("https://me:pa?ss@host/a", "https://host/a"),
        ("https://host/@scope/pkg", "https://host/@scope/pkg"),
        ("https://host:80/@scope/pkg", "https://host:80/@scope/pkg"),
        ("https://[::1]:80/@scope", "https://[::1]:80/@scope"),
        ("postgresql://me:pw@db/x", "postgresql://db/x"),
        ("//me:pw@host/", "//host/"),
        ("/path?key=v", "/path?key=***"),
        ("https://[bad?q=v", "https://[bad?q=***"),
        ("https://h/\x1b[1m", "https://h/[1m"),
        (None, ""),
    ],
)
def test_redact_url(url: object, expected: str) -> None:
    assert redact_url(url) == expected


@given(st.text("ab:/@?#[]\\=&%. ", max_size=30))
def test_redact_url_never_shows_a_query_value_or_password(tail: str) -> None:
    shown = redact_url(f"https://me:hunter2@host/?k=hunter2&{tail}")
    assert "hunter2" not in shown


@given(st.one_of(NASTY, st.binary(), st.none()))
def test_redact_url_never_raises(value: object) -> None:
    assert redact_url(value).isprintable()


# --- Markdown -------------------------------------------------------------------------------------------------------

_RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = st.text(alphabet="\\`*_{}[]()<>#+-.!|~&$:=@/ 1a\"'w;", max_size=30)


@given(SIGNS | NASTY)
@example("# a")
@example("1. b")
@example("a | b")
@example("[x](http://e)")
@example("&amp;")
def test_markdown_shows_a_text_as_it_is(text: str) -> None:
    told = clean(text, 200)
    shown = html.escape(told).replace("&#x27;", "'")

    def rendered(text: str) -> str:
        return _RENDERER.render(text).replace("\u2060", "")

    assert rendered(markdown(told)) == (f"<p>{shown}</p>\n" if told else "")
    assert f"<li>{shown}</li>" in rendered(f"- {markdown(told)}\n")
    assert f"<td>{shown}</td>\n<td>c</td>" in rendered(f"| a | b |\n|---|---|\n| {markdown(told)} | c |\n")


def test_markdown_names_nobody_and_links_nowhere() -> None:
    assert markdown("@here see http://evil.example or www.evil.example") == (
        "@\u2060here see http\\://evil.example or www\\.evil.example"
    )
    assert markdown(" two\nlines ") == "two lines"
