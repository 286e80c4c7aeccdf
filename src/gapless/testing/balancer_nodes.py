"""Several nodes of a balancer that do not agree, refuse, or are replaced in the middle."""

from __future__ import annotations

import asyncio

from gapless.drivers.balancers.base import MemberState
from gapless.testing.balancer_rig import (
    PATIENCE,
    BalancerCases,
    BalancerRig,
    both,
    special,
    states,
    traffic_error,
    until,
)


class NodeCases(BalancerCases):
    """All nodes or none, whatever becomes of one of them."""

    def test_nodes_that_disagree_count_as_the_worst_and_are_brought_to_agree(self) -> None:
        """Somebody took it out on one node only."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            await rig.maintenance(0)

            async def disagree() -> bool:
                seen = states(await balancer.members(rig.instance))
                return MemberState.UP not in seen if rig.nodes == 1 else len(seen) == 2

            async def one_serves() -> bool:
                return await balancer.serving(both(rig)) == 1

            await until(disagree, "the nodes disagree")
            await until(one_serves, "the worst of them to count")
            members = await balancer.admit(rig.instance, ())
            assert states(members) == {MemberState.UP} and len(members) == rig.nodes
            await rig.maintenance(0)
            await until(disagree, "the nodes disagree again")
            drained = await balancer.drain(rig.instance, ())
            assert MemberState.UP not in states(drained.members)
            for node in range(rig.nodes):
                assert {await rig.ask(node) for _ in range(4)} <= {rig.other.host, ""}

        self.play(case, "maintenance")

    def test_a_node_that_refuses_a_drain_leaves_it_in_on_all(self) -> None:
        """Partial failure: nothing stays half drained."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer(drain_timeout="2s", admit_timeout="5s")
            await special(rig).refuse(rig.nodes - 1, True)
            error = await traffic_error(balancer.drain(rig.instance, ()))
            assert error.evidence or error.next
            await special(rig).refuse(rig.nodes - 1, False)

            async def in_everywhere() -> bool:
                return states(await balancer.members(rig.instance)) == {MemberState.UP}

            await until(in_everywhere, "it is up on every node")
            assert await balancer.serving(both(rig)) == 2

        self.play(case, "refusal")

    def test_a_node_that_refuses_an_admit_is_never_called_up(self) -> None:
        """Not admitted while one node did not obey; afterwards it is, or goes out again."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer(admit_timeout="2s")
            await balancer.drain(rig.instance, ())
            await special(rig).refuse(rig.nodes - 1, True)
            await traffic_error(balancer.admit(rig.instance, ()))
            assert await balancer.serving([rig.instance]) == 0
            await special(rig).refuse(rig.nodes - 1, False)
            assert states((await balancer.drain(rig.instance, ())).members) == {MemberState.DRAINED}
            assert states(await balancer.admit(rig.instance, ())) == {MemberState.UP}

        self.play(case, "refusal")

    def test_a_node_replaced_in_the_middle_of_an_admit_has_to_see_it_up_itself(self) -> None:
        """The new process knows nothing of the order, and nothing of the instance's health."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer(admit_timeout="20s")
            await balancer.drain(rig.instance, ())
            await rig.healthy(False)
            admit = asyncio.create_task(balancer.admit(rig.instance, ()))
            assert not (await asyncio.wait({admit}, timeout=0.5))[0], "admitted while down"
            await rig.restart(0)
            assert not (await asyncio.wait({admit}, timeout=1.0))[0], "admitted while down"
            await rig.healthy(True)
            members = await asyncio.wait_for(admit, PATIENCE)
            assert states(members) == {MemberState.UP} and all(m.checked for m in members)
            for node in range(rig.nodes):
                assert rig.instance.host in {await rig.ask(node) for _ in range(8)}

        self.play(case, "checks", "restart")

    def test_a_node_that_just_started_is_not_believed_before_its_checks(self) -> None:
        """Some begin with all members up: nobody who is down counts for the floor."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            await rig.healthy(False)

            async def down() -> bool:
                return await balancer.serving([rig.instance]) == 0

            await until(down, "it is seen down")
            await rig.restart(0)
            for _ in range(50):
                assert await balancer.serving([rig.instance]) == 0
                await asyncio.sleep(0.01)

        self.play(case, "checks", "restart")
