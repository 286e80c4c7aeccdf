"""A host with one unit, for tests that look at exact commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.systemd import SystemdRuntime
from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World

UNIT = "shop.service"
FILE = "/etc/systemd/system/shop.service"
DROPIN = "/etc/systemd/system/shop.service.d/limits.conf"
STORE = "/var/lib/gapless/snapshots/r1"


class Bench:
    """The world, and a driver with the settings of ``systemd:``."""

    def __init__(self, settings: dict[str, Any], unit: dict[str, Any], stops: float = 0.0) -> None:
        self.world = World()
        self.host: FakeHost = self.world.host("web1")
        self.unit: FakeUnit = self.host.add_unit(
            UNIT, content="[Service]\nExecStart=/old\n", **unit
        )
        self.transport: FakeTransport = self.world.transport("web1")
        self.runtime = SystemdRuntime(
            SystemdConfig.model_validate({"unit": UNIT, **settings}), "shop", stops=stops
        )

    async def run(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            done = await self.transport.run(command)
            assert done.ok or not command.check, done


def play(
    case: Callable[[Bench], Awaitable[None]],
    *,
    running: bool = True,
    stops: float = 0.0,
    **settings: Any,
) -> None:
    """Run a case; settings of the unit begin with ``unit_``."""
    unit = {k.removeprefix("unit_"): v for k, v in settings.items() if k.startswith("unit_")}
    rest = {k: v for k, v in settings.items() if not k.startswith("unit_")}

    async def main() -> None:
        bench = Bench(rest, unit, stops)
        await bench.transport.connect()
        if running:
            bench.unit.run_already()
        await case(bench)

    run_virtual(main())


def lines(commands: tuple[Command, ...]) -> list[str]:
    return [str(command) for command in commands]
