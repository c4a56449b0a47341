"""The rows of a CCTray feed, whatever its encoding and the case of its names.

The XML is foreign: a document type is refused, so that nothing in it can expand or be fetched.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from statusboard.api import AuthError, BadAnswer, Reply, SourceError, clean

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Encodings that a feed may name (some of Python's others are slow, or no encodings at all).
ENCODINGS: Final = ("utf", "iso8859", "cp", "ascii", "koi8", "mac-", "shift_jis", "euc_", "gb", "big5", "iso2022")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DECLARED: Final = re.compile(rb"\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)


def rows_of(reply: Reply, url: str) -> list[dict[str, str]]:
    """A row for each ``Project``: its attributes by their names in lower case, empty ones left out.

    ``breakers`` is who broke the build, from the row's messages.  Raises `BadAnswer` for what is no feed, and
    `AuthError` where asking for ``url`` led to a sign-in page.
    """
    text = _text(reply)
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except (DefusedXmlException, ParseError, ValueError) as exc:
        raise _no_feed(reply, url, text, exc) from None
    parents = [root, *root] if _local(root) == "cruisecontrol" else [root]  # CruiseControl.NET wraps it up
    for element in parents:
        if _local(element) == "projects":
            return [_row(child) for child in element if _local(child) == "project"]
    raise BadAnswer(f"this is no CCTray feed: it begins with <{clean(_local(root), 40)}> instead of <Projects>")


def _no_feed(reply: Reply, url: str, text: str, exc: Exception) -> SourceError:
    if "html" in reply.headers.get("content-type", "").lower() or "<html" in text[:1000].lower():
        if reply.status == 203 or reply.url.partition("?")[0] != url.partition("?")[0]:
            return AuthError("a sign-in page came instead of the feed", status=reply.status)
        return BadAnswer("HTML came instead of a CCTray feed; is the url that of the feed?", status=reply.status)
    if isinstance(exc, DefusedXmlException):
        return BadAnswer("the feed declares a document type, which is refused", status=reply.status)
    return BadAnswer(f"the feed is not XML, or not all of it came: {clean(exc, 100)}", status=reply.status)


def _text(reply: Reply) -> str:
    """The body as text: by its byte order mark, its own declaration or its header, else as UTF-8."""
    body = reply.body
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    declared = _DECLARED.match(body[:200])
    charset = _CHARSET.search(reply.headers.get("content-type", ""))
    for named in (declared and declared[1].decode("ascii"), charset and charset[1]):
        try:
            encoding = codecs.lookup(named).name if named else ""
            if encoding.startswith(ENCODINGS) and not encoding.startswith(("utf-16", "utf-32")):
                return body.decode(encoding)
        except (LookupError, UnicodeError):
            continue
    return body.decode("utf-8", "replace")


def _row(element: Element) -> dict[str, str]:
    row = {name.lower(): text for name, text in element.attrib.items() if text.strip()}
    for message in _descendants(element, "message"):
        if message.get("kind", "").lower() == "breakers" and message.get("text"):
            row["breakers"] = message.get("text", "")
    return row


def _descendants(element: Element, name: str) -> Iterator[Element]:
    return (child for outer in element for child in outer if _local(child) == name)


def _local(element: Element) -> str:
    """An element's name without its namespace, in lower case."""
    return str(element.tag).rpartition("}")[2].lower()
