"""Combinations of settings that can never work, each allowed by itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

from gapless.config.addresses import own_fields
from gapless.config.cluster_rules import check_cluster
from gapless.config.compose_rules import check_compose
from gapless.config.container_rules import check_containers
from gapless.config.handover_rules import check_handover
from gapless.config.health import HealthConfig
from gapless.config.hosts import HostConfig
from gapless.config.process_rules import check as process_objections
from gapless.config.process_service import relative_paths
from gapless.config.quantities import resolve_amount
from gapless.config.ranges import expand, is_range
from gapless.config.references import Finding, Path
from gapless.config.releases import ReleaseConfig
from gapless.config.replica_rules import check_replicas
from gapless.config.services import ServiceConfig
from gapless.config.shift_rules import check_shift
from gapless.config.slot_rules import check_slots
from gapless.config.system_folders import STATE, objection
from gapless.config.verify import KINDS, VerifyConfig

_CREDENTIALS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]*@")


def check_service(
    name: str, service: ServiceConfig, total: int, state: Collection[str] = (STATE,)
) -> Iterator[Finding]:
    """What one service asks for and cannot have; ``state`` as for a release's folder."""
    path: Path = ("services", name)
    yield from _amounts(path, service, total)
    yield from _reload(path, service)
    yield from check_slots(path, service)
    yield from check_compose(path, service)
    yield from check_containers(path, service)
    yield from check_replicas(path, service)
    yield from check_handover(path, service)
    yield from check_cluster(path, service)
    yield from check_shift(path, service)
    yield from _questions(path, service)
    yield from _process((*path, "process"), service)
    if service.release:
        yield from _folder((*path, "release", "to"), service.release, state)
        yield from _kept((*path, "release"), service.release)


def _folder(path: Path, release: ReleaseConfig, state: Collection[str]) -> Iterator[Finding]:
    if not PurePosixPath(release.to).is_absolute():
        yield Finding(path, f"to: '{release.to}' must be an absolute path on the host")
        return
    if filled := own_fields(release.to):
        text = f"to: '{release.to}': {filled[0]} would be the name of a folder"
        yield Finding(path, text, "nothing is filled in here: the folder is the same on each host")
    if why := objection(release.to, state):
        gone = "what is not in the release" if release.in_place else "what older releases left"
        hint = f"gapless removes {gone} there; give it a folder of its own, as /srv/shop/api"
        yield Finding(path, f"to: '{release.to}' {why}", hint)


def _kept(path: Path, release: ReleaseConfig) -> Iterator[Finding]:
    """In place, what is excluded is the host's own: what is built would never arrive."""
    excluded = {name.strip("/") for name in release.exclude}
    for name in release.build.keep if release.build and release.in_place else ():
        if name in excluded:
            text = f"keep: '{name}' is excluded, so in_place leaves the host's own there"
            yield Finding((*path, "build", "keep"), text, f"take {name} out of exclude")


def _amounts(path: Path, service: ServiceConfig, total: int) -> Iterator[Finding]:
    rollout = service.rollout
    if rollout.batch == 0:
        yield Finding((*path, "rollout", "batch"), "batch: 0 replaces nothing", "write 1 or more")
    if not service.in_place:
        return
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


def _process(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """What a run file is told, too; and paths that nobody could follow."""
    if service.process is None:
        return
    for finding in process_objections(service.process):
        yield finding._replace(path=(*path, *finding.path))
    for place, word in relative_paths(service.process) if not service.release else ():
        text = f"{place[0]}: '{word}' must be an absolute path on the host"
        yield Finding((*path, *place), text, "without a release there is no folder to see it from")


def _questions(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    asked = (
        ("health", service.health),
        ("warm", tuple(one.check for one in service.warm)),
        ("verify", service.verify),
    )
    for key, entries in asked:
        for index, entry in enumerate(entries):
            place = (*path, key, index)
            for step, url in _urls(entry):
                if _CREDENTIALS.match(url):
                    hint = "everyone who reads a plan would see it"
                    yield Finding((*place, step), "the URL holds a password", hint)
    for index, verify in enumerate(service.verify):
        yield from _evidence((*path, "verify", index), verify, service)


def _urls(entry: HealthConfig) -> Iterator[tuple[str, str]]:
    """Every address an entry asks, with its key."""
    if entry.http_check:
        yield "http", entry.http_check.url
    if isinstance(entry, VerifyConfig):
        yield from (
            ("endpoints", c.url) for c in (entry.endpoints.checks if entry.endpoints else ())
        )
        for kind in ("openapi", "level", "prometheus", "graphite", "elasticsearch", "loki"):
            section = getattr(entry, kind)
            if section is not None:
                yield kind, section.spec if kind == "openapi" else section.url


def _evidence(path: Path, entry: VerifyConfig, service: ServiceConfig) -> Iterator[Finding]:
    if not entry.questions and not entry.kind:
        hint = "give one of http, tcp, unix, command, " + ", ".join(KINDS)
        yield Finding(path, "verify asks nothing", hint)
    logs = entry.logs
    if logs and not (logs.unit or logs.files or service.systemd):
        hint = "give unit: or files:"
        yield Finding((*path, "logs"), "logs: the service has no unit of its own", hint)
    if entry.balancer_errors:
        named = entry.balancer_errors.balancer
        strange = [name for name in named if name not in service.balancer]
        if not service.balancer or strange:
            text = "balancer_errors: " + (
                f"'{strange[0]}' is not a balancer of the service"
                if strange
                else "the service has no balancer"
            )
            yield Finding((*path, "balancer_errors"), text, "name it under balancer:")


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
        unit = _one_of_a_host(name, service)
        for host in hosts[name] if unit else ():
            first = owner.setdefault((unit, host), name)
            if first != name and (first, name) not in told:
                told.add((first, name))
                text = f"'{name}' and '{first}' are both {unit} on {host}"
                yield Finding(("services", name, "process" if service.process else "systemd"), text)


def _one_of_a_host(name: str, service: ServiceConfig) -> str:
    """What a host can have but once."""
    if service.process:
        return f"process {service.process.name or name}"
    return service.systemd.unit if service.systemd else ""
