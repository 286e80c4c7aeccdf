"""A copy that connects and never shows life."""

from __future__ import annotations

import asyncio

from gapless.handover import Handover


async def main() -> None:
    async with Handover.from_environment(units=["clock"]) as handover:
        await handover.drained()


asyncio.run(main())
