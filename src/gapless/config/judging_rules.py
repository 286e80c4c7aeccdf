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
    """Every service whose soak and ``extend`` leave nothing of the time an instance has."""
    limit = defaults.host_deadline if defaults is not None else 0.0
    for name, service in services.items():
        judges = [entry.judge for entry in service.verify if entry.judge is not None]
        longest = max((judge.extend for judge in judges), default=0.0)
        watched = (service.soak or 0.0) + longest
        if judges and limit and watched >= limit:
            text = (
                f"verify: soak and extend are {format_duration(watched)} together, and"
                f" defaults.host_deadline ends all steps of an instance after"
                f" {format_duration(limit)}"
            )
            hint = "lower extend or raise defaults.host_deadline"
            yield Finding(("services", name, "verify"), text, hint)
