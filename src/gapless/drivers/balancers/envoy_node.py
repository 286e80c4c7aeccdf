"""One Envoy on one host: seen on its admin interface, steered by the file it watches.

1. What the file says is never believed: an instance is out when ``/clusters`` says DRAINING, and
   up when it says HEALTHY and nothing failed.
2. Envoy's own counts tell when it is idle: no request in flight or waiting there. Its workers learn
   of a change a moment after the interface shows it, and of one right after another only when
   ``update_merge_window`` is over (1 s). So a count of nothing needs that time behind it, and so
   does an endpoint that is up: until then a worker may know none at all.
3. When too few hosts are healthy Envoy panics and sends to all of them, also to drained ones. An
   instance is not out while that is so, and nothing is taken out that would bring it about.
4. Endpoints that come and go (``dynamic``): Envoy sends nothing to a new one before its check has
   passed. One that goes is UNHEALTHY first: what Envoy believes healthy it keeps though it is not
   in the file any more.
5. A replaced instance is let in only by a check it has passed itself: it stays out while it fails,
   and (``EnvoyBalancer.admit``) for as long as a check of a sick one may take to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from gapless.clock import Clock
from gapless.config.balancer_envoy import EnvoyConfig
from gapless.drivers.balancers import envoy_endpoints
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.envoy_admin import EnvoyAdmin, View
from gapless.drivers.balancers.envoy_endpoints import Endpoints
from gapless.drivers.balancers.envoy_view import Host
from gapless.drivers.balancers.node_file import NodeFile
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.settling import Settling
from gapless.drivers.balancers.sight import Sight, examined
from gapless.drivers.balancers.unknown_member import absent, unknown
from gapless.drivers.balancers.yaml_places import UnreadableError
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

_WORKERS_LEARN = 0.1
_MISSED = 0.5  # seconds; Envoy takes milliseconds to see a file
DRAINING, HEALTHY, UNHEALTHY = "DRAINING", "HEALTHY", "UNHEALTHY"


class EnvoyNode:
    """Reads and orders one endpoint of one cluster. Orders are harmless when they hold already."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: EnvoyConfig,
        transport: Callable[[], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._balancer = balancer
        self._host = NodeHost(balancer, host, transport)
        self._admin = EnvoyAdmin(self._host, config)
        self._file = NodeFile(self._host, config.file, clock, again=_MISSED)
        self._settling = Settling(clock, _WORKERS_LEARN)
        self._telling = Settling(clock, _WORKERS_LEARN)
        self._config = config
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """The instance as Envoy reports it."""
        view = await self._admin.view()
        name = self._name(instance)
        host = view.hosts.get(name)
        if host is None and not self._config.dynamic:
            return self._missing(instance, view.hosts, f"cluster {self._config.cluster!r} of Envoy")
        endpoints = await self._endpoints()
        if host is None:
            return self._absent(name, endpoints, view)
        if name not in endpoints.places and not self._config.dynamic:
            return self._missing(instance, endpoints.places, self._file.path)
        panics = view.panics(host)
        out = host.out and not panics
        merge = view.settings.merge
        settled = self._settling.over(instance, view.life if out else None, merge)
        told = self._telling.over(instance, view.life if host.up else None, merge)
        return Sight(
            member=self._member(host, view, panics=panics),
            out=out,
            idle=settled and host.open == 0,
            shut=host.out or name not in endpoints.places,
            accepted=host.up and told and name in endpoints.places,
            life=view.life,
            others=view.others_up(host),
        )

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances' endpoints get traffic."""
        view = await self._admin.view()
        names = {self._name(instance) for instance in instances} & view.hosts.keys()
        return sum(view.hosts[name].up for name in names)

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the admin interface answers, the file is there, and the endpoints in both."""
        asked = f"cluster {self._config.cluster} at {self._config.admin} and in {self._file.path}"
        try:
            sights = [await self.see(instance) for instance in instances]
        except TrafficError as error:
            return (examined(asked, "", error),)
        missing = [sight.trouble for sight in sights if sight.trouble]
        there = sum(sight.member.state is not MemberState.MISSING for sight in sights)
        count = f"it has {there} of {len(sights)} endpoints"
        count += ", what is missing is added when it is admitted" if self._config.dynamic else ""
        return (examined(asked, count), *(examined(asked, "", trouble) for trouble in missing))

    async def window(self, instance: Instance) -> float:
        """Seconds in which a check would find out that this instance is sick; 0 where it is found
        out already, gets traffic already, or nothing checks it."""
        view = await self._admin.view()
        host = view.hosts.get(self._name(instance))
        if host is None or not host.out or host.failed:
            return 0.0
        return view.settings.window or 0.0

    async def host(self, instance: Instance) -> tuple[str, Host | None]:
        """The process, and the instance's host in it."""
        view = await self._admin.view()
        return view.life, view.hosts.get(self._name(instance))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """DRAINING: no new requests; those in flight end in peace."""
        self._refuse_panic(instance, await self._admin.view())
        endpoints = await self._endpoints()
        if self._name(instance) not in endpoints.places:
            return  # it is going
        new = endpoints.with_status(self._name(instance), DRAINING)
        await self._file.write(endpoints.text, new, fence)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """HEALTHY, once no check of a replaced instance fails: Envoy checks what it drains. One
        that comes is added: Envoy asks its check before it sends anything."""
        if self._name(instance) not in (await self._endpoints()).places:
            await self._add(instance, fence, HEALTHY)
            return
        if fresh:
            _, host = await self.host(instance)
            if host is None or host.failed:
                return
        endpoints = await self._endpoints_with(instance)
        new = endpoints.with_status(self._name(instance), HEALTHY)
        await self._file.write(endpoints.text, new, fence)

    async def add(self, instance: Instance, fence: Fence | None) -> None:
        """An endpoint that is DRAINING from the beginning."""
        if self._name(instance) not in (await self._endpoints()).places:
            await self._add(instance, fence, DRAINING)

    async def _add(self, instance: Instance, fence: Fence | None, status: str) -> None:
        if not self._config.dynamic:
            await self._endpoints_with(instance)
        endpoints, name = await self._endpoints(), self._name(instance)
        try:
            new = endpoints.with_added(name, status)
        except UnreadableError as error:
            raise TrafficError(
                f"{name} cannot be added to {self._file.place}",
                where=self._balancer,
                evidence=str(error),
                next="give the cluster a locality with the list lb_endpoints, which may be empty, "
                "and 'server' in gapless.yaml the form {address}:3001",
            ) from None
        await self._file.write(endpoints.text, new, fence)

    async def remove(self, instance: Instance, fence: Fence | None) -> None:
        """UNHEALTHY, and out of the file when Envoy has seen that."""
        endpoints, name = await self._endpoints(), self._name(instance)
        if name not in endpoints.places:
            return
        _, host = await self.host(instance)
        gone = host is None or host.told == UNHEALTHY
        new = endpoints.without(name) if gone else endpoints.with_status(name, UNHEALTHY)
        await self._file.write(endpoints.text, new, fence)

    async def weigh(self, instance: Instance, weight: int, fence: Fence | None) -> None:
        """``load_balancing_weight`` of its endpoint."""
        if weight == 0:
            raise TrafficError(
                f"Envoy has no weight 0 for {instance}",
                where=self._balancer,
                next=f"gapless drain {instance} takes it out",
            )
        endpoints = await self._endpoints_with(instance)
        new = endpoints.with_weight(self._name(instance), weight)
        await self._file.write(endpoints.text, new, fence)

    async def _endpoints(self) -> Endpoints:
        text = await self._file.read()
        try:
            return envoy_endpoints.parse(text, self._config.cluster)
        except UnreadableError as error:
            raise TrafficError(
                f"{self._file.place} is nonsense: it has no endpoints of {self._config.cluster!r}",
                where=self._balancer,
                evidence=f"{error}\nit begins with\n{text[:300]}",
                next="compare 'file' and 'cluster' in gapless.yaml with Envoy's configuration",
            ) from None

    async def _endpoints_with(self, instance: Instance) -> Endpoints:
        """The same, where this one is among them. Raises TrafficError where it is not."""
        endpoints = await self._endpoints()
        if self._name(instance) not in endpoints.places:
            trouble = self._missing(instance, endpoints.places, self._file.path).trouble
            assert trouble
            raise trouble
        return endpoints

    def _refuse_panic(self, instance: Instance, view: View) -> None:
        host = view.hosts.get(self._name(instance))
        if host is None or not host.up or not view.panics_without(host):
            return
        raise TrafficError(
            f"without {instance} Envoy on {self.label} would panic and send to drained hosts",
            where=self._balancer,
            evidence="\n".join(sorted({str(one) for one in view.hosts.values()})),
            next=f"set common_lb_config: {{healthy_panic_threshold: {{value: 0}}}} in cluster "
            f"{self._config.cluster} (now {view.settings.panic:g} %)",
        )

    def _member(self, host: Host, view: View, *, panics: bool) -> Member:
        checking = view.settings.window is not None
        words = [str(host), *([] if checking else ["no check"]), *(["it panics"] if panics else [])]
        return Member(
            node=self.label,
            name=host.name,
            state=_state(host, panics=panics),
            connections=host.open,
            weight=host.weight,
            checked=checking and not host.failed,
            raw=", ".join(words),
        )

    def _absent(self, name: str, endpoints: Endpoints, view: View) -> Sight:
        """Envoy does not know it, whatever the file says."""
        others = len({host.name for host in view.hosts.values() if host.up})
        if name not in endpoints.places:
            return absent(self._host, name, life=view.life, others=others)
        raw, state = "in the file, and Envoy has not read it", MemberState.UNKNOWN
        return absent(self._host, name, raw=raw, state=state, life=view.life, others=others)

    def _missing(self, instance: Instance, known: Iterable[str], place: str) -> Sight:
        return unknown(self._host, self._name(instance), known, place=place, kind="endpoint")

    def _name(self, instance: Instance) -> str:
        return fill(self._config.server, instance, self._address)


def _state(host: Host, *, panics: bool) -> MemberState:
    if host.out and not panics:
        return MemberState.DRAINING if host.open else MemberState.DRAINED
    return MemberState.UP if host.up or panics else MemberState.DOWN
