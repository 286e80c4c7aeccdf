"""rejoin: a member that was restarted is one of the cluster again, caught up, in every group.

Ready is not rejoined, and rejoined is not in sync. A view that is older than the restart may call
everything full, so it takes several in a row, each asked of all members anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gapless.clusters.kept import recalled
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Rejoined
from gapless.engine.context import InstanceContext
from gapless.engine.members import beside, cluster_of
from gapless.engine.steps.base import Facts, Step
from gapless.errors import ClusterError
from gapless.plans import StepKind

LOOK_EVERY = 0.1
"""Seconds between two views."""


class Rejoin(Step):
    """Waits as long as it comes nearer."""

    kind = StepKind.REJOIN
    shown = ("views", "longest_stall")

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Wait, then take back what was ordered for the time of its restart."""
        cluster, config = cluster_of(ctx), ctx.config.cluster
        assert config is not None
        evacuated = ctx.facts[StepKind.EVACUATE]
        if "member" not in evacuated:
            return {}
        member, was = evacuated["member"], recalled(evacuated["before"])
        coming = _Coming(ctx, config.rejoin)
        views = 0
        while views < config.views:
            rejoined = await cluster.rejoined(member, was)
            missing = [rejoined.why] if not rejoined.done else await _missing(ctx, was)
            views = 0 if missing else views + 1
            coming.look(rejoined, missing)
            if views < config.views:
                await ctx.rollout.clock.sleep(LOOK_EVERY)
        await cluster.restore(member, ctx.fence)
        return {"views": views, "longest_stall": round(coming.longest, 3)}


async def _missing(ctx: InstanceContext, was: Topology) -> list[str]:
    """What is not as it was in the groups of the member. Others that are restarted together with it
    wait for themselves."""
    now = await cluster_of(ctx).topology()
    return list(_in(now, was, beside(ctx, now)))


def _in(now: Topology, was: Topology, beside: Collection[str]) -> Iterator[str]:
    for finding in now.findings:
        if finding.member not in beside:
            yield str(finding)
    for group in was.groups:
        found = now.groups.get(group)
        if found is None:
            yield f"{group} is not reported"
        elif found.led and not found.leader:
            yield f"{group} has no leader"
        elif behind := [m for m in found.members if m not in {*found.in_sync, *beside}]:
            yield f"{group}: {', '.join(behind)} not in sync"


class _Coming:
    """Whether it comes nearer: less to catch up, or less that is missing."""

    def __init__(self, ctx: InstanceContext, patience: float) -> None:
        self._ctx, self._patience = ctx, patience
        self._clock = ctx.rollout.clock
        self._since = self._clock.monotonic()
        self._best: tuple[int, float] | None = None
        self.longest = 0.0

    def look(self, rejoined: Rejoined, missing: list[str]) -> None:
        """Raises ClusterError when it has come no nearer for too long."""
        now = self._clock.monotonic()
        lag = float("inf") if rejoined.lag is None else float(rejoined.lag)
        here = (len(missing), lag)
        self.longest = max(self.longest, now - self._since)
        if not missing or self._best is None or here < self._best:
            self._best, self._since = here, now
        elif now - self._since >= self._patience:
            raise ClusterError(
                f"it did not rejoin: nothing moved for {self._patience:g} s, {missing[0]}",
                where=str(self._ctx.instance),
                evidence="\n".join(missing) + _left(rejoined),
                next=self._ctx.runtime.look(self._ctx.host),
            )


def _left(rejoined: Rejoined) -> str:
    return "" if rejoined.lag is None else f"\nstill to catch up: {rejoined.lag:,}"
