"""Every driver there is: one line a driver. Modules are imported when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.config.clusters import ClusterConfig
from gapless.config.handover_service import HandoverConfig
from gapless.config.hosts import HostConfig
from gapless.config.judging import JudgeConfig
from gapless.config.releases import ReleaseConfig
from gapless.config.services import ServiceConfig
from gapless.config.verify_levels import LevelConfig
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.checks.levels import LevelSource
from gapless.drivers.checks.rates import RateSource
from gapless.drivers.checks.reach import Reach
from gapless.drivers.clusters.base import Cluster
from gapless.drivers.releases.base import Release
from gapless.drivers.releases.workshop import Workshop
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.held import Held
from gapless.places import named_at

TRANSPORTS: Mapping[str, str] = {
    "local": "gapless.drivers.transports.local:LocalTransport",
    "ssh": "gapless.drivers.transports.ssh:SshTransport",
}
RUNTIMES: Mapping[str, str] = {
    "systemd": "gapless.drivers.runtimes.systemd:SystemdRuntime",
    "systemd pair": "gapless.drivers.runtimes.systemd_pair:SystemdPair",
    "process": "gapless.drivers.runtimes.process:ProcessRuntime",
    "process pair": "gapless.drivers.runtimes.process_pair:ProcessPair",
    "compose": "gapless.drivers.runtimes.compose:ComposePair",
    "docker": "gapless.drivers.runtimes.docker:DockerPair",
    "command": "gapless.drivers.runtimes.command:CommandRuntime",
}
BALANCERS: Mapping[str, str] = {
    "haproxy": "gapless.drivers.balancers.haproxy:HaproxyBalancer",
    "nginx": "gapless.drivers.balancers.nginx:NginxBalancer",
    "caddy": "gapless.drivers.balancers.caddy:CaddyBalancer",
    "consul": "gapless.drivers.balancers.consul:ConsulBalancer",
    "etcd": "gapless.drivers.balancers.etcd:EtcdBalancer",
    "envoy": "gapless.drivers.balancers.envoy:EnvoyBalancer",
    "elbv2": "gapless.drivers.balancers.elbv2:Elbv2Balancer",
    "traefik": "gapless.drivers.balancers.traefik:TraefikBalancer",
    "traefik_labels": "gapless.drivers.balancers.traefik_labels:TraefikLabelsBalancer",
    "ipvs": "gapless.drivers.balancers.ipvs:IpvsBalancer",
    "command": "gapless.drivers.balancers.command:CommandBalancer",
}
CLUSTERS: Mapping[str, str] = {
    "etcd": "gapless.drivers.clusters.etcd:EtcdCluster",
    "redis_sentinel": "gapless.drivers.clusters.redis_sentinel:RedisSentinel",
    "redis_cluster": "gapless.drivers.clusters.redis_cluster:RedisCluster",
    "patroni": "gapless.drivers.clusters.patroni:PatroniCluster",
    "nats": "gapless.drivers.clusters.nats:NatsCluster",
    "zookeeper": "gapless.drivers.clusters.zookeeper:ZooKeeper",
    "rabbitmq": "gapless.drivers.clusters.rabbitmq:RabbitCluster",
    "kafka": "gapless.drivers.clusters.kafka:KafkaCluster",
    "chronik": "gapless.drivers.clusters.http_cluster:Chronik",
    "http": "gapless.drivers.clusters.http_cluster:HttpCluster",
    "command": "gapless.drivers.clusters.command:CommandCluster",
}
SEATS: Mapping[str, str] = {
    "folder": "gapless.drivers.handover.folder:SharedFolder",
    "seat": "gapless.drivers.handover.seat:Seat",
}
RELEASES: Mapping[str, str] = {
    "directory": "gapless.drivers.releases.directory:DirectoryRelease",
    "git": "gapless.drivers.releases.git:GitRelease",
    "archive": "gapless.drivers.releases.archive:ArchiveRelease",
}
LEVELS: Mapping[str, str] = {
    "level": "gapless.drivers.checks.prometheus_level:PrometheusLevel",
}
RATES: Mapping[str, str] = {
    "logs": "gapless.drivers.checks.logs:make_sources",
    "prometheus": "gapless.drivers.checks.prometheus:make_sources",
    "graphite": "gapless.drivers.checks.graphite:make_sources",
    "elasticsearch": "gapless.drivers.checks.elasticsearch:make_sources",
    "loki": "gapless.drivers.checks.loki:make_sources",
    "balancer_errors": "gapless.drivers.checks.balancer_errors:make_sources",
}


def _driver(table: Mapping[str, str], name: str) -> Any:
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)


def transport(
    name: str, config: HostConfig, connections: Held, *, lasting: bool = False
) -> Transport:
    """The connection to one host; ``connections`` bounds those made and held at once,
    ``lasting`` says that much will be asked over it."""
    kind = _driver(TRANSPORTS, config.transport)
    made: Transport = (
        kind(name, config)
        if config.transport == "local"
        else kind(name, config, connections=connections, lasting=lasting)
    )
    return made


def runtime(
    name: str,
    config: ServiceConfig,
    address: Callable[[str], str],
    state: Callable[[str], str],
    number: int = 1,
    *,
    project: str,
) -> Runtime:
    """What starts and stops a service; ``address`` gives the address of a host, ``state`` the
    folder in which it keeps what is ours; ``number``: which of several instances on a host;
    ``project``: the name of ours."""
    kind, settings = _chosen(RUNTIMES, config)
    if config.systemd is not None and config.systemd.paired:
        kind = "systemd pair"
    if config.process is not None and config.process.paired:
        kind = "process pair"
    if config.systemd is not None:
        settings = config.systemd.at(number)
    more: dict[str, Any] = {
        "systemd": {
            "release": config.release,
            "stops": config.cluster.stops if config.cluster else 0.0,
        },
        "systemd pair": {
            "release": config.release,
            "hands_over": config.handover is not None,
        },
        "command": {"address": address},
        "process": {"state": state},
        "process pair": {"state": state},
        "compose": {
            "folder": config.compose_folder,
            "alone": config.in_place,
            "place": number,
            "inside": config.compose_inside,
            "changing": config.compose_inside is not None or bool(config.config),
        },
        "docker": {"project": project, "alone": config.in_place},
    }
    made: Runtime = _driver(RUNTIMES, kind)(settings, name, **more.get(kind, {}))
    return made


def balancer(
    name: str,
    config: BalancerConfig,
    transports: Callable[[str], Transport],
    clock: Clock,
    address: Callable[[str], str],
) -> Balancer:
    """A named balancer; ``transports`` gives the way to its nodes, "" this machine."""
    made: Balancer = _driver(BALANCERS, config.kind)(
        name, config, transports, clock, address=address
    )
    return made


def cluster(
    name: str,
    config: ClusterConfig,
    hosts: Sequence[str],
    transports: Callable[[str], Transport],
    clock: Clock,
    *,
    address: Callable[[str], str],
) -> Cluster:
    """The cluster that a service is; ``hosts`` are those of its instances."""
    settings = getattr(config, config.kind)
    made: Cluster = _driver(CLUSTERS, config.kind)(
        name, settings, hosts, transports, clock, address=address
    )
    return made


def seat(
    name: str,
    config: HandoverConfig,
    *,
    runtime: Callable[[str], Runtime],
    transports: Callable[[str], Transport],
    clock: Clock,
    project: str,
    state: Callable[[str], str],
) -> Balancer:
    """What has the copies of a service hand over to each other; ``state`` gives the folder in which
    a host keeps what is ours: beside it the copies have one of their own."""

    def path(host: str) -> str:
        return named_at(config.directory or f"{state(host)}-handover/{project}.{name}", host)

    folder = _driver(SEATS, "folder")(name, config, runtime, transports, clock, path)
    made: Balancer = _driver(SEATS, "seat")(folder)
    return made


def release(name: str, config: ReleaseConfig, workshop: Workshop) -> Release:
    """How a service's versions come to hosts; ``workshop`` is where they are made."""
    kind, _ = _chosen(RELEASES, config)
    made: Release = _driver(RELEASES, kind)(config, name, workshop)
    return made


def rates(config: ServiceConfig, reach: Reach) -> tuple[tuple[JudgeConfig, RateSource], ...]:
    """What counts the errors of a service, each with the keys that say how it is judged."""
    return tuple(
        (entry.judge, source)
        for entry in config.verify
        if entry.judge is not None
        for source in _driver(RATES, entry.kind)(getattr(entry, entry.kind), reach)
    )


def levels(config: ServiceConfig, reach: Reach) -> tuple[tuple[LevelConfig, LevelSource], ...]:
    """What has to be back after each instance of a service, and who knows it."""
    return tuple(
        (entry.level, _driver(LEVELS, entry.kind)(entry.level, reach))
        for entry in config.verify
        if entry.level is not None
    )


def _chosen(table: Mapping[str, str], config: Any) -> tuple[str, Any]:
    """The one driver key that is set; the models let exactly one through."""
    return next(
        (kind, getattr(config, kind)) for kind in table if getattr(config, kind, None) is not None
    )
