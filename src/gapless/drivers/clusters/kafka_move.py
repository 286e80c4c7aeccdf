"""Leaders of partitions that are elected anew, each the preferred one.

1. The controller elects the first replica of a partition where that one is in sync: nothing is
   moved that its replica list does not say, and nothing has to be taken back.
2. Before anything is ordered the host of the member admits it.
3. The word of the controller is not believed: a partition has moved when all brokers that answer
   name its preferred replica.
4. What has not moved after a second is ordered again, until the time is over: an election that
   finds the replica out of sync for a moment is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from gapless.clock import Clock
from gapless.drivers.clusters.base import Moved
from gapless.drivers.clusters.kafka_round import Round
from gapless.errors import ClusterError

_POLL = 0.1
_AGAIN = 1.0


class KafkaMove:
    """``look`` asks everybody, ``elect`` the controller."""

    def __init__(
        self,
        clock: Clock,
        look: Callable[[], Awaitable[Round]],
        elect: Callable[[Sequence[str]], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._clock, self._look, self._elect = clock, look, elect

    async def run(self, partitions: Collection[str], within: float) -> tuple[Moved, ...]:
        """What became of each after about ``within`` seconds at most. Raises ClusterError where
        nobody lets it be ordered."""
        began = self._clock.monotonic()
        until = began + within
        left, moved = list(partitions), dict[str, Moved]()
        while True:
            refused = await self._ordered(left)
            ends = min(until, self._clock.monotonic() + _AGAIN)
            moved |= await self._watch(left, began, ends)
            left = [one for one in left if one not in moved]
            seconds = self._clock.monotonic() - began
            if not left or seconds >= within:
                stuck = (
                    Moved(one, why=_why(refused.get(one, "")), seconds=seconds) for one in left
                )
                return (*moved.values(), *stuck)

    async def _watch(
        self, partitions: Sequence[str], began: float, until: float
    ) -> dict[str, Moved]:
        """Those that have moved, until all have or that is over; looked at least once."""
        moved: dict[str, Moved] = {}
        while True:
            seen = await self._look()
            now = self._clock.monotonic()
            for one in partitions:
                if one not in moved and elected(seen, one):
                    moved[one] = Moved(one, _leader(seen, one), seconds=now - began)
            if now >= until or len(moved) == len(partitions):
                return moved
            await self._clock.sleep(_POLL)

    async def _ordered(self, partitions: Sequence[str]) -> Mapping[str, str]:
        """By partition why it was refused; a broker that cannot ask is none that refuses."""
        try:
            return await self._elect(partitions)
        except ClusterError as error:
            return dict.fromkeys(partitions, f"{error.what}: {error.evidence}")


def elected(seen: Round, partition: str) -> bool:
    """Whether all that answer name the preferred replica, or the partition is gone."""
    if partition not in seen.partitions:
        return True
    return seen.leader(partition) == seen.preferred(partition) != ""


def _leader(seen: Round, partition: str) -> str:
    return seen.leader(partition) if partition in seen.partitions else ""


def _why(refusal: str) -> str:
    told = f": {refusal}" if refusal else ""
    return f"not all brokers name its preferred leader, though it was to be elected{told}"
