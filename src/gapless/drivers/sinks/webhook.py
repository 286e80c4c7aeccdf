"""POSTs each event as JSON, signed, by the standard library alone.

    X-Gapless-Signature: t=1768824000,v1=<hex HMAC-SHA256 of "1768824000." + body>

A receiver computes the same with its copy of the key, compares in constant time, and refuses a
``t`` that is too old. ``X-Gapless-Delivery`` (rollout/seq) tells a repeated delivery.
"""

from __future__ import annotations

import hashlib
import hmac
import urllib.error
import urllib.request
from contextlib import suppress
from email.message import Message
from http.client import HTTPException, InvalidURL
from typing import IO, ClassVar
from urllib.parse import urlsplit

from gapless.clock import Clock
from gapless.config.quantities import is_secret
from gapless.config.secrets import resolve_secret
from gapless.drivers.sinks.aside import aside
from gapless.drivers.sinks.base import SinkError
from gapless.errors import GaplessError
from gapless.events.event import Event

_LATER = frozenset((408, 425, 429))
"""Client errors that are not about this event."""

_PATIENCE = 60.0
"""Seconds of Retry-After that are honoured at most."""


def signature(secret: str, moment: int, body: bytes) -> str:
    """Value of the signature header."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={digest.hexdigest()}"


class WebhookSink:
    """Delivers in order and keeps what it could not deliver."""

    spooled: ClassVar[bool] = True

    def __init__(self, url: str, secret: str | None, timeout: float, clock: Clock) -> None:
        self._url = url
        self._secret = secret
        self._timeout = timeout
        self._clock = clock

    @property
    def name(self) -> str:
        """Kind and host: the path of a webhook is often its password. Of a reference, itself."""
        if is_secret(self._url):
            return f"webhook {self._url}"
        return f"webhook {urlsplit(self._url).hostname or '?'}"

    @property
    def deadline(self) -> float:
        """One request, and a little for what the socket time-out does not cover."""
        return self._timeout + 5.0

    async def deliver(self, event: Event) -> None:
        """POST it; 2xx is delivered, 408, 425, 429 and 5xx are tried again, the rest is not."""
        body = event.to_line().encode()
        headers = await self._headers(event, body)
        request = _request(await self._address(), body, headers)
        await aside(lambda: _post(request, self._timeout))

    async def _address(self) -> str:
        return await _read(self._url) if is_secret(self._url) else self._url

    async def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "gapless",
            "X-Gapless-Event": event.type,
            "X-Gapless-Delivery": f"{event.rollout}/{event.seq}",
        }
        if self._secret is not None:
            moment = int(self._clock.now())
            secret = await _read(self._secret)
            headers["X-Gapless-Signature"] = signature(secret, moment, body)
        return headers

    def learn(self, event: Event) -> None:
        """Nothing to know."""


async def _read(reference: str) -> str:
    try:
        return (await resolve_secret(reference)).reveal()
    except GaplessError as error:
        raise SinkError(error.what) from None


def _request(url: str, body: bytes, headers: dict[str, str]) -> urllib.request.Request:
    """Complaints of the library would quote the address."""
    if url.startswith(("http://", "https://")) and url.isprintable() and " " not in url:
        with suppress(ValueError):
            return urllib.request.Request(url, body, headers, method="POST")  # noqa: S310
    raise SinkError("its address is no URL", retry=False)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message,
        newurl: str,
    ) -> None:  # fmt: skip
        """Never follow."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _post(request: urllib.request.Request, timeout: float) -> None:
    """Runs in a thread."""
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        error.close()
        later = error.code in _LATER or error.code >= 500
        raise SinkError(
            f"answered {error.code}", retry=later, after=_retry_after(error.headers)
        ) from None
    except urllib.error.URLError as error:
        raise SinkError(_words(error.reason)) from None
    except (ValueError, InvalidURL):  # later is no better, and its text would quote the address
        raise SinkError("its address cannot be asked", retry=False) from None
    except (OSError, HTTPException) as error:
        raise SinkError(_words(error)) from None


def _words(error: BaseException | str) -> str:
    """The reason without the number and the call it came from."""
    reason = error.strerror if isinstance(error, OSError) else ""
    return reason or str(error) or type(error).__name__


def _retry_after(headers: Message) -> float:
    text = str(headers.get("Retry-After") or "")
    return min(float(text), _PATIENCE) if text.isdigit() else 0.0
