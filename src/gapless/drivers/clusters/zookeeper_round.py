"""A ZooKeeper ensemble as all hosts that were asked showed it, in one round. No side effects.

1. Voters are those that any server calls so, so a disagreement makes the majority larger, never
   smaller. Observers are members, and hold nothing: the quorum is the voters' alone.
2. A server leads when it says so and counts enough voters in sync for a majority; of two of them
   none does. Nobody tells who leads but the leader itself. One that is silent leads where all other
   voters follow somebody who is none of them.
3. In sync is a voter that answers, leads or follows, and is not behind its leader by more than
   ``lag``. The leader counts its followers, and does not name them: where it counts fewer than say
   so themselves, none of them is in sync, for nobody knows which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.clusters.order import natural
from gapless.drivers.clusters.zookeeper_sight import Sight
from gapless.drivers.clusters.zookeeper_view import (
    FOLLOWER,
    LEADER,
    OBSERVER,
    Ensemble,
    Server,
    behind,
)

ENSEMBLE = "ensemble"
"""The group of all voters."""


@dataclass(frozen=True)
class Round:
    """See above. ``places``: by id the host of each server, as far as that is known; ``known``: who
    was of it before, for a moment in which none answers: while they elect, none does."""

    sights: tuple[Sight, ...]
    lag: int
    places: Mapping[str, str] = field(default_factory=dict)
    known: Ensemble = field(default_factory=Ensemble)

    @cached_property
    def everyone(self) -> tuple[tuple[str, Server], ...]:
        """All answers with their hosts."""
        return tuple((one.host, one.server) for one in self.sights if one.server is not None)

    @cached_property
    def servers(self) -> dict[str, Server]:
        """By id those that answered."""
        return {server.id: server for _, server in self.everyone}

    @cached_property
    def voters(self) -> tuple[str, ...]:
        """All that anybody counts as one; a server without an ensemble is its own."""
        told = {one for ensemble in self._ensembles for one in ensemble.voters}
        alone = {one.id for one in self.servers.values() if not _has_ensemble(one)}
        return tuple(sorted(told | alone, key=natural))

    @cached_property
    def observers(self) -> tuple[str, ...]:
        """All that are members, and do not vote."""
        told = {one for ensemble in self._ensembles for one in ensemble.observers}
        return tuple(sorted({*told, *self.servers} - {*self.voters}, key=natural))

    @property
    def names(self) -> tuple[str, ...]:
        """All members."""
        return (*self.voters, *self.observers)

    @cached_property
    def claims(self) -> tuple[str, ...]:
        """Who says that it leads."""
        return tuple(one.id for one in self.servers.values() if one.state == LEADER)

    @cached_property
    def leader(self) -> str:
        """Id of the one that leads, "" for nobody that is known."""
        needed = majority(len(self.voters))
        able = [one for one in self.claims if (self.servers[one].synced or 0) + 1 >= needed]
        if self.claims:
            return able[0] if len(able) == 1 and able[0] in self.voters else ""
        others = [one for one in self.voters if one not in self.servers]
        following = [one for one in self.voters if self._state(one) == FOLLOWER]
        if len(others) == 1 and len(following) == len(self.voters) - 1 >= needed:
            return others[0]
        return ""

    @cached_property
    def followers(self) -> tuple[str, ...]:
        """Voters that say that they follow."""
        return tuple(one for one in self.voters if self._state(one) == FOLLOWER)

    @property
    def uncounted(self) -> bool:
        """Whether the leader counts fewer in sync than say that they follow."""
        leader = self.servers.get(self.leader)
        return leader is not None and (leader.synced or 0) < len(self.followers)

    def behind(self, name: str) -> int:
        """Transactions that it still has to get; of a silent leader those of the furthest count."""
        leader = self.servers.get(self.leader)
        heads = [leader.zxid] if leader else [self.servers[one].zxid for one in self.followers]
        return behind(self.servers[name].zxid, max(heads, default=0))

    def objection(self, name: str) -> str:
        """Why it is not in sync; "" where it is."""
        server = self.servers.get(name)
        if server is None:
            return "does not answer"
        if trouble := self._wrong_state(server):
            return trouble
        if not self.leader:
            return "nobody leads it for sure"
        if self.uncounted and name in self.followers:
            synced = self.servers[self.leader].synced
            return f"its leader counts {synced} of {len(self.followers)} followers in sync"
        late = self.behind(name)
        return f"is {late:,} transactions behind" if late > self.lag else ""

    def trouble(self, name: str) -> str:
        """Why a server is not well; "" for one that is."""
        server = self.servers.get(name)
        if server is not None:
            return self._wrong_state(server)
        sight = self.sight_of(name)
        return f"does not tell: {sight.why}" if sight else "none of our hosts runs it"

    def sight_of(self, name: str) -> Sight | None:
        """Of the host that it runs on."""
        return next((one for one in self.sights if one.host == self.places.get(name)), None)

    def group(self) -> Group:
        """The voters."""
        positions = {one: self.servers[one].zxid for one in self.voters if one in self.servers}
        return Group(
            id=ENSEMBLE,
            kind=Kind.QUORUM,
            members=self.voters,
            leader=self.leader,
            in_sync=frozenset(one for one in self.voters if not self.objection(one)),
            minimum=majority(len(self.voters)),
            position=positions,
            movable=False,
        )

    def members(self) -> tuple[Member, ...]:
        """All of them."""
        return tuple(self._member(name) for name in self.names)

    @property
    def _ensembles(self) -> tuple[Ensemble, ...]:
        return tuple(one.ensemble for one in self.servers.values()) or (self.known,)

    def _member(self, name: str) -> Member:
        server = self.servers.get(name)
        return Member(
            id=name,
            host=self.places.get(name, ""),
            address=self._address(name),
            role=server.state if server else "",
            version=server.version if server else "",
            began=str(server.life) if server else "",
            trouble=self.trouble(name),
        )

    def _address(self, name: str) -> str:
        told = [{**one.voters, **one.observers}.get(name, "") for one in self._ensembles]
        return next(filter(None, told), "")

    def _wrong_state(self, server: Server) -> str:
        wanted = (LEADER, FOLLOWER) if server.id in self.voters else (OBSERVER,)
        if not _has_ensemble(server):
            return "runs alone: its configuration names no ensemble"
        if server.state in wanted:
            return ""
        return f"is in the state {server.state}, and has to be {' or '.join(wanted)}"

    def _state(self, name: str) -> str:
        server = self.servers.get(name)
        return server.state if server else ""


def _has_ensemble(server: Server) -> bool:
    return bool(server.ensemble.voters)
