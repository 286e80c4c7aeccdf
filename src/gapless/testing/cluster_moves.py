"""Leaderships that leave a member, or cannot."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence

from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, Moved
from gapless.errors import FenceRefused
from gapless.model import Fence
from gapless.testing.cluster_rig import (
    WITHIN,
    ClusterCases,
    ClusterRig,
    all_left,
    emptied,
    first_leader,
    led,
    others,
    sound,
    special,
)
from gapless.testing.cluster_writer import more, writing

_SHORT = 3.0
_OVER = 6.0
"""Seconds that a member which does not answer may cost beyond the limit."""


class MoveCases(ClusterCases):
    """What is promised of an evacuation."""

    def test_who_was_evacuated_leads_nothing_and_all_name_its_successors(self) -> None:
        """The driver says so, and so does every member."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            await _evacuated(rig, cluster, member, others(before, member))

        self.play(case, "moves", "quick")

    def test_a_leadership_goes_to_the_target_that_is_in_sync(self) -> None:
        """And not to another one that is."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            target = max(before.led_by(member)[0].in_sync - {member})
            moved = await _evacuated(rig, cluster, member, [target])
            able = [one for one in moved if target in before.groups[one.group].in_sync]
            assert able and all(one.to == target for one in able), moved

        self.play(case, "moves", "choose", "quick")

    def test_without_a_target_in_sync_the_best_of_the_others_takes_over(self) -> None:
        """A wish that cannot be fulfilled keeps nobody from leaving."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            member = first_leader(await cluster.topology())
            assert await _evacuated(rig, cluster, member, ["f00"])

        self.play(case, "moves", "quick")

    def test_evacuating_who_leads_nothing_moves_nothing(self) -> None:
        """Followers are evacuated, too."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            member, before = await emptied(rig, cluster)
            assert await cluster.evacuate(member, others(before, member), WITHIN, None) == ()
            await cluster.seal(member, None)
            assert await rig.leaders() == led(before)

        self.play(case, "moves")

    def test_evacuating_and_restoring_twice_is_harmless(self) -> None:
        """A rollout that was interrupted says it again; also of those that it never evacuated."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            await _evacuated(rig, cluster, member, others(before, member))
            said = await rig.leaders()
            assert await cluster.evacuate(member, others(before, member), WITHIN, None) == ()
            for one in (member, member, *others(before, member)):
                await cluster.restore(one, None)
            assert await rig.leaders() == said
            await sound(rig, cluster)

        self.play(case, "moves", "quick")

    def test_a_move_that_cannot_happen_says_why_and_the_member_leads_on(self) -> None:
        """In time: nobody is left without a leader, and nobody waits for ever."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            groups = before.led_by(member)
            for follower in sorted({one for group in groups for one in group.members} - {member}):
                await rig.stop(before.members[follower].host)
            now = asyncio.get_running_loop().time
            began = now()
            moved = await cluster.evacuate(member, others(before, member), _SHORT, None)
            assert now() - began < _SHORT + _OVER
            assert {group.id for group in groups} <= {one.group for one in moved}
            assert all(one.why and not one.left for one in moved), moved
            said = await rig.leaders()
            assert all(said[group.id] == {member} for group in groups), said

        self.play(case, "moves", "restarts", "alone")

    def test_no_acknowledged_write_is_lost_in_an_evacuation(self) -> None:
        """Before, meanwhile and afterwards."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            async with writing(rig) as acknowledged:
                await _evacuated(rig, cluster, member, others(before, member))
                assert await cluster.evacuate(member, others(before, member), WITHIN, None) == ()
                await more(acknowledged)
            assert not await special(rig).lost(acknowledged)
            await cluster.restore(member, None)
            await sound(rig, cluster)
            assert not await special(rig).lost(acknowledged)

        self.play(case, "moves", "write")

    def test_who_leads_is_asked_anew_and_not_remembered(self) -> None:
        """A stranger has moved a leadership since the last look."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            group = before.led_by(member)[0].id
            new = await special(rig).stranger(group)
            assert new != member
            moved = await cluster.evacuate(member, others(before, member), WITHIN, None)
            assert group not in {one.group for one in moved}, "it did not lead it any more"
            assert (await rig.leaders())[group] == {new}
            await sound(rig, cluster)
            assert (await cluster.topology()).groups[group].leader == new
            if "quick" in rig.can:
                all_left(await cluster.evacuate(new, [member], WITHIN, None))
                assert new not in (await rig.leaders())[group]

        self.play(case, "moves", "stranger")

    def test_an_old_fence_moves_nothing(self) -> None:
        """The host obeys the newest rollout only."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            host = before.members[member].host
            old, new = [
                {one: await special(rig).claim(one, rollout) for one in rig.hosts}
                for rollout in (_rollout(), _rollout())
            ]
            said = await rig.leaders()
            await _refused(cluster, member, before, old[host])
            assert await rig.leaders() == said
            if "quick" in rig.can:
                all_left(await cluster.evacuate(member, others(before, member), WITHIN, new[host]))
                assert not (await cluster.topology()).led_by(member)

        self.play(case, "moves", "fence")

    def test_hosts_count_their_rollouts_apart(self) -> None:
        """The fence is that of the member's own host: what has to be ordered on another is neither
        refused there nor makes that host obey another fence than before."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            for ahead in (True, False):
                await sound(rig, cluster)
                before = await cluster.topology()
                member = first_leader(before)
                host = before.members[member].host
                order = sorted(rig.hosts, key=lambda one: (one == host) is ahead)
                fences = await _rising(rig, order)
                moved = await cluster.evacuate(member, others(before, member), WITHIN, fences[host])
                all_left(moved)
                await cluster.restore(member, fences[host])
                assert {one: await special(rig).holder(one) for one in rig.hosts} == fences

        self.play(case, "moves", "fence", "quick")


async def _evacuated(
    rig: ClusterRig, cluster: Cluster, member: str, targets: Sequence[str]
) -> Sequence[Moved]:
    """All that it led is led by others that were in sync, as the driver says and every member."""
    before = await cluster.topology()
    moved = await cluster.evacuate(member, targets, WITHIN, None)
    all_left(moved)
    assert {one.group for one in moved} == {one.id for one in before.led_by(member)}
    now, said = await cluster.topology(), await rig.leaders()
    assert not now.led_by(member)
    for one in moved:
        assert one.to != member and one.to in before.groups[one.group].in_sync
        assert said[one.group] == {one.to} == {now.groups[one.group].leader}
    return moved


async def _refused(cluster: Cluster, member: str, before: Topology, fence: Fence) -> None:
    try:
        await cluster.evacuate(member, others(before, member), WITHIN, fence)
    except FenceRefused:
        return
    raise AssertionError(f"{fence} is old, and was obeyed")


async def _rising(rig: ClusterRig, order: Sequence[str]) -> dict[str, Fence]:
    """One rollout has all hosts, the next one of ``order`` always with a higher number."""
    rollout, highest, fences = _rollout(), 0, {}
    for host in order:
        fence = await special(rig).claim(host, rollout)
        while fence.number <= highest:
            fence = await special(rig).claim(host, rollout)
        fences[host], highest = fence, fence.number
    return fences


def _rollout() -> str:
    return uuid.uuid4().hex
