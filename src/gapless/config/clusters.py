"""``cluster:`` — a service whose instances are the members of a stateful system."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from gapless.config.base import Section
from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.config.cluster_http import ChronikConfig, HttpClusterConfig
from gapless.config.cluster_redis import RedisClusterConfig, RedisSentinelConfig
from gapless.config.quantities import Limit, Positive


class ClusterConfig(Section):
    """The system, and how long its members may take. Exactly one system is given."""

    etcd: EtcdClusterConfig | None = None
    """etcd; {} for all defaults."""
    redis_sentinel: RedisSentinelConfig | None = None
    """One Redis master with replicas, watched by sentinels."""
    redis_cluster: RedisClusterConfig | None = None
    """Redis Cluster."""
    chronik: ChronikConfig | None = None
    """Chronik; {} for all defaults."""
    http: HttpClusterConfig | None = None
    """Anything that tells over HTTP who leads what."""
    transfer: Limit = 30.0
    """Limit for moving every leadership away from a member that is to be stopped."""
    rejoin: Limit = 30.0
    """How long a member that was restarted may come no nearer to the others; while it catches up it
    is waited for."""
    views: Positive = 3
    """How many times in a row all members have to report it back before the next one is touched."""

    @property
    def kind(self) -> str:
        """Which system."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _one_system(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"give exactly one of {', '.join(KINDS)}")
        return self


KINDS = ("etcd", "redis_sentinel", "redis_cluster", "chronik", "http")
