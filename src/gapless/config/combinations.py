"""Combinations of settings that can never work, each allowed by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from gapless.config.health import HealthConfig
from gapless.config.hosts import HostConfig
from gapless.config.quantities import resolve_amount
from gapless.config.ranges import expand, is_range
from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig

_CREDENTIALS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]*@")


def check_service(name: str, service: ServiceConfig, total: int) -> Iterator[Finding]:
    """What one service asks for and cannot have."""
    path: Path = ("services", name)
    yield from _amounts(path, service, total)
    yield from _reload(path, service)
    yield from _questions(path, service)
    if service.release and not PurePosixPath(service.release.to).is_absolute():
        text = f"to: '{service.release.to}' must be an absolute path on the host"
        yield Finding((*path, "release", "to"), text)


def _amounts(path: Path, service: ServiceConfig, total: int) -> Iterator[Finding]:
    rollout = service.rollout
    if rollout.batch == 0:
        yield Finding((*path, "rollout", "batch"), "batch: 0 replaces nothing", "write 1 or more")
    if rollout.max_unavailable == 0:
        text = "max_unavailable: 0 leaves nothing to replace in place"
        yield Finding((*path, "rollout", "max_unavailable"), text, "write 1 or more")
        return
    batch = resolve_amount(rollout.batch, total, at_least=1)
    limit = resolve_amount(rollout.max_unavailable, total, at_least=1)
    if batch > limit and {"batch", "max_unavailable"} <= rollout.model_fields_set:
        text = f"batch {rollout.batch} of {total} instances is more than max_unavailable allows"
        hint = f"{batch} at a time, {limit} may be out; raise max_unavailable or lower batch"
        yield Finding((*path, "rollout", "batch"), text, hint)


def _reload(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    systemd = service.systemd
    if systemd and systemd.reload == "only" and systemd.file:
        text = "reload: only never restarts, so the unit file would not take effect"
        yield Finding((*path, "systemd", "reload"), text, "write try or no")


def _questions(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    for key, entries in (("health", service.health), ("verify", service.verify)):
        for index, entry in enumerate(entries):
            place = (*path, key, index)
            if key == "verify" and not entry.questions:
                hint = "give one of http, tcp, unix, command"
                yield Finding(place, "verify asks nothing", hint)
            if _CREDENTIALS.match(_url(entry)):
                hint = "everyone who reads a plan would see it"
                yield Finding((*place, "http"), "the URL holds a password", hint)


def _url(entry: HealthConfig) -> str:
    check = entry.http_check
    return check.url if check else ""


def check_host(pattern: str, host: HostConfig) -> Iterator[Finding]:
    """A range whose hosts would all be the same machine."""
    if host.address and is_range(pattern) and len(expand(pattern)) > 1:
        text = f"all hosts of '{pattern}' would have the address {host.address}"
        yield Finding(("hosts", pattern, "address"), text, "give each its own line")


def check_units(
    services: Mapping[str, ServiceConfig], hosts: Mapping[str, tuple[str, ...]]
) -> Iterator[Finding]:
    """Two services that are the same unit on the same host."""
    owner: dict[tuple[str, str], str] = {}
    told: set[tuple[str, str]] = set()
    for name, service in services.items():
        unit = service.systemd.unit if service.systemd else ""
        for host in hosts[name] if unit else ():
            first = owner.setdefault((unit, host), name)
            if first != name and (first, name) not in told:
                told.add((first, name))
                text = f"'{name}' and '{first}' are both {unit} on {host}"
                yield Finding(("services", name, "systemd"), text)
