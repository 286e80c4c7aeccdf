"""Weights of members: ordered on every node, and waited for until each reports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gapless.clock import Clock
from gapless.config.quantities import format_duration
from gapless.drivers.balancers.base import Member
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.pace import pauses
from gapless.drivers.balancers.sight import Node, together
from gapless.errors import TrafficError
from gapless.model import Fence, Instance

POLL = 0.1


class WeighedNode(Node, Protocol):
    """A node whose members have weights."""

    async def weigh(self, instance: Instance, weight: int, fence: Fence | None) -> None:
        """Order this weight; harmless when it has it."""
        ...


async def weigh(
    name: str,
    nodes: Sequence[WeighedNode],
    fanout: Fanout,
    clock: Clock,
    wanted: Mapping[Instance, int],
    fences: Sequence[Fence],
    *,
    most: int,
    within: float,
) -> dict[Instance, tuple[Member, ...]]:
    """See ``WeighsMembers.weights``. ``most`` is the largest weight there is, ``within`` the
    seconds that each node may take to report one."""
    for instance, weight in wanted.items():
        if not 0 <= weight <= most:
            raise TrafficError(
                f"{weight} cannot be the weight of {instance}",
                where=name,
                next=f"weights of this balancer are from 0 to {most}",
            )
    guards = fanout.guards(fences)
    for instance in wanted:
        for sight in await fanout.look(instance):
            if sight.trouble is not None:
                raise sight.trouble
    for instance, weight in wanted.items():
        await together(
            node.weigh(instance, weight, fence) for node, fence in zip(nodes, guards, strict=True)
        )
    return {
        instance: await _reported(name, fanout, clock, instance, weight, within)
        for instance, weight in wanted.items()
    }


async def _reported(
    name: str, fanout: Fanout, clock: Clock, instance: Instance, weight: int, within: float
) -> tuple[Member, ...]:
    deadline = clock.monotonic() + within
    pause = pauses(POLL)
    while True:
        members = tuple(sight.member for sight in await fanout.look(instance))
        if all(member.weight == weight for member in members):
            return members
        if clock.monotonic() >= deadline:
            raise TrafficError(
                f"{instance} is not reported with weight {weight} after {format_duration(within)}",
                where=name,
                evidence="\n".join(f"{m.node}: weight {m.weight}, {m.raw}" for m in members),
            )
        await clock.sleep(next(pause))
