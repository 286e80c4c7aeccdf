from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from gapless.handover import Outcome
from gapless.handover.threads import Handover
from tests.unit.handover.site import Process, request, state, variables, wait_until


def _handover(given: dict[str, str], *units: str, **others: Any) -> Handover:
    return Handover.from_environment(units, variables=given, **others)


def test_a_handover_between_two_programs_with_threads(tmp_path: Path) -> None:
    state(tmp_path, "standby", active=6, next=7)
    effects: dict[str, list[int]] = {"old": [], "new": []}
    with _handover(variables(tmp_path, "bot-6", 6), "shard") as old:
        old.unit("shard").connected()
        old.unit("shard").beat()
        wait_until(lambda: old._copy.machine.handles)
        with _handover(variables(tmp_path, "bot-7", 7), at_once=1) as new:
            wait_until(lambda: new.state == "STANDBY")
            for event in range(10):
                if event % 2:
                    old.offer(event, event, effects["old"].append, once="at-least-once")
                kept = new.offer(event, event, effects["new"].append, once="at-least-once")
                assert kept is Outcome.KEPT
            state(tmp_path, "joint", active=6, next=7)
            assert request(tmp_path / "ctl-bot-7.sock", "POST", "/activate?epoch=7")[0] == 200
            wait_until(lambda: len(effects["new"]) == 5)
            assert effects == {"old": [1, 3, 5, 7, 9], "new": [0, 2, 4, 6, 8]}
            assert request(tmp_path / "ctl-bot-6.sock", "POST", "/deactivate?epoch=7")[0] == 200
            assert old.drained().events == ()
            assert new.offer(9, 9, effects["new"].append, once="at-least-once") is Outcome.LEFT
            assert new.offer(10, 10, effects["new"].append, once="at-least-once") is Outcome.HANDLED


def test_draining_waits_for_handlers_of_any_thread(tmp_path: Path) -> None:
    state(tmp_path, active=6)
    begun, gate = threading.Event(), threading.Event()

    def slow(event: str) -> None:
        begun.set()
        gate.wait(10)

    with _handover(variables(tmp_path, "bot-6", 6)) as one:
        wait_until(lambda: one._copy.machine.handles)
        handling = threading.Thread(
            target=one.offer, args=("1", "1", slow), kwargs={"once": "at-least-once"}
        )
        handling.start()
        assert begun.wait(5)
        ended = threading.Thread(target=one.drained)
        ended.start()
        one.end()
        assert one.state == "DRAINING"
        ended.join(0.1)
        assert ended.is_alive()
        gate.set()
        ended.join(5)
        assert not ended.is_alive()
        handling.join(5)


def test_at_the_deadline_it_ends_all_the_same(tmp_path: Path) -> None:
    state(tmp_path, active=6)
    gate = threading.Event()
    with _handover(variables(tmp_path, "bot-6", 6), limit=0.05) as one:
        wait_until(lambda: one._copy.machine.handles)
        handling = threading.Thread(
            target=one.offer,
            args=("1", "1", lambda event: gate.wait(10)),
            kwargs={"once": "at-least-once"},
        )
        handling.start()
        wait_until(lambda: one.status()["inflight"] == 1)
        one.end()
        assert one.drained().events == ("1",)
        gate.set()
        handling.join(5)


def test_transactional(tmp_path: Path) -> None:
    state(tmp_path, "joint", active=6, next=7)

    def book(event: str, database: Any) -> None:
        database.execute("CREATE TABLE IF NOT EXISTS effects (id TEXT)")
        database.execute("INSERT INTO effects VALUES (?)", (event,))
        if event == "bad":
            raise ValueError(event)

    with _handover(variables(tmp_path, "bot-7", 7)) as one:
        wait_until(lambda: one._copy.machine.handles)
        with pytest.raises(ValueError, match="bad"):
            one.offer("1", "bad", book, once="transactional")
        assert one.offer("1", "good", book, once="transactional") is Outcome.HANDLED
        assert one.offer("1", "good", book, once="transactional") is Outcome.LEFT
        threads = [
            threading.Thread(
                target=one.offer, args=(str(n), "x", book), kwargs={"once": "transactional"}
            )
            for n in range(2, 12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert one.status()["claims_won"] == 11


def test_outside_of_the_main_thread_it_says_that_no_signal_comes(tmp_path: Path) -> None:
    state(tmp_path, active=6)
    problems: list[object] = []

    def elsewhere() -> None:
        with _handover(variables(tmp_path, "bot-6", 6)) as one:
            problems.append(one.status()["problems"])

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(10)
    assert problems == [["signals reach the main thread alone"]]


def test_a_program_with_threads_in_its_own_process(tmp_path: Path) -> None:
    state(tmp_path, active=6)
    copy = Process(tmp_path, "bot-6", 6, "threads")
    try:
        copy.reaches("ACTIVE")
        # TERM ends it with status 0, whatever its main thread waits for
        assert copy.end() == 0, copy.errors.read_text()
    finally:
        copy.kill()


def test_loops_are_not_left_behind(tmp_path: Path) -> None:
    state(tmp_path, active=6)
    before = threading.active_count()
    with _handover(variables(tmp_path, "bot-6", 6)):
        assert threading.active_count() > before
    wait_until(lambda: threading.active_count() <= before)  # those of earlier tests may end, too
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
