"""Who owns services, as the hosts know it: a rollout of another controller, or of one whose disk
is gone, is in no journal here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gapless.clock import within
from gapless.drivers.transports.base import Claimed
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import GaplessError
from gapless.places import claim_name

DEADLINE = 10.0
"""Seconds in which a host has to say who owns a service."""


@dataclass(frozen=True, slots=True)
class HostLock:
    """A service owned by a rollout. ``live``: its controller is connected to one of the hosts."""

    service: str
    rollout: str
    owner: str
    controller: str
    pid: int
    since: float
    reason: str
    live: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostLocks:
    """What hosts said, and why others said nothing."""

    locks: tuple[HostLock, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict)


async def ask_holders(
    assembly: ProjectAssembly, services: Sequence[str], deadline: float = DEADLINE
) -> HostLocks:
    """Ask all hosts and balancer nodes of the services at the same time."""
    project = assembly.config.project
    at: dict[str, list[str]] = {}
    for service in services:
        for host in places(assembly, service):
            at.setdefault(host, []).append(service)
    gate = asyncio.Semaphore(assembly.config.defaults.connections)

    async def ask(host: str) -> list[tuple[str, Claimed]]:
        async with gate, within(deadline):
            transport = assembly.transport(host)
            await transport.connect()
            return [
                (name, await transport.holder(claim_name(project, name, host))) for name in at[host]
            ]

    answers = await asyncio.gather(*(ask(host) for host in at), return_exceptions=True)
    found: dict[tuple[str, str], HostLock] = {}
    silent: dict[str, str] = {}
    for host, answer in zip(at, answers, strict=True):
        if isinstance(answer, BaseException):
            silent[host] = _why(answer, deadline)
            continue
        for service, claimed in answer:
            _note(found, service, host, claimed)
    return HostLocks(tuple(found.values()), silent)


def places(assembly: ProjectAssembly, service: str) -> list[str]:
    """Where a service is claimed: its hosts and the nodes of its balancers."""
    nodes = [node for balancer in assembly.balancers(service) for node in balancer.hosts]
    return list(dict.fromkeys([*assembly.hosts_of(service), *nodes]))


def _note(
    found: dict[tuple[str, str], HostLock], service: str, host: str, claimed: Claimed
) -> None:
    holder = claimed.holder
    if holder is None:
        return
    known = found.get((service, holder.rollout))
    if known is None:
        known = HostLock(
            service, holder.rollout, holder.owner, holder.controller, holder.pid, holder.since,
            holder.reason, False, (),
        )  # fmt: skip
    found[service, holder.rollout] = replace(
        known, live=known.live or claimed.live, hosts=(*known.hosts, host)
    )


def _why(error: BaseException, deadline: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {deadline:g} s"
    if isinstance(error, GaplessError):
        return error.what
    raise error
