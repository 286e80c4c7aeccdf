"""Leaderships that leave a member, each by an order that names who takes over.

1. A few groups are under way at a time. Each is ordered to the best of those in sync: one that was
   asked for before another one, and of several who has got furthest. Where it has not moved in half
   of the time, it is ordered to the next best.
2. What an order answers is not believed: a group has moved when all that know it name another
   leader, which answers itself. One that was refused may have moved all the same.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from gapless.clock import Clock
from gapless.clusters.group import Group
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved

_ATTEMPTS = 2


class Seen(Protocol):
    """All members, asked at once."""

    def leader(self, group: str) -> str:
        """Whom all that know it name; "" where they do not agree."""
        ...

    def answers(self, member: str) -> bool:
        """Whether it tells anything itself."""
        ...


class OrderedMove:
    """From one member. ``order`` has a group handed over to a member, within so many seconds, and
    says why it was refused, "" where it was not; ``at_once`` groups are under way together, and
    ``pause`` seconds are between two looks."""

    def __init__(
        self,
        clock: Clock,
        member: str,
        look: Callable[[], Awaitable[Seen]],
        order: Callable[[str, str, float], Awaitable[str]],
        *,
        at_once: int,
        pause: float,
    ) -> None:
        self._clock, self._member = clock, member
        self._look, self._order = look, order
        self._gate, self._pause = asyncio.Semaphore(at_once), pause

    async def run(
        self, groups: Sequence[Group], targets: Sequence[str], within: float
    ) -> tuple[Moved, ...]:
        """What became of each."""
        able = {one.id: best(one, self._member, targets) for one in groups}
        return await self._all(able, "no follower is in sync", within)

    async def give(self, groups: Sequence[Group], to: str, within: float) -> tuple[Moved, ...]:
        """All of them to one of those in sync, and to nobody else."""
        able = {one.id: [to] if to in one.in_sync else [] for one in groups}
        return await self._all(able, f"{to} is not in sync", within)

    async def _all(
        self, able: Mapping[str, Sequence[str]], nobody: str, within: float
    ) -> tuple[Moved, ...]:
        until = self._clock.monotonic() + within

        async def one(group: str, to: Sequence[str]) -> Moved:
            async with self._gate:
                return await self._move(group, to, nobody, until)

        return tuple(await together(one(group, to) for group, to in able.items()))

    async def _move(self, group: str, able: Sequence[str], nobody: str, until: float) -> Moved:
        began, why = self._clock.monotonic(), nobody
        for turn, to in enumerate(able[:_ATTEMPTS]):
            now = self._clock.monotonic()
            ends = now + max(0.0, until - now) / (_ATTEMPTS - turn)
            why = await self._order(group, to, ends - now)
            if new := await self._taken_over(group, now if why else ends):
                return Moved(group, new, seconds=self._clock.monotonic() - began)
            why = why or f"{self._member} still leads, though {to} was to take over"
        return Moved(group, why=why, seconds=self._clock.monotonic() - began)

    async def _taken_over(self, group: str, ends: float) -> str:
        """Who leads instead, as soon as all say so; "" where nobody does in time."""
        while True:
            seen = await self._look()
            new = seen.leader(group)
            if new != self._member and seen.answers(new):
                return new
            if self._clock.monotonic() >= ends:
                return ""
            await self._clock.sleep(self._pause)


def best(group: Group, member: str, targets: Sequence[str]) -> list[str]:
    """In sync, those that were asked for first, and of each who has got furthest."""
    able = sorted(group.in_sync - {member})
    return sorted(able, key=lambda one: (one not in targets, -group.position.get(one, 0)))


def by_leader(groups: Iterable[Group]) -> dict[str, list[Group]]:
    """As who leads them is who is told."""
    found: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        found[group.leader].append(group)
    return found
