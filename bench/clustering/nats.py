"""NATS of three servers, with a dozen streams of three replicas: a current one, and Debian's, of
before servers were told whom to hand over to."""

from __future__ import annotations

from pathlib import Path

from bench.clustering.rig import Rig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.nats import NatsWorkload
from gapless.prove.workload import Workload
from tests.clusters.nats_cluster import CURRENT, DEBIAN, NAMES, USERS
from tests.clusters.test_nats_rolled import NatsSite

_STREAMS = 12


class NatsRig(Rig):
    """``nats stream cluster step-down`` and ``nats server raft step-down`` are what its manual
    says."""

    name = "nats"
    rate = 60.0
    stall = 0.3
    first = 5
    failures = (OSError, KeyError)
    edition = CURRENT

    def __init__(self, folder: Path) -> None:
        self.site: NatsSite = NatsSite(folder, self.edition)
        self._servers = self.site.servers

    def begin(self, down: float) -> None:
        """With its streams."""
        super().begin(down)
        with self._servers.client(NAMES[0]) as client:
            for number in range(_STREAMS):
                stream = {"name": f"BENCH{number}", "subjects": [f"bench{number}.>"]}
                client.api(f"STREAM.CREATE.BENCH{number}", {**stream, "num_replicas": 3})
        self.settle()

    def workload(self, run: str) -> Workload:
        """Messages in a stream of its own."""
        doors = tuple("{}:{}".format(*self.door(name)) for name in NAMES)
        user, _ = USERS["SHOP"]
        login = Login("store", WorkloadConfig(), user, f"file:{self.site.folder / 'SHOP.secret'}")
        return NatsWorkload(doors, login, f"bench-{run}", len(NAMES))

    def leaders(self) -> list[str]:
        """The one that leads all others."""
        return [self._servers.leaders(NAMES[0])["meta"]]

    def well(self) -> bool:
        """All find themselves well, and agree who leads what."""
        return self._servers.well()

    def door(self, name: str) -> tuple[str, int]:
        """For clients."""
        return self.site.address(name), self._servers.client_port

    def hand_over(self, name: str) -> None:
        """All that it leads."""
        led = [group for group, leader in self._servers.leaders(name).items() if leader == name]
        other = next(one for one in NAMES if one != name)
        with self._servers.client(other) as client:
            for group in (one for one in led if one != "meta"):
                _, stream, *consumer = group.split(" > ")
                kind = "CONSUMER" if consumer else "STREAM"
                place = ".".join([stream, *consumer])
                client.request(f"$JS.API.{kind}.LEADER.STEPDOWN.{place}", b"", timeout=5.0)
        if "meta" in led:
            with self._servers.client(other, "$SYS") as client:
                client.request("$JS.API.META.LEADER.STEPDOWN", b"", timeout=5.0)
        self.wait(self.well, "all is led again")


class DebianNatsRig(NatsRig):
    """A server of before 2.11 waits for 0.25 s in each handover of a stream."""

    name = "nats_debian"
    edition = DEBIAN
