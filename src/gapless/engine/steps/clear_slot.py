"""Ending what lives in a slot and does not go on, before a copy is started there anew."""

from __future__ import annotations

from gapless.engine.context import InstanceContext
from gapless.engine.steps.base import Facts
from gapless.engine.steps.retire import Retire, end


class ClearSlot(Retire):
    """On the way back: the copy was told to go on, and did not, or it hangs. The other one is still
    there, and takes over by itself if it has not yet; so this may be the last that serves, and it
    stays known to balancers until they are told of the next."""

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Stop it and see that it is gone."""
        await end(ctx, key)
        return before
