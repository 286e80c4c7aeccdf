"""What is run on the host of a container of an image, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gapless.config import docker_options
from gapless.config.docker_service import DockerConfig
from gapless.drivers.runtimes.container_orders import BRIEF, ContainerOrders
from gapless.drivers.runtimes.container_view import PROJECT, SERVICE, SETTINGS
from gapless.model import Command
from gapless.supervisor.spec import SLOTS
from gapless.supervisor.spec import filled as in_slot


@dataclass(frozen=True, slots=True)
class DockerOrders(ContainerOrders):
    """Those of one service of a project of ours; the engine has no other name for it."""

    config: DockerConfig
    project: str

    @property
    def mine(self) -> Mapping[str, str]:
        """Two projects may each have a service of the same name."""
        return {PROJECT: self.project, SERVICE: self.name}

    @property
    def labels(self) -> tuple[str, ...]:
        """The same, as they are asked for."""
        return tuple(f"{label}={value}" for label, value in self.mine.items())

    @property
    def asked(self) -> str:
        """In our own file."""
        return self.section

    @property
    def section(self) -> str:
        """That of the service."""
        return f"services.{self.name}.docker"

    @property
    def base(self) -> str:
        """Containers are called after it."""
        return self.config.name or self.name.replace("@", "-")

    def container(self, slot: str) -> str:
        """Name of the copy in a slot."""
        return f"{self.base}-{slot}"

    @property
    def names(self) -> tuple[str, ...]:
        """Those that a copy may have."""
        adopted = (self.config.adopt,) if self.config.adopt else ()
        return (*(self.container(slot) for slot in SLOTS), *adopted)

    def options(self, slot: str) -> tuple[str, ...]:
        """As for the copy in a slot."""
        return tuple(in_slot(word, slot) for word in self.config.options)

    @property
    def files(self) -> tuple[str, ...]:
        """What docker reads besides the options."""
        both = (path for slot in SLOTS for path in docker_options.files(self.options(slot)))
        return tuple(dict.fromkeys(both))

    def create(self, slot: str, generation: int, hashed: str) -> Command:
        """Have docker create a container with our labels, and start it. What an earlier call left
        half made goes."""
        own = (*self._own(slot, generation, None), f"{SETTINGS}={hashed}")
        words = (*self.options(slot), self.config.image, *self.config.command)
        named = ("create", self.container(slot), *own, "--", *self._engine(), "create")
        return replace(self._script(*named, "--", *words), timeout=self.config.timeout + BRIEF)

    def renamed(self, slot: str) -> tuple[str, ...]:
        """A copy that is made again bears the name of the slot it comes to."""
        return (self.container(slot),)

    def look(self) -> str:
        """All of the service."""
        return self.shown("ps", "--all", *(f"--filter=name=^{name}$" for name in self.names))

    def silent(self) -> tuple[str, str]:
        """The engine."""
        asked = self.shown("version")
        return asked, asked

    def up_by_hand(self) -> str:
        """As it is written now."""
        slot = SLOTS[0]
        words = (*self.options(slot), self.config.image, *self.config.command)
        return self.shown("run", "--detach", "--name", self.container(slot), *words)
