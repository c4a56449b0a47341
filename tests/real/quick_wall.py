"""The program, whose walls ask their terminal every second and wait three for an answer."""

from __future__ import annotations

from statusboard.cli import main
from statusboard.screens import presence

presence.ASK_EVERY = 1.0
presence.PATIENCE = 3.0

if __name__ == "__main__":
    main()
