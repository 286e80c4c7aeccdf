"""What the monitoring port of one NATS server answers, read into facts. No side effects.

1. Four pages: ``/varz`` (who it is), ``/healthz`` (whether it finds itself well), ``/routez`` (whom
   it is connected with), ``/jsz`` (what it holds).
2. A server is called by its name: that outlives its process, whose id is another one after each
   start.
3. ``/jsz`` tells of every stream and consumer that the server holds a replica of, each with the
   leader as *this* server knows it. What it says of other replicas (``current``, ``lag``) is worth
   something on the leader alone: a follower only knows how far it has got itself.
4. A replica whose raft has not begun yet names itself as the leader of a group of one: where more
   replicas are wanted that is nothing.
5. ``/healthz`` says ok where JetStream is off, and names the first thing only that is not current.
6. Consumers without a durable name are left out: their clients make them anew, and they may be gone
   at any moment.

Source: server/monitor.go and server/jetstream_cluster.go of nats-server 2.9 to 2.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

META = "meta"
"""The group that all servers with JetStream are members of."""
_CONCERNS = re.compile(r"(?:stream|consumer) '([^']+)'")
_VERSION = re.compile(r"(\d+)\.(\d+)\.")


class NonsenseError(ValueError):
    """The answer is not what NATS answers."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A replica, as a leader sees it."""

    name: str
    current: bool = False
    offline: bool = False
    lag: int = 0

    def __str__(self) -> str:
        state = "offline" if self.offline else "current" if self.current else "not current"
        return f"{self.name} {state}, {self.lag} behind"


@dataclass(frozen=True, slots=True)
class View:
    """A group as one of its members has it. ``leader`` "": it knows of none. ``size``: how many
    members the group is to have; ``place``: the last message that this member has, None for what
    holds none."""

    leader: str
    peers: tuple[Peer, ...] = ()
    size: int = 1
    place: int | None = None

    def peer(self, name: str) -> Peer | None:
        """What it says of another one."""
        return next((peer for peer in self.peers if peer.name == name), None)


@dataclass(frozen=True, slots=True)
class Single:
    """A stream or a durable consumer of which this server has the only replica."""

    group: str
    messages: int = 0
    memory: bool = False
    consumer: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """One of them, of itself. ``life`` names its process; ``health``: what ``/healthz`` complains
    of, "" for nothing; ``routes``: processes that it is connected with."""

    name: str
    life: str
    version: str = ""
    address: str = ""
    cluster: str = ""
    health: str = ""
    jetstream: bool = True
    routes: frozenset[str] = frozenset()
    views: Mapping[str, View] = field(default_factory=dict)
    singles: tuple[Single, ...] = ()

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version; 0.0 where it does not say."""
        found = _VERSION.match(self.version)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def complains_of(self, group: str) -> bool:
        """Whether it does not find itself well in this group: what it complains of is the whole of
        it, or this group."""
        concerns = _CONCERNS.search(self.health)
        return bool(self.health) and (concerns is None or concerns[1] == group)


def server(varz: Any, healthz: Any, routez: Any, jsz: Any) -> Server:
    """Of four answers. Raises NonsenseError."""
    try:
        name = str(varz["server_name"])
        disabled = jsz.get("disabled", False) is True or "meta_cluster" not in jsz
        return Server(
            name=name,
            life=str(varz["server_id"]),
            version=str(varz.get("version", "")),
            address=f"{varz.get('host', '')}:{varz.get('port', '')}",
            cluster=str(varz.get("cluster", {}).get("name", "")),
            health=_complaint(healthz),
            jetstream=not disabled,
            routes=frozenset(str(one["remote_id"]) for one in routez.get("routes") or ()),
            views={} if disabled else dict(_views(jsz, name)),
            singles=() if disabled else tuple(_singles(jsz)),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NonsenseError from None


def _complaint(healthz: Any) -> str:
    status = str(healthz["status"])
    return "" if status == "ok" else str(healthz.get("error") or status)


def _views(jsz: Mapping[str, Any], name: str) -> Iterator[tuple[str, View]]:
    meta = jsz["meta_cluster"]
    yield META, View(str(meta.get("leader", "")), _peers(meta), int(meta["cluster_size"]))
    for group, stream, copies in _streams(jsz):
        if copies > 1:
            place = int(stream.get("state", {}).get("last_seq", 0))
            yield group, _view(stream, copies, name, place)
        for consumer, told, wanted in _consumers(group, stream, copies):
            if wanted > 1:
                yield consumer, _view(told, wanted, name, None)


def _singles(jsz: Mapping[str, Any]) -> Iterator[Single]:
    for group, stream, copies in _streams(jsz):
        if copies == 1:
            messages = int(stream.get("state", {}).get("messages", 0))
            memory = stream.get("config", {}).get("storage") == "memory"
            yield Single(group, messages, memory)
            continue  # its consumers go with it
        for consumer, _, wanted in _consumers(group, stream, copies):
            if wanted == 1:
                yield Single(consumer, consumer=True)


def _streams(jsz: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """Each as NATS itself calls it, what is said of it, and how many replicas it is to have."""
    for account in jsz.get("account_details") or ():
        for stream in account.get("stream_detail") or ():
            yield f"{account['id']} > {stream['name']}", stream, _copies(stream) or 1


def _consumers(
    stream: str, told: Mapping[str, Any], copies: int
) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    for consumer in told.get("consumer_detail") or ():
        if consumer.get("config", {}).get("durable_name"):
            yield f"{stream} > {consumer['name']}", consumer, _copies(consumer) or copies


def _copies(told: Mapping[str, Any]) -> int:
    """How many are wanted, or there, while one is added or taken away; 0 where nothing is said."""
    there = len(told.get("cluster", {}).get("replicas") or ())
    wanted = int(told.get("config", {}).get("num_replicas", 0))
    return max(wanted, there + 1 if there else 0)


def _view(told: Mapping[str, Any], size: int, name: str, place: int | None) -> View:
    cluster = told.get("cluster", {})
    peers, leader = _peers(cluster), str(cluster.get("leader", ""))
    begun = bool(peers) or leader != name
    return View(leader if begun else "", peers, size, place)


def _peers(cluster: Mapping[str, Any]) -> tuple[Peer, ...]:
    return tuple(
        Peer(
            name=str(one["name"]),
            current=one.get("current", False) is True,
            offline=one.get("offline", False) is True,
            lag=int(one.get("lag", 0)),
        )
        for one in cluster.get("replicas") or ()
    )


def account_of(group: str) -> str:
    """Whose stream or consumer it is."""
    return group.split(" > ")[0]


def subject_of(group: str) -> str:
    """Where its leader is told to hand over."""
    if group == META:
        return "$JS.API.META.LEADER.STEPDOWN"
    _, stream, *consumer = group.split(" > ")
    if consumer:
        return f"$JS.API.CONSUMER.LEADER.STEPDOWN.{stream}.{consumer[0]}"
    return f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}"
