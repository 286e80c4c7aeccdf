"""The commands of a cluster on the host of one member.

1. They are argument lists, and go to no shell. What is filled in from the cluster (a member, a
   group) is filled in last, so that nothing in its name is filled in again.
2. The topology is a question: asked once more after a lost connection. All else is an order: with a
   fence a critical action, which the host begins once, and only for the newest rollout.
3. That a command has ended well is told, and nothing is concluded from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf

from gapless.config.cluster_command import ClusterOrderConfig, CommandClusterConfig
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.node_orders import NodeOrders
from gapless.drivers.balancers.sight import NoAnswer
from gapless.drivers.clusters.command_json import NonsenseError
from gapless.drivers.clusters.command_sight import Sight
from gapless.drivers.clusters.command_view import view
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.fill import filled
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, TrafficError
from gapless.model import Command, Completed, Fence, Instance

_FIELD = re.compile(r"\{(member|group|to)\}")
_LARGEST = 4 << 20
_LEAST = 1.0
"""Seconds that a command is given at least."""
_SHOWN = 200


class CommandHost:
    """``address`` gives that of a host, for {address}."""

    def __init__(
        self,
        cluster: str,
        host: str,
        config: CommandClusterConfig,
        transport: Callable[[], Transport],
        address: Callable[[str], str],
    ) -> None:
        self.host = host
        self._cluster = cluster
        self._instance = Instance(cluster, host)
        self._orders = NodeOrders(NodeHost(cluster, host, transport))
        self._address = address
        self._topology = Command(
            filled(config.topology, self._instance, address),
            timeout=config.timeout,
            output_limit=_LARGEST,
        )

    async def look(self) -> Sight:
        """What it prints. Never raises for a command that fails or prints nonsense."""
        try:
            done = await self._orders.ask(self._topology)
        except TrafficError as error:
            return Sight(self.host, None, error.what, error.evidence, error.next)
        by_hand = f"run it by hand on {self.host}: {self._topology}"
        if not done.ok:
            why = _ended(self._topology, done)
            return Sight(self.host, None, why, _evidence(self._topology, done), by_hand)
        try:
            if done.dropped:
                raise NonsenseError(f"it printed {done.dropped:,} bytes more than are read")
            return Sight(self.host, view(done.stdout))
        except NonsenseError as error:
            evidence = f"{self._topology} → {done.stdout.strip()[:_SHOWN] or '(nothing)'}"
            why = f"{self._topology.argv[0]} does not print a topology: {error}"
            return Sight(self.host, None, why, evidence, by_hand)

    async def order(
        self,
        verb: str,
        order: ClusterOrderConfig,
        words: Mapping[str, str],
        fence: Fence | None,
        within: float = inf,
    ) -> str:
        """Its first line. Raises Silent, ClusterError for one that fails or does not end within its
        limit or so many seconds, FenceRefused."""
        command = self._command(order, words, within)
        try:
            done = await self._orders.order(verb, command, self._instance, fence)
        except NoAnswer as error:
            raise Silent(
                error.what, where=self._cluster, evidence=error.evidence, next=error.next
            ) from error
        except TrafficError as error:
            raise ClusterError(
                error.what, where=self._cluster, evidence=str(command), next=error.next
            ) from error
        if not done.ok:
            raise ClusterError(
                f"{verb}: {_ended(command, done)} on {self.host}",
                where=self._cluster,
                evidence=_evidence(command, done),
                next=f"run it by hand on {self.host}",
            )
        return next(iter(done.stdout.strip().splitlines()), "")[:_SHOWN]

    def _command(
        self, order: ClusterOrderConfig, words: Mapping[str, str], within: float
    ) -> Command:
        argv = filled(order.run, self._instance, self._address)
        return Command(
            tuple(_FIELD.sub(lambda found: words.get(found[1], found[0]), word) for word in argv),
            timeout=min(order.timeout, max(_LEAST, within)),
        )


def _ended(command: Command, done: Completed) -> str:
    if done.timed_out:
        return f"{command.argv[0]} did not end in {command.timeout:g} s"
    return f"{command.argv[0]} ended with {done.status}"


def _evidence(command: Command, done: Completed) -> str:
    return f"{command}\n{done.evidence()}".strip()
