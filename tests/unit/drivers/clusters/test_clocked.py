"""The clocks of the members' hosts, asked over the connections that there are anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gapless.clock import LoopClock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.config.source import load_config
from gapless.drivers.clusters.clocked import ClockedCluster
from gapless.drivers.transports.base import HostFacts
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import Unreachable


class _Clock:
    """Answers take as long as they are said to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


class _Host:
    def __init__(self, clock: _Clock, ahead: float = 0.0, takes: Sequence[float] = (0.02,)) -> None:
        self.clock, self.ahead, self.asked = clock, ahead, 0
        self._takes = takes
        self.gone = False

    async def facts(self, paths: Sequence[str] = ()) -> HostFacts:
        if self.gone:
            raise Unreachable("no route to the host")
        takes = self._takes[min(self.asked, len(self._takes) - 1)]
        self.asked += 1
        self.clock.at += takes / 2
        told = 1_768_824_000.0 + self.clock.at + self.ahead
        self.clock.at += takes / 2
        return HostFacts(told, 0.0, "root", True, "252", "3.11", {}, (), "")


class _Driver:
    """Has a finding of its own."""

    name, kind = "store", "fake"
    own = Finding("alarm", "n1", "it is full")

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        return (self.own,)

    async def seal(self, member: str, fence: Any) -> str:
        return f"sealed {member}"


def _cluster(hosts: dict[str, _Host], names: Sequence[str] = ()) -> ClockedCluster:
    made: Any = ClockedCluster
    clock = next(iter(hosts.values())).clock
    cluster: ClockedCluster = made(_Driver(), names or list(hosts), hosts.__getitem__, clock, 0.5)
    return cluster


def _codes(cluster: ClockedCluster, topology: Topology | None = None) -> Iterator[str]:
    topology = topology or Topology({}, {})
    found = asyncio.run(cluster.unsafe(topology, ("n1",)))
    return (f"{one.code} {one.where}" for one in found)


def _hosts(*ahead: float) -> dict[str, _Host]:
    clock = _Clock()
    return {f"h{n}": _Host(clock, seconds) for n, seconds in enumerate(ahead, start=1)}


def test_clocks_that_agree_add_nothing_to_what_the_driver_says() -> None:
    assert list(_codes(_cluster(_hosts(0, 0.1, 0.2)))) == ["alarm n1"]


def test_one_that_is_wrong_is_told_beside_it() -> None:
    assert list(_codes(_cluster(_hosts(0, 0, -3)))) == ["alarm n1", "clock-skew h3"]


def test_they_are_asked_once_for_each_view() -> None:
    hosts, view = _hosts(0, 0), Topology({}, {})
    cluster = _cluster(hosts)
    for _ in range(3):
        list(_codes(cluster, view))
    assert [host.asked for host in hosts.values()] == [1, 1]
    list(_codes(cluster, Topology({}, {})))
    assert [host.asked for host in hosts.values()] == [2, 2]


def test_those_of_a_large_cluster_are_asked_once_a_minute() -> None:
    hosts = _hosts(*[0.0] * 12)
    cluster, clock = _cluster(hosts), next(iter(hosts.values())).clock
    for _ in range(3):
        list(_codes(cluster, Topology({}, {})))
    assert {host.asked for host in hosts.values()} == {1}
    clock.at += 61.0
    hosts["h7"].ahead = 9.0
    assert "clock-skew h7" in list(_codes(cluster, Topology({}, {})))


def test_a_slow_answer_is_asked_for_again_and_the_quickest_counts() -> None:
    clock = _Clock()
    hosts = {"h1": _Host(clock), "h2": _Host(clock, 2.0, takes=(30.0, 0.04)), "h3": _Host(clock)}
    assert "clock-skew h2" in list(_codes(_cluster(hosts)))
    assert hosts["h2"].asked == 2


def test_answers_that_are_always_slow_prove_nothing() -> None:
    clock = _Clock()
    hosts = {"h1": _Host(clock), "h2": _Host(clock, 2.0, takes=(9.0,)), "h3": _Host(clock)}
    assert list(_codes(_cluster(hosts))) == ["alarm n1"]
    assert hosts["h2"].asked == 3


def test_a_host_that_does_not_answer_has_no_clock() -> None:
    hosts = _hosts(0, 0, 9)
    hosts["h3"].gone = True
    assert list(_codes(_cluster(hosts))) == ["alarm n1"]


def test_members_on_one_host_have_one_clock() -> None:
    hosts = _hosts(0, 0)
    list(_codes(_cluster(hosts, ["h1/1", "h1/2", "h2"])))
    assert [host.asked for host in hosts.values()] == [1, 1]


def test_all_else_is_the_drivers() -> None:
    cluster = _cluster(_hosts(0))
    assert (cluster.name, cluster.kind) == ("store", "fake")
    assert asyncio.run(cluster.seal("n2", None)) == "sealed n2"


def test_every_cluster_of_a_project_has_it(tmp_path: Path) -> None:
    (tmp_path / "gapless.yaml").write_text(
        "project: store\n"
        'hosts: {"db[1:3]": {}}\n'
        'services: {db: {on: "db[1:3]", systemd: db.service, '
        "cluster: {etcd: {}, clock_skew: 40ms}}}\n"
    )
    assembly = ProjectAssembly(load_config(tmp_path / "gapless.yaml").project, LoopClock())
    cluster = assembly.cluster("db")
    assert isinstance(cluster, ClockedCluster)
    assert (cluster.kind, cluster.limit) == ("etcd", 0.04)
