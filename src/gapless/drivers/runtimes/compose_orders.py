"""What is run on the host of a compose project, as data.

Containers are made by compose, so that it knows them as its own, and ended by their ids: when
compose has to choose, it removes the newest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from gapless.config.compose_service import ComposeConfig
from gapless.config.slots import differs
from gapless.drivers.runtimes.compose_written import ComposeWritten
from gapless.drivers.runtimes.container_orders import BRIEF, ContainerOrders
from gapless.drivers.runtimes.container_view import (
    BESIDE,
    COMPOSE,
    COPIED,
    NUMBER,
    SERVICE,
    Container,
)
from gapless.model import Command
from gapless.supervisor.spec import filled as in_slot


@dataclass(frozen=True, slots=True)
class Orders(ContainerOrders):
    """Those of one service. ``name`` is ours, ``folder`` where the project is; ``place`` which of
    its instances on the host is meant. ``inside``: where in the release the project is, None where
    it is in none; ``changing``: a deploy may bring another project together with the container."""

    config: ComposeConfig
    folder: str
    place: int = 1
    inside: str | None = None
    changing: bool = False

    def staged(self, release: str) -> Orders:
        """For the project in the folder of a release that is not live yet."""
        return replace(self, folder=str(PurePosixPath(release, self.inside or ".")))

    @property
    def service(self) -> str:
        """What compose calls it."""
        return self.config.service or self.name

    @property
    def mine(self) -> Mapping[str, str]:
        """With its place, where there are several."""
        placed = {NUMBER: str(self.place)} if self.of > 1 else {}
        return {SERVICE: self.name, **placed}

    def known(self, beside: Container | None) -> Mapping[str, str]:
        """The id of one that says nothing of its place."""
        if self.of == 1 or beside is None or beside.place:
            return {}
        return {BESIDE: beside.id}

    @property
    def asked(self) -> str:
        """In the project."""
        return f"{self.service} in the project"

    @property
    def section(self) -> str:
        """That of the service."""
        return f"services.{self.name}.compose"

    def look(self) -> str:
        """All of the service."""
        return self.shown("ps", "--all", "--filter", f"label={COMPOSE}service={self.service}")

    def silent(self) -> tuple[str, str]:
        """compose, in its folder."""
        asked = self.shown("compose", "config", "--quiet")
        return asked, f"cd {self.folder} && {asked}"

    def labels(self, project: str) -> tuple[str, ...]:
        """Those that compose gives to all containers of the service that are to stay."""
        wanted = {"project": project, "service": self.service, "oneoff": "False"}
        return tuple(f"{COMPOSE}{label}={value}" for label, value in wanted.items())

    @property
    def of(self) -> int:
        """How many instances a host has."""
        return self.config.replicas

    @property
    def differs(self) -> bool:
        """Whether the project is another one for the copy in the other slot."""
        return any(differs(text) for text in self.config.environment.values())

    @property
    def files(self) -> tuple[str, ...]:
        """What compose reads of the project, as long as that does not name more."""
        given = self.config.files_in(self.folder)
        folders = dict.fromkeys((self.folder, str(PurePosixPath(given[0]).parent)))
        return (*given, *(f"{folder}/.env" for folder in folders))

    def project(self, slot: str) -> Command:
        """What the project says, as it is for the copy in a slot."""
        words = (self.service, *self.files, "--", *self._compose())
        return self._in_slot("project", *words, slot=slot)

    def make(
        self, written: ComposeWritten, slot: str, generation: int, beside: Container | None
    ) -> Command:
        """Have compose make one container more, labelled as ours. What is there is neither made
        again nor stopped. Of a project that may be another one by then, it is asked there."""
        starts = "compose" if written.at_start else "engine"
        starts, copied = ("asked", ()) if self.changing else (starts, written.copied)
        files = (f"{COPIED}={json.dumps(copied)}",) if copied else ()
        own = (*self._own(slot, generation, beside), *files)
        named = ("make", starts, *self.labels(written.name), "--", *own)
        made = self._in_slot(*named, "--", *self._compose(), slot=slot)
        return replace(made, timeout=2 * self.config.timeout + BRIEF)

    def up_by_hand(self) -> str:
        """As the project has it now."""
        up = self.shown(*self._words(), "up", "--detach", "--no-deps", self.service)
        return f"cd {self.folder} && {up}"

    def _compose(self) -> tuple[str, ...]:
        return (*self._engine(), *self._words())

    def _words(self) -> tuple[str, ...]:
        files = (word for file in self.config.files for word in ("--file", file))
        project = ("--project-name", self.config.project) if self.config.project else ()
        return ("compose", *files, *project)

    def _filled(self, text: str, slot: str) -> str:
        return in_slot(text.replace("{number}", str(self.place)), slot)

    def _in_slot(self, verb: str, *words: str, slot: str) -> Command:
        env = {name: self._filled(text, slot) for name, text in self.config.environment.items()}
        return self._script(verb, *words, cwd=self.folder, env=env)
