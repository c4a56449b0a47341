"""What the addresses of git repositories have in common, whoever hosts them."""

from __future__ import annotations

import re

# https://host/a/b.git, ssh://git@host:22/a/b.git, git@host:a/b.git
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://[^/]+/|[^/@\s]+@[^/:\s]+:/?)(?P<path>[^\s?#]+)", re.IGNORECASE)


def repository_of(address: object) -> str:
    """``acme/checkout`` out of a clone or web address of it; ``""`` for what is none.

    It is the name by which one host knows a repository; GitLab's groups may give it more than two parts.
    """
    match = _ADDRESS.fullmatch(address.strip()) if isinstance(address, str) and len(address) <= 2_000 else None
    path = match["path"].strip("/").removesuffix(".git") if match else ""
    return path if "/" in path else ""
