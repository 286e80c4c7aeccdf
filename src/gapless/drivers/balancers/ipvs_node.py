"""IPVS in the kernel of one host, seen and steered by ipvsadm there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection

from gapless.config.balancer_ipvs import IpvsConfig
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.ipvs_view import NonsenseError, RealServer, View, parse, rule
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.node_orders import NodeOrders
from gapless.drivers.balancers.sight import Sight, examined
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Command, Completed, Fence, Instance, Verdict
from gapless.places import machine_of

MOST_WEIGHT = 65535
_FLAGS = {"tcp": "-t", "udp": "-u", "fwmark": "-f"}
_QUIESCENT = "/proc/sys/net/ipv4/vs/expire_quiescent_template"


class IpvsNode:
    """Reads and weighs one real server of one virtual service."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: IpvsConfig,
        transport: Callable[[], Transport],
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._balancer = balancer
        self._host = NodeHost(balancer, host, transport)
        self._orders = NodeOrders(self._host)
        self._config = config
        self._service = (_FLAGS[config.protocol], config.service)
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """The instance as the kernel has it."""
        view = await self._view()
        name = self._server(instance)
        server = view.servers.get(name)
        if server is None:
            return self._missing(name, view)
        others = sum(s.weight > 0 for s in view.servers.values() if s.name != name)
        return self._sight(server, others)

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances get new connections."""
        servers = (await self._view()).servers
        wanted = {self._server(instance) for instance in instances}
        return sum(servers[name].weight > 0 for name in wanted & servers.keys())

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """ipvsadm answers, each instance is a real server with the weight of gapless.yaml, and a
        drain would be one for clients that are kept on their server, too."""
        asked = f"ipvsadm -Ln {' '.join(self._service)}"
        try:
            view = await self._view()
        except TrafficError as error:
            return (examined(asked, "", error),)
        found = [self._examined(asked, instance, view) for instance in instances]
        return (*found, *(await self._persistence() if view.persistent else ()))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Weight 0: nothing new; what is open stays."""
        await self._edit("drain", instance, 0, fence)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """The weight of gapless.yaml."""
        await self._edit("admit", instance, self._weight(instance), fence)

    async def weigh(self, instance: Instance, weight: int, fence: Fence | None) -> None:
        """Any weight; 0 is out of traffic."""
        await self._edit("weigh", instance, weight, fence)

    async def _edit(self, verb: str, instance: Instance, weight: int, fence: Fence | None) -> None:
        saved = await self._ask("-S", "-n")
        options = rule(saved, self._service, self._server(instance))
        if options is None:
            trouble = self._missing(self._server(instance), await self._view()).trouble
            raise trouble or TrafficError(f"{instance} has no rule in ipvsadm -Sn")
        command = self._command("-e", *options, "-w", str(weight))
        completed = await self._orders.order(verb, command, instance, fence)
        if not completed.ok:
            raise self._failed(completed)

    async def _view(self) -> View:
        text = await self._ask("-L", "-n", *self._service)
        try:
            return parse(text)
        except NonsenseError:
            raise TrafficError(
                f"ipvsadm on {self.label} answers nonsense",
                where=self._balancer,
                evidence=text.strip()[:500] or "(empty)",
                next=f"run it by hand on {self.label}",
            ) from None

    async def _ask(self, *words: str) -> str:
        completed = await self._orders.ask(self._command(*words))
        if not completed.ok:
            raise self._failed(completed)
        return completed.stdout

    async def _persistence(self) -> tuple[Verdict, ...]:
        """The trap of persistent services: templates outlive weight 0."""
        asked = f"cat {_QUIESCENT}"
        completed = await self._orders.ask(Command(("cat", _QUIESCENT), self._config.timeout))
        if completed.stdout.strip() == "1":
            return (examined(asked, "1"),)
        trouble = TrafficError(
            "the service is persistent: clients are still sent to a drained server",
            evidence=completed.evidence() or completed.stdout.strip(),
            next="sysctl -w net.ipv4.vs.expire_quiescent_template=1",
        )
        return (examined(asked, "", trouble),)

    def _examined(self, asked: str, instance: Instance, view: View) -> Verdict:
        name = self._server(instance)
        server = view.servers.get(name)
        if server is None:
            return examined(asked, "", self._missing(name, view).trouble)
        wanted = self._weight(instance)
        if server.weight in (0, wanted):
            return examined(asked, str(server))
        trouble = TrafficError(
            f"an admit would change its weight from {server.weight} to {wanted}",
            evidence=str(server),
            next=f"set weight or weights of balancers.{self._balancer} in gapless.yaml",
        )
        return examined(asked, "", trouble)

    def _sight(self, server: RealServer, others: int) -> Sight:
        closing = self._config.closing or self._config.protocol == "udp"
        open_ = server.active + (server.inactive if closing else 0)
        out = server.weight == 0
        state = MemberState.UP
        if out:
            state = MemberState.DRAINING if open_ else MemberState.DRAINED
        member = Member(
            self.label, server.name, state, open_, server.weight, checked=not out, raw=str(server)
        )
        return Sight(
            member, out=out, idle=open_ == 0, shut=out, accepted=not out, others=others
        )  # fmt: skip

    def _missing(self, name: str, view: View) -> Sight:
        near = difflib.get_close_matches(name, view.servers, 1)
        known = ", ".join(view.servers) or "none"
        hint = f"did you mean {near[0]!r}? " if near else ""
        trouble = TrafficError(
            f"IPVS on {self.label} has no real server {name!r} in {self._config.service}",
            where=self._balancer,
            evidence=f"real servers there: {known}",
            next=f"{hint}set 'server' of the balancer, or see what keepalived took out",
        )
        member = Member(self.label, name, MemberState.MISSING, checked=False, raw=f"not in {known}")
        return Sight(member, out=False, idle=True, shut=False, accepted=False, trouble=trouble)

    def _failed(self, completed: Completed) -> TrafficError:
        late = f"did not end in {self._config.timeout:g} s"
        end = late if completed.timed_out else f"ended with {completed.status}"
        return TrafficError(
            f"{self._config.program} {end} on {self.label}",
            where=self._balancer,
            evidence=completed.evidence() or "(no output)",
            next=f"run it by hand on {self.label}: {' '.join(completed.argv)}",
        )

    def _weight(self, instance: Instance) -> int:
        return self._config.weights.get(machine_of(instance.host), self._config.weight)

    def _server(self, instance: Instance) -> str:
        return fill(self._config.server, instance, self._address)

    def _command(self, *words: str) -> Command:
        return Command((self._config.program, *words), timeout=self._config.timeout)
