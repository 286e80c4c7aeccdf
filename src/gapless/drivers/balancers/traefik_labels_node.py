"""The Traefik of one host that finds containers by their labels, steered by their cords.

1. A container is out when its cord is cut, the engine says that it is unhealthy, and Traefik's API
   does not list it any more; it is in when the API lists it, and no check of Traefik's own says
   that it is down. The API is asked until that is so: how long Traefik takes is its own affair.
2. Nothing is counted. What was in flight when the API listed it last gets ``settle`` to end.
3. Without an API the health that the engine reports is all that is known, and ``settle`` comes on
   top of it both ways: Traefik learns of a change some time after the engine.
4. What has no container gets nothing; its member comes and goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from gapless.clock import Clock
from gapless.config.balancer_traefik_labels import TraefikLabelsConfig
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.corded import Corded, Engine, moved, uncorded
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.settling import Settling
from gapless.drivers.balancers.sight import Sight, examined
from gapless.drivers.balancers.traefik_api import TraefikApi, View
from gapless.drivers.balancers.unknown_member import absent
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

_CAUTION = (
    "its container has no cord yet: Traefik learns of its end only afterwards, and clients may get"
    " errors until then, this once"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """What Traefik's API says of one server. ``there``: it lists it; ``down``: its own check of it
    fails; ``others``: how many others get traffic, None where there is no API."""

    there: bool
    down: bool = False
    others: int | None = None
    life: str = ""
    words: str = ""


class TraefikLabelsNode:
    """Reads and orders the containers of one host."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: TraefikLabelsConfig,
        transport: Callable[[], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._balancer = balancer
        self._host = NodeHost(balancer, host, transport)
        self._engine = Engine(self._host, config.socket)
        self._service = f"{config.service}@docker"
        api = config.api
        self._api = TraefikApi(self._host, api, self._service, clock) if api else None
        self._config = config
        self._address = address
        self._going, self._coming = Settling(clock, config.settle), Settling(clock, config.settle)

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """The instance as engine and API have it. Where another copy has its address now, it is
        elsewhere, and nothing can be ordered."""
        one = await self._at(instance)
        if one is not None and not one.is_of(instance):
            elsewhere = absent(self._host, self._url(instance), raw=f"at its address: {one}")
            return replace(elsewhere, trouble=moved(self._balancer, one, instance))
        listed = await self._listed(instance, one)
        if one is None and not listed.there:
            raw = "no container that runs"
            return absent(
                self._host, self._url(instance), raw=raw, life=listed.life, others=listed.others
            )
        gone = one is None or one.out
        out = gone and not (listed.there and self._api)
        idle = self._going.over(instance, listed.life or "out" if out else None)
        up = listed.there and not listed.down
        told = self._coming.over(instance, "in" if up and not self._api else None)
        return Sight(
            member=self._member(instance, one, listed, out=out, idle=idle),
            out=out,
            idle=idle,
            shut=not up,
            # Traefik may list for a moment more what the engine does not find healthy any more
            accepted=up and told and one is not None and one.health in ("healthy", ""),
            counted=False,
            life=listed.life,
            others=listed.others,
        )

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of them get traffic."""
        sights = [await self.see(instance) for instance in instances]
        return sum(sight.member.state is MemberState.UP for sight in sights)

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the engine and the API answer, and which containers have a cord."""
        asked = f"containers of {self._config.socket}"
        asked += f" and {self._service} at {self._config.api}" if self._api else ""
        try:
            seen = [await self._container(instance) for instance in instances]
            for instance, one in zip(instances, seen, strict=True):
                await self._listed(instance, one)
        except TrafficError as error:
            return (examined(asked, "", error),)
        corded = sum(one is not None and one.cord for one in seen)
        return (
            examined(asked, f"{corded} of {len(seen)} have a cord; others get one by a deploy"),
        )

    async def corded(self, instance: Instance) -> bool:
        """Whether anything can be done about its traffic: what is not there needs nothing done."""
        one = await self._at(instance)
        return one is None or one.cord or not one.is_of(instance)

    async def forgotten(self, instance: Instance) -> bool:
        """Whether nothing is sent to a container that has ended, or to one that is out. Raises
        TrafficError for one that runs and is in."""
        sight = await self.see(instance)
        if sight.out or sight.trouble is not None:
            return True
        if await self._container(instance) is None:
            return False
        raise TrafficError(
            f"{instance} is in traffic: it cannot be removed",
            where=self._balancer,
            evidence=str(sight),
            next=f"gapless drain {instance}",
        )

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Its cord is cut."""
        await self._pull(instance, fence, whole=False)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Its cord is whole. One that has none is in by itself."""
        await self._pull(instance, fence, whole=True)

    async def _pull(self, instance: Instance, fence: Fence | None, *, whole: bool) -> None:
        one = await self._container(instance)
        if one is None:
            return
        if one.cord:
            await self._engine.pull(one, fence, whole=whole)
        elif not whole:
            raise uncorded(self._balancer, one)

    async def _container(self, instance: Instance) -> Corded | None:
        """An engine that was started anew gives containers other addresses, perhaps those of each
        other: what is another copy by its labels is not touched. Raises TrafficError."""
        one = await self._at(instance)
        if one is not None and not one.is_of(instance):
            raise moved(self._balancer, one, instance)
        return one

    async def _at(self, instance: Instance) -> Corded | None:
        return await self._engine.at(instance.address) if instance.address else None

    async def _listed(self, instance: Instance, one: Corded | None) -> Listed:
        if self._api is None:
            healthy = one is not None and one.health in ("healthy", "")
            return Listed(healthy, words="no API to ask")
        found = await self._api.found()
        if not isinstance(found, View):
            return Listed(there=False, others=0, words=found.what)
        servers, url = found.service.servers, self._url(instance)
        server = servers.get(url) if instance.address else None
        others = sum(other.status != "DOWN" for other in servers.values() if other is not server)
        words = str(server) if server else f"not among {', '.join(servers) or 'none'}"
        down = server is not None and server.status == "DOWN"
        return Listed(server is not None, down, others, found.life, words)

    def _member(
        self, instance: Instance, one: Corded | None, listed: Listed, *, out: bool, idle: bool
    ) -> Member:
        return Member(
            node=self.label,
            name=self._url(instance),
            state=_state(listed, out=out, idle=idle),
            checked=one is not None and one.health == "healthy",
            raw=f"{one or 'its container has ended'}; {listed.words}",
            caution="" if one is None or one.cord else _CAUTION,
        )

    def _url(self, instance: Instance) -> str:
        return fill(self._config.server, instance, self._address)


def _state(listed: Listed, *, out: bool, idle: bool) -> MemberState:
    if out:
        return MemberState.DRAINED if idle else MemberState.DRAINING
    return MemberState.UP if listed.there and not listed.down else MemberState.DOWN
