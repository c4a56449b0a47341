"""The one boundary for foreign text and URLs: whatever a vendor sends becomes one safe line here, or does not pass.

Widths are terminal cells. They follow the same rules as rich and Textual (a test compares every printable character),
with one stated difference: `cell_len` counts a variation selector and a zero-width joiner as 0 cells and never widens
or merges what stands beside them, because `clean` removes both. For cleaned text the two always agree.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"
URL_LIMIT = 2_000
"""Longest URL, in characters, that passes `safe_url`."""

_REPLACEMENT = "\ufffd"
_MARKS_PER_BASE = 3
_CACHE_LIMIT = 8_192  # hostile text must not grow the per-character tables without end

# Printable by category, yet drawn as nothing: fillers, the grapheme joiner, variation selectors.
_INVISIBLE = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0x180B, 0x180C, 0x180D, 0x180F))
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))

# Characters whose width unicodedata does not tell: (first, last, cells).
_WIDTH_EXCEPTIONS = (
    (0x1160, 0x11FF, 0),  # Hangul vowels and finals join the syllable before them
    (0x2630, 0x2637, 2),  # trigrams: wide since Unicode 16
    (0x268A, 0x268F, 2),
    (0x3164, 0x3164, 0),  # fillers
    (0x4DC0, 0x4DFF, 2),  # hexagrams
    (0xD7B0, 0xD7FF, 0),
    (0xFFA0, 0xFFA0, 0),
    (0x1D300, 0x1D376, 2),  # Tai Xuan Jing symbols and counting rods
    (0x1F3FB, 0x1F3FF, 0),  # skin tones colour the emoji before them
)


def _char_width(code: int) -> int:
    for first, last, cells in _WIDTH_EXCEPTIONS:
        if first <= code <= last:
            return cells
    char = chr(code)
    if unicodedata.category(char) in ("Mn", "Me", "Mc", "Cf", "Cc", "Cs", "Zl", "Zp") and code != 0xAD:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class _Widths(dict[str, int]):
    """Character -> cells, filled as characters are met."""

    def __missing__(self, char: str) -> int:
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        cells = self[char] = _char_width(ord(char))
        return cells


def _safe_char(code: int) -> str | None:
    char = chr(code)
    if char in "\t\n\v\f\r\x85":
        return " "
    category = unicodedata.category(char)
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if category in ("Cc", "Cf") or char in _INVISIBLE:
        return None
    if category in ("Cs", "Co", "Cn"):
        # Default-ignorable code points that are not assigned yet are invisible too; the rest has no known width.
        ignorable = code == 0x2065 or 0xFFF0 <= code <= 0xFFF8 or 0xE0000 <= code <= 0xE0FFF
        return None if ignorable else _REPLACEMENT
    return char


class _SafeChars(dict[int, str | None]):
    """Table for `str.translate`: code point -> what may be shown for it, or None to drop it."""

    def __missing__(self, code: int) -> str | None:
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        safe = self[code] = _safe_char(code)
        return safe


class _SafeCharsAndNewlines(_SafeChars):
    def __missing__(self, code: int) -> str | None:
        return "\n" if code == 0x0A else super().__missing__(code)


_WIDTH = _Widths()
_SAFE = _SafeChars()
_SAFE_LINES = _SafeCharsAndNewlines()


def cell_len(text: str) -> int:
    """Width of `text` in terminal cells (control characters count as 0)."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(map(_WIDTH.__getitem__, text))


def clip(text: str, cells: int) -> str:
    """`text` if it fits into `cells` cells, else its beginning and an ellipsis, never wider than `cells`.

    A wide character is never split, and combining marks stay with their base.
    """
    if cells <= 0:
        return ""
    if text.isascii() and text.isprintable():
        return text if len(text) <= cells else text[: cells - 1] + ELLIPSIS
    return text if cell_len(text) <= cells else _head(text, cells - 1) + ELLIPSIS


def fit(text: str, cells: int) -> str:
    """`text` clipped, or padded on the right with spaces, to exactly `cells` cells."""
    clipped = clip(text, cells)
    return clipped + " " * (cells - cell_len(clipped))


def _head(text: str, cells: int) -> str:
    """The longest beginning of `text` that is at most `cells` wide, with the marks of its last character."""
    used = 0
    for index, char in enumerate(text):
        used += _WIDTH[char]
        if used > cells:
            return text[:index]
    return text


