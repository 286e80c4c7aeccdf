"""HAProxy on this machine through the real local transport, fences and all."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.balancers.base import MemberState
from gapless.drivers.balancers.haproxy import HaproxyBalancer
from gapless.drivers.transports.base import Claim
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import FenceRefused, TrafficError
from gapless.testing.balancer_suite import until

from .haproxy_rig import haproxy_rig, need_haproxy


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_haproxy()


def claim(rollout: str) -> Claim:
    return Claim("shop.api", rollout, "somebody", "here", os.getpid(), 0.0)


def test_the_machine_itself_obeys_the_newest_rollout_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        local = LocalTransport(
            "", HostConfig(transport="local", sudo=False, state_dir=str(tmp_path / "state"))
        )
        async with haproxy_rig(tmp_path) as rig:
            socket = rig.proxies[0].socket
            config = BalancerConfig.model_validate(
                {"haproxy": {"socket": socket, "backend": "shop"}}
            )
            balancer = HaproxyBalancer("edge", config, lambda host: local, LoopClock())
            assert balancer.hosts == ("",)
            await local.connect()
            try:

                async def up() -> bool:
                    return await balancer.serving([rig.instance, rig.other]) == 2

                await until(up, "both are up")
                old = (await local.claim(claim("r1"))).fence
                assert old
                await balancer.drain(rig.instance, [old])
                members = await balancer.admit(rig.instance, [old])
                assert [(m.node, m.state) for m in members] == [("localhost", MemberState.UP)]
                new = (await local.claim(claim("r2"), take_over=True)).fence
                assert new
                with pytest.raises(FenceRefused):
                    await balancer.drain(rig.instance, [old])
                assert await balancer.serving([rig.instance, rig.other]) == 2
                await balancer.drain(rig.instance, [new])
                await rig.stop(0)
                with pytest.raises(TrafficError, match="does not answer"):
                    await balancer.admit(rig.instance, [new])
            finally:
                await local.close()

    asyncio.run(scenario())
