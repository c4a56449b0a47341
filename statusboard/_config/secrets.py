"""Secrets in a config: found where they stand in clear, and counted where they are referred to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec import Struct

from statusboard.credentials import Reference, is_reference, parse_reference
from statusboard.errors import Problem
from statusboard.text import clean
from statusboard.yamlfile import Map, Mark, Node, Scalar, join, problem_at, scalars

#: Options that are references, all of them: what a user name reveals differs from place to place.
REFERENCES = ("token", "password", "username")

_SECRET_OPTION = re.compile(
    r"(?:.*[_.\- ])?(?:tokens?|secrets?|passw(?:or)?d|passphrase|credentials?"
    r"|(?:api|app|private|access|auth)[_\-]?key)",
    re.IGNORECASE,
)
_SECRET_HEADER = re.compile(
    r".*(?:authori[sz]ation|cookie|token|secret|passw|credential|session|signature|api-?key|[\-_]key\b|auth\b).*",
    re.IGNORECASE,
)
# What vendors made recognisable on purpose, and what is a credential by its form.
_TOKEN = re.compile(
    r"\b(?:gh[a-z]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|gl[a-z]{2,5}-[\w\-]{16,}|xox[a-z]-[\w\-]{10,}|AKIA[A-Z0-9]{16}"
    r"|sk_live_\w{10,}|npm_\w{20,}|pypi-\w{20,}|hv[sb]\.[\w\-]{20,}|eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.[\w\-]*"
    r"|(?:[Bb]earer|[Bb]asic) (?=\S*[0-9=])[A-Za-z0-9._~+/=\-]{12,})|-----BEGIN [A-Z ]*PRIVATE KEY"
)
_USERINFO = re.compile(r"https?://[^\s/?#]*@|[a-z][a-z0-9+.\-]*://[^\s/?#:]*:[^\s/?#]*@", re.IGNORECASE)
_SECRET_QUERY = re.compile(
    r"\S*[?&](?:[a-z_\-]*token|api_?key|secret|client_secret|passw(?:or)?d|signature|sig)=[^&\s]", re.IGNORECASE
)
_SHELL_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


class Use(Struct, frozen=True, kw_only=True):
    """A reference to a secret, and the origin that the secret goes to (``https://host:port``, or ``""``)."""

    reference: Reference
    origin: str
    at: Mark
    path: str


def is_secret_header(name: str) -> bool:
    """Whether the value of a header of this name is a credential."""
    return _SECRET_HEADER.fullmatch(name) is not None


def in_clear(node: Node, path: str) -> Iterator[Problem]:
    """Everything below ``node`` that is a secret by its very form, wherever it stands."""
    for where, scalar in scalars(node, path):
        if not isinstance(scalar.value, str):
            continue
        if _USERINFO.search(scalar.value):
            hint = "use `username:` and `password: keyring:NAME`"
            yield problem_at(scalar.at, "a user name or password stands in a URL", path=where, hint=hint)
        elif _SECRET_QUERY.match(scalar.value):
            hint = "send it as a header: `headers: {NAME: keyring:NAME}`"
            yield problem_at(scalar.at, "a secret stands in a URL", path=where, hint=hint)
        elif _TOKEN.search(scalar.value):
            yield _clear(scalar, where, "token", "")


def check(node: Map, path: str, url: str, problems: list[Problem]) -> list[Use]:
    """One source's references; what stands in clear, or is no valid reference, becomes a problem."""
    uses: list[Use] = []
    origin = origin_of(url)
    for where, key, scalar, needed in _places(node, path):
        text = scalar.text if scalar.value is not None else ""
        if not text:
            continue
        if is_reference(text):
            try:
                uses.append(Use(reference=parse_reference(text), origin=origin, at=scalar.at, path=where))
            except ValueError as error:
                problems.append(problem_at(scalar.at, str(error), path=where))
        elif needed:
            problems.append(_clear(scalar, where, key, _name_of(node)))
    if uses and url.lower().startswith("http://") and not _is_loopback(url):
        at = node.entries["url"].value.at if "url" in node.entries else node.at
        message = "credentials would be sent unencrypted, for all on the way to read"
        problems.append(problem_at(at, message, path=join(path, "url"), hint="use https://, or no credentials"))
    return uses


def _places(node: Map, path: str) -> Iterator[tuple[str, str, Scalar, bool]]:
    """Key path, key and value of all that is or should be a reference, and whether it must be one."""
    for key, entry in node.entries.items():
        value = entry.value
        where = join(path, key)
        if key == "headers" and isinstance(value, Map):
            for name, header in value.entries.items():
                if isinstance(header.value, Scalar):
                    yield join(where, name), f"headers: {{{name}}}", header.value, is_secret_header(name)
        elif isinstance(value, Scalar):
            if key in REFERENCES or _SECRET_OPTION.fullmatch(key):
                yield where, key, value, True
        else:
            for deeper, scalar in scalars(value, where):
                name = deeper.rpartition(".")[2]
                if _SECRET_OPTION.fullmatch(name) and not is_reference(scalar.text):
                    yield deeper, name, scalar, True


def _clear(scalar: Scalar, path: str, key: str, name: str) -> Problem:
    """A secret in clear: where, and how to store it.  The secret itself is never shown."""
    variable = _SHELL_VARIABLE.fullmatch(scalar.text)
    if variable is not None:
        found = variable[1] or variable[2]
        message = "variables are not replaced here"
        return problem_at(scalar.at, message, path=path, hint=f'write "env:{found}"')
    if key == "username":
        hint = f'write where it is: "keyring:{name or "NAME"}", "env:NAME" or "file:/path"'
        return problem_at(scalar.at, "a user name is not written here, only where it is", path=path, hint=hint)
    stored = name or "NAME"
    written = key.replace("}", f': "keyring:{stored}"}}') if key.endswith("}") else f'{key}: "keyring:{stored}"'
    return problem_at(
        scalar.at,
        "a secret stands here in clear",
        path=path,
        hint=f"store it with `statusboard login {stored}`, then write `{clean(written, 100)}`; and change it, "
        "since others may have seen it",
    )


def _name_of(node: Map) -> str:
    name = node.get("name")
    text = name.value if isinstance(name, Scalar) and isinstance(name.value, str) else ""
    return text if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,60}", text) else ""


def origin_of(url: str) -> str:
    """``https://host:port`` of a URL, or ``""`` where there is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else ""
    except ValueError:
        return ""


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
