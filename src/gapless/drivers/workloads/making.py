"""The client of each kind of cluster, made from what ``cluster`` and ``prove.workloads`` say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gapless.config.api_url import ApiTlsConfig
from gapless.config.cluster_kafka import KafkaLoginConfig
from gapless.config.clusters import ClusterConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.workloads.addresses import Addresses
from gapless.drivers.workloads.login import Login
from gapless.prove.workload import Workload


@dataclass(frozen=True, slots=True)
class Wish:
    """``run`` makes the place of this client another one than that of any other."""

    service: str
    cluster: ClusterConfig
    client: WorkloadConfig
    addresses: Addresses
    run: str

    @property
    def prefix(self) -> str:
        """Of keys."""
        return f"{self.client.place}/{self.run}"

    @property
    def name(self) -> str:
        """Where a slash cannot be."""
        return f"{self.client.place}-{self.run}"

    def reached(self, template: str, hosts: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Where clients go."""
        return self.client.addresses or self.addresses(template, hosts)


def workload(wish: Wish) -> Workload | None:
    """The client; None where there is none for that kind of cluster, or nobody says how one
    writes. Raises UsageError where a library is missing."""
    make = MAKERS.get(wish.cluster.kind)
    return make(wish) if make is not None else None


def _etcd(wish: Wish) -> Workload:
    from gapless.drivers.workloads.etcd import EtcdWorkload

    config = wish.cluster.etcd
    assert config is not None
    own = (config.login.user, config.login.password) if config.login else ("", None)
    login = Login(wish.service, wish.client, *own)
    tls = wish.client.tls or config.tls
    return EtcdWorkload(wish.reached(config.url), tls, login, wish.prefix)


def _redis_sentinel(wish: Wish) -> Workload:
    from gapless.drivers.workloads.redis_sentinel import SentinelWorkload

    config = wish.cluster.redis_sentinel
    assert config is not None
    return SentinelWorkload(
        wish.reached(config.sentinel, config.sentinels),
        config.master,
        Login(wish.service, wish.client, config.user, config.password),
        Login(wish.service, WorkloadConfig(), config.sentinel_user, config.sentinel_password),
        wish.prefix,
        tls=wish.client.tls or config.tls,
        sentinel_tls=config.sentinel_tls and (wish.client.tls or config.sentinel_tls),
    )


def _redis_cluster(wish: Wish) -> Workload:
    from gapless.drivers.workloads.redis_cluster import RedisClusterWorkload

    config = wish.cluster.redis_cluster
    assert config is not None
    login = Login(wish.service, wish.client, config.user, config.password)
    tls = wish.client.tls or config.tls
    return RedisClusterWorkload(wish.reached(config.address), login, wish.prefix, tls)


def _patroni(wish: Wish) -> Workload:
    from gapless.drivers.workloads.postgresql import PostgresqlWorkload, need_psycopg

    need_psycopg(wish.service)
    return PostgresqlWorkload(
        wish.reached("{address}:5432"),
        Login(wish.service, wish.client),
        wish.client.database,
        wish.name.replace("-", "_"),
    )


def _nats(wish: Wish) -> Workload:
    from gapless.drivers.workloads.nats import NatsWorkload

    config = wish.cluster.nats
    assert config is not None
    # of several accounts that have streams the first one will do
    account = config.accounts.get("$G") or next(iter(config.accounts.values()), None)
    own = (account.user, account.password) if account else ("", None)
    return NatsWorkload(
        wish.reached(config.address),
        Login(wish.service, wish.client, *own),
        wish.name,
        wish.addresses.count(),
        wish.client.tls or config.client_tls,
        tls_first=config.handshake_first,
    )


def _kafka(wish: Wish) -> Workload:
    from gapless.drivers.workloads.kafka import KafkaWorkload, need_kafka

    config = wish.cluster.kafka
    assert config is not None
    need_kafka(wish.service)
    client, sasl = wish.client, config.sasl
    own = (sasl.user, sasl.password) if sasl else ("", None)
    if sasl is None and client.password is not None:
        sasl = KafkaLoginConfig(user=client.user, password=client.password)
    return KafkaWorkload(
        wish.reached(config.address),
        Login(wish.service, client, *own),
        wish.name,
        wish.addresses.count(),
        client.tls or config.tls,
        sasl,
    )


def _rabbitmq(wish: Wish) -> Workload:
    from gapless.drivers.workloads.rabbitmq import RabbitWorkload

    config = wish.cluster.rabbitmq
    assert config is not None
    own = (config.login.user, config.login.password)
    login = Login(wish.service, wish.client, *own)
    tls = wish.client.tls
    port = 5672 if tls is None else 5671
    return RabbitWorkload(wish.reached(f"{{address}}:{port}"), login, wish.name, tls)


def _zookeeper(wish: Wish) -> Workload:
    from gapless.drivers.workloads.zookeeper import ZooKeeperWorkload

    config = wish.cluster.zookeeper
    assert config is not None
    return ZooKeeperWorkload(wish.reached(config.address), wish.name, wish.client.tls)


def _http(wish: Wish) -> Workload | None:
    from gapless.drivers.workloads.http import HttpWorkload

    chronik = wish.cluster.chronik
    config = chronik.http if chronik is not None else wish.cluster.http
    assert config is not None
    if wish.client.write is None:
        return None
    return HttpWorkload(
        wish.cluster.kind,
        wish.reached(config.url),
        wish.client.tls or config.tls,
        config.headers,
        wish.client,
        wish.name,
    )


def _command(wish: Wish) -> Workload | None:
    from gapless.drivers.workloads.http import HttpWorkload

    if wish.client.write is None:
        return None
    tls = wish.client.tls or ApiTlsConfig()
    return HttpWorkload("command", wish.client.addresses, tls, {}, wish.client, wish.name)


MAKERS: Mapping[str, Callable[[Wish], Workload | None]] = {
    "etcd": _etcd,
    "redis_sentinel": _redis_sentinel,
    "redis_cluster": _redis_cluster,
    "patroni": _patroni,
    "nats": _nats,
    "kafka": _kafka,
    "rabbitmq": _rabbitmq,
    "zookeeper": _zookeeper,
    "chronik": _http,
    "http": _http,
    "command": _command,
}
"""By kind of cluster; one that is not here has no client."""
