"""Where an instance is: a host, or one of several places on it (``app1/2``).

A service that runs once on a host is at the host itself. One that runs several times there has
places, numbered from 1: they stand wherever an instance is meant, and the host wherever a machine
is. So a host alone is the same as its first place, for one who has no other.
"""

from __future__ import annotations

from collections.abc import Iterable

_BETWEEN = "/"


def places_on(hosts: Iterable[str], replicas: int) -> tuple[str, ...]:
    """The places of a service that runs so many times on each of these hosts."""
    if replicas == 1:
        return tuple(hosts)
    return tuple(f"{host}{_BETWEEN}{n}" for host in hosts for n in range(1, replicas + 1))


def machine_of(place: str) -> str:
    """The host that a place is on."""
    return place.partition(_BETWEEN)[0]


def number_of(place: str) -> int:
    """Which of the places on its host it is."""
    number = place.partition(_BETWEEN)[2]
    return int(number) if number else 1


def named_at(name: str, place: str) -> str:
    """What a host calls something of an instance, where another place has one of its own. The first
    bears the name alone: it stays the same when the service gets more places. No service is called
    like that."""
    number = number_of(place)
    return name if number == 1 else f"{name}+{number}"


def claim_name(project: str, service: str, place: str) -> str:
    """The name under which a host knows an instance: what it is claimed by, and what is remembered
    of it. Projects do not collide."""
    return named_at(f"{project}.{service}", place)
