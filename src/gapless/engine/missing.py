"""What is missing while a member that was restarted is waited for, and whose trouble that is.

1. A member that is not back itself is told as that, by what its driver says of it.
2. One that is back stays with a cluster that has to be well before anybody else is touched: then
   others are named, and it is not said that this one did not rejoin.
3. It comes nearer when the member is back, when less is missing, or when less is to catch up: of
   the member itself, or of those that it waits for.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from gapless.clusters.finding import Finding
from gapless.clusters.gates import name_of
from gapless.clusters.group import Group
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Rejoined


@dataclass(frozen=True, slots=True)
class Missing:
    """``what`` in words, nothing for a member that is back in a cluster that is well. ``own``: it
    is the member itself that is not back. ``left`` is still to be caught up, infinite where nobody
    knows. ``hosts`` are those to look at."""

    what: tuple[str, ...] = ()
    own: bool = False
    left: float = 0.0
    hosts: tuple[str, ...] = ()

    @property
    def far(self) -> tuple[bool, int, float]:
        """Less is nearer."""
        return self.own, len(self.what), self.left


@dataclass(frozen=True, slots=True)
class _One:
    """``members`` are the ids of those in trouble, none where it is the cluster."""

    what: str
    members: tuple[str, ...] = ()


def of_member(rejoined: Rejoined, host: str) -> Missing:
    """One that is not back."""
    left = math.inf if rejoined.lag is None else float(rejoined.lag)
    return Missing((rejoined.why,), own=True, left=left, hosts=(host,))


def of_cluster(now: Topology, was: Topology, member: str, beside: Collection[str]) -> Missing:
    """What is not as it was in the groups of a member that is back. Others that are restarted
    together with it (``beside``) wait for themselves."""
    found = [*_findings(now, beside), *_groups(now, was, beside)]
    found.sort(key=lambda one: member not in one.members)
    ids = dict.fromkeys(each for one in found for each in one.members)
    hosts = (now.members[each].host for each in ids if each in now.members)
    return Missing(
        what=tuple(one.what for one in found),
        own=any(member in one.members for one in found),
        left=sum(_left(now.groups[one], beside) for one in was.groups if one in now.groups),
        hosts=tuple(dict.fromkeys(filter(None, hosts))),
    )


def _findings(now: Topology, beside: Collection[str]) -> Iterator[_One]:
    for finding in now.findings:
        if finding.member not in beside:
            whose = finding.member or finding.where
            members = (whose,) if whose in now.members else ()
            yield _One(_told(now, finding), members)


def _told(now: Topology, finding: Finding) -> str:
    """Where it is about a member, with the name of its host."""
    return f"{name_of(now, finding.where)}: {finding.what}"


def _groups(now: Topology, was: Topology, beside: Collection[str]) -> Iterator[_One]:
    for group in was.groups:
        found = now.groups.get(group)
        if found is None:
            yield _One(f"{group} is not reported")
        elif found.led and not found.leader:
            yield _One(f"{group} has no leader")
        elif behind := _behind(found, beside):
            names = ", ".join(name_of(now, one) for one in behind)
            yield _One(f"{group}: {names} not in sync", tuple(behind))


def _behind(group: Group, beside: Collection[str]) -> list[str]:
    return [one for one in group.members if one not in {*group.in_sync, *beside}]


def _left(group: Group, beside: Collection[str]) -> float:
    """From who has got furthest to each that is behind."""
    furthest = max(group.position.values(), default=0)
    behind = _behind(group, beside)
    return sum(furthest - group.position.get(one, -math.inf) for one in behind)
