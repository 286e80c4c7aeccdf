"""One broker that speaks as much of Kafka's protocol as an administrator needs, and a client of
one partition: ``kafka_fake.py FOLDER ID``. What the cluster is lies in ``kafka_state.py``, and what
was produced in ``kafka_log.py``.

Requests and answers are read and written by kafka-python's own classes, in the versions of 4.0.
``SIGTERM`` is a controlled shutdown.
"""

from __future__ import annotations

import asyncio
import signal
import struct
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kafka.protocol import admin, consumer, metadata, producer, sasl

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.clusters import kafka_log, kafka_state
from tests.clusters.kafka_state import Facts, State

_MODULES = (metadata, admin, producer, consumer, sasl)
_BEAT = 0.1
_HANDS_OVER = 0.2
"""Seconds that an orderly stop takes."""
VERSIONS = {
    "ApiVersions": 3,
    "Metadata": 12,
    "DescribeCluster": 1,
    "DescribeConfigs": 4,
    "DescribeLogDirs": 4,
    "DescribeQuorum": 1,
    "ListPartitionReassignments": 0,
    "ElectLeaders": 2,
    "CreateTopics": 7,
    "DeleteTopics": 6,
    "Produce": 9,
    "Fetch": 12,
    "ListOffsets": 7,
    "SaslHandshake": 1,
    "SaslAuthenticate": 2,
}


def _class(name: str, kind: str) -> Any:
    return next(getattr(one, name + kind) for one in _MODULES if hasattr(one, name + kind))


BY_KEY = {_class(name, "Request").API_KEY: name for name in VERSIONS}


class Broker:
    """``state`` is what it has of the cluster, unless it is to be stale."""

    def __init__(self, state: State, name: str) -> None:
        self._state, self._name = state, name
        self._answers: Mapping[str, Callable[[Any, Facts], dict[str, Any]]] = {
            "ApiVersions": _versions,
            "Metadata": _metadata,
            "DescribeCluster": _cluster,
            "DescribeConfigs": partial(_configs, name),
            "DescribeLogDirs": partial(_dirs, name),
            "DescribeQuorum": _quorum,
            "ListPartitionReassignments": _moves,
            "Fetch": partial(kafka_log.fetch, name),
            "ListOffsets": partial(kafka_log.offsets, name),
            "SaslHandshake": _handshake,
            "SaslAuthenticate": _login,
        }
        self._orders: Mapping[str, Callable[[Any, Facts], dict[str, Any]]] = {
            "ElectLeaders": _elect,
            "CreateTopics": kafka_log.create,
            "DeleteTopics": kafka_log.delete,
            "Produce": partial(kafka_log.produce, name),
        }

    async def serve(self) -> None:
        host, port = self._state.read()["ports"][self._name]
        server = await asyncio.start_server(self.talk, host, port)
        with self._state.held() as facts:
            kafka_state.start(facts, self._name)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        beating = asyncio.ensure_future(self._beat())
        await ended.wait()
        beating.cancel()
        with self._state.held() as facts:
            kafka_state.stop(facts, self._name)
        await asyncio.sleep(_HANDS_OVER)
        server.close()

    async def _beat(self) -> None:
        while True:
            with self._state.held() as facts:
                kafka_state.beat(facts, self._name)
            await asyncio.sleep(_BEAT)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                writer.write(self._answer(await reader.readexactly(size)))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    def _answer(self, data: bytes) -> bytes:
        key, version, correlation = struct.unpack(">hhi", data[:8])
        name = BY_KEY[key]
        if version > VERSIONS[name]:  # of ApiVersions alone: the others were told
            fields, version = {**_versions(None, {}), "error_code": 35}, 0
        else:
            request = _class(name, "Request").decode(data, version=version, header=True)
            if name in self._orders:
                with self._state.held() as facts:
                    fields = self._orders[name](request, facts)
            else:
                facts = self._read(name)
                seen = {**facts, **facts["stale"].get(self._name, {})}
                fields = self._answers[name](request, seen)
        answer = _made(_class(name, "Response"), fields)
        answer.API_VERSION = version
        answer.with_header(correlation_id=correlation)
        written: bytes = answer.encode(header=True, framed=True)
        return written

    def _read(self, asked: str) -> Facts:
        with self._state.held() as facts:
            facts["asked"][self._name] += asked == "Metadata"
            return facts


def _elect(request: Any, facts: Facts) -> dict[str, Any]:
    results = [
        {
            "topic": topic.topic,
            "partition_result": [
                {
                    "partition_id": number,
                    "error_code": kafka_state.elect(facts, f"{topic.topic}-{number}"),
                    "error_message": None,
                }
                for number in topic.partitions
            ],
        }
        for topic in request.topic_partitions
    ]
    return {"error_code": 0, "replica_election_results": results}


def _made(kind: Any, fields: Mapping[str, Any]) -> Any:
    """An answer out of plain data, records in lists as the class wants them."""
    made = {}
    for field in kind._struct._fields:
        if field.name in fields:
            value = fields[field.name]
            records = field.is_struct_array() and value is not None
            made[field.name] = (
                [_made(getattr(kind, field.type_str), one) for one in value] if records else value
            )
    return kind(**made)


