"""Pictures of the board for the README and for whoever changes how it looks: ``python -m tests.pictures``."""
