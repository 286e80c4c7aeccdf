"""What a plan says of a cluster whose members may go several at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.planning import Survey, make_plan
from gapless.planning.survey import SeenCluster
from gapless.plans import ServicePlan, Verb, from_json, to_json
from tests.unit.config.shop import loaded

TEXT = """\
project: site
hosts: {{h1: {{zone: a}}, h2: {{zone: b}}, h3: {{zone: c}}, h4: {{zone: a}}, h5: {{zone: b}},
  h6: {{zone: c}}}}
services:
  store:
    on: [all]
    systemd: store.service
    cluster: {{etcd: {{}}{keys}}}
    rollout: {{batch: {batch}, max_unavailable: {batch}}}
"""
HOSTS = [f"h{number}" for number in range(1, 7)]


def ring(*findings: Finding) -> SeenCluster:
    """Six groups, each on three hosts in a row, the first of which leads."""
    groups = {}
    for number, leader in enumerate(HOSTS):
        held = tuple(HOSTS[(number + more) % 6] for more in range(3))
        name = f"g{number + 1}"
        groups[name] = Group(name, Kind.REPLICAS, held, leader, frozenset(held), 2)
    members = by_id(Member(host, host=host) for host in HOSTS)
    return SeenCluster(Topology(members, groups, asked=tuple(HOSTS)), findings)


def planned(
    folder: Path, *, batch: int, keys: str = "", seen: SeenCluster | None = None
) -> ServicePlan:
    project = loaded(folder, TEXT.format(batch=batch, keys=keys))
    survey = Survey(clusters={"store": seen or ring()})
    (service,) = make_plan(project, verb=Verb.RESTART, survey=survey).services
    return service


def hosts(service: ServicePlan) -> list[tuple[str, ...]]:
    return [batch.hosts for batch in service.batches]


def test_those_that_share_no_group_go_together_and_the_rest_waits_for_a_reason(
    tmp_path: Path,
) -> None:
    service = planned(tmp_path, batch=3)
    assert hosts(service) == [("h1", "h4"), ("h2", "h5"), ("h3", "h6")]
    assert [batch.name for batch in service.batches] == ["batch1", "batch2", "batch3"]
    assert service.notes[-3:] == (
        "store: 3 rounds of up to 3, a reserve for 1 failure kept where a group has one",
        "store: h2 waits: g1 can spare 1, and h1 is of it",
        "store: h3 waits: g1 can spare 1, and h2 is of it",
    )
    plan = make_plan(
        loaded(tmp_path, TEXT.format(batch=3, keys="")),
        verb=Verb.RESTART,
        survey=Survey(clusters={"store": ring()}),
    )
    assert from_json(to_json(plan)) == plan
    assert plan.expected == 3 * service.expected


def test_one_at_a_time_is_what_happens_by_default(tmp_path: Path) -> None:
    service = planned(tmp_path, batch=1)
    assert hosts(service) == [(host,) for host in HOSTS]
    assert not any("round" in note for note in service.notes)


def test_no_more_than_were_asked_for(tmp_path: Path) -> None:
    alone = Topology({host: Member(host, host=host) for host in HOSTS}, {}, asked=tuple(HOSTS))
    service = planned(tmp_path, batch=4, seen=SeenCluster(alone))
    assert [len(batch) for batch in hosts(service)] == [4, 2]
    assert "store: at most 4 at once" in service.notes


def test_zone_by_zone(tmp_path: Path) -> None:
    service = planned(tmp_path, batch=6, keys=", zone_by_zone: true")
    assert hosts(service) == [("h1", "h4"), ("h2", "h5"), ("h3", "h6")]
    assert "store: one zone at a time" in service.notes or any(
        "can spare" in note for note in service.notes
    )
    assert service.zone_by_zone["h4"] == "a"


def test_one_that_no_group_can_spare_is_last_and_alone(tmp_path: Path) -> None:
    seen = ring()
    assert seen.topology
    short = Group("g9", Kind.REPLICAS, ("h1", "h2"), "h1", frozenset(("h1", "h2")), 2)
    topology = Topology(
        seen.topology.members, {**seen.topology.groups, "g9": short}, asked=tuple(HOSTS)
    )
    service = planned(tmp_path, batch=3, seen=SeenCluster(topology))
    assert sorted(hosts(service)[-2:]) == [("h1",), ("h2",)]
    assert sorted(host for batch in hosts(service) for host in batch) == HOSTS


def test_a_cluster_that_cannot_be_asked_leaves_the_order_and_is_refused(tmp_path: Path) -> None:
    silent = SeenCluster(
        None, (Finding("silent", "etcd", "nobody answers", next="look\nor leave it"),)
    )
    service = planned(tmp_path, batch=2, seen=silent)
    assert hosts(service) == [("h1", "h2"), ("h3", "h4"), ("h5", "h6")]
    first, begin = service.unsafe
    assert first == "etcd: nobody answers; look; or leave it"
    assert begin.startswith("where no member of store runs: start it on all its hosts")


def test_other_clusters_on_the_same_hosts_are_named(tmp_path: Path) -> None:
    seen = replace(ring(), neighbours=("etcd",))
    told = " ".join(planned(tmp_path, batch=1, seen=seen).notes)
    assert "store: etcd is on the same hosts: it has to let its members be stopped, too" in told
