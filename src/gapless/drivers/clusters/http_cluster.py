"""Any cluster that tells over HTTP who leads what, as gapless.yaml says where.

1. Every member is asked at once, each from its own host: whether it is well, and for its groups.
2. Leaderships are moved one request a group, several groups at a time (``ordered_move``). Without a
   request for it who leads hands over when it is told to stop.
3. A member is back when it is well, has the id of before, is another process where that can be
   told, and is in sync in all of its groups. Then a canary is written, where there is one, and
   everything has to be so still: one that has just begun may call everybody in sync.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.order import to_be_led
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_http import ChronikConfig, HttpCallConfig, HttpClusterConfig
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters import http_view
from gapless.drivers.clusters.base import GIVEN_BACK, Moved, Rejoined
from gapless.drivers.clusters.http_return import left_to_catch_up, missing
from gapless.drivers.clusters.http_view import Round, Sight
from gapless.drivers.clusters.member_api import MemberApi
from gapless.drivers.clusters.ordered_move import OrderedMove, by_leader
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence, Instance

_AT_ONCE = 10
_LOOK = 0.1
_NO_TRANSFER = "no transfer is given; it hands over when it stops"


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
        """Ten groups at a time, where a transfer is given."""
        until = self._clock.monotonic() + within
        led = (await self.topology()).led_by(member)
        if self._config.transfer is None:
            return tuple(Moved(group.id, why=_NO_TRANSFER) for group in led)
        left = max(0.0, until - self._clock.monotonic())
        return await self._move(member, self._config.transfer, fence).run(led, targets, left)

    def _move(self, member: str, call: HttpCallConfig, fence: Fence | None) -> OrderedMove:
        order = partial(self._order, call, member, fence)
        return OrderedMove(self._clock, member, self._look, order, at_once=_AT_ONCE, pause=_LOOK)

    async def _order(
        self,
        call: HttpCallConfig,
        member: str,
        fence: Fence | None,
        group: str,
        to: str,
        within: float,
    ) -> str:
        """Why it was refused; "" where it was taken. Each question has its own limit."""
        ask = _filled(call, group, to)
        try:
            answer = await (await self._api_of(member)).ask(ask, fence)
        except ClusterError as error:
            return error.what
        return "" if answer.ok else f"{ask} → {answer}"

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Its orderly stop does that."""
        return ""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """As it was, and in sync in all that it was in."""
        why, lag = await self._missing(member, before)
        if why or self._config.canary is None:
            return Rejoined(not why, why, lag)
        for group in before.groups_of(member):
            if refused := await self._written(self._config.canary, group.id):
                return Rejoined(False, refused, lag)
        why, lag = await self._missing(member, before)
        return Rejoined(not why, why, lag)

    async def _missing(self, member: str, before: Topology) -> tuple[str, int | None]:
        now = await self.topology()
        return missing(now, before, member), left_to_catch_up(now, before, member)

    async def _written(self, call: HttpCallConfig, group: str) -> str:
        """Why a canary was not taken; "" where it was."""
        leader = (await self._look()).leader(group)
        if not leader:
            return f"{group}: nobody leads it"
        ask = _filled(call, group, leader)
        answer = await (await self._api_of(leader)).ask(ask)
        return "" if answer.ok else f"the canary of {group} was refused: {ask} → {answer}"

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Nothing was ordered that lasts."""

    async def prefer(self, member: str) -> tuple[Moved, ...]:
        """As any transfer, asked at who leads instead."""
        call = self._config.transfer
        if call is None or not self._config.groups.preferred:
            return ()
        wanted = by_leader(to_be_led(await self.topology(), member))
        moved = await together(
            self._move(leader, call, None).give(groups, member, GIVEN_BACK)
            for leader, groups in wanted.items()
        )
        return tuple(one for each in moved for one in each)

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
