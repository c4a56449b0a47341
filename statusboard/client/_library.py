"""Imports httpx without its command line, for which it would read pygments and much of rich: 3.4 MB and 27 ms.

It takes them where they are installed, and Textual brings them.  To be imported before anything else of httpx.
"""

from __future__ import annotations

import sys
from typing import Final

_COMMAND_LINE: Final = "httpx._main"

if "httpx" not in sys.modules:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # as documented: importing it fails
    try:
        import httpx  # noqa: F401
    finally:
        del sys.modules[_COMMAND_LINE]
