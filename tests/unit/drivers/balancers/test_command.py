"""The command driver: the suite, and what is particular to it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.errors import LostContact, TrafficError
from gapless.model import CriticalAction, Fence, Settled, Settlement
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite

from .command_rig import CommandRig, command_rig


class TestCommand(BalancerSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return command_rig(self.folder)


@pytest.fixture
def rig(tmp_path: Path) -> CommandRig:
    return CommandRig(tmp_path)


def test_without_a_state_command_a_drain_is_only_timed(rig: CommandRig) -> None:
    balancer = rig.balancer(command={"state": None}, drain_timeout="300ms")
    assert balancer.capabilities().drain_evidence is Evidence.TIMED

    async def case() -> None:
        assert await balancer.serving([rig.instance, rig.other]) is None
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.TIMED and drained.seconds >= 0.3
        assert await rig.ask(0) == rig.other.host
        members = await balancer.admit(rig.instance, ())
        assert {member.state for member in members} == {MemberState.UNKNOWN}
        assert all(not m.checked and "not observed" in m.raw for m in members)
        assert await balancer.serving([rig.instance, rig.other]) is None

    asyncio.run(case())


def test_an_instance_of_which_nothing_is_known_is_not_up(rig: CommandRig) -> None:
    say = ["sh", "-c", "[ {host} = web1.shop.example ] && echo up || exit 4"]
    balancer = rig.balancer(command={"state": say})

    async def case() -> None:
        assert await balancer.serving([rig.instance, rig.other]) == 1
        await rig.stop(1)
        with pytest.raises(TrafficError, match="could not be run on lb2"):
            await balancer.serving([rig.instance, rig.other])

    asyncio.run(case())


def test_a_word_without_a_number_is_inferred(rig: CommandRig) -> None:
    say = ["sh", "-c", "[ -e $NODE/{host}.out ] && echo drained || echo up"]

    async def case() -> None:
        drained = await rig.balancer(command={"state": say}).drain(rig.instance, ())
        assert drained.evidence is Evidence.INFERRED

    asyncio.run(case())


def test_down_after_our_drain_is_drained(rig: CommandRig) -> None:
    """A balancer that only says "down" of what was taken out and stopped."""
    say = ["sh", "-c", "[ -e $NODE/{host}.out ] && echo down || echo up"]

    async def case() -> None:
        balancer = rig.balancer(command={"state": say})
        await balancer.drain(rig.instance, ())
        # another controller that resumes does not know who took it out, and can still put it back
        members = await rig.balancer(command={"state": say}).admit(rig.instance, ())
        assert {member.state for member in members} == {MemberState.UP}

    asyncio.run(case())


def test_orders_are_critical_actions_with_keys_of_their_own(rig: CommandRig) -> None:
    async def case() -> None:
        for number in (4, 5):  # a resumed rollout: a new driver, a higher fence
            fences = [Fence("shop.api", "r1", number)] * 2
            balancer = rig.balancer()
            for _ in range(2):
                await balancer.drain(rig.instance, fences)
                await balancer.admit(rig.instance, fences)

    asyncio.run(case())
    for host in rig.locals.values():
        keys = [action.key for action in host.actions]
        assert len(set(keys)) == len(keys) == 8
        assert all(key.startswith("r1.") and "shop.api@web1" in key for key in keys)
        assert [action.fence.number for action in host.actions if action.fence] == [4] * 4 + [5] * 4


def test_a_lost_connection_asks_for_the_outcome_by_the_same_key(rig: CommandRig) -> None:
    seen: list[CriticalAction] = []
    host = rig.locals["lb1"]
    original = host.act

    async def cut_after_it_ran(action: CriticalAction) -> Settled:
        seen.append(action)
        if len(seen) == 1:
            await original(action)
            raise LostContact("cut")
        return Settled(Settlement.DONE, (await host.run(action.commands[0]),))

    host.act = cut_after_it_ran  # type: ignore[method-assign]
    asyncio.run(rig.balancer().drain(rig.instance, [Fence("shop.api", "r1", 1)] * 2))
    assert len(seen) == 2 and seen[0].key == seen[1].key


def test_a_lost_action_is_not_taken_for_done(rig: CommandRig) -> None:
    async def lost(action: CriticalAction) -> Settled:
        return Settled(Settlement.LOST)

    rig.locals["lb1"].act = lost  # type: ignore[method-assign]
    with pytest.raises(TrafficError, match="not known"):
        asyncio.run(rig.balancer().drain(rig.instance, [Fence("shop.api", "r1", 1)] * 2))


def test_a_failing_command_is_shown(rig: CommandRig) -> None:
    failing = ["sh", "-c", "echo no such pool >&2; exit 7"]
    with pytest.raises(TrafficError) as caught:
        asyncio.run(rig.balancer(command={"drain": failing}).drain(rig.instance, ()))
    assert "ended with 7" in caught.value.what and "no such pool" in caught.value.evidence


def test_fences_that_fit_no_node_are_a_bug_of_the_caller(rig: CommandRig) -> None:
    with pytest.raises(ValueError, match="3 fences for the 2 nodes"):
        asyncio.run(rig.balancer().drain(rig.instance, [Fence("s", "r", 1)] * 3))
