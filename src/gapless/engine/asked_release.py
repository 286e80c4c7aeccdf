"""The release that an instance is asked for: ``{release}`` in its checks.

Before the switch it is the live one; from then on the one the instance goes to, which on the way
back is the one from before.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.config.health import HealthConfig
from gapless.drivers.checks.probes import asks_for_release
from gapless.engine.assembly import Assembly
from gapless.engine.context import InstanceContext
from gapless.engine.steps.switch import target_release
from gapless.model import Instance


async def live_name(
    assembly: Assembly, instance: Instance, checks: Sequence[HealthConfig] | None = None
) -> str:
    """What is live on its host, "" without any, and where no check (default: of its health) asks
    for it. Raises TransportError."""
    asked = assembly.service(instance.service).health if checks is None else checks
    if not asks_for_release(asked):
        return ""
    release = assembly.release(instance.service)
    current = await release.current(assembly.transport(instance.host)) if release else None
    return current.name if current else ""


async def goal_name(ctx: InstanceContext, checks: Sequence[HealthConfig]) -> str:
    """Where the instance goes; a restart leaves it what is live."""
    target = target_release(ctx)
    return target.name if target else await live_name(ctx.rollout.assembly, ctx.instance, checks)
