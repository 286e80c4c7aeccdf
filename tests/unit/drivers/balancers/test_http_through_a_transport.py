"""Caddy and etcd on this machine through the real local transport: bytes, probes and fences."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.drivers.balancers.caddy import CaddyBalancer
from gapless.drivers.balancers.etcd import EtcdBalancer
from gapless.drivers.transports.base import Claim
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import FenceRefused
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import until

from .caddy_rig import caddy_rig, need_caddy
from .etcd_server import Etcd, need_etcd


def here(folder: Path) -> LocalTransport:
    state = str(folder / "state")
    return LocalTransport("", HostConfig(transport="local", sudo=False, state_dir=state))


async def claimed(local: LocalTransport, rollout: str) -> Fence:
    claim = Claim("shop.api", rollout, "somebody", "here", os.getpid(), 0.0)
    fence = (await local.claim(claim, take_over=True)).fence
    assert fence
    return fence


def test_caddy_obeys_the_newest_rollout_only(tmp_path: Path) -> None:
    need_caddy()

    async def scene() -> None:
        local = here(tmp_path)
        async with caddy_rig(tmp_path) as rig:
            caddy = rig.proxies[0]
            await caddy.say("POST", "/config/admin/origins", caddy.admin)
            written = {"api": f"http://{caddy.admin}", "proxy": "shop", "upstream": "{address}"}
            config = BalancerConfig.model_validate({"caddy": written})
            balancer = CaddyBalancer("edge", config, lambda _: local, LoopClock(), address=rig.dial)
            assert balancer.hosts == ("",)
            await local.connect()
            try:

                async def up() -> bool:
                    return await balancer.serving([rig.instance, rig.other]) == 2

                await until(up, "both are up")
                old = await claimed(local, "r1")
                assert (await balancer.drain(rig.instance, [old])).evidence is Evidence.COUNTED
                members = await balancer.admit(rig.instance, [old])
                assert [(m.node, m.state) for m in members] == [("localhost", MemberState.UP)]
                new = await claimed(local, "r2")
                with pytest.raises(FenceRefused):
                    await balancer.drain(rig.instance, [old])
                assert await up()
                await balancer.drain(rig.instance, [new])
                assert await rig.ask(0) == rig.other.host
            finally:
                await local.close()

    asyncio.run(scene())


def test_etcd_is_changed_by_the_newest_rollout_only(tmp_path: Path) -> None:
    need_etcd()
    etcd = Etcd(tmp_path)
    etcd.start()
    key, web1 = "/pools/shop/", Instance("shop.api", "web1")
    for host in ("web1", "web2"):
        etcd.put(key + host, json.dumps({"pooled": "yes", "weight": 3}))
    written = {"endpoints": etcd.url, "key": key + "{host}", "settle": 0}
    config = BalancerConfig.model_validate({"etcd": written})

    async def scene() -> None:
        local = here(tmp_path)
        await local.connect()
        try:
            balancer = EtcdBalancer("edge", config, lambda _: local, LoopClock())
            old = await claimed(local, "r1")
            await balancer.drain(web1, [old])
            await balancer.admit(web1, [old])
            new = await claimed(local, "r2")
            with pytest.raises(FenceRefused):
                await balancer.drain(web1, [old])
            assert json.loads(etcd.get(key + "web1"))["pooled"] == "yes"
            await balancer.drain(web1, [new])
            assert json.loads(etcd.get(key + "web1")) == {"pooled": "no", "weight": 3}
        finally:
            await local.close()

    try:
        asyncio.run(scene())
    finally:
        etcd.stop()
