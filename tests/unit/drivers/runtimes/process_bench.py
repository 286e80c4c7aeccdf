"""A supervised process of this machine, through a real transport."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from gapless.config.hosts import HostConfig
from gapless.config.process_service import ProcessRuntimeConfig
from gapless.drivers.runtimes.base import Replacement, Runtime
from gapless.drivers.runtimes.process import ProcessRuntime
from gapless.drivers.runtimes.process_pair import ProcessPair
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.model import CriticalAction
from tests.ports import free_port
from tests.supervisor.rig import serve

GAPLESS = str(Path(sys.executable).with_name("gapless"))


class RealProcess:
    """The small web server behind ``gapless run``; ``run`` is where supervisors are found."""

    names = ("shop",)

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.home = Path(self._folder.name)
        self.folder = f"{self.home}/snapshots"
        self.written = {
            "gapless": GAPLESS,
            "command": list(serve("--notify")),
            "listen": f"127.0.0.1:{free_port()}",
            "ready": {"notify": True},
            "settle": "50ms",
            "start_timeout": "10s",
            "stop": {"timeout": "2s"},
        }

    def runtime(self, **changes: object) -> ProcessRuntime:
        """A driver, with other settings."""
        config = ProcessRuntimeConfig.model_validate({**self.written, **changes})
        return ProcessRuntime(config, "shop", state=lambda _host: f"{self.home}/state")

    def pair(self, **changes: object) -> ProcessPair:
        """A driver of two, each at a port of its own."""
        self.ports = free_port(), free_port()
        listen = f"127.0.0.1:{{slot:{self.ports[0]}|{self.ports[1]}}}"
        own = {"name": "shop-{slot}", "listen": listen}
        config = ProcessRuntimeConfig.model_validate({**self.written, **own, **changes})
        return ProcessPair(config, "shop", state=lambda _host: f"{self.home}/state")

    async def connected(self) -> Transport:
        """A transport whose commands find only our supervisors."""
        os.environ["GAPLESS_RUN_DIR"] = f"{self.home}/run"
        config = HostConfig(
            transport="local", state_dir=f"{self.home}/state", sudo=False, python=sys.executable
        )
        self.transport = LocalTransport("web1", config)
        await self.transport.connect()
        return self.transport

    async def open(self) -> tuple[Transport, Runtime]:
        transport, runtime = await self.connected(), self.runtime()
        await self.stage(runtime)
        await perform(transport, await self.bring(runtime))
        return transport, runtime

    async def stage(self, runtime: ProcessRuntime | ProcessPair) -> None:
        """As a deploy does."""
        staged = self.home / "staged"
        staged.mkdir(exist_ok=True)
        written = runtime._config.run_file("shop", None)
        (staged / "shop.json").write_bytes(written)

    def stage_for_handover(self, pair: ProcessPair) -> None:
        """The same, of a service whose copies hand over."""
        written = pair._config.run_file("shop", None, hands_over=True)
        (self.home / "staged" / "shop.json").write_bytes(written)

    async def bring(self, runtime: Runtime) -> Replacement:
        """What a deploy would run."""
        now = await runtime.observe(self.transport)
        install = {str(self.home / "staged" / "shop.json"): runtime.home("web1", now)}
        return await runtime.replacement(self.transport, install, False)

    async def kill(self) -> None:
        """Stopped by somebody."""
        for name in self.names:
            words = (GAPLESS, "run", "stop", name)
            quiet = asyncio.subprocess.DEVNULL
            await (await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=quiet)).wait()

    async def close(self) -> None:
        """Nothing goes on running."""
        await self.kill()
        os.environ.pop("GAPLESS_RUN_DIR", None)
        self._folder.cleanup()

    def supervisor(self) -> str:
        """What it was told to be."""
        return str(json.loads((self.home / "state/processes/shop.json").read_text())["name"])


class RealPair(RealProcess):
    """Two of them; the one in slot a runs."""

    names = ("shop-a", "shop-b")

    async def open(self) -> tuple[Transport, Runtime]:
        transport, pair = await self.connected(), self.pair()
        await self.stage(pair)
        await perform(transport, await self.bring(pair))
        return transport, pair


async def perform(transport: Transport, replacement: Replacement) -> bool:
    """As one critical action; whether it succeeded."""
    key = f"bench-{asyncio.get_running_loop().time()}"
    action = CriticalAction(key, replacement.commands, None, replacement.timeout)
    return (await transport.act(action)).ok
