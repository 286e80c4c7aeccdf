"""Which hosts a service runs on, and which of them a person means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property

from gapless.config.groups import Groups, groups_of, hosts_on
from gapless.config.hosts import HostConfig
from gapless.config.problems import did_you_mean
from gapless.config.project import ProjectConfig
from gapless.errors import UsageError
from gapless.inventory.selection import select
from gapless.model import Instance
from gapless.places import machine_of, places_on


class Inventory:
    """The hosts of a project by name, group and service; every order is that of the file."""

    def __init__(self, project: ProjectConfig) -> None:
        self.hosts: Mapping[str, HostConfig] = project.hosts
        self.groups: Groups = groups_of(project.hosts)
        self._services = project.services
        self._placed: dict[str, tuple[str, ...]] = {}

    def hosts_of(self, service: str) -> tuple[str, ...]:
        """Hosts that run an instance of the service, each once; where they run several, the places
        of these."""
        if service not in self._placed:
            one = self._services[service]
            hosts = hosts_on(one.on, self.hosts, self.groups)
            self._placed[service] = places_on(hosts, one.replicas)
        return self._placed[service]

    def instances(self, service: str) -> tuple[Instance, ...]:
        """Every instance of the service."""
        return tuple(Instance(service, host) for host in self.hosts_of(service))

    def select(self, expression: str) -> tuple[str, ...]:
        """Hosts, and places on them, that a ``--hosts`` expression means; UsageError for what means
        nothing."""
        return select(expression, self.hosts, self.groups, self.places)

    def machines(self, expression: str) -> tuple[str, ...]:
        """The hosts of what it means."""
        return tuple(dict.fromkeys(map(machine_of, self.select(expression))))

    def zones(self, places: Iterable[str]) -> dict[str, str]:
        """Of each, "" where nobody knows."""
        return {place: self.hosts[machine_of(place)].zone or "" for place in places}

    @cached_property
    def places(self) -> Mapping[str, tuple[str, ...]]:
        """Host to its places: those of the service that has the most there. None, mostly."""
        most = dict.fromkeys(self.hosts, 1)
        several = [service for service in self._services.values() if service.replicas > 1]
        for service in several:
            for host in hosts_on(service.on, self.hosts, self.groups):
                most[host] = max(most[host], service.replicas)
        return {host: places_on((host,), count) for host, count in most.items() if count > 1}

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
