"""What one server of ZooKeeper answers to three words, read into facts. No side effects.

1. ``mntr`` tells its state and, on the leader, how many follow it in sync; ``srvr`` its last
   transaction (zxid); ``conf`` its id and who votes, as this server knows it.
2. A zxid is an epoch, which is another one with each leader, and a number that begins at 0 in each:
   they compare within an epoch alone.
3. Non-voting followers are those that are no members yet, and are counted among the synced ones.
4. A word that is not allowed, and a server that has no quorum, are answers of one line.

Source: org.apache.zookeeper.server.command of 3.6 to 3.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gapless.drivers.clusters.zookeeper_life import Life

WORDS = ("mntr", "srvr", "conf")
LEADER, FOLLOWER, OBSERVER = "leader", "follower", "observer"
_MEMBER = re.compile(r"server\.(\d+)=(.+?)(?::(participant|observer))?(?:;.*)?")
_WEIGHED = re.compile(r"(?:group|weight)\.\d+=")
_SHUT = re.compile(r"\w+ is not executed because it is not in the whitelist")
_IDLE = "is not currently serving requests"


class NonsenseError(ValueError):
    """The answer is not what ZooKeeper answers."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Who is of it, as one server knows it: addresses by id. ``weighed``: votes do not count alike,
    so a majority is something else."""

    voters: Mapping[str, str] = field(default_factory=dict)
    observers: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    weighed: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """One of them, of itself. ``synced`` and ``watching``: how many voters and observers follow it
    in sync, None where it does not lead; ``size``: how many vote, None where it does not say."""

    id: str
    state: str
    zxid: int
    life: Life
    ensemble: Ensemble
    version: str = ""
    outstanding: int = 0
    synced: int | None = None
    watching: int | None = None
    size: int | None = None


def refused(answer: str) -> bool:
    """Whether the word is not allowed there."""
    return _SHUT.match(answer.strip()) is not None


def idle(answer: str) -> bool:
    """Whether it says that it serves nobody: it has no quorum, or is about to."""
    return _IDLE in answer[:200]


def server(answers: Mapping[str, str], asked: float, width: float) -> Server:
    """Of the answers by word; that to mntr came at ``asked``, ``width`` seconds after its question.
    Raises NonsenseError, which names what is missing."""
    told, served = _fields(answers["mntr"], "\t"), _fields(answers["srvr"], ": ")
    conf = answers["conf"]
    configured = _fields(conf, "=")
    state = _text(told, "zk_server_state")
    synced, strangers = _number(told, "zk_synced_followers"), 0
    if synced is not None:
        strangers = _number(told, "zk_synced_non_voting_followers") or 0
    return Server(
        id=_text(configured, "serverId"),
        state=state,
        zxid=_zxid(_text(served, "Zxid")),
        life=Life(
            asked - _needed(told, "zk_uptime") / 1000,
            _needed(told, "zk_looking_count"),
            _needed(told, "zk_bytes_received_count"),
            width,
        ),
        ensemble=_ensemble(conf),
        version=re.split(r"[-,]", told.get("zk_version", ""))[0],
        outstanding=_needed(told, "zk_outstanding_requests"),
        synced=None if synced is None else synced - strangers,
        watching=_number(told, "zk_synced_observers"),
        size=_number(told, "zk_quorum_size"),
    )


def behind(zxid: int, leader: int) -> int:
    """Transactions that lie between, as far as one can tell: of those before the leader's epoch
    nobody knows the number, and a leader that has written nothing yet has none to wait for."""
    (epoch, number), (last_epoch, last) = divmod(zxid, 1 << 32), divmod(leader, 1 << 32)
    if epoch == last_epoch:
        return max(0, last - number)
    return last if epoch < last_epoch else 0


def _fields(answer: str, between: str) -> dict[str, str]:
    pairs = (line.partition(between) for line in answer.splitlines())
    return {key.strip(): value.strip() for key, found, value in pairs if found}


def _text(told: Mapping[str, str], key: str) -> str:
    if not told.get(key):
        raise NonsenseError(f"it does not tell {key}")
    return told[key]


def _number(told: Mapping[str, str], key: str) -> int | None:
    try:
        return int(float(told[key])) if key in told else None
    except (ValueError, OverflowError):
        raise NonsenseError(f"{key} is no number: {told[key][:40]}") from None


def _needed(told: Mapping[str, str], key: str) -> int:
    found = _number(told, key)
    if found is None:
        raise NonsenseError(f"it does not tell {key}")
    return found


def _zxid(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise NonsenseError(f"Zxid is no number: {text[:40]}") from None


def _ensemble(conf: str) -> Ensemble:
    """A standalone server tells of none."""
    members = list(_members(conf))
    return Ensemble(
        voters={one: address for one, address, role in members if role != OBSERVER},
        observers={one: address for one, address, role in members if role == OBSERVER},
        version=_fields(conf, "=").get("version", ""),
        weighed=any(_WEIGHED.match(line) for line in conf.splitlines()),
    )


def _members(conf: str) -> Iterator[tuple[str, str, str]]:
    for line in conf.splitlines():
        if found := _MEMBER.fullmatch(line.strip()):
            yield found[1], found[2], found[3] or ""
