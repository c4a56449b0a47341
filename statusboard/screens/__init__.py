"""What the app shows: the board itself, its sources, its keys."""
