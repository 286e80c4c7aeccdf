"""The procedure for Chronik as one command, on processes that have its endpoints and its stages."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.chronik_cluster import until
from tests.clusters.minichronik.client import ask, committed
from tests.clusters.minichronik.writer import Writer
from tests.clusters.site import Site
from tests.unit.drivers.balancers.etcd_server import Etcd

pytestmark = pytest.mark.timeout(170)
ROOT = Path(__file__).parents[2]
PARTITIONS = [f"test-topic-{number}" for number in range(3)]
_PORT = 3000


class ChronikSite(Site):
    """Three nodes at addresses of their own; each partition is led by another one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ["node1", "node2", "node3"])
        self._net = f"127.{random.randint(1, 254)}.{random.randint(2, 254)}"
        self.etcd = Etcd(folder)

    def begin(self) -> None:
        """All partitions are led, and full."""
        self.etcd.start()
        for name in self.names:
            self.begin_one(name, self.argv(name))
        until(self.healthy, "a healthy cluster", 30)
        self.write()

    def end(self) -> None:
        super().end()
        self.etcd.stop()

    def argv(self, name: str, *flags: str) -> list[str]:
        """With which a node is run."""
        number = name.removeprefix("node")
        peers = ",".join(f"{one[4:]}={self.address(one)}:{_PORT}" for one in self.names)
        return [
            *("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.clusters.minichronik"),
            *("--node-id", number, "--listen", f"{self.address(name)}:{_PORT}"),
            *("--etcd", self.etcd.url, "--peers", peers, "--min-isr", "2"),
            *("--data", str(self.folder / f"data-{name}"), *flags),
        ]

    def address(self, name: str) -> str:
        return f"{self._net}.{name.removeprefix('node')}"

    def url(self, name: str) -> str:
        return f"http://{self.address(name)}:{_PORT}"

    def service(self) -> dict[str, Any]:
        url = f"http://{{address}}:{_PORT}"
        return {
            "health": {"http": f"{url}/health", "timeout": "30s"},
            "cluster": {
                "chronik": {
                    "url": url,
                    "transfer": {"path": "/partitions/{group}/transfer?to={to}"},
                    "canary": {"path": "/produce/{group}", "body": "canary"},
                },
                "transfer": "5s",
            },
        }

    def leading(self) -> set[str]:
        """Nodes that lead something."""
        told = ask(f"{self.url(self.names[0])}/partitions")[1]
        return {f"node{partition['leader']}" for partition in told}

    def healthy(self) -> bool:
        """Every node says so."""
        return all(ask(f"{self.url(name)}/health")[1]["status"] == "healthy" for name in self.names)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ChronikSite]:
    made = ChronikSite(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_the_example_takes_four_moves_and_no_acknowledged_write_is_lost(site: ChronikSite) -> None:
    """Where each node leads one of three partitions; the script of the procedure moves six."""
    before = site.pids()
    with Writer([site.url(name) for name in site.names], PARTITIONS) as writer:
        site.run("restart", "--yes", "--reason", "test")
    assert not writer.failed
    assert writer.count > 50
    for partition, values in writer.acknowledged.items():
        for name in site.names:
            until(lambda n=name, p=partition, v=values: set(v) <= set(committed(site.url(n), p)),
                  f"all of {partition} on {name}")  # fmt: skip
    moved = [e.data for e in site.events() if e.type == "step.succeeded" and e.step == "evacuate"]
    assert sum(data["moved"] for data in moved) <= 4
    assert all(site.pids()[name] != before[name] for name in site.names)
    assert site.healthy()


def test_a_transfer_that_is_a_stub_is_not_believed(site: ChronikSite) -> None:
    """It answers 200 and logs a success, and nothing moves: nobody who leads is stopped."""
    for name in site.names:
        site.keep(name, "stop")
        site.kept(name, site.argv(name, "--lie", "stub-transfer"))
        site.keep(name, "start")
        until(site.healthy, f"{name} with the others", 30)
    before, leading = site.pids(), site.leading()
    told = " ".join(site.run("restart", "--yes", "--reason", "test", check=4).split())
    assert "it was not stopped: it leads 1 group" in told
    assert "still leads, though" in told
    after = site.pids()
    assert leading and all(after[name] == before[name] for name in leading)
