"""Tests of `statusboard.backfill`."""
