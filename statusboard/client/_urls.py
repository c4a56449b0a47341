"""Where a request goes: joining paths to a base, origins, and the ``Link`` header."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import urlencode

import httpx
from msgspec import Struct

from statusboard.errors import Refused
from statusboard.text import clean, redact_url

Params: TypeAlias = Mapping[str, str | int | Sequence[str]]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.ASCII | re.IGNORECASE)
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s,;\"]*))?)*)", re.ASCII)
_LINK_PARAMETER = re.compile(r";\s*([\w!#$&+.^`|~*-]+)\s*=\s*(?:\"([^\"]*)\"|([^\s,;\"]*))", re.ASCII)
_LONGEST_LINK = 16_384
_MOST_KNOWN = 512


class Target(Struct, frozen=True):
    """Where one request goes.

    ``home``: to an origin that the source's credentials are for.  ``area``: the first segment of the path below the
    base.  ``where``: how messages name it, without the query.
    """

    url: httpx.URL
    text: str
    origin: str
    home: bool
    area: str
    where: str


class Targets:
    """What a source's paths and URLs lead to, given its base (asked for once, when needed) and its further origins."""

    def __init__(self, base: Callable[[], str], origins: Sequence[str]) -> None:
        self._find = base
        self._more = origins
        self._base: httpx.URL | None = None
        self._home: frozenset[str] = frozenset()
        self._known: dict[str, Target] = {}

    @property
    def base(self) -> httpx.URL:
        """The source's own URL; `Refused` where it has none that can be asked."""
        if self._base is None:
            if not (found := self._find()):
                raise Refused("no url is configured for this source")
            self._base = checked(found)
            self._home = frozenset(origin_of(url) for url in (self._base, *map(checked, self._more)))
        return self._base

    def of(self, url: str, params: Params | None = None) -> Target:
        """Where ``url`` with ``params`` leads.  `Refused` for what we do not ask at all."""
        if params:
            return self.at(absolute(self.base, url, params))
        target = self._known.get(url)
        if target is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            target = self._known[url] = self.at(absolute(self.base, url))
        return target

    def at(self, url: httpx.URL) -> Target:
        """The same for a URL that `checked` let pass."""
        base = self.base
        origin = origin_of(url)
        home = origin in self._home
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        area = path.removeprefix(base.path.rstrip("/")).lstrip("/").partition("/")[0]
        return Target(url, str(url), origin, home, area, redact_url(path if home else origin + path))


def absolute(base: httpx.URL, url: str, params: Params | None = None) -> httpx.URL:
    """``url``, a path below ``base`` or an absolute URL, with ``params`` added to its query.

    A prefix in the base's path is kept: ``https://ci.example/jenkins`` and ``/api`` make ``/jenkins/api``.
    """
    if _SCHEME.match(url) is None:
        joint = "" if not url or url.startswith(("/", "?")) else "/"
        prefix = base.copy_with(query=None, fragment=None)
        url = f"{str(prefix).rstrip('/')}{joint}{url}"
    if params:
        query = urlencode(params, doseq=True)
        path, mark, fragment = url.partition("#")
        url = f"{path}{'&' if '?' in path else '?'}{query}{mark}{fragment}" if query else url
    return checked(url)


def checked(url: str | httpx.URL) -> httpx.URL:
    """A URL that we are willing to ask: http(s), a host, no user name or password in it."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise Refused(f"not a URL: {_shown(url)}") from None
    if parsed.scheme not in ("http", "https"):
        raise Refused(f"only http and https are asked, not {parsed.scheme or 'a URL without a scheme'}")
    if not parsed.host or (parsed.port or 0) > 65_535:
        raise Refused(f"a URL without a host, or with an impossible port: {_shown(url)}")
    if parsed.userinfo:
        raise Refused(f"a user name or password in the URL {_shown(url)}: use username: and password:")
    return parsed.copy_with(fragment=None) if parsed.fragment else parsed


def origin_of(url: httpx.URL) -> str:
    """``scheme://host[:port]``, in lower case, without a port that the scheme implies."""
    return f"{url.scheme}://{url.netloc.decode('ascii').lower()}"


def next_link(header: str, url: str) -> str:
    """The absolute target of ``rel="next"`` in a ``Link`` header of the answer to ``url``, or ``""``.

    Sentry sends a next link always, and ``results="false"`` when there is nothing behind it.
    """
    for match in _LINK.finditer(header[:_LONGEST_LINK]):
        parameters = {name.lower(): quoted or plain for name, quoted, plain in _LINK_PARAMETER.findall(match[2])}
        if "next" in parameters.get("rel", "").lower().split() and parameters.get("results", "true") != "false":
            try:
                here = httpx.URL(url)
                target = here.join(match[1].strip())
            except (httpx.InvalidURL, ValueError):
                return ""
            if (here.scheme, target.scheme) == ("https", "http") and here.netloc == target.netloc:
                # A server behind a proxy that does the encryption does not know of it.
                target = target.copy_with(scheme="https")
            return str(target)
    return ""


def _shown(url: object) -> str:
    """A URL in an error: without what is nobody's business, and short; a vendor's id may have got into it."""
    return clean(redact_url(str(url)), 200)
