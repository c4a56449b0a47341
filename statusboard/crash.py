"""What becomes of a fault of ours: the log gets everything, the screen one line.

A traceback on the screen may show a token that stood in a local variable, and whoever looks at a wall cannot mend it.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

from statusboard.paths import log_file

log = logging.getLogger("statusboard")

EXIT_BUG = 70
"""The exit code of a fault of ours (EX_SOFTWARE)."""


def told(error: BaseException) -> str:
    """Log the error with its traceback (redacted there); returns the one line that a person may see."""
    # What fails in a Textual worker comes as a WorkerFailed, which has no traceback: the error in it has.
    inner = getattr(error, "error", None)
    error = inner if isinstance(inner, BaseException) else error
    log.error("an unexpected fault", exc_info=error)
    return f"statusboard: an unexpected fault of ours ({type(error).__name__}); the details are in {log_file()}"


def keep_threads_quiet() -> None:
    """What a thread or a destructor raises goes to the log, too: by default it is printed over the board."""
    threading.excepthook = _in_thread
    sys.unraisablehook = _unraisable


def _in_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread is not None else "?"
    _log(f"thread {name} ended", args.exc_type, args.exc_value, args.exc_traceback)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    _log("an error nobody could catch", args.exc_type, args.exc_value, args.exc_traceback)


def _log(what: str, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    log.error("%s: %s", what, kind.__name__, exc_info=(kind, error or kind(), trace))
