"""Why leaderships did not move, as far as the cluster itself says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gapless.clusters.gates import name_of
from gapless.clusters.topology import Topology


def not_taken_over(
    topology: Topology, member: str, whys: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """By group, with what the driver says of it: who could have taken it over and did not, and who
    could not, and why."""
    for name, why in whys:
        yield "; ".join([f"{name}: {why}", *_others(topology, name, member)])


def able(topology: Topology, member: str, groups: Iterable[str]) -> tuple[str, ...]:
    """Hosts of members that are in sync in one of these groups, without that one."""
    found = (topology.groups.get(name) for name in groups)
    ids = {one for group in found if group is not None for one in group.in_sync} - {member}
    hosts = (topology.members[one].host for one in ids if one in topology.members)
    return tuple(sorted(host for host in hosts if host))


def _others(topology: Topology, name: str, member: str) -> Iterator[str]:
    group = topology.groups.get(name)
    if group is None:
        return
    furthest = max(group.position.values(), default=0)
    for other in group.members:
        if other == member:
            continue
        known = topology.members.get(other)
        called = name_of(topology, other)
        if known is not None and not known.well:
            yield f"{called} {known.trouble}"
        elif other in group.in_sync:
            yield f"{called} is in sync, and did not take over"
        elif behind := furthest - group.position.get(other, furthest):
            yield f"{called} is not in sync, {behind:,} behind"
        else:
            yield f"{called} is not in sync"
