"""A node of RabbitMQ that goes into maintenance, and comes back from it.

1. Before, the node waits until each of its quorum queues has one member more online than it needs
   (``await_online_quorum_plus_one``). After, that would never come: a node in maintenance stops its
   own copies. Where its own health check says already that a queue has none to spare, that was
   judged before, and forced with a reason, or it would be waited for in vain.
2. ``drain`` closes its listeners and connections, hands over what it leads, and stops its copies.
   RabbitMQ chooses who takes over; nobody can be named.
3. Its word is not believed: a queue has left when all nodes that answer name the same other one
   that answers, too, and the node itself takes no connections on its API any more, or is told to
   be drained.
4. What is still led after half of the time is told again, once. A copy that was elected in between
   is what that is for.
5. ``revive`` is believed when the node answers again, everybody sees it run, it is online in every
   queue that it is a member of, and its command line calls it in maintenance no more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from gapless.clock import Clock
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.rabbitmq_orders import RabbitOrders
from gapless.drivers.clusters.rabbitmq_round import Round
from gapless.errors import ClusterError
from gapless.model import Fence

_POLL = 0.1
_BACK = 60.0
"""Seconds in which a node has to be back from maintenance."""


class RabbitMove:
    """Of one node. ``look`` asks everybody."""

    def __init__(
        self,
        clock: Clock,
        cluster: str,
        member: str,
        look: Callable[[], Awaitable[Round]],
        orders: RabbitOrders,
    ) -> None:
        self._clock, self._cluster, self._member = clock, cluster, member
        self._look, self._orders = look, orders

    async def drain(self, seen: Round, within: float, fence: Fence | None) -> tuple[Moved, ...]:
        """What became of each queue that it led after about ``within`` seconds at most. Raises
        ClusterError where it cannot be drained, FenceRefused."""
        began = self._clock.monotonic()
        until = began + within
        groups = led_by(seen, self._member)
        own = seen.nodes.get(self._member)
        if len(seen.names) > 1 and own is not None and not own.critical:
            await self._orders.spared(self._member, within / 2)
        moved: dict[str, Moved] = {}
        now = self._clock.monotonic()
        for turn in (1, 2):
            await self._orders.drain(self._member, fence)
            ends = now + max(0.0, until - now) * turn / 2
            seen = await self._watch(groups, moved, began, ends)
            if len(moved) == len(groups) and out(seen, self._member):
                break
        if not out(seen, self._member):
            raise ClusterError(
                f"{self._member} was told to go into maintenance, and takes connections",
                where=self._cluster,
                evidence="GET /api/overview → answered",
                next="rabbitmq-diagnostics cluster_status; its log",
            )
        seconds = self._clock.monotonic() - began
        return tuple(
            moved.get(one) or Moved(one, why=_why(seen, one), seconds=seconds) for one in groups
        )

    async def revive(self, fence: Fence | None) -> None:
        """Raises ClusterError where it does not come back, FenceRefused."""
        await self._orders.revive(self._member, fence)
        until = self._clock.monotonic() + _BACK
        while why := lacking(await self._look(), self._member) or await self._still():
            if self._clock.monotonic() >= until:
                raise ClusterError(
                    f"{self._member} was revived, and is not back: {why}",
                    where=self._cluster,
                    evidence="rabbitmq-upgrade revive → status 0",
                    next="rabbitmq-diagnostics cluster_status; its log",
                )
            await self._clock.sleep(_POLL)

    async def _still(self) -> str:
        """Why it is not out of maintenance by its own word; asked when everything else is well."""
        state = await self._orders.state(self._member)
        return f"{self._member} calls itself in maintenance" if state.drained else ""

    async def _watch(
        self, groups: Sequence[str], moved: dict[str, Moved], began: float, until: float
    ) -> Round:
        """Until all of them have left and it is out, or that is over; looked at least once."""
        while True:
            seen = await self._look()
            now = self._clock.monotonic()
            for group in groups:
                leader = taken_over(seen, group, self._member)
                if leader and group not in moved:
                    moved[group] = Moved(group, leader, seconds=now - began)
            if now >= until or (len(moved) == len(groups) and out(seen, self._member)):
                return seen
            await self._clock.sleep(_POLL)


def led_by(seen: Round, member: str) -> tuple[str, ...]:
    """Queues that anybody says it leads."""
    return tuple(
        group
        for group, views in seen.views.items()
        if any(queue.leader == member for queue in views.values())
    )


def taken_over(seen: Round, group: str, member: str) -> str:
    """Who leads instead, as soon as all others that answer say so, and it does itself; else ""."""
    views = {name: queue for name, queue in seen.views.get(group, {}).items() if name != member}
    named = {queue.leader for queue in views.values()}
    if len(named) != 1:
        return ""
    leader = named.pop()
    return leader if leader in views and leader != member else ""


def out(seen: Round, member: str) -> bool:
    """Whether it is in maintenance, as far as that can be seen: others answer, and it takes no
    connections, or says so."""
    others = any(name != member for name in seen.nodes)
    return others and (member not in seen.nodes or seen.drained(member))


def lacking(seen: Round, member: str) -> str:
    """Why it is not back from maintenance; "" where it is."""
    if trouble := seen.trouble(member):
        return trouble
    whys = (
        (group, seen.objection(group, member))
        for group, members in seen.members_of.items()
        if member in members and seen.led(group)
    )
    return next((f"{group}: {why}" for group, why in whys if why), "")


def _why(seen: Round, group: str) -> str:
    told = ", ".join(
        f"{name} names {queue.leader or 'nobody'}"
        for name, queue in seen.views.get(group, {}).items()
    )
    return f"it was told to hand over, and not all name another leader: {told or 'no answer'}"
