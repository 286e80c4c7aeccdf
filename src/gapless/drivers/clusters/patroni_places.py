"""Which member of Patroni runs on which host. No side effects.

Patroni before 4.0 does not say its own name, so it is found out, by the first of these that holds
for exactly one member: what gapless.yaml says; the name that the member says; the address of its
REST API is the one that was asked, port and all; that address, or PostgreSQL's, is the host's; it
is called like the host. And the only member that is left is on the only host that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from gapless.drivers.clusters.patroni_sight import Sight
from gapless.drivers.clusters.patroni_view import Listed

_ANYWHERE = ("", "localhost", "127.0.0.1", "::1")
"""Addresses that every host has."""


def places(
    sights: Sequence[Sight],
    members: Iterable[Listed],
    names: Mapping[str, str],
    address: Callable[[str], str],
) -> dict[str, str]:
    """By host the name of the member that runs there, where that is known."""
    listed = tuple(members)
    found = {
        sight.host: name
        for sight in sights
        if (name := _name(sight, listed, names.get(sight.host, ""), address(sight.host)))
    }
    hosts = [sight.host for sight in sights if sight.host not in found]
    left = [one.name for one in listed if one.name not in found.values()]
    if len(hosts) == len(left) == 1:
        found[hosts[0]] = left[0]
    return found


def _name(sight: Sight, listed: Sequence[Listed], given: str, address: str) -> str:
    if given:
        return given
    if sight.status is not None and sight.status.name:
        return sight.status.name
    for fitting in _ways(sight, address):
        there = [one.name for one in listed if fitting(one)]
        if len(there) == 1:
            return there[0]
    return ""


def _ways(sight: Sight, address: str) -> Iterator[Callable[[Listed], bool]]:
    asked = urlsplit(sight.url)
    called = {sight.host, sight.host.partition(".")[0]}
    if asked.hostname not in _ANYWHERE:
        yield lambda one: urlsplit(one.url).netloc == asked.netloc
    own = {address, *called} - set(_ANYWHERE)
    yield lambda one: urlsplit(one.url).hostname in own or one.host in own
    yield lambda one: bool(called & {one.name, one.name.partition(".")[0]})
