"""What the poller holds for one source, and what a scope is read with."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from statusboard.client._budget import Budget, Ledger, http_date
from statusboard.client._exchange import Call, Exchange
from statusboard.client._reading import Answer
from statusboard.client._shared import Shared
from statusboard.client._signing import Signature, Signer
from statusboard.client._urls import Params, Target, Targets
from statusboard.client._validators import ValidatorCache
from statusboard.credentials import Keychain
from statusboard.errors import BadAnswer, SourceError, TooLarge
from statusboard.model import Validator
from statusboard.source import NotModified, Source, SourceOptions

MAX_PAGES = 10

_LONGEST_VALIDATOR = 1_024


class SourceClient:
    """The client of one source.  ``factory(scope)`` makes the `Http` that a scope is read with.

    ``factory("")`` begins a poll, as `Source.stream` calls it: what a round costs is counted from there, and a
    credential that was refused is read anew.
    """

    def __init__(
        self,
        shared: Shared,
        source: Source[Any],
        options: SourceOptions,
        keychain: Keychain,
        validators: ValidatorCache,
    ) -> None:
        self.name = source.name
        self.validators = validators
        self._clock = shared.clock
        self._targets = Targets(source.base_url, source.origins())
        self._signer = Signer(source, options, keychain, shared.salt)
        self._exchange = Exchange(shared, source, options, self._targets, self._signer)
        self._signature: Signature | None = None
        self._ledger = Ledger(shared.clock)  # of nobody, until the credential is known
        self._changed = False
        self._chains: dict[tuple[str, str], tuple[str, ...]] = {}

    def __repr__(self) -> str:
        return f"<SourceClient {self.name}>"

    def factory(self, scope: str) -> ScopedHttp:
        """The `Http` for one reading of one scope."""
        if not scope:
            self._signer.start_round()
            self._ledger.start_round(self.name)
        return ScopedHttp(self, scope)

    @property
    def requests(self) -> int:
        """Requests sent so far, redirects and second tries among them."""
        return self._exchange.requests

    @property
    def clock_offset(self) -> float | None:
        """Seconds by which the vendor's clock is ahead of ours, smoothed."""
        return self._exchange.clock_offset

    @property
    def budget(self) -> Budget:
        """The quota that binds this source most; an empty one where the vendor names none."""
        return self._ledger.budget(self.name)

    def budget_view(self) -> tuple[int | None, int | None, float | None]:
        """Requests left, their limit, and seconds until the reset, as far as the vendor says."""
        budget = self.budget
        reset = None if budget.reset_at is None else (budget.reset_at - self._clock.now()).total_seconds()
        return budget.remaining, budget.limit, reset

    def pause_for(self, requests_per_poll: int) -> float:
        """The least interval, in seconds, with which every quota lasts until its reset.

        What a poll costs is counted here, quota by quota: answers that a vendor does not charge (304) cost nothing.
        """
        return self._ledger.pause(self.name) if requests_per_poll > 0 else 0.0

    def wait_for_room(self, share: float) -> float:
        """Seconds until more than this share (0 to 1) of every quota is left, which others need as well; 0 for now."""
        return self._ledger.wait_for_room(share)

    def commit(self, validators: Iterable[Validator]) -> None:
        """The changes that these vouch for are stored: ask with them from now on."""
        self.validators.put(validators)

    def forget(self, part: str) -> None:
        """Read this part in full next time: its validators vouch for what is no longer known."""
        self.validators.void(self.name, part)

    def retry_credentials(self) -> None:
        """Read the secrets anew at the next request."""
        self._signer.retry()

    async def aclose(self) -> None:
        """Close the connections that no other client of this process uses; this one asks nothing more."""
        await self._exchange.aclose()

    def credential_changed(self) -> bool:
        """Whether the credential has changed since this was last asked: stored validators are void then."""
        changed, self._changed = self._changed, False
        return changed

    # -- for ScopedHttp --------------------------------------------------------------------------------------------

    async def tag(self) -> str:
        """What tells this credential from others; takes note of a changed one."""
        signature = self._signer.ready or await self._signer.signature()
        if signature is not self._signature:
            before, self._signature = self._signature, signature
            if before is None or before.tag != signature.tag:
                self._ledger.forget(self.name)
                self._ledger = self._exchange.lane(self._targets.of(""), signature).ledger
            if before is not None and before.tag != signature.tag:
                self._changed = True
                self.validators.void(self.name)
        return signature.tag

    def target(self, url: str, params: Params | None) -> Target:
        """Where a request leads; `Refused` for what we do not ask."""
        return self._targets.of(url, params)

    async def ask(self, call: Call, target: Target) -> Answer:
        """One request; see `Exchange.ask`."""
        return await self._exchange.ask(call, target)

    def chain(self, scope: str, request: str) -> tuple[str, ...]:
        """The URLs of the pages that a request had last time, without its first."""
        return self._chains.get((scope, request), ())

    def remember_chain(self, scope: str, request: str, urls: tuple[str, ...]) -> None:
        """Keep them for the next time."""
        if urls:
            self._chains[scope, request] = urls
        else:
            self._chains.pop((scope, request), None)


