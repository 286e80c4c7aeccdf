"""One Traefik on one host: seen on its API, steered by a file of its file provider.

1. What the file says is never believed: Traefik reads it when it likes (2 s later, see
   ``providersThrottleDuration``), and not at all when anything in it is wrong. An instance is out
   when the API shows it with a weight that is not above 0, and up when it shows it with one and its
   check has passed.
2. Nothing is counted, so a drain ends when requests had ``settle`` to end.
3. Every change makes Traefik forget the health of all servers of the service: they are UP until
   their next check. One that was DOWN before our change is not believed until that is over, and in
   a process that has just begun none is.
4. Traefik goes on checking what is out. A replaced instance is let in only while such a check
   passes, and (``OfCheckedNodes.admit``) after the time in which one would have failed. To be let
   in is a change as well, so its UP is believed when a check has been made since.
5. Servers that come and go (``dynamic``): one that comes is not in the file before it has passed
   Traefik's own check, asked from Traefik's host. So no time has to pass before it is let in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from gapless.clock import Clock
from gapless.config.balancer_traefik import TraefikConfig
from gapless.drivers.balancers import traefik_servers
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.node_file import NodeFile
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.settling import Settling
from gapless.drivers.balancers.sight import Sight, examined
from gapless.drivers.balancers.traefik_api import TraefikApi, View
from gapless.drivers.balancers.traefik_check import probe
from gapless.drivers.balancers.traefik_servers import Servers
from gapless.drivers.balancers.traefik_view import Server
from gapless.drivers.balancers.unknown_member import ADDED, absent, unknown
from gapless.drivers.balancers.yaml_places import UnreadableError
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

_SLACK = 0.5  # seconds by which a check may be late
_MISSED = 5.0  # seconds; Traefik takes 2 s to see a file, unless it is told to take longer


class TraefikNode:
    """Reads and orders one server of one service. Orders are harmless when they hold already."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: TraefikConfig,
        transport: Callable[[], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._balancer = balancer
        self._host = NodeHost(balancer, host, transport)
        self._api = TraefikApi(self._host, config.api, f"{config.service}@file", clock)
        self._file = NodeFile(self._host, config.file, clock, again=_MISSED)
        self._settling = Settling(clock, config.settle)
        self._clock = clock
        self._doubted: dict[str, float] = {}
        self._refused: dict[str, str] = {}
        self._config = config
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """The instance as Traefik reports it."""
        view = await self._api.view()
        servers, url = view.service.servers, self._url(instance)
        server = servers.get(url)
        if server is None and self._config.dynamic:
            return await self._absent(url, view)
        if server is None:
            return self._missing(url, servers, f"Traefik's service {self._config.service!r}")
        up = self._up(server, view)
        settled = self._settling.over(instance, view.life if server.out else None)
        return Sight(
            member=self._member(server, view, settled=settled),
            out=server.out,
            idle=settled,
            shut=server.out,
            accepted=up,
            counted=False,
            settles=self._settling.left(instance),
            life=view.life,
            others=sum(self._up(one, view) for one in servers.values() if one.url != url),
            trouble=self._heedless(view),
        )

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances' servers get traffic, and rightly so."""
        view = await self._api.view()
        urls = {self._url(instance) for instance in instances} & view.service.servers.keys()
        return sum(self._up(view.service.servers[url], view) for url in urls)

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the API answers, the file is there, and the servers in both."""
        asked = f"service {self._config.service} at {self._config.api} and in {self._file.path}"
        try:
            known = (await self._servers()).places
            sights = [await self.see(instance) for instance in instances]
        except TrafficError as error:
            return (examined(asked, "", error),)
        dynamic = self._config.dynamic
        unwritten = [self._url(one) for one in instances if self._url(one) not in known]
        unwritten = [] if dynamic else unwritten
        sights += [self._missing(url, known, self._file.path) for url in unwritten]
        trouble = {str(sight.trouble): sight.trouble for sight in sights if sight.trouble}
        if not trouble:
            there = sum(sight.member.state is not MemberState.MISSING for sight in sights)
            count = f"it has {there} of {len(sights)} servers"
            more = ", what is missing is added when it is admitted" if dynamic else ""
            return (examined(asked, count + more),)
        return tuple(examined(asked, "", error) for error in trouble.values())

    async def window(self, instance: Instance) -> float:
        """See ``CheckedNode.window``."""
        view = await self._api.view()
        server = view.service.servers.get(self._url(instance))
        if server is None or server.status == "DOWN":
            return 0.0
        return _trial(server, view)

    async def trial(self, instance: Instance) -> float:
        """Seconds until its UP is the word of a check, once it is let in; 0 where it is in."""
        view = await self._api.view()
        server = view.service.servers.get(self._url(instance))
        if server is not None:
            return _trial(server, view)
        asked = probe(view.service, self._url(instance)) is not None
        return 0.0 if asked or view.service.window is None else view.service.window + _SLACK

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """A weight below 0: no new requests; those in flight end in peace."""
        await self._write(instance, fence, self._out)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Its weight, once no check of a replaced instance fails."""
        if fresh:
            view = await self._api.view()
            server = view.service.servers.get(self._url(instance))
            if server is None and self._config.dynamic:
                await self._put_new_in(instance, view, fence)
                return
            if server is None or server.status == "DOWN" or view.young:
                return
        await self._write(instance, fence, self._in)

    async def _put_new_in(self, instance: Instance, view: View, fence: Fence | None) -> None:
        """Once it passes the check that Traefik will ask; it is asked again until the limit."""
        url = self._url(instance)
        question = probe(view.service, url)
        if question is not None:
            (verdict,) = await self._host.talk(
                lambda transport: transport.ask([question], passes=1, every=0.1, within=0),
                what=f"servers cannot be checked from {self.label}",
                hint="gapless doctor",
            )
            if not verdict.passed:
                self._refused[url] = f"{verdict.asked}: {verdict.answer}"
                return
        self._refused.pop(url, None)
        await self._write(instance, fence, self._in)

    def _out(self, servers: Servers, url: str) -> str:
        gone = url not in servers.places and self._config.dynamic
        return servers.text if gone else servers.with_out(url)

    def _in(self, servers: Servers, url: str) -> str:
        if url in servers.places or not self._config.dynamic:
            return servers.with_in(url)
        return servers.with_added(url, 1)

    async def add(self, instance: Instance, fence: Fence | None) -> None:
        """A server with a weight below 0."""
        await self._write(instance, fence, lambda servers, url: servers.with_added(url, -1))

    async def remove(self, instance: Instance, fence: Fence | None) -> None:
        """Not in the file any more."""
        await self._write(instance, fence, Servers.without)

    async def weigh(self, instance: Instance, weight: int, fence: Fence | None) -> None:
        """Its weight, in or out."""
        if weight == 0:
            raise TrafficError(
                f"Traefik has no weight 0 for {instance}",
                where=self._balancer,
                next=f"gapless drain {instance} takes it out",
            )
        await self._write(instance, fence, lambda servers, url: self._weighed(servers, url, weight))

    def _weighed(self, servers: Servers, url: str, weight: int) -> str:
        if url not in servers.places:
            raise self._strange(url, servers)
        return servers.with_weight(url, weight)

    async def _write(
        self,
        instance: Instance,
        fence: Fence | None,
        change: Callable[[Servers, str], str],
    ) -> None:
        view = await self._api.view()
        servers = await self._servers()
        url = self._url(instance)
        if url not in servers.places and not self._config.dynamic:
            raise self._strange(url, servers)
        try:
            new = change(servers, url)
        except UnreadableError as error:
            raise self._unreadable(servers.text, error) from None
        await self._file.write(servers.text, new, fence)
        until = self._clock.monotonic() + _MISSED + (view.service.window or 0.0)
        down = [one.url for one in view.service.servers.values() if one.status == "DOWN"]
        self._doubted |= dict.fromkeys(down, until)

    async def _servers(self) -> Servers:
        text = await self._file.read()
        try:
            return traefik_servers.parse(text, self._config.service)
        except UnreadableError as error:
            raise self._unreadable(text, error) from None

    def _up(self, server: Server, view: View) -> bool:
        """Whether it gets traffic, and no check contradicts or is still due."""
        doubted = self._clock.monotonic() < self._doubted.get(server.url, 0.0)
        told = not server.out or not view.service.heeds_weights
        return told and server.status != "DOWN" and not doubted and not view.young

    def _member(self, server: Server, view: View, *, settled: bool) -> Member:
        checking = view.service.window is not None
        words = [str(server), *([] if checking else ["no check"])]
        words += ["just started, no check has been made"] if view.young else []
        words += [view.service.wrong] if view.service.wrong else []
        return Member(
            node=self.label,
            name=server.url,
            state=self._state(server, view, settled=settled),
            weight=abs(server.weight),
            checked=checking and server.status == "UP" and not view.young,
            raw=", ".join(words),
        )

    def _state(self, server: Server, view: View, *, settled: bool) -> MemberState:
        if server.out and view.service.heeds_weights:
            return MemberState.DRAINED if settled else MemberState.DRAINING
        if self._up(server, view):
            return MemberState.UP
        return MemberState.UNKNOWN if view.young else MemberState.DOWN

    def _heedless(self, view: View) -> TrafficError | None:
        if view.service.heeds_weights:
            return None
        name, strategy = self._config.service, view.service.strategy
        return TrafficError(
            f"nothing can be taken out of service {name!r} of Traefik on {self.label}",
            where=self._balancer,
            evidence=f"its strategy {strategy} sends to a server whatever its weight is",
            next="choose strategy wrr, hrw or leasttime for it",
        )

    def _unreadable(self, text: str, error: UnreadableError) -> TrafficError:
        return TrafficError(
            f"{self._file.place} is nonsense: it has no servers of {self._config.service!r}",
            where=self._balancer,
            evidence=f"{error}\nit begins with\n{text[:300]}",
            next="compare 'file' and 'service' in gapless.yaml with Traefik's configuration",
        )

    async def _absent(self, url: str, view: View) -> Sight:
        """Traefik does not know it, whatever the file says."""
        others = sum(self._up(one, view) for one in view.service.servers.values())
        if url in (await self._servers()).places:
            raw, state = "in the file, and Traefik has not read it", MemberState.UNKNOWN
            return absent(self._host, url, raw=raw, state=state, life=view.life, others=others)
        raw = ", ".join(filter(None, (ADDED, self._refused.get(url, ""))))
        return absent(self._host, url, raw=raw, life=view.life, others=others)

    def _missing(self, url: str, known: Iterable[str], place: str) -> Sight:
        return unknown(self._host, url, known, place=place, kind="server")

    def _strange(self, url: str, servers: Servers) -> TrafficError:
        """It is not in the file."""
        trouble = self._missing(url, servers.places, self._file.path).trouble
        assert trouble
        return trouble

    def _url(self, instance: Instance) -> str:
        return fill(self._config.server, instance, self._address)


def _trial(server: Server, view: View) -> float:
    if not server.out or view.service.window is None:
        return 0.0
    return view.service.window + _SLACK
