"""etcd: one raft group, whose leader can be told whom to hand over to.

1. All members are asked at once, each from its own host. A voter that seems to be behind is asked
   once more: it may only have been asked earlier than the others (see ``etcd_round``).
2. Before the leader stops it is told to hand over to a follower that is in sync, one that was asked
   for if there is one, and of these the one that has applied most. It has left when all members
   that answer name another leader. Where that takes longer than half of the time, or is refused,
   the next best is tried, once.
3. Nothing is written down before a stop: etcd syncs its log before it acknowledges anything. So
   nothing has to be taken back either.
4. A member is back when the process on its host is another one, has the same id, names the leader
   that the others name, has applied all but ``lag`` entries, and the voters are those of before.

Source: https://etcd.io/docs/v3.4/op-guide/ and the gateway of etcd 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.etcd_api import EtcdApi
from gapless.drivers.clusters.etcd_findings import findings
from gapless.drivers.clusters.etcd_handover import Handover
from gapless.drivers.clusters.etcd_return import missing
from gapless.drivers.clusters.etcd_round import GROUP, Round
from gapless.drivers.clusters.etcd_sight import Sight
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance


class EtcdCluster:
    """See ``Cluster``. ``hosts``: where its members run, one on each."""

    kind = "etcd"

    def __init__(
        self,
        name: str,
        config: EtcdClusterConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._name = name
        self._clock = clock
        self._lag = config.lag
        self._apis = {
            host: EtcdApi(
                name,
                host,
                fill(config.url, Instance(name, host), address),
                config,
                partial(transports, host),
            )
            for host in hosts
        }

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All members, the group of its voters, and what is wrong. Raises ClusterError where no
        member answers, or none tells of the others."""
        seen = await self._look()
        _check(self._name, seen)
        return Topology(
            members=by_id(seen.members()),
            groups={GROUP: seen.group()},
            findings=findings(seen),
            asked=tuple(seen.answers),
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """A learner is fed by the leader: while there is one the leader stays."""
        learners = [one.id for one in topology.members.values() if one.role == "learner"]
        leader = topology.groups[GROUP].leader
        if not learners or leader not in members:
            return ()
        return (
            Finding(
                "feeds-learner",
                leader,
                f"feeds {len(learners)} learners: {', '.join(learners)}",
                f"the list of members has {', '.join(learners)} as learners",
                "etcdctl member promote each when it has caught up, or remove it",
            ),
        )

    async def evacuate(
        self,
        member: str,
        targets: Sequence[str],
        within: float,
        fence: Fence | None,
    ) -> tuple[Moved, ...]:
        """Has the member, if it leads, hand over to the best follower. A member that falls silent
        meanwhile may cost the limit of one question more. Raises ClusterError where it cannot be
        told who leads, FenceRefused."""
        until = self._clock.monotonic() + within
        seen = await self._look()
        _check(self._name, seen)
        if not _leads(seen, member):
            return ()
        if member not in seen.answers:
            return (Moved(GROUP, why=f"{member} leads, and does not answer"),)
        leader = self._apis[seen.answers[member].sight.host]
        answering = [sight for sight in seen.sights if sight.status is not None]
        handover = Handover(
            self._clock, member, partial(self._again, answering, seen.mark), leader.transfer
        )
        left = max(0.0, until - self._clock.monotonic())
        return (await handover.run(_best(seen, member, targets), left, fence),)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Nothing: what etcd has acknowledged is on disk."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back, and how many applied entries it still has to catch up."""
        was = before.members.get(member)
        if was is None:
            return Rejoined(False, f"{member} was no member before")
        seen = await self._look()
        why = missing(seen, was, before)
        return Rejoined(not why, why, seen.behind(member) if member in seen.answers else None)

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing was ordered that lasts."""

    async def _look(self) -> Round:
        """Everybody, and those that seem to be behind a second time."""
        sights = await together(api.look() for api in self._apis.values())
        first = Round(tuple(sights), self._lag)
        first = replace(first, mark=first.highest)
        late = [answer.sight for member, answer in first.answers.items() if first.late(member)]
        again = await self._again(late, first.mark)
        newer = {sight.host: sight for sight in again.sights}
        return replace(first, sights=tuple(newer.get(s.host, s) for s in sights))

    async def _again(self, sights: Sequence[Sight], mark: int) -> Round:
        """The same with the status of now."""
        asked = (self._apis[sight.host].look_again(sight) for sight in sights)
        return Round(tuple(await together(asked)), self._lag, mark)


def _check(cluster: str, seen: Round) -> None:
    if seen.listed:
        return
    told = [f"{sight.host}: {sight.why}\n{sight.evidence}".strip() for sight in seen.sights]
    raise ClusterError(
        f"none of {len(seen.sights)} hosts tells who its members are",
        where=cluster,
        evidence="\n".join(told),
        next=next((sight.next for sight in seen.sights if sight.next), ""),
    )


def _leads(seen: Round, member: str) -> bool:
    """Whether the others or itself take it for the leader."""
    answer = seen.answers.get(member)
    return seen.leader == member or (answer is not None and answer.status.leads)


def _best(seen: Round, member: str, targets: Sequence[str]) -> list[str]:
    """Who could lead, the best first: those of ``targets``, then the others, and of each the one
    that has applied most."""
    group = seen.group()
    able = group.in_sync - {member}
    wanted = [*targets, *sorted(able - set(targets))]
    return sorted(
        (one for one in wanted if one in able),
        key=lambda one: (one not in targets, -group.position[one]),
    )
