"""What a node says of itself and of its cluster, lies included."""

from __future__ import annotations

from .metadata import Metadata
from .partition import Partition
from .settings import Lie, Settings


class Views:
    def __init__(self, settings: Settings, metadata: Metadata) -> None:
        self._me, self._settings, self._metadata = settings.node_id, settings, metadata
        self.state = "starting"
        """``running``, then ``shutting_down``."""

    def health(self) -> dict[str, object]:
        """``healthy`` only where every partition is led and all its replicas are in sync."""
        return {
            "status": self._status(),
            "node_id": self._me,
            "partitions": {
                one.name: {
                    "leader": one.record.leader,
                    "in_sync_replicas": self.isr(one),
                    "status": self._status_of(one),
                }
                for one in self._metadata.partitions.values()
            },
        }

    def partitions(self) -> list[dict[str, object]]:
        return [
            {
                "topic": one.topic,
                "partition": one.number,
                "name": one.name,
                "leader": one.record.leader,
                "replicas": self._replicas,
                "in_sync_replicas": self.isr(one),
                "applied_index": self._applied(one),
            }
            for one in self._metadata.partitions.values()
        ]

    def admin_health(self) -> dict[str, object]:
        """Of the real server, which never says anything but ok."""
        return {
            "status": "ok",
            "node_id": self._me,
            "is_leader": self._metadata.leader == self._me,
            "cluster_nodes": self._replicas,
        }

    def admin_status(self) -> dict[str, object]:
        leader = self._metadata.leader
        return {
            "node_id": self._me,
            "leader_id": leader,
            "is_leader": leader == self._me,
            "nodes": [
                {"node_id": node, "address": address, "is_leader": node == leader}
                for node, address in sorted(self._settings.peers.items())
            ],
            "partitions": [
                {
                    "topic": one.topic,
                    "partition": one.number,
                    "leader": one.record.leader,
                    "replicas": self._replicas,
                    "isr": self.isr(one),
                }
                for one in self._metadata.partitions.values()
            ],
        }

    def leads(self) -> dict[int, int]:
        return {node: len(self._metadata.led(node)) for node in self._replicas}

    def in_sync(self) -> dict[str, int]:
        return {one.name: len(self.isr(one)) for one in self._metadata.partitions.values()}

    def isr(self, partition: Partition) -> list[int]:
        """As it is told."""
        if self._settings.lie is Lie.STALE_ISR:
            return sorted(partition.widest)
        if self._settings.lie is Lie.EMPTY_TRACKER and not partition.tracked:
            return self._replicas
        return sorted(partition.record.isr)

    @property
    def _replicas(self) -> list[int]:
        return sorted(self._settings.peers)

    def _status(self) -> str:
        if self.state != "running":
            return self.state
        found = {self._status_of(one) for one in self._metadata.partitions.values()}
        if "leaderless" in found:
            return "unhealthy"
        return "degraded" if "under_replicated" in found else "healthy"

    def _status_of(self, partition: Partition) -> str:
        if not partition.record.leader:
            return "leaderless"
        full = len(self.isr(partition)) == len(self._replicas)
        return "healthy" if full else "under_replicated"

    def _applied(self, partition: Partition) -> dict[str, int]:
        """Of the others, what they told this node or its leader."""
        leads = partition.record.leader == self._me
        heard = {node: place.end for node, place in partition.positions.items()}
        ends = (heard if leads else partition.told) | {self._me: partition.log.end}
        return {str(node): end for node, end in sorted(ends.items())}
