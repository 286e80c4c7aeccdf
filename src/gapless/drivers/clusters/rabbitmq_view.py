"""What the management API of one node of RabbitMQ answers, read into facts. No side effects.

1. ``running`` of a node and the alarms are of the moment they are asked for. What a node tells of
   itself (process, uptime, ``being_drained``) it tells every five seconds, and so it is old.
2. Queues are asked for without statistics (``disable_stats``): then leader, members and online are
   worked out at that moment. With statistics they are up to five seconds old, and where both are
   told at once the same key comes twice (seen with 3.10). The command line is no way round this: it
   waits a minute and fails while a node is in maintenance.
3. Streams are told of with statistics alone, and without their leader: what is told of a stream is
   as old as that.
4. An exclusive queue goes away with its connection, so nobody misses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

QUORUM, STREAM, CLASSIC = "quorum", "stream", "classic"
LATE = 10.0
"""Seconds that statistics may be old: every five, twice."""
_VERSION = re.compile(r"(\d+)\.(\d+)\.")


class NonsenseError(ValueError):
    """The answer is not what RabbitMQ answers."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A node, as a node of the cluster has it. ``pid`` "": nothing is told of its process yet."""

    running: bool
    drained: bool = False
    pid: str = ""
    uptime: float = 0.0
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue or stream as one node has it. ``leader`` "": it knows of none. ``members`` are to
    hold it, ``online`` are those that do: of a mirrored queue those that have all of it."""

    kind: str
    leader: str
    members: frozenset[str]
    online: frozenset[str]
    durable: bool = True

    @property
    def replicated(self) -> bool:
        """Whether its members are a group that elects."""
        return self.kind in (QUORUM, STREAM)


@dataclass(frozen=True, slots=True)
class Node:
    """One of them, of itself. ``critical``: queues that would lose their majority without it;
    ``alarms``: what is wrong in the whole cluster, each a node and a resource."""

    name: str
    version: str = ""
    peers: Mapping[str, Peer] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    alarms: tuple[tuple[str, str], ...] = ()
    critical: tuple[str, ...] = ()
    date: float = 0.0
    """When it answered, in seconds since the epoch by its own clock."""

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version; 0.0 where it does not say."""
        found = _VERSION.match(self.version)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def own(self) -> Peer:
        """What it has of itself."""
        return self.peers.get(self.name, Peer(running=True))

    @property
    def sees(self) -> frozenset[str]:
        """Nodes that it calls running."""
        return frozenset(name for name, peer in self.peers.items() if peer.running)


def who(told: Any) -> tuple[str, str]:
    """Its name and its version. Raises NonsenseError."""
    try:
        return str(told["node"]), str(told.get("rabbitmq_version", ""))
    except (KeyError, TypeError, AttributeError):
        raise NonsenseError from None


def peers(told: Any) -> dict[str, Peer]:
    """All nodes of the cluster. Raises NonsenseError."""
    try:
        return {
            str(one["name"]): Peer(
                running=one["running"] is True,
                drained=one.get("being_drained") is True,
                pid=str(one.get("os_pid", "")),
                uptime=float(one.get("uptime", 0)) / 1000,
                partitions=tuple(map(str, one.get("partitions") or ())),
            )
            for one in told
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NonsenseError from None


def state(told: Any) -> Peer:
    """Of a node that runs, from its own command line: of the moment. Raises NonsenseError."""
    try:
        drained = told["is_under_maintenance"] is True
        return Peer(True, drained, str(told["pid"]), float(told["uptime"]))
    except (KeyError, TypeError, ValueError):
        raise NonsenseError from None


def queues(told: Any) -> dict[str, Queue]:
    """By name all that is not exclusive. Raises NonsenseError."""
    try:
        return {
            f"{one['vhost']} > {one['name']}": _queue(one)
            for one in told
            if one.get("exclusive") is not True
        }
    except (KeyError, TypeError, AttributeError):
        raise NonsenseError from None


def alarms(told: Any) -> tuple[tuple[str, str], ...]:
    """Raises NonsenseError."""
    try:
        if told["status"] == "ok":
            return ()
        found = told.get("alarms") or [{"node": "", "resource": str(told.get("reason", ""))}]
        return tuple(sorted({(str(one["node"]), str(one["resource"])) for one in found}))
    except (KeyError, TypeError, AttributeError):
        raise NonsenseError from None


def critical(told: Any) -> tuple[str, ...]:
    """Raises NonsenseError."""
    try:
        return () if told["status"] == "ok" else tuple(_endangered(told))
    except (KeyError, TypeError, AttributeError):
        raise NonsenseError from None


def messages(told: Any) -> dict[str, int]:
    """By queue how many it has, where that is told. Raises NonsenseError."""
    try:
        return {
            f"{one['vhost']} > {one['name']}": int(one["messages"])
            for one in told
            if isinstance(one.get("messages"), int)
        }
    except (KeyError, TypeError, AttributeError):
        raise NonsenseError from None


def _queue(one: Mapping[str, Any]) -> Queue:
    kind = str(one.get("type", CLASSIC))
    durable = one.get("durable") is not False
    if kind in (QUORUM, STREAM):
        members = _names(one.get("members"))
        return Queue(kind, str(one.get("leader") or ""), members, _names(one.get("online")))
    node = str(one.get("node") or "")
    there = frozenset({node} - {""})
    mirrors, synced = _names(one.get("slave_nodes")), _names(one.get("synchronised_slave_nodes"))
    return Queue(CLASSIC, node, there | mirrors, there | synced, durable)


def _endangered(told: Mapping[str, Any]) -> Iterator[str]:
    found = told.get("queues") or ()
    if not found:
        yield str(told.get("reason", "it does not say which"))
    for one in found:
        yield f"{one.get('virtual_host', '')} > {one['name']}"


def _names(told: Any) -> frozenset[str]:
    return frozenset(map(str, told or ()))
