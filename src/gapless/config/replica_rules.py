"""Several instances of a service on one host: what tells them apart, and what they cannot share."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig
from gapless.config.slot_rules import asked_at
from gapless.config.slots import NUMBER

_ADDRESS = "{address}"


def check_replicas(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """What a service with ``replicas`` needs, and cannot have."""
    if service.replicas == 1:
        return
    yield from _shared(path, service)
    yield from _counts(path, service)
    systemd, compose = service.systemd, service.compose
    if systemd is not None and NUMBER not in systemd.unit:
        text = f"replicas: {systemd.replicas} instances would be one unit '{systemd.unit}'"
        yield Finding((*path, "systemd", "unit"), text, "write a template unit, as app@{number}")
    elsewhere = compose is None or compose.reach == "host"
    if compose is not None and elsewhere and NUMBER not in "".join(compose.environment.values()):
        text = "replicas: each container needs ports of its own on the host"
        hint = "publish ${WEB_PORT} and write environment: {WEB_PORT: '80{number}{slot:1|2}'}"
        yield Finding((*path, "compose", "environment"), text, hint)
    for index, check in enumerate(service.health):
        for key, asked in asked_at(check):
            if NUMBER not in asked and (elsewhere or _ADDRESS not in asked):
                text = f"{key}: '{asked}' is the same for all {service.replicas} of a host"
                hint = "let it differ, as in :80{number}1" if elsewhere else "ask it at {address}"
                yield Finding((*path, "health", index, key), text, hint)


def _counts(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """One instance is judged by its own errors, compared with those of the others."""
    for index, entry in enumerate(service.verify):
        section = getattr(entry, entry.kind) if entry.kind else None
        if section is None or entry.kind == "balancer_errors":
            continue
        of_unit = entry.kind == "logs" and not section.files and not section.unit
        if not of_unit and NUMBER not in section.model_dump_json():
            text = f"{entry.kind}: counts all {service.replicas} instances of a host, for each"
            hint = "write {number} where they differ; or balancer_errors"
            yield Finding((*path, "verify", index, entry.kind), text, hint)


def _shared(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """What a host has but once: when one instance goes back, it would take the others along."""
    kept = {
        ("release",): service.release,
        ("config",): service.config,
        ("systemd", "file"): service.systemd and service.systemd.file,
    }
    for key, value in kept.items():
        if value:
            text = f"{key[-1]}: the {service.replicas} instances of a host would share it"
            yield Finding((*path, *key), text, "leave it out, or write replicas: 1")
