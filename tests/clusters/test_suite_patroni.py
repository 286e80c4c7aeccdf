"""The driver for PostgreSQL under Patroni keeps what every driver of a cluster has to, with three
real members."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_patroni import PatroniConfig
from gapless.drivers.clusters.patroni import PatroniCluster

from .patroni_cluster import PASSWORD, PatroniSite, patroni_site, wait_for
from .suite_hosts import SharedRig, SharedSuite, Standing, begun

__all__ = ["patroni_site"]
pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("patroni")]
SECRET = "GAPLESS_TEST_PATRONI"
GROUP = "shop"
_LAG, _LITTLE = 8000, 60
"""Bytes, and rows that need no more than these."""


class PatroniRig(SharedRig):
    """A move takes five seconds. Whose folder is emptied copies everything, and is the same for
    everybody."""

    can = SharedRig.can | {
        *("moves", "choose", "alone", "began", "write", "hold", "stranger", "secret")
    }
    hosts = ("pg1", "pg2", "pg3")
    logins: ClassVar = {SECRET: PASSWORD}
    failures = (psycopg.Error,)

    def __init__(self, folder: Path, site: PatroniSite) -> None:
        super().__init__(folder)
        self._site = site

    def begin(self) -> None:
        wait_for(self._site.well, "a healthy cluster")

    def end(self) -> None:
        """Its members run on: others share them."""

    def cluster(self) -> PatroniCluster:
        config = PatroniConfig.model_validate({**self._site.driven(), "lag": _LAG})
        return PatroniCluster(
            "shop", config, self.hosts, self.transport, LoopClock(), address=self._site.address
        )

    async def id(self, host: str) -> str:
        """The store has the addresses of all names."""
        address = f"//{self._site.address(host)}:"
        told = self._site.ask(host, "/cluster")["members"]
        return next(str(one["name"]) for one in told if address in one["api_url"])

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        """Who says that it takes writes; the driver asks who has the lock, too."""
        return {GROUP: frozenset(host for host in self.running if self._site.writes(host))}

    async def caught_up(self, host: str) -> bool:
        return len(self.written - self._rows(host)) <= _LITTLE

    async def end_one(self, host: str) -> None:
        await asyncio.to_thread(self._site.keep, host, "stop")

    async def begin_one(self, host: str) -> None:
        await asyncio.to_thread(self._site.keep, host, "start")

    async def tighten(self, host: str) -> None:
        """From its next start on nobody lets it copy anything."""
        self._site.configure(host, replicator="stranger")

    async def loosen(self, host: str) -> None:
        self._site.configure(host)
        await asyncio.to_thread(wait_for, partial(self._reloads, host), f"{host} reads its file")

    def put(self, key: str) -> None:
        self._site.put(key)

    async def lost(self, keys: Sequence[str]) -> Sequence[str]:
        return self._site.lost(list(keys))

    async def stranger(self, group: str) -> str:
        """They stream from it when this returns."""
        leader = self._site.leader()
        new = next(one for one in self.running if one != leader)
        order = {"leader": leader, "candidate": new}
        await asyncio.to_thread(self._site.tell, leader, "POST", "/switchover", order)
        await asyncio.to_thread(wait_for, self._site.well, f"{new} leads")
        assert self._site.leader() == new
        return new

    def _reloads(self, host: str) -> bool:
        with suppress(OSError):
            return bool(self._site.tell(host, "POST", "/reload"))
        return False

    def _rows(self, host: str) -> set[str]:
        with self._site.connected(host) as connection:
            return {str(row[0]) for row in connection.execute("SELECT key FROM written")}


@pytest.fixture(scope="module", name="standing")
def _standing(
    patroni_site: PatroniSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standing]:
    with begun(PatroniRig(tmp_path_factory.mktemp("patroni"), patroni_site)) as found:
        yield found


class TestPatroni(SharedSuite):
    """All cases on one cluster."""
