"""What is run on a container's host, as data, however the container was made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gapless.config.container_service import ContainerConfig
from gapless.drivers import cord
from gapless.drivers.runtimes.container_view import GENERATION, SERVICE, SLOT, Container
from gapless.drivers.runtimes.engine_script import script
from gapless.model import Command

BRIEF = 60.0
"""Seconds for what only looks, or moves little."""
GRACE = 10
"""Seconds the engine gives a container that says nothing of its own."""
_LARGEST = 4 << 20
_USUAL = "/run/docker.sock"


@dataclass(frozen=True, slots=True)
class ContainerOrders(ABC):
    """Those of one service, whose name is ours."""

    config: ContainerConfig
    name: str

    @property
    def mine(self) -> Mapping[str, str]:
        """Labels of every container that we make of the instance."""
        return {SERVICE: self.name}

    def known(self, beside: Container | None) -> Mapping[str, str]:
        """Labels by which a new copy tells of the other one."""
        return {}

    @property
    @abstractmethod
    def asked(self) -> str:
        """Where what is written of it stands."""

    @property
    @abstractmethod
    def section(self) -> str:
        """Where in gapless.yaml they are written."""

    @abstractmethod
    def look(self) -> str:
        """With which a person sees all there are."""

    @abstractmethod
    def silent(self) -> tuple[str, str]:
        """What was asked when there is no answer, and how a person asks the same."""

    @abstractmethod
    def up_by_hand(self) -> str:
        """Without us: as it is written now."""

    def again(self, file: str, slot: str, generation: int, beside: Container | None) -> Command:
        """Make one that was written down in a file, and start it."""
        labels = self._own(slot, generation, beside)
        return self._script("again", file, *self.renamed(slot), "--", *labels)

    def renamed(self, slot: str) -> tuple[str, ...]:
        """The name of one that is made again, unless it is to have its own."""
        return ()

    def end(self, container: Container) -> tuple[Command, ...]:
        """The hook, then stop and remove. What fails of the hook is told, and the end goes on."""
        grace = self._grace(container)
        ended = self._script("end", container.id, f"{grace:g}")
        hook = (self.config.pre_stop or container.hook) if container.running else None
        asked = (self._hook(container, hook),) if hook else ()
        return (*asked, replace(ended, timeout=BRIEF + grace))

    def _hook(self, container: Container, words: Sequence[str]) -> Command:
        limit = self.config.pre_stop_timeout
        asked = (*self._engine(), "exec", container.id, *words)
        told = f"pre_stop of {container.name}"
        return replace(
            self._script("hook", told, f"{limit:g}", "--", *asked), timeout=BRIEF + limit
        )

    def disarm(self, container: Container) -> Command:
        """Have the engine not start it again."""
        return self._script("disarm", container.id)

    def rearm(self, container: Container) -> Command:
        """Undo that."""
        return self._script("rearm", container.id)

    def account(self, container: Container) -> Command:
        """As whom it runs."""
        return self._script("account", container.id)

    def nothing(self, slot: str) -> Command:
        """What is run where there is nothing to be ended."""
        return self._docker("ps", "--all", "--quiet", *self._filters(slot))

    def log(self, container: Container, since: float, lines: int) -> Command:
        """Its last words, also when it has ended."""
        when = ("--since", f"{since:.3f}") if since else ()
        return self._docker("logs", "--tail", str(lines), *when, container.id)

    def shown(self, *words: str) -> str:
        """A command of the engine for a person."""
        return str(self._docker(*words)).replace(f" --host unix://{_USUAL}", "")

    def end_by_hand(self, slot: str) -> str:
        """Whichever container is in the slot."""
        of_slot = self.shown("ps", "--all", "--quiet", *self._filters(slot))
        return f"{self.shown('rm', '--force')} $({of_slot})"

    def _grace(self, container: Container) -> float:
        if self.config.stop_timeout is not None:
            return self.config.stop_timeout
        return float(GRACE if container.stop_timeout is None else container.stop_timeout)

    def _own(self, slot: str, generation: int, beside: Container | None) -> Iterable[str]:
        """Labels of a new copy; ``beside`` is the other."""
        corded = {} if self.config.cord is None else {cord.LABEL: f"{self.config.cord:g}"}
        named = {**self.mine, SLOT: slot, GENERATION: generation, **self.known(beside), **corded}
        return (f"{label}={value}" for label, value in named.items())

    def _filters(self, slot: str) -> Iterable[str]:
        for label, value in {**self.mine, SLOT: slot}.items():
            yield from ("--filter", f"label={label}={value}")

    def _engine(self) -> tuple[str, ...]:
        return (self.config.engine, "--host", f"unix://{self.config.socket}")

    def _docker(self, *words: str, limit: float = 0.0, check: bool = True) -> Command:
        return Command((*self._engine(), *words), timeout=BRIEF + limit, check=check)

    def _script(self, verb: str, *words: str, **where: Any) -> Command:
        """A question or order to the engine itself; ``where``: folder and environment."""
        return Command.python(
            script(verb), verb, self.config.socket, *words,
            timeout=BRIEF, output_limit=_LARGEST, **where,
        )  # fmt: skip
