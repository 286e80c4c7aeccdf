"""What is asked of Envoy on its admin interface. Nothing is ever ordered there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from gapless.config.balancer_envoy import EnvoyConfig
from gapless.drivers.balancers import envoy_view
from gapless.drivers.balancers.envoy_view import Host, Settings
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost

_CLUSTERS = Ask("GET", "/clusters?format=json")
_LIFE = Ask("GET", "/config_dump?mask=last_updated")
_KINDS = ("static_clusters", "dynamic_active_clusters")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """One cluster as one Envoy process sees it. ``life`` names the process, ``hosts`` has each host
    by each of its names."""

    life: str
    hosts: dict[str, Host]
    settings: Settings

    def panics(self, host: Host) -> bool:
        """Whether Envoy sends to this host whatever it was told."""
        return envoy_view.panics(self.hosts, host.priority, self.settings.panic)

    def panics_without(self, host: Host) -> bool:
        """Whether it would if this host were out."""
        return envoy_view.panics(self.hosts, host.priority, self.settings.panic, without=host.name)

    def others_up(self, host: Host) -> int:
        """How many hosts besides this one get traffic."""
        names = {other.name for other in self.hosts.values() if other.up}
        return len(names - {host.name})


class EnvoyAdmin:
    """Every question changes nothing, so it may be asked twice."""

    def __init__(self, host: NodeHost, config: EnvoyConfig) -> None:
        self._cluster = config.cluster
        self._api = HttpApi(
            host,
            config.admin,
            product="Envoy",
            hint=f"see that envoy runs there with its admin interface at {config.admin}",
        )

    async def view(self) -> View:
        """The cluster as it is now. Raises NoAnswer, TrafficError."""
        ask, answer = await self._ask(_LIFE)
        life = self._read(ask, answer, envoy_view.life)
        ask, answer = await self._ask(_CLUSTERS)
        hosts = self._read(ask, answer, lambda json: envoy_view.hosts(json, self._cluster))
        return View(life, hosts, await self._settings())

    async def _settings(self) -> Settings:
        name = quote(f"^{re.escape(self._cluster)}$")
        for kind in _KINDS:
            ask, answer = await self._ask(
                Ask("GET", f"/config_dump?resource={kind}&name_regex={name}")
            )
            found = self._read(ask, answer, lambda json: envoy_view.settings(json, self._cluster))
            if found is not None:
                return found
        return Settings()

    async def _ask(self, ask: Ask) -> tuple[Ask, HttpAnswer]:
        answer = await self._api.ask(ask)
        if not answer.ok:
            hint = "gapless asks /clusters and /config_dump of the admin interface"
            raise self._api.error(f"{self._api.product} refuses an answer", ask, answer, hint)
        return ask, answer

    def _read(self, ask: Ask, answer: HttpAnswer, reading: Callable[[Any], T]) -> T:
        try:
            return reading(answer.json())
        except ValueError:
            raise self._api.nonsense(ask, answer) from None
