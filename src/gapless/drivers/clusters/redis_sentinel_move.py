"""The role of the master moved by sentinels, without losing a write that was acknowledged.

``SENTINEL FAILOVER`` alone promotes a replica and leaves the old master taking writes for 3 to 11
seconds, until a sentinel turns it into a replica: all of those are lost. So:

1. Replicas that are not to be chosen are made the last choice, before anything stands still:
   sentinels ask for priorities every ten seconds only. Mostly there are none. Then the moment is
   awaited in which a failover is shortest (``redis_sentinel_timing``).
2. ``CLIENT PAUSE … WRITE``: the old master acknowledges no write any more, and says in the same
   answer that it still is the master. The pause ends by itself, whatever becomes of us.
3. Wait until every replica that may be chosen has what the master had: which one sentinels take
   need not be known then, since none of them lacks anything. (To lower the priority of one instead
   would cost those ten seconds each time, with nothing gained.)
4. ``SENTINEL FAILOVER``; wait until one of the replicas says itself that it is the master.
5. Until sentinels name it to clients, which is not waited for longer than they usually take, the
   old one still answers reads; whoever were cut off before would be sent to it again.
6. Before the pause can end, the old one is made its replica; only then is the pause taken back and
   every client cut off, so that it asks the sentinels anew. A client that is sent to the old one
   all the same is refused, and loses nothing.
7. Whatever goes wrong, the pause is taken back, and so are the priorities.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

from gapless.clock import Clock, to_its_end, within
from gapless.drivers.clusters.redis_answers import of_each
from gapless.drivers.clusters.redis_resp import Command, Refusal, Reply
from gapless.drivers.clusters.redis_sentinel_choice import Choice
from gapless.drivers.clusters.redis_sentinel_sight import SHUNNED
from gapless.drivers.clusters.redis_sentinel_timing import Timing
from gapless.drivers.clusters.redis_sentinel_view import Watch, named, questions, watch
from gapless.drivers.clusters.redis_sentinel_view import name as name_in
from gapless.drivers.clusters.redis_talk import RedisTalk
from gapless.drivers.clusters.redis_view import Replication, replication
from gapless.errors import ClusterError
from gapless.model import Fence

PAUSE = 15.0
"""Seconds after which the old master takes writes again by itself."""
_MARGIN = 4.0
"""Of these, left for making it a replica."""
_NAMED = 1.5
"""Seconds for sentinels to name the new master: they ask it once a second for its role."""
_HEARD = 12.0
"""Seconds for a sentinel to hear of a priority: it asks every ten."""
_LOOK = 0.01
_SEEK = 0.1
_PLACE: Command = ("INFO", "replication")
REWRITE: Command = ("CONFIG", "REWRITE")
"""Has a server write its settings as they are now into its configuration file."""


class TooSlow(ClusterError):
    """Replicas that did not get everything while the master was paused: ``slow`` are these."""

    def __init__(self, what: str, *, where: str, evidence: str, slow: frozenset[str]) -> None:
        super().__init__(what, where=where, evidence=evidence)
        self.slow = slow


class RedisSentinelMove:
    """One attempt. ``servers``: by member; ``sentinels``: those that answer, of which the first is
    ordered."""

    def __init__(
        self,
        master: str,
        choice: Choice,
        servers: Mapping[str, RedisTalk],
        sentinels: Mapping[str, RedisTalk],
        clock: Clock,
        fence: Fence | None,
    ) -> None:
        self._master = master
        self._choice = choice
        self._servers = servers
        self._sentinels = sentinels
        self._sentinel = next(iter(sentinels.values()))
        self._timing = Timing(master, self._sentinel, clock)
        self._clock = clock
        self._fence = fence

    async def run(self, until: float) -> str:
        """Who is the master now. Raises ClusterError; nothing stays changed then."""
        await self._admitted()
        try:
            await self._shun(until)
            await self._timing.come(await self._rehearsed(until))
            return await self._hand_over(until)
        finally:
            await to_its_end(self._welcome())

    async def _admitted(self) -> None:
        """The fence is that of the old master's host, and hosts count their rollouts apart: it is
        compared there, before anything is ordered elsewhere."""
        if self._fence is not None:
            await self._servers[self._choice.old].ask(("PING",), fence=self._fence)

    async def _rehearsed(self, until: float) -> float:
        """Seconds from the pause to the order, by what the same questions take now. Raises TooSlow
        where nobody has to be paused to see that it would be in vain."""
        began = self._clock.monotonic()
        self._master_still(await self._place(self._choice.old))
        equal = self._clock.monotonic() + self._choice.equal
        answers = await self._places_by(self._choice.wanted, min(until, equal))
        if silent := frozenset(self._choice.wanted) - answers.keys():
            raise TooSlow(
                f"{len(silent)} of {len(self._choice.wanted)} replicas do not answer",
                where=self._choice.old,
                evidence=f"INFO replication → nothing from {', '.join(sorted(silent))}",
                slow=silent,
            )
        return self._clock.monotonic() - began

    def _master_still(self, told: Replication) -> None:
        """Sentinels may have moved the role by themselves since it was looked at: whom they would
        take it from then holds back no write."""
        if not told.master:
            raise ClusterError(
                "it is not the master any more: sentinels have moved that role meanwhile",
                where=self._choice.old,
                evidence="INFO replication → role:slave",
            )

    async def _shun(self, until: float) -> None:
        if not self._choice.shunned:
            return
        for member, priority in self._choice.shunned.items():
            if priority < SHUNNED:
                await self._servers[member].ask(prioritised(priority + SHUNNED))
        until = min(until, self._clock.monotonic() + _HEARD)
        await self._until(self._shun_heard, until, _SEEK, "a sentinel did not hear of priorities")

    async def _shun_heard(self) -> bool:
        seen = await self._watch()
        return all(
            one in seen.servers and seen.servers[one].priority >= SHUNNED
            for one in self._choice.shunned
        )

    async def _welcome(self) -> None:
        orders = {
            member: welcomed(self._servers[member], priority % SHUNNED)
            for member, priority in self._choice.shunned.items()
        }
        await of_each(orders)  # of what fails here the topology tells: redis-priority-changed

    async def _hand_over(self, until: float) -> str:
        old = self._servers[self._choice.old]
        now = self._clock.monotonic()
        if now >= until:
            raise ClusterError("there was no time left to pause writes", where=self._choice.old)
        over = now + PAUSE - _MARGIN
        try:
            goal = await self._pause(old)
            equal = self._clock.monotonic() + self._choice.equal
            await self._equal(goal, min(until, over, equal))
        except BaseException:
            await to_its_end(self._unpause(old))
            raise
        # What sentinels have begun cannot be called off: who cancels waits for the end of it.
        return await to_its_end(self._replace(old, over))

    async def _replace(self, old: RedisTalk, over: float) -> str:
        try:
            await self._fail_over()
            new = await self._promoted(over)
            await self._named(new, over)
        except BaseException:
            await self._unpause(old)
            raise
        await self._demote(old, new)  # when that fails it stays paused: sentinels see to it then
        return new

    async def _pause(self, old: RedisTalk) -> Replication:
        """What it has, and will have until the pause is over."""
        pause: Command = ("CLIENT", "PAUSE", str(int(PAUSE * 1000)), "WRITE")
        _, *told = await old.ask(pause, _PLACE, fence=self._fence)
        place = old.made_of(tuple(told), _PLACE, _place)
        self._master_still(place)
        return place

    async def _equal(self, goal: Replication, until: float) -> None:
        """All that may be chosen have what the master had when it was paused."""
        behind: dict[str, int | None] = {}

        async def none_behind() -> bool:
            places = await self._places_by(self._choice.wanted, until)
            for one in self._choice.wanted:
                if one in places:
                    behind[one] = places[one].behind(goal)
                else:  # who had everything once has it: nothing comes any more
                    behind.setdefault(one, None)
            return all(gap == 0 for gap in behind.values())

        try:
            await self._until(none_behind, until, _LOOK, "")
        except ClusterError:
            slow = {one: gap for one, gap in behind.items() if gap != 0}
            told = ", ".join(f"{one}: {'?' if gap is None else gap} B" for one, gap in slow.items())
            raise TooSlow(
                f"{len(slow)} of {len(behind)} replicas did not catch up with the paused master",
                where=self._choice.old,
                evidence=f"behind offset {goal.offset}: {told}",
                slow=frozenset(slow),
            ) from None

    async def _fail_over(self) -> None:
        command: Command = ("SENTINEL", "FAILOVER", self._master)
        (reply,) = await self._sentinel.say(command)
        # In progress: it was said twice, or sentinels began it themselves. Both are awaited alike.
        if isinstance(reply, Refusal) and not reply.text.startswith("INPROG"):
            raise self._sentinel.refused(command, reply)

    async def _promoted(self, until: float) -> str:
        new = ""
        replicas = [*self._choice.wanted, *self._choice.shunned]

        async def one_is() -> bool:
            nonlocal new
            places = await self._places(replicas)
            new = next((one for one, place in places.items() if place.master), "")
            return bool(new)

        await self._until(one_is, until, _LOOK, "no replica became the master in time")
        return new

    async def _named(self, new: str, over: float) -> None:
        until = min(over, self._clock.monotonic() + _NAMED)
        while await named_by_all(self._master, self._sentinels) != new:
            if self._clock.monotonic() >= until:
                return
            await self._clock.sleep(_LOOK)

    async def _demote(self, old: RedisTalk, new: str) -> None:
        await old.ask(
            following(new),
            ("CLIENT", "UNPAUSE"),
            ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
            fence=self._fence,
        )
        # As sentinels do: else it would be started again as a master. One without a configuration
        # file refuses, and is told by whoever started it what it is.
        await old.say(REWRITE, fence=self._fence)

    async def _unpause(self, old: RedisTalk) -> None:
        await of_each({"": self._order(old, ("CLIENT", "UNPAUSE"))})  # else it ends by itself

    async def _order(self, talk: RedisTalk, command: Command) -> None:
        await talk.ask(command, fence=self._fence)

    async def _place(self, member: str) -> Replication:
        talk = self._servers[member]
        return await talk.facts((_PLACE,), _place)

    async def _places(self, members: Collection[str]) -> Mapping[str, Replication]:
        return (await of_each({one: self._place(one) for one in members})).said

    async def _places_by(self, members: Collection[str], until: float) -> Mapping[str, Replication]:
        """Of those that answer until then."""

        async def place(member: str) -> Replication:
            try:
                async with within(max(0.0, until - self._clock.monotonic())):
                    return await self._place(member)
            except TimeoutError:
                raise ClusterError(f"{member} does not answer in time", where=member) from None

        return (await of_each({one: place(one) for one in members})).said

    async def _watch(self) -> Watch:
        return await self._sentinel.facts(questions(self._master), watch)

    async def _until(
        self, holds: Callable[[], Awaitable[bool]], until: float, every: float, what: str
    ) -> None:
        """Looks at least once."""
        while not await holds():
            if self._clock.monotonic() >= until:
                raise ClusterError(what, where=self._choice.old)
            await self._clock.sleep(every)


def _place(replies: tuple[Reply, ...]) -> Replication:
    return replication(replies[0])


async def named_by_all(master: str, sentinels: Mapping[str, RedisTalk]) -> str:
    """Whom all sentinels name; "" while they differ, or one is silent."""

    async def named_by(sentinel: RedisTalk) -> str:
        return await sentinel.facts((named(master),), lambda came: name_in(came[0]))

    answers = await of_each({host: named_by(one) for host, one in sentinels.items()})
    names = set(answers.said.values())
    return names.pop() if len(names) == 1 and not answers.silent else ""


async def welcomed(replica: RedisTalk, priority: int) -> None:
    """It may be chosen again. Sentinels have servers write down their settings when they tell them
    whom to follow, so this has to be written down, too; one without a file has nothing there."""
    order = prioritised(priority)
    reply, _ = await replica.say(order, REWRITE)
    if isinstance(reply, Refusal):
        raise replica.refused(order, reply)


def following(master: str) -> Command:
    """Has a server follow it; its data up to what both have in common stays."""
    host, _, port = master.rpartition(":")
    return ("REPLICAOF", host.strip("[]"), port)


def prioritised(priority: int) -> Command:
    """Sentinels choose the replica with the lowest; 0 never."""
    return ("CONFIG", "SET", "replica-priority", str(priority))
