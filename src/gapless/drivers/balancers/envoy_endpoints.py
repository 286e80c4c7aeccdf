"""The endpoints in the file that Envoy watches (EDS). No side effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gapless.drivers.balancers import yaml_places
from gapless.drivers.balancers.yaml_places import Place


@dataclass(frozen=True, slots=True)
class Endpoints:
    """A file, and the endpoints of one cluster in it by each of their names."""

    text: str
    places: Mapping[str, Place]

    def with_status(self, name: str, status: str) -> str:
        """The file with this health_status of the endpoint."""
        return yaml_places.written(self.text, self.places[name], "health_status", status)

    def with_weight(self, name: str, weight: int) -> str:
        """The file with this load_balancing_weight of the endpoint."""
        place = self.places[name]
        return yaml_places.written(self.text, place, "load_balancing_weight", str(weight))


def parse(text: str, cluster: str) -> Endpoints:
    """The endpoints of a cluster. Raises yaml_places.UnreadableError."""
    root = yaml_places.parse(text)
    found = [one for one in root["resources"].items() if one["cluster_name"].text == cluster]
    if not found:
        known = [one["cluster_name"].text for one in root["resources"].items()]
        raise yaml_places.UnreadableError(f"clusters in it: {', '.join(known) or 'none'}")
    places = {
        name: place
        for assignment in found
        for locality in assignment["endpoints"].items()
        for place in locality["lb_endpoints"].items()
        for name in _names(place["endpoint"])
    }
    return Endpoints(text, places)


def _names(endpoint: Place) -> tuple[str, ...]:
    socket = endpoint["address"]["socket_address"]
    pipe = endpoint["address"]["pipe"]["path"].text
    address = pipe or f"{socket['address'].text}:{socket['port_value'].text}"
    return tuple(filter(None, (address, endpoint["hostname"].text)))
