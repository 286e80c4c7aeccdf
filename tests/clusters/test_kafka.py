"""The driver for Kafka with three fake brokers, which all of these tests share: each leaves them as
it found them. No Kafka is to be had here: what is real is kafka-python and the protocol."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.clusters.gates import refusals
from gapless.clusters.topology import Topology
from gapless.config.cluster_kafka import KafkaConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.clusters.base import Cluster, Rejoined
from gapless.drivers.clusters.kafka import KafkaCluster
from gapless.drivers.clusters.kafka_answers import view
from gapless.drivers.clusters.kafka_client import KafkaClient
from gapless.drivers.clusters.kafka_round import QUORUM
from gapless.drivers.clusters.password import Password
from gapless.drivers.transports.base import Claim
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import ClusterError, FenceRefused
from gapless.model import Fence

from .kafka_brokers import NAMES, KafkaBrokers, id_of, well

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("kafka")]
_PATIENCE = 30.0


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBrokers]:
    made = KafkaBrokers(tmp_path_factory.mktemp("kafka"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


class Hosts:
    """A transport for each, all of them on this machine."""

    def __init__(self, brokers: KafkaBrokers, folder: Path) -> None:
        self._brokers = brokers
        self._open = {
            name: LocalTransport(
                name,
                HostConfig(transport="local", sudo=False, state_dir=str(folder / f"{name}-state")),
            )
            for name in NAMES
        }

    def cluster(self, **config: Any) -> KafkaCluster:
        address = f"{{address}}:{self._brokers.port}"
        return KafkaCluster(
            "stream", KafkaConfig.model_validate({"address": address, **config}), NAMES,
            self._open.__getitem__, LoopClock(), address=self._brokers.address,
        )  # fmt: skip

    async def fence(self, host: str, rollout: str) -> Fence:
        claim = Claim("stream", rollout, "somebody", "here", os.getpid(), 0.0)
        claimed = await self._open[host].claim(claim, take_over=True)
        assert claimed.fence
        return claimed.fence

    async def __aenter__(self) -> Hosts:
        for transport in self._open.values():
            await transport.connect()
        return self

    async def __aexit__(self, *error: object) -> None:
        for transport in self._open.values():
            await transport.close()


Play = Callable[[Callable[[Hosts], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def play(brokers: KafkaBrokers, tmp_path: Path) -> Play:
    def played(scene: Callable[[Hosts], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with Hosts(brokers, tmp_path) as hosts:
                await scene(hosts)

        asyncio.run(whole())

    return played


async def shown(cluster: Cluster, wanted: Callable[[Topology], object]) -> Topology:
    """The first topology that is as wanted."""
    until = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        topology = await cluster.topology()
        if wanted(topology):
            return topology
        assert asyncio.get_running_loop().time() < until, "\n".join(map(repr, topology.findings))
        await asyncio.sleep(0.05)


async def back(ask: Callable[[], Awaitable[Rejoined]]) -> Rejoined:
    until = asyncio.get_running_loop().time() + _PATIENCE
    while not (answer := await ask()).done:
        assert asyncio.get_running_loop().time() < until, answer
        await asyncio.sleep(0.05)
    return answer


def healthy(topology: Topology) -> bool:
    full = all(group.full and group.leader for group in topology.groups.values())
    return not topology.findings and full


def codes(topology: Topology) -> set[str]:
    return {finding.code for finding in topology.findings}


def test_everybody_is_seen_and_anybody_may_be_stopped(play: Play, brokers: KafkaBrokers) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        topology = await shown(cluster, healthy)
        assert {one.id: one.host for one in topology.members.values()} == {
            "1": "kafka1", "2": "kafka2", "3": "kafka3",
        }  # fmt: skip
        assert {one.zone for one in topology.members.values()} == {"rack1", "rack2", "rack3"}
        assert topology.groups["orders-1"].members == ("2", "3", "1")
        assert (topology.groups["orders-1"].leader, topology.groups["orders-1"].minimum) == ("2", 2)
        assert topology.groups[QUORUM].leader == topology.singletons["controller"]
        assert len(topology.groups) == 10 and topology.asked == ("1", "2", "3")
        for member in topology.members.values():
            assert refusals(topology, [member.id]) == ()
            assert await cluster.unsafe(topology, [member.id]) == ()
            assert member.began.startswith("socket ") and member.well
        again = await cluster.topology()
        assert [m.began for m in again.members.values()] == [
            m.began for m in topology.members.values()
        ]
        moved = await cluster.evacuate("2", [], 1.0, None)
        assert moved and all("controlled shutdown" in one.why for one in moved)

    play(scene)


def test_a_broker_that_is_another_one_than_before_is_seen(
    play: Play, brokers: KafkaBrokers
) -> None:
    """Who it was is asked for alone; who it is, where it is not that one any more."""

    async def scene(hosts: Hosts) -> None:
        await shown(hosts.cluster(), healthy)
        address = f"{brokers.address('kafka2')}:{brokers.port}"
        nobody = Password("stream", "", None)
        client = KafkaClient("stream", "Kafka on kafka2", address, KafkaConfig(), nobody)
        for known, refused in (("", 2), ("2", 0), ("3", 2)):
            answers = await client.look(known)
            assert view(answers).id == "2"
            codes = [one["error_code"] for one in answers.configs["results"]]
            assert codes.count(42) == refused

    play(scene)


def test_a_frozen_broker_is_in_no_isr_though_it_stands_there(
    play: Play, brokers: KafkaBrokers
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster(timeout="3s")
        await shown(cluster, healthy)
        brokers.signal("kafka2", signal.SIGSTOP)
        try:
            topology = await shown(cluster, lambda t: "silent-member" in codes(t))
        finally:
            brokers.signal("kafka2", signal.SIGCONT)
        assert topology.members["2"].host == "kafka2"
        assert all("2" not in group.in_sync for group in topology.groups.values())
        assert "too-few-in-sync" in {one.code for one in refusals(topology, ["1"])}
        assert "quorum-lost" in {one.code for one in refusals(topology, ["1"]) if one.absolute}
        await shown(cluster, healthy)
        brokers.lie(partitions={
            name: {**one, "leader": one["replicas"][0]}
            for name, one in brokers.state.read()["partitions"].items()
        })  # fmt: skip

    play(scene)


def test_a_broker_is_back_in_every_isr_and_leads_again_what_it_led(
    play: Play, brokers: KafkaBrokers
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        led = {group.id for group in before.led_by("3")}
        assert "still the process" in (await cluster.rejoined("3", before)).why
        brokers.stop("kafka3")
        topology = await shown(cluster, lambda t: "silent-member" in codes(t))
        assert not topology.led_by("3") and not topology.leaderless
        assert not (await cluster.rejoined("3", before)).done
        await cluster.prefer("3")  # it is down: nothing is elected, and nothing waited for
        brokers.lie(short=["3"])
        brokers.start("kafka3")
        topology = await shown(cluster, lambda t: not t.findings)
        assert topology.members["3"].began != before.members["3"].began
        answer = await cluster.rejoined("3", before)
        assert not answer.done and "not in the isr of" in answer.why
        assert answer.lag == 900 * 9, "bytes that it lacks"
        brokers.lie(short=[])
        assert (await back(lambda: cluster.rejoined("3", before))).lag == 0
        assert not (await cluster.topology()).led_by("3")
        await cluster.prefer("3")
        assert {group.id for group in (await cluster.topology()).led_by("3")} == led
        assert well(brokers.state.read())

    play(scene)


def test_a_broker_that_is_late_with_the_metadata_is_the_one_that_is_named(
    play: Play, brokers: KafkaBrokers
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        before = await shown(cluster, healthy)
        now = brokers.state.read()["partitions"]
        old = {**now, "orders-0": {**now["orders-0"], "isr": ["1", "2"]}}
        brokers.lie(stale={"3": {"partitions": old}})
        topology = await cluster.topology()
        (finding,) = topology.findings
        assert (finding.code, finding.member) == ("metadata-disagreement", "3")
        assert "orders-0 as broker 3 knows it" in finding.evidence
        assert topology.groups["orders-0"].in_sync == {"1", "2"}, "what all say"
        assert "metadata-disagreement" in {one.code for one in refusals(topology, ["1"])}
        assert healthy(before)
        brokers.lie(stale={})
        await shown(cluster, healthy)

    play(scene)


def test_what_another_one_is_to_lead_is_elected_before_and_nothing_that_is_not_in_sync(
    play: Play, brokers: KafkaBrokers
) -> None:
    async def scene(hosts: Hosts) -> None:
        cluster = hosts.cluster()
        await shown(cluster, healthy)
        partitions = brokers.state.read()["partitions"]
        partitions["orders-0"]["leader"] = partitions["orders-3"]["leader"] = "2"
        partitions["orders-3"]["isr"].remove("1")
        brokers.lie(partitions=partitions, short=["1"])
        old, new = [await hosts.fence("kafka2", rollout) for rollout in ("r1", "r2")]
        with pytest.raises(FenceRefused):
            await cluster.evacuate("2", ["3"], 5.0, old)
        assert brokers.state.read()["partitions"]["orders-0"]["leader"] == "2"
        moved = {one.group: one for one in await cluster.evacuate("2", ["3"], 5.0, new)}
        assert (moved["orders-0"].left, moved["orders-0"].to) == (True, "1")
        assert not moved["orders-3"].left and not moved["orders-1"].left
        brokers.lie(short=[])
        await shown(cluster, healthy)
        partitions = brokers.state.read()["partitions"]
        partitions["orders-0"]["leader"] = "2"
        brokers.lie(partitions=partitions, deaf=True)
        moved = {one.group: one for one in await cluster.evacuate("2", ["3"], 0.3, None)}
        assert not moved["orders-0"].left, "the controller's word alone is not believed"
        assert "not all brokers name its preferred leader" in moved["orders-0"].why
        brokers.lie(deaf=False)
        moved = {one.group: one for one in await cluster.evacuate("2", ["3"], 5.0, None)}
        assert moved["orders-0"].left
        partitions = brokers.state.read()["partitions"]
        partitions["orders-3"]["leader"] = "1"
        brokers.lie(partitions=partitions)

    play(scene)


def test_a_login_is_taken_and_a_wrong_one_names_no_password(
    play: Play, brokers: KafkaBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "correct horse")
    monkeypatch.setenv("KAFKA_WRONG", "battery staple")

    async def scene(hosts: Hosts) -> None:
        def login(variable: str) -> dict[str, Any]:
            return {"mechanism": "PLAIN", "user": "ann", "password": f"env:{variable}"}

        brokers.lie(login=["ann", "correct horse"])
        try:
            await shown(hosts.cluster(sasl=login("KAFKA_PASSWORD")), healthy)
            with pytest.raises(ClusterError, match="none of 3 hosts") as caught:
                await hosts.cluster(sasl=login("KAFKA_WRONG")).topology()
        finally:
            brokers.lie(login=[])
        assert "refuses the login" in caught.value.evidence
        assert "staple" not in f"{caught.value}{caught.value.evidence}"

    play(scene)


def test_nobody_answers(play: Play, brokers: KafkaBrokers) -> None:
    """The last of these: nobody is well after it."""

    async def scene(hosts: Hosts) -> None:
        await shown(hosts.cluster(), healthy)
        for name in NAMES:
            brokers.stop(name, signal.SIGKILL)
        with pytest.raises(ClusterError, match="none of 3 hosts tells of a Kafka") as caught:
            await hosts.cluster().topology()
        assert "kafka1: Kafka on kafka1 does not answer" in caught.value.evidence
        assert id_of("kafka1") == "1"

    play(scene)
