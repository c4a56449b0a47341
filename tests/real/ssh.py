"""A real sshd on loopback, for this user and one key, and the client that logs in to it."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.real.needs import program
from tests.real.process import Server


class Sshd(Server):
    """OpenSSH's server with a host key, a user key and an ``authorized_keys`` of its own."""

    name: ClassVar[str] = "sshd"

    def __init__(self, folder: Path, *, port: int | None = None, more: str = "") -> None:
        """``more`` is added to its configuration."""
        super().__init__(folder, port=port)
        self.more = more
        # sshd wants to be called by its full path.
        self._sshd = program("sshd", "/usr/sbin/sshd", package="openssh-server")
        self._ssh = program("ssh", package="openssh-client")

    @property
    def authorized_keys(self) -> Path:
        return self.folder / "authorized_keys"

    @property
    def public_key(self) -> str:
        """The key that `call` logs in with, as a line of ``authorized_keys`` ends."""
        return (self.folder / "key.pub").read_text().strip()

    def prepare(self) -> None:
        keygen = program("ssh-keygen", package="openssh-client")
        for name in ("host", "key"):
            self.run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # which the package's service would make
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.folder / "host",
            "AuthorizedKeysFile": self.authorized_keys,
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
        }
        lines = [f"{name} {value}" for name, value in settings.items()]
        (self.folder / "sshd_config").write_text("\n".join([*lines, self.more]) + "\n")

    def command(self) -> Sequence[str]:
        return [self._sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")]

    def ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def call(self, *command: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """What ``ssh host COMMAND`` does with this standard input."""
        return subprocess.run([*self.client("-q"), *command], input=data, capture_output=True, timeout=60, check=False)

    def client(self, *options: str) -> list[str]:
        """``ssh host``, with these options."""
        settings = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "BatchMode": "yes"}
        words = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        login = ["-F", "none", "-i", str(self.folder / "key"), "-p", str(self.port), f"{getpass.getuser()}@127.0.0.1"]
        return [self._ssh, *options, *words, *login]
