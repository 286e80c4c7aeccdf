"""Redis servers and sentinels that never were, behind transports: what is said there is answered as
Redis 7.0 does, and can be made wrong in every way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from gapless.clock import LoopClock
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.redis_resp import read
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.drivers.transports.base import Tls, Transport
from gapless.errors import Unreachable
from gapless.model import Fence

MASTER = "shop"
_HISTORY = "5" * 40
_ORDERS = ("PAUSE", "UNPAUSE", "FAILOVER", "SET")


@dataclass
class Redis:
    """One server, as it is at the moment."""

    address: str
    following: str = ""
    offset: int = 1000
    life: str = ""
    version: str = "7.0.15"
    link: str = "up"
    syncing: bool = False
    appendonly: str = "yes"
    priority: int = 100
    quorum: int = 0
    paused: bool = False
    said: list[str] = field(default_factory=list)

    def answer(self, words: tuple[str, ...]) -> str:
        self.said.append(" ".join(words))
        if words[0] == "INFO":
            return bulk(self._info())
        if words[:2] == ("CONFIG", "GET"):
            values = {
                "save": "",
                "appendonly": self.appendonly,
                "replica-priority": str(self.priority),
                "min-replicas-to-write": str(self.quorum),
            }
            return array(words[2], values[words[2]])
        if words[:3] == ("CONFIG", "SET", "replica-priority"):
            self.priority = int(words[3])
        elif words[0] == "REPLICAOF":
            self.following = f"{words[1]}:{words[2]}"
        elif words[:2] == ("CLIENT", "PAUSE"):
            self.paused = True
        elif words[:2] == ("CLIENT", "UNPAUSE"):
            self.paused = False
        elif words[:2] == ("CLIENT", "LIST"):
            return bulk(f"id=3 addr=10.9.9.9:1 laddr={self.address} name=sentinel-1234-cmd\n")
        return "+OK\r\n"

    def _info(self) -> str:
        lines = [f"redis_version:{self.version}", f"run_id:{self.life}", "loading:0"]
        lines += [f"master_replid:{_HISTORY}", "# Replication"]
        if not self.following:
            return "\r\n".join([*lines, "role:master", f"master_repl_offset:{self.offset}"])
        host, _, port = self.following.rpartition(":")
        lines += ["role:slave", f"master_host:{host}", f"master_port:{port}"]
        lines += [f"master_link_status:{self.link}", f"slave_repl_offset:{self.offset}"]
        return "\r\n".join([*lines, f"master_sync_in_progress:{int(self.syncing)}"])


@dataclass
class World:
    """``down``: hosts without a way; ``doctored``: by host whom its sentinel names;
    ``no_failover``: what sentinels refuse one with."""

    servers: dict[str, Redis]
    master: str
    down: set[str] = field(default_factory=set)
    doctored: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    quorum: dict[str, str] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    """Servers whose process sentinels have not heard of."""
    no_failover: str = ""
    periods: dict[str, str] = field(default_factory=dict)
    """Milliseconds after which a sentinel asks its servers again, where that is not ten seconds."""
    age: str = "40"
    """Milliseconds of its answers once that was set."""
    slow: float = 0.0
    """Seconds that every answer of a server takes; sentinels answer at once."""
    told_ages: float = 0.0
    ordered: float = 0.0
    """When a sentinel was ordered to fail over, and when it had told ages last before that."""
    gone: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By what a server is asked (its first words) what happens once, right before it answers."""
    dumb: set[str] = field(default_factory=set)
    """Hosts whose servers never answer."""
    untold: bool = False
    """Sentinels are older than 7.0."""
    log: list[str] = field(default_factory=list)
    """All orders, in their order, with the host."""

    @classmethod
    def of_three(cls) -> World:
        first = "10.0.0.1:6379"
        servers = {
            f"redis{n}": Redis(f"10.0.0.{n}:6379", "" if n == 1 else first, life=f"life{n}")
            for n in (1, 2, 3)
        }
        return cls(servers, first)

    def at(self, address: str) -> Redis:
        return next(one for one in self.servers.values() if one.address == address)

    def driver(self, **changed: Any) -> RedisSentinel:
        config = RedisSentinelConfig.model_validate({"master": MASTER, **changed})
        hosts = tuple(self.servers)
        return RedisSentinel("cache", config, hosts, self.transports, LoopClock())

    @property
    def transports(self) -> Callable[[str], Transport]:
        return lambda host: cast(Transport, Told(self, host))

    def sentinel(self, host: str, words: tuple[str, ...]) -> str:
        named = self.doctored.get(host, self.master)
        if words[1] == "GET-MASTER-ADDR-BY-NAME":
            return array(*named.split(":"))
        if words[1] == "DEBUG":
            return self._debug(host, words[2:])
        if words[1] == "MASTER":
            return self._watched(self.at(named))
        if words[1] == "REPLICAS":
            if not self.ordered:
                self.told_ages = asyncio.get_running_loop().time()
            age = self.age if host in self.periods else "5000"
            replicas = (s for s in self.servers.values() if s.address != named)
            others = [self._watched(one, "info-refresh", age) for one in replicas]
            return f"*{len(others)}\r\n{''.join(others)}"
        if words[1] == "SENTINELS":
            return "*2\r\n*0\r\n*0\r\n"
        if words[1] == "CKQUORUM":
            why = self.quorum.get(host)
            return f"-{why}\r\n" if why else "+OK 3 usable Sentinels\r\n"
        assert words[1] == "FAILOVER"
        return self._fail_over()

    def _fail_over(self) -> str:
        """As Sentinel chooses: the lowest priority, then the furthest."""
        if self.no_failover:
            return f"-{self.no_failover}\r\n"
        self.ordered = asyncio.get_running_loop().time()
        replicas = [one for one in self.servers.values() if one.address != self.master]
        new = min((one for one in replicas if one.priority), key=_rank)
        new.following, self.master = "", new.address
        for other in replicas:
            if other is not new:
                other.following = new.address
        return "+OK\r\n"

    def _debug(self, host: str, words: tuple[str, ...]) -> str:
        if self.untold:
            return "-ERR unknown subcommand or wrong number of arguments for 'DEBUG'.\r\n"
        if not words:
            return array("INFO-PERIOD", self.periods.get(host, "10000"), "PING-PERIOD", "1000")
        self.log.append(f"{host} SENTINEL DEBUG {' '.join(words)}")
        self.periods[host] = words[1]
        return "+OK\r\n"

    def _watched(self, server: Redis, *more: str) -> str:
        ip, _, port = server.address.rpartition(":")
        flags = "slave" + ("," + self.flags[server.address] if server.address in self.flags else "")
        life = "" if server.address in self.stale else server.life
        return array(
            *("ip", ip, "port", port, "runid", life, "flags", flags),
            *("slave-priority", str(server.priority), "down-after-milliseconds", "600"),
            *more,
        )


