"""One Kafka broker and its host: the broker is dialled from here, its host is asked for what the
broker does not tell.

1. Which process listens there is asked before the broker and after it: an answer of one that was
   restarted in between is nobody's.
2. An order goes to the controller, through any broker. The fence is that of the member's own host:
   it is compared there first, by a critical action that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.node_orders import NodeOrders
from gapless.drivers.clusters.kafka_answers import (
    Answers,
    NonsenseError,
    NotAllowedError,
    ZooKeeperError,
    view,
)
from gapless.drivers.clusters.kafka_client import ALLOW, KRAFT, ShutOut, TooOld
from gapless.drivers.clusters.kafka_life import began, question
from gapless.drivers.clusters.kafka_sight import Sight
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, TrafficError
from gapless.model import Command, Fence, Instance

_NOT_ALLOWED, _TOO_OLD, _NONSENSE = "not-allowed", "no-kraft", "not-kafka"
_ASKED = 10.0


class Client(Protocol):
    """What is asked of a broker."""

    @property
    def label(self) -> str:
        """For people."""
        ...

    async def look(self, known: str) -> Answers:
        """All that it tells; ``known`` is its id of before."""
        ...

    async def elect(self, partitions: Sequence[str]) -> Mapping[str, str]:
        """By partition why it was not elected."""
        ...


@dataclass(frozen=True, slots=True)
class _Life:
    """``began`` where the host could be asked, else ``error``."""

    began: str = ""
    error: TrafficError | None = None


class KafkaTalk:
    """``address``: of the broker's listener, as it is dialled."""

    def __init__(
        self,
        cluster: str,
        host: str,
        address: str,
        transport: Callable[[], Transport],
        client: Client,
    ) -> None:
        self.host = host
        self._client = client
        self._known = ""
        self._instance = Instance(cluster, host)
        self._address = address
        self._orders = NodeOrders(NodeHost(cluster, host, transport))

    async def look(self) -> Sight:
        """All that it tells. Never raises for a broker that is silent or answers nonsense."""
        before = await self._life()
        if before.error is not None:
            error = before.error
            return Sight(self.host, None, error.what, error.evidence, error.next)
        try:
            found = await self._client.look(self._known)
        except ShutOut as no:
            return Sight(self.host, None, no.what, no.evidence, no.next, _NOT_ALLOWED)
        except TooOld as no:
            return Sight(self.host, None, no.what, no.evidence, no.next, _TOO_OLD)
        except ClusterError as no:
            return Sight(self.host, None, no.what, no.evidence, no.next)
        after = await self._life()
        if after.error is not None or after.began != before.began:
            return Sight(self.host, None, f"{self._client.label} was restarted while it was asked")
        return self._read(found, after.began)

    async def elect(self, partitions: Sequence[str]) -> Mapping[str, str]:
        """Raises ClusterError."""
        return await self._client.elect(partitions)

    async def admit(self, fence: Fence | None) -> None:
        """Whether this host obeys the rollout that orders. Raises ClusterError, FenceRefused."""
        if fence is None:
            return
        nothing = Command(("true",), privileged=False)
        try:
            await self._orders.order("elect", nothing, self._instance, fence)
        except TrafficError as error:
            raise Silent(
                error.what, where=error.where, evidence=error.evidence, next=error.next
            ) from error

    def _read(self, answers: Answers, life: str) -> Sight:
        label = self._client.label
        try:
            found = view(answers)
        except NotAllowedError as error:
            why, told = f"{label} does not tell this user enough", self._told(error)
            return Sight(self.host, None, why, told, ALLOW, _NOT_ALLOWED)
        except ZooKeeperError as error:
            why, told = f"{label} does not run in KRaft mode", self._told(error)
            return Sight(self.host, None, why, told, KRAFT, _TOO_OLD)
        except NonsenseError as error:
            why, told = f"{label} does not answer as Kafka does", self._told(error)
            return Sight(self.host, None, why, told, KRAFT, _NONSENSE)
        self._known = found.id
        return Sight(self.host, found, began=life)

    def _told(self, error: ValueError) -> str:
        return f"{self._address} → {error}"

    async def _life(self) -> _Life:
        """Of the process that listens there."""
        command = Command(question(self._address), timeout=_ASKED, privileged=False)
        try:
            done = await self._orders.ask(command)
        except TrafficError as error:
            return _Life(error=error)
        return _Life(began(self._address, done.stdout))
