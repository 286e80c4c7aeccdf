"""Servers of NATS that never were, behind transports: they answer on their monitoring and client
ports as nats-server 2.9 does, and can be made wrong in every way."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.cluster_nats import NatsClusterConfig
from gapless.drivers.clusters import nats_view
from gapless.drivers.clusters.nats import NatsCluster
from gapless.drivers.clusters.nats_round import Round
from gapless.drivers.clusters.nats_sight import Sight
from gapless.drivers.transports.base import Transport
from gapless.errors import Unreachable
from gapless.model import Fence

NAMES = ("n1", "n2", "n3")
STREAM = "$G > ORDERS"
CONSUMER = "$G > ORDERS > worker"
MONITOR, CLIENT = "127.0.0.1:8222", "127.0.0.1:4222"


def peer(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "current": True, "active": 1000, "peer": "x", **more}


@dataclass
class Nats:
    """One server. ``leads``: by group who does, as it knows; ``peers``: by group what it says of
    another one; ``place``: its last message."""

    name: str
    life: str = ""
    version: str = "2.9.10"
    health: str = ""
    status: int = 503
    """Of ``/healthz`` where it is not well."""
    place: int = 100
    leads: dict[str, str] = field(default_factory=dict)
    peers: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    size: int = 3
    disabled: bool = False
    streams: list[dict[str, Any]] = field(default_factory=list)
    """More of them, as they are in JSON."""
    info: dict[str, Any] = field(default_factory=dict)
    shut: str = ""
    """What it says to whoever logs in."""
    reply: bytes = b""
    missing: set[str] = field(default_factory=set)
    """Groups that it does not report."""

    def page(self, path: str) -> tuple[int, Any]:
        if path == "/varz":
            who = {"server_id": self.life, "server_name": self.name, "version": self.version}
            return 200, {**who, "host": "0.0.0.0", "port": 4222, "cluster": {"name": "C"}}
        if path == "/healthz":
            bad = {"status": "unavailable", "error": self.health}
            return (self.status, bad) if self.health else (200, {"status": "ok"})
        if path == "/routez":
            return 200, {"num_routes": 2, "routes": [{"remote_id": one} for one in self.routes]}
        assert path.startswith("/jsz?") and "config=true" in path and "consumers=true" in path
        return 200, self.jsz()

    def jsz(self) -> dict[str, Any]:
        if self.disabled:
            return {"server_id": self.life, "disabled": True}
        meta: dict[str, Any] = {
            "name": "C",
            "leader": self.leads["meta"],
            "cluster_size": self.size,
        }
        if self.leads["meta"] == self.name:
            meta["replicas"] = self._replicas("meta")
        worker = {
            "name": "worker",
            "config": {"durable_name": "worker", "num_replicas": 0},
            "cluster": self._cluster(CONSUMER),
        }
        held = {
            "name": "ORDERS",
            "config": {"num_replicas": 3, "storage": "file"},
            "state": {"messages": self.place, "last_seq": self.place},
            "cluster": self._cluster(STREAM),
            "consumer_detail": [
                *([] if CONSUMER in self.missing else [worker]),
                {"name": "Xy12", "config": {"num_replicas": 1}, "cluster": {"leader": self.name}},
            ],
        }
        streams = [*([] if STREAM in self.missing else [held]), *self.streams]
        account = {"name": "global", "id": "$G", "stream_detail": streams}
        return {"server_id": self.life, "meta_cluster": meta, "account_details": [account]}

    def _cluster(self, group: str) -> dict[str, Any]:
        return {"name": "C", "leader": self.leads[group], "replicas": self._replicas(group)}

    def _replicas(self, group: str) -> list[dict[str, Any]]:
        told = self.peers.get(group, {})
        others = [one for one in NAMES if one != self.name]
        if self.leads[group] != self.name:  # what a follower says of another follower is worthless
            return [peer(one, current=one == self.leads[group], lag=99) for one in others]
        return [told.get(one, peer(one)) for one in others]

    def server(self) -> nats_view.Server:
        varz, healthz, routez = (self.page(path)[1] for path in ("/varz", "/healthz", "/routez"))
        return nats_view.server(varz, healthz, routez, self.jsz())


@dataclass
class World:
    """``down``: hosts without a way; ``closed``: those whose client port is; ``obeys``: whether a
    leader hands over when it is told, and ``heir`` to whom."""

    servers: dict[str, Nats]
    down: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    obeys: bool = True
    heir: str = "n3"
    said: list[tuple[str, str]] = field(default_factory=list)
    """Hosts, and what was said on their client ports."""
    looks: int = 0
    changing: Callable[[World], None] | None = None
    """Called before each look at the first host."""

    @classmethod
    def of_three(cls) -> World:
        leads = {"meta": "n1", STREAM: "n1", CONSUMER: "n2"}
        lives = {name: f"LIFE{name}" for name in NAMES}
        return cls(
            {
                f"host-{name}": Nats(
                    name,
                    life,
                    leads=dict(leads),
                    routes=tuple(other for other in lives.values() if other != life),
                )
                for name, life in lives.items()
            }
        )

    def at(self, name: str) -> Nats:
        return self.servers[f"host-{name}"]

    def lead(self, group: str, name: str) -> None:
        """All know it."""
        for one in self.servers.values():
            one.leads[group] = name

    def restarted(self, name: str) -> None:
        """Another process."""
        self.at(name).life = f"AGAIN{name}"
        for one in self.servers.values():
            if one.name != name:
                one.routes = (*one.routes, f"AGAIN{name}")

    def round(self, lag: int = 20, **more: Any) -> Round:
        sights = tuple(
            Sight(host, why="no way") if host in self.down else Sight(host, one.server())
            for host, one in self.servers.items()
        )
        places = {one.name: host for host, one in self.servers.items()}
        return Round(sights, lag, places, more.pop("open", {"$G"}), **more)

    def driver(self, **changed: Any) -> NatsCluster:
        config = NatsClusterConfig.model_validate(changed)
        return NatsCluster("bus", config, tuple(self.servers), self.transports, LoopClock())

    @property
    def transports(self) -> Callable[[str], Transport]:
        return lambda host: cast(Transport, Told(self, host))


@dataclass
class Told:
    """The transport of one host."""

    world: World
    host: str

    async def connect(self) -> None:
        pass

    async def exchange(
        self, address: str, data: bytes, timeout: float = 10.0, fence: Fence | None = None, *_: Any
    ) -> bytes:
        one = self.world.servers[self.host]
        if self.host in self.world.down:
            raise Unreachable("no way")
        if address == CLIENT:
            if self.host in self.world.closed:
                raise Unreachable("connection refused")
            return self._client(one, data)
        assert address == MONITOR
        path = data.split()[1].decode()
        if path == "/varz" and self.host == next(iter(self.world.servers)):
            self.world.looks += 1
            if self.world.changing:
                self.world.changing(self.world)
        status, answer = one.page(path)
        return f"HTTP/1.1 {status} X\r\n\r\n{json.dumps(answer)}".encode()

    def _client(self, one: Nats, data: bytes) -> bytes:
        self.world.said.append((self.host, data.decode()))
        info = {"server_id": one.life, "server_name": one.name, **one.info}
        told = f"INFO {json.dumps(info)} \r\n".encode()
        if one.shut:
            return told + f"-ERR '{one.shut}'\r\n".encode()
        for line in data.decode().splitlines():
            if line.startswith("PUB $JS.API.") and self.world.obeys:
                self._obey(one, line.split()[1])
        return told + one.reply + b"PONG\r\n"

    def _obey(self, one: Nats, subject: str) -> None:
        for group, leader in copy.copy(one.leads).items():
            if leader == one.name and nats_view.subject_of(group) == subject:
                self.world.lead(group, self.world.heir)


def single(name: str = "ALONE", **more: Any) -> dict[str, Any]:
    """A stream with one replica."""
    config = {"num_replicas": 1, "storage": more.pop("storage", "file")}
    state = {"messages": more.pop("messages", 5), "last_seq": 5}
    return {"name": name, "config": config, "state": state, "cluster": {"leader": "n1"}, **more}
