"""Any cluster that tells over HTTP who leads what, as gapless.yaml says where.

1. Every member is asked at once, each from its own host: whether it is well, and for its groups.
2. Leaderships are moved one request a group, several groups at a time, each to the best of those
   that were asked for, and once more to the next best. What is answered there is not believed: a
   group has moved when all that answer name another leader.
3. A member is back when it is well, has the id of before, is another process where that can be
   told, and is in sync in all of its groups. Then a canary is written, where there is one, and
   everything has to be so still: one that has just begun may call everybody in sync.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_http import ChronikConfig, HttpCallConfig, HttpClusterConfig
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.clusters import http_view
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.drivers.clusters.http_view import Round, Sight
from gapless.drivers.clusters.member_api import MemberApi
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance

_AT_ONCE = 10
_LOOK = 0.1
_ATTEMPTS = 2


class HttpCluster:
    """See ``Cluster``. ``hosts``: where its members run, one on each."""

    kind = "http"

    def __init__(
        self,
        name: str,
        config: HttpClusterConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._name, self._config, self._clock = name, config, clock
        self._apis = {
            host: MemberApi(
                name,
                host,
                partial(transports, host),
                fill(config.url, Instance(name, host), address),
                product=self.kind,
                hint=f"see that it runs on {host}",
                tls=config.tls,
                secrets=config.headers,
                timeout=config.timeout,
            )
            for host in hosts
        }

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All members and groups. Raises ClusterError where nobody tells of any."""
        seen = await self._look()
        if not seen.answering:
            raise ClusterError(
                f"none of {len(seen.sights)} hosts tells of its groups",
                where=self._name,
                evidence="\n".join(f"{sight.host}: {sight.trouble}" for sight in seen.sights),
            )
        return Topology(
            by_id(seen.members()), seen.groups(), tuple(seen.findings()), tuple(seen.answering)
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """Nothing that is not said by its groups."""
        return ()

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """One group after the other, ten at a time."""
        until = self._clock.monotonic() + within
        topology = await self.topology()
        call, gate = self._config.transfer, asyncio.Semaphore(_AT_ONCE)
        led = topology.led_by(member) if call is not None else ()

        async def one(group: str) -> Moved:
            assert call is not None
            able = _best(topology, group, member, targets)
            async with gate:
                return await self._move(call, group, member, able, until, fence)

        return tuple(await asyncio.gather(*(one(group.id) for group in led)))

    async def _move(
        self,
        call: HttpCallConfig,
        group: str,
        member: str,
        able: Sequence[str],
        until: float,
        fence: Fence | None,
    ) -> Moved:
        began, why = self._clock.monotonic(), "no follower is in sync"
        for turn, to in enumerate(able[:_ATTEMPTS]):
            now = self._clock.monotonic()
            ends = now + max(0.0, until - now) / (_ATTEMPTS - turn)
            why = await self._order(call, group, member, to, fence)
            # one that was refused may have moved by itself
            if new := await self._taken_over(group, member, now if why else ends):
                return Moved(group, new, seconds=self._clock.monotonic() - began)
            why = why or f"{member} still leads, though {to} was to take over"
        return Moved(group, why=why, seconds=self._clock.monotonic() - began)

    async def _taken_over(self, group: str, member: str, ends: float) -> str:
        """Who leads instead, as soon as all say so; "" where nobody does in time."""
        while True:
            new = await self._leader(group)
            if new and new != member:
                return new
            if self._clock.monotonic() >= ends:
                return ""
            await self._clock.sleep(_LOOK)

    async def _order(
        self, call: HttpCallConfig, group: str, member: str, to: str, fence: Fence | None
    ) -> str:
        """Why it was refused; "" where it was taken."""
        ask = _filled(call, group, to)
        try:
            answer = await (await self._api_of(member)).ask(ask, fence)
        except ClusterError as error:
            return error.what
        return "" if answer.ok else f"{ask} → {answer}"

    async def _leader(self, group: str) -> str:
        """Whom all that answer name, "" where they do not agree."""
        seen = await self._look()
        named = {told[group].leader for told in seen.answering.values() if group in told}
        return named.pop() if len(named) == 1 else ""

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Its orderly stop does that."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """As it was, and in sync in all that it was in."""
        why, lag = await self._missing(member, before)
        if why or self._config.canary is None:
            return Rejoined(not why, why, lag)
        for group in before.groups:
            if refused := await self._written(self._config.canary, group):
                return Rejoined(False, refused, lag)
        why, lag = await self._missing(member, before)
        return Rejoined(not why, why, lag)

    async def _missing(self, member: str, before: Topology) -> tuple[str, int | None]:
        now = await self.topology()
        return next(_not_as_before(now, before, member), ""), _behind(now, before, member)

    async def _written(self, call: HttpCallConfig, group: str) -> str:
        """Why a canary was not taken; "" where it was."""
        leader = await self._leader(group)
        if not leader:
            return f"{group}: nobody leads it"
        ask = _filled(call, group, leader)
        answer = await (await self._api_of(leader)).ask(ask)
        return "" if answer.ok else f"the canary of {group} was refused: {ask} → {answer}"

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing was ordered that lasts."""

    async def _api_of(self, member: str) -> MemberApi:
        """Raises ClusterError for one that runs on no host of ours."""
        seen = await self._look()
        for host, found in seen.ids.items():
            if found == member:
                return self._apis[host]
        raise ClusterError(f"no host is known to run {member}", where=self._name)

    async def _look(self) -> Round:
        sights = await asyncio.gather(*(self._sight(host) for host in self._apis))
        return Round(sights, self._config.groups, movable=self._config.transfer is not None)

    async def _sight(self, host: str) -> Sight:
        """What is wrong with it is part of the answer."""
        api, members = self._apis[host], self._config.members
        known = members.ids.get(host, "")
        try:
            ask = Ask("GET", members.path)
            health = await api.ask(ask)
            who = api.read(ask, health, lambda data: (_id(data, members.id), data))
            trouble = "" if health.ok else f"{ask} → {health}"
            asked = Ask("GET", self._config.groups.path)
            told = await api.ask(asked)
            if not told.ok:
                return Sight(host, known or who[0], trouble=f"{asked} → {told}")
            groups = api.read(asked, told, lambda data: http_view.groups(data, self._config.groups))
        except ClusterError as error:
            return Sight(host, known, trouble=f"does not answer as it should: {error.what}")
        began = str(http_view.at(who[1], members.began) or "") if members.began else ""
        member = known or who[0]
        if not member:
            return Sight(host, trouble=f"{ask} has no {members.id}: name it under ids")
        return Sight(host, member, began, trouble, groups)


class Chronik(HttpCluster):
    """The same, with everything said already."""

    kind = "chronik"

    def __init__(
        self,
        name: str,
        config: ChronikConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        super().__init__(name, config.http, hosts, transports, clock, address=address)


def _id(data: object, path: str) -> str:
    found = http_view.at(data, path)
    return "" if found is None else str(found)


def _filled(call: HttpCallConfig, group: str, to: str) -> Ask:
    def fill_in(text: str) -> str:
        return text.replace("{group}", group).replace("{to}", to)

    raw = fill_in(call.body).encode() if call.method != "GET" else None
    return Ask(call.method, fill_in(call.path), raw=raw)


def _best(topology: Topology, group: str, member: str, targets: Sequence[str]) -> list[str]:
    """In sync, those that were asked for first, and of each who has got furthest."""
    found = topology.groups[group]
    able = sorted(found.in_sync - {member})
    return sorted(able, key=lambda one: (one not in targets, -found.position.get(one, 0)))


def _not_as_before(now: Topology, before: Topology, member: str) -> Iterator[str]:
    found, was = now.members.get(member), before.members.get(member)
    if found is None or was is None:
        yield f"{member} is no member"
        return
    if not found.well:
        yield f"{member} {found.trouble}"
    if found.host != was.host:
        yield f"{member} runs on {found.host or 'no host of ours'} now, and ran on {was.host}"
    if found.began and found.began == was.began:
        yield "it is the process from before"
    for name in before.groups:
        group = now.groups.get(name)
        if group is None or member not in group.in_sync:
            yield f"{name}: {member} is not in sync"


def _behind(now: Topology, before: Topology, member: str) -> int | None:
    """What it still has to catch up, over all of its groups; None where positions are not told."""
    groups = [group for name in before.groups if (group := now.groups.get(name)) is not None]
    if not any(group.position for group in groups):
        return None
    places = (group.position for group in groups if group.position)
    return sum(max(one.values()) - one.get(member, 0) for one in places)
