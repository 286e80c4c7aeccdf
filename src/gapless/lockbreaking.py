"""Taking a lock away on the hosts that know it."""

from __future__ import annotations

import asyncio
import os
import socket
import time

from gapless.drivers.transports.base import Claim
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import TransportError


async def break_on_hosts(
    project: str, service: str, assembly: ProjectAssembly, actor: str, reason: str
) -> tuple[str, ...]:
    """Claim over every holder and give it back; returns hosts that could not be reached."""
    nodes = [node for balancer in assembly.balancers(service) for node in balancer.hosts]
    hosts = list(dict.fromkeys([*assembly.hosts_of(service), *nodes]))
    claim = Claim(
        f"{project}.{service}", f"lock-break-{os.getpid()}", actor, socket.gethostname(),
        os.getpid(), time.time(), reason or "lock break",
    )  # fmt: skip
    results = await asyncio.gather(*(_break(assembly, host, claim) for host in hosts))
    return tuple(host for host, reached in zip(hosts, results, strict=True) if not reached)


async def _break(assembly: ProjectAssembly, host: str, claim: Claim) -> bool:
    transport = assembly.transport(host)
    try:
        await transport.connect()
        claimed = await transport.claim(claim, take_over=True)
        if claimed.fence is not None:
            await transport.release(claimed.fence)
    except TransportError:
        return False
    return True
