"""What is run on the host of a compose project, as data.

Containers are made by compose, so that it knows them as its own, and ended by their ids: when
compose has to choose, it removes the newest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gapless.config.compose_service import ComposeConfig
from gapless.config.slots import differs
from gapless.drivers.runtimes.container_view import COMPOSE, GENERATION, SERVICE, SLOT, Container
from gapless.model import Command
from gapless.supervisor.spec import filled as in_slot

BRIEF = 60.0
"""Seconds for what only looks, or moves little."""
GRACE = 10
"""Seconds the engine gives a container that says nothing of its own."""
_LARGEST = 4 << 20


@dataclass(frozen=True, slots=True)
class Orders:
    """Those of one service. ``name`` is ours, ``folder`` where the project is."""

    config: ComposeConfig
    name: str
    folder: str

    @property
    def service(self) -> str:
        """What compose calls it."""
        return self.config.service or self.name

    def look(self, project: str) -> Command:
        """Its answer is what ``container_view.sight`` reads."""
        return self._script("look", *self._labels(project))

    @property
    def differs(self) -> bool:
        """Whether the project is another one for the copy in the other slot."""
        return any(differs(text) for text in self.config.environment.values())

    def project(self, slot: str) -> Command:
        """What the project says, as it is for the copy in a slot, and what there is of it."""
        return self._script("project", self.service, *self._compose(), slot=slot)

    def make(self, project: str, slot: str, generation: int, others: int) -> tuple[Command, ...]:
        """Have compose create a container beside ``others``, label it, and have compose start it.
        What is there is neither made again nor stopped."""
        scale = ("--scale", f"{self.service}={others + 1}", self.service)
        up = (*self._compose(), "up", "--no-deps", "--no-recreate")
        labels = (*self._labels(project), "--", *self._own(slot, generation))
        return (
            self._command(*up, "--no-start", "--quiet-pull", *scale, slot=slot),
            self._script("label", *labels),
            self._command(*up, "--no-build", "--detach", *scale, slot=slot),
        )

    def keep(self, container: Container, file: str) -> Command:
        """Write down on the host what it takes to make it again."""
        return self._script("keep", container.id, file)

    def again(self, file: str, slot: str, generation: int) -> Command:
        """Make it from that and start it."""
        return self._script("again", file, "--", *self._own(slot, generation))

    def end(self, container: Container) -> tuple[Command, ...]:
        """The hook, then stop and remove. What fails of the hook is told, and the end goes on."""
        grace = self._grace(container)
        told = () if self.config.stop_timeout is None else ("--time", f"{grace:.0f}")
        hook = self.config.pre_stop if container.running else None
        asked = (self._docker("exec", container.id, *hook, check=False),) if hook else ()
        return (
            *asked,
            self._docker("update", "--restart=no", container.id, check=False),
            self._docker("stop", *told, container.id, limit=grace),
            self._docker("rm", "--force", container.id),
        )

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

    def up_by_hand(self) -> str:
        """As the project has it now."""
        up = self.shown(*self._words(), "up", "--detach", "--no-deps", self.service)
        return f"cd {self.folder} && {up}"

    def _grace(self, container: Container) -> float:
        if self.config.stop_timeout is not None:
            return self.config.stop_timeout
        return float(GRACE if container.stop_timeout is None else container.stop_timeout)

    def _own(self, slot: str, generation: int) -> Iterable[str]:
        named = {SERVICE: self.name, SLOT: slot, GENERATION: generation}
        return (f"{label}={value}" for label, value in named.items())

    def _labels(self, project: str) -> tuple[str, ...]:
        wanted = {"project": project, "service": self.service, "oneoff": "False"}
        return tuple(f"{COMPOSE}{label}={value}" for label, value in wanted.items())

    def _filters(self, slot: str) -> Iterable[str]:
        for label in (f"{SERVICE}={self.name}", f"{SLOT}={slot}"):
            yield from ("--filter", f"label={label}")

    def _compose(self) -> tuple[str, ...]:
        return (*self._engine(), *self._words())

    def _words(self) -> tuple[str, ...]:
        files = (word for file in self.config.files for word in ("--file", file))
        project = ("--project-name", self.config.project) if self.config.project else ()
        return ("compose", *files, *project)

    def _engine(self) -> tuple[str, ...]:
        return (self.config.engine, "--host", f"unix://{self.config.socket}")

    def _docker(self, *words: str, limit: float = 0.0, check: bool = True) -> Command:
        return Command((*self._engine(), *words), timeout=BRIEF + limit, check=check)

    def _command(self, *argv: str, slot: str) -> Command:
        env = {name: in_slot(text, slot) for name, text in self.config.environment.items()}
        return Command(argv, timeout=self.config.timeout, cwd=self.folder, env=env)

    def _script(self, verb: str, *words: str, slot: str = "") -> Command:
        argv = ("python3", "-I", "-S", "-", verb, self.config.socket, *words)
        env = {name: in_slot(text, slot) for name, text in self.config.environment.items()}
        where = {"cwd": self.folder, "env": env} if slot else {}
        return Command(argv, BRIEF, script(), output_limit=_LARGEST, **where)  # type: ignore[arg-type]


_USUAL = "/run/docker.sock"


@cache
def script() -> bytes:
    """The text of ``engine_script``."""
    return Path(__file__).with_name("engine_script.py").read_bytes()
