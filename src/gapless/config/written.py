"""The project as the rest of the program wants it: ranges written out, paths made absolute."""

from __future__ import annotations

import os.path
from pathlib import Path

from gapless.config.balancers import BalancerConfig
from gapless.config.git_url import is_path
from gapless.config.groups import Groups, groups_of, hosts_on, named
from gapless.config.hosts import HostConfig
from gapless.config.project import ProjectConfig
from gapless.config.ranges import expand
from gapless.config.releases import ReleaseConfig
from gapless.config.services import ServiceConfig
from gapless.config.templates import ConfigFileConfig
from gapless.config.verify import VerifyConfig


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
    if not balancer.on:
        return balancer
    placed = balancer.driver.model_copy(update={"on": hosts_on(balancer.on, hosts, groups)})
    return balancer.model_copy(update={balancer.kind: placed})


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
    if service.release:
        changes["release"] = _local(service.release, folder)
    if service.systemd and service.systemd.file:
        file = _from(folder, service.systemd.file)
        changes["systemd"] = service.systemd.model_copy(update={"file": file})
    if any(entry.openapi and not entry.openapi.is_url for entry in service.verify):
        changes["verify"] = tuple(_description(folder, entry) for entry in service.verify)
    if service.config:
        changes["config"] = tuple(_file(folder, file) for file in service.config)
    return service.model_copy(update=changes) if changes else service


def _description(folder: Path, entry: VerifyConfig) -> VerifyConfig:
    openapi = entry.openapi
    if openapi is None or openapi.is_url:
        return entry
    there = openapi.model_copy(update={"spec": _from(folder, openapi.spec)})
    return entry.model_copy(update={"openapi": there})


def _file(folder: Path, file: ConfigFileConfig) -> ConfigFileConfig:
    key = "template" if file.template else "file"
    return file.model_copy(update={key: _from(folder, file.source)})


def _local(release: ReleaseConfig, folder: Path) -> ReleaseConfig:
    """Its source, when that is a path of this machine."""
    paths = {"directory": release.directory}
    if release.git and is_path(release.git):
        paths["git"] = release.git
    if release.archive and not release.archive.startswith("https://"):
        paths["archive"] = release.archive
    changes = {key: _from(folder, path) for key, path in paths.items() if path}
    return release.model_copy(update=changes) if changes else release


def _from(folder: Path, path: str) -> str:
    return str(folder / os.path.expanduser(path))  # noqa: PTH111 - ~nobody stays as it is
