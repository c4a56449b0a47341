"""What becomes of a fault of ours: the log gets everything, the screen one line.

A traceback on the screen may show a token that stood in a local variable, and whoever looks at a wall cannot mend it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from queue import Queue
from types import TracebackType

from statusboard.paths import log_file

log = logging.getLogger("statusboard")

EXIT_BUG = 70
"""The exit code of a fault of ours (EX_SOFTWARE)."""

FAULT = "an unexpected fault"
"""What the log says of one."""
OUTPUT_THREAD = "textual-output"
"""The thread of Textual's that writes to the terminal."""


def told(error: BaseException) -> str:
    """Log the error with its traceback (redacted there); returns the one line that a person may see."""
    # What fails in a Textual worker comes as a WorkerFailed, which has no traceback: the error in it has.
    inner = getattr(error, "error", None)
    error = inner if isinstance(inner, BaseException) else error
    log.error(FAULT, exc_info=error)
    return f"statusboard: an unexpected fault of ours ({type(error).__name__}); the details are in {log_file()}"


def keep_threads_quiet(terminal_gone: Callable[[], object]) -> None:
    """What a thread or a destructor raises goes to the log, too: by default it is printed over the board.

    ``terminal_gone`` is called, in the thread that writes to the terminal, when nothing can be written any more.
    """

    def in_thread(args: threading.ExceptHookArgs) -> None:
        thread = args.thread
        if thread is not None and thread.name == OUTPUT_THREAD and isinstance(args.exc_value, OSError):
            log.info("the terminal is gone: %s", args.exc_value)
            terminal_gone()
            _swallow(thread)
            return
        _log(
            f"thread {thread.name if thread is not None else '?'} ended",
            args.exc_type,
            args.exc_value,
            args.exc_traceback,
        )

    threading.excepthook = in_thread
    sys.unraisablehook = _unraisable


def _swallow(thread: threading.Thread) -> None:
    """Go on taking what is written, until the end: Textual's queue is short, and a full one stops the whole board."""
    waiting = getattr(thread, "_queue", None)
    if isinstance(waiting, Queue):
        while waiting.get() is not None:
            pass


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    _log("an error nobody could catch", args.exc_type, args.exc_value, args.exc_traceback)


def _log(what: str, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    log.error("%s: %s", what, kind.__name__, exc_info=(kind, error or kind(), trace))
