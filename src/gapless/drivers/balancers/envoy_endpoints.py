"""The endpoints in the file that Envoy watches (EDS). No side effects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gapless.drivers.balancers import yaml_items, yaml_places
from gapless.drivers.balancers.yaml_places import Place


@dataclass(frozen=True, slots=True)
class Endpoints:
    """A file, and the endpoints of one cluster in it by each of their names."""

    text: str
    places: Mapping[str, Place]
    lists: tuple[Place, ...] = ()
    """The lists they are in, one for each locality."""

    def with_status(self, name: str, status: str) -> str:
        """The file with this health_status of the endpoint."""
        return yaml_places.written(self.text, self.places[name], "health_status", status)

    def with_weight(self, name: str, weight: int) -> str:
        """The file with this load_balancing_weight of the endpoint."""
        place = self.places[name]
        return yaml_places.written(self.text, place, "load_balancing_weight", str(weight))

    def with_added(self, address: str, status: str) -> str:
        """The file with one more endpoint, in the first locality. Raises
        yaml_places.UnreadableError for an address that is none, and where there is no locality."""
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise yaml_places.UnreadableError(f"{address!r} is no address with a port")
        if not self.lists:
            raise yaml_places.UnreadableError("there is no list lb_endpoints")
        socket = {"address": host.strip("[]"), "port_value": int(port)}
        entry = {"endpoint": {"address": {"socket_address": socket}}, "health_status": status}
        return yaml_items.added(self.text, self.lists[0], json.dumps(entry))

    def without(self, name: str) -> str:
        """The file without this endpoint."""
        place = self.places[name]
        found = next(one for one in self.lists if place in one.items())
        return yaml_items.removed(self.text, found, place)


def parse(text: str, cluster: str) -> Endpoints:
    """The endpoints of a cluster. Raises yaml_places.UnreadableError."""
    root = yaml_places.parse(text)
    found = [one for one in root["resources"].items() if one["cluster_name"].text == cluster]
    if not found:
        known = [one["cluster_name"].text for one in root["resources"].items()]
        raise yaml_places.UnreadableError(f"clusters in it: {', '.join(known) or 'none'}")
    lists = tuple(
        locality["lb_endpoints"]
        for assignment in found
        for locality in assignment["endpoints"].items()
    )
    places = {
        name: place
        for listed in lists
        for place in listed.items()
        for name in _names(place["endpoint"])
    }
    return Endpoints(text, places, lists)


def _names(endpoint: Place) -> tuple[str, ...]:
    socket = endpoint["address"]["socket_address"]
    pipe = endpoint["address"]["pipe"]["path"].text
    address = pipe or f"{socket['address'].text}:{socket['port_value'].text}"
    return tuple(filter(None, (address, endpoint["hostname"].text)))
