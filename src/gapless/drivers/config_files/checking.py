"""What a deploy would find wrong with templates, without reading a secret or asking a host."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.groups import groups_of, hosts_on
from gapless.config.source import Loaded
from gapless.drivers.config_files.rendering import Rendering
from gapless.errors import Problem

_RELEASE = "release"
"""Stands for the name of a release that is not known yet."""


def template_problems(loaded: Loaded) -> Iterator[Problem]:
    """Of every file on every host."""
    project = loaded.project
    rendering, groups = Rendering(project, written=loaded.problem), groups_of(project.hosts)
    for name, service in project.services.items():
        for host in hosts_on(service.on, project.hosts, groups) if service.config else ():
            rendering.files(name, host, _RELEASE if service.release else "")
    yield from rendering.problems()
