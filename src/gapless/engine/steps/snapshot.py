"""snapshot: keep what is needed to go back — unit fragments, drop-ins, release pointer,
configuration files."""

from __future__ import annotations

from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.engine.config_change import keep_config
from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.model import Observation
from gapless.plans import StepKind


class Snapshot(Step):
    """Copies on the host under this rollout's own folder: a second failed rollout never
    overwrites the last good copy."""

    kind = StepKind.SNAPSHOT
    shown = ("files", "release_name")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Copy all files and note the live release and observation."""
        observation = await ctx.runtime.observe(ctx.transport)
        runtime = await self._runtime(ctx, observation)
        release = ctx.rollout.assembly.release(ctx.service.name)
        current = await release.current(ctx.transport) if release else None
        return {
            "runtime": runtime.to_json(),
            "release": current.to_json() if current else None,
            "observation": observation.to_json(),
            "files": len(runtime.files),
            "release_name": current.name if current else "",
            **await keep_config(ctx),
        }

    async def _runtime(self, ctx: InstanceContext, now: Observation) -> RuntimeSnapshot:
        """When the unit file was edited since systemd read it, the files on disk are the new
        state: what to go back to is the last good copy, where a rollout left one."""
        found = await ctx.runtime.snapshot(ctx.transport, f"{ctx.folder}/before")
        if now.detail.get("NeedDaemonReload") != "yes" or ctx.fence is None:
            return found
        known = (await ctx.transport.recall(ctx.fence.service)).get("last_good") or {}
        return RuntimeSnapshot.from_json(known["runtime"]) if "runtime" in known else found
