"""The workings of `statusboard.config`; import from there."""
