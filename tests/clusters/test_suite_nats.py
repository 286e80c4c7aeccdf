"""The driver for NATS keeps what every driver of a cluster has to, with three real servers, of
before 2.11 and of today."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_nats import NatsClusterConfig
from gapless.drivers.clusters.nats import NatsCluster

from .nats_client import Client
from .nats_cluster import CONSUMER, CURRENT, DEBIAN, NAMES, STREAM, USERS, NatsServers
from .suite_hosts import ServersRig, SharedSuite, standing

__all__ = ["standing"]
pytestmark = pytest.mark.xdist_group("suite-nats")
_LAG = 20
_STEPS_DOWN = {
    "meta": ("$SYS", "META.LEADER.STEPDOWN"),
    STREAM: ("SHOP", "STREAM.LEADER.STEPDOWN.ORDERS"),
    CONSUMER: ("SHOP", "CONSUMER.LEADER.STEPDOWN.ORDERS.worker"),
}


def _variable(account: str) -> str:
    """Where the password of its user is."""
    return f"GAPLESS_TEST_NATS_{account.removeprefix('$')}"


class NatsRig(ServersRig):
    """Without a majority nobody leads; the server chooses whom it hands over to (before 2.11); and
    its name, which is its identity, is in its configuration, so it keeps that without its folder,
    too."""

    edition: ClassVar = DEBIAN

    can = ServersRig.can | {"moves", "quick", "began", "write", "hold", "stranger", "secret"}
    hosts = NAMES
    logins: ClassVar = {_variable(account): password for account, (_, password) in USERS.items()}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers = NatsServers(folder, self.edition)
        self._client: Client | None = None
        self._last = 0
        """Number of the newest order that was acknowledged."""

    def cluster(self) -> NatsCluster:
        logins = {
            account: {"user": user, "password": f"env:{_variable(account)}"}
            for account, (user, _) in USERS.items()
        }
        settings = {
            "monitor": f"http://{{address}}:{self.servers.monitor_port}",
            "address": f"{{address}}:{self.servers.client_port}",
            "accounts": {"SHOP": logins["SHOP"]},
            "system": logins["$SYS"],
            "lag": _LAG,
        }
        config = NatsClusterConfig.model_validate(settings)
        return NatsCluster(
            "bus", config, self.hosts, self.transport, LoopClock(), address=self.servers.address
        )

    async def id(self, host: str) -> str:
        return str(self.servers.page(host, "/varz")["server_name"])

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        named: dict[str, set[str]] = {}
        for host in self.running:
            for group, leader in self.servers.leaders(host).items():
                named.setdefault(group, set()).add(leader)
        return {group: frozenset(leaders) for group, leaders in named.items()}

    async def caught_up(self, host: str) -> bool:
        told = self.servers.page(host, "/jsz?accounts=true&streams=true")
        (stream,) = [one for each in told["account_details"] for one in each["stream_detail"]]
        return int(stream["state"]["last_seq"]) >= self._last - _LAG

    async def tighten(self, host: str) -> None:
        """From its next start on it finds none of the others, nor they it."""
        self.servers.configure(host, alone=True)

    async def loosen(self, host: str) -> None:
        self.servers.configure(host)
        await self.restart(host)

    def put(self, key: str) -> None:
        """To any server, and the same one as long as it is there."""
        if self._client is None:
            name = random.choice(self.running)
            address = self.servers.address(name)
            self._client = Client(address, self.servers.client_port, *USERS["SHOP"])
        number = int(self._client.publish(f"orders.{key}", key, 2.0)["seq"])
        self._last = max(self._last, number)

    def hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        with self.servers.client(self.running[0]) as client:
            told = client.api("STREAM.INFO.ORDERS", {"subjects_filter": "orders.>"})
        return [key for key in keys if f"orders.{key}" not in told["state"]["subjects"]]

    async def stranger(self, group: str) -> str:
        """Said again where the same one was chosen."""
        (old,) = (await self.leaders())[group]
        account, order = _STEPS_DOWN[group]

        def another() -> bool:
            named = {self.servers.leaders(host)[group] for host in self.running}
            if named == {old}:
                client.api(order)
            return len(named) == 1 and not named & {old, ""}

        with self.servers.client(self.running[0], account) as client:
            await asyncio.to_thread(self.servers.wait, another, f"another leader of {group}")
        (new,) = (await self.leaders())[group]
        return new


class CurrentNatsRig(NatsRig):
    """It is told whom to hand over to."""

    can = NatsRig.can | {"choose"}
    edition: ClassVar = CURRENT


class TestNats(SharedSuite):
    """All cases on one cluster."""

    made = NatsRig


class TestCurrentNats(SharedSuite):
    """All of them again."""

    made = CurrentNatsRig
