"""The file that ``gapless init`` writes: commented, short, and right as it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

SCHEMA_FILE = "gapless.schema.json"
EXAMPLE = "example"
"""In place of a unit where none was named."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The five questions of ``init``.

    1. ``project``: its name. 2. ``hosts``: names or ranges, none for this machine. 3. ``units``:
    the systemd units. 4. ``health``: a URL, ``host:port`` or command by unit. 5. ``haproxy``: the
    socket of its runtime API, "" for no balancer; the backend is called as the service.
    """

    project: str
    hosts: tuple[str, ...] = ()
    user: str = ""
    units: tuple[str, ...] = ()
    health: Mapping[str, str] = field(default_factory=dict)
    haproxy: str = ""


def service_name(unit: str) -> str:
    """How a unit's service is called: without ``.service``."""
    return unit.removesuffix(".service")


def write_config(answers: Answers) -> str:
    """gapless.yaml for these answers."""
    return "\n".join(
        [
            f"# yaml-language-server: $schema={SCHEMA_FILE}",
            f"# Written by gapless init. Your editor helps after: gapless schema > {SCHEMA_FILE}",
            "# Next: gapless check, then gapless doctor.",
            "",
            f"project: {_text(answers.project)}",
            "",
            *_hosts(answers),
            "",
            *_DEFAULTS,
            *_balancers(answers),
            "services:",
            *(line for unit in answers.units or (EXAMPLE,) for line in _service(unit, answers)),
            "",
        ]
    )


_DEFAULTS = (
    "# What every service falls back to.",
    "defaults:",
    "  health: {timeout: 30s, interval: 2s, retries: 3, retry_delay: 5s}",
    "  soak: 30s  # how long a new instance is watched before the next one",
    "  rollout: {batch: 1, max_unavailable: 1, max_failed: 0, on_failure: rollback}",
    "",
)


def _hosts(answers: Answers) -> Iterator[str]:
    yield "# Machines by name; web[1:4].example stands for four."
    yield "hosts:"
    if not answers.hosts:
        yield "  localhost: {transport: local, groups: [app]}"
    user = f"user: {_text(answers.user)}, " if answers.user else ""
    for host in answers.hosts:
        yield f"  {_text(host)}: {{{user}groups: [app]}}"


def _balancers(answers: Answers) -> Iterator[str]:
    if answers.haproxy:
        yield "# What sends traffic: instances are taken out of it and put back."
        yield "balancers:"
        for unit in answers.units or (EXAMPLE,):
            name = service_name(unit)
            socket, backend = _text(answers.haproxy), _text(name)
            yield f"  {_text(f'haproxy-{name}')}:"
            yield f"    haproxy: {{socket: {socket}, backend: {backend}}}"
        yield ""


def _service(unit: str, answers: Answers) -> Iterator[str]:
    name = service_name(unit)
    yield f"  {_text(name)}:"
    yield "    on: [app]  # groups or hosts"
    yield f"    systemd: {_text(unit)}"
    if asked := answers.health.get(unit, ""):
        yield f"    health: {{{_health(asked)}}}"
    else:
        yield "    # health: {http: 'http://localhost:8080/health', expect: {status: 200}}"
    if answers.haproxy:
        yield f"    balancer: {_text(f'haproxy-{name}')}"
    yield "    # after: [another-service]"
    yield f"    # release: {{directory: ./dist, to: {_text(f'/srv/{name}')}}}"


def _health(asked: str) -> str:
    if asked.startswith(("http://", "https://")):
        return f"http: {_text(asked)}"
    host, _, port = asked.rpartition(":")
    if port.isdigit() and " " not in asked:
        return "tcp: " + _text(f"{host or 'localhost'}:{port}")
    return f"command: {_text(asked)}"


def _text(word: str) -> str:
    """A word as YAML reads it back as text, also inside brackets."""
    dumped: str = yaml.safe_dump([word], default_flow_style=True, width=10_000)
    return dumped.strip().removeprefix("[").removesuffix("]")
