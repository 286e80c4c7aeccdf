"""What each member holds, in numbers."""

from __future__ import annotations

from collections import Counter

from gapless.clusters.topology import Topology


def held(topology: Topology) -> dict[str, dict[str, int]]:
    """By host, or by id where the host is not known: groups that it leads, that it is of, and of
    these those that it is in sync in."""
    leads, of, in_sync = topology.leads, Counter[str](), Counter[str]()
    for group in topology.groups.values():
        of.update(group.members)
        in_sync.update(group.in_sync.intersection(group.members))
    return {
        one.host or one.id: {
            "leads": leads[one.id],
            "groups": of[one.id],
            "in_sync": in_sync[one.id],
        }
        for one in topology.members.values()
    }
