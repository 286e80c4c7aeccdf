"""``cluster:`` — a service whose instances are the members of a stateful system."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from gapless.config.base import Section
from gapless.config.cluster_command import CommandClusterConfig
from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.config.cluster_http import ChronikConfig, HttpClusterConfig
from gapless.config.cluster_kafka import KafkaConfig
from gapless.config.cluster_nats import NatsClusterConfig
from gapless.config.cluster_patroni import PatroniConfig
from gapless.config.cluster_rabbitmq import RabbitClusterConfig
from gapless.config.cluster_redis import RedisClusterConfig, RedisSentinelConfig
from gapless.config.cluster_zookeeper import ZooKeeperConfig
from gapless.config.quantities import Count, Limit, Positive

CHRONIK_STOPS = 10.0 + 30.0 + 5.0
"""Seconds: requests under way, leaderships, what is to be written down (the defaults of its
procedure for rolling restarts)."""


class ClusterConfig(Section):
    """The system, and how long its members may take. Exactly one system is given."""

    etcd: EtcdClusterConfig | None = None
    """etcd; {} for all defaults."""
    redis_sentinel: RedisSentinelConfig | None = None
    """One Redis master with replicas, watched by sentinels."""
    redis_cluster: RedisClusterConfig | None = None
    """Redis Cluster."""
    patroni: PatroniConfig | None = None
    """PostgreSQL under Patroni; {} for all defaults."""
    nats: NatsClusterConfig | None = None
    """NATS with JetStream; {} for all defaults."""
    zookeeper: ZooKeeperConfig | None = None
    """A ZooKeeper ensemble; {} for all defaults."""
    rabbitmq: RabbitClusterConfig | None = None
    """RabbitMQ with the management plugin."""
    kafka: KafkaConfig | None = None
    """Kafka in KRaft mode; {} for all defaults."""
    chronik: ChronikConfig | None = None
    """Chronik; {} for all defaults."""
    http: HttpClusterConfig | None = None
    """Anything that tells over HTTP who leads what."""
    command: CommandClusterConfig | None = None
    """Anything that has a command that prints who leads what."""
    reserve: Count = 1
    """With rollout.batch above 1: how many failures that nobody planned each group is to bear while
    members are down, where it has that much to spare and one more. 0 needs fewer rounds, and a
    failure at the wrong moment costs a quorum."""
    zone_by_zone: bool = False
    """Whether only members of one zone (hosts.NAME.zone) are restarted together."""
    transfer: Limit = 30.0
    """Limit for moving every leadership away from a member that is to be stopped."""
    stop: Limit | None = None
    """How long a member may need to stop, all its stages together: drain, hand over, write down.
    A unit whose TimeoutStopSec is less is refused: systemd would kill it in the middle. Default:
    45s for Chronik (10, 30 and 5); of others the unit's own limit is believed."""
    rejoin: Limit = 30.0
    """How long a member that was restarted may come no nearer to the others; while it catches up it
    is waited for."""
    neighbours: Literal["evacuate", "leave"] = "evacuate"
    """Other clusters of this file that have members on the same hosts, as etcd under Patroni.
    evacuate: each of them has to let its member there be stopped, too, and what that leads is moved
    away before the stop. leave: a stop here touches nothing of theirs, so they are not asked."""
    views: Positive = 3
    """How many times in a row all members have to report it back before the next one is touched."""
    clock_skew: Limit = 0.5
    """How far the clocks of the members' hosts may be apart before one is stopped. Clocks that are
    kept by NTP are apart by milliseconds; leases and timestamps suffer long before elections do."""

    @property
    def kind(self) -> str:
        """Which system."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def stops(self) -> float:
        """Seconds that a member may need to stop; 0 where nobody says."""
        if self.stop is None:
            return CHRONIK_STOPS if self.chronik is not None else 0.0
        return self.stop

    @model_validator(mode="after")
    def _one_system(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"give exactly one of {', '.join(KINDS)}")
        return self


KINDS = (
    "etcd",
    "redis_sentinel",
    "redis_cluster",
    "patroni",
    "nats",
    "zookeeper",
    "rabbitmq",
    "kafka",
    "chronik",
    "http",
    "command",
)
