"""What members of an HTTP cluster say, read into facts: the worst of all answers counts."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.clusters.gates import refusals
from gapless.clusters.group import Group, Kind
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_http import ChronikConfig, HttpGroupsConfig
from gapless.drivers.clusters.http_view import Round, Sight, at, groups

PARTITIONS = HttpGroupsConfig(path="/partitions", position="applied_index", lag=10)


def _partition(leader: Any = 1, isr: Any = (1, 2, 3), **more: Any) -> dict[str, Any]:
    return {
        "topic": "t", "partition": 0, "leader": leader, "replicas": [1, 2, 3],
        "in_sync_replicas": list(isr), **more,
    }  # fmt: skip


def _round(*answers: Any, config: HttpGroupsConfig = PARTITIONS) -> Round:
    """Of members 1, 2 … on hosts n1, n2 …; None is one that is silent."""
    sights = [
        Sight(f"n{n}", trouble="does not answer")
        if answer is None
        else Sight(f"n{n}", str(n), groups=groups(answer, config))
        for n, answer in enumerate(answers, 1)
    ]
    return Round(sights, config)


def _only(seen: Round) -> Group:
    (group,) = seen.groups().values()
    return group


def test_three_that_agree() -> None:
    group = _only(_round(*[[_partition()]] * 3))
    assert (group.id, group.kind, group.leader) == ("t-0", Kind.QUORUM, "1")
    assert (group.members, group.full, group.minimum) == (("1", "2", "3"), True, 2)


def test_one_that_calls_everybody_in_sync_convinces_nobody() -> None:
    """As a tracker does that has just begun, and one that is stale."""
    seen = _round([_partition(isr=(1, 2))], [_partition(isr=(1, 2))], [_partition()])
    assert _only(seen).in_sync == {"1", "2"}


def test_who_is_behind_is_not_in_sync_whatever_all_say() -> None:
    told = _partition(applied_index={"1": 90, "2": 90, "3": 12})
    assert _only(_round(*[[told]] * 3)).in_sync == {"1", "2"}
    patient = PARTITIONS.model_copy(update={"lag": 100})
    assert _only(_round(*[[told]] * 3, config=patient)).full


def test_who_does_not_answer_is_in_trouble_and_not_in_sync() -> None:
    seen = _round([_partition()], None, [_partition()])
    assert _only(seen).in_sync == {"1", "3"}
    members = by_id(seen.members())
    assert (members["2"].host, members["2"].trouble) == ("n2", "does not answer")
    topology = Topology(members, seen.groups(), tuple(seen.findings()), tuple(seen.answering))
    found = refusals(topology, ("1",))
    assert [one.code for one in found] == ["member-in-trouble", "not-in-sync", "quorum-lost"]
    assert refusals(topology, ("2",)) == ()


def test_members_that_name_different_leaders() -> None:
    seen = _round([_partition(1)], [_partition(2)], [_partition(2)])
    assert _only(seen).leader == "2"
    (finding,) = seen.findings()
    assert (finding.code, finding.where) == ("split-leaders", "t-0")
    assert finding.evidence == "1: 1\n2: 2\n3: 2"


def test_a_group_that_not_all_know() -> None:
    (finding,) = _round([_partition()], []).findings()
    assert finding.code == "split-groups"


@pytest.mark.parametrize("nobody", [0, "0", -1, None, ""])
def test_nobody_leads(nobody: Any) -> None:
    assert _only(_round([_partition(nobody)])).leader == ""


def test_a_mapping_of_groups_and_members_that_are_not_told() -> None:
    """As the document shows /health."""
    config = HttpGroupsConfig(path="/health", items="partitions", id="{key}", minimum=2)
    answer = {"partitions": {"t-0": {"leader": 1, "in_sync_replicas": [1, 2]}}}
    seen = Round([Sight(f"n{n}", str(n), groups=groups(answer, config)) for n in (1, 2, 3)], config)
    group = _only(seen)
    assert (group.id, group.kind, group.members) == ("t-0", Kind.REPLICAS, ("1", "2", "3"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "later"}, "there is no list of groups"),
        ([{"topic": "t", "partition": 0, "leader": 1}], "a group has no lists"),
        ([{"leader": 1, "in_sync_replicas": []}], "a group has no topic"),
    ],
)
def test_nonsense(answer: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        groups(answer, PARTITIONS)


def test_a_cluster_without_groups_is_not_safe() -> None:
    assert [one.code for one in _round([], [], []).findings()] == ["no-groups"]


def test_fields_in_fields() -> None:
    assert at({"a": {"b": 1}}, "a.b") == 1
    assert at({"a": 1}, "a.b") is None
    assert at([1], "") == [1]


def test_chronik_by_its_server() -> None:
    config = ChronikConfig(api="admin", key="env:KEY").http
    answer = {
        "partitions": [{"topic": "t", "partition": 0, "leader": 1, "replicas": [1], "isr": [1]}]
    }
    assert list(groups(answer, config.groups)) == ["t-0"]
    assert (config.members.path, config.headers) == ("/admin/health", {"X-API-Key": "env:KEY"})
