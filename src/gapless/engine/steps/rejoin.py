"""rejoin: a member that was restarted is one of the cluster again, caught up, in every group.

Ready is not rejoined, and rejoined is not in sync. A view that is older than the restart may call
everything full, so it takes several in a row, each asked of all members anew. Another one that is
in trouble by then keeps it waiting, too: nobody else may be touched (see ``missing``).
"""

from __future__ import annotations

import contextlib

from gapless.clusters.held import held
from gapless.clusters.kept import recalled
from gapless.engine.context import InstanceContext
from gapless.engine.members import beside, cluster_of
from gapless.engine.missing import Missing, of_cluster, of_member
from gapless.engine.neighbour_members import settle_neighbours
from gapless.engine.preferring import lead_again, lead_again_beside
from gapless.engine.standstill import stays_away
from gapless.engine.steps.base import Facts, Step
from gapless.errors import GaplessError
from gapless.plans import StepKind

LOOK_EVERY = 0.1
"""Seconds between two views."""


class Rejoin(Step):
    """Waits as long as it comes nearer."""

    kind = StepKind.REJOIN
    shown = ("views", "longest_stall", "again", "again_beside", "members")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Wait, then take back what was ordered for the time of its restart; it leads again what
        it is preferred for."""
        cluster, config = cluster_of(ctx), ctx.config.cluster
        assert config is not None
        evacuated = ctx.facts[StepKind.EVACUATE]
        if "member" not in evacuated:
            return {}
        member, was = evacuated["member"], recalled(evacuated["before"])
        coming = _Coming(ctx, config.rejoin)
        views, now = 0, None
        while views < config.views:
            rejoined = await cluster.rejoined(member, was)
            now = await cluster.topology() if rejoined.done else None
            missing = of_member(rejoined, ctx.host)
            if now is not None:
                missing = of_cluster(now, was, member, beside(ctx, now))
            views = 0 if missing.what else views + 1
            if coming.look(missing):
                raise await stays_away(ctx, cluster, member, missing, config.rejoin)
            if views < config.views:
                await ctx.rollout.clock.sleep(LOOK_EVERY)
        await cluster.restore(member, ctx.fence)
        await settle_neighbours(ctx)
        assert now is not None
        beside_again = await lead_again_beside(ctx)
        again = await lead_again(ctx, cluster, now, member)
        if again:
            with contextlib.suppress(GaplessError):  # for its figures alone
                now = await cluster.topology()
        return {
            "views": views,
            "longest_stall": round(coming.longest, 3),
            **({"again": again} if again else {}),
            **({"again_beside": beside_again} if beside_again else {}),
            "members": held(now),
        }


class _Coming:
    """Whether it comes nearer."""

    def __init__(self, ctx: InstanceContext, patience: float) -> None:
        self._patience = patience
        self._clock = ctx.rollout.clock
        self._since = self._clock.monotonic()
        self._best: tuple[bool, int, float] | None = None
        self.longest = 0.0

    def look(self, missing: Missing) -> bool:
        """Whether it has come no nearer for too long."""
        now, here = self._clock.monotonic(), missing.far
        self.longest = max(self.longest, now - self._since)
        if not missing.what or self._best is None or here < self._best:
            self._best, self._since = here, now
            return False
        return now - self._since >= self._patience
