"""One HAProxy process, spoken to through the transport of the host it runs on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection

from gapless.config.balancers import HaproxyConfig
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.haproxy_view import NonsenseError, Server, View, parse, questions
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer, Sight, examined
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

# A name goes into a line in which ";" begins the next command.
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


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
        answer = await self._say(questions(_name(self._config.backend)))
        try:
            return parse(answer)
        except NonsenseError:
            raise self._refused(answer) from None

    async def see(self, instance: Instance) -> Sight:
        """The instance as this process reports it."""
        view = await self.view()
        name = self._server(instance)
        server = view.servers.get(name)
        if server is None:
            return self._missing(name, view)
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
        names = {self._server(instance) for instance in instances}
        return sum(servers[name].serving for name in names & servers.keys())

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the socket answers and backend and servers are there."""
        asked = f"show stat {self._config.backend} on {self._config.socket}"
        try:
            view = await self.view()
            names = [self._server(instance) for instance in instances]
        except TrafficError as error:
            return (examined(asked, "", error),)
        missing = [self._missing(name, view).trouble for name in names if name not in view.servers]
        count = f"it has {len(names) - len(missing)} of {len(names)} servers"
        return (examined(asked, count), *(examined(asked, "", trouble) for trouble in missing))

    async def server(self, instance: Instance) -> Server | None:
        """The instance's server line, None when there is none."""
        return (await self.view()).servers.get(self._server(instance))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """No new requests; those in flight end in peace."""
        await self._order(f"set server {self._path(instance)} state drain", fence)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """New requests again, with ``fresh`` only after a check that passes from now on.

        ``state ready`` alone is optimistic: out of maintenance the server is UP before any check,
        and after a restart quicker than ``fall`` checks the last check it shows is one of the old
        copy. "Stopping" lets the next passed check, and nothing else, bring it up; a server that
        is DOWN already waits for its ``rise`` checks and is left to them.
        """
        path = self._path(instance)
        server = await self.server(instance)
        orders = [f"set server {path} state ready"]
        if fresh and server and server.checking and (server.maint or not server.stopped):
            orders.insert(0, f"set server {path} health stopping")
            if server.maint:  # leaving it resets the health, so leave it first, towards drain
                orders.insert(0, f"set server {path} state drain")
        await self._order(";".join(orders), fence)

    async def cut(self, instance: Instance, fence: Fence | None) -> None:
        """Close the connections that are left."""
        await self._order(f"shutdown sessions server {self._path(instance)}", fence)

    async def _order(self, line: str, fence: Fence | None) -> None:
        answer = await self._say(line, fence)
        if answer.strip():  # silence is consent
            raise self._refused(answer)

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

    def _refused(self, answer: str) -> TrafficError:
        """The error in an answer that is not the one wanted."""
        backend = self._config.backend
        what, hint = f"HAProxy on {self.label} answers nonsense", "is this its admin socket?"
        if "Permission denied" in answer:
            what = f"HAProxy on {self.label} does not allow orders on {self._config.socket}"
            hint = "give the socket 'level admin' in haproxy.cfg"
        elif "No such proxy" in answer or "find backend" in answer or "No such backend" in answer:
            what = f"HAProxy on {self.label} has no backend {backend!r}"
            hint = "compare 'backend' in gapless.yaml with haproxy.cfg"
        elif "No such server" in answer:
            what = f"HAProxy on {self.label} lost the server"
            hint = f"look at backend {backend!r} in haproxy.cfg"
        return TrafficError(
            what, where=self._balancer, evidence=answer.strip()[:500] or "(empty)", next=hint
        )

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
        return _name(fill(self._config.server, instance, self._address))

    def _path(self, instance: Instance) -> str:
        return f"{_name(self._config.backend)}/{self._server(instance)}"


def _state(server: Server) -> MemberState:
    if server.out:
        return MemberState.DRAINED if server.idle else MemberState.DRAINING
    return MemberState.UP if server.up else MemberState.DOWN


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise TrafficError(
            f"{text!r} cannot be a name in HAProxy",
            next="letters, digits and _ . : - are allowed in 'backend' and 'server'",
        )
    return text
