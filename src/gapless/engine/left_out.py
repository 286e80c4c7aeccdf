"""What a host remembers of being left out of traffic: only what we took out may we let in again."""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.errors import FenceRefused, GaplessError


async def was_left_out(ctx: InstanceContext) -> bool:
    """Whether an earlier rollout left this instance out."""
    if ctx.fence is None:
        return False
    return bool((await ctx.transport.recall(ctx.fence.service)).get("left_out"))


async def remember_left_out(ctx: InstanceContext, *, left_out: bool) -> None:
    """Note it on the host; a host that cannot be reached has other troubles, and the event says
    the same."""
    if ctx.fence is None:
        return
    try:
        await ctx.transport.remember(ctx.fence, {"left_out": left_out})
    except FenceRefused:
        raise
    except GaplessError:
        return
