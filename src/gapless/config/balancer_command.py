"""``balancers.NAME.command``."""

from __future__ import annotations

from typing import ClassVar

from gapless.config.balancer_kind import OnHosts
from gapless.config.quantities import Argv, Limit, Names


class CommandBalancerConfig(OnHosts):
    """Any balancer that has a command. <command fields> are filled in."""

    holds_floor: ClassVar[bool] = False

    on: Names = ()
    """Host that runs the commands; default: the machine gapless runs on."""
    drain: Argv
    """Takes the instance out; must be harmless when it is out already."""
    admit: Argv
    """Puts the instance back; must be harmless when it is in already."""
    state: Argv | None = None
    """Prints up, drained, draining (with a number of connections, if known) or down."""
    timeout: Limit = 10.0
    """Limit of each command."""
