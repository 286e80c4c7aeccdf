"""What a node is told when it is started."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Lie(StrEnum):
    """What a node says that is not so."""

    NONE = ""
    STUB_TRANSFER = "stub-transfer"
    """Transfers are reported as done, and nothing moves."""
    STALE_ISR = "stale-isr"
    """The most in-sync replicas that it has ever seen are reported for ever."""
    EMPTY_TRACKER = "empty-tracker"
    """All replicas are reported as in sync until it has committed a write of its own."""
    HUNG_DRAIN = "hung-drain"
    """Requests that are at work when it is told to stop never end."""


@dataclass(frozen=True)
class Settings:
    node_id: int
    listen: str
    etcd: str
    peers: dict[int, str]
    """Addresses of all nodes, its own too."""
    data: Path
    topics: dict[str, int]
    """How many partitions each has."""
    min_isr: int
    flush_every: float
    lie: Lie
    drain_limit: float
    transfer_limit: float
    sync_limit: float
    join_limit: float
    api_key: str
    """For /admin/status; nobody has to tell an empty one."""

    @property
    def quorum(self) -> int:
        return len(self.peers) // 2 + 1


def read(words: list[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """From a command line and the variables that the real server knows."""
    parser = argparse.ArgumentParser(prog="minichronik")
    parser.add_argument("--node-id", type=int, required=True)
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--etcd", required=True, metavar="URL")
    parser.add_argument("--peers", type=_peers, required=True, metavar="1=HOST:PORT,2=…")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--topics", type=_topics, default="test-topic:3", metavar="NAME:COUNT,…")
    parser.add_argument("--min-isr", type=int, default=2)
    parser.add_argument("--flush-every", type=float, default=3600.0, metavar="SECONDS")
    parser.add_argument("--lie", type=Lie, choices=list(Lie), default=Lie.NONE)
    told = parser.parse_args(words)
    return Settings(
        **vars(told),
        drain_limit=float(environment.get("CHRONIK_DRAIN_TIMEOUT", "10")),
        transfer_limit=float(environment.get("CHRONIK_TRANSFER_TIMEOUT", "30")),
        sync_limit=float(environment.get("CHRONIK_WAL_SYNC_TIMEOUT", "5")),
        join_limit=float(environment.get("CHRONIK_JOIN_TIMEOUT", "30")),
        api_key=environment.get("CHRONIK_ADMIN_API_KEY", ""),
    )


def _peers(text: str) -> dict[int, str]:
    pairs = (one.split("=") for one in text.split(","))
    return {int(node): address for node, address in pairs}


def _topics(text: str) -> dict[str, int]:
    pairs = (one.rsplit(":", 1) for one in text.split(","))
    return {topic: int(count) for topic, count in pairs}
