"""The folder of one service on its hosts: what is seen there, and what is written there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from gapless.clock import Clock
from gapless.config.handover_service import HandoverConfig
from gapless.drivers.handover.base import HandsOver
from gapless.drivers.handover.orders import Orders, Reply
from gapless.drivers.handover.view import Copy, Sight, Written
from gapless.drivers.runtimes.paired import Paired, beside
from gapless.drivers.transports.base import Transport
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, InstanceState

_UP = (InstanceState.RUNNING, InstanceState.STARTING, InstanceState.STOPPING)
POLL = 0.2
"""Seconds between two looks: each is a process on the host."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The copy that is meant, the one beside it, and all that was seen with them."""

    sight: Sight
    me: Copy | None
    other: Copy | None

    @property
    def written(self) -> Written:
        """What stands in ``state.json``."""
        return self.sight.known


class SharedFolder:
    """``config`` is how it is handed over, ``runtime`` what starts the copies of a host, ``path``
    where their folder is."""

    def __init__(
        self,
        service: str,
        config: HandoverConfig,
        runtime: Callable[[str], Paired],
        transports: Callable[[str], Transport],
        clock: Clock,
        path: Callable[[str], str],
    ) -> None:
        self.service = service
        self.config = config
        self.path = path
        self.clock = clock
        self.transport = transports
        self.orders = Orders(transports, path)
        self._runtime = runtime

    def copy(self, host: str, slot: str) -> HandsOver:
        """Where the variables of a copy go."""
        return cast(HandsOver, self._runtime(host).copy(slot))

    async def live(self, host: str) -> str:
        """Slot of the copy that runs, as the runtime has it."""
        return await self._runtime(host).live(self.transport(host))

    async def runs(self, host: str, slot: str) -> bool:
        """Whether there is a process in a slot, whatever it says."""
        seen = await self._runtime(host).copy(slot).observe(self.transport(host))
        return seen.state in _UP

    async def ended_well(self, host: str, slot: str) -> bool:
        """Whether the process that was in a slot ended by itself, as far as its runtime knows."""
        seen = await self._runtime(host).copy(slot).observe(self.transport(host))
        return seen.state is InstanceState.STOPPED

    async def death(self, host: str, slot: str) -> str:
        """How the process that was in a slot died; "" where it did not, or nobody knows."""
        seen = await self._runtime(host).copy(slot).observe(self.transport(host))
        if seen.state is not InstanceState.FAILED:
            return ""
        return seen.detail.get("status") or seen.state.value

    async def look(self, host: str) -> Sight:
        """A stranger, that a person started with a name of his own, is in the slot that runs."""
        sight = await self.orders.look(host)
        return sight.placed(await self.live(host)) if sight.strangers else sight

    async def see(self, instance: Instance) -> Seen:
        """Of one of the two copies."""
        sight = await self.look(instance.host)
        return Seen(sight, sight.of(instance.slot), sight.of(beside(instance.slot)))

    async def write(
        self,
        instance: Instance,
        fences: Sequence[Fence],
        seen: Seen,
        *,
        to: Copy | None = None,
        request: str = "",
        **changes: Any,
    ) -> tuple[Seen, Reply | None]:
        """``changes`` of ``state.json``, then a request to a copy that it is about: in this order,
        so that a copy which is started again in between becomes what it was about to be told.
        What is seen then, but for the copies, which nobody has asked again."""
        owner = f"gapless {fences[0].rollout}" if fences else "gapless"
        new = replace(seen.written, owner=owner, **changes)
        text = new.to_json(
            skew=self.config.skew, horizon=self.config.horizon, now=self.clock.now()
        )  # fmt: skip
        request = f"{request}epoch={new.latest}" if request else ""
        state = (seen.sight.mark, text)
        name = to.id if to is not None else ""
        mark, reply = await self.orders.turn(instance, guard(fences), state, name, request)
        return replace(seen, sight=replace(seen.sight, mark=mark, written=new)), reply

    def failure(self, what: str, instance: Instance, seen: Seen) -> TrafficError:
        """With how the copies are."""
        return TrafficError(what, where=str(instance), evidence=str(seen.sight))


def guard(fences: Sequence[Fence]) -> Fence | None:
    """The one of the instance's host."""
    return fences[0] if fences else None


def place(copy: Copy) -> tuple[str, int]:
    """As ``state.json`` names it."""
    return copy.id, copy.epoch
