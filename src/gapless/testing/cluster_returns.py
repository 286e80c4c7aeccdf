"""Members that are down, come back, and have to catch up."""

from __future__ import annotations

import asyncio
import uuid

from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster
from gapless.testing.cluster_rig import (
    ClusterCases,
    ClusterRig,
    emptied,
    others,
    sound,
    special,
    until,
)

_LOOKS = 8
"""How often a driver is asked that has to say the same all the time."""
_EVERY = 0.1
_MISSED = 100
"""Writes while a member is down."""


class ReturnCases(ClusterCases):
    """What is promised of a restart."""

    def test_one_that_is_down_is_told_as_down_and_is_in_sync_nowhere(self) -> None:
        """It is still known where it runs, and no other may be stopped meanwhile."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            member, before = await emptied(rig, cluster)
            host = before.members[member].host
            await rig.stop(host)
            now = await cluster.topology()
            assert not now.members[member].well and member not in now.asked
            assert now.members[member].host == host
            assert not any(member in group.in_sync for group in now.groups.values())
            for other in others(now, member):
                found = (*refusals(now, [other]), *await cluster.unsafe(now, [other]))
                assert found, f"{other} might be stopped, though {member} is down"
            await rig.start(host)
            await sound(rig, cluster)

        self.play(case, "restarts")

    def test_the_process_from_before_is_not_back(self) -> None:
        """A restart that was none."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            for member in before.members:
                told = await cluster.rejoined(member, before)
                assert not told.done and told.why, member

        self.play(case, "began")

    def test_a_member_is_back_when_it_has_caught_up_and_not_before(self) -> None:
        """Not while it is down; not as soon as it answers. What it says itself is the measure."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            member, before = await emptied(rig, cluster)
            host = before.members[member].host
            await rig.stop(host)
            if "write" in rig.can:
                for number in range(_MISSED):
                    await special(rig).write(f"{member}-{uuid.uuid4().hex}-{number}")
            down = await cluster.rejoined(member, before)
            assert not down.done and down.why
            await rig.start(host)
            await _back(rig, cluster, member, before)
            assert await rig.caught_up(host), "it was told as back too early"
            await sound(rig, cluster)
            now = await cluster.topology()
            assert now.members.keys() == before.members.keys()
            again = await cluster.rejoined(member, before)
            assert again.done and not again.why

        self.play(case, "restarts")

    def test_a_member_that_cannot_catch_up_is_not_back(self) -> None:
        """It runs, and answers, as another process, and lacks what was written."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            member, before = await emptied(rig, cluster)
            host = before.members[member].host
            loosen = await special(rig).hold(host)
            await rig.stop(host)
            await rig.start(host)
            for _ in range(_LOOKS):
                told = await cluster.rejoined(member, before)
                assert not told.done and told.why
                now = await cluster.topology()
                assert not any(member in group.in_sync for group in now.groups.values())
                await asyncio.sleep(_EVERY)
            await loosen()
            await _back(rig, cluster, member, before)
            assert await rig.caught_up(host)

        self.play(case, "restarts", "hold")

    def test_another_identity_is_never_back(self) -> None:
        """Its folder is lost: what comes up on its host is somebody else."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            member, before = await emptied(rig, cluster)
            host = before.members[member].host
            await special(rig).lose(host)

            async def another() -> str:
                return "" if await rig.id(host) not in ("", member) else "nobody else is there"

            await until(another, "another one runs there")
            for _ in range(_LOOKS):
                told = await cluster.rejoined(member, before)
                assert not told.done and told.why
                await asyncio.sleep(_EVERY)

        self.play(case, "restarts", "lose")


async def _back(rig: ClusterRig, cluster: Cluster, member: str, before: Topology) -> None:
    async def missing() -> str:
        told = await cluster.rejoined(member, before)
        assert told.done is not bool(told.why), told
        return told.why

    await until(missing, f"{member} is back")
