"""Servers of ZooKeeper that never were, behind transports: they answer three words as 3.8 does, and
can be made wrong in every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.cluster_zookeeper import ZooKeeperConfig
from gapless.drivers.clusters.zookeeper import ZooKeeper
from gapless.drivers.transports.base import Transport
from gapless.errors import LostContact, Unreachable

ADDRESS = "127.0.0.1:2181"
NOW = 1_700_000_000.0
VOTERS = ("1", "2", "3")


@dataclass
class Server:
    """One of them. ``role``: when its role began; ``words``: those that are allowed; ``answers``:
    what it says instead."""

    id: str
    state: str = "follower"
    zxid: int = 0x2_0000_0064
    role: float = NOW - 1000
    elections: int = 2
    received: int = 5000
    synced: int = 2
    strangers: int = 0
    watching: int = 0
    size: int = 3
    outstanding: int = 0
    version: str = "3.8.0-abc"
    voters: tuple[str, ...] = VOTERS
    observers: tuple[str, ...] = ()
    more: str = ""
    """Of ``conf``."""
    words: tuple[str, ...] = ("mntr", "srvr", "conf")
    idle: bool = False
    missing: tuple[str, ...] = ()
    """Keys that it does not tell."""
    answers: dict[str, str] = field(default_factory=dict)

    def answer(self, word: str, now: float) -> str:
        if word in self.answers:
            return self.answers[word]
        if word not in self.words:
            return f"{word} is not executed because it is not in the whitelist.\n"
        if self.idle:
            return "This ZooKeeper instance is not currently serving requests\n"
        text = {"mntr": lambda: self._mntr(now), "srvr": self._srvr, "conf": self._conf}[word]()
        lines = text.splitlines()
        return "\n".join(one for one in lines if not one.startswith(self.missing or "\0"))

    def _mntr(self, now: float) -> str:
        told = {
            "version": f"{self.version}, built on 2024-12-29 17:54 UTC",
            "server_state": self.state,
            "outstanding_requests": self.outstanding,
            "uptime": int((now - self.role) * 1000),
            "looking_count": self.elections,
            "bytes_received_count": self.received,
            "avg_latency": "0.0",
            "quorum_size": self.size,
        }
        if self.state == "leader":
            told |= {
                "synced_followers": self.synced,
                "synced_non_voting_followers": self.strangers,
                "synced_observers": self.watching,
            }
        return "".join(f"zk_{key}\t{value}\n" for key, value in told.items())

    def _srvr(self) -> str:
        return f"Zookeeper version: {self.version}\nZxid: {self.zxid:#x}\nMode: {self.state}\n"

    def _conf(self) -> str:
        lines = [f"clientPort=2181\ndataDir=/data/version-2\nserverId={self.id}\nmembership: "]
        lines += [f"server.{one}=10.0.0.{one}:2888:3888:participant;2181" for one in self.voters]
        lines += [f"server.{one}=10.0.0.{one}:2888:3888:observer" for one in self.observers]
        return "\n".join([*lines, self.more, "version=100000000"])


class WorldClock(LoopClock):
    """The world's time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> float:
        return self._world.now


@dataclass
class World:
    """``down``: hosts without a way; ``lost``: those whose connection breaks once."""

    servers: dict[str, Server]
    down: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    now: float = NOW
    said: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of_three(cls, observers: tuple[str, ...] = ()) -> World:
        world = cls(
            {f"host-{one}": Server(one, observers=observers) for one in (*VOTERS, *observers)}
        )
        world.at("1").state = "leader"
        world.at("1").watching = len(observers)
        for one in observers:
            world.at(one).state = "observer"
        return world

    def at(self, name: str) -> Server:
        return self.servers[f"host-{name}"]

    def restarted(self, name: str) -> None:
        """Another process, some time later."""
        self.now += 60
        one = self.at(name)
        one.role, one.elections, one.received = self.now - 5, 1, 40

    def elected(self, leader: str) -> None:
        """Among those that run, without any restart."""
        self.now += 60
        for one in self.servers.values():
            one.state, one.role = "follower", self.now - 5
            one.elections += 1
            one.received += 100
        self.at(leader).state = "leader"

    def driver(self, **changed: Any) -> ZooKeeper:
        config = ZooKeeperConfig.model_validate(changed)
        hosts = tuple(self.servers)
        return ZooKeeper("locks", config, hosts, self.transports, WorldClock(self))

    @property
    def transports(self) -> Callable[[str], Transport]:
        return lambda host: cast(Transport, Told(self, host))


@dataclass
class Told:
    """The transport of one host."""

    world: World
    host: str

    async def connect(self) -> None:
        self.world.lost.discard(self.host)

    async def exchange(self, address: str, data: bytes, timeout: float = 10.0, *_: Any) -> bytes:
        assert address == ADDRESS
        if self.host in self.world.lost:
            raise LostContact("the connection broke")
        if self.host in self.world.down:
            raise Unreachable("no way")
        word = data.decode()
        self.world.said.append((self.host, word))
        return self.world.servers[self.host].answer(word, self.world.now).encode()
