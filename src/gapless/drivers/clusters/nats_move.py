"""Leaderships of NATS that leave a member.

1. The leader of each group is told on its own client port, in the account that the group is of; 20
   groups at a time, for a server takes a quarter of a second for each (2.9 and 2.10 wait that long
   between the last message taken and the handover, so that is what writers of a stream see).
2. From 2.11 on it is told whom to hand over to. Before, the server chooses one that is current; an
   order that names somebody would be refused. That it is another one than was wished for is told,
   and no error.
3. Its word is not waited for: a leadership has left when all members of the group that answer name
   another leader, and that one names itself.
4. The meta group goes last, by itself: while nobody leads it a server refuses all other orders, and
   the refusal may come too late to be heard (seen with 2.9).
5. What the member still leads after two seconds, by its own word, it is told again; what is
   refused twice is left alone. What fails is told, not raised; only a newer rollout on the host is
   an error.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from gapless.clock import Clock
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.nats_protocol import Order
from gapless.drivers.clusters.nats_round import Round
from gapless.drivers.clusters.nats_view import META, subject_of
from gapless.errors import ClusterError
from gapless.model import Fence

NAMES_TARGET = (2, 11)
"""Version since which a leader can be told whom to hand over to."""
_AT_ONCE = 20
_REFUSALS = 2
_AGAIN = 2.0
_POLL = 0.05


class NatsMove:
    """From one member. ``look`` asks everybody; ``order`` tells the member to hand over, and says
    why it refused, "" where it did not."""

    def __init__(
        self,
        clock: Clock,
        member: str,
        look: Callable[[], Awaitable[Round]],
        order: Callable[[str, Order, Fence | None], Awaitable[str]],
    ) -> None:
        self._clock = clock
        self._member = member
        self._look = look
        self._order = order

    async def run(
        self, groups: Sequence[str], targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """What became of each after ``within`` seconds at most."""
        until = self._clock.monotonic() + within
        first = [group for group in groups if group != META]
        last = [group for group in groups if group == META]
        return (
            *await self._move(first, targets, until, fence),
            *await self._move(last, targets, until, fence),
        )

    async def _move(
        self, groups: Sequence[str], targets: Sequence[str], until: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        began = now = self._clock.monotonic()
        moved: dict[str, Moved] = {}
        whys: dict[str, str] = {}
        left, refused = list(groups), Counter[str]()
        while left and (not whys or now < until):
            whys |= await self._tell(await self._look(), left, targets, fence)
            refused.update(group for group in left if whys[group])
            ends = min(self._clock.monotonic() + _AGAIN, until)
            seen = await self._watch(left, moved, whys, began, ends)
            now = self._clock.monotonic()
            left = [one for one in left if one not in moved and refused[one] < _REFUSALS]
        return tuple(
            moved.get(group) or Moved(group, why=self._why(seen, group, whys), seconds=now - began)
            for group in groups
        )

    async def _tell(
        self, seen: Round, groups: Collection[str], targets: Sequence[str], fence: Fence | None
    ) -> dict[str, str]:
        """By group why the order was refused, "" where it was taken, or nobody leads for the
        moment."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def tell(group: str) -> tuple[str, str]:
            own = seen.views.get(group, {}).get(self._member)
            if own is None or own.leader != self._member:
                return group, ""
            order = Order(subject_of(group), wish(seen, group, self._member, targets))
            async with gate:
                try:
                    return group, await self._order(group, order, fence)
                except ClusterError as error:
                    return group, error.what

        return dict(await together(tell(group) for group in groups))

    async def _watch(
        self,
        groups: Sequence[str],
        moved: dict[str, Moved],
        whys: Mapping[str, str],
        began: float,
        until: float,
    ) -> Round:
        """Until all of them have left, or that is over; looked at least once. One that was refused
        may have moved by itself, but is not waited for."""
        while True:
            seen = await self._look()
            now = self._clock.monotonic()
            for group in groups:
                leader = taken_over(seen, group, self._member)
                if leader and group not in moved:
                    moved[group] = Moved(group, leader, seconds=now - began)
            waiting = [group for group in groups if group not in moved and not whys[group]]
            if not waiting or now >= until:
                return seen
            await self._clock.sleep(_POLL)

    def _why(self, seen: Round, group: str, whys: Mapping[str, str]) -> str:
        if why := whys.get(group):
            return why
        told = ", ".join(
            f"{name} names {view.leader or 'nobody'}"
            for name, view in seen.views.get(group, {}).items()
        )
        return f"it was told to hand over, and not all name another leader: {told or 'no answer'}"


def taken_over(seen: Round, group: str, member: str) -> str:
    """Who leads instead, as soon as all that answer say so and it does itself; else ""."""
    views = seen.views.get(group, {})
    named = {view.leader for view in views.values()}
    if len(named) != 1:
        return ""
    leader = named.pop()
    return leader if leader in views and leader != member else ""


def wish(seen: Round, group: str, member: str, targets: Sequence[str]) -> bytes:
    """Whom to hand over to: of those in sync one of ``targets``, and of these who has got furthest.
    Nothing where the server would not understand it."""
    server = seen.servers.get(member)
    able = seen.group(group).in_sync - {member}
    if server is None or server.minor < NAMES_TARGET or not able:
        return b""
    position = seen.group(group).position
    best = min(able, key=lambda one: (one not in targets, -position.get(one, 0), one))
    return json.dumps({"placement": {"preferred": best}}).encode()
