"""Who of two copies handles events, steered as traffic is: the copies themselves are asked, and
told. What is said to whom, and in which order, is in ``crossing``."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from gapless.drivers.balancers.base import (
    Capabilities,
    Counters,
    Drained,
    Evidence,
    Member,
    MemberState,
)
from gapless.drivers.handover import fitness
from gapless.drivers.handover.crossing import Crossing
from gapless.drivers.handover.folder import SharedFolder
from gapless.drivers.handover.orders import NAME
from gapless.drivers.handover.view import Sight, member_state
from gapless.model import Fence, Instance, Verdict
from gapless.supervisor.spec import SLOTS


class Seat:
    """``SeatsCopies`` for one service, on the instances' own hosts."""

    def __init__(self, folder: SharedFolder) -> None:
        self._folder = folder
        self._crossing = Crossing(folder)

    @property
    def name(self) -> str:
        """The same for every service."""
        return NAME

    @property
    def hosts(self) -> tuple[str, ...]:
        """None: each instance is steered on its own host."""
        return ()

    def capabilities(self) -> Capabilities:
        """Copies come and go, and count what they have in work."""
        return Capabilities(dynamic_members=True, drain_evidence=Evidence.COUNTED)

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The copy in a slot; without one, the instance as a whole."""
        sight = await self._folder.look(instance.host)
        member = _member(sight, instance)
        if member.state is MemberState.MISSING and self._lock_stays(sight):
            member = replace(member, state=MemberState.DRAINED)  # something is to be done about it
        return (member,)

    def _lock_stays(self, sight: Sight) -> bool:
        """On, though nobody hands over: whoever was about to came no further."""
        written = sight.written
        return written is not None and written.lock and self._folder.config.when != "always"

    async def serving(self, instances: Collection[Instance]) -> int | None:
        """No number of copies is a floor: one is active on each host."""
        return None

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """By host."""
        asked = list(instances)
        found = await asyncio.gather(*(self.fit(instance, forced=False) for instance in asked))
        return {one.host: told for one, told in zip(asked, found, strict=True)}

    async def fit(self, instance: Instance, *, forced: bool) -> tuple[Verdict, ...]:
        """See ``SeatsCopies``."""
        return await fitness.examine(self._folder, instance, forced=forced)

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Before it is started."""
        return (_member((await self._crossing.add(instance, fences)).sight, instance),)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """It handles events, beside the other one."""
        return (_member((await self._crossing.admit(instance, fences)).sight, instance),)

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """It has finished what it began, and ended; the other one is the active copy."""
        return await self._crossing.drain(instance, fences)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """It has ended: the handover is over."""
        await self._crossing.remove(instance, fences)

    async def recall(self, instance: Instance, fences: Sequence[Fence]) -> bool:
        """See ``SeatsCopies``."""
        return await self._crossing.recall(instance, fences)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing that could be compared over a restart."""
        return Counters()


def _member(sight: Sight, instance: Instance) -> Member:
    slots = (instance.slot,) if instance.slot else SLOTS
    states = {slot: member_state(sight, slot) for slot in slots}
    best = min(states, key=lambda slot: _RANK.index(states[slot]))
    copy = sight.of(best)
    left = copy.left if copy is not None else None
    raw = str(copy) if copy is not None else f"nobody; phase {sight.known.phase}"
    return Member(instance.host, str(instance), states[best], left, raw=raw)


_RANK = (
    MemberState.UP,
    MemberState.DRAINING,
    MemberState.DOWN,
    MemberState.DRAINED,
    MemberState.UNKNOWN,
    MemberState.MISSING,
)
