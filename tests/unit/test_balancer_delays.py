"""Balancers with a delay of their own are asked for it before a plan, the others are left alone."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from gapless.balancer_delays import drain_delays
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import TrafficError


class Silent:
    name = "silent"

    async def drain_delay(self) -> float:
        raise TrafficError("no answer")


class Slow:
    name = "slow"

    async def drain_delay(self) -> float:
        return 300.0


class Counting:
    name = "counting"


class Assembly:
    def balancers(self, service: str) -> tuple[Any, ...]:
        return {"api": (Slow(), Silent()), "site": (Counting(), Slow())}[service]


def test_what_tells_its_delay_is_asked_and_silence_is_no_reason_to_fail() -> None:
    assembly = cast(ProjectAssembly, Assembly())
    assert asyncio.run(drain_delays(assembly, ["api", "site"])) == {"slow": 300.0}