def _versions(_: Any, __: Facts) -> dict[str, Any]:
    keys = [
        {"api_key": key, "min_version": 0, "max_version": VERSIONS[name]}
        for key, name in BY_KEY.items()
    ]
    return {"error_code": 0, "api_keys": keys}


def _metadata(request: Any, facts: Facts) -> dict[str, Any]:
    asked = {topic.name for topic in request.topics or ()}
    topics: dict[str, list[dict[str, Any]]] = {}
    for name, one in facts["partitions"].items():
        topic, _, number = name.rpartition("-")
        topics.setdefault(topic, []).append(
            {
                "error_code": 0 if one["leader"] else 5,
                "partition_index": int(number),
                "leader_id": int(one["leader"] or -1),
                "replica_nodes": list(map(int, one["replicas"])),
                "isr_nodes": list(map(int, one["isr"])),
                "offline_replicas": [],
            }
        )
    return {
        "brokers": _registered(facts, "node_id"),
        "cluster_id": "fake",
        "controller_id": int(min(facts["alive"], default="-1")),
        "topics": [
            {"error_code": 0, "name": topic, "partitions": partitions}
            for topic, partitions in topics.items()
        ]
        + [{"error_code": 3, "name": one, "partitions": []} for one in asked - topics.keys()],
    }


def _registered(facts: Facts, called: str) -> list[dict[str, Any]]:
    return [
        {called: int(name), "host": host, "port": port, "rack": f"rack{name}"}
        for name, (host, port) in facts["ports"].items()
        if name in facts["alive"]
    ]


def _cluster(_: Any, facts: Facts) -> dict[str, Any]:
    return {
        "error_code": 0,
        "cluster_id": "fake",
        "controller_id": int(min(facts["alive"], default="-1")),
        "brokers": _registered(facts, "broker_id"),
        "authorized_operations": set(range(3, 13)),
    }


def _configs(own: str, request: Any, facts: Facts) -> dict[str, Any]:
    def settings(kind: int, name: str) -> dict[str, str]:
        if kind == 4:
            return {
                "process.roles": "broker,controller",
                "controlled.shutdown.enable": "true",
                "controller.quorum.fetch.timeout.ms": "10000",
            }
        unclean = str(name in facts["unclean"]).lower()
        return {
            "min.insync.replicas": facts["minimum"],
            "unclean.leader.election.enable": unclean,
        }

    return {
        "results": [
            {
                "error_code": 42 if one.resource_type == 4 and one.resource_name != own else 0,
                "error_message": None,
                "resource_type": one.resource_type,
                "resource_name": one.resource_name,
                "configs": [
                    {"name": name, "value": value, "read_only": False, "is_sensitive": False,
                     "synonyms": []}
                    for name, value in settings(one.resource_type, one.resource_name).items()
                    if name in one.configuration_keys
                ],
            }
            for one in request.resources
        ]
    }  # fmt: skip


def _dirs(own: str, _: Any, facts: Facts) -> dict[str, Any]:
    topics: dict[str, list[dict[str, Any]]] = {}
    for name, one in facts["partitions"].items():
        topic, _, number = name.rpartition("-")
        size = 1000 if own in one["isr"] else 100
        if own in one["replicas"]:
            topics.setdefault(topic, []).append(
                {"partition_index": int(number), "partition_size": size, "offset_lag": 0,
                 "is_future_key": False}
            )  # fmt: skip
    held = [{"name": topic, "partitions": partitions} for topic, partitions in topics.items()]
    return {"error_code": 0, "results": [{"error_code": 0, "log_dir": "/data", "topics": held}]}


def _quorum(_: Any, facts: Facts) -> dict[str, Any]:
    now = int(time.time() * 1000)
    voters = [
        {
            "replica_id": int(name),
            "log_end_offset": 100,
            "last_fetch_timestamp": now,
            "last_caught_up_timestamp": (
                now if name == facts["controller"] else int(facts["caught_up"][name] * 1000)
            ),
        }
        for name in facts["ports"]
    ]
    told = {
        "partition_index": 0, "error_code": 0, "leader_id": int(facts["controller"] or -1),
        "leader_epoch": facts["epoch"], "high_watermark": 100, "current_voters": voters,
        "observers": [],
    }  # fmt: skip
    return {
        "error_code": 0,
        "topics": [{"topic_name": "__cluster_metadata", "partitions": [told]}],
    }


def _moves(_: Any, __: Facts) -> dict[str, Any]:
    return {"error_code": 0, "error_message": None, "topics": []}


def _handshake(_: Any, __: Facts) -> dict[str, Any]:
    return {"error_code": 0, "mechanisms": ["PLAIN"]}


def _login(request: Any, facts: Facts) -> dict[str, Any]:
    """Whoever does not log in is let in all the same."""
    given = bytes(request.auth_bytes).decode().split("\0")[1:]
    right = given == facts.get("login")
    return {
        "error_code": 0 if right else 58,
        "error_message": None if right else f"{given} is wrong",
        "auth_bytes": b"",
        "session_lifetime_ms": 0,
    }


if __name__ == "__main__":
    asyncio.run(Broker(State(Path(sys.argv[1])), sys.argv[2]).serve())
