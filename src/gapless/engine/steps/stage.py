"""stage: bring the new release (and unit file) next to the old one; nothing running changes."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.runtimes.unit_file import read_unit_file
from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts, Step
from gapless.errors import ActionFailed
from gapless.model import Command
from gapless.plans import StepKind


class Stage(Step):
    """Idempotent: a release that is complete on the host is left as it is."""

    kind = StepKind.STAGE
    shown = ("bytes", "release_name")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Push what is missing and verify it there."""
        facts: dict[str, object] = {"bytes": 0}
        release = ctx.rollout.assembly.release(ctx.service.name)
        if release is not None and ctx.service.to:
            ref = ReleaseRef.from_json(ctx.service.to)
            facts["bytes"] = await release.stage(ctx.transport, ref)
            facts["release_name"] = ref.name
        install = await self._stage_unit(ctx)
        return {**facts, "install": install}

    async def _stage_unit(self, ctx: InstanceContext) -> dict[str, str]:
        systemd = ctx.config.systemd
        content = await asyncio.to_thread(read_unit_file, systemd)
        if systemd is None or content is None:
            return {}
        staged = f"{ctx.folder}/staged/{systemd.unit}"
        folder = Command(("mkdir", "-p", "-m", "0700", str(PurePosixPath(staged).parent)))
        made = await ctx.transport.run(folder)
        if not made.ok:
            raise ActionFailed(
                "the unit file cannot be staged", where=ctx.host, evidence=made.evidence()
            )
        await ctx.transport.put(content, staged, mode=0o644)
        observation = await ctx.runtime.observe(ctx.transport)
        # the unit may come from /usr/lib; an administrator's copy belongs into /etc
        live = observation.detail.get("FragmentPath", "")
        final = live if live.startswith("/etc/") else f"/etc/systemd/system/{systemd.unit}"
        return {staged: str(PurePosixPath(final))}
