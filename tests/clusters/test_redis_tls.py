"""A real Redis and its sentinel with TLS: asked by the driver and written to by the client of
``--prove``, and believed by neither where nobody vouches for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from gapless.clock import LoopClock
from gapless.clusters.topology import Topology
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.drivers.transports.base import Transport
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.redis_sentinel import SentinelWorkload
from gapless.prove.workload import NotDone
from tests.clusters.redis_servers import MASTER, RedisServer, local_transport, need_redis, wait_for
from tests.ports import free_port
from tests.unit.drivers.balancers.certificates import Certificates

pytestmark = pytest.mark.xdist_group("redis-tls")
NAME = "etcd.shop.example"
"""That of the certificate."""


@dataclass
class Site:
    """Where both listen with TLS."""

    certificates: Certificates
    server: str
    sentinel: str

    def tls(self, **other: str) -> dict[str, str]:
        keys = {"ca": self.certificates.ca, "cert": self.certificates.client, "name": NAME, **other}
        return {key: value for key, value in keys.items() if value}

    def config(self, **other: str) -> RedisSentinelConfig:
        keys: dict[str, Any] = {"master": MASTER, "address": self.server, "sentinel": self.sentinel}
        tls = self.tls(**other)
        return RedisSentinelConfig.model_validate({**keys, "tls": tls, "sentinel_tls": tls})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_redis()
    folder = tmp_path_factory.mktemp("redis-tls")
    certificates = Certificates(folder)
    ports = [free_port(), free_port()]
    pair = f"""
tls-cert-file {certificates.server}
tls-key-file {certificates.server}
tls-ca-cert-file {certificates.ca}
tls-auth-clients yes
"""
    flags = ("--loglevel", "notice")  # one with flags has no password
    server = RedisServer(folder / "server", f"tls-port {ports[0]}{pair}", *flags)
    watched = f"sentinel monitor {MASTER} 127.0.0.1 {ports[0]} 1\ntls-replication yes\n"
    sentinel = RedisServer(folder / "sentinel", f"{watched}tls-port {ports[1]}{pair}", "--sentinel")
    try:
        server.start()
        sentinel.start()
        wait_for(lambda: _well(sentinel), "the sentinel finds its master well")
        yield Site(certificates, *(f"127.0.0.1:{port}" for port in ports))
    finally:
        sentinel.kill()
        server.kill()


def _well(sentinel: RedisServer) -> bool:
    said = sentinel.say("SENTINEL", "MASTER", MASTER)
    told = said if isinstance(said, dict) else dict(zip(said[::2], said[1::2], strict=True))
    return told["flags"] == "master" and bool(told["runid"])


def seen(site: Site, folder: Path, **other: str) -> Topology:
    """By the driver."""

    async def scene() -> Topology:
        async with local_transport(folder) as local:
            config = site.config(**other)
            driver = RedisSentinel(
                "cache", config, ["redis1"], lambda _: cast(Transport, local), LoopClock()
            )
            return await driver.topology()

    return asyncio.run(scene())


def written(site: Site, **other: str) -> str | None:
    """By the client, and read again."""

    async def scene() -> str | None:
        nobody = Login("cache", WorkloadConfig())
        config = site.config(**other)
        of = SentinelWorkload(
            (site.sentinel,), MASTER, nobody, nobody, "p",
            tls=config.tls, sentinel_tls=config.sentinel_tls,
        )  # fmt: skip
        await of.write(1, "one")
        found = await of.read(1)
        await of.clear()
        return found

    return asyncio.run(scene())


def test_both_are_vouched_for(site: Site, tmp_path: Path) -> None:
    topology = seen(site, tmp_path)
    assert topology.groups[MASTER].leader == site.server
    assert topology.asked == (site.server,) and not topology.findings
    assert written(site) == "one"


@pytest.mark.parametrize("wrong", ["ca", "name", "cert"])
def test_who_is_not_vouched_for_is_not_believed(site: Site, tmp_path: Path, wrong: str) -> None:
    topology = seen(site, tmp_path, **{wrong: ""})
    (finding, *_) = topology.findings
    assert not topology.asked and finding.code == "sentinel-silent"
    if wrong != "cert":
        assert "no TLS with" in finding.evidence
    with pytest.raises((NotDone, OSError), match="no TLS with" if wrong != "cert" else None):
        written(site, **{wrong: ""})
