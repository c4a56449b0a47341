"""Secrets: where they come from, and a type for them that never prints.

A configuration holds references (``env:NAME``, ``file:/path``, ``keyring:NAME``), never the secret itself.
A `Keychain` resolves them.  Every failure is a `CredentialError` that says what a person can do about it.
"""

from statusboard.credentials._keychain import KEYRING_TIMEOUT, Keychain
from statusboard.credentials._places import FILE_LIMIT, KEYRING_SERVICE
from statusboard.credentials._reference import Reference, ReferenceKind, is_reference, parse_reference
from statusboard.credentials._secret import Secret, load_salt

__all__ = [
    "FILE_LIMIT",
    "KEYRING_SERVICE",
    "KEYRING_TIMEOUT",
    "Keychain",
    "Reference",
    "ReferenceKind",
    "Secret",
    "is_reference",
    "load_salt",
    "parse_reference",
]
