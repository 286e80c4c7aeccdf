"""PostgreSQL of three members under Patroni."""

from __future__ import annotations

from pathlib import Path

from bench.clustering.rig import Rig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.postgresql import PostgresqlWorkload
from gapless.prove.workload import Workload
from tests.clusters.patroni_cluster import PatroniSite


class PatroniRig(Rig):
    """``patronictl switchover`` is what its manual says."""

    name = "patroni"
    rate = 40.0
    stall = 1.5
    failures = (OSError, ValueError, KeyError)

    def __init__(self, folder: Path) -> None:
        self.site: PatroniSite = PatroniSite()  # in a folder that PostgreSQL's user reaches

    def workload(self, run: str) -> Workload:
        """Rows on the primary."""
        addresses = [f"{self.site.address(name)}:{self.site._port}" for name in self.site.names]
        who = Login("store", WorkloadConfig(user="postgres"))
        return PostgresqlWorkload(addresses, who, "postgres", f"bench_{run}")

    def leaders(self) -> list[str]:
        """Whom the store names."""
        leader = self.site.leader()
        return [leader] if leader else []

    def well(self) -> bool:
        """Both others stream from the one that takes writes."""
        return self.site.well()

    def door(self, name: str) -> tuple[str, int]:
        """PostgreSQL's."""
        return self.site.address(name), self.site._port

    def hand_over(self, name: str) -> None:
        """To any other one."""
        if name not in self.leaders():
            return
        self.site.tell(name, "POST", "/switchover", {"leader": name})
        self.wait(lambda: self.leaders() not in ([], [name]) and self.well(), "another one leads")
