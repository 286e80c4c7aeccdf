"""Members that hold one thing together: a raft group, a partition, a shard, a primary with its
standbys.

1. ``in_sync`` are those that could go on alone: they answer and have all that was acknowledged.
2. ``minimum`` of them have to be left for clients to notice nothing: a majority of the voters, the
   ``min.insync.replicas`` of a partition, one of a primary and its standbys.
3. What lies between the two is the *slack*: so many may go down now. Of a slack of two or more, one
   is kept for a failure that nobody planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """In what way its members hold it."""

    QUORUM = "quorum"
    """Voters of a raft group."""
    REPLICAS = "replicas"
    """A leader, and followers of which a number has to be in sync."""
    PRIMARY = "primary"
    """One that writes, and standbys."""


@dataclass(frozen=True, slots=True)
class Group:
    """``members``: ids of all that are to hold it; ``leader``: "" where it has none; ``position``:
    by id how far each has got (applied index, offset), where the system tells."""

    id: str
    kind: Kind
    members: tuple[str, ...]
    leader: str
    in_sync: frozenset[str]
    minimum: int
    position: Mapping[str, int] = field(default_factory=dict)
    movable: bool = True
    """Whether its leader can be told to hand over; else it moves when the leader stops."""
    led: bool = True
    """Whether one of its members has to lead it; those that vote in Redis Cluster are equals."""
    seats: bool = False
    """Whether its members are those that lead other groups: who hands all of those over gives its
    place in it to others, and then takes nothing from it."""
    preferred: str = ""
    """Who is to lead it where it can, "" where the system has no such notion."""

    @property
    def slack(self) -> int:
        """How many of those in sync may go down now; below 0 it is broken already."""
        return len(self.in_sync) - self.minimum

    @property
    def full(self) -> bool:
        """Whether all its members are in sync."""
        return self.in_sync.issuperset(self.members)

    @property
    def ever_safe(self) -> bool:
        """Whether one of its members may be down at all when everything is well."""
        return len(self.members) > self.minimum


def majority(voters: int) -> int:
    """Of so many: ``N // 2 + 1``."""
    return voters // 2 + 1
