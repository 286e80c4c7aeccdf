"""A client of Kafka: records produced to a topic of its own, each until all replicas in sync have
it, and fetched from its leader.

1. The topic has one partition, with three replicas of which two have to be in sync where there are
   three brokers. It is one more that the rollout minds.
2. Where a record is, its acknowledgement tells. What was written twice is there twice, and the one
   that was acknowledged counts.
3. Reads that wait at the same time are fetched in one go. Where one does not come the leader is
   asked how far its log goes: what is beyond that end is not there.
4. The library blocks, and has loops of its own: there is one thread for writing and one for
   reading, and none of gapless' own waits for them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TypeVar

from gapless.config.api_url import ApiTlsConfig
from gapless.config.cluster_kafka import KafkaLoginConfig, KafkaTlsConfig
from gapless.drivers.workloads.kafka_library import Reading, Writing
from gapless.drivers.workloads.kafka_side import Entry, Side
from gapless.drivers.workloads.login import Login
from gapless.errors import UsageError
from gapless.prove.workload import NotDone

T = TypeVar("T")
_KEPT = 7 * 24 * 3600 * 1000
"""Milliseconds after which a record is gone by itself: nobody may be left to remove it."""
_REPLICAS, _MINIMUM = 3, 2


class KafkaWorkload:
    """See ``Workload``. ``topic``: the name of its own; ``members``: how many brokers; ``login`` is
    that of ``sasl``."""

    kind = "kafka"
    removes = True

    def __init__(
        self,
        addresses: tuple[str, ...],
        login: Login,
        topic: str,
        members: int,
        tls: KafkaTlsConfig | ApiTlsConfig | None = None,
        sasl: KafkaLoginConfig | None = None,
    ) -> None:
        self._addresses, self._topic = addresses, topic
        self._replicas = min(_REPLICAS, members)
        self._entry = Entry(login, tls, sasl)
        self._writing = Side(addresses, topic, Writing, self._entry)
        self._reading = Side(addresses, topic, Reading, self._entry)
        self._at: dict[int, int] = {}
        """By number the offset that was acknowledged."""
        self._waiting: dict[int, list[asyncio.Future[bytes | None]]] = {}
        self._fetching: asyncio.Task[None] | None = None

    @property
    def place(self) -> str:
        """Its topic."""
        return f"kafka-topics.sh --delete --topic {self._topic}"

    @property
    def addresses(self) -> str:
        """Where it begins; brokers name each other."""
        return ", ".join(self._addresses)

    async def prepare(self) -> None:
        """The topic; harmless where it is there."""
        minimum = min(_MINIMUM, self._replicas)
        await self._reading.do(lambda side: side.create(self._replicas, minimum, _KEPT))

    async def write(self, number: int, value: str) -> None:
        """Acknowledged by all replicas in sync."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[int] = loop.create_future()

        def settle(offset: int | BaseException) -> None:
            with suppress(RuntimeError):  # the loop is over, and nobody waits any more
                loop.call_soon_threadsafe(_settle, told, offset)

        key, record = str(number).encode(), value.encode()
        await self._writing.do(lambda side: side.send(key, record, settle))
        async with self._entry.words():
            self._at[number] = await told

    async def read(self, number: int) -> str | None:
        """As the partition's leader has it; of a record that nobody acknowledged there is no
        place."""
        if number not in self._at:
            return None
        found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(self._at[number], []).append(found)
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        value = await found
        return None if value is None else value.decode("utf-8", "replace")

    async def clear(self) -> None:
        """The topic."""
        await self._reading.do(lambda side: side.delete())

    async def close(self) -> None:
        """Nothing is under way any more."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await asyncio.gather(self._writing.close(), self._reading.close())

    async def _fetch(self) -> None:
        """Until nobody waits."""
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            found: dict[int, bytes | NotDone | None] = {}
            try:
                found = await self._reading.do(partial(_found, offsets=sorted(waiting)))
            except NotDone as error:
                found = dict.fromkeys(waiting, error)
            finally:
                ended = NotDone("the client ends")
                for offset, several in waiting.items():
                    for future in several:
                        _settle(future, found.get(offset, ended))


def _found(side: Reading, offsets: list[int]) -> dict[int, bytes | NotDone | None]:
    """In the thread of the library. Raises KafkaError."""
    from kafka.errors import KafkaError

    came: dict[int, bytes | NotDone | None] = {**side.records(offsets)}
    missing = [offset for offset in offsets if offset not in came]
    if not missing:
        return came
    try:
        end = side.end()
    except KafkaError:
        if side.there():
            raise
        end = 0  # its topic is gone, and all that was in it
    late = NotDone("the leader did not send it in time")
    return {**came, **{offset: None if offset >= end else late for offset in missing}}


def _settle(future: asyncio.Future[T], told: T | BaseException) -> None:
    if future.done():
        return
    if isinstance(told, BaseException):
        future.set_exception(told)
    else:
        future.set_result(told)


def need_kafka(service: str) -> None:
    """Raises UsageError where the library is not installed."""
    try:
        import kafka  # noqa: F401 - an extra
    except ImportError:
        raise UsageError(
            "--prove needs kafka-python to be a client of Kafka, and it is not installed",
            where=service,
            next="pip install 'gapless[kafka]'",
        ) from None
