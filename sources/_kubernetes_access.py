"""How a Kubernetes API server is reached: a context of a kubeconfig, or the service account of the pod we run in.

A kubeconfig may be several files ($KUBECONFIG, first entry of a name wins), holds certificates as files or as base64,
and users that are commands (``exec``, ``auth-provider``): those are refused, since a board that polls by itself is no
place to run them.  Docs: kubernetes.io, reference/config-api/kubeconfig.v1.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from statusboard.api import AuthError, Clock, Refused, TLSData, basic, clean

IN_CLUSTER: Final = "https://kubernetes.default.svc"
#: Where every pod finds the credentials of its service account.
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LARGEST_FILE: Final = 2_000_000
#: How long a file with credentials is not looked at again (seconds).
FILES_KEPT: Final = 60.0
#: What a user or cluster may say that changes as whom or whom we ask, and that we cannot do.
_UNABLE: Final[Mapping[str, str]] = {
    "exec": "runs a command to get its credential, which the board never does",
    "auth-provider": "has a credential of a kind that kubectl itself dropped",
    "as": "asks in the name of somebody else (`as`), which the board cannot do",
    "tls-server-name": "expects another name in the server's certificate (`tls-server-name`)",
    "proxy-url": "is behind a proxy of its own (`proxy-url`); set HTTPS_PROXY instead",
}
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # RFC 6750
_INSTEAD: Final = "give the token of a service account as `token`"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is, whom to trust, and as whom to ask.  Holds secrets: never printed."""

    server: str
    tls: TLSData = TLSData()
    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "Access(***)"

    __str__ = __repr__


class Cluster:
    """The access that files tell of, read off the event loop, and anew when they change or a credential is refused."""

    def __init__(self, kubeconfig: str, context: str, clock: Clock) -> None:
        self.access: Access | None = None
        self._kubeconfig = kubeconfig
        self._context = context
        self._clock = clock
        self._stale = False
        self._stamp: _Stamp = ()
        self._used = False
        self._looked_at = float("-inf")
        self._token = ""
        self._token_at = float("-inf")

    def refused(self) -> None:
        """What we have, unless it is new, is to be read anew before it is used again."""
        self._stale = self._used
        self._used = True

    async def reach(self, *, token: bool) -> None:
        """Find out where the cluster is; ``token`` says that the credential comes from elsewhere.

        `AuthError` says what cannot be read or done.
        """
        now = self._clock.monotonic()
        if not self._stale and now - self._looked_at < FILES_KEPT:
            return
        if not self._context:
            self.access = await asyncio.to_thread(in_cluster, token=not token)
        else:
            files = files_of(self._kubeconfig)
            stamp = await asyncio.to_thread(_stamp_of, files)
            if self.access is None or self._stale or stamp != self._stamp:
                own = not self._kubeconfig
                found = await asyncio.to_thread(from_kubeconfig, files, self._context, token=token, own=own)
                if self.access is not None and self.access.server != found.server:
                    raise Refused("the context leads to another server than before; restart the board to follow it")
                self.access, self._stamp = found, stamp
        self._stale, self._looked_at, self._token_at = False, now, float("-inf")

    async def headers(self) -> dict[str, str]:
        """What carries the credential.

        A token in a file lives for an hour and is written anew long before: who holds on to it is refused.
        """
        access = self.access
        if access is None:
            return {}
        if access.token_file and self._clock.monotonic() - self._token_at >= FILES_KEPT:
            self._token = await asyncio.to_thread(_token_in, access.token_file)
            self._token_at = self._clock.monotonic()
        if token := self._token if access.token_file else access.token:
            return {"Authorization": f"Bearer {token}"}
        if access.username:
            return {"Authorization": basic(access.username, access.password)}
        return {}


def in_cluster(folder: Path = SERVICE_ACCOUNT, *, token: bool = True) -> Access:
    """The access that a pod has; ``token`` says whether its own is needed.  `AuthError` where this is no pod."""
    try:
        ca = _text(folder / "ca.crt")
        if token:
            _text(folder / "token")
    except AuthError as exc:
        raise AuthError(f"{exc}; outside of a pod, name `context` or `url`") from None
    return Access(server=IN_CLUSTER, tls=TLSData(ca=ca), token_file=str(folder / "token") if token else "")


