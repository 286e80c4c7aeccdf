"""What the conformance suite of balancers needs of a balancer, and how its cases look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast
from unittest import SkipTest

from gapless.drivers.balancers.base import Balancer, Evidence, Member, MemberState
from gapless.drivers.balancers.sight import NoAnswer
from gapless.errors import TrafficError
from gapless.model import Instance

Loosen = Callable[[], Awaitable[None]]
PATIENCE = 30.0
"""Seconds a case waits for what must come."""


class BalancerRig(Protocol):
    """Two instances behind a balancer, and the means to break them.

    ``can``: hold (requests in flight), checks (its health checks decide), restart, silence,
    nonsense, missing, floor, words (of errors: what each node said, what was undone),
    maintenance (of one node alone); refusal, weights, counters, dynamic, forgets: see ``Special``.
    """

    can: frozenset[str]
    nodes: int
    instance: Instance
    other: Instance

    def balancer(self, **limits: Any) -> Balancer:
        """A new driver on it; limits as BalancerConfig has them, in seconds with a unit."""
        ...

    async def hold(self, node: int) -> Loosen:
        """A request to ``instance`` through a node that stays open until loosened."""
        ...

    async def ask(self, node: int) -> str:
        """One new request through a node: the host of the instance that answered, "" for none."""
        ...

    async def healthy(self, healthy: bool) -> None:
        """Whether ``instance`` passes the balancer's checks from now on."""
        ...

    async def maintenance(self, node: int) -> None:
        """Somebody else takes ``instance`` out, checks and all."""
        ...

    async def restart(self, node: int) -> None:
        """The node's process is replaced by a new one that knows its configuration only."""
        ...

    async def stop(self, node: int) -> None:
        """The node is gone for good."""
        ...

    async def nonsense(self, node: int) -> None:
        """The node answers rubbish from now on."""
        ...


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for something observable."""
    now = asyncio.get_running_loop().time
    end = now() + PATIENCE
    while not await holds():
        if now() > end:
            raise AssertionError(f"waited {PATIENCE:.0f} s in vain until {what}")
        await asyncio.sleep(0.02)


class Special(Protocol):
    """What only some rigs have: a case that needs it says so.

    ``stranger`` (dynamic): an instance that answers, and that no node knows yet. A rig whose nodes
    lose in a restart who came has ``forgets`` besides.
    """

    stranger: Instance

    async def refuse(self, node: int, refuses: bool) -> None:
        """Whether the node obeys no order from now on; questions it answers. (refusal)"""
        ...


def special(rig: BalancerRig) -> Special:
    """The rig as one that has what ``can`` says."""
    return cast(Special, rig)


class BalancerCases:
    """Base of the cases. Each gets a rig of its own."""

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        """A fresh rig."""
        raise NotImplementedError

    def play(self, case: Callable[[BalancerRig], Coroutine[Any, Any, None]], *needs: str) -> None:
        """Run a case, or skip it when the rig lacks what it needs."""

        async def scene() -> None:
            async with self.rig() as rig:
                if lacking := set(needs) - rig.can:
                    raise SkipTest(f"this balancer has no {', '.join(sorted(lacking))}")
                await until(lambda: up(rig), "both instances are up at the beginning")
                await case(rig)

        self.run(scene())

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        """Run on a real loop; a rig in virtual time brings its own."""
        asyncio.run(scene)


async def up(rig: BalancerRig) -> bool:
    """Whether every node reports both instances up."""
    balancer = rig.balancer()
    members = [*await balancer.members(rig.instance), *await balancer.members(rig.other)]
    return all(member.state is MemberState.UP and member.checked for member in members)


async def reported(balancer: Balancer, instance: Instance, state: MemberState | None) -> None:
    """Wait until a node reports the state; None: until none reports a passed check. A node that
    takes an order may hang up on who asks at that instant, as Caddy does: it is asked again."""

    async def holds() -> bool:
        try:
            members = await balancer.members(instance)
        except NoAnswer:
            return False
        if state is None:
            return not any(member.checked for member in members)
        return state in states(members)

    await until(holds, f"{instance} is {state or 'unchecked'}")


def no_worse(evidence: Evidence, promised: Evidence) -> bool:
    """Whether a drain was at least as sure as promised."""
    order = list(Evidence)
    return order.index(evidence) <= order.index(promised)


def states(members: tuple[Member, ...]) -> set[MemberState]:
    """What the nodes report, each state once."""
    return {member.state for member in members}


async def traffic_error(verb: Awaitable[object]) -> TrafficError:
    """The error that it has to end with."""
    try:
        await verb
    except TrafficError as error:
        return error
    raise AssertionError("it should have been refused")


def both(rig: BalancerRig) -> tuple[Instance, Instance]:
    """All instances of the rig."""
    return rig.instance, rig.other
