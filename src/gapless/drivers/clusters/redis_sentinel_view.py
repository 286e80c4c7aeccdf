"""What one sentinel says of a master and its replicas, read into facts. No side effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gapless.drivers.clusters.redis_resp import Command, NonsenseError, Refusal, Reply
from gapless.drivers.clusters.redis_view import address, pairs

_UNWELL = ("s_down", "o_down", "disconnected", "failover_in_progress", "master_down")


@dataclass(frozen=True, slots=True)
class Watched:
    """One server as a sentinel sees it. ``life`` is the process it last heard of, up to ten
    seconds ago; ``unwell`` are the flags that speak against it; ``priority`` as it knows it."""

    address: str
    life: str = ""
    unwell: tuple[str, ...] = ()
    priority: int = 100


@dataclass(frozen=True, slots=True)
class Watch:
    """What one sentinel says. ``master`` is the address it gives to clients, "" where it knows no
    such master; ``quorum`` "" or why there is none."""

    master: str
    servers: Mapping[str, Watched] = field(default_factory=dict)
    quorum: str = ""
    others: int = 0
    """How many other sentinels it knows."""
    patience: float = 30.0
    """Seconds of silence after which it holds a server for down."""


def questions(master: str) -> tuple[Command, ...]:
    """The commands whose answers ``watch`` reads."""
    return (
        named(master),
        ("SENTINEL", "MASTER", master),
        ("SENTINEL", "REPLICAS", master),
        ("SENTINEL", "SENTINELS", master),
        ("SENTINEL", "CKQUORUM", master),
    )


def named(master: str) -> Command:
    """Asks whom a sentinel names to clients; ``name`` reads it."""
    return ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)


def name(reply: Reply) -> str:
    """The address it names, "" where it knows no such master."""
    if isinstance(reply, tuple) and len(reply) == 2:
        return address(str(reply[0]), str(reply[1]))
    if reply is None:
        return ""
    raise NonsenseError(str(reply)[:200])


def watch(replies: tuple[Reply, ...]) -> Watch:
    """The watch in the answers to ``questions``. Raises NonsenseError."""
    called, master, replicas, sentinels, quorum = replies
    if not name(called):
        return Watch("")
    if not all(isinstance(reply, tuple) for reply in (master, replicas, sentinels)):
        raise NonsenseError(str(master)[:200])
    assert isinstance(replicas, tuple) and isinstance(sentinels, tuple)
    found = [_watched(pairs(one)) for one in (master, *replicas)]
    return Watch(
        master=name(called),
        servers={one.address: one for one in found},
        quorum=quorum.text if isinstance(quorum, Refusal) else "",
        others=len(sentinels),
        patience=_patience(pairs(master)),
    )


def ages(replicas: tuple[Reply, ...]) -> tuple[float, ...]:
    """Of each replica how old, in seconds, the sentinel's last answer of it is. Raises
    NonsenseError."""
    try:
        return tuple(int(pairs(one)["info-refresh"]) / 1000 for one in replicas)
    except (KeyError, ValueError):
        raise NonsenseError(str(replicas)[:200]) from None


def doors(clients: Reply) -> frozenset[str]:
    """The addresses at which sentinels reached a server, out of its CLIENT LIST: those that
    sentinels call it by. () of a Redis before 6.2."""
    lines = clients.splitlines() if isinstance(clients, str) else ()
    found = (dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines)
    return frozenset(
        one["laddr"]
        for one in found
        if one.get("name", "").startswith("sentinel-") and "laddr" in one
    )


def _patience(facts: Mapping[str, str]) -> float:
    try:
        return int(facts["down-after-milliseconds"]) / 1000
    except (KeyError, ValueError):
        raise NonsenseError(str(dict(facts))[:200]) from None


def _watched(facts: Mapping[str, str]) -> Watched:
    try:
        flags = facts["flags"].split(",")
        return Watched(
            address=address(facts["ip"], facts["port"]),
            life=facts.get("runid", ""),
            unwell=tuple(flag for flag in _UNWELL if flag in flags),
            priority=int(facts.get("slave-priority", "100")),
        )
    except (KeyError, ValueError):
        raise NonsenseError(str(dict(facts))[:200]) from None
