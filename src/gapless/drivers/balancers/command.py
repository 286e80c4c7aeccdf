"""Any balancer that has commands to take an instance out, put it back and tell its state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from gapless.clock import Clock, to_its_end
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import (
    Capabilities,
    Counters,
    Drained,
    Evidence,
    Member,
    MemberState,
)
from gapless.drivers.balancers.command_node import CommandNode
from gapless.drivers.balancers.fanout import Fanout
from gapless.drivers.balancers.sight import NoAnswer, Sight, together
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

_POLL = 0.25  # each look is a process on a host,
_REPEAT = 2.0  # and each order an action in its journal


class CommandBalancer:
    """Drain, admit and, if there is one, state.

    With a state command the balancer's own word is waited for; the evidence of a drain is COUNTED
    when every answer had a number (``draining 3``, ``drained 0``), else INFERRED. Without one a
    drain lasts all of ``drain_timeout`` and says TIMED, and an admit is believed: its members say
    UNKNOWN, ``checked`` False and "not observed", and who is up in it is not known.
    """

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        if config.command is None:
            raise ValueError(f"balancer {name} has no commands")
        self._name = name
        self._config = config
        self._clock = clock
        self._hosts = config.command.on or ("",)
        self._observable = config.command.state is not None
        self._nodes = [
            CommandNode(name, host, config.command, partial(transports, host), address)
            for host in self._hosts
        ]
        self._fanout = Fanout(name, config, self._nodes, clock, poll=_POLL, repeat=_REPEAT)

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        return self._name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts the commands run on, "" for this machine; fences are given in this order."""
        return self._hosts

    def capabilities(self) -> Capabilities:
        """Only what the commands can show."""
        nodes = len(self._nodes)
        if not self._observable:
            return Capabilities(nodes=nodes)
        shown_by = "the word of its state command, unless that tells a number"
        return Capabilities(nodes=nodes, drain_evidence=Evidence.INFERRED, shown_by=shown_by)

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as every node reports it now."""
        return tuple(sight.member for sight in await self._fanout.look(instance))

    async def serving(self, instances: Collection[Instance]) -> int | None:
        """Least number of them any node reports up; None without a state command."""
        if not self._observable:
            return None
        return min(await together(self._up(node, instances) for node in self._nodes))

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """The programs are there, and the state command knows each instance."""
        found = await together(node.examine(instances) for node in self._nodes)
        return dict(zip(self._hosts, found, strict=True))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out, until reported drained; without a state command, until the time is over."""
        if self._observable:
            return await self._fanout.drain(instance, fences)
        return await self._drain_blindly(instance, fences)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In, until reported up; without a state command, believed and said to be so."""
        if self._observable:
            return await self._fanout.admit(instance, fences)
        return await self._admit_blindly(instance, fences)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted."""
        return Counters()

    async def _up(self, node: CommandNode, instances: Collection[Instance]) -> int:
        """How many of them the node reports up, asked at the same time. One of which it says
        nothing that can be understood (it is not in the pool yet) is not up; a node that is
        silent is an error."""

        async def see(instance: Instance) -> Sight | None:
            try:
                return await node.see(instance)
            except NoAnswer:
                raise
            except TrafficError:
                return None

        seen = await together(see(instance) for instance in instances)
        return sum(one is not None and one.member.state is MemberState.UP for one in seen)

    async def _drain_blindly(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        begun = self._clock.monotonic()
        guards = self._fanout.guards(fences)
        pairs = zip(self._nodes, guards, strict=True)
        await to_its_end(together(node.put_out(instance, fence) for node, fence in pairs))
        await self._clock.sleep(self._config.drain_timeout)
        members = await self.members(instance)
        return Drained(Evidence.TIMED, self._clock.monotonic() - begun, members=members)

    async def _admit_blindly(
        self, instance: Instance, fences: Sequence[Fence]
    ) -> tuple[Member, ...]:
        guards = self._fanout.guards(fences)
        seen = await self._fanout.look(instance)
        pairs = zip(self._nodes, seen, guards, strict=True)
        await together(
            node.put_in(instance, sight, fence, fresh=True) for node, sight, fence in pairs
        )
        return await self.members(instance)
