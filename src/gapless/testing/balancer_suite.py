"""What every balancer driver has to keep, run against the real thing.

Subclass BalancerSuite, and give it a rig: two instances behind two nodes (or one) of a balancer,
with the means to break them.

    class TestMine(BalancerSuite):
        def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
            return my_rig()

What a rig cannot do it does not list in ``can``, and the cases about it are skipped by name.
"""

from __future__ import annotations

import asyncio

from gapless.drivers.balancers.base import Drained, Evidence, MemberState
from gapless.errors import FloorBroken
from gapless.model import Instance
from gapless.testing.balancer_members import MemberCases
from gapless.testing.balancer_nodes import NodeCases
from gapless.testing.balancer_rig import (
    PATIENCE,
    BalancerRig,
    Loosen,
    both,
    no_worse,
    reported,
    states,
    traffic_error,
    until,
)

__all__ = ["PATIENCE", "BalancerRig", "BalancerSuite", "Loosen", "until"]


class BalancerSuite(NodeCases, MemberCases):
    """The cases. Each gets a rig of its own."""

    def test_a_drained_instance_gets_no_new_request(self) -> None:
        """Out means out, on every node."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            drained = await balancer.drain(rig.instance, ())
            assert drained.left == 0
            assert no_worse(drained.evidence, balancer.capabilities().drain_evidence)
            assert states(drained.members) == {MemberState.DRAINED}
            for node in range(rig.nodes):
                assert {await rig.ask(node) for _ in range(8)} <= {rig.other.host, ""}

        self.play(case)

    def test_a_drain_lasts_as_long_as_the_slowest_request(self) -> None:
        """Not idle while one node has one request in flight, idle right after."""

        async def case(rig: BalancerRig) -> None:
            for node in range(rig.nodes):
                loosen = await rig.hold(node)
                balancer = rig.balancer()
                drain = asyncio.create_task(balancer.drain(rig.instance, ()))
                await reported(balancer, rig.instance, MemberState.DRAINING)
                assert not (await asyncio.wait({drain}, timeout=0.5))[0], "idle is not true yet"
                await loosen()
                drained = await asyncio.wait_for(drain, PATIENCE)
                promised = balancer.capabilities().drain_evidence
                assert no_worse(drained.evidence, promised) and drained.left == 0
                assert drained.seconds >= 0.5
                await balancer.admit(rig.instance, ())

        self.play(case, "hold")

    def test_requests_left_at_the_limit_are_counted_when_told_to_proceed(self) -> None:
        """Proceed, but never as if all had ended."""

        async def case(rig: BalancerRig) -> None:
            loosen = await rig.hold(0)
            balancer = rig.balancer(drain_timeout="500ms", on_drain_timeout="proceed")
            drained = await balancer.drain(rig.instance, ())
            assert drained.left == 1 and drained.evidence is Evidence.TIMED
            await loosen()

        self.play(case, "hold")

    def test_at_the_limit_a_drain_that_must_not_cut_gives_the_instance_back(self) -> None:
        """Fail: an error with the numbers, and the instance serves again."""

        async def case(rig: BalancerRig) -> None:
            loosen = await rig.hold(0)
            balancer = rig.balancer(drain_timeout="500ms", on_drain_timeout="fail")
            error = await traffic_error(balancer.drain(rig.instance, ()))
            assert "1 open" in error.what and "admitted again" in error.what and error.evidence
            assert states(await balancer.members(rig.instance)) == {MemberState.UP}
            await loosen()

        self.play(case, "hold", "words")

    def test_draining_twice_and_admitting_twice_is_harmless(self) -> None:
        """What holds already is fine."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            for _ in range(2):
                await balancer.drain(rig.instance, ())
            for _ in range(2):
                members = await balancer.admit(rig.instance, ())
                assert len(members) == rig.nodes and states(members) == {MemberState.UP}
            assert await balancer.serving(both(rig)) == 2

        self.play(case)

    def test_an_admitted_instance_is_up_and_answers(self) -> None:
        """Up is what every node reports, not what was ordered."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            await balancer.drain(rig.instance, ())
            assert await balancer.serving(both(rig)) == 1
            assert await balancer.serving([rig.instance]) == 0
            assert await balancer.serving([rig.other]) == 1
            members = await balancer.admit(rig.instance, ())
            assert all(member.checked for member in members)
            for node in range(rig.nodes):
                answers = {await rig.ask(node) for _ in range(8)}
                assert answers == {rig.instance.host, rig.other.host}

        self.play(case)

    def test_an_instance_seen_down_is_not_admitted_before_it_is_up(self) -> None:
        """Restarted while drained, it may still be DOWN when it is told to be ready."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            await balancer.drain(rig.instance, ())
            await rig.healthy(False)
            admit = asyncio.create_task(balancer.admit(rig.instance, ()))
            assert not (await asyncio.wait({admit}, timeout=1.5))[0], "admitted while down"
            assert await balancer.serving(both(rig)) == 1
            await rig.healthy(True)
            members = await asyncio.wait_for(admit, PATIENCE)
            assert states(members) == {MemberState.UP} and all(m.checked for m in members)

        self.play(case, "checks")

    def test_an_optimistic_up_is_not_believed(self) -> None:
        """Out of maintenance some report UP before any check: nothing may reach it until one."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer(admit_timeout="1s")
            await rig.healthy(False)
            for node in range(rig.nodes):
                await rig.maintenance(node)
            admit = asyncio.create_task(traffic_error(balancer.admit(rig.instance, ())))
            while not admit.done():
                for node in range(rig.nodes):
                    assert await rig.ask(node) in (rig.other.host, "")
                await asyncio.sleep(0.005)
            assert str(rig.instance) in (await admit).what

        self.play(case, "checks")

    def test_an_error_names_what_every_node_said(self) -> None:
        """An instance that stays down is an error with the nodes' own words."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer(admit_timeout="500ms")
            await balancer.drain(rig.instance, ())
            await rig.healthy(False)
            await reported(balancer, rig.instance, None)
            error = await traffic_error(balancer.admit(rig.instance, ()))
            for member in await balancer.members(rig.instance):
                assert f"{member.node}:" in error.evidence

        self.play(case, "checks", "words")

    def test_a_node_that_is_gone_is_an_error_before_anything_is_changed(self) -> None:
        """All nodes or none."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            await rig.stop(rig.nodes - 1)
            error = await traffic_error(balancer.drain(rig.instance, ()))
            assert error.evidence and error.next
            if rig.nodes > 1:
                answers = {await rig.ask(0) for _ in range(8)}
                assert rig.instance.host in answers
            await traffic_error(balancer.serving(both(rig)))

        self.play(case, "silence")

    def test_a_drain_forgotten_in_a_restart_is_ordered_again(self) -> None:
        """State is lost with the process: noticed, ordered again, and no longer called counted."""

        async def case(rig: BalancerRig) -> None:
            loosen = await rig.hold(0)
            balancer = rig.balancer(drain_timeout="4s")
            drain: asyncio.Task[Drained] = asyncio.create_task(balancer.drain(rig.instance, ()))
            await reported(balancer, rig.instance, MemberState.DRAINING)
            await rig.restart(0)
            await loosen()
            drained = await asyncio.wait_for(drain, PATIENCE)
            assert drained.evidence is Evidence.TIMED
            assert states(drained.members) == {MemberState.DRAINED}
            assert {await rig.ask(0) for _ in range(8)} <= {rig.other.host, ""}

        self.play(case, "hold", "restart")

    def test_a_silent_node_is_waited_for_and_never_taken_for_idle(self) -> None:
        """One node goes silent in the middle of a drain: not done, not failed, until it is back."""

        async def case(rig: BalancerRig) -> None:
            loosen = await rig.hold(0)
            # Longer than a node needs to come back on a busy machine, and waited for whole: the
            # connections of the process that is gone cannot be counted.
            balancer = rig.balancer(drain_timeout="25s")
            drain: asyncio.Task[Drained] = asyncio.create_task(balancer.drain(rig.instance, ()))
            await reported(balancer, rig.instance, MemberState.DRAINING)
            await rig.stop(0)
            assert not (await asyncio.wait({drain}, timeout=1.0))[0], "silence is not idle"
            await rig.restart(0)
            await loosen()
            drained = await asyncio.wait_for(drain, 25 + PATIENCE)
            assert states(drained.members) == {MemberState.DRAINED}

        self.play(case, "hold", "restart", "silence")

    def test_a_node_silent_to_the_limit_is_an_error_though_told_to_proceed(self) -> None:
        """Nobody knows what it still sends."""

        async def case(rig: BalancerRig) -> None:
            loosen = await rig.hold(0)
            # longer than a busy node needs to be seen draining
            limits = {"drain_timeout": "8s", "admit_timeout": "500ms"}
            balancer = rig.balancer(on_drain_timeout="proceed", **limits)
            drain = asyncio.create_task(traffic_error(balancer.drain(rig.instance, ())))
            await reported(balancer, rig.instance, MemberState.DRAINING)
            await rig.stop(0)
            error = await asyncio.wait_for(drain, PATIENCE)
            assert "not be admitted again" in error.what
            await loosen()

        self.play(case, "hold", "silence")

    def test_an_unknown_instance_is_an_error_that_names_the_known_ones(self) -> None:
        """A typo must not look like a drained instance."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            stranger = Instance(rig.instance.service, f"x{rig.instance.host}")
            assert states(await balancer.members(stranger)) == {MemberState.MISSING}
            for verb in (balancer.drain, balancer.admit):
                error = await traffic_error(verb(stranger, ()))
                assert error.evidence

        self.play(case, "missing")

    def test_rubbish_is_an_error_with_the_rubbish(self) -> None:
        """What cannot be read is never read as good."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            await rig.nonsense(0)
            for verb in (balancer.drain, balancer.admit):
                error = await traffic_error(verb(rig.instance, ()))
                assert "nonsense" in error.what and "xyzzy" in error.evidence

        self.play(case, "nonsense")

    def test_the_floor_of_the_balancer_holds(self) -> None:
        """Too few others: refused, and nothing changed."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer(floor=2)
            try:
                await balancer.drain(rig.instance, ())
            except FloorBroken:
                assert await balancer.serving(both(rig)) == 2
            else:
                raise AssertionError("the floor did not hold")

        self.play(case, "floor")

    def test_taking_out_what_is_down_costs_nothing(self) -> None:
        """The floor is about those that serve: a server that is down may always go out."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer(floor=2)
            await rig.healthy(False)

            async def down() -> bool:
                return states(await balancer.members(rig.instance)) == {MemberState.DOWN}

            await until(down, "every node reports it down")
            drained = await balancer.drain(rig.instance, ())
            assert MemberState.UP not in states(drained.members)

        self.play(case, "floor", "checks")

    def test_what_it_says_of_itself_is_true(self) -> None:
        """As many members as nodes."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            assert balancer.capabilities().nodes == rig.nodes == len(balancer.hosts)
            assert len(await balancer.members(rig.instance)) == rig.nodes
            assert (await balancer.counters(rig.instance)).errors == 0

        self.play(case)
