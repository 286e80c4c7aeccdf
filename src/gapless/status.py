"""What runs where, asked now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gapless.drivers.balancers.base import MemberState
from gapless.drivers.checks import asking
from gapless.engine.project_assembly import ProjectAssembly
from gapless.engine.steps.health import worst
from gapless.errors import GaplessError
from gapless.inventory.inventory import Inventory
from gapless.model import Instance, Verdict, VerdictStatus


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One instance. ``since`` seconds since the epoch; ``serving`` what its balancers report
    ("" without one); ``verdict`` INCONCLUSIVE when nobody could be asked."""

    service: str
    host: str
    state: str
    release: str = ""
    identity: str = ""
    since: float | None = None
    restarts: int | None = None
    serving: str = ""
    verdict: Verdict | None = None
    error: str = ""

    @property
    def healthy(self) -> bool:
        """Whether it runs and its checks passed."""
        return self.state == "running" and (self.verdict is None or self.verdict.passed)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "service": self.service,
            "host": self.host,
            "state": self.state,
            "release": self.release,
            "identity": self.identity,
            "since": self.since,
            "restarts": self.restarts,
            "serving": self.serving,
            "verdict": self.verdict.to_json() if self.verdict else None,
            "error": self.error,
        }


async def ask_status(
    assembly: ProjectAssembly, inventory: Inventory, services: Sequence[str]
) -> list[StatusRow]:
    """One row per instance, in the order of the file."""
    instances = [i for name in services for i in inventory.instances(name)]
    gate = asyncio.Semaphore(assembly.config.defaults.connections)

    async def ask(instance: Instance) -> StatusRow:
        async with gate:
            return await _row(assembly, instance)

    return list(await asyncio.gather(*(ask(instance) for instance in instances)))


async def _row(assembly: ProjectAssembly, instance: Instance) -> StatusRow:
    service, host = instance.service, instance.host
    transport = assembly.transport(host)
    try:
        await transport.connect()
        seen = await assembly.runtime(service).observe(transport)
        release = assembly.release(service)
        current = await release.current(transport) if release else None
        probes = assembly.health(service, host)
        verdicts = await asking.once(transport, lambda: assembly.transport(""), probes)
        serving = await _serving(assembly, instance)
    except GaplessError as error:
        unknown = Verdict(VerdictStatus.INCONCLUSIVE, "contact", f"ask {host}", error.what)
        return StatusRow(service, host, "unknown", verdict=unknown, error=str(error))
    verdict = worst(verdicts) or (verdicts[-1] if verdicts else None)
    return StatusRow(
        service,
        host,
        seen.state.value,
        current.name if current else "",
        seen.identity,
        seen.since,
        seen.restarts,
        serving,
        verdict,
    )


async def _serving(assembly: ProjectAssembly, instance: Instance) -> str:
    states: set[str] = set()
    for balancer in assembly.balancers(instance.service):
        try:
            members = await balancer.members(instance)
        except GaplessError as error:
            return f"{balancer.name}: {error.what}"
        states.update(member.state.value for member in members)
    if states == {MemberState.UP.value}:
        return "up"
    return "/".join(sorted(states))
