"""Clusters that have members on the hosts of another one."""

from __future__ import annotations

from pathlib import Path

from gapless.config.definitions import from_definitions, to_definitions
from gapless.config.neighbours import neighbours_in
from gapless.planning.make import make_plan
from gapless.plans import Verb
from tests.unit.config.shop import loaded
from tests.unit.config.test_definitions import plan_of

TEXT = """\
project: site
hosts: {db1: {}, db2: {}, db3: {}, kv1: {}, kv2: {}, kv3: {}}
services:
  patroni:
    on: [db1, db2, db3]
    systemd: patroni.service
    cluster: {patroni: {}, neighbours: leave}
  web:
    on: [db1]
    systemd: web.service
  etcd:
    on: [db1, db2, kv1]
    systemd: etcd.service
    cluster: {etcd: {}}
  redis:
    on: [db2]
    systemd: {unit: "redis@{number}.service", replicas: 2}
    cluster: {redis_cluster: {}}
  nats:
    on: [kv2, kv3]
    systemd: nats.service
    cluster: {nats: {}}
"""


def test_those_on_the_same_machines_unless_a_stop_touches_nothing_else(tmp_path: Path) -> None:
    project = loaded(tmp_path, TEXT).project
    assert neighbours_in(project, project.services) == {
        "patroni": (),
        "web": (),
        "etcd": ("patroni", "redis"),
        "redis": ("patroni", "etcd"),
        "nats": (),
    }


def test_a_plan_carries_them_with_their_hosts(tmp_path: Path) -> None:
    found = from_definitions(plan_of(to_definitions(loaded(tmp_path, TEXT), ["etcd"])))
    assert list(found.services) == ["etcd", "patroni", "redis"]
    assert list(found.hosts) == ["db1", "db2", "db3", "kv1"]


def test_they_are_never_at_work_at_the_same_time(tmp_path: Path) -> None:
    """Also with one whose own stop touches nothing: the other one asks it."""
    plan = make_plan(loaded(tmp_path, TEXT), verb=Verb.RESTART)
    waves = {service.name: service.wave for service in plan.services}
    assert waves == {"patroni": 1, "web": 1, "etcd": 2, "redis": 3, "nats": 1}
    assert {s.name: s.after for s in plan.services}["redis"] == ("patroni", "etcd")


def waves(tmp_path: Path, hosts: str) -> dict[str, int]:
    plan = make_plan(
        loaded(tmp_path, TEXT), verb=Verb.RESTART, services=["patroni", "etcd"], hosts=hosts
    )
    return {service.name: service.wave for service in plan.services}


def test_where_no_stop_touches_the_other_one_they_go_at_the_same_time(tmp_path: Path) -> None:
    assert waves(tmp_path, "db3,kv1") == {"patroni": 1, "etcd": 1}


def test_a_stop_beside_a_member_that_is_not_restarted_itself_is_one_of_its_cluster(
    tmp_path: Path,
) -> None:
    """etcd on db1 stops beside a Patroni that stays, while another one is restarted."""
    assert waves(tmp_path, "db1,db3") == {"patroni": 1, "etcd": 2}
