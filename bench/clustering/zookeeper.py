"""ZooKeeper of three servers."""

from __future__ import annotations

from pathlib import Path

from bench.clustering.rig import Rig
from gapless.drivers.workloads.zookeeper import ZooKeeperWorkload
from gapless.prove.workload import Workload
from tests.clusters.test_zookeeper_rolled import ZooKeeperSite
from tests.clusters.zookeeper_cluster import NAMES


class ZooKeeperRig(Rig):
    """It has no command to hand over: the leader goes last, that is all."""

    name = "zookeeper"
    rate = 60.0

    def __init__(self, folder: Path) -> None:
        self.site: ZooKeeperSite = ZooKeeperSite(folder)

    def workload(self, run: str) -> Workload:
        """Nodes below one of its own."""
        doors = tuple("{}:{}".format(*self.door(name)) for name in NAMES)
        return ZooKeeperWorkload(doors, f"bench-{run}")

    def leaders(self) -> list[str]:
        """Who says so."""
        return [name for name in [self.site.servers.leader()] if name]

    def well(self) -> bool:
        """One leads, and counts both others."""
        return self.site.servers.well()

    def door(self, name: str) -> tuple[str, int]:
        """For clients."""
        return self.site.address(name), self.site.servers.client_port
