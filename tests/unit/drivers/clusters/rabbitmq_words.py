"""Nodes of RabbitMQ that never were, behind transports: they answer on their management API and to
their command line as 3.10 does, and can be made wrong in every way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.cluster_rabbitmq import RabbitClusterConfig
from gapless.drivers.clusters import rabbitmq_view as view
from gapless.drivers.clusters.rabbitmq import RabbitCluster
from gapless.drivers.clusters.rabbitmq_round import Round
from gapless.drivers.clusters.rabbitmq_sight import Sight
from gapless.drivers.transports.base import Transport
from gapless.errors import FenceRefused, Unreachable
from gapless.model import Command, Completed, CriticalAction, Fence, Settled, Settlement

NAMES = ("r1@h", "r2@h", "r3@h")
ORDERS = "/ > orders"
_DATE = "Sun, 22 Nov 2026 19:38:35 GMT"


def quorum(leader: str | None = "r1@h", name: str = "orders", **more: Any) -> dict[str, Any]:
    told = {"name": name, "vhost": "/", "type": "quorum", "exclusive": None, "durable": True}
    return {**told, "leader": leader, "members": [*NAMES], "online": [*NAMES], **more}


def classic(node: str = "r1@h", name: str = "old", **more: Any) -> dict[str, Any]:
    told = {"name": name, "vhost": "/", "type": "classic", "exclusive": False, "durable": True}
    return {**told, "node": node, **more}


def stream(**more: Any) -> dict[str, Any]:
    """As it is told with statistics."""
    told = {"name": "log", "vhost": "/", "type": "stream"}
    return {**told, "members": [*NAMES], "online": [*NAMES], **more}


@dataclass
class Rabbit:
    """One node. ``queues``: as it has them; ``streams``: what it tells of them in its
    statistics."""

    name: str
    pid: str = "11"
    uptime: float = 600.0
    version: str = "3.10.8"
    running: tuple[str, ...] = NAMES
    known: tuple[str, ...] = NAMES
    partitions: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    """Nodes that it calls drained, as it does from 3.13 on."""
    queues: list[dict[str, Any]] = field(default_factory=lambda: [quorum()])
    streams: list[dict[str, Any]] = field(default_factory=list)
    alarms: tuple[tuple[str, str], ...] = ()
    critical: tuple[str, ...] = ()
    messages: dict[str, int] = field(default_factory=dict)
    status: int = 200
    raw: Any = None
    """Answered in place of everything."""

    def page(self, path: str) -> tuple[int, Any]:
        if self.status != 200 or self.raw is not None:
            return self.status, self.raw
        name, _, query = path.removeprefix("/api/").partition("?")
        if name == "overview":
            return 200, {"node": self.name, "rabbitmq_version": self.version}
        if name == "nodes":
            return 200, [self._node(one) for one in self.known]
        if name == "queues":
            return 200, self._queues(query)
        if name == "health/checks/alarms":
            told = [{"node": node, "resource": what} for node, what in self.alarms]
            return (503, {"status": "failed", "alarms": told}) if told else (200, {"status": "ok"})
        assert name == "health/checks/node-is-quorum-critical"
        if not self.critical:
            return 200, {"status": "ok"}
        told = [{"name": one, "virtual_host": "/"} for one in self.critical]
        return 503, {"status": "failed", "reason": "no majority", "queues": told}

    def node(self) -> view.Node:
        def told(path: str) -> Any:
            return self.page(f"/api/{path}")[1]

        queues = view.queues(told("queues?disable_stats=true"))
        return view.Node(
            *view.who(told("overview")),
            view.peers(told("nodes")),
            queues | view.queues(self.streams),
            view.alarms(told("health/checks/alarms")),
            view.critical(told("health/checks/node-is-quorum-critical")),
        )

    def _node(self, name: str) -> dict[str, Any]:
        found = {"name": name, "running": name in self.running, "partitions": []}
        if name == self.name:
            found["partitions"] = [*self.partitions]
            if self.pid:
                found |= {"os_pid": self.pid, "uptime": self.uptime * 1000}
        return found | ({"being_drained": True} if name in self.marked else {})

    def _queues(self, query: str) -> list[dict[str, Any]]:
        if "enable_queue_totals" in query:
            return [{**one, "messages": self.messages.get(one["name"], 0)} for one in self.queues]
        if "disable_stats" not in query:
            return self.streams
        return [*self.queues, *({**one, "members": None, "online": None} for one in self.streams)]


@dataclass
class World:
    """``down``: hosts without a way; ``drained``: nodes in maintenance; ``obeys``: whether a node
    does what its command line says; ``heir``: who takes over, "" for nobody."""

    nodes: dict[str, Rabbit]
    down: set[str] = field(default_factory=set)
    drained: set[str] = field(default_factory=set)
    obeys: bool = True
    heir: str = "r2@h"
    fails: dict[str, str] = field(default_factory=dict)
    """By verb what the command line complains of."""
    said: list[tuple[str, ...]] = field(default_factory=list)
    """Command lines."""
    marked: set[str] = field(default_factory=set)
    """Nodes that the command line calls in maintenance."""
    lives: str = ""
    """The process that the command line tells of, where it is another one than that of the API."""
    nonsense: str = ""
    newest: int = 0
    """Fence that hosts obey."""

    @classmethod
    def of_three(cls) -> World:
        return cls({f"host-{name[:2]}": Rabbit(name) for name in NAMES})

    def at(self, name: str) -> Rabbit:
        return self.nodes[f"host-{name[:2]}"]

    def gone(self, name: str) -> None:
        """Down, and all know it."""
        self.down.add(f"host-{name[:2]}")
        self.offline(name)
        for one in self.nodes.values():
            one.running = tuple(other for other in one.running if other != name)

    def back(self, name: str) -> None:
        """As another process."""
        self.down.discard(f"host-{name[:2]}")
        self.drained.discard(name)
        self.at(name).pid, self.at(name).uptime = "99", 12.0
        for one in self.nodes.values():
            one.running = NAMES
            for queue in one.queues:
                queue["online"] = [*NAMES]

    def offline(self, name: str) -> None:
        """Its copies are stopped."""
        for one in self.nodes.values():
            for queue in one.queues:
                queue["online"] = [other for other in queue.get("online", ()) if other != name]

    def lead(self, leader: str | None, *views: str) -> None:
        """All know it, or these."""
        for one in self.nodes.values():
            if one.name in views or not views:
                one.queues[0]["leader"] = leader

    def round(self) -> Round:
        sights = tuple(
            Sight(host, why="no way", next="look there")
            if host in self.down
            else Sight(host, one.node())
            for host, one in self.nodes.items()
        )
        places = {one.name: host for host, one in self.nodes.items()}
        began = {one.name: f"{one.pid} since 1" for one in self.nodes.values() if one.pid}
        return Round(sights, places, began)

    def driver(self, **changed: Any) -> RabbitCluster:
        login = {"user": "watch", "password": "env:RABBIT_PASSWORD"}
        config = RabbitClusterConfig.model_validate({"login": login, **changed})
        return RabbitCluster("bus", config, tuple(self.nodes), self.transports, LoopClock())

    @property
    def transports(self) -> Callable[[str], Transport]:
        return lambda host: cast(Transport, Told(self, host))

    def verbs(self) -> list[str]:
        """What was said on command lines."""
        return [words[words.index("--node") + 2] for words in self.said]


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
        one = self.world.nodes[self.host]
        if self.host in self.world.down or one.name in self.world.drained:
            raise Unreachable("connection refused")
        assert b"Authorization: Basic d2F0Y2g6Z2VoZWlt" in data, "watch:geheim"
        status, answer = one.page(data.split()[1].decode())
        return f"HTTP/1.1 {status} X\r\nDate: {_DATE}\r\n\r\n{json.dumps(answer)}".encode()

    async def run(self, command: Command) -> Completed:
        world, words = self.world, command.argv
        world.said.append(words)
        at = words.index("--node")
        node, verb = words[at + 1], words[at + 2]
        if self.host in world.down:
            raise Unreachable("no way")
        if verb in world.fails:
            return Completed(words, 69, "", world.fails[verb], 0.1)
        if verb == "status":
            one = world.at(node)
            pid, uptime = int(world.lives or one.pid), one.uptime
            told = {"pid": pid, "uptime": uptime, "is_under_maintenance": node in world.marked}
            return Completed(words, 0, world.nonsense or json.dumps(told), "", 0.1)
        if world.obeys and verb == "drain":
            world.drained.add(node)
            world.offline(node)
            if world.at(node).queues[0]["leader"] == node and world.heir:
                world.lead(world.heir)
        if world.obeys and verb == "revive":
            world.drained.discard(node)
            for one in world.nodes.values():
                one.queues[0]["online"] = [*NAMES]
        return Completed(words, 0, "", "", 0.1)

    async def act(self, action: CriticalAction) -> Settled:
        if action.fence and action.fence.number < self.world.newest:
            raise FenceRefused("a newer rollout")
        (command,) = action.commands
        return Settled(Settlement.DONE, (await self.run(command),))
