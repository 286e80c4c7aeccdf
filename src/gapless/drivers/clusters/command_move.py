"""Leaderships that leave a member by a command, a few groups at a time.

1. Each group is ordered to the best of those in sync: one that was asked for before another one,
   and of several who has got furthest. Where it has not moved in half of the time, it is ordered to
   the next best.
2. What the command says is not believed: a group has moved when all that know it name another
   leader, which answers itself. One that was refused may have moved all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from gapless.clock import Clock
from gapless.clusters.group import Group
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.command_round import Round
from gapless.errors import ClusterError

_AT_ONCE = 4
_LOOK = 0.25
"""Seconds between two looks: each is a process on every host."""
_ATTEMPTS = 2


class CommandMove:
    """``order`` has a group handed over to a member, within so many seconds; raises
    ClusterError."""

    def __init__(
        self,
        clock: Clock,
        member: str,
        look: Callable[[], Awaitable[Round]],
        order: Callable[[str, str, float], Awaitable[object]],
    ) -> None:
        self._clock, self._member = clock, member
        self._look, self._order = look, order
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def run(
        self, groups: Sequence[Group], targets: Sequence[str], within: float
    ) -> tuple[Moved, ...]:
        """What became of each."""
        until = self._clock.monotonic() + within

        async def one(group: Group) -> Moved:
            async with self._gate:
                return await self._move(group.id, best(group, self._member, targets), until)

        return tuple(await together(one(group) for group in groups))

    async def _move(self, group: str, able: Sequence[str], until: float) -> Moved:
        began, why = self._clock.monotonic(), "no follower is in sync"
        for turn, to in enumerate(able[:_ATTEMPTS]):
            now = self._clock.monotonic()
            ends = now + max(0.0, until - now) / (_ATTEMPTS - turn)
            why = await self._refusal(group, to, ends - now)
            if new := await self._taken_over(group, now if why else ends):
                return Moved(group, new, seconds=self._clock.monotonic() - began)
            why = why or f"{self._member} still leads, though {to} was to take over"
        return Moved(group, why=why, seconds=self._clock.monotonic() - began)

    async def _refusal(self, group: str, to: str, within: float) -> str:
        """Why it was refused; "" where it was taken."""
        try:
            await self._order(group, to, within)
        except ClusterError as error:
            return "\n".join(filter(None, (error.what, error.evidence)))
        return ""

    async def _taken_over(self, group: str, ends: float) -> str:
        """Who leads instead, as soon as all say so; "" where nobody does in time."""
        while True:
            seen = await self._look()
            new = seen.leader(group)
            if new != self._member and new in seen.views:
                return new
            if self._clock.monotonic() >= ends:
                return ""
            await self._clock.sleep(_LOOK)


def best(group: Group, member: str, targets: Sequence[str]) -> list[str]:
    """In sync, those that were asked for first, and of each who has got furthest."""
    able = sorted(group.in_sync - {member})
    return sorted(able, key=lambda one: (one not in targets, -group.position.get(one, 0)))
