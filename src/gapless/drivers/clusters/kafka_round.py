"""A Kafka cluster as all hosts that were asked showed it, in one round. No side effects.

1. Each partition is a group, and so are the voters of the metadata. A partition needs as many in
   sync as its topic says (``min.insync.replicas``): with fewer, writers that want all of them are
   refused.
2. In sync is a replica that is in the isr of every broker that answers, and answers itself: a
   broker that hangs stays in the isr for half a minute.
3. A partition is led by whom all name. Of several named none is believed.
4. Its leader can be told to hand over only where it is not the preferred one, the first of the
   replicas, that one is in sync, and we may have leaders elected. Else it hands over while it stops
   (controlled shutdown).
5. A voter is in sync when the controller has seen it have everything within the time after which
   voters look for another controller; where no such time is told, when its log is as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.clusters.order import natural
from gapless.drivers.clusters.kafka_sight import Sight
from gapless.drivers.clusters.kafka_view import Partition, Place, Quorum, View, topic_of

QUORUM = "metadata quorum"
"""The group of all voters."""
_OFFSETS = 1000
"""Entries of the metadata log that a voter may be behind, where no times are told."""


@dataclass(frozen=True)
class Round:
    """See above. ``places``: by id the host of each broker, as far as that is known."""

    sights: tuple[Sight, ...]
    places: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def everyone(self) -> tuple[tuple[str, View], ...]:
        """All answers with their hosts."""
        return tuple((one.host, one.view) for one in self.sights if one.view is not None)

    @cached_property
    def views(self) -> dict[str, View]:
        """By id those that answered."""
        return {view.id: view for _, view in self.everyone}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All brokers: registered, named as a replica, or answering."""
        told = {one for view in self.views.values() for one in (view.id, *view.brokers)}
        held = {one for name in self.partitions for one in self.replicas(name)}
        return tuple(sorted(told | held, key=natural))

    @cached_property
    def partitions(self) -> dict[str, dict[str, Partition]]:
        """By name what each broker that knows it says."""
        told: dict[str, dict[str, Partition]] = {}
        for name, view in self.views.items():
            for partition, one in view.partitions.items():
                told.setdefault(partition, {})[name] = one
        return dict(sorted(told.items(), key=lambda item: natural(item[0])))

    def replicas(self, partition: str) -> tuple[str, ...]:
        """All that anybody names, the preferred leader first."""
        told = self.partitions[partition].values()
        return tuple(dict.fromkeys(one for told_by in told for one in told_by.replicas))

    def in_sync(self, partition: str) -> frozenset[str]:
        """See 2."""
        views = self.partitions[partition].values()
        agreed = frozenset.intersection(*(one.isr for one in views))
        return agreed & self.views.keys() if len(views) == len(self.views) else frozenset()

    def leader(self, partition: str) -> str:
        """See 3."""
        named = {one.leader for one in self.partitions[partition].values()}
        return named.pop() if len(named) == 1 else ""

    def preferred(self, partition: str) -> str:
        """The first of its replicas, "" where they differ."""
        first = {one.replicas[:1] for one in self.partitions[partition].values()}
        return next(iter(first), ("",))[0] if len(first) == 1 and first != {()} else ""

    def hands_over(self, partition: str) -> bool:
        """See 4."""
        leader, preferred = self.leader(partition), self.preferred(partition)
        if not self.may_elect or "" in (leader, preferred):
            return False
        return leader != preferred in self.in_sync(partition)

    @property
    def may_elect(self) -> bool:
        """Whether no broker says that we may not."""
        return all(view.may_elect for view in self.views.values())

    def minimum(self, partition: str) -> int:
        """The most that anybody says of its topic."""
        topic = topic_of(partition)
        return max((view.minimum.get(topic, 1) for view in self.views.values()), default=1)

    @cached_property
    def quorum(self) -> Quorum | None:
        """As the newest controller tells it; None where none does."""
        told = [view.quorum for view in self.views.values() if view.quorum is not None]
        return max(told, key=lambda one: one.epoch, default=None)

    @property
    def controller(self) -> str:
        """Who leads the metadata, "" where nobody is known, or two are."""
        told = [view.quorum for view in self.views.values() if view.quorum is not None]
        newest = {one.leader for one in told if self.quorum and one.epoch == self.quorum.epoch}
        return newest.pop() if len(newest) == 1 else ""

    def trouble(self, name: str) -> str:
        """Why a broker is not well; "" for one that is."""
        if name not in self.views:
            sight = self.sight_of(name)
            return f"does not tell: {sight.why}" if sight else "none of our hosts runs it"
        missing = [one for one, view in self.views.items() if name not in view.brokers]
        if missing:
            return f"answers, and is not registered, say {', '.join(missing)}"
        return ""

    def sight_of(self, name: str) -> Sight | None:
        """Of the host that it runs on."""
        return next((one for one in self.sights if one.host == self.places.get(name)), None)

    def groups(self) -> dict[str, Group]:
        """The voters first, where they are known."""
        made = [self.voters(), *(self.group(one) for one in self.partitions)]
        return {one.id: one for one in made if one is not None}

    def group(self, partition: str) -> Group:
        """Its replicas."""
        return Group(
            id=partition,
            kind=Kind.REPLICAS,
            members=self.replicas(partition),
            leader=self.leader(partition),
            in_sync=self.in_sync(partition),
            minimum=self.minimum(partition),
            movable=self.hands_over(partition),
            preferred=self.preferred(partition) if self.may_elect else "",
        )

    def voters(self) -> Group | None:
        """None where no controller tells."""
        if self.quorum is None:
            return None
        names = tuple(sorted(self.quorum.ends, key=natural))
        return Group(
            id=QUORUM,
            kind=Kind.QUORUM,
            members=names,
            leader=self.controller,
            in_sync=frozenset(one for one in names if not self.lags(one)),
            minimum=majority(len(names)),
            position=self.quorum.ends,
            movable=False,
        )

    def lags(self, voter: str) -> str:
        """Why a voter is not in sync; "" where it is. One that is a broker, too, has to answer."""
        if self.quorum is None or not self.controller:
            return "nobody leads the metadata for sure"
        if voter in self.names and voter not in self.views:
            return "does not answer"
        if voter == self.controller:
            return ""
        since = self.quorum.behind[voter]
        if since is None:
            ends = self.quorum.ends
            late = ends.get(self.controller, 0) - ends[voter]
            return f"is {late:,} entries behind" if late > _OFFSETS else ""
        limit = max((view.fetch_timeout for view in self.views.values()), default=0)
        return f"had everything {since:,} ms ago" if since > limit else ""

    def members(self) -> tuple[Member, ...]:
        """All of them."""
        return tuple(self._member(name) for name in self.names)

    def _member(self, name: str) -> Member:
        view, sight = self.views.get(name), self.sight_of(name)
        place = next(self._places_of(name), Place(""))
        return Member(
            id=name,
            host=self.places.get(name, ""),
            address=place.address,
            zone=place.rack,
            role="controller" if name == self.controller else "broker",
            version=view.version if view else "",
            began=sight.began if sight else "",
            trouble=self.trouble(name),
        )

    def _places_of(self, name: str) -> Iterator[Place]:
        return (view.brokers[name] for view in self.views.values() if name in view.brokers)
