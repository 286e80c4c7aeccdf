"""What one Kafka broker answers, read into facts. No side effects.

1. ``Metadata`` is the broker's own copy of what the controller says: who is registered, and of each
   partition its replicas, those in sync (the isr), and who leads.
2. A broker gives its own settings alone, so the one whose settings came is the one that answered.
3. ``DescribeLogDirs`` tells what lies on its disks: directories that are lost, the size of each
   replica, and partitions of topics that we are not shown.
4. ``DescribeQuorum`` is the controller's word, whoever is asked: voters, how far each has got, and
   when it last had everything. Who is named controller elsewhere is any broker.

Source: https://kafka.apache.org/protocol and the schemas of its messages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gapless.drivers.clusters.kafka_view import (
    Partition,
    Place,
    Quorum,
    View,
    partition_named,
    topic_of,
)

METADATA_LOG = "__cluster_metadata"
BROKER, TOPIC = 4, 2
"""Kinds of what has settings."""
_ALTER = 7
"""The operation."""
_STORAGE, _UNAUTHORIZED = 56, 31


class NonsenseError(ValueError):
    """The answer is not what Kafka answers."""


class NotAllowedError(ValueError):
    """It does not tell this user what has to be known."""


class ZooKeeperError(ValueError):
    """It does not run in KRaft mode."""


@dataclass(frozen=True, slots=True)
class Answers:
    """As the library gives them. ``moves`` and ``quorum`` None: ``why`` says what kept the broker
    from asking the controller."""

    metadata: Mapping[str, Any]
    cluster: Mapping[str, Any]
    configs: Mapping[str, Any]
    dirs: Mapping[str, Any]
    moves: Mapping[str, Any] | None
    quorum: Mapping[str, Any] | None
    version: str = ""
    why: str = ""


def view(answers: Answers) -> View:
    """Raises NonsenseError, NotAllowedError, ZooKeeperError."""
    try:
        return _view(answers)
    except (KeyError, TypeError, AttributeError) as error:
        raise NonsenseError(f"{type(error).__name__}: {error}") from None


def _view(answers: Answers) -> View:
    own, settings = _own(answers.configs)
    if settings.get("process.roles") == "":
        raise ZooKeeperError("process.roles is empty")
    _refused("DescribeCluster", answers.cluster["error_code"])
    why = answers.why or _unanswered(answers)
    topics = dict(_settings(answers.configs, TOPIC))
    minimum, unclean = _per_topic(topics)
    partitions = dict(_partitions(answers.metadata))
    sizes = dict(_sizes(answers.dirs))
    shown = {one["name"] for one in answers.metadata["topics"] if not one["error_code"]}
    blank = {one for one in shown if one not in minimum}
    return View(
        id=own,
        cluster=answers.metadata["cluster_id"] or "",
        brokers={
            str(one["node_id"]): Place(f"{one['host']}:{one['port']}", one["rack"] or "")
            for one in answers.metadata["brokers"]
        },
        partitions=partitions,
        minimum=minimum,
        unclean=unclean,
        sizes=sizes,
        lost=tuple(one["log_dir"] for one in answers.dirs["results"] if one["error_code"]),
        hidden=frozenset({topic_of(one) for one in sizes} - shown - {METADATA_LOG} | blank),
        moves=_moves(answers.moves),
        quorum=None if why else _quorum(answers.quorum),
        version=answers.version,
        why=why,
        settings=settings,
        may_elect=_may_elect(answers.cluster["authorized_operations"]),
    )


def gives_one(configs: Mapping[str, Any]) -> bool:
    """Whether a broker gives its settings."""
    return len(dict(_settings(configs, BROKER))) == 1


def _own(configs: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """Its id, and settings. Raises NotAllowedError where it gives none."""
    given = dict(_settings(configs, BROKER))
    if len(given) == 1:
        return next(iter(given.items()))
    codes = sorted({one["error_code"] for one in configs["results"]})
    if _UNAUTHORIZED in codes:
        raise NotAllowedError("DescribeConfigs of the cluster is not allowed")
    raise NonsenseError(f"it gives the settings of {len(given)} brokers, and has one id")


def _settings(configs: Mapping[str, Any], kind: int) -> Iterator[tuple[str, dict[str, str]]]:
    for one in configs["results"]:
        if one["resource_type"] == kind and not one["error_code"]:
            yield one["resource_name"], {c["name"]: c["value"] or "" for c in one["configs"]}


def _per_topic(
    topics: Mapping[str, Mapping[str, str]],
) -> tuple[dict[str, int], frozenset[str]]:
    """How many have to be in sync, and which topics may lose what was acknowledged."""
    told = {topic: of.get("min.insync.replicas", "") for topic, of in topics.items()}
    return (
        {topic: int(number) for topic, number in told.items() if number.isdigit()},
        frozenset(
            topic
            for topic, of in topics.items()
            if of.get("unclean.leader.election.enable") == "true"
        ),
    )


def _partitions(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Partition]]:
    for topic in metadata["topics"]:
        for one in topic["partitions"]:
            leader = one["leader_id"]
            yield (
                partition_named(topic["name"], one["partition_index"]),
                Partition(
                    leader="" if leader < 0 else str(leader),
                    replicas=tuple(map(str, one["replica_nodes"])),
                    isr=frozenset(map(str, one["isr_nodes"])),
                ),
            )


def _sizes(dirs: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Replicas that only begin to move to another directory are not counted."""
    _refused("DescribeLogDirs", dirs.get("error_code") or 0)
    for one in dirs["results"]:
        for topic in one["topics"]:
            for partition in topic["partitions"]:
                if not partition["is_future_key"]:
                    name = partition_named(topic["name"], partition["partition_index"])
                    yield name, partition["partition_size"]


