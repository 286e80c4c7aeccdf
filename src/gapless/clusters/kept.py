"""What is remembered of a cluster while one of its members is restarted: as plain data, for a
journal, and only what concerns that member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id


def kept(topology: Topology, member: str) -> dict[str, Any]:
    """All members, and the groups that this one is of."""
    return {
        "members": [
            {
                "id": one.id,
                "host": one.host,
                "began": one.began,
                "role": one.role,
                **({"trouble": one.trouble} if one.trouble else {}),
            }
            for one in topology.members.values()
        ],
        "groups": [
            {
                "id": group.id,
                "kind": group.kind.value,
                "members": list(group.members),
                "leader": group.leader,
                "in_sync": sorted(group.in_sync),
                "minimum": group.minimum,
                "movable": group.movable,
            }
            for group in topology.groups_of(member)
        ],
    }


def recalled(data: Mapping[str, Any]) -> Topology:
    """As it was then."""
    groups = [
        Group(
            one["id"],
            Kind(one["kind"]),
            tuple(one["members"]),
            one["leader"],
            frozenset(one["in_sync"]),
            one["minimum"],
            movable=one["movable"],
        )
        for one in data["groups"]
    ]
    members = by_id(Member(**one) for one in data["members"])
    return Topology(members, {group.id: group for group in groups}, asked=tuple(members))
