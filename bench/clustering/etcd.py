"""etcd of three members."""

from __future__ import annotations

from pathlib import Path

from bench.clustering.rig import Rig
from gapless.config.api_url import ApiTlsConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.etcd import EtcdWorkload
from gapless.drivers.workloads.login import Login
from gapless.prove.workload import Workload
from tests.clusters.site import EtcdSite


class EtcdRig(Rig):
    """``etcdctl move-leader`` is what its manual says."""

    name = "etcd"
    rate = 100.0
    first = 2

    def __init__(self, folder: Path) -> None:
        self.site: EtcdSite = EtcdSite(folder, times=())  # its own
        self._members = self.site.members

    def workload(self, run: str) -> Workload:
        """Keys."""
        urls = tuple(self._members.url(name) for name in self.site.names)
        nobody = Login("store", WorkloadConfig())
        return EtcdWorkload(urls, ApiTlsConfig(), nobody, f"bench/{run}")

    def leaders(self) -> list[str]:
        """The one that it follows itself."""
        told = {name: self._members.leader(name) for name in self.site.names}
        return [name for name, leader in told.items() if leader == self._members.id(name)]

    def well(self) -> bool:
        """One leader, and all have applied the same."""
        status = [self._members.status(name) for name in self.site.names]
        applied = [int(one.get("raftAppliedIndex", 0)) for one in status]
        return len({one.get("leader") for one in status}) == 1 and max(applied) - min(applied) < 20

    def door(self, name: str) -> tuple[str, int]:
        """For clients."""
        return self._members.address(name), self._members.client_port

    def hand_over(self, name: str) -> None:
        """To one of the others."""
        if name not in self.leaders():
            return
        other = next(one for one in self.site.names if one != name)
        target = str(int(self._members.id(other), 16))
        self._members.call(name, "/v3/maintenance/transfer-leadership", {"targetID": target})
        self.wait(lambda: name not in self.leaders(), "another one leads")
