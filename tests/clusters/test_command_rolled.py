"""A cluster that only a script knows is restarted by one command, while somebody writes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.chronik_cluster import until
from tests.clusters.minichronik.client import ask, committed
from tests.clusters.minichronik.writer import Writer
from tests.clusters.site import Site
from tests.ports import free_port, own_address
from tests.unit.drivers.balancers.etcd_server import Etcd

pytestmark = [pytest.mark.timeout(170), pytest.mark.xdist_group("command-rolled")]
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples/cluster-command/members.py"
PARTITIONS = [f"test-topic-{number}" for number in range(3)]


class CommandSite(Site):
    """Three nodes at addresses of their own, of which gapless is told by the example's script. What
    is sealed and restored is written down."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ["node1", "node2", "node3"])
        self._net = own_address().rpartition(".")[0]
        self._port = free_port(f"{self._net}.1")
        self.etcd = Etcd(folder)
        self.metrics = folder / "textfile" / "gapless.prom"
        self.beside = {"events": [{"prometheus_textfile": str(self.metrics)}]}

    def begin(self) -> None:
        """All partitions are led, and full."""
        self.etcd.start()
        for name in self.names:
            self.begin_one(name, self.argv(name))
        until(self.healthy, "a healthy cluster", 60)
        self.write()

    def end(self) -> None:
        super().end()
        self.etcd.stop()

    def argv(self, name: str) -> list[str]:
        """With which a node is run."""
        peers = ",".join(f"{one[4:]}={self.address(one)}:{self._port}" for one in self.names)
        return [
            *("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.clusters.minichronik"),
            *("--node-id", name[4:], "--listen", f"{self.address(name)}:{self._port}"),
            *("--etcd", self.etcd.url, "--peers", peers, "--min-isr", "2"),
            *("--data", str(self.folder / f"data-{name}")),
        ]

    def address(self, name: str) -> str:
        return f"{self._net}.{name.removeprefix('node')}"

    def url(self, name: str) -> str:
        return f"http://{self.address(name)}:{self._port}"

    def service(self) -> dict[str, Any]:
        url = f"http://{{address}}:{self._port}"
        script = [sys.executable, str(SCRIPT)]
        note = ["sh", "-c", 'echo "$@" >> "$0"; echo "$1 done"', str(self.folder / "notes")]
        return {
            "health": {"http": f"{url}/health", "timeout": "30s"},
            "cluster": {
                "command": {
                    "topology": [*script, "topology", url],
                    "transfer": {"run": [*script, "transfer", url, "{group}", "{to}"]},
                    "seal": {"run": [*note, "seal", "{member}", "{host}"]},
                    "restore": {"run": [*note, "restore", "{member}", "{host}"]},
                    "lag": 1000,
                },
                "transfer": "10s",
                "views": 1,
            },
        }

    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def leading(self) -> set[str]:
        """Nodes that lead something."""
        told = ask(f"{self.url(self.names[0])}/partitions")[1]
        return {f"node{partition['leader']}" for partition in told}

    def healthy(self) -> bool:
        """Every node says so."""
        return all(ask(f"{self.url(name)}/health")[1]["status"] == "healthy" for name in self.names)

    def has(self, name: str, partition: str, values: list[str]) -> bool:
        return set(values) <= set(committed(self.url(name), partition))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandSite]:
    made = CommandSite(tmp_path_factory.mktemp("site"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_leaderships_are_moved_and_no_acknowledged_write_is_lost(site: CommandSite) -> None:
    before = site.pids()
    with Writer([site.url(name) for name in site.names], PARTITIONS, rate=20) as writer:
        told = site.run("restart", "--yes", "--reason", "test")
    print(told)
    assert not writer.failed and writer.count > 50
    for partition, values in writer.acknowledged.items():
        for name in site.names:
            until(partial(site.has, name, partition, values), f"all of {partition} on {name}", 30)
    assert all(site.pids()[name] != before[name] for name in site.names)
    assert site.healthy()
    order = site.order()
    assert site.notes() == [
        line for name in order for line in (f"seal {name[4:]} {name}", f"restore {name[4:]} {name}")
    ]
    moved = [e.data for e in site.events() if e.type == "step.succeeded" and e.step == "evacuate"]
    assert sum(data["moved"] for data in moved) <= 4
    assert {data["sealed"] for data in moved} == {"seal done"}
    _metrics_tell_it(site, sum(data["moved"] for data in moved))


def _metrics_tell_it(site: CommandSite, moved: int) -> None:
    """What the rollout came to, by name and one label."""
    text = site.metrics.read_text()
    assert 'gapless_rollouts_total{project="site",result="done"} 1\n' in text
    assert 'gapless_last_rollout_exit_code{project="site"} 0\n' in text
    transfers = _told(text, "gapless_leadership_transfers_total", "result")
    assert transfers == {"success": moved, "failed": 0}
    stops = _told(text, "gapless_stop_duration_seconds", "member")
    assert set(stops) == set(site.names) and min(stops.values()) > 0
    leaders = _told(text, "gapless_cluster_member_leaders", "member")
    assert set(leaders) == set(site.names) and sum(leaders.values()) == len(PARTITIONS)
    in_sync = _told(text, "gapless_cluster_member_in_sync", "member")
    assert in_sync == dict.fromkeys(site.names, len(PARTITIONS))


def _told(text: str, name: str, label: str) -> dict[str, float]:
    lines = re.findall(rf'^{name}\{{.*{label}="(\w+)".*\}} (\S+)$', text, re.MULTILINE)
    return {value: float(number) for value, number in lines}


def test_a_transfer_that_does_nothing_is_not_believed(site: CommandSite) -> None:
    """It exits with 0, and nothing moves: who leads is not stopped."""
    cluster = site.service()["cluster"]
    site.settings = {
        "cluster": {
            **cluster,
            "transfer": "1s",
            "command": {**cluster["command"], "transfer": {"run": ["true"]}},
        }
    }
    site.write()
    before, leader = site.pids(), min(site.leading())
    words = ("restart", "--yes", "--reason", "test", "--hosts", leader)
    told = " ".join(site.run(*words, check=4).split())
    assert "it was not stopped: it leads" in told and "still leads, though" in told
    assert site.pids() == before
