"""One balancer of several nodes: every order goes to all of them, and all must agree.

1. Look: every node must answer and know the instance before anything is changed.
2. Order: out of (or into) traffic, on each node that is not there yet.
3. Wait: read the state back until every node reports it; a state that was ordered is not a state
   that holds (naive "ready, go on" lost requests on every balancer that was measured).
4. A node that forgot (restarted, reloaded, an agent overruled us) gets the order again.
5. At the limit: say what each node answered; after a failed drain put the instance back.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from gapless.clock import Clock, to_its_end
from gapless.config.balancers import BalancerConfig
from gapless.config.quantities import format_duration
from gapless.drivers.balancers.base import Drained, Evidence, Member, MemberState
from gapless.drivers.balancers.pace import pauses
from gapless.drivers.balancers.sight import NoAnswer, Node, Sight, all_seen, answered, together
from gapless.errors import FloorBroken, TrafficError
from gapless.model import Fence, Instance

Guards = Sequence[Fence | None]
"""The fence of each node, in the order of the nodes."""


class Fanout:
    """Drain and admit over all nodes of one balancer."""

    def __init__(
        self,
        name: str,
        config: BalancerConfig,
        nodes: Sequence[Node],
        clock: Clock,
        *,
        poll: float = 0.1,
        repeat: float = 0.0,
    ) -> None:
        self._name = name
        self._config = config
        self._nodes = tuple(nodes)
        self._clock = clock
        self._poll = poll
        self._repeat = repeat

    async def look(self, instance: Instance) -> tuple[Sight, ...]:
        """The instance on every node; a node that does not answer is an error."""
        return tuple(all_seen(await self._glance(instance)))

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Out on every node, and wait until each reports it idle."""
        begun = self._clock.monotonic()
        before = self._ready_for_orders(await self.look(instance))
        self._hold_floor(instance, before)
        guards = self.guards(fences)
        try:
            return await self._drain(instance, guards, before, begun)
        except TrafficError as error:
            raise await self._give_back(instance, guards, before, error) from error

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """In on every node, and wait until each reports it up after a passed check."""
        before = self._ready_for_orders(await self.look(instance))
        after = await self._admit(instance, self.guards(fences), before, fresh=True)
        return tuple(sight.member for sight in after)

    async def _drain(
        self,
        instance: Instance,
        guards: Guards,
        before: Sequence[Sight],
        begun: float,
    ) -> Drained:
        lives = [sight.life for sight in before]
        same = counted = True
        due = begun
        seen: Sequence[Sight | NoAnswer] = before
        pause = pauses(self._poll)
        while True:
            if self._clock.monotonic() >= due:
                due = self._clock.monotonic() + self._repeat
                await self._order_out(instance, guards, seen)
            seen = await self._glance(instance)
            sights = answered(seen)
            self._ready_for_orders(sights)
            # Another process counts only its own connections: after a reload those of the old
            # worker cannot be seen, so nothing is COUNTED any more and they get the whole time.
            same = same and all(
                not isinstance(sight, Sight) or sight.life == life
                for sight, life in zip(seen, lives, strict=True)
            )
            counted = counted and all(sight.counted for sight in sights)
            if same and len(sights) == len(seen) and all(s.out and s.idle for s in sights):
                evidence = Evidence.COUNTED if counted else Evidence.INFERRED
                return self._drained(evidence, begun, sights)
            if self._clock.monotonic() - begun >= self._config.drain_timeout:
                return self._at_limit(instance, begun, seen)
            await self._clock.sleep(min([next(pause), *_settling(sights)]))

    def _at_limit(
        self, instance: Instance, begun: float, seen: Sequence[Sight | NoAnswer]
    ) -> Drained:
        sights = all_seen(seen)
        limit = format_duration(self._config.drain_timeout)
        if not all(sight.out for sight in sights):
            raise self._error(f"{instance} does not stay out of traffic", sights)
        drained = self._drained(Evidence.TIMED, begun, sights)
        if drained.left and self._config.on_drain_timeout == "fail":
            what = f"{instance} still has {drained.left} open after {limit}"
            raise self._error(
                what, sights, next="raise drain_timeout, or on_drain_timeout: proceed"
            )
        return drained

    def _drained(self, evidence: Evidence, begun: float, sights: Sequence[Sight]) -> Drained:
        members = tuple(sight.member for sight in sights)
        left = 0
        for sight in sights:
            if not sight.idle:
                left += sight.member.connections or 1
        return Drained(evidence, self._clock.monotonic() - begun, left, members)

    async def _admit(
        self,
        instance: Instance,
        guards: Guards,
        before: Sequence[Sight | NoAnswer],
        *,
        fresh: bool,
    ) -> Sequence[Sight]:
        begun = due = self._clock.monotonic()
        seen: Sequence[Sight | NoAnswer] = before
        pause = pauses(self._poll)
        while True:
            if self._clock.monotonic() >= due:
                due = self._clock.monotonic() + self._repeat
                await self._order_in(instance, guards, seen, fresh=fresh)
            seen = await self._glance(instance)
            sights = answered(seen)
            self._ready_for_orders(sights)
            if len(sights) == len(seen) and all(sight.accepted for sight in sights):
                return sights
            if self._clock.monotonic() - begun >= self._config.admit_timeout:
                limit = format_duration(self._config.admit_timeout)
                raise self._error(f"{instance} is not reported up after {limit}", all_seen(seen))
            await self._clock.sleep(next(pause))

    async def _order_out(
        self, instance: Instance, guards: Guards, seen: Sequence[Sight | NoAnswer]
    ) -> None:
        orders = [
            _unless_silent(node.put_out(instance, fence))
            for node, fence, sight in zip(self._nodes, guards, seen, strict=True)
            if isinstance(sight, Sight) and not sight.out
        ]
        await to_its_end(together(orders))

    async def _order_in(
        self,
        instance: Instance,
        guards: Guards,
        seen: Sequence[Sight | NoAnswer],
        *,
        fresh: bool,
    ) -> None:
        await together(
            _unless_silent(node.put_in(instance, sight, fence, fresh=fresh))
            for node, fence, sight in zip(self._nodes, guards, seen, strict=True)
            if isinstance(sight, Sight) and sight.shut
        )

    async def _give_back(
        self,
        instance: Instance,
        guards: Guards,
        before: Sequence[Sight],
        error: TrafficError,
    ) -> TrafficError:
        """The error to raise after putting back what this drain took out, and nothing else."""
        if any(sight.out for sight in before):
            return error
        try:
            await self._admit(instance, guards, await self._glance(instance), fresh=False)
        except TrafficError as again:
            words = f"{error.what}, and could not be admitted again: {again.what}"
        else:
            words = f"{error.what}; it was admitted again"
        return TrafficError(words, where=error.where, evidence=error.evidence, next=error.next)

    async def _glance(self, instance: Instance) -> list[Sight | NoAnswer]:
        """Every node's answer or its silence, asked at the same time."""

        async def see(node: Node) -> Sight | NoAnswer:
            try:
                return await node.see(instance)
            except NoAnswer as silence:
                return silence

        return await together(see(node) for node in self._nodes)

    def _hold_floor(self, instance: Instance, sights: Sequence[Sight]) -> None:
        """Refuse to go below the floor, before anything is changed (not for what is out)."""
        for sight in sights:
            if (
                sight.out
                or sight.member.state is MemberState.DOWN
                or sight.others is None
                or sight.others >= self._config.floor
            ):
                continue
            raise FloorBroken(
                f"without {instance} only {sight.others} would serve (floor {self._config.floor})",
                where=f"{self._name} on {sight.member.node}",
                evidence=str(sight),
            )

    def _ready_for_orders(self, sights: Sequence[Sight]) -> Sequence[Sight]:
        for sight in sights:
            if sight.trouble is not None:
                raise sight.trouble
        return sights

    def guards(self, fences: Sequence[Fence]) -> Guards:
        """The fence of each node: fences come in the order of ``hosts``, or one for all."""
        if not fences:
            return [None] * len(self._nodes)
        if len(fences) == 1:
            return list(fences) * len(self._nodes)
        if len(fences) != len(self._nodes):
            raise ValueError(
                f"{len(fences)} fences for the {len(self._nodes)} nodes of {self._name}"
            )
        return list(fences)

    def _error(self, what: str, sights: Sequence[Sight], next: str = "") -> TrafficError:  # noqa: A002
        evidence = "\n".join(str(sight) for sight in sights)
        return TrafficError(what, where=self._name, evidence=evidence, next=next)


def _settling(sights: Sequence[Sight]) -> list[float]:
    """When to look again, where time alone is waited for: it may be sooner than the next look."""
    left = [sight.settles for sight in sights if not sight.idle]
    known = [seconds for seconds in left if seconds is not None]
    return [max(known)] if known and len(known) == len(left) else []


async def _unless_silent(order: Coroutine[Any, Any, None]) -> None:
    """An order to a node that went silent is given again once it is seen: nothing is assumed."""
    with suppress(NoAnswer):
        await order
