"""One Caddy process, spoken to by its admin API through the transport of the host it runs on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from gapless.clock import Clock
from gapless.config.balancer_caddy import CaddyConfig
from gapless.config.quantities import format_duration
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.caddy_api import CaddyApi
from gapless.drivers.balancers.caddy_check import interval, probe
from gapless.drivers.balancers.caddy_parking import added, back, removed, without
from gapless.drivers.balancers.caddy_view import Proxy, View
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import Sight, examined, together
from gapless.drivers.balancers.unknown_member import ADDED, absent
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict

_TRIES = 50
"""How often a change is made anew because somebody else's came first."""


class CaddyNode:
    """Moves upstreams of one handler out of traffic and back."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: CaddyConfig,
        transport: Callable[[], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._host = NodeHost(balancer, host, transport)
        self._config = config
        self._api = CaddyApi(self._host, config)
        self._clock = clock
        self._again: dict[str, float | None] = {}
        """Since when what failed a check has passed it; None: it failed when it was seen last."""
        self._refused: dict[Instance, str] = {}
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def view(self) -> View:
        """The handler and what Caddy says of its upstreams now."""
        proxy = await self._api.proxy()
        return View(proxy, await self._api.loads(), await self._api.health())

    async def see(self, instance: Instance) -> Sight:
        """The instance as this process has it."""
        view, dial = await self.view(), self._dial(instance)
        if dial in view.proxy.dials:
            self._refused.pop(instance, None)
            return await self._inside(view, dial)
        if dial in view.proxy.parked:
            self._again.pop(dial, None)  # what is put in begins anew in Caddy as well
            return self._outside(instance, view, dial)
        return self._absent(instance, view, dial)

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances' upstreams are there and not unhealthy."""
        view = await self.view()
        present = [i for i in instances if self._dial(i) in view.proxy.dials]
        sights = await together(self._inside(view, self._dial(i)) for i in present)
        return sum(sight.accepted for sight in sights)

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether the API answers, the handler and the upstreams are there."""
        asked = f"{self._api.path} at {self._config.api}"
        try:
            sights = await together(self.see(instance) for instance in instances)
            resumes = await self._api.resumes()
        except TrafficError as error:
            return (examined(asked, "", error),)
        troubles = [sight.trouble for sight in sights if sight.trouble is not None]
        there = sum(sight.member.state is not MemberState.MISSING for sight in sights)
        known = f"it has {there} of {len(sights)} upstreams"
        known += ", what is missing is added when it is admitted" if self._config.dynamic else ""
        forgets = "" if resumes else "; started without --resume: a restart undoes every drain"
        found = [examined(asked, known + forgets)]
        return (*found, *(examined(asked, "", trouble) for trouble in troubles))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Out of the list, parked."""
        dial = self._dial(instance)
        for _ in range(_TRIES):
            proxy = await self._api.proxy()
            if dial not in proxy.dials:
                return
            if await self._api.change(proxy, without(proxy.handler, dial, self._api.path), fence):
                return
        raise self._restless()

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Back where it was, once Caddy's own check of it passes."""
        dial = self._dial(instance)
        for _ in range(_TRIES):
            proxy = await self._api.proxy()
            out = proxy.handler if dial in proxy.parked else self._joined(proxy, dial)
            if out is None:
                return
            verdict = await self._check(proxy, dial)
            if verdict is not None and not verdict.passed:
                self._refused[instance] = f"{verdict.asked}: {verdict.answer}"
                return  # it is asked again until the limit
            if await self._api.change(proxy, back(out, dial, self._api.path), fence):
                return
        raise self._restless()

    def _joined(self, proxy: Proxy, dial: str) -> Mapping[str, Any] | None:
        """The handler with an upstream that comes; None where none does."""
        if dial in proxy.dials or not self._config.dynamic:
            return None
        return added(proxy.handler, dial, self._api.path)

    async def add(self, instance: Instance, fence: Fence | None) -> None:
        """An upstream that is parked from the beginning."""
        dial = self._dial(instance)
        for _ in range(_TRIES):
            proxy = await self._api.proxy()
            if {dial} & {*proxy.dials, *proxy.parked}:
                return
            if await self._api.change(proxy, added(proxy.handler, dial, self._api.path), fence):
                return
        raise self._restless()

    async def remove(self, instance: Instance, fence: Fence | None) -> None:
        """No such upstream among those that are parked."""
        dial = self._dial(instance)
        for _ in range(_TRIES):
            proxy = await self._api.proxy()
            if dial not in proxy.parked:
                return
            if await self._api.change(proxy, removed(proxy.handler, dial, self._api.path), fence):
                return
        raise self._restless()

    async def _inside(self, view: View, dial: str) -> Sight:
        load = view.load(dial)
        up, why = view.standing(dial)
        if up:
            up, why = self._doubted(view.proxy, dial, await self._check(view.proxy, dial), why)
        member = Member(
            node=self.label,
            name=dial,
            state=MemberState.UP if up else MemberState.DOWN,
            connections=load.requests,
            checked=up and bool(view.proxy.active),
            raw=f"{dial} {why}, {load.requests} open",
        )
        return Sight(
            member,
            out=False,
            idle=load.requests == 0,
            shut=False,
            accepted=up,
            life=view.health.life,
            others=view.others(dial),
        )

    def _doubted(
        self, proxy: Proxy, dial: str, verdict: Verdict | None, why: str
    ) -> tuple[bool, str]:
        """Whether what Caddy still tells is true, and in which words. What failed just now is down.
        And it may be up again for us before it is for Caddy, which asks from time to time: so it
        has to be up for as long as Caddy takes to ask again."""
        if verdict is not None and not verdict.passed:
            self._again[dial] = None
            return False, f"{verdict.asked}: {verdict.answer}"
        if dial in self._again:
            now, every = self._clock.monotonic(), interval(proxy)
            since = self._again[dial] = self._again[dial] or now
            if now - since < every:
                return False, f"answers again, Caddy asks every {format_duration(every)}"
            del self._again[dial]
        return True, why

    def _outside(self, instance: Instance, view: View, dial: str) -> Sight:
        load = view.load(dial)
        idle = load.requests == 0
        refused = self._refused.get(instance, "")
        member = Member(
            node=self.label,
            name=dial,
            state=MemberState.DRAINED if idle else MemberState.DRAINING,
            connections=load.requests,
            checked=False,
            raw=", ".join(filter(None, (f"{dial} out", f"{load.requests} open", refused))),
        )
        return Sight(
            member,
            out=True,
            idle=idle,
            shut=True,
            accepted=False,
            counted=dial in view.loads,
            life=view.health.life,
            others=view.others(dial),
        )

    async def _check(self, proxy: Proxy, dial: str) -> Verdict | None:
        """Caddy's own check, asked here and now; None where it has none that could be asked."""
        question = probe(proxy, dial)
        if question is None:
            return None
        (verdict,) = await self._host.talk(
            lambda transport: transport.ask([question], passes=1, every=0.1, within=0),
            what=f"upstreams cannot be checked from {self.label}",
            hint="gapless doctor",
        )
        return verdict

    def _absent(self, instance: Instance, view: View, dial: str) -> Sight:
        if self._config.dynamic:
            raw = ", ".join(filter(None, (ADDED, self._refused.get(instance, ""))))
            life, others = view.health.life, view.others(dial)
            return absent(self._host, dial, raw=raw, life=life, others=others)
        near = difflib.get_close_matches(dial, view.proxy.dials, 1)
        known = ", ".join(view.proxy.dials) or "none"
        hint = f"did you mean {near[0]!r}? " if near else ""
        trouble = TrafficError(
            f"Caddy on {self.label} has no upstream {dial!r} for {instance}",
            where=self._host.balancer,
            evidence=f"upstreams of {self._api.path}: {known}",
            next=f"{hint}set 'upstream' of the balancer in gapless.yaml, or add it to Caddy",
        )
        member = Member(self.label, dial, MemberState.MISSING, checked=False, raw=f"not in {known}")
        return Sight(member, out=False, idle=True, shut=False, accepted=False, trouble=trouble)

    def _restless(self) -> TrafficError:
        return TrafficError(
            f"{self._api.path} of Caddy on {self.label} changes all the time",
            where=self._host.balancer,
            evidence=f"{_TRIES} changes of others came before ours",
            next="see in Caddy's log who else uses its admin API",
        )

    def _dial(self, instance: Instance) -> str:
        return fill(self._config.upstream, instance, self._address)
