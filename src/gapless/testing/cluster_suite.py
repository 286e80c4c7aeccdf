"""What every cluster driver has to keep, run against the real thing.

Subclass ClusterSuite, and give it a rig: a cluster whose members can be stopped and started, and
asked without the driver.

    class TestMine(ClusterSuite):
        def rig(self) -> AbstractAsyncContextManager[ClusterRig]:
            return my_rig()

What a rig cannot do it does not list in ``can``, and the cases about it are skipped by name. A real
cluster takes long to begin: one rig may be given to all cases, for each begins with a sound
cluster. Whatever a driver tells in any case is read for secrets.
"""

from __future__ import annotations

import asyncio

from gapless.clusters.gates import refusals
from gapless.drivers.clusters.base import Cluster
from gapless.errors import ClusterError
from gapless.testing.cluster_moves import MoveCases
from gapless.testing.cluster_returns import ReturnCases
from gapless.testing.cluster_rig import (
    PATIENCE,
    ClusterRig,
    Loosen,
    Special,
    Unwritten,
    first_leader,
    led,
    others,
    overheard,
    special,
)
from gapless.testing.cluster_stays import StayCases

__all__ = ["PATIENCE", "ClusterRig", "ClusterSuite", "Loosen", "Special", "Unwritten"]
_SHORT = 3.0


class ClusterSuite(MoveCases, StayCases, ReturnCases):
    """The cases."""

    def test_what_it_tells_is_what_the_members_say(self) -> None:
        """Who is who, where, who leads, and that all were asked."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            topology = await cluster.topology()
            told = {one.host: one.id for one in topology.members.values()}
            assert told == {host: await rig.id(host) for host in rig.hosts}
            assert {one.id for one in topology.members.values()} == set(topology.members)
            assert led(topology) == await rig.leaders()
            assert set(topology.asked) == set(topology.members)
            for group in topology.groups.values():
                assert set(group.members) <= set(topology.members)
            if "began" in rig.can:
                began = [one.began for one in topology.members.values()]
                assert all(began)
                again = await cluster.topology()
                assert began == [one.began for one in again.members.values()]

        self.play(case)

    def test_of_a_sound_cluster_any_one_member_may_be_stopped(self) -> None:
        """Nothing is made up against it."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            topology = await cluster.topology()
            for member in topology.members:
                assert refusals(topology, [member]) == ()
                assert await cluster.unsafe(topology, [member]) == ()

        self.play(case)

    def test_one_that_answers_alone_is_not_believed(self) -> None:
        """Though it says that all is well. A leader that is asked alone moves nothing."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            host, said = before.members[member].host, await rig.leaders()
            await special(rig).cut_off([one for one in rig.hosts if one != host])
            try:
                topology = await cluster.topology()
            except ClusterError as error:
                assert error.evidence
            else:
                assert topology.asked == (member,)
                for other in topology.members:
                    assert refusals(topology, [other])
            await _moves_nothing(cluster, member, others(before, member))
            assert await rig.leaders() == said

        self.play(case, "silence")

    def test_a_login_that_is_refused_is_told_and_no_secret_with_it(self) -> None:
        """Neither the wrong one nor the right one. Where anybody may ask, and not order, it is
        that of the leader that is told."""

        async def case(rig: ClusterRig, cluster: Cluster) -> None:
            before = await cluster.topology()
            member = first_leader(before)
            said = await rig.leaders()
            await special(rig).mislead()
            misled = overheard(rig)
            try:
                topology = await misled.topology()
            except ClusterError as error:
                told, closed = [error.evidence], rig.hosts
            else:
                told = [f"{one} {one.evidence}" for one in topology.findings]
                told += [f"{one} {one.evidence}" for one in await misled.unsafe(topology, [member])]
                closed = (before.members[member].host,) if topology.asked else rig.hosts
                assert topology.asked or refusals(topology, [member])
            told.append(await _moves_nothing(misled, member, others(before, member)))
            whole = "\n".join(told)
            assert all(host in whole for host in closed), "who does not let us in, and why"
            assert await rig.leaders() == said

        self.play(case, "secret")


async def _moves_nothing(cluster: Cluster, member: str, targets: list[str]) -> str:
    """What it says of it, in one way or the other."""
    async with asyncio.timeout(PATIENCE):
        try:
            moved = await cluster.evacuate(member, targets, _SHORT, None)
        except ClusterError as error:
            assert error.what
            return f"{error}"
        assert moved and all(one.why and not one.left for one in moved), moved
        return "\n".join(one.why for one in moved)
