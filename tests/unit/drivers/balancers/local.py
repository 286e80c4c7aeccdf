"""Just enough of a transport for a balancer: this machine, no helper."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from gapless.drivers.transports import codec
from gapless.drivers.transports.base import Probe, Tls, Transport
from gapless.errors import DeadlineExceeded, HostFault
from gapless.hostside import probes as hostside
from gapless.model import (
    Command,
    Completed,
    CriticalAction,
    Fence,
    Settled,
    Settlement,
    Verdict,
)


@dataclass
class Local:
    """exchange, run, ask and act; remembers the fences and actions it was given."""

    host: str = ""
    fences: list[Fence | None] = field(default_factory=list)
    actions: list[CriticalAction] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    async def connect(self) -> None:
        pass

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        self.fences.append(fence)
        self.said.append(data.decode())
        try:
            async with asyncio.timeout(timeout):
                if address.startswith("/"):
                    reader, writer = await asyncio.open_unix_connection(address)
                else:
                    host, _, port = address.rpartition(":")
                    reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(data)
                answer = await reader.read()
                writer.close()
                return answer
        except TimeoutError:
            raise DeadlineExceeded(f"no answer of {address}") from None
        except OSError as error:
            raise HostFault(f"{address}: {error}") from error

    async def run(self, command: Command) -> Completed:
        done = await asyncio.to_thread(
            subprocess.run, command.argv, capture_output=True, text=True, timeout=command.timeout
        )
        return Completed(command.argv, done.returncode, done.stdout, done.stderr, 0.0)

    async def ask(
        self, probes: Sequence[Probe], *, passes: int, every: float, within: float
    ) -> tuple[Verdict, ...]:
        assert (passes, within) == (1, 0), "once"
        asked = [
            asyncio.to_thread(
                hostside.probe, codec.probe_to_json(probe), probe.answer, threading.Event()
            )
            for probe in probes
        ]
        return codec.verdicts(await asyncio.gather(*asked))

    async def act(self, action: CriticalAction) -> Settled:
        self.actions.append(action)
        return Settled(Settlement.DONE, tuple([await self.run(c) for c in action.commands]))


def transport(local: Any) -> Transport:
    """Say it is a whole one."""
    return cast(Transport, local)
