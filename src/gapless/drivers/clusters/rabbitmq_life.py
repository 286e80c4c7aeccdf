"""What names the process of a node of RabbitMQ: its number and when it began. No side effects.

1. The number alone is not enough: in a container it is the same after each start.
2. When it began is worked out from its uptime, which is told every five seconds: the same process
   comes out some seconds earlier or later. So a name that was given once is kept while it may be
   the same process.
3. In its first seconds a node tells neither. What its command line said then holds until it does,
   or falls silent.
"""

from __future__ import annotations

from collections.abc import Collection

from gapless.drivers.clusters.rabbitmq_view import Node, Peer

_LATE = 20.0
"""Seconds by which two answers about one process may differ."""


class Lives:
    """Of all nodes of a cluster, by name."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._young: dict[str, str] = {}

    def began(self, node: Node) -> str:
        """ "" while nobody tells anything of its process yet."""
        if not node.own.pid:
            return self._young.get(node.name, "")
        self._young.pop(node.name, None)
        return self._named(node.name, node.own, node.date)

    def learn(self, node: Node, told: Peer) -> str:
        """What its command line says of one that tells nothing itself yet."""
        self._young[node.name] = self._named(node.name, told, node.date)
        return self._young[node.name]

    def forget(self, answering: Collection[str]) -> None:
        """Whoever is not among these may be another process when it answers again."""
        self._young = {name: life for name, life in self._young.items() if name in answering}

    def _named(self, name: str, told: Peer, date: float) -> str:
        now = f"{told.pid} since {date - told.uptime:.0f}"
        if not same(self._known.get(name, ""), now):
            self._known[name] = now
        return self._known[name]


def same(one: str, other: str) -> bool:
    """Whether both may be of one process."""
    pid, _, since = one.partition(" since ")
    other_pid, _, other_since = other.partition(" since ")
    if not since or not other_since:
        return False
    return pid == other_pid and abs(float(since) - float(other_since)) < _LATE
