"""RabbitMQ of three nodes."""

from __future__ import annotations

from pathlib import Path

from bench.clustering.rig import Rig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.rabbitmq import RabbitWorkload
from gapless.prove.workload import Workload
from tests.clusters.rabbitmq_cluster import NAMES, USER, RabbitSite


class RabbitRig(Rig):
    """``rabbitmq-upgrade drain`` is what its manual says."""

    name = "rabbitmq"
    rate = 40.0
    failures = (OSError, KeyError)

    def __init__(self, folder: Path) -> None:
        self.site: RabbitSite = RabbitSite(folder)

    def workload(self, run: str) -> Workload:
        """Messages in a quorum queue of its own."""
        doors = tuple("{}:{}".format(*self.door(name)) for name in NAMES)
        login = Login("store", WorkloadConfig(), USER, f"file:{self.site.folder / 'secret'}")
        return RabbitWorkload(doors, login, f"bench-{run}")

    def leaders(self) -> list[str]:
        """Of the queue that is always there."""
        return [self.site.leader()]

    def well(self) -> bool:
        """All see all run, and the queue is led, with everybody online."""
        return self.site.well()

    def door(self, name: str) -> tuple[str, int]:
        """For clients."""
        return self.site.address(name), self.site.port

    def hand_over(self, name: str) -> None:
        """All that it leads; its connections, too. The restart ends it."""
        self.site.ctl(name, "rabbitmq-upgrade", "drain")
