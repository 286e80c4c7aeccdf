"""Leadership of etcd that leaves a member for another one.

1. The leader is told whom to hand over to; it answers when that is done, or why not.
2. Its word is not believed: leadership has left when every member that answered before names the
   same leader, and it is another one.
3. A target that is refused, or has not become leader in half of the time, is followed by the next
   best, once. What fails is told, not raised; only a newer rollout on the host is an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from gapless.clock import Clock, within
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.etcd_round import GROUP, Round
from gapless.errors import ClusterError
from gapless.model import Fence

_POLL = 0.05
_TRIES = 2


class Handover:
    """From one member. ``look`` asks those that answered again; ``order`` tells the leader of a
    target."""

    def __init__(
        self,
        clock: Clock,
        member: str,
        look: Callable[[], Awaitable[Round]],
        order: Callable[[str, Fence | None], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._member = member
        self._look = look
        self._order = order

    async def run(self, targets: Sequence[str], seconds: float, fence: Fence | None) -> Moved:
        """What became of it after ``seconds`` at most. ``targets`` with the best first."""
        began = self._clock.monotonic()
        tried = targets[:_TRIES]
        whys = []
        for turn, target in enumerate(tried, 1):
            # The first may not use up the time of the second.
            until = began + seconds * turn / len(tried)
            refused = await self._told(target, fence, until)
            leader, why = await self._left(began if refused else until)
            if leader:
                return Moved(GROUP, leader, seconds=self._clock.monotonic() - began)
            whys.append(f"to {target}: {refused or why}")
        told = "; ".join(whys) or "no follower is in sync"
        return Moved(GROUP, why=told, seconds=self._clock.monotonic() - began)

    async def _told(self, target: str, fence: Fence | None, until: float) -> str:
        """Why the leader did not take the order; "" where it did."""
        left = until - self._clock.monotonic()
        try:
            async with within(left):
                await self._order(target, fence)
        except TimeoutError:
            return f"the leader did not answer the order within {left:.1f} s"
        except ClusterError as error:
            return error.what
        return ""

    async def _left(self, until: float) -> tuple[str, str]:
        """The new leader, looked for at least once; else "" and why it is none yet."""
        while True:
            seen = await self._look()
            why = self._objection(seen)
            if not why:
                return next(iter(seen.answers.values())).status.leader, ""
            if self._clock.monotonic() >= until:
                return "", why
            await self._clock.sleep(_POLL)

    def _objection(self, seen: Round) -> str:
        silent = [sight.host for sight in seen.sights if sight.status is None]
        if silent:
            return f"no answer on {', '.join(silent)}"
        named = {member: answer.status.leader for member, answer in seen.answers.items()}
        if len(set(named.values())) > 1 or {"", self._member} & set(named.values()):
            told = (f"{member} names {leader or 'none'}" for member, leader in named.items())
            return f"not all name another leader: {', '.join(told)}"
        return ""
