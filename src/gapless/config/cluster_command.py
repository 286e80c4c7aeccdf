"""Keys of a cluster that only its own commands know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv, Count, Limit


class ClusterOrderConfig(Section):
    """A command that changes something, run once on the host of the member that it is about.
    <command fields>, and {member} for the member's id, are filled in."""

    run: Argv
    """Exits with 0 where it was taken; what has become of it is asked of the cluster."""
    timeout: Limit = 10.0
    """Limit of the command."""


class CommandClusterConfig(Section):
    """Any system with a command that prints its members and groups as JSON, run for each member on
    its own host."""

    topology: Argv
    """Prints what the member on this host knows of the cluster. <command fields> are filled in."""
    timeout: Limit = 5.0
    """Limit of that command."""
    transfer: ClusterOrderConfig | None = None
    """Has the leader of {group} hand over to the member {to}, run on the leader's host; to ask
    twice does no harm. Without it leaderships move when the member stops."""
    seal: ClusterOrderConfig | None = None
    """Has a member write down what it holds before it is stopped; its first line is shown."""
    restore: ClusterOrderConfig | None = None
    """Takes back what was changed for a restart; it runs after each one, and has to be harmless
    where nothing was changed."""
    lag: Count = 0
    """How far a member may be behind by position, where positions are told, and still counts as
    caught up."""

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        for key, argv, unknown in self._commands():
            for field in unknown:
                if any(field in word for word in argv):
                    raise ValueError(f"{key}: {field} is not known there")
        return self

    def _commands(self) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        yield "topology", self.topology, ("{member}", "{group}", "{to}")
        for key, order in (("seal", self.seal), ("restore", self.restore)):
            if order is not None:
                yield key, order.run, ("{group}", "{to}")
