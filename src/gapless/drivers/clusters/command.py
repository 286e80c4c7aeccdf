"""Any cluster that has commands: one that prints who leads what, and orders, each optional.

1. The command is run for every member on its own host, all at once. What it has to print is
   ``command_view``; what is not that is none, and its member is silent.
2. Leaderships are moved by ``transfer`` (``ordered_move``). Without it they are not movable: who
   leads is restarted last, and hands over when it stops.
3. ``seal`` runs before a member is stopped, ``restore`` after it has rejoined, and where a restart
   is given up.
4. A member is back when the host runs the id of before, with another ``began`` where that is told,
   well, and in sync in all groups of before, by its own word and that of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.clusters.order import to_be_led
from gapless.clusters.topology import Topology, by_id
from gapless.config.cluster_command import ClusterOrderConfig, CommandClusterConfig
from gapless.drivers.balancers.sight import together
from gapless.drivers.clusters.base import GIVEN_BACK, Moved, Rejoined
from gapless.drivers.clusters.command_findings import findings
from gapless.drivers.clusters.command_host import CommandHost
from gapless.drivers.clusters.command_return import left_to_catch_up, missing
from gapless.drivers.clusters.command_round import Round
from gapless.drivers.clusters.ordered_move import OrderedMove, by_leader
from gapless.drivers.clusters.places import Places
from gapless.drivers.clusters.silence import nobody_tells
from gapless.drivers.fill import own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.model import Fence

_AT_ONCE = 4
_LOOK = 0.25
"""Seconds between two looks: each is a process on every host."""


class CommandCluster:
    """See ``Cluster``. ``hosts``: where its members run, one on each."""

    kind = "command"

    def __init__(
        self,
        name: str,
        config: CommandClusterConfig,
        hosts: Sequence[str],
        transports: Callable[[str], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._name, self._config, self._clock = name, config, clock
        self._places = Places(hosts)
        self._hosts = {
            host: CommandHost(name, host, config, partial(transports, host), address)
            for host in hosts
        }

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        return self._name

    async def topology(self) -> Topology:
        """All members and groups, and what is wrong. Raises ClusterError where no command
        tells."""
        seen = await self._look()
        if not seen.views:
            raise nobody_tells(self._name, seen.sights, "of its cluster")
        return Topology(
            members=by_id(seen.members()),
            groups=seen.groups(),
            findings=findings(seen),
            asked=tuple(seen.views),
            singletons=seen.singletons(),
        )

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """Nothing that its commands have not told already."""
        return ()

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """All that it leads and that can be moved. Raises ClusterError where nobody tells,
        FenceRefused."""
        until = self._clock.monotonic() + within
        led = (await self.topology()).led_by(member)
        able = [group for group in led if group.movable]
        stuck = [Moved(group.id, why=self._why_not()) for group in led if not group.movable]
        if not able:
            return tuple(stuck)
        move = await self._move(member, fence)
        left = max(0.0, until - self._clock.monotonic())
        return (*await move.run(able, targets, left), *stuck)

    async def seal(self, member: str, fence: Fence | None) -> str:
        """By its command, where there is one: what that prints first."""
        if self._config.seal is None:
            return ""
        return await self._run("seal", self._config.seal, member, fence) or "sealed"

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back, and how far its positions are behind."""
        was = before.members.get(member)
        if was is None:
            return Rejoined(False, f"{member} was no member before")
        seen = await self._look()
        why = missing(seen, was, before)
        return Rejoined(not why, why, left_to_catch_up(seen, member, before))

    async def restore(self, member: str, fence: Fence | None) -> None:
        """By its command, where there is one."""
        if self._config.restore is not None:
            await self._run("restore", self._config.restore, member, fence)

    async def prefer(self, member: str) -> tuple[Moved, ...]:
        """All that another one leads and that prefers it, asked at who leads it."""
        if self._config.transfer is None:
            return ()
        moved: list[Moved] = []
        for leader, groups in by_leader(to_be_led(await self.topology(), member)).items():
            move = await self._move(leader, None)
            moved += await move.give(groups, member, GIVEN_BACK)
        return tuple(moved)

    async def _move(self, member: str, fence: Fence | None) -> OrderedMove:
        order = partial(self._transfer, await self._host_of(member), member, fence)
        return OrderedMove(self._clock, member, self._look, order, at_once=_AT_ONCE, pause=_LOOK)

    async def _run(
        self, verb: str, order: ClusterOrderConfig, member: str, fence: Fence | None
    ) -> str:
        host = await self._host_of(member)
        return await host.order(verb, order, {"member": member}, fence)

    async def _transfer(
        self,
        host: CommandHost,
        member: str,
        fence: Fence | None,
        group: str,
        to: str,
        within: float,
    ) -> str:
        """Why it was refused; "" where it was taken."""
        assert self._config.transfer is not None
        words = {"member": member, "group": group, "to": to}
        try:
            await host.order("transfer", self._config.transfer, words, fence, within)
        except ClusterError as error:
            return "\n".join(filter(None, (error.what, error.evidence)))
        return ""

    async def _host_of(self, member: str) -> CommandHost:
        """Raises ClusterError for one that runs on no host of ours."""
        host = self._places.host(member) or (await self._look()).places.get(member, "")
        if host not in self._hosts:
            raise ClusterError(f"no host is known to run {member}", where=self._name)
        return self._hosts[host]

    def _why_not(self) -> str:
        if self._config.transfer is None:
            return "no command for transfer is given; it hands over when it stops"
        return "its command says that it cannot be moved"

    async def _look(self) -> Round:
        sights = tuple(await together(host.look() for host in self._hosts.values()))
        movable = self._config.transfer is not None
        seen = Round(sights, self._config.lag, movable=movable)
        found = {host: view.id for host, view in seen.everyone}
        return replace(seen, places=self._places.hosts(found, seen.names))
