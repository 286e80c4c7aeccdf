"""A cluster at one moment, as several of its members saw it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group
from gapless.clusters.member import Member


@dataclass(frozen=True, slots=True)
class Topology:
    """``findings`` are what the driver itself found wrong: members that disagree, alarms, settings
    that make a restart unsafe. ``asked`` are the ids of the members that this is from."""

    members: Mapping[str, Member]
    groups: Mapping[str, Group]
    findings: tuple[Finding, ...] = ()
    asked: tuple[str, ...] = ()
    singletons: Mapping[str, str] = field(default_factory=dict)
    """Roles of which there is one in the cluster, as ``controller``, and the id that has each: who
    has one is restarted last."""

    def on(self, host: str) -> Member | None:
        """The member that runs there."""
        return next((one for one in self.members.values() if one.host == host), None)

    def groups_of(self, member: str) -> tuple[Group, ...]:
        """Those that it takes part in."""
        return tuple(group for group in self.groups.values() if member in group.members)

    def led_by(self, member: str) -> tuple[Group, ...]:
        """Those that it leads."""
        return tuple(group for group in self.groups.values() if group.leader == member)

    def costs(self, group: Group, stopping: Collection[str]) -> frozenset[str]:
        """Those in sync that the group loses when these members are stopped together."""
        gone = group.in_sync.intersection(stopping)
        if not group.seats:
            return gone
        return frozenset(one for one in gone if not self._hands_over(one, stopping))

    def _hands_over(self, member: str, stopping: Collection[str]) -> bool:
        """Whether there is somebody for everything that it leads."""
        led = self.led_by(member)
        return all(group.movable and group.in_sync.difference(stopping) for group in led)

    @property
    def leads(self) -> Mapping[str, int]:
        """By id how many groups each leads; 0 for those that lead none."""
        counted = Counter(group.leader for group in self.groups.values() if group.leader)
        return {member: counted[member] for member in self.members}

    @property
    def leaderless(self) -> tuple[Group, ...]:
        """Groups that nobody leads, though somebody has to."""
        return tuple(group for group in self.groups.values() if group.led and not group.leader)


def by_id(members: Iterable[Member]) -> dict[str, Member]:
    """For a ``Topology``."""
    return {member.id: member for member in members}
