"""What people are told of many findings: the causes, each once.

1. A group that is not in sync only because a member is in trouble, or is led by it, follows from
   that member's own finding; waiting for the group, as its remedy says, would be in vain.
2. Groups of which the same is said are told of together: five by name, more in the evidence.

Nothing that was refused is allowed by that: of what is left out the cause is among what stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gapless.clusters.finding import Finding
from gapless.clusters.gates import NOT_IN_SYNC
from gapless.clusters.topology import Topology

_SHOWN = 5
_ALL = 100


def causes(topology: Topology, found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Of these findings those that do not follow from others, alike ones in one."""
    troubled = {one.member for one in found if one.member}
    kept = (one for one in found if not _follows(topology, one, troubled))
    return tuple(_together(topology, kept))


def _follows(topology: Topology, finding: Finding, troubled: set[str]) -> bool:
    group = topology.groups.get(finding.where)
    if finding.code != NOT_IN_SYNC or group is None:
        return False
    leader = topology.members.get(group.leader)
    led_in_trouble = leader is not None and not leader.well and leader.id in troubled
    return led_in_trouble or set(group.members) - group.in_sync <= troubled


def _together(topology: Topology, found: Iterable[Finding]) -> Iterator[Finding]:
    alike: dict[object, list[Finding]] = {}
    for one in found:
        of_group = one.where in topology.groups
        said = (one.code, one.what, one.next, one.absolute, one.member)
        alike.setdefault(said if of_group else one, []).append(one)
    for several in alike.values():
        yield several[0] if len(several) == 1 else _one_of(several)


def _one_of(several: Sequence[Finding]) -> Finding:
    groups = list(dict.fromkeys(one.where for one in several))
    more = [f"all of them: {_some(groups, _ALL)}"] if len(groups) > _SHOWN else []
    told = dict.fromkeys(one.evidence for one in several if one.evidence)
    evidence = "\n".join([*list(told)[:_SHOWN], *more])
    return replace(several[0], where=_some(groups, _SHOWN), evidence=evidence)


def _some(names: Sequence[str], most: int) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
