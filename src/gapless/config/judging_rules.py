"""Watching that never ends in time: an instance is failed at ``host_deadline``, whatever the judge
is still waiting for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gapless.config.quantities import format_duration
from gapless.config.references import Finding
from gapless.config.services import DefaultsConfig, ServiceConfig


def check_patience(
    services: Mapping[str, ServiceConfig], defaults: DefaultsConfig | None
) -> Iterator[Finding]:
    """Every service whose soak, with ``extend``, leaves nothing of the time an instance has."""
    if defaults is None:  # not readable, which is told elsewhere
        return
    limit = defaults.host_deadline
    for name, service in services.items():
        soak = defaults.soak if service.soak is None else service.soak
        judges = [*_extends(service, soak)]
        longest = max(judges, default=0.0)
        held = service.rollout.held
        watched = soak + longest + held
        if limit and watched >= limit:
            parts = ["soak", *(["extend"] if judges else []), *(["shift"] if held else [])]
            verb = "are" if parts[1:] else "is"
            both = f"{' and '.join(parts)} {verb} {format_duration(watched)}"
            text = (
                f"{'verify: ' if judges else ''}{both}{' together' if parts[1:] else ''}, and"
                f" defaults.host_deadline ends all steps of an instance after"
                f" {format_duration(limit)}"
            )
            hint = f"lower {parts[-1]} or raise defaults.host_deadline"
            yield Finding(("services", name, "verify" if judges else "soak"), text, hint)


def _extends(service: ServiceConfig, soak: float) -> Iterator[float]:
    """How much longer than its soak an instance may be watched, by each entry."""
    for entry in service.verify:
        if entry.judge is not None:
            yield entry.judge.extend
        if entry.level is not None:
            yield max(0.0, entry.level.grace - soak) + entry.level.extend
