"""``balancers:`` — what sends traffic to instances."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv, Count, Duration, Flag, Limit, Names


class HaproxyConfig(Section):
    """HAProxy's runtime API on one or several nodes."""

    socket: str
    """Admin socket: a path on the node, or ``host:port``."""
    on: Names = ()
    """Hosts that run it; default: the machine gapless runs on."""
    backend: str
    """Backend with one server line per instance."""
    server: str = "{name}"
    """Server name in the backend; {host} is the host's full name, {name} its first label,
    {service} the service."""
    shutdown_sessions: Flag = False
    """Whether connections left at the drain limit are cut by HAProxy."""


class CommandBalancerConfig(Section):
    """Any balancer that has a command. {host}, {name}, {service}, {address} are filled in."""

    drain: Argv
    """Takes the instance out; must be harmless when it is out already."""
    admit: Argv
    """Puts the instance back; must be harmless when it is in already."""
    state: Argv | None = None
    """Prints up, drained, draining (with a number of connections, if known) or down."""
    on: Names = ()
    """Host that runs the commands; default: the machine gapless runs on."""
    timeout: Limit = 10.0
    """Limit of each command."""


class BalancerConfig(Section):
    """Exactly one driver, and the limits of draining and admitting."""

    haproxy: HaproxyConfig | None = None
    """HAProxy, through its runtime API."""
    command: CommandBalancerConfig | None = None
    """Any other balancer, through commands."""
    drain_timeout: Duration = 30.0
    """How long connections may take to end before on_drain_timeout decides."""
    on_drain_timeout: Literal["proceed", "fail"] = "proceed"
    """What happens to connections still open at the limit: go on (the report counts them) or stop
    and admit again."""
    admit_timeout: Limit = 30.0
    """How long the balancer may take to report the instance up."""
    floor: Count = 0
    """Least number of servers that must be up in it besides the one being drained; HAProxy only.
    The floor of each service is held in any balancer."""

    @model_validator(mode="after")
    def _one_driver(self) -> Self:
        if (self.haproxy is None) == (self.command is None):
            raise ValueError("give exactly one of haproxy, command")
        if self.command is not None and self.floor:
            raise ValueError("floor is held by haproxy only; that of a service is held in any")
        return self
