"""stage: bring the new release (and unit, run or configuration files) beside the old one; nothing
that runs changes."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.runtimes.brought import brought
from gapless.drivers.runtimes.with_release import makeable
from gapless.engine.config_change import stage_config
from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.engine.steps.health import tell, worst
from gapless.engine.steps.preflight import unfit
from gapless.errors import ActionFailed
from gapless.model import Command
from gapless.plans import StepKind


class Stage(Step):
    """Idempotent: a release that is complete on the host is left as it is."""

    kind = StepKind.STAGE
    shown = ("bytes", "release_name", "config")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Push what is missing and verify it there."""
        facts: dict[str, object] = {"bytes": 0}
        release = ctx.rollout.assembly.release(ctx.service.name)
        if release is not None and ctx.service.to:
            ref = ReleaseRef.from_json(ctx.service.to)
            facts["bytes"] = await release.stage(ctx.transport, ref)
            facts["release_name"] = ref.name
            await _refuse_unmakeable(ctx, ref)
        return {**facts, **await self._stage_file(ctx), **await stage_config(ctx)}

    async def _stage_file(self, ctx: InstanceContext) -> dict[str, object]:
        file = await asyncio.to_thread(brought, ctx.service.name, ctx.config)
        if file is None:
            return {"install": {}}
        staged = f"{ctx.folder}/staged/{file.name}"
        folder = Command(("mkdir", "-p", "-m", "0700", str(PurePosixPath(staged).parent)))
        made = await ctx.transport.run(folder)
        if not made.ok:
            raise ActionFailed(
                f"{file.name} cannot be staged", where=ctx.host, evidence=made.evidence()
            )
        await ctx.transport.put(file.content, staged, mode=file.mode)
        now = await ctx.runtime.observe(ctx.transport)
        home = str(PurePosixPath(ctx.runtime.home(ctx.host, now)))
        digests = await ctx.transport.digest([staged, home])
        return {"install": {staged: home}, "file_new": digests[staged] != digests[home]}


async def _refuse_unmakeable(ctx: InstanceContext, ref: ReleaseRef) -> None:
    """Where the release says how the copy is made, it is asked now that it is there. Raises
    PreflightFailed."""
    runtime = ctx.rollout.assembly.runtime(ctx.service.name, ctx.host)
    finding = worst(await makeable(runtime, ctx.transport, ref.path))
    if finding is not None:
        tell(ctx, StepKind.STAGE, [finding])
        error = unfit(ctx, finding)
        error.next = ""  # the host is well: the release is to be mended
        raise error
