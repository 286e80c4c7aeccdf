"""Cutting hosts into batches, forward and back.

1. A batch takes hosts in the order given, up to its size.
2. Where zones are given it takes at most one of each: a host whose zone is in the batch already
   waits for the next, and the next one of another zone takes its place.
3. A host whose zone nobody knows may be in any: it is replaced alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

NO_ZONES: Mapping[str, str] = MappingProxyType({})
"""Every host may go with every other."""


def cut(
    hosts: Sequence[str], size: int, zones: Mapping[str, str] = NO_ZONES
) -> Iterator[tuple[str, ...]]:
    """Batches of at most ``size``; ``zones`` holds the zone of each host ("" = nobody knows)."""
    rest = list(hosts)
    while rest:
        batch = _first(rest, size, zones)
        taken = frozenset(batch)
        rest = [host for host in rest if host not in taken]
        yield batch


def _first(hosts: Sequence[str], size: int, zones: Mapping[str, str]) -> tuple[str, ...]:
    if not zones:
        return tuple(hosts[:size])
    if not zones.get(hosts[0]):
        return (hosts[0],)
    batch: dict[str, str] = {}
    for host in hosts:
        zone = zones.get(host)
        if len(batch) < size and zone and zone not in batch.values():
            batch[host] = zone
    return tuple(batch)
