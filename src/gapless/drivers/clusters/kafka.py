"""Kafka in KRaft mode: brokers that hold partitions, and voters that hold the metadata.

1. All brokers are asked at once, each for its own view, by kafka-python from the machine gapless
   runs on; the host of each is asked which process listens there.
2. Every partition is a group, and so are the voters. The controller is restarted last.
3. A leader hands over in two ways. Where it is not the preferred leader, that one is elected before
   it stops. What it leads as the preferred one it hands over while it stops: that is Kafka's own
   controlled shutdown, and nothing is ordered for it.
4. Nothing is written down before a stop: what was acknowledged lies on as many brokers as the topic
   wants.
5. A broker is back when its host runs the id of before as another process, it is registered, votes
   as before, and is in the isr of every partition of before, as all say that answer.
6. Then it is elected leader again of what it is the preferred leader of: leaderships do not pile up
   on those that were restarted first. Where that comes to nothing, nobody is undone for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_kafka import KafkaConfig
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.kafka_against import against
from gapless.drivers.clusters.kafka_client import KafkaClient
from gapless.drivers.clusters.kafka_findings import findings
from gapless.drivers.clusters.kafka_move import KafkaMove
from gapless.drivers.clusters.kafka_return import left_to_catch_up, missing
from gapless.drivers.clusters.kafka_round import QUORUM, Round
from gapless.drivers.clusters.kafka_talk import Client, KafkaTalk
from gapless.drivers.clusters.password import Password
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.silence import nobody_tells
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance

_BACK = 30.0
"""Seconds in which a broker has to lead again what it led."""
_WHILE_STOPPING = (
    "it hands over while it stops (controlled shutdown): nobody else can be elected before"
)
_WHEN_IT_STOPS = "the voters elect another controller when it stops: it cannot be told before"


class KafkaCluster:
    """See ``Cluster``. ``hosts``: where its brokers run, one on each. ``client`` makes what asks
    the broker on a host at an address; default: kafka-python."""

    kind = "kafka"

    def __init__(
        self,
        name: str,
        config: KafkaConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
        client: Callable[[str, str], Client] | None = None,
    ) -> None:
        self._name, self._clock = name, clock
        self._places = Places(hosts)
        sasl = config.sasl
        password = Password(name, sasl.user if sasl else "", sasl.password if sasl else None)

        def made(host: str, at: str) -> Client:
            return KafkaClient(name, f"Kafka on {host or 'localhost'}", at, config, password)

        self._talks = {
            host: KafkaTalk(name, host, at, partial(transports, host), (client or made)(host, at))
            for host in hosts
            for at in [fill(config.address, Instance(name, host), address)]
        }

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All brokers and groups, and what is wrong. Raises ClusterError where none tells."""
        seen = await self._look()
        self._check(seen)
        controller = seen.controller
        return Topology(
            members=by_id(seen.members()),
            groups=seen.groups(),
            findings=findings(seen),
            asked=tuple(seen.views),
            singletons={"controller": controller} if controller in seen.names else {},
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """How these and their topics are set up, and what is under way."""
        return against(await self._look(), members)

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """What it leads and another one is to lead; Kafka chooses whom. Raises ClusterError where
        nobody answers, FenceRefused."""
        until = self._clock.monotonic() + within
        seen = await self._look()
        self._check(seen)
        led = [one for one in seen.partitions if seen.leader(one) == member]
        able = [one for one in led if seen.hands_over(one)]
        stuck = [Moved(one, why=_WHILE_STOPPING) for one in led if not seen.hands_over(one)]
        if seen.controller == member:
            stuck.append(Moved(QUORUM, why=_WHEN_IT_STOPS))
        if not able:
            return tuple(stuck)
        left = max(0.0, until - self._clock.monotonic())
        return (*await self._elected(seen, member, able, left, fence), *stuck)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Nothing: what was acknowledged lies on others, too."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back, and how many bytes it still has to get."""
        was = before.members.get(member)
        if was is None:
            return Rejoined(False, f"{member} was no member before")
        seen = await self._look()
        why = missing(seen, was, before)
        return Rejoined(not why, why, left_to_catch_up(seen, member, before))

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing: an election changes nothing that would have to be taken back."""

    async def prefer(self, member: str) -> tuple[Moved, ...]:
        """It leads again what it is the preferred leader of, where it is in sync and we may have it
        elected."""
        seen = await self._look()
        wanted = [
            one
            for one in seen.partitions
            if seen.preferred(one) == member in seen.in_sync(one) and seen.leader(one) != member
        ]
        if not wanted or not seen.may_elect:
            return ()
        return await self._elected(seen, member, wanted, _BACK, None)

    async def _elected(
        self,
        seen: Round,
        member: str,
        partitions: Sequence[str],
        within: float,
        fence: Fence | None,
    ) -> tuple[Moved, ...]:
        home = seen.places.get(member, "")
        if home not in self._talks:
            raise ClusterError(f"no host is known to run the broker {member}", where=self._name)
        await self._talks[home].admit(fence)
        move = KafkaMove(self._clock, self._look, partial(self._elect, member))
        return await move.run(partitions, within)

    async def _elect(self, member: str, partitions: Sequence[str]) -> Mapping[str, str]:
        """By any broker that can ask the controller, the member's own last: it is the one that
        goes, or has just come. Raises ClusterError, that of the last."""
        home = self._places.host(member)
        error = ClusterError("no broker could be asked", where=self._name)
        for talk in sorted(self._talks.values(), key=lambda talk: talk.host == home):
            try:
                return await talk.elect(partitions)
            except ClusterError as refused:
                error = refused
        raise error

    def _check(self, seen: Round) -> None:
        if seen.views:
            return
        raise nobody_tells(self._name, seen.sights, "of a Kafka cluster")

    async def _look(self) -> Round:
        sights = tuple(await together(talk.look() for talk in self._talks.values()))
        found = {one.host: one.view.id for one in sights if one.view is not None}
        names = Round(sights).names
        return Round(sights, self._places.hosts(found, names))
