"""Two copies of one instance in slots a and b: what has to differ between them, and who can have
them."""

from __future__ import annotations

from collections.abc import Iterator

from gapless.config.health import HealthConfig
from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig

_SLOT = "{slot"
_ADDRESS = "{address}"


def check_slots(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """What a service with two slots, or one that wants them, cannot have."""
    if not service.paired:
        yield from _without(path, service)
        return
    systemd = service.systemd
    if systemd is not None and systemd.file and "@" not in systemd.unit:
        text = f"one unit file cannot be both units of '{systemd.unit}'"
        yield Finding((*path, "systemd", "file"), text, "write a template unit, as app@{slot}")
    if service.in_place:
        return
    yield from _as_one_set(path, service)
    yield from _queries(path, service)
    if systemd is not None and systemd.reload != "no":
        text = f"reload: {systemd.reload} keeps the copy that runs"
        yield Finding((*path, "systemd", "reload"), text, "write rollout: {strategy: rolling}")
    containers = service.containers
    own_addresses = containers is not None and containers.reach == "container"
    for index, check in enumerate(service.health):
        for key, asked in asked_at(check):
            if _SLOT not in asked and not (own_addresses and _ADDRESS in asked):
                text = f"{key}: '{asked}' is the same for both copies: either could answer"
                hint = "let it differ, as in {slot:3001|3002}"
                hint = "ask it at its own: {address}" if own_addresses else hint
                yield Finding((*path, "health", index, key), text, hint)


def _queries(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    """Errors are counted of an instance, whichever copy of it they come from."""
    for index, entry in enumerate(service.verify):
        section = getattr(entry, entry.kind) if entry.kind else None
        if section is not None and _SLOT in section.model_dump_json():
            text = f"{entry.kind}: a count is of both copies of an instance, {{slot}} is of one"
            hint = "write what fits both, as :(3001|3002) in a regular expression"
            yield Finding((*path, "verify", index, entry.kind), text, hint)


def _as_one_set(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    rollout = service.rollout
    if service.strategy != "blue-green":
        if rollout.park:
            text = "park: only blue-green keeps an old set"
            yield Finding((*path, "rollout", "park"), text, "write strategy: blue-green")
        return
    if not service.balancer:
        text = "blue-green: there is no traffic to switch"
        yield Finding((*path, "rollout", "strategy"), text, "name a balancer")
    for key in ("canary", "groups", "batch"):
        if key in rollout.model_fields_set and getattr(rollout, key):
            text = f"{key}: blue-green switches all instances at once"
            yield Finding((*path, "rollout", key), text, "leave it out, or write start-first")


def _without(path: Path, service: ServiceConfig) -> Iterator[Finding]:
    if not service.in_place:
        text = f"{service.strategy}: there is but one copy of an instance"
        hint = f"write it as a pair: {_example(service)}"
        yield Finding((*path, "rollout", "strategy"), text, hint)
    for index, check in enumerate(service.health):
        for key, asked in asked_at(check):
            if _SLOT in asked:
                text = f"{key}: {{slot}} means nothing here: there is but one copy of an instance"
                hint = f"slots are those of a pair: {_example(service)}"
                yield Finding((*path, "health", index, key), text, hint)


def _example(service: ServiceConfig) -> str:
    return "process: {name: app-{slot}}" if service.process else "systemd: app@{slot}"


def asked_at(check: HealthConfig) -> Iterator[tuple[str, str]]:
    """Where a check asks."""
    http = check.http_check
    if http is not None:
        yield "http", f"{http.url} {http.unix or ''}".strip()
    if check.tcp is not None:
        yield "tcp", check.tcp
    if check.unix is not None:
        yield "unix", check.unix
