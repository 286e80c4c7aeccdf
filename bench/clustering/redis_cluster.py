"""Redis Cluster of three masters with a replica each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import redis

from bench.clustering.rig import Rig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.redis_cluster import RedisClusterWorkload
from gapless.prove.workload import Workload
from tests.clusters.test_redis_rolled import _PORT, ClusterSite


class ClusterRig(Rig):
    """``CLUSTER FAILOVER`` on the replica is what its manual says."""

    name = "redis_cluster"
    rate = 100.0
    together: ClassVar[dict[str, Any]] = {"rollout": {"batch": 3, "max_unavailable": 3}}
    failures = (OSError, redis.RedisError)

    def __init__(self, folder: Path) -> None:
        self.site: ClusterSite = ClusterSite(folder)

    def begin(self, down: float) -> None:
        """Replicas are fed at once: by default a master waits five seconds for more of them."""
        super().begin(down)
        for name in self.site.names:
            self._ask(name, "CONFIG", "SET", "repl-diskless-sync-delay", "0")
            self._ask(name, "CONFIG", "REWRITE")

    def workload(self, run: str) -> Workload:
        """Keys, each on the master of its slot."""
        nodes = tuple(f"{self.site.address(name)}:{_PORT}" for name in self.site.names)
        return RedisClusterWorkload(nodes, Login("store", WorkloadConfig()), f"bench/{run}")

    def leaders(self) -> list[str]:
        """The masters."""
        return [name for name in self.site.names if self._role(name)[0] == "master"]

    def well(self) -> bool:
        """All see all slots and nobody amiss, and each replica follows."""
        for name in self.site.names:
            nodes = str(self._ask(name, "CLUSTER", "NODES"))
            info = str(self._ask(name, "CLUSTER", "INFO"))
            if "cluster_state:ok" not in info or "fail" in nodes.replace("nofailover", ""):
                return False
        return self.site._linked()

    def door(self, name: str) -> tuple[str, int]:
        """For clients."""
        return self.site.address(name), _PORT

    def hand_over(self, name: str) -> None:
        """To the replica that follows it."""
        if self._role(name)[0] != "master":
            return
        address = self.site.address(name)
        roles = {other: self._role(other) for other in self.site.names}
        heir = next(one for one, role in roles.items() if role[:2] == ["slave", address])
        self._ask(heir, "CLUSTER", "FAILOVER")
        self.wait(lambda: self._role(name)[0] != "master", "its replica is the master")

    def _role(self, name: str) -> list[Any]:
        told = self._ask(name, "ROLE")
        if not told:
            raise OSError(f"{name} does not answer")
        return list(told)

    def _ask(self, name: str, *words: str) -> Any:
        return self.site._said(name, *words)
