"""Two units that are one instance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.paired import Paired, copy_of
from gapless.drivers.runtimes.systemd_pair import SystemdPair, template
from gapless.drivers.transports.base import Transport
from gapless.model import Instance, InstanceState
from gapless.testing.runtime_suite import RuntimeSuite
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.unit.drivers.runtimes.bench import lines

WEB = Instance("shop", "web1")
STORE = "/var/lib/gapless/snapshots/r1"


class Bench:
    """Both units on a host of their own; a runs and is enabled."""

    folder = STORE

    def __init__(self) -> None:
        self.world = World()
        self.host = self.world.host("web1")
        a, b = (self._unit(slot) for slot in "ab")
        self.a, self.b = a, b
        a.run_already()
        self.pair = SystemdPair(SystemdConfig.model_validate({"unit": "shop@{slot}"}), "shop")
        self.transport = self.world.transport("web1")

    def _unit(self, slot: str):  # type: ignore[no-untyped-def]
        name = f"shop@{slot}.service"
        return self.host.add_unit(
            name, service="shop", slot=slot, restart=False, enabled=slot == "a"
        )

    async def open(self) -> tuple[Transport, Runtime]:
        await self.transport.connect()
        return self.transport, self.pair

    async def kill(self) -> None:
        self.a.crash()

    async def run(self, *commands: Any) -> None:
        for command in commands:
            done = await self.transport.run(command)
            assert done.ok or not command.check, done


def play(case: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        await bench.open()
        await case(bench)

    run_virtual(main())


class TestAsOneUnit(RuntimeSuite):
    """What is asked of the service as a whole is asked of the copy that serves."""

    def bench(self) -> Bench:
        return Bench()

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        run_virtual(case)


def test_the_copy_that_runs_serves_and_of_two_the_older_one() -> None:
    async def case(bench: Bench) -> None:
        assert isinstance(bench.pair, Paired)
        assert await bench.pair.live(bench.transport) == "a"
        await bench.b.start()
        assert await bench.pair.live(bench.transport) == "a"
        await bench.a.stop()
        assert await bench.pair.live(bench.transport) == "b"
        runtime, instance = await copy_of(bench.pair, bench.transport, WEB)
        assert (runtime.unit, instance.slot) == ("shop@b.service", "b")
        assert str(instance) == "shop@web1"

    play(case)


def test_where_none_runs_it_is_the_one_that_a_reboot_would_start() -> None:
    async def case(bench: Bench) -> None:
        await bench.a.stop()
        bench.a.enabled, bench.b.enabled = False, True
        assert await bench.pair.live(bench.transport) == "b"
        bench.host.files.remove(bench.a.fragment)
        bench.a.load()
        bench.b.load()
        assert await bench.pair.live(bench.transport) == ""

    play(case)


def test_a_second_copy_that_was_left_running_is_a_finding_with_its_end() -> None:
    async def case(bench: Bench) -> None:
        await bench.b.start()
        (told,) = [v for v in await bench.pair.preflight(bench.transport) if v.check == "copies"]
        assert not told.passed
        assert told.answer == "shop@b.service is running beside shop@a.service"
        assert told.wanted == "one of them; gapless resume, or: systemctl stop shop@b.service"

    play(case)


def test_the_new_copy_is_started_and_the_old_one_not_touched() -> None:
    async def case(bench: Bench) -> None:
        old = bench.a.invocation
        replacement = await bench.pair.copy("b").replacement(bench.transport, {}, True)
        assert lines(replacement.commands)[-1] == "systemctl restart -- shop@b.service"
        await bench.run(*replacement.commands)
        assert bench.a.running and bench.b.running
        assert bench.a.invocation == old

    play(case)


def test_what_ends_hands_its_place_after_a_reboot_to_the_other() -> None:
    async def case(bench: Bench) -> None:
        await bench.b.start()
        ending = await bench.pair.copy("a").ending(bench.transport)
        assert lines(ending.commands) == [
            "systemctl enable -- shop@b.service",
            "systemctl disable -- shop@a.service",
            "systemctl stop -- shop@a.service",
            "systemctl reset-failed -- shop@a.service",
            "systemctl show --property=ActiveState -- shop@a.service",
        ]
        await bench.run(*ending.commands)
        assert (bench.a.enabled, bench.b.enabled) == (False, True)
        state = (await bench.pair.copy("a").observe(bench.transport)).state
        assert state is InstanceState.STOPPED

    play(case)


def test_a_new_copy_that_ends_takes_its_unit_file_with_it() -> None:
    async def case(bench: Bench) -> None:
        kept = await bench.pair.copy("a").snapshot(bench.transport, STORE)
        before = bench.host.files.read(bench.a.fragment)
        bench.host.files.write("/staged/unit", "[Service]\nExecStart=/new\n", 0o600)
        new = bench.pair.copy("b")
        install = {"/staged/unit": new.home("web1", await new.observe(bench.transport))}
        await bench.run(*(await new.replacement(bench.transport, install, False)).commands)
        assert bench.host.files.read(bench.a.fragment) != before
        await bench.run(*(await new.ending(bench.transport, kept)).commands)
        assert bench.host.files.read(bench.a.fragment) == before
        assert bench.a.running and not bench.b.running
        assert (bench.a.enabled, bench.b.enabled) == (True, False)

    play(case)


@pytest.mark.parametrize(
    ("unit", "file"),
    [("shop@a.service", "shop@.service"), ("shop-a.service", "shop-a.service")],
)
def test_the_file_of_a_unit(unit: str, file: str) -> None:
    assert template(unit) == file
