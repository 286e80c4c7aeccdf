"""One Caddy process, spoken to by its admin API through the transport of the host it runs on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from gapless.clock import Clock
from gapless.config.balancer_caddy import CaddyConfig
from gapless.drivers.balancers.base import Member, MemberState
from gapless.drivers.balancers.caddy_api import CaddyApi
from gapless.drivers.balancers.caddy_check import probe
from gapless.drivers.balancers.caddy_memory import CaddyMemory, Taken
from gapless.drivers.balancers.caddy_view import Health, Load, Proxy
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.settling import Settling
from gapless.drivers.balancers.sight import NoAnswer, Sight, examined, together
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict, VerdictStatus

_TRIES = 50
"""How often a change is made anew because somebody else's came first."""


@dataclass(frozen=True, slots=True)
class View:
    """One moment of a Caddy process."""

    proxy: Proxy
    loads: dict[str, Load]
    health: Health


@dataclass(slots=True)
class Counting:
    """Whether a process tells what is open to upstreams that it has no more. ``told``: it was seen
    to; ``hidden``: instances that had requests open and were not told of right after."""

    life: str = ""
    told: bool = False
    hidden: set[Instance] = field(default_factory=set)


class CaddyNode:
    """Takes upstreams out of one handler and puts them back."""

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
        self._memory = CaddyMemory(self._host)
        self._settling = Settling(clock, config.settle)
        self._counting = Counting()
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    def timed(self, instance: Instance) -> bool:
        """Whether only time showed that its requests have ended."""
        return instance in self._counting.hidden

    async def view(self) -> View:
        """The handler and what Caddy says of its upstreams now."""
        proxy = await self._api.proxy()
        view = View(proxy, await self._api.loads(), await self._api.health())
        if view.health.life != self._counting.life:
            self._counting = Counting(view.health.life)
        if not view.loads.keys() <= set(proxy.dials):
            self._learn(view)
        return view

    async def see(self, instance: Instance) -> Sight:
        """The instance as this process has it."""
        view, dial = await self.view(), self._dial(instance)
        if dial in view.proxy.dials:
            self._settling.over(instance, None)
            return await self._inside(instance, view, dial)
        if await self._memory.recall(instance) is None:
            return self._missing(instance, view, dial)
        return self._outside(instance, view, dial)

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of the instances' upstreams are there and not unhealthy."""
        view = await self.view()
        present = [i for i in instances if self._dial(i) in view.proxy.dials]
        sights = await together(self._inside(i, view, self._dial(i)) for i in present)
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
        known = f"it has {len(sights) - len(troubles)} of {len(sights)} upstreams"
        forgets = "" if resumes else "; started without --resume: a restart undoes every drain"
        found = [examined(asked, known + forgets)]
        return (*found, *(examined(asked, "", trouble) for trouble in troubles))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Its upstreams out of the list, remembered first."""
        dial = self._dial(instance)
        for _ in range(_TRIES):
            view = await self.view()
            taken = [
                (place, upstream)
                for place, upstream in enumerate(view.proxy.upstreams)
                if upstream.get("dial") == dial
            ]
            if not taken:
                return
            await self._memory.keep(instance, taken, fence)
            left = [u for u in view.proxy.upstreams if u.get("dial") != dial]
            if await self._api.change(view.proxy, left, fence):
                return await self._look_right_after(instance, view, dial)
        raise self._restless()

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Its upstreams back where they were, once Caddy's own check of them passes."""
        dial = self._dial(instance)
        for _ in range(_TRIES):
            proxy = await self._api.proxy()
            taken = await self._memory.recall(instance)
            if dial not in proxy.dials and taken is not None:
                verdict = await self._check(proxy, dial)
                if verdict is not None and not verdict.passed:
                    return  # it is asked again until the limit; the sight tells what it said
                if not await self._api.change(proxy, _with(proxy, taken), fence):
                    continue
            await self._memory.keep(instance, None, fence)
            return
        raise self._restless()

    async def _look_right_after(self, instance: Instance, before: View, dial: str) -> None:
        """Old Caddys tell nothing of an upstream that was removed; then nobody knows whether what
        was open has ended."""
        busy = before.loads.get(dial, Load(0, 0)).requests > 0
        after = await self.view()
        if busy and dial not in after.loads and not self._counting.told:
            self._counting.hidden.add(instance)

    def _learn(self, view: View) -> None:
        """Caddy tells of addresses this handler does not have: of another handler's, too, but only
        one that we took out and that is busy says that removed ones are counted."""
        if any(
            load.requests and address not in view.proxy.dials and address in self._taken_dials
            for address, load in view.loads.items()
        ):
            self._counting.told = True

    async def _inside(self, instance: Instance, view: View, dial: str) -> Sight:
        load = view.loads.get(dial, Load(0, 0))
        verdict = await self._check(view.proxy, dial)
        up, why = _standing(view, dial, load, verdict)
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
            others=self._others(view, dial),
        )

    def _outside(self, instance: Instance, view: View, dial: str) -> Sight:
        hidden = self.timed(instance)
        settled = self._settling.over(instance, view.health.life)
        load = view.loads.get(dial)
        open_ = load.requests if load else 0
        idle = open_ == 0 and (settled or not hidden)
        told = f"{open_} open" if load or self._counting.told else "not told of any more"
        state = MemberState.DRAINED if idle else MemberState.DRAINING
        member = Member(self.label, dial, state, open_, checked=False, raw=f"{dial} out, {told}")
        return Sight(
            member,
            out=True,
            idle=idle,
            shut=True,
            accepted=False,
            counted=load is not None or self._counting.told,
            life=view.health.life,
            others=self._others(view, dial),
        )
