"""Opens links without ever harming the board or the person: http(s) only, never on a machine they do not sit at, and
never a text browser on top of the screen.

What is started runs in a session of its own without terminal, input or output, so it cannot write over the board.
Where nothing can be opened the caller copies the URL instead (OSC 52 is the app's business) and shows `Outcome.text`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from statusboard.text import safe_url

Launch: TypeAlias = Callable[[Sequence[str]], None]
"""Starts a command and does not wait for it; OSError where it cannot be started."""
Which: TypeAlias = Callable[[str], str | None]
"""Where a program is, as `shutil.which` tells it."""

CONSOLE_BROWSERS = frozenset({"w3m", "lynx", "links", "links2", "elinks", "www-browser", "browsh", "carbonyl"})
"""Browsers that draw on the terminal."""

_OPENERS = (("xdg-open",), ("gio", "open"), ("x-www-browser",))


class Outcome(Struct, frozen=True):
    """What became of a link, and how to tell the person.

    ``copied``: nothing was opened, the caller is to copy the URL.  ``refused``: it is not safe to open or to copy.
    """

    what: Literal["opened", "copied", "refused"]
    text: str


def open_link(
    url: str,
    *,
    environ: Mapping[str, str] | None = None,
    platform: str = sys.platform,
    which: Which = shutil.which,
    launch: Launch | None = None,
) -> Outcome:
    """Open ``url`` in the person's browser, or say why not.  Returns at once; never raises."""
    if not safe_url(url):
        return Outcome("refused", "not opened: this is no plain http(s) link")
    environ = os.environ if environ is None else environ
    if any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")):
        return Outcome("copied", "link copied: over SSH a browser would open on the other machine")
    command = find_command(url, environ, platform, which)
    if command is None:
        if platform not in ("darwin", "win32") and not _has_display(environ):
            return Outcome("copied", "link copied: there is no display to open a browser on")
        return Outcome("copied", "link copied: no browser was found that opens in a window of its own")
    try:
        (launch or _launch)(command)
    except OSError as error:
        return Outcome(
            "copied", f"link copied: {Path(command[0]).name} did not start ({error.strerror or 'no reason given'})"
        )
    return Outcome("opened", "opening in the browser")


def find_command(url: str, environ: Mapping[str, str], platform: str, which: Which) -> list[str] | None:
    """The command that opens ``url`` in a window, or None where there is none.

    ``$BROWSER`` comes first (a list parted by colons, ``%s`` for the URL), then what the desktop has.
    """
    if platform == "darwin":
        return ["open", url]
    if platform == "win32":
        return ["rundll32", "url.dll,FileProtocolHandler", url]
    if environ.get("WSL_DISTRO_NAME") and (wslview := which("wslview")):
        return [wslview, url]
    if not _has_display(environ):
        return None
    wanted = (_words(entry) for entry in environ.get("BROWSER", "").split(":"))
    for program, *arguments in filter(None, (*wanted, *map(list, _OPENERS))):
        found = which(program)
        if found is None or _is_console(found):
            continue
        if any("%s" in argument for argument in arguments):
            return [found, *(argument.replace("%s", url) for argument in arguments)]
        return [found, *arguments, url]
    return None


def _has_display(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _is_console(program: str) -> bool:
    """Also where the program is a link to a text browser, as Debian's alternatives are."""
    return not CONSOLE_BROWSERS.isdisjoint((Path(program).name, Path(os.path.realpath(program)).name))


def _words(entry: str) -> list[str]:
    try:
        return shlex.split(entry)
    except ValueError:  # an open quote
        return []


def _launch(command: Sequence[str]) -> None:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # Somebody must wait for it, else it stays behind as a zombie for as long as the board runs.
    threading.Thread(target=process.wait, name="browser", daemon=True).start()
