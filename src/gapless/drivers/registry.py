"""Every driver there is: one line a driver. Modules are imported when they are first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from gapless.clock import Clock
from gapless.config.balancers import BalancerConfig
from gapless.config.hosts import HostConfig
from gapless.config.releases import ReleaseConfig
from gapless.config.services import ServiceConfig
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.releases.base import Release
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Transport

TRANSPORTS: Mapping[str, str] = {
    "local": "gapless.drivers.transports.local:LocalTransport",
    "ssh": "gapless.drivers.transports.ssh:SshTransport",
}
RUNTIMES: Mapping[str, str] = {
    "systemd": "gapless.drivers.runtimes.systemd:SystemdRuntime",
    "process": "gapless.drivers.runtimes.process:ProcessRuntime",
    "command": "gapless.drivers.runtimes.command:CommandRuntime",
}
BALANCERS: Mapping[str, str] = {
    "haproxy": "gapless.drivers.balancers.haproxy:HaproxyBalancer",
    "command": "gapless.drivers.balancers.command:CommandBalancer",
}
RELEASES: Mapping[str, str] = {
    "directory": "gapless.drivers.releases.directory:DirectoryRelease",
}


def _driver(table: Mapping[str, str], name: str) -> Any:
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)


def transport(
    name: str, config: HostConfig, connecting: asyncio.Semaphore, *, lasting: bool = False
) -> Transport:
    """The connection to one host; ``connecting`` bounds connections being made at once,
    ``lasting`` says that much will be asked over it."""
    kind = _driver(TRANSPORTS, config.transport)
    made: Transport = (
        kind(name, config)
        if config.transport == "local"
        else kind(name, config, connections=connecting, lasting=lasting)
    )
    return made


def runtime(
    name: str, config: ServiceConfig, address: Callable[[str], str], state: Callable[[str], str]
) -> Runtime:
    """What starts and stops a service; ``address`` gives the address of a host, ``state`` the
    folder in which it keeps what is ours."""
    kind, settings = _chosen(RUNTIMES, config)
    more: dict[str, Any] = {"command": {"address": address}, "process": {"state": state}}
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
    kind, _ = _chosen(BALANCERS, config)
    made: Balancer = _driver(BALANCERS, kind)(name, config, transports, clock, address=address)
    return made


def release(name: str, config: ReleaseConfig, project: str) -> Release:
    """How a service's versions come to hosts."""
    kind, _ = _chosen(RELEASES, config)
    made: Release = _driver(RELEASES, kind)(config, name, project)
    return made


def _chosen(table: Mapping[str, str], config: Any) -> tuple[str, Any]:
    """The one driver key that is set; the models let exactly one through."""
    return next(
        (kind, getattr(config, kind)) for kind in table if getattr(config, kind, None) is not None
    )
