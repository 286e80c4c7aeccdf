"""Leaderships that no order moves: who leads hands over when it stops, and not before."""

from __future__ import annotations

import asyncio

from gapless.clusters.gates import refusals, still_leads
from gapless.clusters.order import Order
from gapless.drivers.clusters.base import Cluster
from gapless.testing.cluster_rig import (
    ClusterCases,
    ClusterRig,
    first_leader,
    others,
    sound,
    special,
    until,
)
from gapless.testing.cluster_writer import writing

_SHORT = 3.0
_OVER = 6.0
"""Seconds that it may cost beyond the limit."""


class StayCases(ClusterCases):
    """What is promised where leaderships stay."""

    def test_what_cannot_be_moved_is_told_and_nothing_is_changed(self) -> None:
        """Each leadership, with the cause; and it is no reason not to stop its leader."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before, said = await cluster.topology(), await rig.leaders()
            member = first_leader(before)
            now = asyncio.get_running_loop().time
            began = now()
            moved = await cluster.evacuate(member, others(before, member), _SHORT, None)
            assert now() - began < _SHORT + _OVER
            assert {one.group for one in moved} == {one.id for one in before.led_by(member)}
            assert all(one.why and not one.left and one.to != member for one in moved), moved
            await cluster.seal(member, None)
            await cluster.restore(member, None)
            assert await rig.leaders() == said
            after = await cluster.topology()
            assert still_leads(after, member) is None
            assert refusals(after, [member]) == ()
            assert await cluster.unsafe(after, [member]) == ()

        self.play(case, without="moves")

    def test_evacuating_who_leads_nothing_finds_nothing_that_stays(self) -> None:
        """Followers are evacuated, too."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            for member in before.members:
                if not before.led_by(member):
                    told = await cluster.evacuate(member, others(before, member), _SHORT, None)
                    assert told == ()

        self.play(case, without="moves")

    def test_a_leader_that_stops_is_followed_by_another_and_comes_back(self) -> None:
        """It goes after all the others. No acknowledged write is lost by it."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = Order(before).of_members(before.members)[-1]
            host, led = before.members[member].host, {one.id for one in before.led_by(member)}
            assert led, "who leads goes last"
            if "write" in rig.can:
                async with writing(rig) as acknowledged:
                    await rig.stop(host)
                    await _taken_over(rig, cluster, member, led)
                    assert not await special(rig).lost(acknowledged)
            else:
                await rig.stop(host)
                await _taken_over(rig, cluster, member, led)
            await rig.start(host)

            async def missing() -> str:
                return (await cluster.rejoined(member, before)).why

            await until(missing, f"{member} is back")
            assert await rig.caught_up(host)
            await sound(rig, cluster)

        self.play(case, "restarts", without="moves")


async def _taken_over(rig: ClusterRig, cluster: Cluster, member: str, led: set[str]) -> None:
    """The driver and the members name the same other leader of all these."""

    async def missing() -> str:
        topology, said = await cluster.topology(), await rig.leaders()
        for group in led:
            leader = topology.groups[group].leader if group in topology.groups else ""
            if leader in ("", member) or said.get(group) != frozenset((leader,)):
                return f"{group}: it tells {leader or 'nobody'}, members say {said.get(group)}"
        return ""

    await until(missing, f"others lead what {member} led")
