"""The systems of which the benchmark has a cluster, and what each needs."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.clustering.rig import Rig

_BIN = Path(sys.executable).parent
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _needs(*wanted: str) -> Callable[[], str]:
    """Programs on the path, and files where a package has them."""

    def missing() -> str:
        absent = [one for one in wanted if not _is_there(one)]
        return f"not installed: {', '.join(absent)}" if absent else ""

    return missing


def _is_there(wanted: str) -> bool:
    if wanted.startswith("/"):
        return any(Path("/").glob(wanted[1:]))
    return bool(shutil.which(wanted, path=_PATH))


_SYSTEMS: dict[str, tuple[str, Callable[[], str]]] = {
    "etcd": ("etcd.EtcdRig", _needs("etcd")),
    "redis_sentinel": ("redis_sentinel.SentinelRig", _needs("redis-server")),
    "redis_cluster": ("redis_cluster.ClusterRig", _needs("redis-server", "redis-cli")),
    "patroni": (
        "patroni.PatroniRig",
        _needs("patroni", "etcd", "/usr/lib/postgresql/*/bin/postgres"),
    ),
    "nats": ("nats.NatsRig", _needs(f"{_BIN}/nats-server")),
    "nats_debian": ("nats.DebianNatsRig", _needs("nats-server")),
    "rabbitmq": ("rabbitmq.RabbitRig", _needs("/usr/lib/rabbitmq/bin/rabbitmq-server")),
    "zookeeper": ("zookeeper.ZooKeeperRig", _needs("java", "/usr/share/java/zookeeper.jar")),
}
NAMES = tuple(_SYSTEMS)
SHORT = ("etcd", "redis_sentinel")
"""Those of ``--short``: they start in a moment."""
KILLED = ("etcd", "redis_sentinel", "nats")
"""Those in whose rolls the controller is killed."""


def missing(system: str) -> str:
    """What is not installed; "" where all is."""
    return _SYSTEMS[system][1]()


def rig(system: str, folder: Path) -> Rig:
    """A cluster of it; nothing runs yet."""
    module, _, kind = _SYSTEMS[system][0].partition(".")
    made: Any = getattr(importlib.import_module(f"bench.clustering.{module}"), kind)
    found: Rig = made(folder)
    return found
