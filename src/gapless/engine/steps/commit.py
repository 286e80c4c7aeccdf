"""commit: the host remembers this as its last good; older releases and snapshots go.

The instance is verified and serves by now. A host that cannot write this down (its disk is full)
is told of, and nothing is taken back: that would need the same disk.
"""

from __future__ import annotations

from collections.abc import Sequence

from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.config_change import forget_staged, remembered
from gapless.engine.context import InstanceContext
from gapless.engine.first_install import removes
from gapless.engine.old_snapshots import prune_snapshots
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.switch import target_release
from gapless.errors import HostFault, StepError
from gapless.plans import StepKind


class Commit(Step):
    """Last good is set only by a verified instance."""

    kind = StepKind.COMMIT
    shown = ("pruned", "snapshots_pruned", "config")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Remember on the host, then prune. Of what is removed there is no last good."""
        target = None if removes(ctx) else target_release(ctx)
        try:
            config = await self._remember(ctx, target)
        except (HostFault, StepError) as error:
            ctx.emit("step.skipped", self.kind, why=f"not remembered as last good: {error.what}")
            return {}
        if removes(ctx):
            return {}
        await forget_staged(ctx)
        try:
            pruned = await self._prune(ctx, target)
        except (HostFault, StepError) as error:
            ctx.emit("step.skipped", "prune", why=f"older releases were left: {error.what}")
            pruned = ()
        forgotten = await prune_snapshots(ctx)
        marked = {"config": config} if config else {}
        return {"pruned": list(pruned), "snapshots_pruned": list(forgotten), **marked}

    async def _remember(self, ctx: InstanceContext, target: ReleaseRef | None) -> str:
        """Returns the mark of the configuration, "" where a deploy brings none."""
        if removes(ctx):
            if ctx.fence is not None:
                await ctx.transport.remember(ctx.fence, {"last_good": None})
            return ""
        kept_files = await ctx.runtime.snapshot(ctx.transport, f"{ctx.folder}/good")
        last_good = {
            "rollout": ctx.rollout.record.id,
            "environment": ctx.rollout.plan.environment,
            "at": ctx.rollout.clock.now(),
            "release": target.to_json() if target else None,
            "runtime": kept_files.to_json(),
            "fingerprint": await ctx.runtime.fingerprint(ctx.transport),
            **(config := await remembered(ctx)),
        }
        if ctx.fence is not None:
            await ctx.transport.remember(ctx.fence, {"last_good": last_good})
        return str(config.get("config", {}).get("mark", ""))

    async def _prune(self, ctx: InstanceContext, target: ReleaseRef | None) -> Sequence[str]:
        release = ctx.rollout.assembly.release(ctx.service.name)
        if release is None or target is None:
            return ()
        kept = ctx.facts.get(StepKind.SNAPSHOT, {}).get("release_name", "")
        keep = tuple(name for name in (target.name, kept) if name)
        return await release.prune(ctx.transport, keep)
