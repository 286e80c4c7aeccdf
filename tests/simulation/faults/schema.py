"""The data of the shop: what ``migrate up`` and ``migrate down`` do to it, and who ran them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from tests.simulation.faults.shop import HOSTS, Shop

TAKES = 5.0
"""Seconds one migration takes."""
_MIGRATE = (
    "    migrate: {run: migrate up, current: migrate current, down: 'migrate down {version}',"
    " timeout: 60s}\n    balancer:"
)


class Schema:
    """Version 1, until it is migrated."""

    def __init__(self, shop: Shop) -> None:
        self.version = 1
        self.ran: list[str] = []
        self.down_fails = False
        self.begun: Callable[[], object] = lambda: None
        """Called when a migration begins."""
        for host in HOSTS:
            shop.host(host).programs["migrate"] = self._called
        shop.edit("    balancer:", _MIGRATE)

    async def _called(self, host: FakeHost, command: Command) -> Answer:
        what = command.argv[1]
        if what == "current":
            return 0, f"{self.version}\n", ""
        self.ran.append(f"{host.name} {what}")
        self.begun()
        await asyncio.sleep(TAKES)
        if what == "down" and self.down_fails:
            return 1, "", "ERROR: the column is needed\n"
        self.version = 2 if what == "up" else int(command.argv[2])
        return 0, "", ""
