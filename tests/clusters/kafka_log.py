"""What the brokers of ``kafka_fake.py`` store of records, in the file that they share: the batches
of a partition as a producer sent them, each with the offset that it got.

All replicas in sync have what is there, for it is one file: a leader that changes loses nothing.
What is acknowledged by too few is refused, as is whoever asks another one than the leader.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from typing import Any

from kafka.record.memory_records import MemoryRecords

from tests.clusters.kafka_state import Facts

_UNKNOWN, _NOT_LEADER, _TOO_FEW, _THERE, _OUT_OF_RANGE = 3, 6, 19, 36, 1


def create(request: Any, facts: Facts) -> dict[str, Any]:
    """Led by the first broker that lives."""
    told = []
    for topic in request.topics:
        name, code = f"{topic.name}-0", 0
        if name in facts["partitions"]:
            code = _THERE
        else:
            alive = sorted(facts["alive"])[: topic.replication_factor]
            facts["partitions"][name] = {"replicas": alive, "isr": list(alive), "leader": alive[0]}
        told.append(
            {"name": topic.name, "error_code": code, "num_partitions": 1, "configs": [],
             "replication_factor": topic.replication_factor, "error_message": None}
        )  # fmt: skip
    return {"topics": told}


def delete(request: Any, facts: Facts) -> dict[str, Any]:
    """With all that is in it."""
    told = []
    for topic in request.topics:
        known = facts["partitions"].pop(f"{topic.name}-0", None)
        facts.get("logs", {}).pop(f"{topic.name}-0", None)
        code = 0 if known else _UNKNOWN
        told.append({"name": topic.name, "error_code": code, "error_message": None})
    return {"responses": told}


def produce(own: str, request: Any, facts: Facts) -> dict[str, Any]:
    """At the end of the log."""
    assert request.acks == -1
    responses = []
    for topic in request.topic_data:
        told = []
        for one in topic.partition_data:
            name = f"{topic.name}-{one.index}"
            code, base = _refused(own, name, facts), -1
            if not code and len(facts["partitions"][name]["isr"]) < int(facts["minimum"]):
                code = _TOO_FEW
            if not code:
                base = _append(name, bytes(one.records), facts)
            told.append(
                {"index": one.index, "error_code": code, "base_offset": base,
                 "log_append_time_ms": -1, "log_start_offset": 0, "record_errors": [],
                 "error_message": None}
            )  # fmt: skip
        responses.append({"name": topic.name, "partition_responses": told})
    return {"responses": responses}


def fetch(own: str, request: Any, facts: Facts) -> dict[str, Any]:
    """All from that offset on."""
    responses = []
    for topic in request.topics:
        told = []
        for one in topic.partitions:
            name = f"{topic.topic}-{one.partition}"
            code, log = _refused(own, name, facts), facts.get("logs", {}).get(name, [])
            if not code and one.fetch_offset > _end(log):
                code = _OUT_OF_RANGE
            batches = [b64decode(b["data"]) for b in log if b["end"] > one.fetch_offset]
            told.append(
                {"partition_index": one.partition, "error_code": code, "high_watermark": _end(log),
                 "last_stable_offset": _end(log), "log_start_offset": 0,
                 "aborted_transactions": None, "preferred_read_replica": -1,
                 "records": b"" if code else b"".join(batches)}
            )  # fmt: skip
        responses.append({"topic": topic.topic, "partitions": told})
    return {"error_code": 0, "session_id": 0, "responses": responses}


def offsets(own: str, request: Any, facts: Facts) -> dict[str, Any]:
    """The end, whatever is asked."""
    topics = []
    for topic in request.topics:
        told = []
        for one in topic.partitions:
            name = f"{topic.name}-{one.partition_index}"
            log = facts.get("logs", {}).get(name, [])
            told.append(
                {"partition_index": one.partition_index, "error_code": _refused(own, name, facts),
                 "timestamp": -1, "offset": _end(log), "leader_epoch": 0}
            )  # fmt: skip
        topics.append({"name": topic.name, "partitions": told})
    return {"topics": topics}


def _refused(own: str, name: str, facts: Facts) -> int:
    if name not in facts["partitions"]:
        return _UNKNOWN
    return 0 if facts["partitions"][name]["leader"] == own else _NOT_LEADER


def _append(name: str, data: bytes, facts: Facts) -> int:
    log = facts.setdefault("logs", {}).setdefault(name, [])
    base = _end(log)
    for batch in MemoryRecords(data):
        raw = bytes(batch._buffer)
        stored = struct.pack(">q", _end(log)) + raw[8:]
        count = sum(1 for _ in batch)
        log.append({"data": b64encode(stored).decode(), "end": _end(log) + count})
    return base


def _end(log: list[dict[str, Any]]) -> int:
    return int(log[-1]["end"]) if log else 0
