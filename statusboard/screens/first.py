"""What the next board paints first: the uppermost rows of each lane as texts, kept when a board ends.

Reading a configuration, its sources and a store takes longer than anybody wants to look at an empty screen; reading
this takes milliseconds, and neither the model nor msgspec.  What is in the file was cleaned when it came, and is
cleaned again, since it is not the board's own any more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from statusboard.clock import age
from statusboard.palettes import PALETTES, Palette, derived, is_color
from statusboard.paths import cache_dir, replace_file
from statusboard.text import clean
from widgets.glance import GlanceLane, Picture
from widgets.layout import Column

if TYPE_CHECKING:
    from statusboard.model import ItemKind
    from statusboard.screens.lanes import Cells
    from statusboard.screens.settings import Settings

VERSION: Final = 1
ROWS: Final = 60
"""Rows kept of each lane."""
MAX_SIZE: Final = 1_000_000


class First(NamedTuple):
    """What the first paint needs: how the board looks, the picture, and the theme where it is none of ours."""

    title: str
    theme: str
    picture: Picture
    palettes: tuple[Palette, ...] = ()


def kept_at(config: Path) -> Path:
    """Where the first picture of the board of this config is kept."""
    name = hashlib.blake2b(os.fsencode(os.path.abspath(config)), digest_size=12).hexdigest()
    return cache_dir() / "first" / f"{name}.json"


def nothing_known(title: str, unknown: str = "?") -> Picture:
    """The picture where no board ran before."""
    return Picture(f" {unknown} STARTING ", title, ("nothing read yet",), ())


# -- writing ---------------------------------------------------------------------------------------------------------


def encode(cells: Cells, lanes: Mapping[ItemKind, Sequence[str]], settings: Settings, now: datetime) -> bytes:
    """The picture of these lanes' rows."""
    from statusboard import presenting
    from statusboard.current import moment_of
    from statusboard.screens.lanes import NAMES, columns_of

    board = cells.board
    made: list[dict[str, Any]] = []
    for kind, keys in lanes.items():
        rows = []
        for key in keys[:ROWS]:
            row = board.rows.get(key)
            if row is not None:
                # As of a source that was not read yet: each says what it was.
                texts = presenting.cells(row, now, glyphs=cells.glyphs, source_state="starting", zone=cells.zone).cells
                moment = moment_of(row.fact)  # type: ignore[arg-type]
                told: dict[str, Any] = {name: text for name, (text, _) in texts.items()}
                rows.append(told | {"age": moment.timestamp() if moment is not None else ""})
        columns = [list(column) for column in columns_of(kind)]
        made.append({"name": NAMES[kind], "count": len(keys), "columns": columns, "rows": rows})
    words = presenting.last_known_words(board.summary(), now, now)
    body = {
        "version": VERSION,
        "saved_at": now.timestamp(),
        "title": settings.title,
        "theme": settings.theme,
        "palettes": [[own.name, dict(own.colors)] for own in settings.palettes if own.name == settings.theme],
        "unknown": cells.glyphs.of("build", "unknown"),
        "counts": [text for text, _ in words[1:]],
        "lanes": made,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def save(path: Path, data: bytes) -> None:
    """Write at once or not at all (0600). Where that fails, the next start has nothing to show at first."""
    with contextlib.suppress(OSError):
        replace_file(path, data)


# -- reading ---------------------------------------------------------------------------------------------------------


def load(path: Path, now: datetime) -> First | None:
    """What was kept, or None where there is nothing that can be shown."""
    try:
        if path.stat().st_size > MAX_SIZE:
            return None
        body = json.loads(path.read_bytes())
        return _read(body, now) if body["version"] == VERSION else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None  # whatever is wrong with it: it is not what `save` wrote


def _read(body: dict[str, Any], now: datetime) -> First:
    saved = datetime.fromtimestamp(float(body["saved_at"]), UTC)
    since = f"last known {age(now, saved)} ago"
    title = clean(body["title"], 80)
    picture = Picture(
        f" {clean(body['unknown'], 1)} LAST KNOWN, {age(now, saved)} ago ",
        title,
        [clean(text, 80) for text in body["counts"]],
        [_lane(lane, since, now) for lane in body["lanes"]],
    )
    palettes = [_palette(name, colors) for name, colors in body.get("palettes", ())]
    return First(title, clean(body["theme"], 40), picture, tuple(palettes))


def _palette(name: str, colors: dict[str, str]) -> Palette:
    if not all(is_color(color) for color in colors.values()):
        raise ValueError("this is no palette")
    return derived(clean(name, 40), PALETTES["dark"], colors)


def _lane(lane: dict[str, Any], since: str, now: datetime) -> GlanceLane:
    columns = [
        Column(
            str(name),
            clean(title, 40),
            None if width is None else int(width),
            int(least),
            int(priority),
            "right" if align == "right" else "left",
        )
        for name, title, width, least, priority, align in lane["columns"]
    ]
    count = int(lane["count"])
    rows = [_row(row, now) for row in lane["rows"][:ROWS]]
    return GlanceLane(clean(lane["name"], 40), f"{count or 'none'}, {since}", columns, rows)


def _row(row: dict[str, Any], now: datetime) -> dict[str, str]:
    began = row.get("age")
    texts = {name: clean(text, 200) for name, text in row.items() if name != "age"}
    texts["age"] = age(now, datetime.fromtimestamp(float(began), UTC)) if isinstance(began, int | float) else "·"
    return texts
