"""Copies in processes of their own, killed as programs are killed. Their gateway is the clock."""

from __future__ import annotations

import itertools
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.handover.racing import race
from tests.unit.handover.site import Process, now_ms, state, wait_until

RATE = 200


class Bots:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Process] = []

    def start(self, epoch: int, *arguments: str, **others: object) -> Process:
        given = arguments or ("asyncio",)
        self.started.append(Process(self.folder, f"bot-{epoch}", epoch, *given, **others))
        return self.started[-1]

    def effects(self, level: str = "") -> list[int]:
        if level == "transactional":
            # its own connection does not disturb: it reads
            database = sqlite3.connect(self.folder / "claims.db", timeout=5)
            lines = [row[0] for row in database.execute("SELECT line FROM effects")]
            database.close()
        else:
            lines = (self.folder / "effects").read_text().splitlines()
        return [int(line.split()[0]) for line in lines]

    def by(self, name: str) -> int:
        lines = (self.folder / "effects").read_text().splitlines()
        return sum(line.endswith(f" {name}") for line in lines)


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Bots]:
    found = Bots(tmp_path)
    yield found
    for process in found.started:
        process.kill()


def _lost_and_doubled(effects: list[int]) -> tuple[int, int]:
    counted = Counter(effects)
    lost = max(counted) - min(counted) + 1 - len(counted)
    return lost, sum(counted.values()) - len(counted)


@pytest.mark.parametrize("face", ["asyncio", "threads"])
def test_a_planned_handover_loses_and_doubles_nothing(bots: Bots, face: str) -> None:
    state(bots.folder, active=6)
    old = bots.start(6, face, "idempotent-key", "500", "30").reaches("ACTIVE")
    state(bots.folder, active=6, lock=True)
    assert old.ask("POST", "/lock?on=true&epoch=7")[0] == 200
    time.sleep(0.1)
    state(bots.folder, "standby", active=6, next=7)
    new = bots.start(7, face, "idempotent-key", "500", "30").reaches("STANDBY")
    time.sleep(0.2)
    state(bots.folder, "joint", active=6, next=7)
    assert new.ask("POST", "/activate?epoch=7")[0] == 200
    time.sleep(0.3)
    assert old.ask("POST", "/deactivate?epoch=7&deadline=5000")[0] == 200
    assert old.popen.wait(10) == 0, old.errors.read_text()
    state(bots.folder, "draining", active=7)
    time.sleep(0.2)
    assert new.ask("POST", "/lock?on=false&epoch=7")[0] == 200
    state(bots.folder, active=7)
    wait_until(lambda: new.status.get("handled", 0) > 200)
    assert new.end() == 0
    assert _lost_and_doubled(bots.effects()) == (0, 0)
    assert bots.by("bot-6") > 50
    assert bots.by("bot-7") > 50


@pytest.mark.parametrize("face", ["asyncio", "threads"])
def test_takeover_within_a_second_and_nothing_kept_is_lost(bots: Bots, face: str) -> None:
    taken: list[float] = []
    state(bots.folder, "standby", active=6, next=7)
    old = bots.start(6, face, "idempotent-key").reaches("ACTIVE")
    new = bots.start(7, face, "idempotent-key").reaches("STANDBY")
    for epoch in (8, 9, 10):
        time.sleep(0.15)
        killed = time.monotonic()
        old.popen.kill()
        wait_until(lambda new=new: new.status.get("state") == "ACTIVE")
        taken.append(time.monotonic() - killed)
        assert new.status["took_over"] is True
        old.popen.wait()
        state(bots.folder, "standby", active=epoch - 1, next=epoch)
        old, new = new, bots.start(epoch, face, "idempotent-key").reaches("STANDBY")
    assert old.end() == 0
    assert new.end() == 0
    assert max(taken) <= 1.0, taken
    # the key makes one of two: what counts is which events have an effect
    assert _lost_and_doubled(sorted(set(bots.effects()))) == (0, 0)


def test_a_stopped_and_killed_one_is_taken_over_too(bots: Bots) -> None:
    state(bots.folder, "standby", active=6, next=7)
    old = bots.start(6).reaches("ACTIVE")
    new = bots.start(7).reaches("STANDBY")
    old.popen.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    assert new.status["state"] == "STANDBY"
    old.kill()
    new.reaches("ACTIVE")


