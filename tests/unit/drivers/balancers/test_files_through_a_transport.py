"""Balancers steered by files, on this machine through the real local transport: their APIs asked,
their files written, and only for the newest rollout."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.config.hosts import HostConfig
from gapless.drivers import registry
from gapless.drivers.balancers.base import MemberState
from gapless.drivers.transports.base import Claim
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import FenceRefused
from gapless.testing.balancer_suite import until

from .envoy_rig import EnvoyRig, envoy_rig, need_envoy
from .nginx_rig import NginxRig, need_nginx, nginx_rig
from .traefik_rig import TraefikRig, need_traefik, traefik_rig

Rig = NginxRig | EnvoyRig | TraefikRig


def nginx_keys(rig: NginxRig) -> tuple[dict[str, Any], Path]:
    one = rig.proxies[0]
    keys = {
        "include": str(one.include),
        "pid": str(one.pid),
        "upstream": "shop",
        "server": "127.0.0.1:{address}",
        "test": [*one.program, "-t"],
        "reload": [*one.program, "-s", "reload"],
    }
    return keys, one.include


def envoy_keys(rig: EnvoyRig) -> tuple[dict[str, Any], Path]:
    one = rig.proxies[0]
    keys = {
        "file": str(one.file),
        "cluster": "shop",
        "server": "127.0.0.1:{address}",
        "admin": f"http://127.0.0.1:{one.admin}",
    }
    return keys, one.file


def traefik_keys(rig: TraefikRig) -> tuple[dict[str, Any], Path]:
    one = rig.proxies[0]
    keys = {
        "file": str(one.file),
        "service": "shop",
        "server": "http://127.0.0.1:{address}",
        "api": f"http://localhost:{one.api}",
        "settle": "100ms",
    }
    return keys, one.file


@pytest.mark.parametrize(
    ("kind", "need", "make", "keys"),
    [
        ("nginx", need_nginx, nginx_rig, nginx_keys),
        ("envoy", need_envoy, envoy_rig, envoy_keys),
        ("traefik", need_traefik, traefik_rig, traefik_keys),
    ],
)
def test_the_machine_itself_obeys_the_newest_rollout_only(
    tmp_path: Path,
    kind: str,
    need: Callable[[], None],
    make: Callable[[Path], AbstractAsyncContextManager[Rig]],
    keys: Callable[[Any], tuple[dict[str, Any], Path]],
) -> None:
    need()

    async def scenario() -> None:
        state = str(tmp_path / "state")
        local = LocalTransport("", HostConfig(transport="local", sudo=False, state_dir=state))
        async with make(tmp_path) as rig:
            settings, file = keys(rig)
            config = BalancerConfig.model_validate({kind: settings})
            balancer = registry.balancer(
                "edge", config, lambda host: local, LoopClock(), rig.address
            )
            assert balancer.hosts == ("",)
            await local.connect()
            try:

                async def up() -> bool:
                    return await balancer.serving([rig.instance, rig.other]) == 2

                await until(up, "both are up")
                old = (await local.claim(_claim("r1"))).fence
                assert old
                drained = await balancer.drain(rig.instance, [old])
                assert [(m.node, m.state) for m in drained.members] == [
                    ("localhost", MemberState.DRAINED)
                ]
                assert {await rig.ask(0) for _ in range(4)} == {rig.other.host}
                await balancer.admit(rig.instance, [old])
                new = (await local.claim(_claim("r2"), take_over=True)).fence
                assert new
                content = file.read_bytes()
                with pytest.raises(FenceRefused):
                    await balancer.drain(rig.instance, [old])
                assert file.read_bytes() == content
                assert await balancer.serving([rig.instance, rig.other]) == 2
                await balancer.drain(rig.instance, [new])
            finally:
                await local.close()

    asyncio.run(scenario())


def _claim(rollout: str) -> Claim:
    return Claim("shop.api", rollout, "somebody", "here", os.getpid(), 0.0)
