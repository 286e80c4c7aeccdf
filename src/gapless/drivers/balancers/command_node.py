"""The commands of a balancer on one of the hosts that have them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection

from gapless.config.balancer_command import CommandBalancerConfig
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.node_orders import NodeOrders
from gapless.drivers.balancers.sight import Sight, examined, together
from gapless.drivers.fill import filled, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Command, Completed, Fence, Instance, Verdict

_ANSWER = re.compile(r"(up|drained|draining|down|missing)(?:\s+(\d+))?(?:\s|$)", re.IGNORECASE)


class CommandNode:
    """Runs drain, admit and state there. An order with a fence is a critical action."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: CommandBalancerConfig,
        transport: Callable[[], Transport],
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._balancer = balancer
        self._host = NodeHost(balancer, host, transport)
        self._orders = NodeOrders(self._host)
        self._config = config
        self._address = address
        self._out: set[Instance] = set()

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """What the state command prints; without one, only that nothing was observed."""
        if self._config.state is None:
            return self._unobserved(instance)
        command = self._command(self._config.state, instance)
        completed = await self._orders.ask(command)
        if not completed.ok:
            raise self._failed(command, completed)
        answer = _ANSWER.match(completed.stdout.strip())
        if answer is None:
            raise TrafficError(
                f"the state command answers nonsense on {self.label}",
                where=self._balancer,
                evidence=f"{command} → {completed.stdout.strip()[:200] or '(nothing)'}",
                next="it has to print up, drained, draining (with a number) or down",
            )
        return self._sight(instance, command, MemberState(answer[1].lower()), answer[2])

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the programs are there and the state command knows each instance."""
        chosen = [("drain", self._config.drain), ("admit", self._config.admit)]
        found = [
            await self._program(verb, program)
            for verb, program in {
                (verb, self._command(argv, instance).argv[0]): None
                for verb, argv in chosen
                for instance in instances
            }
        ]
        if self._config.state is not None:
            found += await together(
                self._answer(self._command(self._config.state, instance), instance)
                for instance in instances
            )
        return tuple(found)

    async def _program(self, verb: str, program: str) -> Verdict:
        asked = f"{verb}: command -v {shlex.quote(program)}"
        try:
            done = await self._orders.ask(
                Command(("sh", "-c", 'command -v -- "$1"', "sh", program))
            )
        except TrafficError as error:
            return examined(asked, "", error)
        if done.ok:
            return examined(asked, done.stdout.strip())
        place = f"balancers.{self._balancer} in gapless.yaml"
        trouble = TrafficError(
            f"there is no program {program} on {self.label}",
            next=f"install it there, or correct {verb}: of {place}",
        )
        return examined(asked, "", trouble)

    async def _answer(self, command: Command, instance: Instance) -> Verdict:
        asked = f"state: {command}"
        try:
            sight = await self.see(instance)
        except TrafficError as error:
            return examined(asked, "", error)
        return examined(asked, sight.member.raw, sight.trouble)

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Run the drain command."""
        await self._order("drain", self._command(self._config.drain, instance), instance, fence)
        self._out.add(instance)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Run the admit command."""
        await self._order("admit", self._command(self._config.admit, instance), instance, fence)
        self._out.discard(instance)

    def _command(self, argv: tuple[str, ...], instance: Instance) -> Command:
        words = filled(argv, instance, self._address)
        return Command(words, timeout=self._config.timeout)

    async def _order(
        self, verb: str, command: Command, instance: Instance, fence: Fence | None
    ) -> None:
        completed = await self._orders.order(verb, command, instance, fence)
        if not completed.ok:
            raise self._failed(command, completed)

    def _sight(
        self, instance: Instance, command: Command, state: MemberState, number: str | None
    ) -> Sight:
        count = int(number) if number is not None else None
        # "down" does not say whether it was taken out as well: then our last order does.
        down = state is MemberState.DOWN and instance in self._out
        out = down or state in (MemberState.DRAINED, MemberState.DRAINING)
        raw = f"{state.value} {number}" if number is not None else state.value
        up = state is MemberState.UP
        trouble = None
        if state is MemberState.MISSING:
            trouble = TrafficError(
                f"{instance} is not in the balancer",
                where=self._balancer,
                evidence=str(command),
                next="add it to the balancer there, then: gapless doctor",
            )
        member = Member(self.label, str(instance), state, count, checked=up, raw=raw)
        return Sight(
            member,
            out,
            idle=(down or state is MemberState.DRAINED) and not count,
            shut=not up,
            accepted=up,
            counted=count is not None,
            trouble=trouble,
        )

    def _unobserved(self, instance: Instance) -> Sight:
        raw = "not observed: the balancer has no state command"
        member = Member(self.label, str(instance), MemberState.UNKNOWN, checked=False, raw=raw)
        return Sight(member, out=False, idle=False, shut=True, accepted=False, counted=False)

    def _failed(self, command: Command, completed: Completed) -> TrafficError:
        late = f"did not end in {command.timeout:g} s"
        end = late if completed.timed_out else f"ended with {completed.status}"
        return TrafficError(
            f"{command.argv[0]} {end} on {self.label}",
            where=self._balancer,
            evidence=f"{command}\n{completed.evidence()}".strip(),
            next=f"run it by hand on {self.label}",
        )
