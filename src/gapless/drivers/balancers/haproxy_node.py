"""One HAProxy process, spoken to through the transport of the host it runs on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection

from gapless.config.balancer_haproxy import HaproxyConfig
from gapless.drivers.balancers import haproxy_names as names
from gapless.drivers.balancers import haproxy_orders as orders
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.haproxy_refusals import refused
from gapless.drivers.balancers.haproxy_view import NonsenseError, Server, View, parse, questions
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer, Sight, examined
from gapless.drivers.balancers.unknown_member import absent
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict


class HaproxyNode:
    """Reads and orders one server of one backend. Orders are harmless when they hold already."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: HaproxyConfig,
        transport: Callable[[], Transport],
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._balancer = balancer
        self._host = NodeHost(balancer, host, transport)
        self._config = config
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def view(self) -> View:
        """The whole backend as this process sees it."""
        answer = await self._say(questions(names.name(self._config.backend)))
        try:
            return parse(answer)
        except NonsenseError:
            raise refused(answer, self._balancer, self.label, self._config) from None

    async def see(self, instance: Instance) -> Sight:
        """The instance as this process reports it."""
        view = await self.view()
        name = self._server(instance)
        server = view.servers.get(name)
        if server is None:
            lost = self._config.dynamic is not None
            return self._lost(name, view) if lost else self._missing(name, view)
        return Sight(
            member=self._member(server),
            out=server.out,
            idle=server.idle,
            shut=server.out,
            accepted=server.serving,
            life=view.life,
            others=sum(s.serving for s in view.servers.values() if s.name != name),
        )

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances' servers are up, and not only optimistically."""
        servers = (await self.view()).servers
        wanted = {self._server(instance) for instance in instances}
        return sum(servers[name].serving for name in wanted & servers.keys())

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the socket answers and backend and servers are there."""
        asked = f"show stat {self._config.backend} on {self._config.socket}"
        try:
            view = await self.view()
            wanted = [self._server(instance) for instance in instances]
        except TrafficError as error:
            return (examined(asked, "", error),)
        missing = [self._missing(name, view).trouble for name in wanted if name not in view.servers]
        count = f"it has {len(wanted) - len(missing)} of {len(wanted)} servers"
        if self._config.dynamic is not None:
            return (examined(asked, f"{count}, what is missing is added when it is admitted"),)
        return (examined(asked, count), *(examined(asked, "", trouble) for trouble in missing))

    async def server(self, instance: Instance) -> Server | None:
        """The instance's server line, None when there is none."""
        return (await self.counted(instance))[0]

    async def counted(self, instance: Instance) -> tuple[Server | None, str]:
        """The same with the process that counts it: another one began at 0."""
        view = await self.view()
        return view.servers.get(self._server(instance)), view.life

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """No new requests; those in flight end in peace."""
        await self._order(orders.out(self._path(instance)), fence)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """New requests again, with ``fresh`` only after a check that passes from now on. A dynamic
        server that is not there, or not any more, is added first."""
        if await self.server(instance) is None:
            await self.add(instance, fence)
        server = await self.server(instance)
        await self._order(orders.back_in(self._path(instance), server, fresh=fresh), fence)

    async def cut(self, instance: Instance, fence: Fence | None) -> None:
        """Close the connections that are left."""
        await self._order(orders.cut(self._path(instance)), fence)

    async def weigh(self, instance: Instance, weight: int, fence: Fence | None) -> None:
        """Give it this weight, in or out of traffic."""
        await self._order(orders.weighed(self._path(instance), weight), fence)

    async def add(self, instance: Instance, fence: Fence | None) -> None:
        """A server of the instance, out of traffic, where there is none."""
        if self._config.dynamic is None:
            raise self._missing(self._server(instance), await self.view()).trouble or AssertionError
        where = names.address(fill(self._config.dynamic.address, instance, self._address))
        lines = orders.added(self._path(instance), where, self._config.dynamic.options)
        for line in lines:
            await self._order(line, fence, but=orders.EXISTS)

    async def remove(self, instance: Instance, fence: Fence | None) -> None:
        """Its server is gone; refused while it is in traffic or has connections."""
        for line in orders.removed(self._path(instance)):
            await self._order(line, fence)

    async def _order(self, line: str, fence: Fence | None, *, but: str = "\0") -> None:
        """``but`` is what an answer may begin with besides consent."""
        answer = (await self._say(line, fence)).strip()
        if not set(answer.splitlines()) <= orders.CONSENT | {""} and not answer.startswith(but):
            raise refused(answer, self._balancer, self.label, self._config)

    async def _say(self, line: str, fence: Fence | None = None) -> str:
        socket, data = self._config.socket, f"{line}\n".encode()
        answer = await self._host.talk(  # everything we say may be said twice
            lambda transport: transport.exchange(socket, data, fence=fence),
            what=f"HAProxy on {self.label} does not answer",
            hint=f"see that haproxy runs there and listens on {socket}",
        )
        if not answer:  # even consent is an empty line
            raise NoAnswer(
                f"HAProxy on {self.label} closed without an answer",
                where=self._balancer,
                evidence=f"{line} → nothing",
            )
        return answer.decode(errors="replace")

    def _missing(self, name: str, view: View) -> Sight:
        near = difflib.get_close_matches(name, view.servers, 1)
        known = ", ".join(view.servers) or "none"
        hint = f"did you mean {near[0]!r}? " if near else ""
        trouble = TrafficError(
            f"HAProxy on {self.label} has no server {name!r} in backend {self._config.backend!r}",
            where=self._balancer,
            evidence=f"servers there: {known}",
            next=f"{hint}set 'server' of the balancer in gapless.yaml".strip(),
        )
        member = Member(self.label, name, MemberState.MISSING, checked=False, raw=f"not in {known}")
        return Sight(member, out=False, idle=True, shut=False, accepted=False, trouble=trouble)

    def _lost(self, name: str, view: View) -> Sight:
        raw = "not there: a dynamic server that was not added, or was lost in a reload"
        others = sum(server.serving for server in view.servers.values())
        return absent(self._host, name, raw=raw, life=view.life, others=others)

    def _member(self, server: Server) -> Member:
        return Member(
            node=self.label,
            name=server.name,
            state=_state(server),
            connections=server.sessions + server.queued,
            weight=server.weight,
            checked=server.checking and server.passed,
            raw=str(server),
        )

    def _server(self, instance: Instance) -> str:
        return names.name(fill(self._config.server, instance, self._address))

    def _path(self, instance: Instance) -> str:
        return f"{names.name(self._config.backend)}/{self._server(instance)}"


def _state(server: Server) -> MemberState:
    if server.out:
        return MemberState.DRAINED if server.idle else MemberState.DRAINING
    return MemberState.UP if server.up else MemberState.DOWN
