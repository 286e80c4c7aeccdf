"""A stateful cluster in virtual time: groups that its members hold, who leads them, who is in sync.

1. A member is the unit of a host. It is in sync some time after its unit has started.
2. A group whose leader is gone has none until an election; then the first that is in sync leads.
3. What must never happen is a breach at the moment it happens: a member stopped by somebody while
   it leads, and a quorum that is given up by stopping one more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.clusters.order import to_be_led
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.model import Fence
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.world import World

_MOVING, _ELECTION, _GIVEN_BACK = 0.05, 0.5, 5.0
_ORDERED = ("restart", "stop")
_UNIT = 0.01
"""Seconds that one thing to catch up takes."""


@dataclass
class FakeMembers:
    """What the cluster really is, whoever asks. ``catch_up`` seconds from the start of a member
    until it is in sync."""

    world: World
    service: str
    groups: int = 3
    catch_up: float = 1.0
    replicas: int = 0
    """Members that hold each group, from its first leader on in the order of the hosts; 0: all."""
    stuck: set[str] = field(default_factory=set)
    """Hosts whose leaderships are not taken over, whatever is ordered."""
    behind: set[str] = field(default_factory=set)
    """Hosts that never catch up."""
    bouncing: dict[str, int] = field(default_factory=dict)
    """By group how often it comes back to whom it has just left."""
    preferred: dict[str, str] = field(default_factory=dict)
    """By group the host that is to lead it where it can."""
    paused: set[str] = field(default_factory=set)
    """Hosts for which something was ordered that has to be taken back."""
    moves: list[tuple[str, str]] = field(default_factory=list)
    """Each group that was moved by order, and to where."""
    leaders: dict[str, str] = field(default_factory=dict)
    _since: dict[str, tuple[str, float]] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hosts = [unit.place for unit in self.units]
        self._since = {unit.place: (unit.invocation, -math.inf) for unit in self.units}
        self.leaders = {f"g{n}": hosts[n % len(hosts)] for n in range(self.groups)}
        self.world.on_change(self._changed)

    @property
    def units(self) -> list[FakeUnit]:
        """By host."""
        return sorted(self.world.units(self.service), key=lambda unit: unit.place)

    def unit(self, host: str) -> FakeUnit:
        """The one there."""
        return next(unit for unit in self.units if unit.place == host)

    def running(self, host: str) -> bool:
        """Whether its unit is up."""
        return self.unit(host).running

    def left(self, host: str) -> float:
        """Seconds until it is in sync, below 0 when it is."""
        if not self.running(host) or host in self.behind:
            return math.inf
        return self._since[host][1] + self.catch_up - self.world.clock.monotonic()

    @property
    def in_sync(self) -> frozenset[str]:
        """Hosts whose members could go on alone."""
        return frozenset(unit.place for unit in self.units if self.left(unit.place) <= 0)

    def holders(self, group: str) -> tuple[str, ...]:
        """Hosts of the members of a group."""
        hosts = [unit.place for unit in self.units]
        first = int(group.removeprefix("g")) if self.replicas else 0
        return tuple(hosts[(first + n) % len(hosts)] for n in range(self.replicas or len(hosts)))

    def elect(self) -> None:
        """What is due by now."""
        now = self.world.clock.monotonic()
        for group, leader in self.leaders.items():
            if leader or now < self._due[group]:
                continue
            holders = self.holders(group)
            able = sorted(self.in_sync.intersection(holders))
            if len(able) >= majority(len(holders)):
                self.leaders[group] = able[0]

    def _changed(self, world: World) -> str | None:
        breach = None
        for unit in self.units:
            known, _ = self._since[unit.place]
            if unit.running and unit.invocation != known:
                self._since[unit.place] = (unit.invocation, world.clock.monotonic())
            elif not unit.running and known:
                breach = self._gone(unit) or breach
                self._since[unit.place] = ("", 0.0)
        return breach

    def _gone(self, unit: FakeUnit) -> str | None:
        """It runs no more: a breach where somebody stopped it who should not have."""
        led = [group for group, leader in self.leaders.items() if leader == unit.place]
        for group in led:
            self.leaders[group] = ""
            self._due[group] = self.world.clock.monotonic() + _ELECTION
        last = [deed.what for deed in self.world.history if deed.host == unit.place][-1:]
        if last and last[0] not in _ORDERED:
            return None
        if led:
            return f"{unit.place} was stopped while it led {', '.join(led)}"
        for group in self.leaders:
            holders = self.holders(group)
            left, needs = len(self.in_sync.intersection(holders)), majority(len(holders))
            if unit.place in holders and left < needs:
                return (
                    f"{unit.place} was stopped: of {group} {left} are in sync, and it takes {needs}"
                )
        return None


class FakeCluster:
    """A driver of it, as each controller has its own."""

    kind = "fake"

    def __init__(self, members: FakeMembers) -> None:
        self._members = members
        self._world = members.world

    @property
    def name(self) -> str:
        """That of its service."""
        return self._members.service

    async def topology(self) -> Topology:
        """As it is now."""
        await self._world.clock.sleep(self._world.latency)
        self._members.elect()
        members = by_id(self._member(unit) for unit in self._members.units)
        return Topology(
            members,
            {group: self._group(group) for group in self._members.leaders},
            asked=tuple(one.id for one in members.values() if one.well),
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """Nothing more."""
        return ()

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """One group after the other. The host of the member obeys the newest rollout only."""
        self._members.unit(member).host.claims.admit(fence)
        self._members.paused.add(member)
        moved = []
        for group, leader in list(self._members.leaders.items()):
            if leader == member:
                moved.append(await self._move(group, member, targets, within))
        return tuple(moved)

    async def _move(self, group: str, member: str, targets: Sequence[str], within: float) -> Moved:
        able = self._members.in_sync.intersection(self._members.holders(group)) - {member}
        to = next((one for one in targets if one in able), min(able, default=""))
        if member in self._members.stuck or not to:
            await self._world.clock.sleep(within)
            return Moved(group, why=f"not taken over within {within:g} s")
        await self._world.clock.sleep(_MOVING)
        if to in self._members.in_sync and self._members.leaders[group] == member:
            self._members.leaders[group] = to
            self._members.moves.append((group, to))
        if self._members.bouncing.get(group, 0) > 0:
            self._members.bouncing[group] -= 1
            self._members.leaders[group] = member
        return Moved(group, to, seconds=_MOVING)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Its orderly stop does that."""
        await self._world.clock.sleep(self._world.latency)
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Another process, and in sync."""
        await self._world.clock.sleep(self._world.latency)
        now = self._member(self._members.unit(member))
        if now.trouble:
            return Rejoined(done=False, why=now.trouble)
        if now.began == before.members[member].began:
            return Rejoined(done=False, why="it is the process from before")
        left = self._members.left(member)
        if left <= 0:
            return Rejoined(done=True, lag=0)
        lag = None if math.isinf(left) else math.ceil(left / _UNIT)
        return Rejoined(done=False, why="it catches up", lag=lag)

    async def restore(self, member: str, fence: Fence | None) -> None:
        """What was ordered for its restart."""
        await self._world.clock.sleep(self._world.latency)
        self._members.paused.discard(member)

    async def prefer(self, member: str) -> tuple[Moved, ...]:
        """Each group by itself, from whoever leads it."""
        wanted = to_be_led(await self.topology(), member)
        return tuple(
            [await self._move(one.id, one.leader, [member], _GIVEN_BACK) for one in wanted]
        )

    def _member(self, unit: FakeUnit) -> Member:
        return Member(
            unit.place,
            host=unit.place,
            version=unit.version,
            began=unit.invocation,
            trouble="" if unit.running else "it does not answer",
        )

    def _group(self, group: str) -> Group:
        holders = self._members.holders(group)
        return Group(
            group,
            Kind.QUORUM,
            holders,
            self._members.leaders[group],
            self._members.in_sync.intersection(holders),
            majority(len(holders)),
            preferred=self._members.preferred.get(group, ""),
        )
