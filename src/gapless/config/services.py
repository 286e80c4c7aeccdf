"""``services:`` — what is restarted and deployed."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gapless.config.base import Section
from gapless.config.clusters import ClusterConfig
from gapless.config.compose_service import ComposeConfig
from gapless.config.container_service import ContainerConfig
from gapless.config.docker_service import DockerConfig
from gapless.config.handover_service import HandoverConfig
from gapless.config.health import HealthConfig, HealthTimings
from gapless.config.process_service import ProcessRuntimeConfig, live_folder
from gapless.config.quantities import (
    Argv,
    Duration,
    Limit,
    Names,
    OneOrMany,
    Positive,
    Replicas,
)
from gapless.config.releases import MigrateConfig, ReleaseConfig
from gapless.config.rollout import RolloutConfig
from gapless.config.slots import at_number, in_both
from gapless.config.templates import ConfigFileConfig
from gapless.config.variables import Secrets, Variables
from gapless.config.verify import VerifyConfig
from gapless.config.warming import WarmConfig
from gapless.plans import IN_PLACE

_UNIT_TYPES = frozenset(("service", "socket", "target", "timer", "mount", "path", "slice", "scope"))


def unit_name(name: str) -> str:
    """The full name of a unit: ``.service`` is added when no unit type is given."""
    known = "." in name and name.rsplit(".", 1)[1] in _UNIT_TYPES
    return name if known or not name else f"{name}.service"


_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,255}")


def _known_letters(unit: str) -> str:
    """In both slots, where there are two."""
    if not all(_UNIT.fullmatch(one) for one in in_both(at_number(unit, 1))):
        raise ValueError(f"'{unit}' is not the name of a unit")
    return unit


class SystemdConfig(Section):
    """A systemd unit."""

    unit: Annotated[str, AfterValidator(_known_letters)]
    """Unit name; ``.service`` may be left out. With ``{slot}`` or ``{slot:ONE|OTHER}`` in it there
    are two units, of which one runs: app@{slot} is app@a and app@b. A new one is started before the
    old one is stopped. With ``{number}`` in it there are ``replicas``: worker@{number} is worker@1,
    worker@2 …"""
    replicas: Replicas = 1
    """How many instances of it each host has; their unit has ``{number}`` in its name."""
    reload: Literal["no", "try", "only"] = "no"
    """``try``: reload first and restart when that is not possible; ``only``: never restart."""
    file: str | None = None
    """Unit file on the machine gapless runs on, installed by deploy and taken back by rollback."""
    command_timeout: Limit = 10.0
    """Limit of each systemctl call; stop and start get the unit's own limits on top."""

    @property
    def units(self) -> tuple[str, ...]:
        """One, or one for each slot and number."""
        every = (self.at(number).unit for number in range(1, self.replicas + 1))
        return tuple(dict.fromkeys(unit for one in every for unit in in_both(one)))

    def at(self, number: int) -> SystemdConfig:
        """That of one of several instances on a host."""
        return self.model_copy(update={"unit": at_number(self.unit, number)})

    @property
    def paired(self) -> bool:
        """Whether there are two units of it."""
        return "{slot" in self.unit

    @model_validator(mode="before")
    @classmethod
    def _suffix(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"unit": data}
        if isinstance(data, dict) and isinstance(data.get("unit"), str):
            data = {**data, "unit": unit_name(data["unit"])}
        return data


class CommandRuntimeConfig(Section):
    """Anything that has commands to start and stop it. <command fields> are filled in."""

    start: Argv
    """Starts it; must be harmless when it runs already."""
    stop: Argv
    """Stops it and returns when it has stopped; must be harmless when it does not run."""
    status: Argv
    """Exits 0 while it runs and prints an identity that changes when it is replaced."""
    reload: Argv | None = None
    """Makes it read its configuration again; without it, it is stopped and started."""
    log: Annotated[str, Field(repr=False)] = ""  # no other program for that: see its fingerprint
    """File on the host that it writes its log to: its last lines are shown when it fails, after
    what the commands themselves wrote."""
    timeout: Limit = 60.0
    """Limit of each command."""


