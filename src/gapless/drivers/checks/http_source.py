"""Questions to a server of metrics or logs, over HTTP, from the machine gapless runs on.

Whatever is no plain answer is SourceUnavailable: no connection, no answer in time, another status
than 200, a redirect (it would take our headers elsewhere), what is not JSON, too much of it. What
was sent in secret is taken out of what is told of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gapless.clock import within
from gapless.config.server import ServerConfig
from gapless.drivers.checks.reach import Reach
from gapless.drivers.secret_forms import secret_forms
from gapless.errors import SourceUnavailable, UsageError
from gapless.hostside.veil import veil

if TYPE_CHECKING:
    import ssl

_LARGEST = 16 << 20
_TOLD = 300
_OK = 200
NO_FIELDS: Mapping[str, str] = {}


class HttpSource:
    """One server. ``product`` is what it is called in errors."""

    def __init__(self, product: str, config: ServerConfig, reach: Reach) -> None:
        self._product = product
        self._config = config
        self._reach = reach

    async def get(self, path: str, fields: Mapping[str, str] = NO_FIELDS) -> Any:
        """The answer to a GET with these fields in its query."""
        return await self._ask("GET", path, fields=fields)

    async def post(self, path: str, form: Mapping[str, str]) -> Any:
        """The answer to a form: what is too long for an address."""
        return await self._ask("POST", path, form=form)

    async def search(self, path: str, body: Mapping[str, Any], fields: Mapping[str, str]) -> Any:
        """The answer to a POST of JSON."""
        return await self._ask("POST", path, fields=fields, body=body)

    def nonsense(self, answer: object) -> SourceUnavailable:
        """For an answer that is JSON and yet not what this server says."""
        return self._unavailable("answered what nobody can read", _short(json.dumps(answer)))

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        fields: Mapping[str, str] = NO_FIELDS,
        form: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        import aiohttp

        secret = await self._secrets()
        hidden = secret_forms(secret.values())
        limit = self._config.answer
        try:
            async with (
                within(limit),
                aiohttp.ClientSession() as session,
                session.request(
                    method,
                    self._config.url + path,
                    params=dict(fields),
                    data=dict(form) if form is not None else None,
                    json=body,
                    headers={**self._config.headers, **secret},
                    ssl=self._tls(),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as response,
            ):
                content = await _read(response.content)
                status = response.status
        except TimeoutError:
            raise self._unavailable(f"did not answer within {limit:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unavailable("does not answer", _veiled(str(error), hidden)) from error
        if status != _OK:
            evidence = _veiled(content.decode("utf-8", "replace"), hidden)
            raise self._unavailable(f"answered with status {status}", evidence)
        try:
            return json.loads(content)
        except ValueError:
            evidence = _veiled(content.decode("utf-8", "replace"), hidden)
            raise self._unavailable("answered what is not JSON", evidence) from None

    async def _secrets(self) -> dict[str, str]:
        named = self._config.secrets
        try:
            found = await self._reach.secrets.read(named.values())
        except UsageError as error:
            raise self._unavailable(f"cannot be asked: {error.what}", error.evidence) from error
        return {header: found[reference] for header, reference in named.items()}

    def _tls(self) -> ssl.SSLContext | bool:
        if self._config.tls == "insecure":
            return False
        if self._config.ca is None:
            return True
        import ssl

        try:
            return ssl.create_default_context(cafile=self._config.ca)
        except OSError as error:
            raise self._unavailable(
                f"cannot be asked: no certificates in {self._config.ca}", str(error)
            ) from error

    def _unavailable(self, what: str, evidence: str = "") -> SourceUnavailable:
        return SourceUnavailable(
            f"{self._product} {what}", where=self._config.url, evidence=evidence
        )


async def _read(stream: Any) -> bytes:
    """All of an answer, unless it is too much."""
    content = bytearray()
    async for part in stream.iter_chunked(1 << 16):
        content += part
        if len(content) > _LARGEST:
            raise ValueError(f"the answer has more than {_LARGEST >> 20} MiB; ask for less")
    return bytes(content)


def _veiled(text: str, hidden: tuple[bytes, ...]) -> str:
    return _short(veil(text.encode("utf-8", "replace"), hidden).decode("utf-8", "replace"))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TOLD else line[: _TOLD - 1] + "…"
