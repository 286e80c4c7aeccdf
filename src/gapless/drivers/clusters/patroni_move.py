"""Leadership of PostgreSQL that leaves a member for another one, by a switchover of Patroni.

1. The leader is told whom to make way for. Patroni stops it with a checkpoint, so that the other
   has all; it answers when the other leads, or why not.
2. Its word is not believed: leadership has left when every member that answered before names the
   same other leader, that one says itself that it takes writes and runs, and the old one does not.
3. A candidate that is refused, or does not lead in half of the time, is followed by the next best,
   once. What fails is told, not raised; only a newer rollout on the host is an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from gapless.clock import Clock, within
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.patroni_round import Round
from gapless.drivers.clusters.patroni_view import RUNNING
from gapless.errors import ClusterError
from gapless.model import Fence

_POLL = 0.1
_TRIES = 2


class PatroniMove:
    """From one member of ``group``. ``asked`` are the hosts that told of the cluster before;
    ``look`` asks all again; ``order`` tells the leader of a candidate."""

    def __init__(
        self,
        clock: Clock,
        group: str,
        member: str,
        asked: Collection[str],
        look: Callable[[], Awaitable[Round]],
        order: Callable[[str, Fence | None], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._group = group
        self._member = member
        self._asked = asked
        self._look = look
        self._order = order

    async def run(self, heirs: Sequence[str], seconds: float, fence: Fence | None) -> Moved:
        """What became of it after ``seconds`` at most. ``heirs`` with the best first."""
        began = self._clock.monotonic()
        tried = heirs[:_TRIES]
        whys = []
        for turn, heir in enumerate(tried, 1):
            # The first may not use up the time of the second.
            until = began + seconds * turn / len(tried)
            refused = await self._told(heir, fence, until)
            leader, why = await self._left(until, refused=bool(refused))
            if leader:
                return Moved(self._group, leader, seconds=self._clock.monotonic() - began)
            whys.append(f"to {heir}: {refused or why}")
        return Moved(self._group, why="; ".join(whys), seconds=self._clock.monotonic() - began)

    async def _told(self, heir: str, fence: Fence | None, until: float) -> str:
        """Why the leader did not make way; "" where it says that it did."""
        left = until - self._clock.monotonic()
        try:
            async with within(left):
                await self._order(heir, fence)
        except TimeoutError:
            return f"Patroni did not answer the order within {left:.1f} s"
        except ClusterError as error:
            return error.what
        return ""

    async def _left(self, until: float, *, refused: bool) -> tuple[str, str]:
        """The new leader, looked for at least once; else "" and why it is none yet. What was
        refused is not waited for, unless the lock has moved all the same: an order that was said
        twice, after a lost connection, is refused the second time."""
        while True:
            seen = await self._look()
            why = self._objection(seen)
            if not why:
                return seen.leader, ""
            if self._clock.monotonic() >= until or (refused and seen.leader == self._member):
                return "", why
            await self._clock.sleep(_POLL)

    def _objection(self, seen: Round) -> str:
        blind = [s.host for s in seen.sights if s.view is None and s.host in self._asked]
        if blind:
            return f"nobody tells of the cluster on {', '.join(blind)}"
        if seen.leader in ("", self._member):
            return f"not all name another leader: {_named(seen)}"
        old = seen.status(self._member)
        if old is not None and old.primary and old.state == RUNNING:
            return f"{self._member} still takes writes"
        new = seen.head
        if new is None or not new.primary or new.state != RUNNING:
            said = f"is a {new.role}, {new.state}" if new is not None else "does not answer"
            return f"{seen.leader} has the lock, and {said}"
        return ""


def _named(seen: Round) -> str:
    return ", ".join(
        f"{sight.host} names {' and '.join(sight.view.leaders) or 'none'}"
        for sight in seen.views
        if sight.view is not None
    )
