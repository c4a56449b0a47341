"""Where changes are kept: the contract in `base`, the embedded default in `sqlite`, a stand-in in `memory`."""