class Told:
    """The transport of one host."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = host

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        if self._host in self._world.down:
            raise Unreachable(f"no route to {self._host}")
        sentinel = address.endswith("26379")
        commands = read(data.removesuffix(b"*?\r\n")) if sentinel else read(data)
        if not sentinel:
            await self._before(commands, timeout)
        answers = [self._answer(cast("tuple[str, ...]", one), sentinel) for one in commands]
        return "".join([*answers, "-ERR Protocol error\r\n" if sentinel else ""]).encode()

    async def _before(self, commands: Any, timeout: float) -> None:
        asked = f"{self._host} {' '.join(commands[0])}"
        for begin in [one for one in self._world.gone if asked.startswith(one)]:
            self._world.gone.pop(begin)()
        await asyncio.sleep(self._world.slow)
        if self._host in self._world.dumb:
            await asyncio.sleep(timeout)
            raise Unreachable(f"{self._host} does not answer")

    def _answer(self, words: tuple[str, ...], sentinel: bool) -> str:
        if words[0] == "REPLICAOF" or (len(words) > 1 and words[1] in _ORDERS):
            self._world.log.append(f"{self._host} {' '.join(words)}")
        if sentinel:
            return self._world.sentinel(self._host, words)
        return self._world.servers[self._host].answer(words)


def bulk(text: str) -> str:
    return f"${len(text.encode())}\r\n{text}\r\n"


def array(*texts: str) -> str:
    return f"*{len(texts)}\r\n{''.join(bulk(text) for text in texts)}"


def _rank(server: Redis) -> tuple[int, int]:
    return server.priority, -server.offset
