"""Speaks the protocol, and takes no events."""

from __future__ import annotations

import asyncio

from gapless.handover import Handover


async def main() -> None:
    async with Handover.from_environment() as handover:
        await handover.drained()


asyncio.run(main())
