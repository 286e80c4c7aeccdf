"""The project as the rest of the program wants it: ranges written out, paths made absolute."""

from __future__ import annotations

import os.path
from pathlib import Path

from gapless.config.balancers import BalancerConfig
from gapless.config.groups import Groups, groups_of, hosts_on, named
from gapless.config.hosts import HostConfig
from gapless.config.project import ProjectConfig
from gapless.config.ranges import expand
from gapless.config.services import ServiceConfig


def written_out(project: ProjectConfig, folder: Path) -> ProjectConfig:
    """Hosts one by one, balancers on host names, local paths seen from the file's folder."""
    hosts = {name: host for pattern, host in project.hosts.items() for name in expand(pattern)}
    groups = groups_of(hosts)
    return project.model_copy(
        update={
            "hosts": hosts,
            "balancers": {
                name: _on_hosts(balancer, hosts, groups)
                for name, balancer in project.balancers.items()
            },
            "services": {
                name: _absolute(_placed(service, hosts, groups), folder)
                for name, service in project.services.items()
            },
        }
    )


def _on_hosts(
    balancer: BalancerConfig, hosts: dict[str, HostConfig], groups: Groups
) -> BalancerConfig:
    kind = "haproxy" if balancer.haproxy else "command"
    driver = balancer.haproxy or balancer.command
    if driver is None or not driver.on:
        return balancer
    placed = driver.model_copy(update={"on": hosts_on(driver.on, hosts, groups)})
    return balancer.model_copy(update={kind: placed})


def _placed(service: ServiceConfig, hosts: dict[str, HostConfig], groups: Groups) -> ServiceConfig:
    """Ranges and ``all`` become host names; hosts and groups stay as they are."""
    if all(word in hosts or word in groups for word in service.on):
        return service
    on: dict[str, None] = {}
    for word in service.on:
        known = word in hosts or word in groups
        on.update(dict.fromkeys((word,) if known else named(word, hosts, groups) or ()))
    return service.model_copy(update={"on": tuple(on)})


def _absolute(service: ServiceConfig, folder: Path) -> ServiceConfig:
    changes: dict[str, object] = {}
    if service.release and service.release.directory:
        directory = _from(folder, service.release.directory)
        changes["release"] = service.release.model_copy(update={"directory": directory})
    if service.systemd and service.systemd.file:
        file = _from(folder, service.systemd.file)
        changes["systemd"] = service.systemd.model_copy(update={"file": file})
    return service.model_copy(update=changes) if changes else service


def _from(folder: Path, path: str) -> str:
    return str(folder / os.path.expanduser(path))  # noqa: PTH111 - ~nobody stays as it is
