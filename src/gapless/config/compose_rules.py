"""What a service of a compose project needs, and what it cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig


def check_compose(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """Where the project is, how it is called, and which strategies there are."""
    compose = service.compose
    if compose is None:
        return
    if not service.compose_folder:
        text = "compose: nothing says where the project is"
        yield Finding((*path, "compose"), text, "write compose: {directory: /srv/shop}")
    elif compose.directory is None and compose.project is None:
        text = "project: compose would call it after the folder, and each release is another one"
        yield Finding((*path, "compose", "project"), text, "write its name")
    if service.strategy == "blue-green":
        text = "blue-green: a container cannot be kept for the way back yet"
        yield Finding((*path, "rollout", "strategy"), text, "write strategy: start-first")
    if service.strategy == "rolling" and compose.reach == "container":
        text = "rolling: a container that is made again is elsewhere"
        yield Finding((*path, "compose", "reach"), text, "publish its port and write reach: host")
