"""The monitoring port of one NATS server: four pages, one after the other, nothing ordered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gapless.config.cluster_nats import NatsClusterConfig
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.clusters import nats_view
from gapless.drivers.clusters.member_api import MemberApi
from gapless.drivers.clusters.nats_sight import Sight
from gapless.drivers.clusters.nats_view import Server
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError

_WHO = Ask("GET", "/varz")
_HEALTH = Ask("GET", "/healthz")
_ROUTES = Ask("GET", "/routez")
_HELD = Ask("GET", "/jsz?accounts=true&streams=true&consumers=true&config=true&limit=1000000")
"""The limit is that of accounts, of which 1,024 are told otherwise."""


class NatsMonitor:
    """The server on one host; ``url`` is filled in."""

    def __init__(
        self,
        cluster: str,
        host: str,
        url: str,
        config: NatsClusterConfig,
        transport: Callable[[], Transport],
    ) -> None:
        self.host = host
        self._api = MemberApi(
            cluster,
            host,
            transport,
            url,
            product="NATS",
            hint=f"curl {url}/healthz on that host; http_port is in the server's configuration",
            key="monitor",
            tls=config.tls,
            timeout=config.timeout,
        )

    async def look(self) -> Sight:
        """All that it tells. Never raises for a server that is silent or answers nonsense."""
        try:
            return Sight(self.host, await self._server())
        except ClusterError as error:
            return Sight(self.host, None, error.what, error.evidence, error.next)

    async def _server(self) -> Server:
        varz = await self._page(_WHO)
        # Not well is an answer, too, with the reason: 503, and 500 where it takes no clients.
        healthz = await self._page(_HEALTH, 500, 503)
        routez = await self._page(_ROUTES)
        answer = await self._api.ask(_HELD)
        return self._api.read(
            _HELD, answer, lambda jsz: nats_view.server(varz, healthz, routez, jsz)
        )

    async def _page(self, ask: Ask, *more: int) -> Any:
        answer = await self._api.ask(ask)
        if not answer.ok and answer.status not in more:
            raise self._api.error(
                f"{self._api.product} refuses {ask.path}", ask, answer, "gapless needs NATS >= 2.9"
            )
        return self._api.read(ask, answer, lambda told: told)
