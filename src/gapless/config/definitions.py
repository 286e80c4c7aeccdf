"""The part of a project that a plan carries, so that a rollout never depends on later edits.

Secrets are references in the models already; nothing here resolves them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gapless.config.groups import groups_of, hosts_on
from gapless.config.hosts import HostConfig
from gapless.config.neighbours import neighbours_in
from gapless.config.project import ProjectConfig
from gapless.config.services import ServiceConfig
from gapless.config.source import Loaded
from gapless.plans import Plan


def to_definitions(loaded: Loaded, services: Iterable[str]) -> dict[str, Any]:
    """Plain data of the services, of other clusters on their hosts, of the balancers of all, and
    of all their hosts."""
    project = loaded.project
    wanted = _with_neighbours(project, {name: project.services[name] for name in services})
    balancers = {
        name: project.balancers[name] for service in wanted.values() for name in service.balancer
    }
    part = project.model_copy(update={"hosts": {}, "services": wanted, "balancers": balancers})
    data = part.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    data["hosts"] = _hosts(project, _involved(part, project))
    return {"project": data}


def from_definitions(plan: Plan) -> ProjectConfig:
    """The project a plan was made from, as far as the plan is concerned."""
    data = plan.definitions["project"]
    return ProjectConfig.model_validate({**data, "hosts": _shared(data["hosts"])})


def with_services(
    definitions: Mapping[str, Any], services: Mapping[str, ServiceConfig]
) -> dict[str, Any]:
    """These definitions with other ones of some of their services."""
    dumped = {
        name: service.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for name, service in services.items()
    }
    project = definitions["project"]
    return {
        **definitions,
        "project": {**project, "services": {**project["services"], **dumped}},
    }


def _with_neighbours(
    project: ProjectConfig, services: Mapping[str, ServiceConfig]
) -> dict[str, ServiceConfig]:
    found = [name for names in neighbours_in(project, services).values() for name in names]
    return {**services, **{name: project.services[name] for name in found}}


def _involved(part: ProjectConfig, project: ProjectConfig) -> frozenset[str]:
    groups = groups_of(project.hosts)
    found: set[str] = set()
    for service in part.services.values():
        found.update(hosts_on(service.on, project.hosts, groups))
        if service.release and service.release.build and service.release.build.on:
            found.add(service.release.build.on)
    for balancer in part.balancers.values():
        found.update(balancer.on)
    return frozenset(found)


def _hosts(project: ProjectConfig, names: frozenset[str]) -> dict[str, Any]:
    """Hosts of one range share one object: it is dumped once."""
    dumped: dict[int, dict[str, Any]] = {}
    out = {}
    for name, host in project.hosts.items():
        if name in names:
            if id(host) not in dumped:
                dumped[id(host)] = host.model_dump(
                    mode="json", by_alias=True, exclude_defaults=True
                )
            out[name] = dumped[id(host)]
    return out


def _shared(hosts: Mapping[str, Any]) -> dict[str, HostConfig]:
    """Equal hosts are validated once and shared."""
    seen: dict[str, HostConfig] = {}
    out = {}
    for name, data in hosts.items():
        key = json.dumps(data, sort_keys=True)
        if key not in seen:
            seen[key] = HostConfig.model_validate(data)
        out[name] = seen[key]
    return out
