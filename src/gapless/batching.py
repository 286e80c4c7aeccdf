"""Cutting hosts into batches, forward and back.

1. A batch takes hosts in the order given, up to its size.
2. Where zones are given it takes at most one of each: a host whose zone is in the batch already
   waits for the next, and the next one of another zone takes its place.
3. A host whose zone nobody knows may be in any: it is replaced alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

NO_ZONES: Mapping[str, str] = MappingProxyType({})
"""Every host may go with every other."""


def cut(
    hosts: Sequence[str], size: int, zones: Mapping[str, str] = NO_ZONES
) -> Iterator[tuple[str, ...]]:
    """Batches of at most ``size``; ``zones`` holds the zone of each host ("" = nobody knows)."""
    if not zones:
        yield from (tuple(hosts[n : n + size]) for n in range(0, len(hosts), size))
        return
    waiting = _Waiting(hosts, zones)
    while batch := waiting.take(size):
        yield batch


class _Waiting:
    """Hosts by zone, the zone whose next host comes first in front."""

    def __init__(self, hosts: Sequence[str], zones: Mapping[str, str]) -> None:
        self._hosts = hosts
        placed = sorted((zones.get(host, ""), number) for number, host in enumerate(hosts))
        lines = groupby(placed, key=lambda item: item[0])
        self._lines = {zone: [number for _, number in line][::-1] for zone, line in lines}
        self._heads = [(line[-1], zone) for zone, line in self._lines.items()]
        heapq.heapify(self._heads)

    def take(self, size: int) -> tuple[str, ...]:
        """The next batch; empty when nobody waits any more."""
        taken: list[tuple[int, str]] = []
        passed: list[tuple[int, str]] = []
        while self._heads and len(taken) < size:
            head = heapq.heappop(self._heads)
            if not head[1] and taken:  # it goes alone, in its turn
                passed.append(head)
                continue
            taken.append(head)
            if not head[1]:
                break
        for head in passed:
            heapq.heappush(self._heads, head)
        for _, zone in taken:
            self._lines[zone].pop()
            if self._lines[zone]:
                heapq.heappush(self._heads, (self._lines[zone][-1], zone))
        return tuple(self._hosts[number] for number, _ in taken)
