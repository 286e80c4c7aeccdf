"""The questions and the one change that Caddy's admin API is used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.config.balancer_caddy import CaddyConfig
from gapless.drivers.balancers.caddy_view import (
    Health,
    Load,
    NonsenseError,
    Proxy,
    health,
    loads,
    proxy,
)
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer
from gapless.errors import TrafficError
from gapless.model import Fence

_CHANGED = 412


class CaddyApi:
    """The admin API of one Caddy. Everything raises TrafficError, NoAnswer when it is silent."""

    def __init__(self, host: NodeHost, config: CaddyConfig) -> None:
        self.path = config.proxy if config.proxy.startswith("/") else f"/id/{config.proxy}"
        """Where the handler is."""
        self._api = HttpApi(
            host,
            config.api,
            product="Caddy",
            hint=f"see that caddy runs there and its admin API listens on {config.api}",
            tls=config.tls,
            timeout=config.timeout,
        )

    async def proxy(self) -> Proxy:
        """The handler as it is configured now."""
        ask = Ask("GET", self.path)
        answer = await self._api.ask(ask)
        if answer.status in (400, 404):  # it has no configuration yet, or another one
            error = self._api.error(
                f"{self._api.product} has no handler {self.path}",
                ask,
                answer,
                "compare 'proxy' in gapless.yaml with GET /config/ of the admin API",
            )
            raise NoAnswer(error.what, where=error.where, evidence=error.evidence, next=error.next)
        try:
            found = proxy(answer.headers.get("etag"), self._read(ask, answer))
        except NonsenseError:
            raise self._api.nonsense(ask, answer) from None
        if found.dynamic:
            what = f"{self.path} of {self._api.product} finds its upstreams by itself"
            raise self._api.error(what, ask, answer, "list them under upstreams instead")
        return found

    async def loads(self) -> dict[str, Load]:
        """What is open, by address."""
        ask = Ask("GET", "/reverse_proxy/upstreams")
        answer = await self._api.ask(ask)
        try:
            return loads(self._read(ask, answer))
        except NonsenseError:
            raise self._api.nonsense(ask, answer) from None

    async def health(self) -> Health:
        """Which process it is and what its own checks found."""
        ask = Ask("GET", "/metrics", headers={"Accept": "text/plain"})
        answer = await self._api.ask(ask)
        if not answer.ok:
            raise self._refused(ask, answer)
        try:
            return health(answer.body.decode("utf-8", "replace"))
        except NonsenseError:
            raise self._api.nonsense(ask, answer) from None

    async def resumes(self) -> bool:
        """Whether a restart of Caddy takes up what it was told by its API."""
        ask = Ask("GET", "/debug/pprof/cmdline", headers={"Accept": "*/*"})
        answer = await self._api.ask(ask)
        return answer.ok and b"--resume" in answer.body.split(b"\0")

    async def change(self, seen: Proxy, handler: Mapping[str, Any], fence: Fence | None) -> bool:
        """Whether the handler became this one: only if it is still as it was seen. A reload."""
        ask = Ask("PATCH", self.path, dict(handler), {"If-Match": seen.etag})
        answer = await self._api.ask(ask, fence)
        if answer.status == _CHANGED:
            return False
        if not answer.ok:
            raise self._refused(ask, answer)
        return True

    def _read(self, ask: Ask, answer: HttpAnswer) -> Any:
        if not answer.ok:
            raise self._refused(ask, answer)
        try:
            return answer.json()
        except ValueError:
            raise self._api.nonsense(ask, answer) from None

    def _refused(self, ask: Ask, answer: HttpAnswer) -> TrafficError:
        if answer.status == 403:
            hint = "let 'api' be an address of admin.listen, or add its host to admin.origins"
            return self._api.error(
                f"{self._api.product} does not allow this host of its API", ask, answer, hint
            )
        return self._api.error(
            f"{self._api.product} refuses with {answer.status}", ask, answer, "caddy validate"
        )
