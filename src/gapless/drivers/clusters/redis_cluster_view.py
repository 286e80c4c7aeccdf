"""What one node of Redis Cluster says of all nodes, read into facts. No side effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gapless.drivers.clusters.redis_resp import Command, NonsenseError, Reply
from gapless.drivers.clusters.redis_view import QUESTIONS as OF_SERVER
from gapless.drivers.clusters.redis_view import Server, fields, server

SLOTS = 16384
QUESTIONS: tuple[Command, ...] = (("CLUSTER", "NODES"), ("CLUSTER", "INFO"), *OF_SERVER)
"""What ``told`` reads the answers of."""
_UNWELL = ("fail?", "fail", "handshake", "noaddr")


@dataclass(frozen=True, slots=True)
class Node:
    """One line of CLUSTER NODES. ``slots`` are ranges, ``0-5460``; ``moving``: slots on their way
    to or from it, which only its own line tells."""

    id: str
    address: str
    master: str
    """Id of the one it replicates; "" for a master."""
    linked: bool
    unwell: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    moving: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """In Redis's own words."""
        return "replica" if self.master else "master"

    @property
    def shard(self) -> str:
        """Names what it serves, and its successor will serve: "" for one without slots."""
        return f"slots {self.slots[0]}" if self.slots else ""

    def __str__(self) -> str:
        what = f"replica of {self.master[:8]}" if self.master else " ".join(self.slots) or "empty"
        flags = f" {','.join(self.unwell)}" if self.unwell else ""
        return f"{self.role} {what}{flags}"


@dataclass(frozen=True, slots=True)
class Told:
    """What one node says: of itself, and of all. ``state`` is ``ok`` or ``fail``; ``covered`` how
    many slots are served."""

    id: str
    server: Server
    nodes: Mapping[str, Node]
    state: str
    covered: int


def told(replies: tuple[Reply, ...]) -> Told:
    """The view in the answers to ``QUESTIONS``. Raises NonsenseError."""
    listed, info, *of_server = replies
    own, found = nodes(listed)
    facts = fields(info)
    try:
        state, covered = facts["cluster_state"], int(facts["cluster_slots_ok"])
    except (KeyError, ValueError):
        raise NonsenseError(str(info)[:200]) from None
    return Told(own, server(tuple(of_server)), found, state, covered)


def nodes(listed: Reply) -> tuple[str, dict[str, Node]]:
    """Who answered, and all nodes by id, in the answer to CLUSTER NODES. Raises NonsenseError."""
    own, found = "", {}
    try:
        for line in str(listed).splitlines():
            node, flags = _node(line.split())
            found[node.id] = node
            own = node.id if "myself" in flags else own
    except (IndexError, ValueError):
        raise NonsenseError(str(listed)[:200]) from None
    if not own:
        raise NonsenseError(str(listed)[:200])
    return own, found


def _node(words: list[str]) -> tuple[Node, list[str]]:
    """``id ip:port@bus[,name] flags master ping pong epoch link slot …``"""
    id_, where, listed, master, _ping, _pong, _epoch, link, *slots = words
    flags = listed.split(",")
    node = Node(
        id=id_,
        address=where.partition("@")[0],
        master="" if master == "-" else master,
        # A node has no link to itself and says "connected".
        linked=link == "connected",
        unwell=tuple(flag for flag in _UNWELL if flag in flags),
        slots=tuple(slot for slot in slots if not slot.startswith("[")),
        moving=tuple(slot for slot in slots if slot.startswith("[")),
    )
    return node, flags
