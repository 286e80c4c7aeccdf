"""The names one template finds on one host: facts, variables, and references to secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gapless.config.groups import ALL
from gapless.config.project import ProjectConfig
from gapless.config.variables import layered


def names_for(project: ProjectConfig, service: str, host: str, release: str) -> dict[str, Any]:
    """Variables of an instance, and what is so anyhow; ``release`` is the one it is to run."""
    config = project.hosts[host]
    levels = (level.variables for level in _levels(project, service, host))
    return {
        **layered(levels),
        "project": project.project,
        "environment": project.environment or "",
        "service": service,
        "host": host,
        "name": host.partition(".")[0],
        "address": config.address or host,
        "zone": config.zone or "",
        "groups": list(config.groups),
        "release": release,
    }


def references_for(project: ProjectConfig, service: str, host: str) -> Mapping[str, str]:
    """Secret references of an instance, by the name templates use."""
    return layered(level.secrets for level in _levels(project, service, host))


def _levels(project: ProjectConfig, service: str, host: str) -> Iterator[Any]:
    yield project
    for group in (ALL, *project.hosts[host].groups):
        if group in project.groups:
            yield project.groups[group]
    yield project.hosts[host]
    yield project.services[service]
