"""kafka-python as a client of one topic with one partition: what blocks. An extra, imported when it
is needed.

1. Nothing is sent again by the library: whoever asks sees every error. Its limits are shorter than
   one attempt of whoever asks.
2. What was written is acknowledged by all replicas in sync (``acks="all"``). It is read from the
   partition's leader, which shows no more than what all of them have.
3. The producer has one thread, all else another one: ``writing`` and ``reading`` may be called at
   the same time, neither of them twice.

Source: kafka-python 3.0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from gapless.drivers.clusters.kafka_access import QUIET

_REQUEST, _METADATA = 800, 500
_POLL = 400
"""Milliseconds in which what is there comes from the leader; all limits here are in those."""
_BEGIN, _ADMIN = 3000, 5000
_LIMITS = {
    "retry_backoff_ms": 50,
    "reconnect_backoff_ms": 50,
    "reconnect_backoff_max_ms": 200,
    "bootstrap_timeout_ms": _BEGIN,
}


class Writing:
    """A producer; made where a broker answers, else KafkaError."""

    def __init__(self, addresses: Sequence[str], topic: str, options: Mapping[str, Any]) -> None:
        from kafka import KafkaProducer

        logging.getLogger("kafka").setLevel(QUIET)
        self._topic = topic
        self._producer = KafkaProducer(
            bootstrap_servers=list(addresses),
            client_id="gapless-prove",
            acks="all",
            enable_idempotence=False,
            retries=0,
            allow_auto_create_topics=False,
            request_timeout_ms=_REQUEST,
            delivery_timeout_ms=_REQUEST,
            max_block_ms=_METADATA,
            metrics_enabled=False,
            **_LIMITS,
            **options,
        )

    def send(self, key: bytes, value: bytes, told: Callable[[int | BaseException], None]) -> None:
        """``told`` is called with its offset or an error, on a thread of the library. Raises
        KafkaError."""
        future = self._producer.send(self._topic, value=value, key=key, partition=0)
        future.add_callback(lambda record: told(int(record.offset)))
        future.add_errback(told)

    def close(self) -> None:
        """What is under way is given up."""
        self._producer.close(timeout=0)


class Reading:
    """A consumer; made where a broker answers, else KafkaError. What is asked of the whole cluster
    is asked by an administrator made for it: one that is kept goes to the controller of before."""

    def __init__(self, addresses: Sequence[str], topic: str, options: Mapping[str, Any]) -> None:
        from kafka import KafkaConsumer, TopicPartition

        logging.getLogger("kafka").setLevel(QUIET)
        self._topic, self._partition = topic, TopicPartition(topic, 0)
        self._common = {
            "bootstrap_servers": list(addresses),
            "client_id": "gapless-prove",
            **_LIMITS,
            **options,
        }
        self._consumer = KafkaConsumer(
            auto_offset_reset=None,
            enable_auto_commit=False,
            enable_incremental_fetch_sessions=False,
            fetch_max_wait_ms=100,
            request_timeout_ms=_REQUEST,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **self._common,
        )
        self._consumer.assign([self._partition])

    def create(self, replicas: int, minimum: int, kept: int) -> None:
        """The topic, with these many replicas and in sync, whose records are gone after ``kept``
        milliseconds; harmless where it is there. Raises KafkaError."""
        from kafka.errors import TopicAlreadyExistsError

        configs = {"min.insync.replicas": str(minimum), "retention.ms": str(kept)}
        wish = {"num_partitions": 1, "replication_factor": replicas, "configs": configs}
        with suppress(TopicAlreadyExistsError), self._administrator() as admin:
            admin.create_topics({self._topic: wish}, timeout_ms=_ADMIN)

    def delete(self) -> None:
        """Harmless where it is gone. Raises KafkaError."""
        from kafka.errors import UnknownTopicOrPartitionError

        with suppress(UnknownTopicOrPartitionError), self._administrator() as admin:
            admin.delete_topics([self._topic], timeout_ms=_ADMIN)

    def there(self) -> bool:
        """Whether the cluster has the topic. Raises KafkaError."""
        with self._administrator() as admin:
            return self._topic in admin.list_topics()

    def records(self, offsets: Sequence[int]) -> dict[int, bytes]:
        """Those that come within the limit. Raises KafkaError."""
        from kafka.errors import OffsetOutOfRangeError

        wanted, found = set(offsets), dict[int, bytes]()
        self._consumer.seek(self._partition, min(wanted))
        try:
            while wanted:
                came = self._consumer.poll(timeout_ms=_POLL)
                if not came:
                    break
                for record in came.get(self._partition, ()):
                    if record.offset in wanted:
                        wanted.remove(record.offset)
                        found[record.offset] = record.value
                if self._consumer.position(self._partition) > max(offsets):
                    break
        except OffsetOutOfRangeError:
            return found
        return found

    def end(self) -> int:
        """The offset that the next record gets, as far as all in sync have them. Raises
        KafkaError."""
        ends = self._consumer.end_offsets([self._partition], timeout_ms=_METADATA)
        return int(ends[self._partition])

    def close(self) -> None:
        """Nothing of it is left."""
        self._consumer.close(autocommit=False, timeout_ms=_METADATA)

    @contextmanager
    def _administrator(self) -> Iterator[Any]:
        from kafka import KafkaAdminClient

        admin = KafkaAdminClient(request_timeout_ms=_ADMIN, **self._common)
        try:
            yield admin
        finally:
            admin.close()
