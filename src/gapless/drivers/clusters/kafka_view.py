"""What one Kafka broker knows, as facts: who is registered, who holds which partition, and what it
says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_FETCH_TIMEOUT = 2000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker says that it is."""

    address: str
    rack: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    """Ids are those of brokers; the first of ``replicas`` is the preferred leader."""

    leader: str
    replicas: tuple[str, ...]
    isr: frozenset[str]

    def __str__(self) -> str:
        isr = ",".join(sorted(self.isr))
        return f"leader {self.leader or 'none'}, replicas {','.join(self.replicas)}, isr {isr}"


@dataclass(frozen=True, slots=True)
class Quorum:
    """``behind``: by id the milliseconds since a voter had everything, None where nobody tells;
    ``ends``: how far its log goes."""

    leader: str
    epoch: int
    ends: Mapping[str, int]
    behind: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class View:
    """One broker's. ``minimum`` and ``unclean`` by topic; ``sizes``: bytes of each partition that
    it holds; ``lost``: directories it cannot use; ``hidden``: topics it does not show us;
    ``quorum`` None: it could not ask, ``why`` says more."""

    id: str
    cluster: str
    brokers: Mapping[str, Place]
    partitions: Mapping[str, Partition]
    minimum: Mapping[str, int]
    unclean: frozenset[str]
    sizes: Mapping[str, int]
    lost: tuple[str, ...]
    hidden: frozenset[str]
    moves: frozenset[str]
    quorum: Quorum | None
    version: str = ""
    why: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    may_elect: bool = True

    @property
    def fetch_timeout(self) -> int:
        """Milliseconds after which a voter counts as behind."""
        told = self.settings.get("controller.quorum.fetch.timeout.ms", "")
        return int(told) if told.isdigit() else _FETCH_TIMEOUT


def partition_named(topic: str, number: int) -> str:
    """As Kafka's own logs call it."""
    return f"{topic}-{number}"


def topic_of(partition: str) -> str:
    """Of such a name."""
    return partition.rpartition("-")[0]
