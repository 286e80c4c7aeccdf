"""What the fakes do with clocks that are set, keys that have changed, bytes that are no text."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest

from gapless.errors import HostKeyRejected
from gapless.model import Command
from gapless.testing.fake_files import FakeFiles
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.fake_unit import Behaviour, FakeUnit
from gapless.testing.faults import Fault, What
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World

UNIT = "shop.service"


def play(case: Callable[[World, FakeTransport, FakeUnit], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        unit = world.host("web1").add_unit(UNIT)
        transport = world.transport("web1")
        await transport.connect()
        unit.run_already()
        await case(world, transport, unit)

    run_virtual(main())


def test_setting_the_controllers_clock_leaves_those_of_hosts() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        before, here = await transport.facts(), world.clock.now()
        world.step_controller(3600.0)
        after = await transport.facts()
        assert world.clock.now() - here > 3599
        assert after.clock - before.clock < 1
        assert after.booted == before.booted

    play(case)


def test_a_host_stamps_its_journal_and_its_units_by_its_own_clock() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        world.host("web1").step_clock(-3600.0)
        started, here = world.clock.monotonic(), world.clock.now()
        await unit.restart()
        assert await transport.tail(UNIT, here) == ""
        assert f"Starting {UNIT}" in await transport.tail(UNIT, (await transport.facts()).clock - 5)
        assert (await transport.unit(UNIT, ["ActiveEnterTimestamp"]))[
            "ActiveEnterTimestamp"
        ].startswith("Wed 2025-12-31 23:00:0")
        assert world.clock.monotonic() - started < 5, "nobody waits by a wall clock"

    play(case)


def test_a_journal_holds_bytes_and_is_read_with_replacement() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        unit.normal = Behaviour(says=(b"caf\xe9", b"last"))
        await unit.restart()
        assert "caf\ufffd\nlast" in await transport.tail(UNIT, 0.0)

    play(case)


def test_another_host_key_is_refused_at_connect() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        await transport.close()
        world.faults.add(Fault(What.HOST_KEY, verb="connect", host="web1"))
        with pytest.raises(HostKeyRejected, match="not the host we know") as caught:
            await transport.connect()
        assert "presented" in caught.value.evidence
        assert not transport.connected
        await transport.connect()
        assert (await transport.run(Command(("true",)))).ok

    play(case)


def test_what_runs_on_a_host_is_told_apart_from_its_sessions() -> None:
    async def case(world: World, transport: FakeTransport, unit: FakeUnit) -> None:
        restarting = asyncio.create_task(
            transport.run(Command(("systemctl", "restart", UNIT), timeout=60.0))
        )
        await asyncio.sleep(0.05)
        assert len(world.host("web1").tasks) == 1
        assert restarting not in world.host("web1").tasks
        await restarting

    play(case)


def test_a_read_only_disk_gives_nothing_away() -> None:
    files = FakeFiles()
    files.write("/a", "1")
    files.read_only = True
    with pytest.raises(OSError, match="Read-only") as caught:
        files.remove("/a")
    assert caught.value.errno == errno.EROFS
    with pytest.raises(OSError, match="Read-only"):
        files.write("/b", "2")
    files.remove("/nothing/there")
    assert files.read("/a") == b"1"
