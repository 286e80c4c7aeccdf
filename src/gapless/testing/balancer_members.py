"""Weights, members that come and go, and what is counted of them."""

from __future__ import annotations

import asyncio

from gapless.drivers.balancers.base import AddsMembers, Counters, MemberState, WeighsMembers
from gapless.testing.balancer_rig import (
    PATIENCE,
    BalancerCases,
    BalancerRig,
    special,
    states,
    traffic_error,
    until,
)


class MemberCases(BalancerCases):
    """Each for balancers whose capabilities promise it."""

    def test_capabilities_are_what_it_has(self) -> None:
        """Whoever asks for weights by the capability finds the call, and nobody else."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            can = balancer.capabilities()
            assert not can.weights or isinstance(balancer, WeighsMembers)
            assert not can.dynamic_members or isinstance(balancer, AddsMembers)
            assert ("weights" in rig.can) <= can.weights
            assert ("dynamic" in rig.can) <= can.dynamic_members

        self.play(case)

    def test_weights_are_set_on_every_node_and_read_back(self) -> None:
        """The larger weight gets the more requests; a drain and an admit leave weights alone."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            assert isinstance(balancer, WeighsMembers)
            given = await balancer.weights({rig.instance: 1, rig.other: 9}, ())
            for instance, weight in ((rig.instance, 1), (rig.other, 9)):
                assert [m.weight for m in given[instance]] == [weight] * rig.nodes
                seen = await balancer.members(instance)
                assert [m.weight for m in seen] == [weight] * rig.nodes
            for node in range(rig.nodes):
                answers = [await rig.ask(node) for _ in range(20)]
                assert 0 < answers.count(rig.instance.host) < answers.count(rig.other.host)
            await balancer.drain(rig.instance, ())
            await balancer.admit(rig.instance, ())
            assert {m.weight for m in await balancer.members(rig.instance)} == {1}
            for wrong in (-1, 1_000_000):
                error = await traffic_error(balancer.weights({rig.instance: wrong}, ()))
                assert str(wrong) in error.what and error.next

        self.play(case, "weights")

    def test_requests_are_counted_over_all_nodes(self) -> None:
        """The sum of what each process counted; errors of nobody are nobody's."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            before = await balancer.counters(rig.instance)
            answers = [await rig.ask(node) for node in range(rig.nodes) for _ in range(8)]

            async def counted() -> bool:
                now = await balancer.counters(rig.instance)
                return now.requests - before.requests == answers.count(rig.instance.host) > 0

            await until(counted, "all requests are counted")
            now = await balancer.counters(rig.instance)
            assert now.errors == before.errors and not now.began_anew(before)

        self.play(case, "counters")

    def test_a_count_that_began_anew_is_told(self) -> None:
        """Another process counts from 0: less than before is no negative number of requests."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            before = await balancer.counters(rig.instance)
            await rig.restart(0)

            async def answers() -> bool:
                return bool(await rig.ask(0))

            await until(answers, "the new process answers")
            after = await balancer.counters(rig.instance)
            assert len(after.began_anew(before)) == 1
            assert not after.began_anew(after) and not after.began_anew(Counters())

        self.play(case, "counters", "restart")

    def test_a_member_is_added_out_of_traffic_and_removed_when_it_is_out(self) -> None:
        """Added is not admitted; what is in traffic cannot be removed."""

        async def case(rig: BalancerRig) -> None:
            balancer, stranger = rig.balancer(), special(rig).stranger
            assert isinstance(balancer, AddsMembers)
            for _ in range(2):
                members = await balancer.add(stranger, ())
                assert len(members) == rig.nodes and MemberState.UP not in states(members)
            for node in range(rig.nodes):
                assert stranger.host not in {await rig.ask(node) for _ in range(9)}
            assert states(await balancer.admit(stranger, ())) == {MemberState.UP}
            for node in range(rig.nodes):
                assert stranger.host in {await rig.ask(node) for _ in range(9)}
            assert (await traffic_error(balancer.remove(stranger, ()))).evidence
            assert await balancer.serving([stranger]) == 1
            await balancer.drain(stranger, ())
            for _ in range(2):
                await balancer.remove(stranger, ())
                assert states(await balancer.members(stranger)) == {MemberState.MISSING}

        self.play(case, "dynamic")

    def test_what_goes_and_comes_again_is_let_in_by_its_own_check(self) -> None:
        """Sick it stays out, though the copy before it was well at the same address."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            assert isinstance(balancer, AddsMembers)
            await balancer.drain(rig.instance, ())
            await balancer.remove(rig.instance, ())
            assert states(await balancer.members(rig.instance)) == {MemberState.MISSING}
            assert await balancer.serving([rig.instance, rig.other]) == 1
            await rig.healthy(False)
            admit = asyncio.create_task(balancer.admit(rig.instance, ()))
            assert not (await asyncio.wait({admit}, timeout=1.0))[0], "admitted while down"
            for node in range(rig.nodes):
                assert rig.instance.host not in {await rig.ask(node) for _ in range(9)}
            await rig.healthy(True)
            members = await asyncio.wait_for(admit, PATIENCE)
            assert states(members) == {MemberState.UP} and len(members) == rig.nodes
            for node in range(rig.nodes):
                assert rig.instance.host in {await rig.ask(node) for _ in range(9)}

        self.play(case, "dynamic", "checks")

    def test_a_member_lost_with_a_process_is_missing_and_comes_back_with_an_admit(self) -> None:
        """Never "drained" as if nothing had been, never up without having been added again."""

        async def case(rig: BalancerRig) -> None:
            balancer, stranger = rig.balancer(), special(rig).stranger
            await balancer.admit(stranger, ())
            await rig.restart(0)
            assert MemberState.MISSING in states(await balancer.members(stranger))
            assert await balancer.serving([stranger]) == 0
            members = await balancer.admit(stranger, ())
            assert states(members) == {MemberState.UP} and len(members) == rig.nodes
            for node in range(rig.nodes):
                assert stranger.host in {await rig.ask(node) for _ in range(9)}

        self.play(case, "dynamic", "forgets", "restart")
