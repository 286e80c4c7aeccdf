"""What a service whose instances are containers cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig


def check_containers(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """Where one that is made again is found."""
    containers = service.containers
    if containers is None:
        return
    if service.in_place and containers.reach == "container":
        kind = "compose" if service.compose else "docker"
        text = "rolling: a container that is made again is elsewhere"
        yield Finding((*path, kind, "reach"), text, "publish its port and write reach: host")
