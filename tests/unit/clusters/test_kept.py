"""What is remembered of a cluster over a restart comes back as it was."""

from __future__ import annotations

import json

from gapless.clusters.group import Group, Kind
from gapless.clusters.kept import kept, recalled
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id


def test_it_comes_back_from_json_with_the_groups_of_the_member_alone() -> None:
    members = [Member(one, host=f"h{one}", began=f"p{one}", role="replica") for one in "ab"]
    members.append(Member("c", host="hc", trouble="does not answer"))
    shared = Group("g", Kind.REPLICAS, ("a", "b"), "a", frozenset("ab"), 1, movable=False)
    other = Group("other", Kind.QUORUM, ("b", "c"), "c", frozenset("bc"), 2)
    topology = Topology(by_id(members), {"g": shared, "other": other}, asked=("a", "b", "c"))
    again = recalled(json.loads(json.dumps(kept(topology, "a"))))
    assert again.members == topology.members
    assert again.groups == {"g": shared}