def files_of(kubeconfig: str, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The files that make up a kubeconfig: the one named, those of $KUBECONFIG, or ``~/.kube/config``."""
    if kubeconfig:
        return (Path(kubeconfig),)
    named = tuple(Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name)
    return named or (Path("~/.kube/config").expanduser(),)


_Stamp = tuple[tuple[int, int], ...]


def _stamp_of(files: tuple[Path, ...]) -> _Stamp:
    """What changes when one of the files does."""
    return tuple((info.st_mtime_ns, info.st_size) for info in map(_stat, files) if info is not None)


def from_kubeconfig(files: tuple[Path, ...], context: str, *, token: bool = False, own: bool = True) -> Access:
    """The access of one context.  ``token`` says that the user's own credential is not needed, ``own`` that the files
    are those that kubectl itself would use.

    `AuthError` says what is missing, or what we are not able to do.
    """
    found = [(file, _document(file)) for file in files if _stat(file) is not None]
    if not found:
        raise AuthError(f"no kubeconfig: {_shown(files[0])} cannot be read; name it as `kubeconfig`")
    _, chosen = _entry(found, "contexts", "context", context)
    folder, cluster = _entry(found, "clusters", "cluster", _word(chosen, "cluster"))
    server = _word(cluster, "server")
    if not server:
        raise AuthError(f"the cluster of context {_shown(context)} has no server in the kubeconfig")
    _able(cluster, f"the cluster of context {_shown(context)}", "give the server as `url`, with `token` and `tls`")
    ca = _pem(cluster, "certificate-authority", folder)
    tls = TLSData(ca=ca, verify=cluster.get("insecure-skip-tls-verify") is not True)
    if token:
        return Access(server=server, tls=tls)
    folder, user = _entry(found, "users", "user", _word(chosen, "user"))
    _able(user, f"the user of context {_shown(context)}", _INSTEAD)
    cert, key = _pem(user, "client-certificate", folder), _pem(user, "client-key", folder)
    token_file = _word(user, "tokenFile")
    if token_file and not own and not (folder / token_file).resolve().is_relative_to(folder.resolve()):
        # It says where the token is sent as well: it must not pick any file of this machine for that.
        raise AuthError(f"the user of context {_shown(context)} has its token outside of the kubeconfig's folder")
    return Access(
        server=server,
        tls=msgspec.structs.replace(tls, cert=cert, key=key),
        token="" if token_file else _word(user, "token"),
        token_file=str(folder / token_file) if token_file else "",
        username=_word(user, "username"),
        password=_word(user, "password"),
    )


def _token_in(file: str) -> str:
    token = _text(Path(file)).strip()
    if not _TOKEN.fullmatch(token):
        raise AuthError(f"the file {_shown(file)} holds no token")
    return token


_Document = dict[str, Any]


def _entry(found: list[tuple[Path, _Document]], section: str, inner: str, name: str) -> tuple[Path, _Document]:
    """The entry of that name with the folder that its paths are relative to."""
    known: list[str] = []
    for file, document in found:
        rows = document.get(section)
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, dict) or not isinstance(row.get("name"), str):
                continue
            known.append(row["name"])
            if row["name"] == name:
                body = row.get(inner)
                return file.parent, body if isinstance(body, dict) else {}
    names = ", ".join(map(_shown, sorted(set(known))[:10])) or "none"
    raise AuthError(f"the kubeconfig has no {inner} {_shown(name) or 'for this context'}; it has: {names}")


def _able(entry: _Document, what: str, instead: str) -> None:
    for name, why in _UNABLE.items():
        if entry.get(name):
            raise AuthError(f"{what} {why}; {instead}")


def _pem(entry: _Document, name: str, folder: Path) -> str:
    """Text in PEM form: inline as base64, which wins, or in a file."""
    if inline := _word(entry, f"{name}-data"):
        try:
            return base64.b64decode("".join(inline.split()), validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            raise AuthError(f"{name}-data in the kubeconfig is no base64 of a PEM text") from None
    path = _word(entry, name)
    return _text(folder / path) if path else ""


def _document(file: Path) -> _Document:
    try:
        document = yaml.load(_text(file), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, RecursionError, ValueError):
        raise AuthError(f"{_shown(file)} is no YAML") from None  # what is wrong may stand beside a secret
    if not isinstance(document, dict):
        raise AuthError(f"{_shown(file)} is no kubeconfig")
    return document


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_FILE + 1)
    except OSError as exc:
        raise AuthError(f"{_shown(file)} cannot be read: {(exc.strerror or 'it failed').lower()}") from None
    if len(content) > LARGEST_FILE:
        raise AuthError(f"{_shown(file)} is larger than {LARGEST_FILE // 1_000_000} MB")
    return content.decode("utf-8", "replace")


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _word(entry: _Document, name: str) -> str:
    value = entry.get(name)
    return value.strip() if isinstance(value, str) else ""


def _shown(value: object) -> str:
    return clean(value, 120)
