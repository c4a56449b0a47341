"""Statuses and exceptions as typed errors, with what a person needs to read and nothing that they must not."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.client._faults import fault_of, transport_fault, vendors_message
from statusboard.errors import (
    AuthError,
    BadAnswer,
    NotFound,
    RateLimited,
    ServerError,
    SourceError,
    Timeout,
    TransportError,
)
from statusboard.log import redactor

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def fault(status: int, body: bytes = b"", **headers: str) -> SourceError:
    known = {name.replace("_", "-"): value for name, value in headers.items()}
    return fault_of(status, known, body, "GET /x", NOW)


@pytest.mark.parametrize(
    "status,kind",
    [
        (400, BadAnswer),
        (401, AuthError),
        (402, BadAnswer),
        (403, AuthError),
        (404, NotFound),
        (405, BadAnswer),
        (407, TransportError),
        (408, Timeout),
        (410, NotFound),
        (422, BadAnswer),
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (599, ServerError),
        (300, BadAnswer),
        (304, BadAnswer),
        (206, BadAnswer),
        (101, BadAnswer),
    ],
)
def test_statuses(status: int, kind: type[SourceError]):
    found = fault(status)
    assert type(found) is kind
    assert found.status == status
    assert str(found).startswith("GET /x: ")


@pytest.mark.parametrize(
    "status,headers,body,wait",
    [
        (429, {"retry_after": "7"}, b"", 7),
        (429, {"retry_after": "Fri, 02 Jan 2026 03:05:05 GMT"}, b"", 60),
        (429, {"retry_after": "Fri, 02 Jan 2026 03:05:05 GMT", "date": "Fri, 02 Jan 2026 03:05:00 GMT"}, b"", 5),
        (429, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + 30)}, b"", 30),
        (429, {"ratelimit_remaining": "0", "ratelimit_reset": "12"}, b"", 12),
        (429, {}, b"", None),
        (429, {"retry_after": "later"}, b"", None),
        (403, {"retry_after": "9"}, b"", 9),
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + 30)}, b"", 30),
        (403, {"content_type": "application/json"}, b'{"message": "You have exceeded a secondary rate limit"}', 60),
    ],
)
def test_rate_limits(status: int, headers: dict[str, str], body: bytes, wait: float | None):
    found = fault(status, body, **headers)
    assert isinstance(found, RateLimited)
    assert found.retry_after == wait


@pytest.mark.parametrize(
    "headers,body,wait",
    [
        (  # Linear: the quota that is used up is the one to wait for
            {
                "x_ratelimit_requests_remaining": "0",
                "x_ratelimit_requests_reset": str((EPOCH + 40) * 1000),
                "x_ratelimit_complexity_remaining": "9000",
                "x_ratelimit_complexity_reset": str((EPOCH + 3000) * 1000),
            },
            b'{"errors": [{"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED", "type": "x"}}]}',
            40,
        ),
        ({}, b'{"errors": [{"extensions": {"code": "OTHER"}}, {"extensions": {"type": "ratelimited"}}]}', None),
        ({}, b'{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}', None),
        ({}, b'{"error": {"code": "rate_limit_exceeded"}}', None),
        ({}, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}', None),
        ({}, b'{"__type": "com.amazonaws.codebuild#TooManyRequestsException"}', None),
        ({"x_amzn_errortype": "ThrottlingException:http://internal.amazon.com/coral/"}, b"{}", None),
        ({}, b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code></Error></ErrorResponse>", None),
        ({"retry_after": "7"}, b"", 7),
        ({"retry_after": "Fri, 02 Jan 2026 03:05:05 GMT"}, b"[]", 60),
    ],
)
def test_a_400_that_asks_us_to_come_back_later(headers: dict[str, str], body: bytes, wait: float | None):
    found = fault(400, body, **headers)
    assert isinstance(found, RateLimited)
    assert (found.status, found.retry_after) == (400, wait)


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "the rate limit must be a number"}',
        b'{"errors": [{"message": "ratelimited", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}',
        b'{"errors": {"code": "RATELIMITED"}}',
        b'{"errors": ["RATELIMITED", null, [], {"extensions": "RATELIMITED", "code": ["RATELIMITED"]}]}',
        b'{"__type": "ValidationException", "message": "throttling"}',
        b'["ThrottlingException"]',
        b"<Error><Code>InvalidParameterValue</Code></Error>",
        b'{"errors": ' + b"[" * 100_000,
        b"",
    ],
)
def test_a_400_that_is_one(body: bytes):
    assert type(fault(400, body, x_ratelimit_remaining="0", x_ratelimit_reset=str(EPOCH + 30))) is BadAnswer


def test_the_code_of_a_limit_counts_in_a_400_only():
    body = b'{"__type": "ThrottlingException"}'
    assert type(fault(401, body)) is AuthError
    assert type(fault(500, body)) is ServerError


def test_a_403_that_is_about_rights_is_no_rate_limit():
    assert isinstance(fault(403, b'{"message": "Forbidden"}', x_ratelimit_remaining="4999"), AuthError)


def test_a_busy_server_says_when_to_come_back():
    assert fault(503, retry_after="120").retry_after == 120
    assert fault(500).retry_after is None


@pytest.mark.parametrize(
    "body,content_type,said",
    [
        (b'{"message": "Bad credentials"}', "application/json", "Bad credentials"),  # GitHub, GitLab
        (b'"bad matcher format: x"', "application/json", "bad matcher format: x"),  # Alertmanager
        (b'{"status": "error", "errorType": "bad_data", "error": "parse error"}', "", "parse error"),  # Prometheus
        (b'{"errorMessages": ["No project", "b"], "errors": {}}', "", "No project"),  # Jira
        (b'{"error": {"message": "Invalid Input", "code": 2001}}', "", "Invalid Input"),  # PagerDuty
        (b'{"errors": [{"message": "expired"}]}', "", "expired"),  # GraphQL
        (b'{"error": "invalid_token", "error_description": "gone"}', "", "gone"),
        (b"no such builder", "text/plain", "no such builder"),
        (b"<html><h1>502</h1></html>", "text/html", ""),
        (b'{"message": "cut', "application/json", ""),
        (b'{"message": {"a": 1}}', "application/json", ""),
        (b"[" * 100_000, "application/json", ""),
        (b"", "application/json", ""),
    ],
)
def test_what_the_vendor_says(body: bytes, content_type: str, said: str):
    assert vendors_message({"content-type": content_type}, body) == said
    assert str(fault(400, body, content_type=content_type)) == "GET /x: 400 Bad Request" + (f": {said}" if said else "")


def test_what_the_vendor_says_is_cleaned_and_redacted():
    redactor.add("hush-hush-4711")
    body = '{"message": "hush-hush-4711 \\u001b[31mred\\n\\u202e' + "x" * 1000 + '"}'
    text = str(fault(401, body.encode()))
    assert "hush-hush" not in text
    assert text.isprintable()
    assert "\u202e" not in text
    assert len(text) < 300


@given(st.integers(100, 999), st.binary(), st.text(), st.text())
def test_no_answer_is_too_odd(status: int, body: bytes, content_type: str, retry_after: str):
    found = fault(status, body, content_type=content_type, retry_after=retry_after)
    assert isinstance(found, SourceError)
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    "exc,kind,says",
    [
        (httpx.ConnectTimeout("x"), Timeout, "no connection within 10 s"),
        (httpx.ReadTimeout("x"), Timeout, "no answer within 10 s"),
        (httpx.ConnectError("All connection attempts failed"), TransportError, "all connection attempts failed"),
        (httpx.ProxyError("407 secret"), TransportError, "the proxy refused"),
        (httpx.RemoteProtocolError("illegal header line: secret"), TransportError, "does not speak HTTP"),
        (httpx.ReadError("secret"), TransportError, "the connection broke"),
        (httpx.LocalProtocolError("Illegal header value b'secret'"), TransportError, "LocalProtocolError"),
        (UnicodeError("label too long: secret"), TransportError, "UnicodeError"),
    ],
)
def test_exceptions(exc: Exception, kind: type[SourceError], says: str):
    found = transport_fault(exc, "GET /x", 10)
    assert type(found) is kind
    assert says in str(found)
    assert "secret" not in str(found)
