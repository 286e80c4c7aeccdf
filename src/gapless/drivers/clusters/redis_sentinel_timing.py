"""The moment at which a sentinel is ordered to fail over.

While it fails over a sentinel asks a replica for its role once a second, before that every ten
seconds, and it names the new master only when an answer says so. Ordered at any moment, it asks at
once, before it has promoted anybody, and so names the old one for a second longer than it has to.

1. It is made to ask its servers now: Redis 7 lets a sentinel's period be set while it runs (and
   writes it nowhere). It is set back at the first answers.
2. The order comes when these are 0.76 s old. The sentinel promotes somebody in the third of its
   ticks after that, 0.1 to 0.3 s later, and asks in the first one that finds its answers older than
   a second: that must not be the second tick, which is up to 0.2 s after the order; what replicas
   need to catch up in the pause comes on top.
3. Where its period cannot be set, or somebody else has set it, the order comes at once.
4. A period that a controller left behind has a value that nobody else would choose, so whoever
   comes next sets it back.
"""

from __future__ import annotations

from gapless.clock import Clock, to_its_end
from gapless.drivers.clusters.redis_resp import Command, NonsenseError, Refusal, Reply
from gapless.drivers.clusters.redis_sentinel_view import ages
from gapless.drivers.clusters.redis_talk import RedisTalk

_USUAL = "10000"
"""Milliseconds between two questions of a sentinel, unless it is told otherwise (sentinel.c)."""
_OURS = "101"
_PERIOD = "INFO-PERIOD"
_RIPE = 0.76
"""Seconds; with two ticks, at most 0.1 each, less than the one after which a sentinel asks."""
_NEW = 0.25
"""Seconds; older ones are from before, as it asks ten times a second now."""
_LOOK = 0.02
_PATIENCE = 1.0
"""Seconds in which it asks all of them; its ticks are 50 to 100 ms apart."""


class Timing:
    """Of one sentinel, for one master."""

    def __init__(self, master: str, sentinel: RedisTalk, clock: Clock) -> None:
        self._master = master
        self._sentinel = sentinel
        self._clock = clock

    async def come(self, before: float) -> None:
        """Returns when it is time for what takes ``before`` seconds, the pause, and then ordering
        it. Raises ClusterError for one that is silent."""
        if await self._period() != _USUAL:
            return
        try:
            await self._set(_OURS)
            asked = await self._asked()
        finally:
            await to_its_end(self._set(_USUAL))
        if asked:  # it asks nobody from here on, so these ages are the last ones
            age = max(await self._ages(), default=_RIPE)
            await self._clock.sleep(max(0.0, _RIPE - before - age))

    async def undo(self) -> None:
        """No period of ours is left there."""
        if await self._period() == _OURS:
            await self._set(_USUAL)

    async def _asked(self) -> bool:
        """Whether it has asked all replicas just now; waited for."""
        until = self._clock.monotonic() + _PATIENCE
        while self._clock.monotonic() < until:
            ages = await self._ages()
            if ages and max(ages) < _NEW:
                return True
            await self._clock.sleep(_LOOK)
        return False

    async def _ages(self) -> tuple[float, ...]:
        """How old its answer of each replica is, in seconds."""
        return await self._sentinel.facts((("SENTINEL", "REPLICAS", self._master),), _ages)

    async def _period(self) -> str:
        """ "" where it has none that could be set."""
        (reply,) = await self._sentinel.say(("SENTINEL", "DEBUG"))
        words = reply if isinstance(reply, tuple) else ()
        return dict(zip(map(str, words[::2]), map(str, words[1::2]), strict=False)).get(_PERIOD, "")

    async def _set(self, period: str) -> None:
        order: Command = ("SENTINEL", "DEBUG", _PERIOD, period)
        (reply,) = await self._sentinel.say(order)
        if isinstance(reply, Refusal):
            raise self._sentinel.refused(order, reply)


def _ages(replies: tuple[Reply, ...]) -> tuple[float, ...]:
    (replicas,) = replies
    if not isinstance(replicas, tuple):
        raise NonsenseError(str(replicas)[:200])
    return ages(replicas)
