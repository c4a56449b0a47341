"""Where changes are kept: the contract in `base`, the embedded default in `sqlite`, a stand-in in `memory`."""

from statusboard.store.opening import open_store, replacement, set_aside

__all__ = ["open_store", "replacement", "set_aside"]
