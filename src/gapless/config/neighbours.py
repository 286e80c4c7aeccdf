"""Services that are clusters, with members on the hosts of another one, as etcd under Patroni."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gapless.config.groups import groups_of, hosts_on
from gapless.config.project import ProjectConfig
from gapless.config.services import ServiceConfig
from gapless.places import machine_of, places_on


def neighbours(
    service: str,
    services: Mapping[str, ServiceConfig],
    places: Callable[[str], Sequence[str]],
) -> dict[str, tuple[str, ...]]:
    """By name the places of those that a stop of a member of this one may touch: on a machine of
    its. Machines are told apart by their names. None where the service says that its stop touches
    nothing else, or is no cluster. ``places`` of a service are where it runs."""
    own = services[service].cluster
    if own is None or own.neighbours == "leave":
        return {}
    machines = {machine_of(place) for place in places(service)}
    found = {
        name: tuple(place for place in places(name) if machine_of(place) in machines)
        for name, one in services.items()
        if name != service and one.cluster is not None
    }
    return {name: there for name, there in found.items() if there}


def touches(hosts: Iterable[str], theirs: Iterable[str]) -> bool:
    """Whether one of these hosts has a member of theirs, by the places of a neighbour."""
    return not {machine_of(host) for host in hosts}.isdisjoint(map(machine_of, theirs))


def neighbours_in(
    project: ProjectConfig,
    chosen: Iterable[str],
    hosts: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """By name of those chosen the names of all that they are beside of. With ``hosts``, on which
    each is stopped, of those alone that one of these stops touches."""
    groups = groups_of(project.hosts)

    def places(name: str) -> tuple[str, ...]:
        one = project.services[name]
        return places_on(hosts_on(one.on, project.hosts, groups), one.replicas)

    return {
        name: tuple(
            other
            for other, there in neighbours(name, project.services, places).items()
            if hosts is None or touches(hosts[name], there)
        )
        for name in chosen
    }
