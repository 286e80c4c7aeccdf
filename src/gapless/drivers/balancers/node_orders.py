"""Programs run for a balancer on the host of one of its nodes."""

from __future__ import annotations

import itertools

from gapless.drivers.balancers.node_host import NodeHost
from gapless.errors import TrafficError
from gapless.model import Command, Completed, CriticalAction, Fence, Instance

_SLACK = 5.0


class NodeOrders:
    """Questions are plain commands, and so are orders without a fence. An order with one is a
    critical action: the host compares the fence and begins it in the same call."""

    def __init__(self, host: NodeHost) -> None:
        self._host = host
        self._numbers = itertools.count(1)

    async def ask(self, command: Command) -> Completed:
        """What a command that changes nothing brings back."""
        return await self._run(command, repeatable=True)

    async def order(
        self, verb: str, command: Command, instance: Instance, fence: Fence | None
    ) -> Completed:
        """What became of a command that changes something; begun once. Raises NoAnswer, and
        TrafficError when its outcome is not known."""
        if fence is None:
            return await self._run(command, repeatable=False)
        return await self._act(verb, command, instance, fence)

    async def _run(self, command: Command, *, repeatable: bool) -> Completed:
        return await self._host.talk(
            lambda transport: transport.run(command),
            what=f"{command.argv[0]} could not be run on {self._host.label}",
            hint="gapless doctor",
            repeatable=repeatable,
        )

    async def _act(
        self, verb: str, command: Command, instance: Instance, fence: Fence
    ) -> Completed:
        """The fence's number is part of the key: a resumed rollout has a higher one, and its first
        drain must not get the outcome recorded for the first drain before the crash."""
        balancer, label = self._host.balancer, self._host.label
        order = f"{balancer}/{verb}#{next(self._numbers)}"
        key = f"{fence.rollout}.{fence.number}/{instance}/{order}"
        action = CriticalAction(key, (command,), fence, timeout=command.timeout + _SLACK)
        settled = await self._host.talk(
            lambda transport: transport.act(action),
            what=f"{verb} could not be ordered on {label}",
            hint="gapless doctor",
        )
        if settled.completed:
            return settled.completed[-1]
        raise TrafficError(
            f"what became of {verb} on {label} is not known ({settled.status})",
            where=balancer,
            evidence=f"{verb} of {instance}",
            next=f"gapless status shows what {balancer} says now",
        )
