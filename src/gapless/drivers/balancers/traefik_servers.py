"""The servers of a service in a file of Traefik's file provider. No side effects.

A server is out when its weight is not above 0. Its own weight is kept beneath the minus sign:
5 becomes -5, and 5 again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gapless.drivers.balancers import yaml_items, yaml_places
from gapless.drivers.balancers.yaml_places import Place, UnreadableError


@dataclass(frozen=True, slots=True)
class Servers:
    """A file, and the servers of one service in it by their URLs."""

    text: str
    places: Mapping[str, Place]
    listed: Place
    """The list they are in."""

    def with_out(self, url: str) -> str:
        """The file with this server out."""
        return self._with(url, -(abs(self._weight(url)) or 1))

    def with_in(self, url: str) -> str:
        """The file with this server in."""
        return self._with(url, abs(self._weight(url)) or 1)

    def with_weight(self, url: str, weight: int) -> str:
        """The file with this weight of a server, which stays in or out."""
        return self._with(url, weight if self._weight(url) > 0 else -weight)

    def with_added(self, url: str, weight: int) -> str:
        """The file with one more server, as it is where it is there. Raises UnreadableError."""
        if url in self.places:
            return self.text
        entry = {"url": url} if weight == 1 else {"url": url, "weight": weight}
        return yaml_items.added(self.text, self.listed, json.dumps(entry))

    def without(self, url: str) -> str:
        """The file without this server, as it is where it is not there."""
        if url not in self.places:
            return self.text
        return yaml_items.removed(self.text, self.listed, self.places[url])

    def _weight(self, url: str) -> int:
        written = self.places[url]["weight"].text
        try:
            return int(written or "1")
        except ValueError:
            raise UnreadableError(f"the weight of {url} is {written!r}") from None

    def _with(self, url: str, weight: int) -> str:
        return yaml_places.written(self.text, self.places[url], "weight", str(weight))


def parse(text: str, service: str) -> Servers:
    """The servers of a service. Raises UnreadableError."""
    services = yaml_places.parse(text)["http"]["services"]
    found = services.named(service)
    if found.node is None:
        raise UnreadableError(f"services in it: {', '.join(services.names()) or 'none'}")
    listed = found["load_balancer"]["servers"]
    return Servers(text, {place["url"].text: place for place in listed.items()}, listed)
