"""A keyring backend for tests: keeps secrets in a file, or fails as real ones do."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError


class FileKeyring(KeyringBackend):
    """The file and what goes wrong come from the environment."""

    priority = 1

    def _read(self) -> dict[str, str]:
        match os.environ.get("TEST_KEYRING_FAULT"):
            case "locked":
                raise KeyringLocked("locked")
            case "no prompt":
                raise InitError("no prompter")
            case "hangs":
                time.sleep(600)
        file = Path(os.environ["TEST_KEYRING"])
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def _write(self, secrets: dict[str, str]) -> None:
        if os.environ.get("TEST_KEYRING_FAULT") != "forgets":
            Path(os.environ["TEST_KEYRING"]).write_text(json.dumps(secrets))

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._read(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        secrets = self._read()
        if secrets.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("no such password")
        self._write(secrets)
