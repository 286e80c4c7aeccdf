"""What one Redis server says of itself, read into facts. No side effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gapless.drivers.clusters.redis_resp import Command, NonsenseError, Refusal, Reply

QUESTIONS: tuple[Command, ...] = (
    ("INFO",),
    ("CONFIG", "GET", "save"),
    ("CONFIG", "GET", "appendonly"),
    ("CONFIG", "GET", "replica-priority"),
    ("CONFIG", "GET", "min-replicas-to-write"),
)
"""What ``server`` reads the answers of; one CONFIG GET for each: several names in one are only
understood since Redis 7.0."""
_WRITES = ("aof_last_write_status", "rdb_last_bgsave_status")
PAUSES = (6, 2)
"""Version since which writes alone can be paused."""


@dataclass(frozen=True, slots=True)
class Replication:
    """Where a server stands in the stream. ``offset`` in bytes, of its own history ``history``
    (two offsets mean the same only in one history); ``following`` is the address of its master,
    "" for a master; ``left`` are the bytes of a first copy still to come, None where there is no
    copy under way or nobody knows."""

    role: str
    history: str
    offset: int
    following: str = ""
    linked: bool = False
    syncing: bool = False
    left: int | None = None
    replicas: tuple[str, ...] = ()
    """Addresses of those that are connected to it and in the stream."""

    @property
    def master(self) -> bool:
        """Whether it takes writes."""
        return self.role == "master"

    def behind(self, master: Replication) -> int | None:
        """Bytes to the master that it follows, None where that cannot be said."""
        if self.history != master.history:
            return None
        return max(0, master.offset - self.offset)


@dataclass(frozen=True, slots=True)
class Server:
    """One process. ``life`` names it; ``persistent``: it has what it holds on disk, too, so that
    it does not come back empty. ``quorum``: how many replicas have to be linked for it to take
    writes. ``priority`` is the one by which sentinels choose: the lowest wins, 0 never does."""

    life: str
    version: str
    replication: Replication
    loading: bool = False
    unwritten: str = ""
    """What it could not write to its disk the last time."""
    persistent: bool = True
    priority: int = 100
    quorum: int = 0

    @property
    def pauses(self) -> bool:
        """Whether it can pause writes alone."""
        parts = self.version.split(".")
        return tuple(int(part) for part in parts[:2] if part.isdigit()) >= PAUSES

    def trouble(self, master: Replication | None, lag: int) -> str:
        """Why a replica is not in sync with ``master`` (None: nobody knows who that is), up to
        ``lag`` bytes; "" where it is."""
        if self.loading:
            return "it is still reading its data from disk"
        if self.unwritten:  # as a master it refuses writes
            return f"it cannot write to its disk: {self.unwritten}"
        own = self.replication
        if own.master:
            return ""
        if own.syncing:
            left = "" if own.left is None else f", {own.left} bytes to come"
            return f"it is still copying everything from its master{left}"
        if not own.linked:
            return f"its link to its master {own.following} is down"
        if master is None:
            return ""
        behind = own.behind(master)
        if behind is None:
            return "it follows another history than the master has"
        return f"it is {behind} bytes behind" if behind > lag else ""


def server(replies: tuple[Reply, ...]) -> Server:
    """The server in the answers to ``QUESTIONS``. Raises NonsenseError."""
    refusal = next((one for one in replies if isinstance(one, Refusal)), None)
    if refusal is not None:  # no answer must not be read as a setting that is not there
        raise NonsenseError(refusal.text)
    info, *settings = replies
    facts = fields(info)
    save, appending, priority, quorum = (_setting(reply) for reply in settings)
    try:
        return Server(
            life=facts["run_id"],
            version=facts["redis_version"],
            replication=_replication(facts),
            loading=facts.get("loading", "0") != "0",
            unwritten=next((f"{name}:err" for name in _WRITES if facts.get(name) == "err"), ""),
            persistent=bool(save.strip()) or appending == "yes",
            priority=int(priority or 100),
            quorum=int(quorum or 0),
        )
    except (KeyError, ValueError):
        raise NonsenseError(str(info)[:200]) from None


def replication(info: Reply) -> Replication:
    """What ``INFO replication`` says. Raises NonsenseError."""
    try:
        return _replication(fields(info))
    except (KeyError, ValueError):
        raise NonsenseError(str(info)[:200]) from None


def fields(info: Reply) -> dict[str, str]:
    """``name:value`` a line, as INFO and CLUSTER INFO have it."""
    lines = info.splitlines() if isinstance(info, str) else ()
    return dict(line.split(":", 1) for line in lines if ":" in line and line[0] != "#")


def pairs(reply: Reply) -> dict[str, str]:
    """A flat array of names and values; {} for anything else."""
    if not isinstance(reply, tuple):
        return {}
    texts = [str(item) for item in reply]
    return dict(zip(texts[::2], texts[1::2], strict=False))


def address(host: str, port: str) -> str:
    """``host:port``, with brackets where the host has colons itself."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _setting(reply: Reply) -> str:
    """The value in a CONFIG GET, "" where the server does not know that one."""
    return next(iter(pairs(reply).values()), "")


def _replication(facts: Mapping[str, str]) -> Replication:
    history = facts.get("master_replid", "")
    if facts["role"] == "master":
        offset = int(facts["master_repl_offset"])
        return Replication("master", history, offset, replicas=_replicas(facts))
    left = int(facts.get("master_sync_left_bytes", "-1"))
    return Replication(
        role="replica",
        history=history,
        offset=int(facts["slave_repl_offset"]),
        following=address(facts["master_host"], facts["master_port"]),
        linked=facts["master_link_status"] == "up",
        syncing=facts["master_sync_in_progress"] != "0",
        left=left if left >= 0 else None,
        replicas=_replicas(facts),
    )


def _replicas(facts: Mapping[str, str]) -> tuple[str, ...]:
    """``slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0``"""
    found = []
    for name, value in facts.items():
        if name.startswith("slave") and name[5:].isdigit():
            parts = dict(part.split("=", 1) for part in value.split(",") if "=" in part)
            if parts.get("state") == "online":
                found.append(address(parts["ip"], parts["port"]))
    return tuple(found)