def _moves(answer: Mapping[str, Any] | None) -> frozenset[str]:
    """Partitions whose replicas are being moved."""
    if answer is None or answer["error_code"]:
        return frozenset()
    return frozenset(
        partition_named(topic["name"], one["partition_index"])
        for topic in answer["topics"]
        for one in topic["partitions"]
    )


def _unanswered(answers: Answers) -> str:
    """What the controller did not answer: while another one is elected nobody does."""
    asked = {"ListPartitionReassignments": answers.moves, "DescribeQuorum": answers.quorum}
    for what, answer in asked.items():
        if answer is not None and answer["error_code"] == _UNAUTHORIZED:
            raise NotAllowedError(f"{what} is not allowed")
        if answer is not None and answer["error_code"]:
            return f"{what} → error {answer['error_code']}"
    return ""


def _quorum(answer: Mapping[str, Any] | None) -> Quorum | None:
    if answer is None:
        return None
    told = next((one for topic in answer["topics"] for one in topic["partitions"]), None)
    if told is None or told["error_code"]:
        return None
    voters = {str(one["replica_id"]): one for one in told["current_voters"]}
    leader = "" if told["leader_id"] < 0 else str(told["leader_id"])
    now = voters.get(leader, {}).get("last_caught_up_timestamp", -1)
    return Quorum(
        leader=leader,
        epoch=told["leader_epoch"],
        ends={name: one["log_end_offset"] for name, one in voters.items()},
        behind={
            name: _since(now, one.get("last_caught_up_timestamp", -1))
            for name, one in voters.items()
        },
    )


def _since(now: int, then: int) -> int | None:
    return None if now < 0 or then < 0 else max(0, now - then)


def _may_elect(operations: Collection[int] | None) -> bool:
    """What a user may do with the cluster; None where it is not told."""
    return operations is None or _ALTER in operations


def _refused(what: str, code: int) -> None:
    if code == _UNAUTHORIZED:
        raise NotAllowedError(f"{what} is not allowed")
    if code and code != _STORAGE:
        raise NonsenseError(f"{what} → error {code}")
