"""One nginx on one host: seen by its workers, steered by the file it includes.

1. A look brings the file and the ages of the workers, taken under the lock of every transition.
2. A server is out when its line says ``down`` *and* every worker that takes connections has read
   that. It is idle when no worker from before is left: those may still hold connections to it.
3. An order writes the file, has it tested, reloads once, and ends when the workers have changed.
   What holds already is not ordered: a server whose line is right costs no second reload.
4. A file that somebody else changes at the same moment is looked at and ordered again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from gapless.config.balancer_nginx import NginxConfig
from gapless.drivers.balancers import marked_servers, nginx_scripts, nginx_view
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.marked_servers import MarkedServers
from gapless.drivers.balancers.nginx_view import View
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.node_orders import NodeOrders
from gapless.drivers.balancers.sight import NoAnswer, Sight, examined
from gapless.drivers.balancers.steered_file import CHANGED, REFUSED
from gapless.drivers.balancers.unknown_member import absent, unknown
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Command, Completed, Fence, Instance, Verdict

_ADDRESS = re.compile(r"[^\s;#{}'\"]+")


class NginxNode:
    """Reads and orders one server line of one marked upstream."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: NginxConfig,
        transport: Callable[[], Transport],
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._balancer = balancer
        self._host = NodeHost(balancer, host, transport)
        self._orders = NodeOrders(self._host)
        self._config = config
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """The instance as file and workers show it."""
        view = await self._view()
        marked = self._marked(view)
        name = self._server(instance)
        line = marked.servers.get(name)
        if line is None:
            return self._absent(name, marked, view)
        idle = line.down and view.loaded and not view.leaving
        raw = f"server {name}{' down' if line.down else ''}; {view}"
        up = view.loaded and not line.down
        state = _state(view, out=line.down)
        return Sight(
            member=Member(self.label, name, state, checked=up, raw=raw),
            out=line.down and view.loaded,
            idle=idle,
            shut=not up,
            accepted=up,
            counted=False,
            life=view.life,
            others=sum(not line.down for key, line in marked.servers.items() if key != name),
        )

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances' servers get traffic."""
        view = await self._view()
        servers = self._marked(view).servers
        names = {self._server(instance) for instance in instances} & servers.keys()
        return sum(view.loaded and not servers[name].down for name in names)

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether nginx runs, its configuration passes its test, and the servers are marked."""
        return (await self._test(), *await self._servers(instances))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """``down`` in its line, and a reload."""
        await self._order("drain", instance, fence, MarkedServers.with_down)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """No ``down`` in its line, and a reload. Where servers come and go it is added first."""
        await self._order("admit", instance, fence, self._up)

    def _up(self, marked: MarkedServers, name: str) -> str:
        if name in marked.servers or not self._config.dynamic:
            return marked.with_up(name)
        return marked.with_added(name, down=False)

    async def add(self, instance: Instance, fence: Fence | None) -> None:
        """A line with ``down``, and a reload."""
        await self._order("add", instance, fence, lambda m, name: m.with_added(name, down=True))

    async def remove(self, instance: Instance, fence: Fence | None) -> None:
        """No line, and a reload."""
        await self._order("remove", instance, fence, MarkedServers.without)

    async def _order(
        self,
        verb: str,
        instance: Instance,
        fence: Fence | None,
        change: Callable[[MarkedServers, str], str],
    ) -> None:
        view = await self._view()
        wanted = change(self._marked(view), self._server(instance))
        content = wanted.encode(errors="surrogateescape")
        if content == view.content and view.loaded:
            return
        command = nginx_scripts.change(self._config, view.content, content)
        completed = await self._orders.order(verb, command, instance, fence)
        if not completed.ok and completed.status != CHANGED:
            raise self._failed(completed)

    async def _view(self) -> View:
        command = nginx_scripts.look(self._config)
        completed = await self._orders.ask(command)
        if not completed.ok:
            raise self._silent(completed)
        try:
            return nginx_view.parse(completed.stdout)
        except nginx_view.RubbishError:
            raise TrafficError(
                f"the look at nginx on {self.label} brought nonsense",
                where=self._balancer,
                evidence=completed.stdout.strip()[:500] or "(nothing)",
                next="see that sh, flock, awk and the GNU core utilities are what runs there",
            ) from None

    def _marked(self, view: View) -> MarkedServers:
        name, path = self._config.upstream, self._config.include
        try:
            return marked_servers.parse(view.text, name)
        except marked_servers.UnmarkedError as error:
            what = f"{path} on {self.label} is nonsense: it has no servers marked {name!r}"
            evidence = f"{error}; it begins with\n{view.text[:300]}"
            hint = f"put '# gapless begin {name}' and '# gapless end {name}' around its servers"
        except marked_servers.NonsenseError as error:
            what = f"there is nonsense between the marks {name!r} in {path} on {self.label}"
            evidence, hint = str(error), "only server lines and comments belong there"
        raise TrafficError(what, where=self._balancer, evidence=evidence, next=hint)

    async def _test(self) -> Verdict:
        command = Command(self._config.test)
        try:
            completed = await self._orders.ask(command)
        except TrafficError as error:
            return examined(str(command), "", error)
        if completed.ok:
            return examined(str(command), "nginx accepts its configuration")
        completed_why = completed.evidence() or f"it ended with {completed.status}"
        hint = f"correct it on {self.label}: nothing can be reloaded before"
        what = f"nginx on {self.label} refuses its configuration"
        return examined(str(command), "", TrafficError(what, evidence=completed_why, next=hint))

    async def _servers(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        asked = f"servers marked {self._config.upstream} in {self._config.include}"
        try:
            sights = [await self.see(instance) for instance in instances]
        except TrafficError as error:
            return (examined(asked, "", error),)
        missing = [sight.trouble for sight in sights if sight.trouble]
        there = sum(sight.member.state is not MemberState.MISSING for sight in sights)
        count = f"it has {there} of {len(sights)} servers"
        count += ", what is missing is added when it is admitted" if self._config.dynamic else ""
        return (examined(asked, count), *(examined(asked, "", trouble) for trouble in missing))

    def _silent(self, completed: Completed) -> NoAnswer:
        running = completed.status != nginx_scripts.NOT_RUNNING
        what = "could not be looked at" if running else "does not run"
        return NoAnswer(
            f"nginx on {self.label} {what}",
            where=self._balancer,
            evidence=completed.evidence() or f"the look ended with {completed.status}",
            next=f"see that nginx runs there, with {self._config.pid} and {self._config.include}",
        )

    def _failed(self, completed: Completed) -> TrafficError:
        config = self._config
        what, hint = {
            REFUSED: (
                f"nginx on {self.label} refuses its configuration; {config.include} was put back",
                f"run it on {self.label}: {Command(config.test)}",
            ),
            nginx_scripts.NOT_RELOADED: (
                f"nginx on {self.label} could not be told to reload",
                f"run it on {self.label}: {Command(config.reload)}",
            ),
            nginx_scripts.NOT_SETTLED: (
                f"nginx on {self.label} was told to reload and kept its old workers",
                f"look into the error log of nginx on {self.label}",
            ),
        }.get(
            completed.status,
            (
                f"{config.include} on {self.label} could not be changed",
                f"see that flock, sha256sum and sync are on {self.label}",
            ),
        )
        late = "it did not end in time" if completed.timed_out else f"status {completed.status}"
        evidence = completed.evidence() or late
        return TrafficError(what, where=self._balancer, evidence=evidence, next=hint)

    def _absent(self, name: str, marked: MarkedServers, view: View) -> Sight:
        if self._config.dynamic:
            others = sum(not line.down for line in marked.servers.values())
            return absent(self._host, name, life=view.life, others=others)
        place = f"upstream {self._config.upstream!r} in {self._config.include}"
        return unknown(self._host, name, marked.servers, place=place, kind="server")

    def _server(self, instance: Instance) -> str:
        name = fill(self._config.server, instance, self._address)
        if _ADDRESS.fullmatch(name):
            return name
        raise TrafficError(
            f"{name!r} cannot be the address of a server in nginx",
            where=self._balancer,
            next="set 'server' of the balancer in gapless.yaml, such as {address}:3001",
        )


def _state(view: View, *, out: bool) -> MemberState:
    """Of a file nobody has loaded nothing is said: the old workers may have it or not."""
    if not view.loaded:
        return MemberState.UNKNOWN
    if not out:
        return MemberState.UP
    return MemberState.DRAINING if view.leaving else MemberState.DRAINED
