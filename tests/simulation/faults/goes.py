"""A rollout that is worked on in several goes: killed or stopped at an event, resumed, promoted,
aborted. Services and hosts as in ``scenario.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gapless.engine.approvals import Approver
from gapless.engine.outcome import Ending
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.worker import Worker
from gapless.events.event import Event
from gapless.testing.fake_unit import Behaviour
from gapless.testing.world import World
from tests.simulation.killing import ControllerKilled, MortalJournal, was_kill
from tests.simulation.run import _config, _plan, _populate, _worker
from tests.simulation.scenario import Scenario, SimService

When = Callable[[Event], bool]


def service(
    name: str,
    hosts: str,
    *,
    after: str = "",
    batch: int = 1,
    out: int = 1,
    max_failed: int = 0,
    on_failure: str = "rollback",
    bad: dict[str, Behaviour] | None = None,
    order: dict[str, Any] | None = None,
) -> SimService:
    """One service; hosts and dependencies as words; ``order`` holds more keys of its rollout."""
    return SimService(
        name, tuple(hosts.split()), tuple(after.split()), batch=batch, canary=0,
        max_unavailable=out, max_failed=max_failed, on_failure=on_failure, balanced=False,
        bad=bad or {}, order=order or {},
    )  # fmt: skip


class Goes:
    """One deploy of v2 where v1 runs; ``go`` is one controller after the other."""

    def __init__(
        self, *services: SimService, zones: dict[str, str] | None = None, deadline: float = 0.0
    ) -> None:
        scenario = Scenario(
            1, services, (), (), abort=False, deploys=True, zones=zones or {}
        )  # fmt: skip
        self.world = World(1)
        self.config = _config(scenario)
        _populate(self.world, scenario)
        self.journal = SqliteJournal(None)
        self.rollout = ""
        self._deadline = deadline
        self.told: list[Event] = []
        """What the newest controller showed."""
        self._number = 0

    async def go(
        self,
        *,
        kill: When | None = None,
        stop: When | None = None,
        approver: Approver | None = None,
    ) -> Ending | None:
        """Open the rollout or go on with it, until it stops; None when killed at ``kill``.
        ``stop`` is where a person presses Ctrl-C, ``approver`` a person who can be asked."""
        journal = MortalJournal(self.journal, dies_at=None, after_commit=True)
        worker = _worker(self.world, journal, self.config, "v2", self._number)
        worker.observer = self._watch(worker, journal, kill, stop)
        worker.interrupts.approver = approver
        self._number += 1
        self.told = []
        if not self.rollout:
            plan = replace(_plan(self.config, "v2"), deadline=self._deadline)
            self.rollout = worker.open(plan, actor="me")
        try:
            return await worker.work(self.rollout)
        except BaseException as error:
            if not was_kill(error):
                raise
            return None
        finally:
            self.world.kill_controller()

    def _watch(
        self, worker: Worker, journal: Any, kill: When | None, stop: When | None
    ) -> Callable[[Event], None]:
        def observe(event: Event) -> None:
            self.told.append(event)
            if kill is not None and kill(event):
                journal.dead = True
                raise ControllerKilled
            if stop is not None and stop(event):
                worker.interrupts.stop_after_batch()

        return observe

    async def abort(self, *, kill: When | None = None) -> Ending | None:
        """Ask for all of it to go back, and go on."""
        self.journal.request(self.rollout, "abort", "me", self.world.clock.now())
        return await self.go(kill=kill)

    def versions(self, name: str) -> list[str]:
        """What the instances of a service run, in the order of their hosts."""
        units = self.world.units(name)
        assert all(unit.serving for unit in units)
        return [unit.version for unit in sorted(units, key=lambda unit: unit.host.name)]


def at(kind: str, **fields: str) -> When:
    """The first event of a type with such fields."""
    return lambda e: e.type == kind and all(getattr(e, k) == v for k, v in fields.items())


def ended(ending: Ending | None) -> tuple[str, int]:
    """How it ended: outcome and exit code."""
    assert ending is not None
    return ending.outcome, ending.exit_code