class ServiceConfig(Section):
    """One service: where it runs, what runs it, how to tell that it is healthy."""

    on: Names
    """Groups, hosts or host ranges that run it: one instance each, or ``replicas`` of them."""
    systemd: SystemdConfig | None = None
    """Unit name, or a mapping."""
    process: ProcessRuntimeConfig | None = None
    """A process that gapless itself supervises and flips; the keys of a run file."""
    compose: ComposeConfig | None = None
    """A service of a compose project on the host: its folder, or a mapping."""
    docker: DockerConfig | None = None
    """A container without compose: its image, or a mapping."""
    command: CommandRuntimeConfig | None = None
    """Commands that start and stop it, for everything else."""
    after: Names = ()
    """Services that must be done (and healthy) first."""
    health: Annotated[tuple[HealthConfig, ...], OneOrMany()] = ()
    """One check or a list; defaults.health fills what is not said."""
    soak: Duration | None = None
    """How long a new instance is watched; default: defaults.soak."""
    balancer: Names = ()
    """Balancers that send traffic to it."""
    handover: HandoverConfig | None = None
    """How two copies of a program that holds connections of its own change places; {} for all
    defaults. The program speaks handover/1."""
    cluster: ClusterConfig | None = None
    """The stateful system that its instances are members of: they are restarted followers first."""
    release: ReleaseConfig | None = None
    """What deploy brings; without it the service is only restarted."""
    config: tuple[ConfigFileConfig, ...] = ()
    """Configuration files that deploy brings and takes back together with the release."""
    variables: Variables = Field(default_factory=dict)
    """Values for the templates of this service; they win over those of project, group and host."""
    secrets: Secrets = Field(default_factory=dict)
    """Secret references that its templates find as ``secrets.NAME``."""
    warm: Annotated[tuple[WarmConfig, ...], OneOrMany()] = ()
    """Requests that fill the caches of a new instance before it is let into traffic."""
    migrate: MigrateConfig | None = None
    """Schema change before the first instance."""
    rollout: RolloutConfig = RolloutConfig()
    """Order, batches and what happens on failure; defaults.rollout fills what is not said."""
    verify: Annotated[tuple[VerifyConfig, ...], OneOrMany()] = ()
    """What is asked before a balancer admits the instance, and again after the soak; a failure
    undoes the instance."""
    expected: Duration | None = None
    """Time one instance takes, for the plan's estimate until history knows better."""

    @property
    def paired(self) -> bool:
        """Whether two copies of an instance can be beside each other."""
        pair = self.systemd or self.process
        return self.containers is not None or (pair is not None and pair.paired)

    @property
    def replicas(self) -> int:
        """How many instances each of its hosts has."""
        several = self.compose or self.systemd
        return several.replicas if several else 1

    @property
    def containers(self) -> ContainerConfig | None:
        """How its instances are reached and ended, where they are containers."""
        return self.compose or self.docker

    @property
    def compose_folder(self) -> str:
        """Where its compose project is, "" where it has none."""
        if self.compose is None:
            return ""
        return self.compose.directory or live_folder(self.release)

    @property
    def compose_inside(self) -> str | None:
        """Where in the live release that is, "." for its top; None where it is elsewhere."""
        live, folder = live_folder(self.release), PurePosixPath(normpath(self.compose_folder))
        if not self.compose_folder or not live or not folder.is_relative_to(live):
            return None
        return str(folder.relative_to(live))

    @property
    def steered(self) -> bool:
        """Whether its instances are let in and taken out: by balancers, or by the copies'
        handover."""
        return bool(self.balancer) or self.handover is not None

    @property
    def strategy(self) -> str:
        """How its instances are replaced."""
        if self.rollout.strategy is None and self.handover is not None:
            return "handover"
        if self.rollout.strategy is None and self.cluster is not None:
            return "followers-first"
        return self.rollout.strategy or ("start-first" if self.paired else "rolling")

    @property
    def in_place(self) -> bool:
        """Whether there is one copy of each instance at any moment."""
        return self.strategy in IN_PLACE

    @property
    def on_failure(self) -> str:
        """What happens when too many instances fail. Of a cluster that is not well nobody stops one
        member after another."""
        said = "on_failure" in self.rollout.model_fields_set
        return self.rollout.on_failure if said or self.cluster is None else "stop"

    @model_validator(mode="after")
    def _one_runtime(self) -> Self:
        kinds = (self.systemd, self.process, self.compose, self.docker, self.command)
        if sum(one is not None for one in kinds) != 1:
            raise ValueError("give exactly one of systemd, process, compose, docker, command")
        return self


class DefaultsConfig(Section):
    """What services fall back to."""

    health: HealthTimings = HealthTimings()
    """Timing keys of health (timeout, interval, retries …)."""
    soak: Duration = 30.0
    """How long a new instance is watched."""
    rollout: RolloutConfig = RolloutConfig()
    """Keys of rollout."""
    parallel: Positive = 10
    """Services in work at the same time."""
    connections: Positive = 30
    """Connections being made at the same time."""
    connected: Positive = 200
    """Connections held at the same time; those that nothing is done over are closed, and made again
    when they are needed."""
    deadline: Duration = 0.0
    """Limit of a whole rollout; 0: none."""
    host_deadline: Duration = 900.0
    """Limit of all steps on one instance; what it waits for others is no part of it."""
