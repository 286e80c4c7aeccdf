"""What the conformance suite of clusters needs of a cluster, and how its cases look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast
from unittest import SkipTest

from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, Moved
from gapless.errors import ClusterError
from gapless.model import Fence
from gapless.testing.overheard import Overheard

Loosen = Callable[[], Awaitable[None]]
PATIENCE = 40.0
"""Seconds a case waits for what must come."""
WITHIN = 30.0
"""Seconds that leaderships have to move."""
_LOOK = 0.05


class Unwritten(Exception):
    """A write was not acknowledged; it may be there or not."""


class ClusterRig(Protocol):
    """A cluster of three members or more, each on a host of its own, and the means to break it.

    ``can``: moves (who leads something can be told to hand it over; else there is a member that
    leads nothing), quick (within a second or so:
    cases that move something once more to vary it ask for that), choose (whom to is said with it,
    and of a group more than one could take over), alone (who leads leads on when the others of its
    groups are stopped), restarts (who is stopped is back within seconds of its start), began (a
    member tells one process from the next); write,
    hold, silence, stranger, lose, fence, secret: see ``Special``.
    """

    can: frozenset[str]
    hosts: tuple[str, ...]
    secrets: tuple[str, ...]
    """What no answer and no error of a driver may have in it."""

    def cluster(self) -> Cluster:
        """A new driver of it."""
        ...

    async def mend(self) -> None:
        """Everything runs as at first, but for who leads; it may still have to catch up."""
        ...

    async def id(self, host: str) -> str:
        """The identity of the member there, asked without the driver."""
        ...

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        """By group all whom members that run take for its leader, asked without the driver."""
        ...

    async def caught_up(self, host: str) -> bool:
        """Whether the member there has what was written, but for the little that its settings
        allow; asked of that one alone, without the driver."""
        ...

    async def stop(self, host: str) -> None:
        """In order; it is gone when this returns."""
        ...

    async def start(self, host: str) -> None:
        """It was stopped, and is started as it was."""
        ...


class Special(Protocol):
    """What only some rigs have: a case that needs it says so."""

    async def write(self, key: str) -> None:
        """Acknowledged when this returns. Raises Unwritten. (write)"""
        ...

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of them that are not there. (write)"""
        ...

    async def hold(self, host: str) -> Loosen:
        """The follower there catches up no more until loosened, also as another process. (hold)"""
        ...

    async def cut_off(self, hosts: Sequence[str]) -> None:
        """Drivers cannot reach them any more; their members run on. (silence)"""
        ...

    async def stranger(self, group: str) -> str:
        """Somebody else has another member lead it: who does, when all members say so.
        (stranger)"""
        ...

    async def lose(self, host: str) -> None:
        """Its folder is emptied, and what comes back there is another identity. (lose)"""
        ...

    async def claim(self, host: str, rollout: str) -> Fence:
        """The host obeys this rollout from now on. (fence)"""
        ...

    async def holder(self, host: str) -> Fence | None:
        """Whom it obeys. (fence)"""
        ...

    async def mislead(self) -> None:
        """Drivers made from now on log in with another secret, one of ``secrets``. (secret)"""
        ...


def special(rig: ClusterRig) -> Special:
    """The rig as one that has what ``can`` says."""
    return cast(Special, rig)


def overheard(rig: ClusterRig) -> Cluster:
    """A new driver, all of whose answers are read."""
    return Overheard(rig.cluster(), rig.secrets)


class ClusterCases:
    """Base of the cases. Each gets a rig of its own, or one that several share: a case begins with
    a cluster that is sound, whoever leads."""

    def rig(self) -> AbstractAsyncContextManager[ClusterRig]:
        """A rig."""
        raise NotImplementedError

    def play(
        self,
        case: Callable[[ClusterRig, Cluster], Coroutine[Any, Any, None]],
        *needs: str,
        without: str = "",
    ) -> None:
        """Run a case, or skip it when the rig lacks what it needs, or has what the case is about
        the lack of."""

        async def scene() -> None:
            async with self.rig() as rig:
                if lacking := set(needs) - rig.can:
                    raise SkipTest(f"this cluster has no {', '.join(sorted(lacking))}")
                if without in rig.can:
                    raise SkipTest(f"this cluster has {without}")
                await rig.mend()
                cluster = overheard(rig)
                await sound(rig, cluster)
                await case(rig, cluster)

        self.run(scene())

    def run(self, scene: Coroutine[Any, Any, None]) -> None:
        """Run on a real loop; a rig in virtual time brings its own."""
        asyncio.run(scene)


async def until(missing: Callable[[], Awaitable[str]], what: str) -> None:
    """Wait for something observable: until nothing is missing."""
    now = asyncio.get_running_loop().time
    end = now() + PATIENCE
    while told := await missing():
        if now() > end:
            raise AssertionError(f"waited {PATIENCE:.0f} s in vain until {what}: {told}")
        await asyncio.sleep(_LOOK)


async def sound(rig: ClusterRig, cluster: Cluster) -> None:
    """Wait until nothing is wrong, and all members say the same of who leads."""

    async def missing() -> str:
        try:
            topology = await cluster.topology()
        except ClusterError as error:
            return f"{error}\n{error.evidence}"
        return wrong(topology) or _unlike(topology, await rig.leaders())

    await until(missing, "the cluster is sound")


def wrong(topology: Topology) -> str:
    """The first thing that is not as it should be; "" where all is."""
    if topology.findings:
        return str(topology.findings[0])
    if unwell := [one for one in topology.members.values() if not one.well]:
        return f"{unwell[0].id} {unwell[0].trouble}"
    if behind := [one.id for one in topology.groups.values() if not one.full]:
        return f"not all are in sync in {', '.join(behind)}"
    if topology.leaderless:
        return f"nobody leads {topology.leaderless[0].id}"
    return "" if topology.groups else "there is no group"


def led(topology: Topology) -> dict[str, frozenset[str]]:
    """As ``ClusterRig.leaders`` tells it."""
    return {one.id: frozenset((one.leader,)) for one in topology.groups.values() if one.led}


def _unlike(topology: Topology, said: Mapping[str, frozenset[str]]) -> str:
    return "" if led(topology) == said else f"it tells {led(topology)}, members say {said}"


def first_leader(topology: Topology) -> str:
    """A member that leads something."""
    return max(sorted(topology.members), key=lambda one: len(topology.led_by(one)))


def others(topology: Topology, member: str) -> list[str]:
    """All but that one."""
    return sorted(set(topology.members) - {member})


async def emptied(rig: ClusterRig, cluster: Cluster) -> tuple[str, Topology]:
    """A member that leads nothing, and the topology of then."""
    topology = await cluster.topology()
    member = min(sorted(topology.members), key=lambda one: len(topology.led_by(one)))
    if topology.led_by(member):
        all_left(await cluster.evacuate(member, others(topology, member), WITHIN, None))
        await sound(rig, cluster)
        topology = await cluster.topology()
    assert not topology.led_by(member), topology
    return member, topology


def all_left(moved: Sequence[Moved]) -> None:
    """What was to move has."""
    assert all(one.left and one.to for one in moved), moved
