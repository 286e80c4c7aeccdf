"""What a service of a compose project needs, and what it cannot have."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig


def check_compose(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """Where the project is, and how it is called."""
    compose = service.compose
    if compose is None:
        return
    if not service.compose_folder:
        text = "compose: nothing says where the project is"
        yield Finding((*path, "compose"), text, "write compose: {directory: /srv/shop}")
        return
    if service.compose_inside is not None and compose.project is None:
        text = "project: compose would call it after the folder, and each release is another one"
        yield Finding((*path, "compose", "project"), text, "write its name")
    files = compose.files_in(service.compose_folder)
    for index, file in enumerate(service.config):
        if normpath(file.to) in files:
            text = f"to: {file.to} is what compose is asked for before this brings another one"
            hint = "bring it with a release, or bring its .env"
            yield Finding((*path, "config", index, "to"), text, hint)
