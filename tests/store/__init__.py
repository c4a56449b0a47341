"""Tests of `statusboard.store`."""