class ScopedHttp:
    """What `statusboard.source.Http` promises, for one reading of one scope.

    A 304 vouches for the whole part.  So only the first conditional request of a reading sends what we have, and a
    reading that makes a second one gives no validators at all: neither of the two could vouch for the other.
    """

    def __init__(self, client: SourceClient, scope: str) -> None:
        self._client = client
        self._scope = scope
        self._conditional = 0
        self._gathered: tuple[Validator, ...] = ()
        self._last: Answer | None = None

    @property
    def validators(self) -> tuple[Validator, ...]:
        """The validators that the answers so far gave, for the part being read."""
        return self._gathered if self._conditional == 1 else ()

    def explain(self, error: SourceError) -> None:
        """Add to an error of the source's own what the last good answer tells: that it is another vendor's."""
        if self._last is not None:
            self._last.explained(error)

    async def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        conditional: bool = False,
    ) -> Answer:
        """GET.  ``conditional`` sends the stored validators and raises `NotModified` on a 304."""
        client = self._client
        tag = await client.tag()
        target = client.target(url, params)
        if not conditional:
            return await self._ask(Call(scope=self._scope, headers=headers), target)
        self._conditional += 1
        request = _request_key(tag, target, headers)
        held = client.validators.get(client.name, self._scope, request) if self._conditional == 1 else None
        answer = await self._ask(Call(scope=self._scope, headers=headers, validator=held), target)
        if answer.status == 304:
            raise NotModified
        found = self._validator(request, answer)
        self._gathered = (found,) if found is not None else ()
        return answer

    async def post(self, url: str, *, json: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """POST a JSON body."""
        await self._client.tag()
        target = self._client.target(url, None)
        body = msgspec.json.encode(json)
        return await self._ask(Call(method="POST", scope=self._scope, headers=headers, body=body), target)

    async def pages(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        conditional: bool = False,
        limit: int = MAX_PAGES,
    ) -> AsyncIterator[Answer]:
        """GET and follow ``Link: rel=next``; more than ``limit`` pages or a loop raise `TooLarge`/`BadAnswer`.

        With ``conditional`` every page of the last time is asked whether it changed; `NotModified` if none did.
        """
        client = self._client
        tag = await client.tag()
        target = client.target(url, params)
        request = _request_key(tag, target, headers)
        answer: Answer | None = None
        if conditional:
            self._conditional += 1
            if self._conditional == 1:
                answer = await self._if_changed(request, target, headers)
        found: list[Answer] = []
        seen = {target.text}
        while True:
            if answer is None:
                answer = await self._ask(Call(scope=self._scope, headers=headers), target)
            yield answer
            if conditional:
                found.append(answer)
            following = answer.next_url
            if not following:
                break
            if following in seen:
                raise BadAnswer(f"{answer.where}: its pages run in a circle")
            if len(seen) >= limit:
                raise TooLarge(f"{answer.where}: more than {limit} pages")
            seen.add(following)
            target = client.target(following, None)
            answer = None
        if conditional:
            self._gather(request, found)

    async def _ask(self, call: Call, target: Target) -> Answer:
        self._last = None
        self._last = answer = await self._client.ask(call, target)
        return answer

    async def _if_changed(self, request: str, target: Target, headers: Mapping[str, str] | None) -> Answer | None:
        """The first page if it changed, ``None`` if all must be read; `NotModified` if no page changed."""
        client = self._client
        following = client.chain(self._scope, request)
        pages = 1 + len(following)
        held = [client.validators.get(client.name, self._scope, f"{request} {n}/{pages}") for n in range(1, pages + 1)]
        for index, (validator, page) in enumerate(zip(held, (target.text, *following), strict=True)):
            if validator is None:
                return None
            call = Call(scope=self._scope, headers=headers, validator=validator)
            answer = await self._ask(call, client.target(page, None))
            if answer.status != 304:
                return answer if index == 0 else None
        raise NotModified

    def _gather(self, request: str, answers: Sequence[Answer]) -> None:
        pages = len(answers)
        found = [self._validator(f"{request} {n}/{pages}", answer) for n, answer in enumerate(answers, 1)]
        validators = tuple(validator for validator in found if validator is not None)
        self._gathered = validators if len(validators) == pages else ()
        self._client.remember_chain(self._scope, request, tuple(answer.url for answer in answers[1:]))

    def _validator(self, request: str, answer: Answer) -> Validator | None:
        """What the server gave for next time; nothing after a redirect, where it may be of another resource."""
        if answer.redirected:
            return None
        etag = answer.headers.get("etag", "")
        modified = answer.headers.get("last-modified", "")
        if not etag and not _settled(modified, answer.headers.get("date", "")):
            modified = ""
        if (not etag and not modified) or len(etag) + len(modified) > _LONGEST_VALIDATOR:
            return None
        return Validator(source=self._client.name, part=self._scope, request=request, etag=etag, last_modified=modified)


def _settled(modified: str, date: str) -> bool:
    """Whether nothing could change within the second that ``Last-Modified`` names (RFC 9110, 8.8.2.2)."""
    last, now = http_date(modified), http_date(date)
    return last is not None and now is not None and (now - last).total_seconds() >= 1


def _request_key(tag: str, target: Target, headers: Mapping[str, str] | None) -> str:
    """Names a request as one credential makes it.  A hash: the query may hold what is nobody's business."""
    return _hash(tag, target.text, *(f"{name.lower()}:{value}" for name, value in sorted((headers or {}).items())))


@lru_cache(maxsize=1024)
def _hash(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
