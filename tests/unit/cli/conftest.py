"""The command line against a stand-in of the API: no host, no journal on disk."""

from __future__ import annotations

import contextlib
import types
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import gapless
from gapless.cli.main import run
from gapless.clock import LoopClock
from gapless.engine.journal import LockRecord, RolloutRecord, RolloutState
from gapless.events.event import Event
from gapless.lockbreaking import BrokenLock
from gapless.lockholders import HostLocks
from gapless.plans import Plan
from gapless.report.report import Report
from gapless.report.summarize import summarize
from tests.unit.render import streams


def record(state: RolloutState = RolloutState.ENDED, **more: Any) -> RolloutRecord:
    """A rollout in the journal."""
    return RolloutRecord(
        "rtouehn-7f3a", "shop", "deploy", ("shop.postgresql", "shop.api"), "d" * 64, "alice",
        "deploy1", 4711, streams.T0, reason="invoice fix", state=state, ended=streams.T0 + 60,
        outcome="restored", exit_code=4, **more,
    )  # fmt: skip


class FakeJournal:
    """Holds one rollout and its events."""

    def __init__(self) -> None:
        self.record = record()
        self.stream: list[Event] = streams.not_ready()
        self.alive: list[bool] = []
        self.rows: list[RolloutRecord] | None = None

    def rollouts(self, limit: int = 50, *, unfinished: bool = False) -> list[RolloutRecord]:
        return [self.record] if self.rows is None else self.rows

    def locks(self) -> list[LockRecord]:
        return []

    def load(self, rollout: str) -> tuple[RolloutRecord, Plan]:
        return self.record, streams.shop_plan()

    def is_alive(self, rollout: str) -> bool:
        return self.alive.pop(0) if self.alive else False

    def events(
        self, rollout: str | None = None, after: int = 0, limit: int = 10_000
    ) -> list[Event]:
        return [event for event in self.stream if event.seq > after]


@dataclass
class Api(types.ModuleType):
    """What the command line asked for, and what it gets."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    plan: Plan = field(default_factory=streams.shop_plan)
    back: Plan = field(default_factory=streams.rollback_plan)
    stream: Callable[[], list[Event]] = streams.success
    problem: BaseException | None = None
    journal: FakeJournal = field(default_factory=FakeJournal)
    unreachable: tuple[str, ...] = ()
    on_hosts: HostLocks = field(default_factory=HostLocks)

    def __post_init__(self) -> None:
        super().__init__("gapless.api")

    def called(self, name: str) -> dict[str, Any]:
        """Keywords of the only call of ``name``."""
        found = [keywords for called, _, keywords in self.calls if called == name]
        assert len(found) == 1, self.calls
        return found[0]

    def _note(self, called: str, *args: Any, **keywords: Any) -> None:
        self.calls.append((called, args, keywords))
        if self.problem is not None:
            raise self.problem

    def load(self, path: str = "gapless.yaml", environment: str | None = None) -> Any:
        self._note("load", path=path, environment=environment)
        plain = types.SimpleNamespace(cluster=None)
        services = dict.fromkeys(("shop.postgresql", "shop.api"), plain)
        config = types.SimpleNamespace(project="shop", prove=None, services=services)
        return types.SimpleNamespace(
            connections=None,
            loaded=types.SimpleNamespace(environment="", environments=()),
            journal=self.journal,
            clock=LoopClock(),
            config=config,
            path=Path(path),
        )

    def load_plan(self, path: Path) -> Plan:
        self._note("load_plan", path=path)
        return self.plan

    @contextlib.asynccontextmanager
    async def connected(self, project: Any) -> AsyncIterator[Any]:
        yield project

    async def make_plan(
        self, project: Any, verb: str, services: tuple[str, ...] = (), **more: Any
    ) -> Plan:
        self._note("make_plan", verb=verb, services=services, **more)
        return self.plan

    def make_rollback(
        self, project: Any, target: str | None = None, hosts: str | None = None
    ) -> Plan:
        self._note("make_rollback", target=target, hosts=hosts)
        return self.back

    async def execute(self, project: Any, plan: Plan, **more: Any) -> Report:
        return self._rollout("execute", plan, **more)

    async def resume(self, project: Any, rollout: str | None = None, **more: Any) -> Report:
        return self._rollout("resume", self.plan, rollout=rollout, **more)

    async def abort(self, project: Any, rollout: str | None = None, **more: Any) -> Report:
        return self._rollout("abort", self.plan, rollout=rollout, **more)

    def _rollout(self, name: str, plan: Plan, **more: Any) -> Report:
        self._note(name, **more)
        events = self.stream()
        for event in events:
            more["observer"](event)
        return summarize(plan, events)

    def unfinished(self, project: Any, rollout: str | None) -> RolloutRecord:
        return self.journal.record

    def approve(
        self, project: Any, rollout: str | None = None, actor: str | None = None, reason: str = ""
    ) -> tuple[str, ...]:
        self._note("approve", rollout=rollout, reason=reason)
        return ()

    def signal(self, project: Any, rollout: str, request: str, actor: str = "") -> str:
        self._note("signal", rollout=rollout, request=request)
        return rollout or "rtouehn-7f3a"

    def report_of(self, project: Any, rollout: str) -> Report:
        return summarize(self.plan, self.journal.stream)

    def locks(self, project: Any) -> list[LockRecord]:
        lock = LockRecord(
            "shop.api", "rtoudvw-6e21", "bob", "deploy1", 4711, streams.T0, "hotfix", 3, True
        )
        return [lock]

    async def locks_on_hosts(self, project: Any) -> HostLocks:
        return self.on_hosts

    async def lock_owners(self, project: Any, service: str) -> tuple[LockRecord | None, HostLocks]:
        self._note("lock_owners", service=service)
        return self.locks(project)[0], self.on_hosts

    async def break_lock(self, project: Any, service: str, **more: Any) -> BrokenLock:
        self._note("break_lock", service=service, **more)
        return BrokenLock(self.locks(project)[0], self.unreachable)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    """The stand-in, in place of gapless.api."""
    fake = Api()
    monkeypatch.setenv("GAPLESS_STATE", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "gapless.api", fake)
    monkeypatch.setattr(gapless, "api", fake, raising=False)
    for module in ("rolling",):  # the stand-in has no inventory
        monkeypatch.setattr(f"gapless.cli.{module}.refuse_unknown", lambda *_: None)
    return fake


@dataclass
class Ended:
    """What a command printed and ended with."""

    code: int
    out: str
    err: str


@pytest.fixture
def gl(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs the command line."""

    def call(*words: str) -> Ended:
        code = run(list(words))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return call
