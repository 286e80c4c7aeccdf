"""The driver for RabbitMQ keeps what every driver of a cluster has to, with three real nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_rabbitmq import RabbitClusterConfig
from gapless.drivers.clusters.rabbitmq import RabbitCluster

from .rabbitmq_cluster import NAMES, PASSWORD, QUEUE, USER, RabbitSite, rabbit
from .suite_hosts import SharedRig, SharedSuite, Standing, begun

__all__ = ["rabbit"]
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("rabbitmq")]
SECRET = "GAPLESS_TEST_RABBIT"
GROUP = f"/ > {QUEUE}"


class RabbitRig(SharedRig):
    """A move takes seconds, and RabbitMQ chooses whom to; a node takes 8 s to boot by itself, and
    minutes beside other tests: that it comes back is in ``test_proved_rabbitmq``."""

    can = SharedRig.can - {"restarts"} | {"moves", "began", "write", "secret"}
    hosts = NAMES
    logins: ClassVar = {SECRET: PASSWORD}

    def __init__(self, folder: Path, site: RabbitSite) -> None:
        super().__init__(folder)
        self._site = site
        self._taken: set[str] = set()

    def begin(self) -> None:
        self._site.wait(self._site.well, "a cluster that is well")

    def end(self) -> None:
        """Its nodes run on: others share them."""
        for host in self._in_maintenance():
            self._revive(host)

    def cluster(self) -> RabbitCluster:
        login = {"user": USER, "password": f"env:{SECRET}"}
        config = RabbitClusterConfig.model_validate({**self._site.config(), "login": login})
        return RabbitCluster(
            "bus", config, self.hosts, self.transport, LoopClock(), address=self._site.address
        )

    async def mend(self) -> None:
        await super().mend()
        for host in self._in_maintenance():
            await asyncio.to_thread(self._revive, host)

    async def id(self, host: str) -> str:
        return str(self._site.page(host, "overview")["node"])

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        """A node in maintenance can be asked nothing."""
        named = set()
        for host in self.running:
            with suppress(OSError):
                named.add(str(self._site.queue(host)["leader"]))
        return {GROUP: frozenset(named)}

    async def caught_up(self, host: str) -> bool:
        return self._site.node(host) in self._site.queue(host)["online"]

    async def end_one(self, host: str) -> None:
        await asyncio.to_thread(self._site.keep, host, "stop")

    async def begin_one(self, host: str) -> None:
        await asyncio.to_thread(self._site.keep, host, "start")

    def put(self, key: str) -> None:
        self._site.put(key)

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        """What was there once was not lost: to look takes it out."""
        away = self._in_maintenance()
        host = next(one for one in self.running if one not in away)
        self._taken |= set(await asyncio.to_thread(self._site.taken, host))
        return [key for key in keys if key not in self._taken]

    def _in_maintenance(self) -> list[str]:
        """Whose API is closed."""
        found = []
        for host in self.running:
            try:
                self._site.page(host, "overview")
            except OSError:
                found.append(host)
        return found

    def _revive(self, host: str) -> None:
        self._site.ctl(host, "rabbitmq-upgrade", "revive")


@pytest.fixture(scope="module", name="standing")
def _standing(rabbit: RabbitSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with begun(RabbitRig(tmp_path_factory.mktemp("rabbit-suite"), rabbit)) as found:
        yield found


class TestRabbit(SharedSuite):
    """All cases on one cluster."""
