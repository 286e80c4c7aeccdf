"""The contract, kept by both runtimes."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from gapless.config.hosts import HostConfig
from gapless.config.services import CommandRuntimeConfig, SystemdConfig
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.command import CommandRuntime
from gapless.drivers.runtimes.systemd import SystemdRuntime
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.testing.runtime_suite import RuntimeSuite
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World


class FakeSystemd:
    folder = "/var/lib/gapless/snapshots/r1"

    async def open(self) -> tuple[Transport, Runtime]:
        world = World()
        self.unit = world.host("web1").add_unit("shop.service", restart=False)
        self.unit.run_already()
        transport = world.transport("web1")
        await transport.connect()
        return transport, SystemdRuntime(SystemdConfig(unit="shop"), "shop")

    async def kill(self) -> None:
        self.unit.crash()


class TestSystemdOnTheFake(RuntimeSuite):
    def bench(self) -> FakeSystemd:
        return FakeSystemd()

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        run_virtual(case)


CONTROL = """
import os, pathlib, signal, subprocess, sys, time
pidfile = pathlib.Path(sys.argv[2])
def pid():
    try:
        number = int(pidfile.read_text())
        os.kill(number, 0)
        return number
    except (OSError, ValueError):
        return 0
def stop():
    if pid():
        os.kill(pid(), signal.SIGKILL)
    pidfile.unlink(missing_ok=True)
if sys.argv[1] == "start" and not pid():
    sleeper = subprocess.Popen(["sleep", "60"], start_new_session=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pidfile.write_text(str(sleeper.pid))
elif sys.argv[1] == "stop":
    stop()
elif sys.argv[1] == "status":
    print(pid())
    sys.exit(0 if pid() and pidfile.exists() else 3)
"""


class RealProgram:
    """Commands that control a process of this machine through a real transport."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = f"{self._folder.name}/snapshots"

    async def open(self) -> tuple[Transport, Runtime]:
        home = Path(self._folder.name)
        (home / "control.py").write_text(CONTROL)
        argv = [sys.executable, "-I", "-S", str(home / "control.py")]
        verbs = {verb: [*argv, verb, str(home / "pid")] for verb in ("start", "stop", "status")}
        self._stop = verbs["stop"]
        self._transport = LocalTransport(
            "web1", HostConfig(transport="local", state_dir=str(home / "state"), sudo=False)
        )
        await self._transport.connect()
        runtime = CommandRuntime(CommandRuntimeConfig.model_validate(verbs), "shop")
        await self._system(*verbs["start"])
        return self._transport, runtime

    async def kill(self) -> None:
        await self._system(*self._stop)

    @staticmethod
    async def _system(*argv: str) -> None:
        await (await asyncio.create_subprocess_exec(*argv)).wait()

    async def close(self) -> None:
        await self.kill()
        self._folder.cleanup()


class TestCommandsOnThisMachine(RuntimeSuite):
    def bench(self) -> RealProgram:
        self.made = RealProgram()
        return self.made

    def run(self, case: Coroutine[Any, Any, None]) -> None:
        async def main() -> None:
            try:
                await case
            finally:
                await self.made.close()

        asyncio.run(main())
