"""What doctor says of clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import pytest

from gapless.cluster_doctor import examine_clusters
from gapless.clusters.topology import Topology
from gapless.config.project import ProjectConfig
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import ClusterError
from gapless.finding import Finding
from gapless.inventory.inventory import Inventory
from gapless.testing.fake_cluster import FakeCluster, FakeMembers
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation.assembly import SimAssembly

HOSTS = ("h1", "h2", "h3")
CONFIG = ProjectConfig.model_validate(
    {
        "project": "site",
        "hosts": {host: {} for host in (*HOSTS, "web1")},
        "services": {
            "store": {
                "on": list(HOSTS),
                "systemd": "store.service",
                "cluster": {"etcd": {}},
            },
            "web": {"on": ["web1"], "systemd": "web.service"},
        },
    }
)


class Site(SimAssembly):
    """As the real one gives its configuration away."""

    config = CONFIG


def asked(
    hosts: Sequence[str] = HOSTS, happens: Callable[[FakeMembers], None] = lambda members: None
) -> list[Finding]:
    world = World()
    for host in HOSTS:
        world.host(host).add_unit("store.service", service="store").run_already()
    members = world.clusters["store"] = FakeMembers(world, "store")
    happens(members)
    site = cast(ProjectAssembly, Site(world, CONFIG, ""))

    async def story() -> list[Finding]:
        for host in HOSTS:
            await site.transport(host).connect()
        return await examine_clusters(site, Inventory(CONFIG), hosts, world.clock)

    return run_virtual(story())


def lines(found: Sequence[Finding]) -> list[str]:
    return [f"{f.host} {f.verdict.status}: {f.verdict.asked}: {f.verdict.answer}" for f in found]


def test_each_member_with_what_it_is() -> None:
    told = lines(asked())
    assert len(told) == 3
    assert told[0].startswith("h1 PASS: member: h1")
    assert told[0].endswith("in sync in 3 of 3 groups, leads 1")


def test_only_members_on_the_hosts_that_were_asked_for() -> None:
    assert [finding.host for finding in asked(["h2", "web1"])] == ["h2"]
    assert not asked(["web1"])


def test_what_speaks_against_a_restart_is_told_once_with_its_remedy() -> None:
    found = [f for f in asked(happens=lambda members: members.behind.add("h2")) if f.remedy]
    told = lines(found)
    assert any("may be restarted (not-in-sync): g0, g1, g2: 2 of 3" in line for line in told)
    assert len(told) == len(set(told))
    assert all(finding.remedy for finding in found)


def test_a_host_that_is_none_of_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    topology = FakeCluster.topology

    async def without_h3(self: FakeCluster) -> Topology:
        whole = await topology(self)
        members = {key: one for key, one in whole.members.items() if one.host != "h3"}
        return replace(whole, members=members)

    monkeypatch.setattr(FakeCluster, "topology", without_h3)
    told = [line for line in lines(asked()) if "h3 FAIL: member: " in line]
    assert told == ["h3 FAIL: member: no member of fake runs there; members: h1, h2"]


def test_a_cluster_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(self: FakeCluster) -> Topology:
        raise ClusterError("nobody answers", evidence="Connection refused", next="start one")

    monkeypatch.setattr(FakeCluster, "topology", silent)
    (found,) = asked()
    assert lines([found]) == ["h1 FAIL: ask fake: nobody answers\nConnection refused"]
    assert found.remedy == "start one"
