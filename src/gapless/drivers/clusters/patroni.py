"""PostgreSQL under Patroni: one that writes, and its standbys.

1. All members are asked at once, each from its own host. A replica that seems to be behind is asked
   once more: it may only have been asked earlier than the leader (see ``patroni_round``).
2. Before the leader stops it is told to make way, by a switchover: for one of those that were asked
   for if one may take over, and of these for the one that has least to replay. Under
   ``synchronous_mode`` only a synchronous standby may. Where that takes longer than half of the
   time, or is refused, the next best is tried, once.
3. When it has left, the old leader is started again by Patroni, and the others turn to the new one,
   each after a while (``wal_retrieve_retry_interval``). Until then the new leader is alone with
   what it acknowledges, so that is waited for, too, as far as there is time: whoever was in sync
   before is in sync again. When it takes longer the move is none the less done: somebody leads.
4. Nothing is written down before a stop: Patroni stops PostgreSQL in order, which is a checkpoint,
   and the switchover made one before. Nothing is paused either, so nothing has to be taken back.
5. A member is back when another postmaster runs there than right before it was stopped, on the same
   data as the leader's, streaming on its timeline, and near its end, and the store (DCS) has
   everybody as before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_patroni import PatroniConfig
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.patroni_api import PatroniApi
from gapless.drivers.clusters.patroni_findings import findings
from gapless.drivers.clusters.patroni_move import PatroniMove
from gapless.drivers.clusters.patroni_places import places
from gapless.drivers.clusters.patroni_return import missing
from gapless.drivers.clusters.patroni_round import Round
from gapless.drivers.clusters.patroni_sight import Sight
from gapless.drivers.clusters.silence import nobody_tells
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.model import Fence, Instance

_LOOK = 0.2


class PatroniCluster:
    """See ``Cluster``. ``hosts``: where its members run, one on each. A member's id is its name."""

    kind = "patroni"

    def __init__(
        self,
        name: str,
        config: PatroniConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._address = address
        self._ended: dict[str, str] = {}
        """By member what named the postmaster that was last seen before it was to be stopped."""
        self._apis = {
            host: PatroniApi(
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
        """All members, the one group of them, and what is wrong. Raises ClusterError where none
        tells of the others."""
        seen = await self._look()
        _check(self._name, seen)
        group = seen.group()
        return Topology(
            members=by_id(seen.members()),
            groups={group.id: group},
            findings=findings(seen),
            asked=tuple(seen.answers),
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """A leader among them that nobody may replace."""
        led = [group for group in topology.groups.values() if group.leader in members]
        if not led:
            return ()
        seen = await self._look()
        if any(one not in members for one in seen.heirs(led[0].leader, ())):
            return ()
        others = [one for one in seen.listed if one != led[0].leader]
        return (
            Finding(
                "no-candidate",
                led[0].id,
                f"{led[0].leader} leads, and none of {len(others)} others may take over",
                "\n".join(f"{one}: {seen.unfit(one) or 'is to be stopped, too'}" for one in others),
                "patronictl list; give one of them no nofailover tag, or wait until it is in sync",
            ),
        )

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """Has the member, if it leads, make way for the best replica. A member that falls silent
        meanwhile may cost the limit of one question more. Raises ClusterError where it cannot be
        told who leads, FenceRefused."""
        until = self._clock.monotonic() + within
        seen = await self._look()
        _check(self._name, seen)
        moved = await self._moved(seen, member, targets, within, fence)
        if any(one.left for one in moved):
            seen = await self._settled(seen.group().in_sync, until)
        status = seen.status(member)
        self._ended[member] = status.began if status is not None else ""
        return moved

    async def _moved(
        self,
        seen: Round,
        member: str,
        targets: Sequence[str],
        within: float,
        fence: Fence | None,
    ) -> tuple[Moved, ...]:
        if not _leads(seen, member):
            return ()
        heirs = seen.heirs(member, targets)
        if member not in seen.answers or not heirs:
            told = [f"{one} {seen.unfit(one)}" for one in seen.listed if one != member]
            why = f"nobody may take over: {', '.join(told)}"
            silent = f"{member} leads, and does not answer"
            return (Moved(seen.scope, why=why if member in seen.answers else silent),)
        leader = self._apis[seen.answers[member].host]
        asked = [sight.host for sight in seen.views]
        order = partial(leader.switch, member)
        move = PatroniMove(self._clock, seen.scope, member, asked, self._look, order)
        return (await move.run(heirs, within, fence),)

    async def _settled(self, were: Collection[str], until: float) -> Round:
        """All that were in sync are so again, behind the new leader; or it is ``until``."""
        while True:
            seen = await self._look()
            if seen.group().in_sync.issuperset(were) or self._clock.monotonic() >= until:
                return seen
            await self._clock.sleep(_LOOK)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Nothing: its orderly stop is a checkpoint."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back, and how many bytes it has still to replay."""
        was = before.members.get(member)
        if was is None:
            return Rejoined(False, f"{member} was no member before")
        seen = await self._look()
        why = missing(seen, was, before, self._ended.get(member, ""))
        return Rejoined(not why, why, seen.behind(member))

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing was ordered that lasts."""

    async def _look(self) -> Round:
        """Everybody, and those that seem to be behind a second time."""
        sights = tuple(await together(api.look() for api in self._apis.values()))
        first = self._round(sights)
        first = replace(first, mark=first.head.location if first.head is not None else None)
        late = [sight for member, sight in first.answers.items() if first.late(member)]
        again = await together(self._apis[sight.host].look_again(sight) for sight in late)
        newer = {sight.host: sight for sight in again}
        return replace(first, sights=tuple(newer.get(s.host, s) for s in sights))

    def _round(self, sights: Sequence[Sight]) -> Round:
        bare = Round(tuple(sights), self._config.lag)
        listed = [told[0] for told in bare.listed.values()]
        found = places(sights, listed, self._config.names, self._address)
        return Round(tuple(sights), self._config.lag, found)


def _check(cluster: str, seen: Round) -> None:
    if seen.listed:
        return
    raise nobody_tells(cluster, seen.sights, "who its members are")


def _leads(seen: Round, member: str) -> bool:
    """Whether anybody, or itself, takes it for the leader."""
    status = seen.status(member)
    named = any(one.leads for one in seen.listed.get(member, ()))
    return named or (status is not None and status.primary)
