"""Exports SVG pictures of the board.

python -m tests.pictures                  those of the documentation, to docs/pictures
python -m tests.pictures board wall       some of them
python -m tests.pictures --every FOLDER [WORD ...]    every view in every theme at every size, or those with all words
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pictures.taking import FOLDER, SHOTS, Shot, Studio, every


async def export(folder: Path, shots: Iterable[Shot]) -> None:
    """Take these, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        studio = Studio(Path(scratch))
        for shot in shots:
            path = folder / f"{shot.name}.svg"
            path.write_text(await studio.take(shot), encoding="utf-8")
            print(path)


def main(args: list[str]) -> int:
    """As the head of this module says."""
    if args[:1] == ["--every"]:
        folder, *words = args[1:]
        asyncio.run(export(Path(folder), (shot for shot in every() if all(word in shot.name for word in words))))
    else:
        asyncio.run(export(FOLDER, (shot for shot in SHOTS if not args or shot.name in args)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
