"""``gapless restart --prove`` of three fake brokers: its client has a topic of its own meanwhile.
No Kafka is to be had here; the client is kafka-python, and the protocol what that speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gapless.config.cluster_kafka import KafkaLoginConfig, KafkaTlsConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.kafka import KafkaWorkload
from gapless.drivers.workloads.login import Login
from gapless.prove.workload import NotDone
from tests.clusters.kafka_brokers import NAMES, KafkaBrokers
from tests.clusters.proofs import proved
from tests.clusters.test_kafka_rolled import KafkaSite

pytestmark = [pytest.mark.xdist_group("proved_kafka"), pytest.mark.timeout(170)]
_TOPIC = "gp-ab"
_PARTITION = "gp-ab-0"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaSite]:
    made = KafkaSite(tmp_path_factory.mktemp("kafka"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(site: KafkaSite) -> None:
    proof = proved(site)
    print(proof.client)
    assert proof.well(), proof.client
    assert proof.client["kind"] == "kafka"
    assert set(site.brokers.state.read()["partitions"]) == {
        *(f"orders-{number}" for number in range(6)),
        *(f"paid-out-{number}" for number in range(3)),
    }, "its topic is gone"


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[KafkaBrokers]:
    made = KafkaBrokers(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@asynccontextmanager
async def client(
    brokers: KafkaBrokers, login: Login | None = None, sasl: KafkaLoginConfig | None = None
) -> AsyncIterator[KafkaWorkload]:
    """Whose topic is made, and which is closed."""
    addresses = tuple(f"{brokers.address(name)}:{brokers.port}" for name in NAMES)
    made = KafkaWorkload(addresses, login or Login("bus", WorkloadConfig()), _TOPIC, 3, None, sasl)
    try:
        await made.prepare()
        yield made
    finally:
        await made.close()


async def insisted(client: KafkaWorkload, number: int) -> None:
    """As whoever tries again."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await client.write(number, f"v{number}")
            except NotDone:
                await asyncio.sleep(0.05)


async def asked(client: KafkaWorkload, number: int) -> str | None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await client.read(number)
            except NotDone:
                await asyncio.sleep(0.05)


def test_it_writes_and_reads_past_a_leader_that_stops(brokers: KafkaBrokers) -> None:
    async def scene() -> None:
        async with client(brokers) as of:
            await of.prepare()  # harmless where it is there
            for number in range(3):
                await insisted(of, number)
            leader = brokers.state.read()["partitions"][_PARTITION]["leader"]
            await asyncio.to_thread(brokers.stop, f"kafka{leader}")
            for number in range(3, 6):
                await insisted(of, number)
            told = await asyncio.gather(*(asked(of, number) for number in range(6)))
            assert told == [f"v{number}" for number in range(6)]
            assert await of.read(99) is None, "nobody acknowledged it"
            await of.clear()
            await of.clear()
            assert await asked(of, 0) is None

    asyncio.run(scene())


def test_what_is_not_there_any_more_is_not_found(brokers: KafkaBrokers) -> None:
    """Its leader lost the end of its log."""

    async def scene() -> None:
        async with client(brokers) as of:
            for number in range(4):
                await insisted(of, number)
            with brokers.state.held() as facts:
                del facts["logs"][_PARTITION][2:]
            told = await asyncio.gather(*(asked(of, number) for number in range(4)))
            assert told == ["v0", "v1", None, None]

    asyncio.run(scene())


def test_what_too_few_have_is_not_acknowledged(brokers: KafkaBrokers) -> None:
    async def scene() -> None:
        async with client(brokers) as of:
            await insisted(of, 0)
            with brokers.state.held() as facts:
                one = facts["partitions"][_PARTITION]
                one["isr"] = [one["leader"]]
                facts["short"] = [other for other in "123" if other != one["leader"]]
            with pytest.raises(NotDone, match="NotEnoughReplicas"):
                await of.write(1, "v1")
            assert await asked(of, 0) == "v0"

    asyncio.run(scene())


def test_where_nobody_answers_it_is_told_and_nothing_hangs(brokers: KafkaBrokers) -> None:
    async def scene() -> None:
        async with client(brokers) as of:
            await insisted(of, 0)
            for name in NAMES:
                await asyncio.to_thread(brokers.stop, name)
            with pytest.raises(NotDone, match="Kafka"):
                await of.write(1, "v1")
            with pytest.raises(NotDone):
                await of.read(0)

    asyncio.run(scene())


def test_a_file_that_is_not_there_is_named() -> None:
    nobody = Login("bus", WorkloadConfig())
    tls = KafkaTlsConfig(ca="/no/such/ca.pem")

    async def scene() -> None:
        of = KafkaWorkload(("127.0.0.1:9",), nobody, _TOPIC, 3, tls)
        try:
            await of.prepare()
        finally:
            await of.close()

    with pytest.raises(NotDone, match=r"/no/such/ca\.pem: No such file"):
        asyncio.run(scene())


@pytest.mark.parametrize("given", ["bees-and-honey", "falsch-und-alt"])
def test_it_logs_in_and_a_login_that_is_refused_shows_no_password(
    brokers: KafkaBrokers, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("KAFKA_WORD", given)
    brokers.lie(login=["shop", "bees-and-honey"])
    sasl = KafkaLoginConfig(mechanism="PLAIN", user="shop", password="env:KAFKA_WORD")
    login = Login("bus", WorkloadConfig(), "shop", "env:KAFKA_WORD")

    async def scene() -> None:
        async with client(brokers, login, sasl) as of:
            await insisted(of, 0)
            assert await asked(of, 0) == "v0"

    if given == "bees-and-honey":
        asyncio.run(scene())
        return
    with pytest.raises(NotDone, match="Kafka") as refused:
        asyncio.run(scene())
    assert given not in str(refused.value)
