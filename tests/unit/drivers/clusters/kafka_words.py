"""Brokers of Kafka that never were: they answer as Kafka 4.0 does, through kafka-python, and can be
made wrong in every way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.cluster_kafka import KafkaConfig
from gapless.drivers.clusters.kafka import KafkaCluster
from gapless.drivers.clusters.kafka_answers import Answers
from gapless.drivers.clusters.kafka_talk import Client
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, Unreachable
from gapless.model import Command, Completed, CriticalAction, Settled, Settlement

IDS = ("1", "2", "3")
PORT = 9092
BOOT = "5a2b0e5c-9a55-4a8e-a4a6-0a3f1d2c3b4a"
NOW = 1_700_000_000_000
EVERYTHING = list(range(3, 13))


@dataclass
class Partition:
    replicas: list[str]
    isr: list[str]
    leader: str


@dataclass
class Broker:
    """What it says, and what of that is its own."""

    id: str
    partitions: dict[str, Partition]
    registered: list[str] = field(default_factory=lambda: list(IDS))
    cluster: str = "c1"
    minimum: dict[str, str] = field(default_factory=dict)
    """By topic; else 2."""
    unclean: list[str] = field(default_factory=list)
    unshown: list[str] = field(default_factory=list)
    """Topics that it has and does not tell of."""
    moves: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    leader: int = 1
    """Of the metadata."""
    epoch: int = 7
    behind: dict[str, int] = field(default_factory=dict)
    """Milliseconds of each voter."""
    times: bool = True
    ends: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    allowed: list[int] | None = field(default_factory=lambda: list(EVERYTHING))
    codes: dict[str, int] = field(default_factory=dict)
    """Error of a whole answer."""
    controller: bool = True
    error: ClusterError | None = None
    inode: int = 100
    restarts: bool = False
    """Each time while it is asked."""

    def answers(self) -> Answers:
        quorum = self._quorum() if self.controller else None
        why = "" if self.controller else "KafkaTimeoutError: no answer"
        moves = self._moves() if self.controller else None
        return Answers(
            self._metadata(), self._cluster(), self._configs(), self._dirs(), moves, quorum,
            "4.0", why,
        )  # fmt: skip

    def _topics(self, one: Callable[[int, Partition], dict[str, Any]]) -> list[dict[str, Any]]:
        topics: dict[str, list[dict[str, Any]]] = {}
        for name, partition in self.partitions.items():
            topic, _, number = name.rpartition("-")
            if topic not in self.unshown:
                topics.setdefault(topic, []).append(one(int(number), partition))
        return [
            {"error_code": 0, "name": topic, "partitions": partitions}
            for topic, partitions in topics.items()
        ]

    def _metadata(self) -> dict[str, Any]:
        return {
            "brokers": [
                {"node_id": int(one), "host": f"b{one}", "port": PORT, "rack": f"r{one}"}
                for one in self.registered
            ],
            "cluster_id": self.cluster,
            "controller_id": 3,
            "topics": self._topics(
                lambda number, one: {
                    "error_code": 0,
                    "partition_index": number,
                    "leader_id": int(one.leader or -1),
                    "replica_nodes": list(map(int, one.replicas)),
                    "isr_nodes": list(map(int, one.isr)),
                }
            ),
        }

    def _cluster(self) -> dict[str, Any]:
        code = self.codes.get("cluster", 0)
        return {"error_code": code, "authorized_operations": self.allowed}

    def _configs(self) -> dict[str, Any]:
        def result(kind: int, name: str, code: int, settings: Mapping[str, str]) -> dict[str, Any]:
            configs = [{"name": key, "value": value} for key, value in settings.items()]
            return {
                "error_code": code, "resource_type": kind, "resource_name": name,
                "configs": configs,
            }  # fmt: skip

        refused = self.codes.get("configs", 0)
        settings = {
            "process.roles": "broker,controller",
            "controlled.shutdown.enable": "true",
            "controller.quorum.fetch.timeout.ms": "2000",
            **self.settings,
        }
        brokers = [
            result(4, one, refused or (0 if one == self.id else 42), settings)
            for one in {*self.registered, self.id}
        ]
        topics = [
            result(2, topic, self.codes.get(topic, 0), self._topic(topic))
            for topic in {name.rpartition("-")[0] for name in self.partitions}
        ]
        return {"results": [*brokers, *topics]}

    def _topic(self, topic: str) -> dict[str, str]:
        return {
            "min.insync.replicas": self.minimum.get(topic, "2"),
            "unclean.leader.election.enable": str(topic in self.unclean).lower(),
        }

    def _dirs(self) -> dict[str, Any]:
        held = [
            {
                "name": name.rpartition("-")[0],
                "partitions": [
                    {
                        "partition_index": int(name.rpartition("-")[2]),
                        "partition_size": 1000 if self.id in one.isr else 100,
                        "is_future_key": False,
                    }
                ],
            }
            for name, one in self.partitions.items()
            if self.id in one.replicas
        ]
        lost = [{"error_code": 56, "log_dir": one, "topics": []} for one in self.lost]
        own = {"error_code": 0, "log_dir": "/data", "topics": held}
        return {"error_code": self.codes.get("dirs", 0), "results": [own, *lost]}

    def _quorum(self) -> dict[str, Any]:
        voters = [
            {
                "replica_id": int(one),
                "log_end_offset": self.ends.get(one, 5000),
                **({"last_caught_up_timestamp": self._caught_up(one)} if self.times else {}),
            }
            for one in IDS
        ]
        told = {
            "error_code": self.codes.get("partition", 0), "leader_id": self.leader,
            "leader_epoch": self.epoch, "current_voters": voters,
        }  # fmt: skip
        return {"error_code": self.codes.get("quorum", 0), "topics": [{"partitions": [told]}]}

    def _caught_up(self, voter: str) -> int:
        return NOW - self.behind.get(voter, 0 if int(voter) == self.leader else 300)

    def _moves(self) -> dict[str, Any]:
        topics = [
            {"name": one.rpartition("-")[0],
             "partitions": [{"partition_index": int(one.rpartition("-")[2])}]}
            for one in self.moves
        ]  # fmt: skip
        return {"error_code": self.codes.get("moves", 0), "topics": topics}


@dataclass
class World:
    """Three brokers that share what they know of partitions, until one has a copy of its own."""

    brokers: dict[str, Broker]
    partitions: dict[str, Partition]
    down: set[str] = field(default_factory=set)
    """Hosts without a way."""
    elections: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    mute: set[str] = field(default_factory=set)
    """Brokers that have nothing elected."""
    deaf: bool = False
    """The controller takes orders and does nothing."""
    after: int = 0
    """So many elections are in vain first."""
    known: list[tuple[str, str]] = field(default_factory=list)
    """What brokers were asked as."""
    acts: list[str] = field(default_factory=list)
    refused: Exception | None = None
    """What hosts say to an order with a fence."""

    @classmethod
    def of_three(cls) -> World:
        partitions = {
            f"orders-{number}": Partition([*IDS[number:], *IDS[:number]], list(IDS), IDS[number])
            for number in range(3)
        }
        return cls({f"host-{one}": Broker(one, partitions) for one in IDS}, partitions)

    def at(self, name: str) -> Broker:
        return self.brokers[f"host-{name}"]

    def own(self, name: str) -> dict[str, Partition]:
        """A copy of the partitions, for this broker alone."""
        mine = {
            name: Partition(list(one.replicas), list(one.isr), one.leader)
            for name, one in self.partitions.items()
        }
        self.at(name).partitions = mine
        return mine

    def gone(self, name: str) -> None:
        """As after a controlled shutdown."""
        self.at(name).error = silent(name)
        for one in self.partitions.values():
            one.isr.remove(name)
            if one.leader == name:
                one.leader = one.isr[0]
        for broker in self.brokers.values():
            broker.registered.remove(name)

    def back(self, name: str, *, synced: bool = True) -> None:
        """Another process, registered; in every isr or in none."""
        self.at(name).error = None
        self.at(name).inode += 50
        for broker in self.brokers.values():
            broker.registered.append(name)
        for one in self.partitions.values() if synced else ():
            one.isr.append(name)

    def driver(self, **changed: Any) -> KafkaCluster:
        config = KafkaConfig.model_validate({"address": f"{{host}}:{PORT}", **changed})
        hosts = tuple(self.brokers)
        return KafkaCluster(
            "stream", config, hosts, self.transports, LoopClock(),
            client=lambda host, address: cast(Client, Asked(self, host, address)),
        )  # fmt: skip

    @property
    def transports(self) -> Callable[[str], Transport]:
        return lambda host: cast(Transport, Told(self, host))


def silent(name: str) -> ClusterError:
    return ClusterError(f"Kafka on host-{name} does not answer", evidence="refused", next="see")


@dataclass
class Asked:
    """The client of one broker."""

    world: World
    host: str
    address: str

    @property
    def label(self) -> str:
        return f"Kafka on {self.host}"

    async def look(self, known: str) -> Answers:
        self.world.known.append((self.host, known))
        assert self.address == f"{self.host}:{PORT}"
        broker = self.world.brokers[self.host]
        if broker.error is not None:
            raise broker.error
        broker.inode += broker.restarts
        return broker.answers()

    async def elect(self, partitions: Sequence[str]) -> Mapping[str, str]:
        broker = self.world.brokers[self.host]
        if broker.error is not None or broker.id in self.world.mute:
            raise broker.error or silent(broker.id)
        self.world.elections.append((broker.id, tuple(partitions)))
        if self.world.refusals:
            return self.world.refusals
        if self.world.deaf or len(self.world.elections) <= self.world.after:
            return {}
        for name in partitions:
            one = self.world.partitions[name]
            if one.replicas[0] in one.isr:
                one.leader = one.replicas[0]
        return {}


@dataclass
class Told:
    """The transport of one host: it shows a socket that listens, and admits orders."""

    world: World
    host: str

    async def connect(self) -> None:
        pass

    async def run(self, command: Command) -> Completed:
        if self.host in self.world.down:
            raise Unreachable("no way")
        assert command.argv[0] == "grep" and not command.privileged
        inode = self.world.brokers[self.host].inode
        line = f"   0: {'0' * 32}:2384 {'0' * 32}:0000 0A 0:0 0:0 0  1000  0 {inode} 1 0 100"
        shown = f"{BOOT}\n{line}\n" if inode else f"{BOOT}\n"
        return Completed(command.argv, 0, shown, "", 0.0)

    async def act(self, action: CriticalAction) -> Settled:
        if self.world.refused is not None:
            raise self.world.refused
        self.world.acts.append(f"{self.host} {' '.join(action.commands[0].argv)}")
        done = Completed(action.commands[0].argv, 0, "", "", 0.0)
        return Settled(Settlement.DONE, (done,))
