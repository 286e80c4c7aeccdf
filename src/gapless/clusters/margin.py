"""How much more a cluster bears as it is now, for whoever has to mend it."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.clusters.gates import name_of
from gapless.clusters.group import Group
from gapless.clusters.order import natural
from gapless.clusters.topology import Topology

SHOWN = 3
"""Groups that are told one by one."""


def least(topology: Topology) -> int | None:
    """How many more members may fail before some group stands still, below 0 where one does; None
    where there are no groups."""
    return min((group.slack for group in topology.groups.values()), default=None)


def margin(topology: Topology) -> tuple[str, ...]:
    """A line for each group that nobody leads, then for those that bear least; those that bear as
    much as the last one told are counted."""
    led = [f"{group.id}: nobody leads it" for group in topology.leaderless]
    groups = sorted(topology.groups.values(), key=lambda group: (group.slack, natural(group.id)))
    lines = [*led[:SHOWN], *(_line(topology, group) for group in groups[:SHOWN])]
    more = len(led[SHOWN:]) + len(groups[SHOWN:])
    return (*lines, *([f"and {more:,} more like these or better"] if more else []))


def _line(topology: Topology, group: Group) -> str:
    return f"{group.id}: {'; '.join(_told(topology, group))}"


def _told(topology: Topology, group: Group) -> Iterator[str]:
    yield f"{len(group.in_sync)} of {len(group.members)} in sync, {group.minimum} needed"
    if group.slack < 0:
        yield "it stands still"
    elif group.slack == 0:
        yield "one more failure and it stands still"
    else:
        yield f"{group.slack} more may fail"
    behind = [name_of(topology, m) for m in group.members if m not in group.in_sync]
    if behind:
        yield f"not in sync: {', '.join(behind)}"
