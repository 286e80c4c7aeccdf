"""commit: the host remembers this as its last good; older releases go."""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.switch import target_release
from gapless.plan import StepKind


class Commit(Step):
    """Last good is set only by a verified instance."""

    kind = StepKind.COMMIT
    shown = ("pruned",)

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Remember on the host, then prune."""
        target = target_release(ctx)
        kept_files = await ctx.runtime.snapshot(ctx.transport, f"{ctx.folder}/good")
        last_good = {
            "rollout": ctx.rollout.record.id,
            "at": ctx.rollout.clock.now(),
            "release": target.to_json() if target else None,
            "runtime": kept_files.to_json(),
            "fingerprint": await ctx.runtime.fingerprint(ctx.transport),
        }
        if ctx.fence is not None:
            await ctx.transport.remember(ctx.fence, {"last_good": last_good})
        release = ctx.rollout.assembly.release(ctx.service.name)
        pruned: tuple[str, ...] = ()
        if release is not None and target is not None:
            kept = ctx.facts.get(StepKind.SNAPSHOT, {}).get("release_name", "")
            pruned = await release.prune(
                ctx.transport, tuple(name for name in (target.name, kept) if name)
            )
        return {"pruned": list(pruned)}
