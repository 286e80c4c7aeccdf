"""A shop in virtual time that is changed by the real command line.

``gapless.yaml`` is read, the plan made, the rollout run, journaled and told by the code a person
calls; only hosts, balancers and time are those of a ``World``. Files of the site and the journal
lie in a folder.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gapless.cli.main import run
from gapless.clock import LoopClock
from gapless.config.project import ProjectConfig
from gapless.config.source import load_config
from gapless.drivers import registry
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.transports.base import Transport
from gapless.engine.journal import RolloutRecord
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_traffic import FakeBalancer, Traffic
from gapless.testing.fake_unit import Behaviour, FakeUnit
from gapless.testing.virtual_time import VirtualLoop
from gapless.testing.world import World
from tests.simulation.killing import WRITES, ControllerKilled

T = TypeVar("T")
_REAL_RUN = asyncio.run

HOSTS = ("web1", "web2", "web3")
CONFIG = """\
project: shop
hosts: {web1: {}, web2: {}, web3: {}}
balancers:
  edge: {haproxy: {socket: /run/haproxy.sock, backend: shop}}
services:
  api:
    on: [web1, web2, web3]
    systemd: api.service
    soak: 30s
    health:
      http: http://localhost:8000/health
      expect: {json: {status: healthy}}
      timeout: 20s
      interval: 1s
      retries: 1
      retry_delay: 500ms
    verify: {http: http://localhost:8000/health}
    balancer: edge
    release: {directory: release, to: /srv/api}
    rollout: {canary: 1, batch: 1}
"""


@dataclass
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything it said, as one line: screens wrap, and an error's code ends the first of its
        lines wherever that is."""
        said = f"{self.out} {self.err}"
        codes = _CODE.findall(said)
        return " ".join([*_CODE.sub("", said).split(), *codes])


_CODE = re.compile(r" {2,}(GL-\d{3})$", re.MULTILINE)


@dataclass
class Shop:
    """A few hosts behind a balancer; ``gapless`` runs the command line."""

    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    world: World = field(default_factory=World)
    loop: VirtualLoop = field(default_factory=VirtualLoop)
    lost: list[str] = field(default_factory=list)
    """Moments at which a balancer sent requests to an instance that did not answer well."""
    on: tuple[str, ...] = HOSTS
    """Hosts of the service; ``text`` is the gapless.yaml that names them."""
    text: str = CONFIG
    floor: int = len(HOSTS) - 1

    def __post_init__(self) -> None:
        self.config(self.text)
        self._stand_in()
        self.do(self._populate())
        self.release("1")
        self.gapless("deploy", "--yes", code=0)
        self.world.hold_floor("api", least=self.floor)
        self.world.on_change(self._note_lost)
        self.world.history.clear()

    # -- the site --------------------------------------------------------------------------------

    def config(self, text: str) -> None:
        """Write gapless.yaml."""
        (self.folder / "gapless.yaml").write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Change gapless.yaml."""
        text = (self.folder / "gapless.yaml").read_text()
        assert old in text
        self.config(text.replace(old, new))

    def release(self, content: str) -> str:
        """Make the release directory anew; its name on the hosts."""
        (self.folder / "release").mkdir(exist_ok=True)
        (self.folder / "release" / "app").write_text(content)
        service = self.project().services["api"]
        assert service.release is not None
        made = registry.release("api", service.release, "shop")
        return made.resolve().name

    def bad_release(self, behaviour: Behaviour) -> str:
        """A new release that behaves badly wherever it starts; its name."""
        name = self.release("2")
        for host in self.on:
            self.unit(host).behaviours[name] = behaviour
        return name

    def project(self) -> ProjectConfig:
        """The configuration as it is read."""
        return load_config(self.folder / "gapless.yaml").project

    def migration(self, answer: Callable[[FakeHost], Coroutine[Any, Any, Answer]]) -> None:
        """Have ``migrate up`` run before the first instance."""
        self.program("migrate", answer)
        self.edit("    balancer:", "    migrate: {run: migrate up, timeout: 60s}\n    balancer:")

    # -- the hosts -------------------------------------------------------------------------------

    def host(self, name: str) -> FakeHost:
        return self.world.host(name)

    def unit(self, host: str) -> FakeUnit:
        return self.host(host).units["api.service"]

    def program(self, name: str, answer: Callable[[FakeHost], Coroutine[Any, Any, Answer]]) -> None:
        """A program on every host."""

        async def called(host: FakeHost, command: object) -> Answer:
            return await answer(host)

        for host in self.on:
            self.host(host).programs[name] = called

    def live(self) -> list[str]:
        """The release each host really has live."""
        nodes = [self.host(h).files.node("/srv/api/current", follow=False) for h in self.on]
        return [posixpath.basename(node.target) if node else "" for node in nodes]

    def serving(self) -> list[str]:
        """Hosts whose instance gets traffic and answers it well."""
        units = self.world.units("api")
        return [u.host.name for u in units if u.serving and self.world.in_traffic(u)]

    def changed(self) -> list[str]:
        """Deeds of gapless on units, as "web1 restart"."""
        deeds = self.world.deeds("restart", "reload", "stop", "start")
        return [f"{deed.host} {deed.what}" for deed in deeds]

    def leftovers(self) -> list[str]:
        """What is in the release folders besides complete releases and their notes."""
        names = [n for h in self.on for n in self.host(h).files.children("/srv/api/releases")]
        return [name for name in names if name.endswith((".incoming", ".removed"))]

    def all_serve(self, release: str) -> None:
        """Everything is in order: every instance serves ``release``, and no request was lost."""
        assert self.serving() == list(self.on)
        assert self.live() == [release] * len(self.on)
        assert [self.unit(host).version for host in self.on] == self.live()
        assert self.lost == []
        assert self.journal().locks() == []

    # -- the controller --------------------------------------------------------------------------

    def gapless(self, *words: str, code: int) -> Ended:
        """Run the command line to its end; asserts the exit code."""
        self.capture.readouterr()
        self.patch.chdir(self.folder)
        self.patch.setenv("COLUMNS", "120")
        try:
            ended = run([*words])
        finally:
            self._bury()
        printed = self.capture.readouterr()
        assert ended == code, f"exit {ended}\n{printed.out}\n{printed.err}"
        return Ended(ended, printed.out, printed.err)

    def killed(self, *words: str) -> None:
        """Run the command line until the controller is killed."""
        with pytest.raises(BaseException) as caught:
            self.gapless(*words, code=-1)
        error = caught.value
        group = error if isinstance(error, BaseExceptionGroup) else BaseExceptionGroup("", [error])
        assert group.split(ControllerKilled)[1] is None, error
        self.patch.undo()
        self._stand_in()

    def at(self, step: str, call: Callable[[], object]) -> None:
        """Call it once, right after the intent of a step was committed for the first time."""
        begin: Any = SqliteJournal.begin
        waiting = [call]

        def hooked(
            journal: SqliteJournal, rollout: str, key: str, *more: Any, **options: Any
        ) -> Event:
            event: Event = begin(journal, rollout, key, *more, **options)
            if waiting and key.partition("#")[0].endswith(f"/{step}"):
                waiting.pop()()
            return event

        self.patch.setattr(SqliteJournal, "begin", hooked)

    def kill_at(self, step: str) -> None:
        """The controller dies at a step: nothing is written any more, every session breaks."""

        def die() -> None:
            self.kill()
            raise ControllerKilled

        self.at(step, die)

    def kill(self) -> None:
        """The controller is dead from now on."""

        def dead(*args: Any, **more: Any) -> Any:
            raise ControllerKilled

        for write in WRITES:
            self.patch.setattr(SqliteJournal, write, dead)
        self.world.kill_controller()

    def step_clock(self, seconds: float) -> None:
        """Set the controller's wall clock; those of the hosts stay what they are."""
        self.world.step_controller(seconds)

    def journal(self) -> SqliteJournal:
        return SqliteJournal(self.folder / "state" / "shop")

    def last(self) -> RolloutRecord:
        """What the journal knows of the newest rollout."""
        return self.journal().rollouts(1)[0]

    def events(self, kind: str = "") -> list[Event]:
        """Events of the newest rollout."""
        events = self.journal().events(self.last().id)
        return [event for event in events if kind in ("", event.type)]

    def rest(self, seconds: float = 120.0) -> None:
        """Let time pass: whatever is still under way on hosts comes to its end."""
        self.do(asyncio.sleep(seconds))

    def do(self, work: Coroutine[Any, Any, T], *, context: Context | None = None) -> T:
        """Run something in the shop's time."""
        return self.loop.run_until_complete(self.loop.create_task(work, context=context))

    # -- inside ----------------------------------------------------------------------------------

    def _stand_in(self) -> None:
        """The world in place of hosts, balancers and time; one loop for all commands."""
        self.patch.setenv("GAPLESS_STATE", str(self.folder / "state"))
        self.patch.setattr(registry, "transport", self._transport)
        self.patch.setattr(registry, "balancer", self._balancer)
        self.patch.setattr(asyncio, "run", self._run)
        self.patch.setattr(asyncio, "Runner", lambda: _Runner(self))
        self.patch.setattr(LoopClock, "now", lambda clock: self.world.clock.now())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the shop's time; threads (a release that is fetched) have loops of their own."""
        mine = threading.current_thread() is threading.main_thread()
        return self.do(work) if mine else _REAL_RUN(work)

    def _transport(self, host: str, *more: object, **options: object) -> Transport:
        return self.world.transport(host or "controller")

    def _balancer(self, name: str, *more: object) -> Balancer:
        return FakeBalancer(self.world.traffic[name])

    async def _populate(self) -> None:
        Traffic(self.world, "edge", ("api",))
        for host in self.on:
            files = self.host(host).files
            files.mkdir("/srv/api/releases/old")
            files.link("releases/old", "/srv/api/current")
            unit = self.host(host).add_unit(
                "api.service", service="api", port=8000, release_link="/srv/api/current"
            )
            unit.run_already()

    def _note_lost(self, world: World) -> str | None:
        self.lost += world.exposed("api")
        return None

    def _bury(self) -> None:
        """What is left of a controller ends with its process; what runs on hosts goes on."""
        mine = {task for host in self.world.hosts.values() for task in host.tasks}
        left = asyncio.all_tasks(self.loop) - mine
        if left:
            self.world.kill_controller()
            for task in left:
                task.cancel()
            self.do(_ended(left))


class _Runner:
    """In place of ``asyncio.Runner``: the shop's own loop, which outlives every command."""

    def __init__(self, shop: Shop) -> None:
        self.run = shop.do

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *error: object) -> None: ...


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
