"""Without a configuration: the welcome screen, and what a person chooses on it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from statusboard.cli.common import KEYRING_PATIENCE, registry

if TYPE_CHECKING:
    from statusboard.credentials import Keychain
    from statusboard.screens.welcome import Beginning
    from statusboard.trust import Found

DOCS = Path(__file__).parents[2] / "docs"
"""Where they are in a checkout; an installed program has none."""


def welcome(found: Found) -> Path | int:
    """Welcome a person until they leave (the exit code), or there is a configuration to open (its path)."""
    from statusboard.cli.board import play
    from statusboard.screens.welcome import WelcomeApp
    from statusboard.themes import look_of

    beginning = begin(found)
    again = False
    while True:
        encoding = sys.__stderr__.encoding if sys.__stderr__ is not None else ""  # where Textual draws
        app = WelcomeApp(beginning, look=look_of(os.environ, encoding), again=again)
        ended = asyncio.run(play(app))
        chosen = app.return_value
        if chosen is None or ended.ordered:
            return ended.code
        if chosen != "demo":
            return chosen
        from statusboard.cli.demo import show_demo

        ended = show_demo()
        if ended.code or ended.ordered:
            return ended.code
        again = True


def begin(found: Found) -> Beginning:
    """What the welcome screen starts from, here."""
    from statusboard.paths import config_file, log_file
    from statusboard.screens.welcome import Beginning
    from statusboard.setup.around import look_around

    known, folder = registry(), Path.cwd()
    target = found.path or config_file()
    notices = [found.notice] if found.notice else []
    if found.path is not None:
        notices.append(f"{target}, {found.why}, does not exist; `Set it up` would write it")
    return Beginning(
        known=known,
        target=target,
        look=lambda: look_around(known, folder),
        keychain=_keychain,
        made=found.path is None,
        folder=folder,
        looked=_looked(found, folder),
        notices=tuple(notices),
        log=log_file(),
        docs=str(DOCS) if DOCS.is_dir() else "the project's repository",
    )


def _keychain() -> Keychain:
    from statusboard.credentials import Keychain

    return Keychain(timeout=KEYRING_PATIENCE)


def _looked(found: Found, folder: Path) -> tuple[tuple[str, str], ...]:
    """Where a configuration was looked for, and what is there."""
    from statusboard.paths import config_dir
    from statusboard.trust import LOCAL_NAME, VARIABLE

    missing = "no such file"
    explicit = found.path is not None and VARIABLE not in found.why
    local = folder / LOCAL_NAME
    return (
        (f"--config {found.path}" if explicit else "--config FILE", missing if explicit else "not given"),
        (f"${VARIABLE}", f"{found.path}: {missing}" if found.path is not None and not explicit else "not set"),
        (str(local), (found.notice or "used once it is trusted") if local.is_file() else missing),
        (str(config_dir() / "config.yaml"), missing if found.path is None else "not looked for"),
    )