def clean(value: object, limit: int = 400) -> str:
    """Any value as one printable line of at most `limit` cells.

    None is "", bytes are read as UTF-8, anything else goes through `str()`. Controls (C0, DEL, C1, so no ESC survives),
    bidi controls, zero-width and other invisible characters are removed. Lone surrogates, noncharacters, private-use
    characters and characters this Python's Unicode data does not know become U+FFFD, since their width is unknown.
    White space of any kind becomes single spaces. A base character keeps at most 3 combining marks and 3 other joining
    signs; what has no base is dropped. The result is in NFC, so that equal words are equal strings, and
    `clean(clean(x)) == clean(x)`.
    """
    text = value if type(value) is str else _as_text(value)
    if text.isascii() and text.isprintable() and "  " not in text and len(text) <= limit:
        return text.strip()
    # Bounds the work on a huge value; already cleaned text (at most 7 characters a cell) is never longer than this.
    bound = max(4_096, 8 * limit)
    cut = len(text) > bound
    text = (text[:bound] if cut else text).translate(_SAFE)
    if not text.isascii():
        # Marks are trimmed before normalising too, which takes quadratic time in the length of a run of marks.
        text = _trim_marks(text)
        if not unicodedata.is_normalized("NFC", text):
            text = _trim_marks(unicodedata.normalize("NFC", text))
    text = " ".join(text.split())
    if cut and cell_len(text) < limit:
        return text + ELLIPSIS
    return clip(text + ELLIPSIS if cut else text, limit)


def strip_controls(text: str) -> str:
    """`text` without controls and invisible characters, as `clean` does it, but keeping newlines, runs of spaces and
    length: for log files and other places that hold several lines."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_SAFE_LINES)


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - boundary: a foreign __str__ may raise anything (a 5,000-digit int does)
        return f"<{type(value).__name__}>"


def _trim_marks(text: str) -> str:
    """Drops marks without a base, and the rest of a cluster once it holds too many marks.

    Cutting the tail of a cluster, rather than single marks, leaves a normalised text normalised.
    """
    if 0 not in map(_WIDTH.__getitem__, text):
        return text
    kept: list[str] = []
    stacked = joined = 0
    open_cluster = False
    for char in text:
        if _WIDTH[char]:
            stacked = joined = 0
            open_cluster = char != " "
        elif not open_cluster:
            continue
        else:
            if unicodedata.category(char) in ("Mn", "Me"):
                stacked += 1
            else:
                joined += 1
            if stacked > _MARKS_PER_BASE or joined > _MARKS_PER_BASE:
                open_cluster = False
                continue
        kept.append(char)
    return "".join(kept)


# RFC 3986 characters, plus {}|^ which vendors leave unescaped; no quotes, space, backslash, angle bracket or backtick.
_URL = re.compile(
    r"https?://(?:[a-z0-9_][a-z0-9._-]*|\[[0-9a-f]*:[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"(?:[/?#][!#$%&()*+,\-./0-9:;=?@\[\]^_a-z{|}~]*)?",
    re.ASCII | re.IGNORECASE,
)


def safe_url(value: object) -> str:
    """`value` unchanged if it is an http(s) URL that is safe to open, show and send to a terminal, else "".

    Safe: at most 2,000 characters of printable ASCII, with a host, a port below 65,536 if any, no user name or
    password, no space, quote, backslash or control. Never raises.
    """
    if not isinstance(value, str) or len(value) > URL_LIMIT:
        return ""
    match = _URL.fullmatch(value)
    if match is None or int(match[1] or 0) > 65_535:
        return ""
    return str(value)


_AUTHORITY = re.compile(r"((?:[a-z][a-z0-9+.\-]*:)?//)([^/?#\\]*)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_PORT = re.compile(r"(?:[^:\[\]]*|\[[^\]]*\])(?::[0-9]*)?", re.ASCII)


def redact_url(url: object) -> str:
    """`url` for logs and errors: without user name, password and fragment, and with each query value as `***`.

    Takes any value, also one that is no URL; the result is cleaned and at most 2,000 cells. Never raises.
    """
    text = clean(url, URL_LIMIT)
    match = _AUTHORITY.fullmatch(text)
    if match is not None:
        start, authority, rest = match.groups()
        if "@" in authority:
            authority = authority.rpartition("@")[2]
        elif "@" in rest and _PORT.fullmatch(authority) is None:
            # An unescaped "/", "?" or "#" in the password ended the authority early: "https://me:pa/ss@host/".
            authority, rest = "", rest.rpartition("@")[2]
        text = start + authority + rest
    text = text.partition("#")[0]
    head, mark, query = text.partition("?")
    return clean(head + mark + "&".join(map(_redact_pair, re.split("[&;]", query))) if query else head, URL_LIMIT)


def _redact_pair(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    return f"{key}=***" if equals else "***" if pair else ""


_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$]|://|www\.|^(?:[#+=:-]|[0-9]+[.)])", re.IGNORECASE)


def markdown(text: str) -> str:
    """A clean text as Markdown (CommonMark, GitHub's) that shows just that: no markup, link, table cell or mention.

    On one line; it may stand at the beginning of a line, in a list or in a table.
    """
    # A backslash stands before the sign itself: of `://` the colon, of `1.` the dot.
    escaped = _MARKUP.sub(lambda found: _escaped(found[0]), " ".join(text.split()))
    return escaped.replace("@", "@\u2060")  # a joiner, which nobody sees, parts it from the name


def _escaped(mark: str) -> str:
    if len(mark) == 1:
        return f"\\{mark}"
    return f"\\{mark}" if mark == "://" else f"{mark[:-1]}\\{mark[-1]}"
