"""The driver for Kafka keeps what every driver of a cluster has to, with three fake brokers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from gapless.clock import LoopClock
from gapless.config.cluster_kafka import KafkaConfig
from gapless.drivers.clusters.kafka import KafkaCluster
from gapless.drivers.clusters.kafka_round import QUORUM

from . import kafka_state
from .kafka_brokers import NAMES, KafkaBrokers, id_of
from .suite_hosts import ServersRig, SharedSuite, standing

__all__ = ["standing"]
pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("suite-kafka")]
SECRET, USER, PASSWORD = "GAPLESS_TEST_KAFKA", "ann", "correct-horse"
_LONG_AGO = 60.0
"""Seconds; a voter may be behind by ten."""


class KafkaRig(ServersRig):
    """What a broker leads as the preferred one it hands over while it stops, and not before; the
    third leads nothing. The fakes store nothing, and whoever is told as the leader of something is
    what they share."""

    can = ServersRig.can | {"began", "hold", "secret"}
    hosts = NAMES
    logins: ClassVar = {SECRET: PASSWORD}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers = KafkaBrokers(folder, leading=2)

    def begin(self) -> None:
        super().begin()
        self.servers.lie(login=[USER, PASSWORD], catches_up=2)

    def cluster(self) -> KafkaCluster:
        settings = {
            "address": f"{{address}}:{self.servers.port}",
            "sasl": {"mechanism": "PLAIN", "user": USER, "password": f"env:{SECRET}"},
        }
        config = KafkaConfig.model_validate(settings)
        return KafkaCluster(
            "stream", config, self.hosts, self.transport, LoopClock(), address=self.servers.address
        )

    async def mend(self) -> None:
        """Preferred leaders lead again: they are whom a case finds at first."""
        await super().mend()
        with self.servers.state.held() as facts:
            for partition in facts["partitions"]:
                kafka_state.elect(facts, partition)

    async def id(self, host: str) -> str:
        return id_of(host)

    async def leaders(self) -> Mapping[str, frozenset[str]]:
        facts = self.servers.state.read()
        led = {name: one["leader"] for name, one in facts["partitions"].items()}
        led[QUORUM] = facts["controller"]
        return {group: frozenset((leader,)) for group, leader in led.items()}

    async def caught_up(self, host: str) -> bool:
        partitions = self.servers.state.read()["partitions"].values()
        return all(id_of(host) in one["isr"] for one in partitions)

    async def tighten(self, host: str) -> None:
        """It fetches neither partitions nor metadata."""
        broker = id_of(host)
        with self.servers.state.held() as facts:
            facts["short"] = facts["stuck"] = [broker]
            facts["caught_up"][broker] -= _LONG_AGO

    async def loosen(self, host: str) -> None:
        self.servers.lie(short=[], stuck=[])


class TestKafka(SharedSuite):
    """All cases on one cluster."""

    made = KafkaRig
