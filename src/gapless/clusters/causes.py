"""What people are told of many findings: the causes, each once.

1. A group that is not in sync only because a member is in trouble, or is led by it, follows from
   that member's own finding; waiting for the group, as its remedy says, would be in vain.
2. Groups of which the same is said are told of together, under the first one's name.

Nothing that was refused is allowed by that: of what is left out the cause is among what stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gapless.clusters.finding import Finding
from gapless.clusters.gates import NOT_IN_SYNC
from gapless.clusters.topology import Topology


def causes(topology: Topology, found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Of these findings those that do not follow from others, alike ones in one."""
    troubled = {one.member for one in found if one.member}
    kept = (one for one in found if not _follows(topology, one, troubled))
    return tuple(_together(topology, kept))


def _follows(topology: Topology, finding: Finding, troubled: set[str]) -> bool:
    group = topology.groups.get(finding.where)
    if finding.code != NOT_IN_SYNC or group is None:
        return False
    behind = set(group.members) - group.in_sync
    return behind <= troubled or group.leader in troubled


def _together(topology: Topology, found: Iterable[Finding]) -> Iterable[Finding]:
    alike: dict[object, list[Finding]] = {}
    for one in found:
        of_group = one.where in topology.groups
        said = (one.code, one.what, one.next, one.absolute, one.member)
        alike.setdefault(said if of_group else one, []).append(one)
    for first, *others in alike.values():
        if not others:
            yield first
            continue
        more = f"{len(others):,} other group{'s' * (len(others) > 1)}"
        yield replace(first, where=f"{first.where} and {more}")
