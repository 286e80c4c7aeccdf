"""Taking a lock away on the hosts that know it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import dataclass, replace

from gapless.config.definitions import from_definitions
from gapless.config.problems import did_you_mean
from gapless.config.project import ProjectConfig
from gapless.drivers.transports.base import Claim
from gapless.engine.journal import Journal, LockRecord
from gapless.engine.left_out import drained_by
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import TransportError, UsageError
from gapless.lockholders import HostLock, places
from gapless.places import claim_name


@dataclass(frozen=True, slots=True)
class BrokenLock:
    """What was broken: the lock as it was here (None: nobody's), as hosts knew it, and the hosts
    that could not be reached and still obey the one they know."""

    held: LockRecord | None
    unreachable: tuple[str, ...] = ()
    on_hosts: tuple[HostLock, ...] = ()


def config_of_lock(
    config: ProjectConfig, journal: Journal, service: str, held: LockRecord | None
) -> ProjectConfig:
    """Where the hosts of a locked service stand: in the file, or for a service that is no longer in
    it in the plan of the rollout that owns it. Raises UsageError when nobody knows the service."""
    if service in config.services:
        return config
    if held is None:
        hint = did_you_mean(service, config.services)
        raise UsageError(f"unknown service '{service}'{hint and f' — {hint}'}", next="gapless lock")
    return from_definitions(journal.load(held.rollout)[1])


async def break_on_hosts(
    project: str,
    service: str,
    assembly: ProjectAssembly,
    actor: str,
    reason: str,
    journal: Journal,
) -> tuple[str, ...]:
    """Claim over every holder and give it back; returns hosts that could not be reached. Hosts that
    an ended rollout lost after it drained them are told that they were left out by us."""
    hosts = places(assembly, service)
    claim = Claim(
        f"{project}.{service}", f"lock-break-{os.getpid()}", actor, socket.gethostname(),
        os.getpid(), time.time(), reason or "lock break",
    )  # fmt: skip
    claims = {host: replace(claim, service=claim_name(project, service, host)) for host in hosts}
    drained = {
        lock.host
        for lock in journal.locks()
        if lock.service == service
        and lock.host
        and drained_by(journal, lock.rollout, service, lock.host)
    }
    results = await asyncio.gather(
        *(_break(assembly, host, claims[host], host in drained) for host in hosts)
    )
    return tuple(host for host, reached in zip(hosts, results, strict=True) if not reached)


async def _break(assembly: ProjectAssembly, host: str, claim: Claim, drained: bool) -> bool:
    transport = assembly.transport(host)
    try:
        await transport.connect()
        claimed = await transport.claim(claim, take_over=True)
        if claimed.fence is not None:
            if drained:
                await transport.remember(claimed.fence, {"left_out": True})
            await transport.release(claimed.fence)
    except TransportError:
        return False
    return True
