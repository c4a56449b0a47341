"""Tests with real servers and a real terminal, and the harness that boots them on loopback."""
