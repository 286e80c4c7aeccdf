"""One Consul agent, spoken to by its HTTP API through the transport of the host it runs on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import quote, urlencode

from gapless.clock import Clock
from gapless.config.balancer_consul import ConsulConfig
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.consul_view import Entry, NonsenseError, entries, known, node_name
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.settling import Settling
from gapless.drivers.balancers.sight import NoAnswer, Sight, examined, together
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

_RIGHTS = "set 'token' of the balancer: it needs agent:read, node:read and service:write"


class ConsulNode:
    """Puts services of one agent into maintenance and back; reports what Consul tells clients."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: ConsulConfig,
        transport: Callable[[], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._host = NodeHost(balancer, host, transport)
        self._config = config
        self._api = HttpApi(
            self._host,
            config.api,
            product="Consul's agent",
            hint=f"see that consul runs there and its HTTP API listens on {config.api}",
            tls=config.tls,
            secrets={"X-Consul-Token": config.token} if config.token else {},
            timeout=config.timeout,
        )
        self._settling = Settling(clock, config.settle)
        self._address = address
        self._own = ""

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """The instance as Consul tells its clients of it."""
        found = await self._entries(instance)
        entry = await self._entry(instance, found)
        if entry is None:
            return self._missing(instance, found)
        out = entry.out is not None
        idle = self._settling.over(instance, entry.out and entry.out.index) and out
        member = Member(
            node=self.label,
            name=entry.id,
            state=_state(entry, idle=idle),
            checked=entry.up and entry.status == "passing",
            raw=str(entry),
        )
        return Sight(
            member,
            out=out,
            idle=idle,
            shut=entry.maintenance is not None,
            accepted=entry.up,
            counted=False,
            others=sum(other.up for other in found if other is not entry),
        )

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances Consul gives to clients."""
        told: dict[str, tuple[Entry, ...]] = {}
        own = []
        for instance in instances:
            service = self._filled(self._config.service, instance)
            if service not in told:
                told[service] = await self._entries(instance)
            own.append(await self._entry(instance, told[service]))
        return sum(entry is not None and entry.up for entry in own)

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the agent answers and knows the instances."""
        return tuple(await together(self._examined(instance) for instance in instances))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Into maintenance: a check that is critical, with the reason."""
        reason = f"drained by gapless, rollout {fence.rollout}" if fence else "drained by gapless"
        await self._maintain(instance, {"enable": "true", "reason": reason}, fence)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Out of maintenance; its own checks decide then."""
        await self._maintain(instance, {"enable": "false"}, fence)

    async def _maintain(
        self, instance: Instance, query: dict[str, str], fence: Fence | None
    ) -> None:
        name = quote(self._filled(self._config.id, instance), safe="")
        ask = Ask("PUT", f"/v1/agent/service/maintenance/{name}?{urlencode(query)}")
        answer = await self._api.ask(ask, fence)
        if not answer.ok:
            raise self._refused(ask, answer)

    async def _entry(self, instance: Instance, found: Collection[Entry]) -> Entry | None:
        """The instance's own: an ID is one of its agent only, other nodes may have it as well."""
        own, name = await self._own_node(), self._filled(self._config.id, instance)
        return next((entry for entry in found if (entry.node, entry.id) == (own, name)), None)

    async def _own_node(self) -> str:
        if not self._own:
            ask = Ask("GET", "/v1/agent/self")
            answer = await self._api.ask(ask)
            try:
                self._own = node_name(self._read(ask, answer))
            except NonsenseError:
                raise self._api.nonsense(ask, answer) from None
        return self._own

    async def _entries(self, instance: Instance) -> tuple[Entry, ...]:
        name = quote(self._filled(self._config.service, instance), safe="")
        ask = Ask("GET", f"/v1/health/service/{name}")
        answer = await self._api.ask(ask)
        try:
            return entries(self._read(ask, answer))
        except NonsenseError:
            raise self._api.nonsense(ask, answer) from None

    def _read(self, ask: Ask, answer: HttpAnswer) -> Any:
        if not answer.ok:
            raise self._refused(ask, answer)
        try:
            return answer.json()
        except ValueError:
            raise self._api.nonsense(ask, answer) from None

    def _refused(self, ask: Ask, answer: HttpAnswer) -> TrafficError:
        """Consul's own words; without a leader it may be back in a moment."""
        product = self._api.product
        if answer.status == 403:
            what = f"{product} does not allow it"
            return self._api.error(what, ask, answer, _RIGHTS)
        if answer.status == 404:
            what = f"{product} does not have the service"
            return self._api.error(what, ask, answer, "compare 'id' with GET /v1/agent/services")
        error = self._api.error(
            f"{product} refuses with {answer.status}",
            ask,
            answer,
            "consul operator raft list-peers",
        )
        if answer.status >= 500:
            return NoAnswer(error.what, where=error.where, evidence=error.evidence, next=error.next)
        return error

    async def _examined(self, instance: Instance) -> Verdict:
        asked = f"{self._filled(self._config.id, instance)} at {self._config.api}"
        try:
            sight = await self.see(instance)
        except TrafficError as error:
            return examined(asked, "", error)
        return examined(asked, sight.member.raw, sight.trouble)

    def _missing(self, instance: Instance, found: Collection[Entry]) -> Sight:
        name = self._filled(self._config.id, instance)
        service = self._filled(self._config.service, instance)
        there = [entry.id for entry in found]
        near = difflib.get_close_matches(name, there, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        trouble = TrafficError(
            f"the agent on {self.label} has no {name!r} of the service {service!r}",
            where=self._host.balancer,
            evidence=f"registered: {known(tuple(found))}",
            next=f"{hint}set 'id' and 'service' of the balancer in gapless.yaml",
        )
        raw = f"not in {known(tuple(found))}"
        member = Member(self.label, name, MemberState.MISSING, checked=False, raw=raw)
        return Sight(member, out=False, idle=True, shut=False, accepted=False, trouble=trouble)

    def _filled(self, template: str, instance: Instance) -> str:
        return fill(template, instance, self._address)


def _state(entry: Entry, *, idle: bool) -> MemberState:
    if entry.out:
        return MemberState.DRAINED if idle else MemberState.DRAINING
    return MemberState.UP if entry.up else MemberState.DOWN
