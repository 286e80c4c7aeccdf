"""What a Kafka broker is asked, and in what order, in the words of kafka-python.

1. To whom one speaks, only the broker itself tells: it gives its own settings, and refuses those of
   others. Each refusal stands in its log, so all brokers are asked for once: later only the one it
   was, and all again where it is not that one any more.
2. What a broker has to ask the controller for comes last: where no controller answers, the rest is
   known all the same.
3. An election is one of preferred leaders, never an unclean one.

Source: https://kafka.apache.org/protocol; ``ConfigHelper.scala`` for 1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from gapless.drivers.clusters.kafka_answers import (
    BROKER,
    METADATA_LOG,
    TOPIC,
    Answers,
    gives_one,
)
from gapless.drivers.clusters.kafka_view import partition_named

Ask = Callable[[Any], Awaitable[dict[str, Any]]]
"""One request of the library, and its answer as plain data."""
_PREFERRED = 0
_BROKER_KEYS = (
    "process.roles",
    "controlled.shutdown.enable",
    "controller.quorum.fetch.timeout.ms",
)
_TOPIC_KEYS = ("min.insync.replicas", "unclean.leader.election.enable")


async def look(ask: Ask, connection: Any, known: str) -> Answers:
    """All of them; ``known``: the id of before, "" where nobody answered yet. Raises KafkaError."""
    from kafka.errors import KafkaError
    from kafka.protocol.admin import (
        DescribeClusterRequest,
        DescribeLogDirsRequest,
        DescribeQuorumRequest,
        ListPartitionReassignmentsRequest,
    )
    from kafka.protocol.metadata import MetadataRequest

    metadata = await ask(MetadataRequest(topics=None, allow_auto_topic_creation=False))
    cluster = await ask(DescribeClusterRequest(include_cluster_authorized_operations=True))
    configs = await ask(_configs(metadata, [known] if known else _brokers(metadata)))
    if known and not gives_one(configs):
        configs = await ask(_configs(metadata, _brokers(metadata)))
    dirs = await ask(DescribeLogDirsRequest(topics=None))
    topic = DescribeQuorumRequest.TopicData
    one = topic.PartitionData(partition_index=0)
    quorum = DescribeQuorumRequest(topics=[topic(topic_name=METADATA_LOG, partitions=[one])])
    connection.broker_version_data.api_version(quorum)  # raises before anything is asked
    told: dict[str, dict[str, Any] | None] = {"moves": None, "quorum": None}
    why = ""
    try:
        limit = int(connection.config["request_timeout_ms"])
        moves = ListPartitionReassignmentsRequest(timeout_ms=limit, topics=None)
        told["moves"] = await ask(moves)
        told["quorum"] = await ask(quorum)
    except KafkaError as error:
        why = f"{type(error).__name__}: {error}"
    version = ".".join(map(str, connection.broker_version_data.broker_version))
    return Answers(metadata, cluster, configs, dirs, told["moves"], told["quorum"], version, why)


def _brokers(metadata: Mapping[str, Any]) -> list[str]:
    """All that anybody speaks of."""
    registered = {one["node_id"] for one in metadata["brokers"]}
    replicas = {
        replica
        for topic in metadata["topics"]
        for partition in topic["partitions"]
        for replica in partition["replica_nodes"]
    }
    return [str(one) for one in sorted(registered | replicas)]


def _configs(metadata: Mapping[str, Any], brokers: Sequence[str]) -> Any:
    """Of these brokers and of all topics."""
    from kafka.protocol.admin import DescribeConfigsRequest

    topics = [one["name"] for one in metadata["topics"] if one["name"]]
    resource = DescribeConfigsRequest.DescribeConfigsResource

    def asked(kind: int, name: str, keys: Sequence[str]) -> Any:
        return resource(resource_type=kind, resource_name=name, configuration_keys=list(keys))

    resources = [asked(BROKER, one, _BROKER_KEYS) for one in brokers]
    resources += [asked(TOPIC, one, _TOPIC_KEYS) for one in topics]
    return DescribeConfigsRequest(resources=resources, min_version=1)


async def elect(ask: Ask, partitions: Sequence[str], timeout: float) -> dict[str, str]:
    """Has the controller elect; by partition why it did not. Raises KafkaError."""
    from kafka.errors import NoError, for_code
    from kafka.protocol.admin import ElectLeadersRequest

    by_topic: dict[str, list[int]] = {}
    for name in partitions:
        topic, _, number = name.rpartition("-")
        by_topic.setdefault(topic, []).append(int(number))
    entry = ElectLeadersRequest.TopicPartitions
    answer = await ask(
        ElectLeadersRequest(
            election_type=_PREFERRED,
            topic_partitions=[entry(topic=t, partitions=n) for t, n in by_topic.items()],
            timeout_ms=int(timeout * 1000),
            min_version=1,
        )
    )
    if for_code(answer["error_code"]) is not NoError:
        raise for_code(answer["error_code"])()
    return {
        partition_named(one["topic"], result["partition_id"]): for_code(
            result["error_code"]
        ).__name__
        for one in answer["replica_election_results"]
        for result in one["partition_result"]
        if for_code(result["error_code"]) is not NoError
    }
