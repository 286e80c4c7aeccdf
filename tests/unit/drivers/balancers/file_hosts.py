"""Hosts of balancers that are steered by files: each node has a folder for its file system."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from gapless.drivers.transports.base import Probe, Transport
from gapless.errors import HostFault
from gapless.hostside.calls import Call
from gapless.hostside.replacing import replace
from gapless.hostside.wire import pack_bytes
from gapless.model import Command, Completed, CriticalAction, Fence, Settled, Verdict

from .local import Local, transport
from .two_proxies import Proxy, TwoProxies


class Watched(Local):
    """This machine; remembers the commands run on it and the fences of files that were replaced,
    and may refuse to write a file."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.commands: list[Command] = []
        self.replaced: list[Fence | None] = []
        self.refuses = False

    async def run(self, command: Command) -> Completed:
        self.commands.append(command)
        if self.refuses and command.input:
            return Completed(command.argv, 1, "", "Read-only file system", 0.0)
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(command.input)
        assert process.returncode is not None
        return Completed(command.argv, process.returncode, out.decode(), err.decode(), 0.0)

    async def replace(
        self, path: str, old: str, content: bytes, fence: Fence | None = None
    ) -> bool:
        self.replaced.append(fence)
        if self.refuses:
            raise HostFault(f"cannot replace: {path}: Read-only file system")
        asked = {"path": path, "old": old, "content": pack_bytes(content), "fence": None}
        return await asyncio.to_thread(replace, Call(0, "replace", asked))


class At:
    """A host on which $NODE is its folder and every address that of its node."""

    def __init__(self, host: Watched, folder: Path, address: str = "") -> None:
        self._host = host
        self._folder = folder
        self._address = address

    async def connect(self) -> None:
        await self._host.connect()

    async def get(self, path: str, limit: int = 1 << 20) -> bytes | None:
        file = Path(self._fill(path))
        return file.read_bytes() if file.exists() else None

    async def replace(
        self, path: str, old: str, content: bytes, fence: Fence | None = None
    ) -> bool:
        return await self._host.replace(self._fill(path), old, content, fence)

    async def exchange(self, address: str, data: bytes, *more: object) -> bytes:
        return await self._host.exchange(self._address, data)

    async def ask(
        self, probes: Sequence[Probe], *, passes: int, every: float, within: float
    ) -> tuple[Verdict, ...]:
        return await self._host.ask(probes, passes=passes, every=every, within=within)

    async def run(self, command: Command) -> Completed:
        return await self._host.run(self._here(command))

    async def act(self, action: CriticalAction) -> Settled:
        commands = tuple(self._here(command) for command in action.commands)
        return await self._host.act(
            CriticalAction(action.key, commands, action.fence, action.timeout)
        )

    def _here(self, command: Command) -> Command:
        argv = tuple(map(self._fill, command.argv))
        return Command(argv, timeout=command.timeout, input=command.input)

    def _fill(self, word: str) -> str:
        return word.replace("$NODE", str(self._folder))


class BesideFile(Proxy):
    """A proxy that follows a file in its folder; ``control`` is the address of its API, if it has
    one."""

    control = ""
    file: Path

    def rewrite(self, text: str) -> None:
        """As anybody else would: a file beside it, renamed."""
        new = self.folder / "new"
        new.write_text(text)
        new.rename(self.file)


P = TypeVar("P", bound=BesideFile)


class TwoBesideFiles(TwoProxies[P, Watched]):
    """In real life each node has its own host; here the transport fills in its folder."""

    def host(self, name: str, proxy: P) -> Watched:
        return Watched(name)

    def address(self, host: str) -> str:
        """Each application has a port of its own in the place of an address."""
        return next((str(app.port) for app in self.apps if app.name == host), "1")

    def reach(self, host: str) -> Transport:
        proxy = self.proxies[int(host[-1]) - 1]
        return transport(At(self.locals[host], proxy.folder, proxy.control))

    async def refuse(self, node: int, refuses: bool) -> None:
        self.locals[f"lb{node + 1}"].refuses = refuses
