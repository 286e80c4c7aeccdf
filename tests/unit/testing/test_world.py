"""What the fakes do when something goes wrong: the ground every simulation stands on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.drivers.transports.base import Probe
from gapless.errors import (
    DeadlineExceeded,
    HostFault,
    LostContact,
    PrivilegeRefused,
    TrafficError,
    Unreachable,
)
from gapless.model import Command, CriticalAction, Instance, Settlement
from gapless.testing.fake_traffic import FakeBalancer, Traffic
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.fake_unit import NEVER_READY, NEVER_STARTS, Behaviour, FakeUnit
from gapless.testing.faults import Fault, What, When
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World

UNIT = "shop.service"
RESTART = Command(("systemctl", "restart", UNIT), timeout=60.0)
HEALTH = Probe("http", "http", {"url": "http://localhost:80/", "expect": {"status": ["200"]}})
Case = Callable[[World, FakeTransport, FakeUnit], Awaitable[None]]


def play(case: Case) -> World:
    """Run a case with one connected host that runs one healthy unit."""
    world = World()

    async def main() -> None:
        unit = world.host("web1").add_unit(UNIT, service="shop", port=80)
        transport = world.transport("web1")
        await transport.connect()
        unit.run_already()
        await case(world, transport, unit)

    run_virtual(main())
    return world


def action(key: str = "k") -> CriticalAction:
    return CriticalAction(key, (RESTART,), timeout=90.0)


def test_a_restart_gives_a_new_identity_and_blocks_until_ready() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        before = await transport.unit(UNIT, ("InvocationID", "MainPID"))
        settled = await transport.act(action())
        after = await transport.unit(UNIT, ("InvocationID", "MainPID", "ActiveState"))
        assert settled.ok
        assert after["ActiveState"] == "active"
        assert after["InvocationID"] != before["InvocationID"]
        assert after["MainPID"] != before["MainPID"]
        assert not unit.serving
        assert all(v.passed for v in await transport.ask([HEALTH], passes=2, every=0.1, within=5.0))

    assert [deed.what for deed in play(case).history] == ["restart"]


def test_lost_contact_while_acting_does_not_stop_the_action() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.faults.add(Fault(What.LOST, When.DURING, verb="act"))
        with pytest.raises(LostContact):
            await transport.act(action())
        with pytest.raises(LostContact):
            await transport.settle("k")
        await transport.connect()
        assert (await transport.settle("k")).ok
        assert (await transport.act(action())).ok

    assert len(play(case).deeds("restart")) == 1


def test_an_answer_that_is_lost_after_the_deed_leaves_it_done() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.faults.add(Fault(What.LOST, When.AFTER, verb="act"))
        with pytest.raises(LostContact):
            await transport.act(action())
        assert unit.running

    assert len(play(case).deeds("restart")) == 1


def test_what_fails_before_it_begins_leaves_no_trace() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.faults.add(Fault(What.UNREACHABLE, verb="act", seconds=3.0))
        with pytest.raises(Unreachable):
            await transport.act(action())
        with pytest.raises(Unreachable):
            await transport.connect()
        await asyncio.sleep(3.0)
        await transport.connect()
        assert (await transport.settle("k")).status is Settlement.NEVER

    assert play(case).history == []


def test_a_reboot_loses_the_action_and_brings_enabled_units_back() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        before = unit.invocation
        world.faults.add(Fault(What.REBOOT, When.DURING, verb="act", seconds=20.0))
        with pytest.raises(LostContact):
            await transport.act(action())
        with pytest.raises(Unreachable):
            await transport.connect()
        await asyncio.sleep(25.0)
        await transport.connect()
        assert (await transport.settle("k")).status is Settlement.LOST
        assert unit.serving
        assert unit.invocation != before

    assert [d.what for d in play(case).history] == ["restart", "power off", "power on", "boot"]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (What.DEADLINE, DeadlineExceeded),
        (What.HOST_FAULT, HostFault),
    ],
)
def test_other_faults_are_the_errors_of_the_contract(what: What, error: type[Exception]) -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.faults.add(Fault(what, verb="put"))
        with pytest.raises(error):
            await transport.put(b"x", "/etc/x")
        world.host("web1").files.mkdir("/etc")
        await transport.put(b"x", "/etc/x")

    play(case)


def test_a_command_that_fails_does_nothing() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.faults.add(Fault(What.EXIT, verb="act", about="restart", status=4))
        settled = await transport.act(action())
        assert settled.status is Settlement.DONE
        assert settled.completed[-1].status == 4

    assert play(case).history == []


def test_skip_and_times_choose_the_call() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.faults.add(Fault(What.HOST_FAULT, verb="facts", skip=1, times=2))
        await transport.facts()
        for _ in range(2):
            with pytest.raises(HostFault):
                await transport.facts()
        await transport.facts()
        assert len(world.faults.struck) == 2

    play(case)


def test_a_command_dies_with_its_session_and_an_action_does_not() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        acting = asyncio.create_task(transport.act(action()))
        await asyncio.sleep(0.05)
        world.kill_controller()
        with pytest.raises(LostContact):
            await acting
        await asyncio.sleep(2.0)
        assert unit.serving

    play(case)


def test_a_caller_that_is_cancelled_is_cancelled_and_not_told_another_story() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        acting = asyncio.create_task(transport.act(action()))
        await asyncio.sleep(0.05)
        acting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await acting
        await transport.settle("k")
        assert unit.running

    play(case)


def test_without_privilege_nothing_privileged_runs() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.host("web1").privileged = False
        with pytest.raises(PrivilegeRefused):
            await transport.act(action())
        assert (await transport.run(Command(("true",), privileged=False))).ok

    assert play(case).history == []


def test_a_full_disk_is_a_host_fault_or_a_failing_command() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.host("web1").files.full = True
        with pytest.raises(HostFault, match="No space"):
            await transport.put(b"x", "/etc/systemd/system/x")
        done = await transport.run(Command(("mkdir", "-p", "/new")))
        assert done.status == 1
        assert "No space" in done.stderr

    play(case)


def test_an_unknown_program_is_not_found() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        assert (await transport.run(Command(("make", "coffee")))).status == 127

    play(case)


def test_a_unit_that_never_starts_fails_its_command_and_is_tried_again() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        unit.next_starts = [NEVER_STARTS, NEVER_STARTS]
        settled = await transport.act(action())
        assert not settled.ok
        assert unit.sub == "auto-restart"
        await asyncio.sleep(5.0)
        assert unit.serving
        assert unit.restarts == 2

    play(case)


def test_the_start_limit_ends_a_fast_loop_until_it_is_reset() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        unit.normal = Behaviour(crash_after=0.2)
        await transport.act(action())
        await asyncio.sleep(10.0)
        assert (unit.active, unit.result) == ("failed", "start-limit-hit")
        unit.normal = Behaviour()
        assert not (await transport.act(action("again"))).ok
        await transport.run(Command(("systemctl", "reset-failed", UNIT)))
        assert (await transport.act(action("and again"))).ok

    play(case)


def test_a_reload_keeps_the_identity_and_serves_throughout() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        unit.can_reload = True
        world.hold_floor("shop", 1)
        before = unit.invocation
        assert (await transport.run(Command(("systemctl", "reload", UNIT)))).ok
        assert unit.serving
        assert unit.invocation == before
        unit.next_starts = [NEVER_READY]
        await transport.run(Command(("systemctl", "reload", UNIT)))
        assert not unit.serving

    world = play(case)
    with pytest.raises(AssertionError, match="the floor is 1"):
        world.check()


def test_the_floor_is_seen_at_the_moment_it_breaks() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.hold_floor("shop", 1)
        await transport.act(action())
        await asyncio.sleep(5.0)
        assert world.serving("shop") == 1

    world = play(case)
    assert "0 of shop serve" in world.breaches[0]


def test_traffic_is_drained_counted_and_admitted_after_a_check() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        traffic = Traffic(world, "edge", ("shop",), connections_last=2.0)
        balancer, instance = FakeBalancer(traffic), Instance("shop", "web1")
        drained = await balancer.drain(instance, ())
        assert drained.evidence is Evidence.COUNTED
        assert drained.seconds >= 2.0
        await transport.act(action())
        assert world.exposed("shop") == []
        (member,) = await balancer.admit(instance, ())
        assert member.state is MemberState.UP
        assert unit.serving

    assert [d.what for d in play(case).history] == ["drain", "restart", "admit"]


def test_a_restart_in_traffic_exposes_clients() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        Traffic(world, "edge", ("shop",))
        await transport.act(action())
        assert world.exposed("shop") == ["web1"]

    play(case)


@pytest.mark.parametrize("verb", ["drain", "admit"])
@pytest.mark.parametrize("what", [What.LIE, What.REFUSE])
def test_a_balancer_that_lies_or_refuses_is_found_out(verb: str, what: What) -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        balancer = FakeBalancer(Traffic(world, "edge", ("shop",)))
        instance = Instance("shop", "web1")
        if verb == "admit":
            await balancer.drain(instance, ())
        world.faults.add(Fault(what, host="balancer:edge", verb=verb, text="too many down"))
        with pytest.raises(TrafficError):
            await getattr(balancer, verb)(instance, ())

    play(case)


def test_the_same_seed_takes_the_same_course() -> None:
    def course() -> list[str]:
        async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
            unit.normal = Behaviour(crash_after=3.0)
            await transport.act(action())
            await asyncio.sleep(60.0)

        world = play(case)
        return [*map(str, world.history), *(unit.invocation for unit in world.units("shop"))]

    assert course() == course()
