"""Three Redis servers and their sentinels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from bench.clustering.rig import Rig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.redis_sentinel import SentinelWorkload
from gapless.prove.workload import Workload
from tests.clusters.redis_servers import MASTER
from tests.clusters.test_redis_rolled import _PORT, _SENTINEL, SentinelSite


class SentinelRig(Rig):
    """``SENTINEL FAILOVER`` is what its manual says."""

    name = "redis_sentinel"
    rate = 100.0
    stall = 1.0
    first = 20
    failures = (OSError, redis.RedisError)

    def __init__(self, folder: Path) -> None:
        self.site: SentinelSite = SentinelSite(folder)

    def workload(self, run: str) -> Workload:
        """Keys on the master that a sentinel names."""
        sentinels = tuple(f"{self.site.address(name)}:{_SENTINEL}" for name in self.site.names)
        nobody = Login("store", WorkloadConfig())
        return SentinelWorkload(sentinels, MASTER, nobody, nobody, f"bench/{run}")

    def leaders(self) -> list[str]:
        """Whom the sentinels name."""
        master = self.site.master()
        return [name for name in self.site.names if self.site.address(name) == master]

    def well(self) -> bool:
        """All sentinels name one master and see it well, and both others have all it has."""
        named = {str(self._ask_sentinel(name)) for name in self.site.names}
        if len(named) != 1 or not self.site._watched():
            return False
        told = self._info(self.leaders()[0])
        links = [told.get(f"slave{number}") or {} for number in (0, 1)]
        whole = all(one.get("state") == "online" for one in links)
        return told["role"] == "master" and told["connected_slaves"] == 2 and whole

    def door(self, name: str) -> tuple[str, int]:
        """The server, not the sentinel."""
        return self.site.address(name), _PORT

    def hand_over(self, name: str) -> None:
        """Plainly; until all sentinels name another one."""
        if name not in self.leaders():
            return
        with self.site.client(self.site.address(name), _SENTINEL) as client:
            client.execute_command("SENTINEL", "FAILOVER", MASTER)
        self.wait(lambda: name not in self.leaders(), "another one is master")

    def held(self) -> str:
        """Writes, where a master is paused."""
        for name in self.leaders():
            with self.site.client(self.site.address(name), _PORT) as client:
                try:
                    client.set("bench-held", "x", ex=60)
                except redis.TimeoutError:
                    return f"{name} takes no write within 3 s"
                except redis.RedisError as error:
                    return f"{name} takes no write: {error}"
        return ""

    def _ask_sentinel(self, name: str) -> Any:
        with self.site.client(self.site.address(name), _SENTINEL) as client:
            return client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)

    def _info(self, name: str) -> dict[str, Any]:
        with self.site.client(self.site.address(name), _PORT) as client:
            told: dict[str, Any] = client.info("replication")
            return told
