"""Members that come and go with the copies of instances: added before they are admitted, removed
when their copies have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gapless.clock import Clock
from gapless.config.quantities import format_duration
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.pace import pauses
from gapless.drivers.balancers.sight import Node, Sight, together
from gapless.errors import TrafficError
from gapless.model import Fence, Instance

_POLL = 0.1


class DynamicNode(Node, Protocol):
    """A node whose members come and go."""

    async def add(self, instance: Instance, fence: Fence | None) -> None:
        """Order a member that gets no traffic; harmless where there is one."""
        ...

    async def remove(self, instance: Instance, fence: Fence | None) -> None:
        """Order the next thing that makes an idle member go; harmless where there is none."""
        ...


async def add(
    nodes: Sequence[DynamicNode], fanout: Fanout, instance: Instance, fences: Sequence[Fence]
) -> tuple[Member, ...]:
    """See ``AddsMembers.add``."""
    guarded = zip(nodes, fanout.guards(fences), strict=True)
    await together(node.add(instance, fence) for node, fence in guarded)
    return tuple(sight.member for sight in await fanout.look(instance))


async def remove(
    name: str,
    nodes: Sequence[DynamicNode],
    fanout: Fanout,
    clock: Clock,
    instance: Instance,
    fences: Sequence[Fence],
    *,
    within: float,
) -> None:
    """See ``AddsMembers.remove``. ``within`` is the seconds in which each node has to report that
    it is gone."""
    guards = fanout.guards(fences)
    deadline = clock.monotonic() + within
    pause = pauses(_POLL)
    while True:
        sights = await fanout.look(instance)
        if not any(map(_is_there, sights)):
            return
        _refuse_busy(name, instance, sights)
        if clock.monotonic() >= deadline:
            raise _still_there(name, instance, sights, within)
        await together(
            node.remove(instance, fence)
            for node, fence, sight in zip(nodes, guards, sights, strict=True)
            if _is_there(sight) and sight.idle
        )
        await clock.sleep(next(pause))


def _is_there(sight: Sight) -> bool:
    return sight.member.state is not MemberState.MISSING


def _refuse_busy(name: str, instance: Instance, sights: Sequence[Sight]) -> None:
    """What is out and not idle yet is waited for: another process may have drained it."""
    busy = [sight for sight in sights if not sight.out]
    if busy:
        raise TrafficError(
            f"{instance} is in traffic: it cannot be removed",
            where=name,
            evidence="\n".join(map(str, busy)),
            next=f"gapless drain {instance}",
        )


def _still_there(
    name: str, instance: Instance, sights: Sequence[Sight], within: float
) -> TrafficError:
    return TrafficError(
        f"{instance} is still reported after {format_duration(within)}, though it is to be removed",
        where=name,
        evidence="\n".join(map(str, sights)),
    )
