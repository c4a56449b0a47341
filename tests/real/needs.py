"""What the real tests need of a machine, and what is said where it is missing."""

from __future__ import annotations

import os
import shutil


class Unavailable(Exception):
    """Something this machine lacks: a program, a package, a way to install it. The message says what and the cure.

    `tests/conftest.py` turns it into a skip on a developer's machine and into a failure where servers are required.
    """


def required() -> bool:
    """Whether a missing server is a failure here: in CI, and wherever STATUSBOARD_REQUIRE_SERVERS=1 asks for it."""
    return os.environ.get("CI") == "true" or os.environ.get("STATUSBOARD_REQUIRE_SERVERS") == "1"


def program(*names: str, package: str) -> str:
    """The path of the first of `names` on PATH. `package` is the Debian package that brings it."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise Unavailable(f"{' or '.join(names)} is not installed; on Debian: apt-get install {package}")
