"""``--prove``: what measures a rollout, when it is refused, and what is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gapless import proving
from gapless.clock import LoopClock
from gapless.config.definitions import to_definitions
from gapless.drivers.workloads import making
from gapless.errors import PreflightFailed, UsageError
from gapless.events.event import Event
from gapless.plans import Plan, Verb
from gapless.project import Project
from gapless.testing.virtual_time import run_virtual
from tests.unit.config.shop import loaded
from tests.unit.prove.memory import Memory

_SITE = """\
project: site
hosts: {a: , b: , c: }
services:
  api: {on: [a], systemd: api}
  store: {on: [a, b, c], systemd: etcd, cluster: {etcd: {}}}
  log: {on: [a, b, c], systemd: chronik, cluster: {chronik: {}}}
"""


class Journal:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(self, event: Event) -> Event:
        self.events.append(event)
        return event


def project(folder: Path, prove: str = "") -> Project:
    file = loaded(folder, _SITE + prove)
    return Project(file, cast(Any, Journal()), folder, LoopClock())


def plan(of: Project, *services: str) -> Plan:
    planned = tuple(SimpleNamespace(name=name) for name in services)
    return Plan("site", Verb.RESTART, cast(Any, planned), to_definitions(of.loaded, services))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """In the place of etcd's client."""
    made = Memory()
    monkeypatch.setitem(cast(dict[str, Any], making.MAKERS), "etcd", lambda wish: made)
    yield made


def rolled(
    of: Project, *services: str, meanwhile: Callable[[], None] = lambda: None, seconds: float = 5.0
) -> tuple[list[Event], dict[str, Any]]:
    """All that was shown, and the data of the last event."""
    shown: list[Event] = []

    async def scenario() -> None:
        async with proving.opened(of, plan(of, *services), prove=True) as proof:
            worker = cast(Any, SimpleNamespace(observer=shown.append))
            async with proving.proved(proof, of, worker, "r1"):
                await asyncio.sleep(seconds / 2)
                meanwhile()
                await asyncio.sleep(seconds / 2)

    run_virtual(scenario())
    assert shown[-1].type == "prove.finished"
    return shown, dict(shown[-1].data)


def test_a_cluster_has_a_client_without_a_word_in_the_file(tmp_path: Path, memory: Memory) -> None:
    shown, data = rolled(project(tmp_path), "store")
    (told,) = data["workloads"]
    assert "sent" not in data, "there is no front door"
    assert 139 <= told["operations"] <= 141, "two seconds before, and five during"
    assert told["p99_before"] and told["p99_during"]
    assert (told["failed"], told["lost"]) == (0, 0) and 70 <= told["acknowledged"] <= 72
    readings = [event for event in shown if event.type == "prove.reading"]
    assert len(readings) >= 4 and readings[0].data["workloads"][0]["operations"] > 40
    assert memory.cleared and memory.closed


def test_its_keys_are_those_of_the_file(tmp_path: Path, memory: Memory) -> None:
    prove = "prove: {workloads: {store: {rate: 4, budget: 1s}}}\n"
    _, data = rolled(project(tmp_path, prove), "store")
    assert 27 <= data["workloads"][0]["operations"] <= 29


def test_a_cluster_that_loses_an_acknowledged_write_is_told(tmp_path: Path, memory: Memory) -> None:
    def loses() -> None:
        del memory.values[3]

    _, data = rolled(project(tmp_path), "store", meanwhile=loses)
    assert data["workloads"][0]["lost"] == 1 and data["workloads"][0]["first_lost"] == [3]


def test_a_cluster_that_lets_nobody_in_is_refused_before_anything(
    tmp_path: Path, memory: Memory
) -> None:
    memory.trouble = lambda verb, _: "Connection refused" if verb == "write" else ""
    of = project(tmp_path)

    async def scenario() -> None:
        async with proving.opened(of, plan(of, "store"), prove=True):
            raise AssertionError("it was begun")

    with pytest.raises(PreflightFailed) as refused:
        run_virtual(scenario())
    error = refused.value
    assert error.exit_code == 3
    assert "cannot write and read as a client of memory" in error.what
    assert error.evidence == "memory:1, memory:2: Connection refused"
    assert "prove.workloads.store" in error.next
    assert memory.closed


def test_what_was_written_is_removed_after_an_error(tmp_path: Path, memory: Memory) -> None:
    of = project(tmp_path)

    async def scenario() -> None:
        async with proving.opened(of, plan(of, "store"), prove=True) as proof:
            worker = cast(Any, SimpleNamespace(observer=lambda event: None))
            async with proving.proved(proof, of, worker, "r1"):
                await asyncio.sleep(1)
                raise LookupError("x")

    with pytest.raises(LookupError):
        run_virtual(scenario())
    assert memory.cleared and memory.closed and not memory.values
    assert not cast(Any, of.journal).events


def test_a_cluster_without_a_client_alone_is_refused(tmp_path: Path) -> None:
    of = project(tmp_path)
    with pytest.raises(UsageError) as refused:
        rolled(of, "log")
    assert "nothing says how a client of chronik writes and reads" in refused.value.what
    assert "prove.workloads.log" in refused.value.next


def test_a_kind_without_a_client_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cast(dict[str, Any], making.MAKERS), "etcd")
    with pytest.raises(UsageError, match="gapless has no client of etcd"):
        rolled(project(tmp_path), "store")


def test_beside_another_one_it_is_told(tmp_path: Path, memory: Memory) -> None:
    _, data = rolled(project(tmp_path), "store", "log", "api")
    assert [one["service"] for one in data["workloads"]] == ["store", "log"]
    assert "nothing says how" in data["workloads"][1]["unmeasured"]


def test_neither_front_door_nor_cluster_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs to know what to ask"):
        rolled(project(tmp_path), "api")


def test_the_command_alone_asks_a_front_door(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs to know what to ask"):
        proving.front_door(project(tmp_path, "prove: {workloads: {store: {}}}\n"))


def test_without_the_option_nothing_is_measured(tmp_path: Path) -> None:
    of = project(tmp_path)

    async def scenario() -> None:
        async with proving.opened(of, plan(of, "store"), prove=False) as proof:
            assert proof is None
            async with proving.proved(proof, of, cast(Any, None), "r1"):
                pass

    run_virtual(scenario())