@pytest.mark.parametrize(
    ("level", "kills"),
    [("at-most-once", 4), ("at-least-once", 4), ("transactional", 4), ("idempotent-key", 4)],
)
def test_levels_under_kill(bots: Bots, level: str, kills: int) -> None:
    """Both are active behind the lock, and one after the other is killed and started again."""
    arguments = ("asyncio", level, "50", "10", "2")
    state(bots.folder, "joint", active=6, next=7)
    copies = {6: bots.start(6, *arguments), 7: bots.start(7, *arguments)}
    # the old one is active as soon as it holds the lock, the new one always
    copies[7].reaches("ACTIVE")
    for epoch, _ in zip(itertools.cycle((6, 7)), range(kills), strict=False):
        other = copies[13 - epoch]
        wait_until(lambda other=other: other.status.get("units_ready") == 1)
        # longer than the clock's events may lag behind
        time.sleep(0.3)
        copies[epoch].kill()
        time.sleep(0.1)
        copies[epoch] = bots.start(epoch, *arguments)
        wait_until(lambda e=epoch: copies[e].status.get("state") in ("ACTIVE", "STANDBY"))
    for copy in copies.values():
        assert copy.end() == 0, copy.errors.read_text()
    effects = bots.effects(level)
    if level == "idempotent-key":
        effects = sorted(set(effects))
    lost, doubled = _lost_and_doubled(effects)
    assert len(effects) > 60
    assert lost <= (kills if level == "at-most-once" else 0), level
    assert doubled <= (kills if level == "at-least-once" else 0), level


def test_both_killed_and_started_again_exactly_one_is_active(bots: Bots) -> None:
    state(bots.folder, "standby", active=6, next=7)
    old, new = bots.start(6).reaches("ACTIVE"), bots.start(7).reaches("STANDBY")
    for process in (old, new):
        process.popen.kill()
    for process in (old, new):
        process.popen.wait()
    again = [bots.start(7), bots.start(6)]
    wait_until(
        lambda: sorted(copy.status.get("state", "") for copy in again) == ["ACTIVE", "STANDBY"]
    )
    assert all(copy.status["restarted"] for copy in again)


def test_restarted_in_each_phase_it_resumes(bots: Bots) -> None:
    old = None
    for phase, expected in (("standby", "STANDBY"), ("joint", "ACTIVE")):
        state(bots.folder, phase, active=6, next=7)
        old = old or bots.start(6).reaches("ACTIVE")
        new = bots.start(7, "asyncio", ROLE="standby", STARTED_AT=now_ms()).reaches(expected)
        assert new.status["lock"] is True
        new.kill()
    assert old is not None
    old.kill()
    # days later, with the same variables
    state(bots.folder, active=7)
    new = bots.start(7, "asyncio", ROLE="standby", STARTED_AT=1).reaches("ACTIVE")
    assert (new.status["lock"], new.status["took_over"]) == (False, False)
    # draining: the old one may hold the lock for long, and takes nothing new
    revived = bots.start(6)
    assert revived.popen.wait(10) == 75
    assert "obsolete" in revived.errors.read_text()


def test_without_a_state_the_age_decides(bots: Bots) -> None:
    bots.start(6, "asyncio", ROLE="active").reaches("ACTIVE")
    # another copy is active: by its age it would be allowed to, but for the lock
    bots.start(7, "asyncio", ROLE="standby").reaches("STANDBY")
    bots.start(8, "asyncio", ROLE="standby", STARTED_AT=now_ms() + 60_000).reaches("STANDBY")


def test_bad_variables_end_with_78(bots: Bots) -> None:
    copy = bots.start(6, "asyncio", ROLE="leader")
    assert copy.popen.wait(10) == 78
    assert "HANDOVER_ROLE=leader" in copy.errors.read_text()
    assert "Traceback" not in copy.errors.read_text()
    assert not list(bots.folder.glob("alive-*"))


def test_term_before_it_is_active_is_status_0(bots: Bots) -> None:
    state(bots.folder, "standby", active=6, next=7)
    bots.start(6).reaches("ACTIVE")
    assert bots.start(7).reaches("STANDBY").end() == 0


@pytest.fixture
def memory() -> Iterator[Path]:
    folder = Path(f"/dev/shm/handover-race-{os.getpid()}")
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.mark.parametrize(("scheme", "events"), [("sqlite", 100_000), ("dir", 10_000)])
def test_a_race_of_two_processes(memory: Path, scheme: str, events: int) -> None:
    (one, _), (other, _) = race(memory, f"{scheme}://{memory}/claims", events)
    assert len(one) + len(other) == events
    assert set(one) | set(other) == set(range(events))
    # both had a part in it, or it was no race
    assert min(len(one), len(other)) > events / 20


@pytest.mark.alone
def test_a_claim_at_a_thousand_events_a_second_is_quick(memory: Path) -> None:
    """The bound is 1 ms at p99 on a machine that has nothing else to do; here it must hold in the
    best of five, since tests run beside others."""
    best = float("inf")
    for attempt in range(5):
        runs = race(memory, f"sqlite://{memory}/claims-{attempt}.db", 1000, rate=500)
        took = sorted(itertools.chain.from_iterable(took for _, took in runs))
        best = min(best, took[int(len(took) * 0.99)])
        if best <= 1.0:
            break
    assert best <= 1.0


def test_the_page_says_what_status_the_copy_ends_with() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "handover.md"
    assert re.search(r"^\| 75 \| obsolete", page.read_text(), re.MULTILINE)
    assert re.search(r"^\| 78 \| a variable", page.read_text(), re.MULTILINE)
