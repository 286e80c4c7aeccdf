"""Releases that would go to the same folder of the same machine.

Whoever switches the link there switches it for the others, too: they would be called deployed
without having been restarted, and would find nothing to go back to.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from gapless.config.hosts import HostConfig
from gapless.config.references import Finding
from gapless.config.services import ServiceConfig

HERE = "this machine"


def check_folders(
    services: Mapping[str, ServiceConfig],
    places: Mapping[str, tuple[str, ...]],
    hosts: Mapping[str, HostConfig],
) -> Iterator[Finding]:
    """One finding for each service that comes second; ``places``: hosts by service."""
    owner: dict[tuple[str, str], tuple[str, str]] = {}
    for name, service in services.items():
        told = False
        for host in places[name] if service.release else ():
            folder = posixpath.normpath(service.release.to) if service.release else ""
            machine = machine_of(host, hosts.get(host))
            first = owner.setdefault((machine, folder), (name, host))
            if first != (name, host) and not told:
                told = True
                yield _shared(name, host, folder, machine, first)


def _shared(name: str, host: str, folder: str, machine: str, first: tuple[str, str]) -> Finding:
    both = f"'{first[0]}' and '{name}'" if first[0] != name else f"{first[1]} and {host}"
    text = f"to: {both} would share {folder} on {machine}"
    hint = "one release is live in a folder; give each service and host one of its own"
    return Finding(("services", name, "release", "to"), text, hint)


def machine_of(host: str, config: HostConfig | None) -> str:
    """What two names have in common when they are the same machine."""
    if config is None:
        return host
    return HERE if config.transport == "local" else config.address or host
