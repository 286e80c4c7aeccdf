"""The command line of RabbitMQ on the host of one node: what can be ordered there.

1. A node is called by its name, as its API told it: an order never reaches another one, whatever
   the default of the host is.
2. An order that changes something goes with the fence of the host; its status 0 only says that it
   was taken.
3. What the API tells late (``rabbitmq_view``) the command line tells at once: which process it is,
   and whether it is in maintenance. It costs half a second of a processor, so it is asked seldom.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import ceil

from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.node_orders import NodeOrders
from gapless.drivers.clusters import rabbitmq_view
from gapless.drivers.clusters.rabbitmq_view import Peer
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, TrafficError
from gapless.model import Command, Completed, Fence, Instance

_BEYOND = 10.0
"""Seconds that the program itself may take beside what it waits for."""
_STATUS = 10.0
_ORDER = 60.0
"""Seconds for an order; whoever orders may end it earlier."""


class RabbitOrders:
    """``before`` goes before each program, filled in."""

    def __init__(
        self, cluster: str, host: str, before: Sequence[str], transport: Callable[[], Transport]
    ) -> None:
        self._cluster, self._before = cluster, tuple(before)
        self._instance = Instance(cluster, host)
        self._orders = NodeOrders(NodeHost(cluster, host, transport))

    async def drain(self, node: str, fence: Fence | None) -> None:
        """Maintenance: no connections, no leaderships. Raises ClusterError, FenceRefused."""
        await self._order("drain", node, fence)

    async def revive(self, node: str, fence: Fence | None) -> None:
        """Back from it; harmless for one that is not in it. Raises ClusterError, FenceRefused."""
        await self._order("revive", node, fence)

    async def spared(self, node: str, seconds: float) -> None:
        """Every quorum queue there has one member more online than it needs. Raises
        ClusterError."""
        await self._wait("rabbitmq-upgrade", node, "await_online_quorum_plus_one", seconds)

    async def started(self, node: str, seconds: float) -> None:
        """All of it runs. Raises ClusterError."""
        await self._wait("rabbitmqctl", node, "await_startup", seconds)

    async def state(self, node: str) -> Peer:
        """Its process, and whether it is in maintenance, at this moment. Raises ClusterError."""
        done = await self._wait("rabbitmqctl", node, "status", _STATUS, "--formatter", "json")
        try:
            return rabbitmq_view.state(json.loads(done.stdout))
        except ValueError:
            raise ClusterError(
                f"rabbitmqctl status answers nonsense about {node}",
                where=self._cluster,
                evidence=done.stdout[:200] or "(nothing)",
                next="gapless needs RabbitMQ >= 3.10",
            ) from None

    async def _order(self, verb: str, node: str, fence: Fence | None) -> None:
        command = self._command("rabbitmq-upgrade", node, verb, timeout=_ORDER)
        try:
            done = await self._orders.order(verb, command, self._instance, fence)
        except TrafficError as error:
            raise _of_the_cluster(error) from error
        self._check(command, done)

    async def _wait(
        self, program: str, node: str, what: str, seconds: float, *more: str
    ) -> Completed:
        limit = str(max(1, ceil(seconds)))
        command = self._command(
            program, node, what, "--timeout", limit, *more, timeout=seconds + _BEYOND
        )
        try:
            done = await self._orders.ask(command)
        except TrafficError as error:
            raise _of_the_cluster(error) from error
        self._check(command, done)
        return done

    def _command(self, program: str, node: str, *words: str, timeout: float) -> Command:
        return Command((*self._before, program, "--node", node, *words), timeout=timeout)

    def _check(self, command: Command, done: Completed) -> None:
        if done.ok:
            return
        program, _, _, verb = command.argv[len(self._before) :][:4]
        ended = "took too long" if done.timed_out else f"ended with status {done.status}"
        raise ClusterError(
            f"{program} {verb} {ended}",
            where=self._cluster,
            evidence=f"{command}\n{done.evidence()}",
            next="run it by hand on that host; see 'command' of the cluster in gapless.yaml",
        )


def _of_the_cluster(error: TrafficError) -> ClusterError:
    return ClusterError(error.what, where=error.where, evidence=error.evidence, next=error.next)
