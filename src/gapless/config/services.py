"""``services:`` — what is restarted and deployed."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from gapless.config.base import Section
from gapless.config.health import HealthConfig
from gapless.config.quantities import Argv, Duration
from gapless.config.releases import MigrateConfig, ReleaseConfig
from gapless.config.rollout import RolloutConfig


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, dict)) else value


class SystemdConfig(Section):
    """A systemd unit."""

    unit: str
    """Unit name; ``.service`` may be left out."""
    reload: Literal["no", "try", "only"] = "no"
    """``try``: reload first and restart when that is not possible; ``only``: never restart."""
    file: str | None = None
    """Unit file on the machine gapless runs on, installed by deploy and taken back by rollback."""
    command_timeout: Duration = 10.0
    """Limit of each systemctl call; stop and start get the unit's own limits on top."""

    @model_validator(mode="before")
    @classmethod
    def _suffix(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"unit": data}
        if isinstance(data, dict) and isinstance(data.get("unit"), str):
            name = data["unit"]
            if "." not in name or name.rsplit(".", 1)[1] not in _UNIT_TYPES:
                data = {**data, "unit": f"{name}.service"}
        return data


_UNIT_TYPES = frozenset(("service", "socket", "target", "timer", "mount", "path", "slice", "scope"))


class CommandRuntimeConfig(Section):
    """Anything that has commands to start and stop it."""

    start: Argv
    stop: Argv
    status: Argv
    """Exits 0 while it runs and prints an identity that changes when it is replaced."""
    reload: Argv | None = None
    timeout: Duration = 60.0
    """Limit of each command."""


class ServiceConfig(Section):
    """One service: where it runs, what runs it, how to tell that it is healthy."""

    on: Annotated[tuple[str, ...], BeforeValidator(_listed)]
    """Groups or hosts that run one instance each."""
    systemd: SystemdConfig | None = None
    """Unit name, or a mapping."""
    command: CommandRuntimeConfig | None = None
    after: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Services that must be done (and healthy) first."""
    health: Annotated[tuple[HealthConfig, ...], BeforeValidator(_listed)] = ()
    """One check or a list; defaults.health fills what is not said."""
    soak: Duration | None = None
    """How long a new instance is watched; default: defaults.soak."""
    balancer: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Balancers that send traffic to it."""
    release: ReleaseConfig | None = None
    migrate: MigrateConfig | None = None
    rollout: RolloutConfig = RolloutConfig()
    verify: Annotated[tuple[HealthConfig, ...], BeforeValidator(_listed)] = ()
    """Checks asked once after the soak; a failure undoes the instance."""
    expected: Duration | None = None
    """Time one instance takes, for the plan's estimate until history knows better."""

    @model_validator(mode="after")
    def _one_runtime(self) -> Self:
        if (self.systemd is None) == (self.command is None):
            raise ValueError("give exactly one of systemd, command")
        return self


class DefaultsConfig(Section):
    """What services fall back to."""

    health: dict[str, Any] = Field(
        default_factory=lambda: {
            "timeout": "30s",
            "interval": "2s",
            "retries": 3,
            "retry_delay": "5s",
        }
    )
    """Timing keys of health (timeout, interval, retries …)."""
    soak: Duration = 30.0
    rollout: dict[str, Any] = Field(default_factory=dict)
    """Keys of rollout."""
    parallel: Annotated[int, Field(ge=1)] = 10
    """Services in work at the same time."""
    connections: Annotated[int, Field(ge=1)] = 30
    """Connections being made at the same time."""
    deadline: Duration = 0.0
    """Limit of a whole rollout; 0: none."""
    host_deadline: Duration = 900.0
    """Limit of all steps on one instance."""
