"""A crash loop is caught by the soak whatever its period: its state is "active" nearly always, its
identity is not the same."""

from __future__ import annotations

import asyncio
import random

import pytest

from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.systemd import SystemdRuntime
from gapless.drivers.transports.base import Probe
from gapless.model import InstanceState
from gapless.testing.fake_unit import Behaviour
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World

SOAK = 31.0
PROBE = Probe("http", "http", {"url": "http://localhost:80/"})


async def soak(period: float, *, kind: str, start_limit: int) -> tuple[bool, float]:
    """Whether a loop of this period was caught, and after how many seconds of soaking."""
    world = World()
    behaviour = Behaviour(start=0.02, healthy_after=0.0, crash_after=period)
    unit = world.host("web1").add_unit("shop.service", type=kind, port=80, behaviour=behaviour)
    unit.start_limit = (start_limit, 10.0)
    unit.restart_after = 0.05
    transport, runtime = world.transport("web1"), SystemdRuntime(SystemdConfig(unit="shop"), "shop")
    await transport.connect()
    await unit.start()
    ready = await runtime.observe(transport)
    while ready.state is not InstanceState.RUNNING:  # it must look ready, as it does in life
        await asyncio.sleep(0.01)
        ready = await runtime.observe(transport)
    began = world.clock.monotonic()
    verdicts = await transport.watch(
        runtime.unit,
        [PROBE],
        seconds=SOAK,
        every=2.0,
        retries=3,
        retry_delay=5.0,
        identity=runtime.soak_identity(ready),
    )
    return not all(v.passed for v in verdicts), world.clock.monotonic() - began


def _periods() -> list[float]:
    chance = random.Random(0)
    return [0.1, 30.0, *(round(0.1 * 300 ** chance.random(), 3) for _ in range(98))]


@pytest.mark.parametrize("kind", ["simple", "notify"])
@pytest.mark.parametrize("start_limit", [5, 1_000_000])
def test_a_hundred_of_a_hundred_loops_are_caught(kind: str, start_limit: int) -> None:
    for period in _periods():
        caught, seconds = run_virtual(soak(period, kind=kind, start_limit=start_limit))
        assert caught, f"a loop of {period} s was green"
        assert seconds <= period + 1.0


@pytest.mark.parametrize("kind", ["simple", "notify"])
def test_what_does_not_crash_is_not_blamed(kind: str) -> None:
    caught, seconds = run_virtual(soak(1e9, kind=kind, start_limit=5))
    assert not caught
    assert seconds >= SOAK
