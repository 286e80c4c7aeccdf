"""A real ZooKeeper with a port for TLS: the client of ``--prove`` writes, and believes nobody that
nobody vouches for."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gapless.drivers.workloads.zookeeper import ZooKeeperWorkload
from gapless.prove.workload import NotDone
from tests.clusters.redis_servers import _ends_with_us, wait_for
from tests.clusters.vouched import WRONG, tls, written
from tests.clusters.zookeeper_cluster import _QUICK, JARS, JAVA, need_zookeeper
from tests.ports import free_port
from tests.unit.drivers.balancers.certificates import Certificates

pytestmark = pytest.mark.xdist_group("zookeeper-tls")


@dataclass
class Site:
    """Where it listens."""

    certificates: Certificates
    address: str

    def written(self, **other: str) -> str | None:
        """And read again."""
        believes = tls(self.certificates, **other)
        return asyncio.run(written(ZooKeeperWorkload((self.address,), "gp-ab", believes)))

    def speaks(self) -> bool:
        """Whether it does with one that it is vouched for by."""
        try:
            return self.written() == "one"
        except (NotDone, OSError):
            return False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_zookeeper()
    assert JAVA
    folder = tmp_path_factory.mktemp("zookeeper-tls")
    certificates, port = Certificates(folder), free_port()
    (folder / "zoo.cfg").write_text(f"""
tickTime=1000
dataDir={folder / "data"}
secureClientPort={port}
secureClientPortAddress=127.0.0.1
admin.enableServer=false
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.type=PEM
ssl.keyStore.location={certificates.server}
ssl.trustStore.type=PEM
ssl.trustStore.location={certificates.ca}
ssl.hostnameVerification=false
""")
    jars = [*map(str, JARS), *map(str, sorted(JARS[0].parent.glob("netty-*.jar")))]
    words = ["-cp", ":".join(jars), "org.apache.zookeeper.server.ZooKeeperServerMain"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [JAVA, *_QUICK, *words, str(folder / "zoo.cfg")],
            stdout=log, stderr=log, preexec_fn=_ends_with_us,
        )  # fmt: skip
    try:
        found = Site(certificates, f"127.0.0.1:{port}")
        wait_for(found.speaks, f"it is ready: {folder}/log", 60)
        yield found
    finally:
        process.kill()
        process.wait()


def test_both_are_vouched_for(site: Site) -> None:
    assert site.written() == "one"


@pytest.mark.parametrize("wrong", WRONG)
def test_who_is_not_vouched_for_is_not_believed(site: Site, wrong: str) -> None:
    told = "no TLS with" if wrong != "cert" else None
    with pytest.raises((NotDone, OSError), match=told):
        site.written(**{wrong: ""})
