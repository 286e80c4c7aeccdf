"""Which hosts a service runs on, and which of them a person means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from gapless.config.groups import Groups, groups_of, hosts_on
from gapless.config.hosts import HostConfig
from gapless.config.problems import did_you_mean
from gapless.config.project import ProjectConfig
from gapless.errors import UsageError
from gapless.inventory.selection import select
from gapless.model import Instance


class Inventory:
    """The hosts of a project by name, group and service; every order is that of the file."""

    def __init__(self, project: ProjectConfig) -> None:
        self.hosts: Mapping[str, HostConfig] = project.hosts
        self.groups: Groups = groups_of(project.hosts)
        self._services = project.services
        self._placed: dict[str, tuple[str, ...]] = {}

    def hosts_of(self, service: str) -> tuple[str, ...]:
        """Hosts that run an instance of the service, each once."""
        if service not in self._placed:
            on = self._services[service].on
            self._placed[service] = hosts_on(on, self.hosts, self.groups)
        return self._placed[service]

    def instances(self, service: str) -> tuple[Instance, ...]:
        """Every instance of the service."""
        return tuple(Instance(service, host) for host in self.hosts_of(service))

    def select(self, expression: str) -> tuple[str, ...]:
        """Hosts a ``--hosts`` expression means; UsageError for what means nothing."""
        return select(expression, self.hosts, self.groups)

    def services(self, patterns: Iterable[str] = ()) -> tuple[str, ...]:
        """Services by name or glob (all when none is given); UsageError for unknown ones."""
        wanted = list(patterns)
        if not wanted:
            return tuple(self._services)
        found = {name for pattern in wanted for name in self._matching(pattern)}
        return tuple(name for name in self._services if name in found)

    def _matching(self, pattern: str) -> list[str]:
        names = [name for name in self._services if fnmatchcase(name, pattern)]
        if not names:
            hint = did_you_mean(pattern, self._services)
            raise UsageError(
                f"unknown service '{pattern}'{f' — {hint}' if hint else ''}",
                next="gapless plan --offline",
            )
        return names
