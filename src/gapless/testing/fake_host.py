"""The machine behind a fake transport: its units, files, claims, memory and critical actions.

Everything happens in tasks of the host, not of whoever asked, so that it goes on when the
controller dies, and ends when the host does.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from gapless.drivers.releases.excludes import Excludes
from gapless.drivers.secret_forms import raw, secret_forms
from gapless.errors import HostFault
from gapless.hostside.veil import veil
from gapless.model import Command, Completed
from gapless.testing.fake_actions import FakeActions
from gapless.testing.fake_claims import FakeClaims
from gapless.testing.fake_files import FakeFiles, Node
from gapless.testing.fake_programs import Program, execute
from gapless.testing.fake_unit import FakeUnit

if TYPE_CHECKING:
    from gapless.testing.fake_transport import FakeTransport
    from gapless.testing.world import World

T = TypeVar("T")
Dialogue = Callable[[bytes], Awaitable[bytes]]


class FakeHost:
    """One host of a world."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.files = FakeFiles()
        self.units: dict[str, FakeUnit] = {}
        self.claims = FakeClaims(name)
        self.actions = FakeActions(self)
        self.memory: dict[str, dict[str, Any]] = {}
        self.programs: dict[str, Program] = {}
        """Programs only this host has, by the first word of their command line."""
        self.sockets: dict[str, Dialogue] = {}
        """Who answers ``exchange`` at a unix path or host:port."""
        self.sessions: set[FakeTransport] = set()
        self.privileged = True
        self.clock_skew = 0.0
        self.booted = 0.0
        self.up = True
        self.unreachable_until = 0.0
        self.latency = world.latency
        self.push_takes = 0.0
        self.bytes_pushed = 0
        self.problems: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiting: list[asyncio.Future[None]] = []

    def add_unit(self, name: str, *, content: str = "", **settings: Any) -> FakeUnit:
        """Install a unit with its file; it does not run yet (``run_already``, ``boot``)."""
        unit = FakeUnit(self, name, **settings)
        text = content or f"[Service]\nExecStart=/usr/bin/{unit.service}\n"
        self.files.write(unit.fragment, text)
        self.units[name] = unit
        unit.load()
        return unit

    @property
    def reachable(self) -> bool:
        """Whether a connection could be made now."""
        return self.up and self.world.clock.monotonic() >= self.unreachable_until

    def now(self) -> float:
        """Its own wall clock, right or wrong (``clock_skew``)."""
        return self.world.clock.now() + self.clock_skew

    def wall(self, moment: float) -> float:
        """What its clock calls a moment of the loop's time."""
        return self.world.wall(moment) + self.clock_skew

    def step_clock(self, seconds: float) -> None:
        """Set its wall clock forward or back, as time synchronisation does."""
        self.clock_skew += seconds

    @property
    def tasks(self) -> frozenset[asyncio.Task[Any]]:
        """What runs on it, apart from every session."""
        return frozenset(self._tasks)

    def show(self, name: str) -> Mapping[str, str]:
        """All properties of a unit; one that does not exist has some, too."""
        unit = self.units.get(name)
        if unit is not None:
            return unit.properties()
        known = name.endswith((".target", ".slice"))
        return {
            "Id": name,
            "LoadState": "loaded" if known else "not-found",
            "ActiveState": "active" if known else "inactive",
            "SubState": "active" if known else "dead",
            "InvocationID": "",
        }

    # -- changes ---------------------------------------------------------------------------------

    def changed(self, what: str) -> None:
        """Tell the world, and wake whoever watches this host."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        self.world.changed(self.name, what)

    async def next_change(self, until: float) -> bool:
        """Wait for any change on this host; False when none came before the loop time ``until``."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout_at(until):
                await future
        except TimeoutError:
            return False
        return True

    # -- tasks of the host -----------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something on the host, apart from every session."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def job(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something that goes on when its caller is cancelled, as systemd's jobs do."""
        return await asyncio.shield(self.spawn(work))

    # -- power and network -----------------------------------------------------------------------

    def cut(self, seconds: float) -> None:
        """The network is gone for a while: sessions break, critical actions go on."""
        self.unreachable_until = self.world.clock.monotonic() + seconds
        self.drop_sessions("the network is gone")

    def drop_sessions(self, why: str) -> None:
        """Break every connection to this host."""
        for session in list(self.sessions):
            session.drop(why)

    def power_off(self) -> None:
        """Everything that runs is gone; what is on the disk stays."""
        self.up = False
        self.world.record(self.name, "", "power off")
        self.drop_sessions("the host went down")
        for task in list(self._tasks):
            task.cancel()
        self._tasks.clear()
        self.actions.power_off()
        for unit in self.units.values():
            unit.power_off()

    def power_on(self) -> None:
        """It boots, and enabled units start."""
        self.up = True
        self.booted = self.world.clock.monotonic()
        self.world.record(self.name, "", "power on")
        for unit in self.units.values():
            unit.boot()

    def reboot(self, seconds: float = 20.0) -> None:
        """Off now, on again after ``seconds``."""
        self.power_off()
        asyncio.get_running_loop().call_later(seconds, self.power_on)

    # -- commands --------------------------------------------------------------------------------

    async def execute(self, command: Command, broken: int | None = None) -> Completed:
        """Run one command within its limit; ``broken`` is the status of one that fails."""
        clock = self.world.clock
        began = clock.monotonic()
        hidden = secret_forms(command.secrets.values())
        command = replace(command, env={**command.env, **command.secrets})
        try:
            async with asyncio.timeout(command.timeout):
                if broken is None:
                    status, *said = await execute(self, command)
                    out, err = (veil(raw(text), hidden).decode("utf-8", "replace") for text in said)
                else:
                    status, out, err = broken, "", f"{command.argv[0]}: injected failure\n"
        except TimeoutError:
            status, out, err = -15, "", ""
            return Completed(command.argv, status, out, err, command.timeout, timed_out=True)
        return Completed(command.argv, status, out, err, clock.monotonic() - began)

    # -- trees -----------------------------------------------------------------------------------

    def tree(self, path: str, exclude: Sequence[str]) -> dict[str, Node]:
        """What is below a folder by relative name, without what is excluded."""
        rules = Excludes(exclude)
        real = self.files.resolve(path)
        start = len(real.rstrip("/")) + 1
        found = {name[start:]: self.files.nodes[name] for name in self.files.below(real)}
        return {
            name: node
            for name, node in found.items()
            if not rules.covers(name, folder=node.kind == "dir")
        }

    def mirror(self, tree: Mapping[str, Node], target: str, exclude: Sequence[str]) -> int:
        """Make a folder equal to ``tree``; excluded names there are left. Bytes that differed."""
        self.files.mkdir(target)
        real = self.files.resolve(target)
        there = self.tree(target, exclude)
        for name in sorted(there.keys() - tree.keys(), reverse=True):
            self.files.remove(f"{real}/{name}")
        sent = 0
        for name, node in tree.items():
            old = there.get(name)
            if old is not None and _same(old, node):
                continue
            sent += len(node.content)
            self._place(f"{real}/{name}", node)
        return sent

    def _place(self, path: str, node: Node) -> None:
        if node.kind == "link":
            self.files.link(node.target, path)
        elif node.kind == "dir":
            self.files.mkdir(path, node.mode)
        else:
            self.files.write(path, node.content, node.mode, node.owner)

    def fault(self, error: OSError) -> HostFault:
        """The operating system's complaint as the helper tells it."""
        return HostFault(f"{error.filename}: {error.strerror}", where=self.name)

    def stamp(self) -> str:
        """A digest of the disk, to see whether anything was left behind."""
        lines = sorted(
            f"{path} {node.kind} {node.target}" for path, node in self.files.nodes.items()
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _same(one: Node, other: Node) -> bool:
    def shape(node: Node) -> tuple[object, ...]:
        return node.kind, node.content, node.target, node.mode

    return shape(one) == shape(other)
