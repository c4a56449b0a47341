"""What `keys:` and `theme:` of a config may name, known without the screen.  A test holds it to the screen."""

from __future__ import annotations

THEMES = ("dark", "light", "ansi")
"""The themes: two of our own, and the terminal's own colours."""

ACTIONS = frozenset(
    {
        *("quit", "quit_always", "help", "close_help", "palette", "back", "sources", "leave_sources"),
        *("next_lane", "previous_lane", "next_view", "previous_view", "next_match", "previous_match"),
        *(f"view_{number}" for number in range(1, 10)),
        *("filter", "faults_only", "open", "details", "copy_url", "copy_key", "refresh", "refresh_all", "pause"),
        *(f"table.{step}" for step in ("down", "up", "first", "last", "page_down", "page_up", "select")),
        *("table.half_page_down", "table.half_page_up"),
        *(f"details.{step}" for step in ("down", "up", "first", "last", "page_down", "page_up")),
    }
)
"""The actions that a key can be given to, by the ids of their bindings."""
