"""The file by which a deploy says what an instance is: a unit file, a run file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gapless.config.services import ServiceConfig
from gapless.drivers.runtimes.unit_file import read_unit_file


@dataclass(frozen=True, slots=True)
class Brought:
    """Its name on the host, what is in it, and who may read it."""

    name: str
    content: bytes
    mode: int = 0o644


def brings(service: ServiceConfig) -> bool:
    """Whether a deploy of the service brings one."""
    return service.process is not None or bool(service.systemd and service.systemd.file)


def brought(name: str, service: ServiceConfig) -> Brought | None:
    """What it brings now. Raises Refused when that cannot be read."""
    if service.process is not None:
        hands_over = service.handover is not None
        run_file = service.process.run_file(name, service.release, hands_over=hands_over)
        return Brought(f"{name}.json", run_file, 0o600)
    content = read_unit_file(service.systemd)
    if content is None or service.systemd is None:
        return None
    return Brought(service.systemd.at(1).unit, content)


def brought_digest(name: str, service: ServiceConfig) -> str:
    """sha256 of its content, "" when there is none. Raises Refused as above."""
    found = brought(name, service)
    return "" if found is None else hashlib.sha256(found.content).hexdigest()
