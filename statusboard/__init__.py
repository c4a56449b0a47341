"""One live board of builds, incidents, releases and tickets, in the terminal."""

__version__ = "0.1.0"
