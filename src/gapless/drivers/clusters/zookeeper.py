"""ZooKeeper: one ensemble of voters, and observers beside it.

1. All servers are asked at once by four letter words, each from its own host.
2. There is one group, the voters. Its leader cannot be told to hand over: it does when it stops, so
   it is restarted last, and nothing is ordered of anybody.
3. Nothing is written down before a stop: a server has on disk what it acknowledges.
4. A member is back when the server on its host has the id of before and is another process, leads,
   follows or observes as before, has caught up with its leader, and the leader counts it in sync.

Source: https://zookeeper.apache.org/doc/r3.8.0/zookeeperAdmin.html and its source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_zookeeper import ZooKeeperConfig
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.silence import nobody_tells
from gapless.drivers.clusters.zookeeper_findings import findings
from gapless.drivers.clusters.zookeeper_return import left_to_catch_up, missing
from gapless.drivers.clusters.zookeeper_round import ENSEMBLE, Round
from gapless.drivers.clusters.zookeeper_talk import ZooKeeperTalk
from gapless.drivers.clusters.zookeeper_view import Ensemble
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance


class ZooKeeper:
    """See ``Cluster``. ``hosts``: where its servers run, one on each."""

    kind = "zookeeper"

    def __init__(
        self,
        name: str,
        config: ZooKeeperConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._name, self._config = name, config
        self._places = Places(hosts)
        self._known = Ensemble()
        self._talks = [
            ZooKeeperTalk(
                name,
                host,
                fill(config.address, Instance(name, host), address),
                partial(transports, host),
                clock,
                config.timeout,
            )
            for host in hosts
        ]

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All servers, and what is wrong. Raises ClusterError where none ever told."""
        seen = await self._look()
        if not seen.names:
            raise nobody_tells(self._name, seen.sights, "of an ensemble")
        return Topology(
            members=by_id(seen.members()),
            groups={ENSEMBLE: seen.group()},
            findings=findings(seen, self._config.outstanding),
            asked=tuple(seen.servers),
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """Nothing that is not said of the whole ensemble."""
        return ()

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """Nothing can be told: the others elect a leader when it stops. Raises ClusterError where
        nobody answers."""
        topology = await self.topology()
        why = "ZooKeeper has no way to hand over; its leader does when it stops"
        return tuple(Moved(group.id, why=why) for group in topology.led_by(member))

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Nothing: what it acknowledges is on its disk."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back, and how many transactions it still has to get."""
        was = before.members.get(member)
        if was is None:
            return Rejoined(False, f"{member} was no member before")
        seen = await self._look()
        why = missing(seen, was, before)
        return Rejoined(not why, why, left_to_catch_up(seen, member))

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing was ordered."""

    async def _look(self) -> Round:
        sights = tuple(await together(talk.look() for talk in self._talks))
        found = {one.host: one.server.id for one in sights if one.server is not None}
        seen = Round(sights, self._config.lag, known=self._known)
        places = self._places.hosts(found, seen.names)
        self._known = next((one.ensemble for _, one in seen.everyone), self._known)
        return replace(seen, places=places)
