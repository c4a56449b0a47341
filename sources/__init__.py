"""The built-in sources: one module per vendor, importing ``statusboard.api`` only."""
