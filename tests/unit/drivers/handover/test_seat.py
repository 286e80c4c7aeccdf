"""The whole sequence with real copies: who is active, with which lock, and what events came to;
whatever dies in between."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from pathlib import Path

import pytest

from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.drivers.handover import crossing
from gapless.drivers.handover.base import HandsOver, SeatsCopies
from gapless.drivers.handover.folder import place
from gapless.errors import TrafficError
from tests.unit.drivers.handover.bench import Bench, Slot, bench


def test_the_copies_of_a_service_change_places_and_every_event_has_one_effect(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            assert it.state["phase"] == "done" and it.state["lock"] is False
            assert it.status("a")["lock"] is False
            for old, new in (("a", "b"), ("b", "a")):
                await it.start(new)
                assert it.state["phase"] == "standby"
                assert it.status(old)["lock"] is True  # before the new one is started
                await it.seat.admit(it.at(new), it.fences)
                assert it.state["phase"] == "joint"
                assert {it.status(slot)["state"] for slot in "ab"} == {"ACTIVE"}
                drained = await it.seat.drain(it.at(old), it.fences)
                assert (drained.evidence, drained.left) == (Evidence.COUNTED, 0)
                assert not drained.note
                assert it.slots[old].ended() == 0
                assert it.slots[old].disarmed.exists()
                assert it.state["phase"] == "draining"
                assert it.state["active"]["id"] == it.status(new)["id"]
                await it.seat.remove(it.at(old), it.fences)
                assert it.state["phase"] == "done" and it.state["lock"] is False
                assert it.status(new)["lock"] is False
            assert it.state["latest"] == 3
            await asyncio.sleep(0.2)
            assert it.lost_and_doubled() == ([], [])
            assert sorted(path.name for path in it.path.glob("alive-*")) == ["alive-bot-a-3.lock"]

    asyncio.run(play())


def test_it_is_a_balancer_that_knows_of_copies_beforehand(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            assert isinstance(it.seat, SeatsCopies)
            assert isinstance(it.slots["a"], HandsOver)
            assert await _states(it) == ["missing", "missing"]
            await it.begin()
            assert await _states(it) == ["up", "missing"]
            await it.start("b")
            await it.becomes("b", "STANDBY")
            assert await _states(it) == ["up", "drained"]
            await it.seat.admit(it.at("b"), it.fences)
            assert await _states(it) == ["up", "up"]
            await it.seat.drain(it.at("a"), it.fences)
            it.slots["a"].ended()
            assert await _states(it) == ["drained", "up"]  # there is something to be done about it
            await it.seat.remove(it.at("a"), it.fences)
            assert await _states(it) == ["missing", "up"]

    asyncio.run(play())


async def _states(it: Bench) -> list[str]:
    return [(await it.seat.members(it.at(slot)))[0].state.value for slot in "ab"]


def test_every_order_may_be_given_again(tmp_path: Path) -> None:
    """As one who goes on after a crash does."""

    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            await it.seat.add(it.at("b"), it.fences)
            await it.start("b")  # with an epoch of its own
            for _ in range(2):
                await it.seat.admit(it.at("b"), it.fences)
            for _ in range(2):
                await it.seat.drain(it.at("a"), it.fences)
            assert it.slots["a"].ended() == 0
            for _ in range(2):
                await it.seat.remove(it.at("a"), it.fences)
            assert it.state["phase"] == "done"
            assert it.state["active"] == {"id": "bot-b-3", "epoch": 3}
            await it.seat.admit(it.at("b"), it.fences)  # it serves
            await asyncio.sleep(0.2)
            assert it.lost_and_doubled() == ([], [])

    asyncio.run(play())


def test_back_before_anything_of_the_old_copy_was_changed(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            new = await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            assert await it.seat.recall(it.at("a"), it.fences)
            await it.seat.admit(it.at("a"), it.fences)
            await it.seat.drain(it.at("b"), it.fences)
            assert new.ended() == 0
            await it.seat.remove(it.at("b"), it.fences)
            assert it.state["active"] == {"id": "bot-a-1", "epoch": 1}
            assert (it.state["phase"], it.state["lock"], it.state["next"]) == ("done", False, None)
            assert it.status("a")["lock"] is False
            new.start()
            assert new.ended() == 75  # whoever starts it by hand
            await asyncio.sleep(0.2)
            assert it.lost_and_doubled() == ([], [])

    asyncio.run(play())


def test_an_old_copy_that_drains_goes_on(tmp_path: Path) -> None:
    """Up to its end ``/abort`` brings it back; its restart policy is its own again."""

    async def play() -> None:
        async with bench(tmp_path, deadline="100s") as it:
            it.slots["a"].program = (*it.slots["a"].program, "at-least-once", "20", "0", "60000")
            await it.begin()
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            draining = asyncio.create_task(it.seat.drain(it.at("a"), it.fences))
            await it.becomes("a", "DRAINING")
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
            assert it.slots["a"].disarmed.exists()
            assert await it.seat.recall(it.at("a"), it.fences)
            assert it.status("a")["state"] == "ACTIVE"
            assert not it.slots["a"].disarmed.exists()
            await it.seat.drain(it.at("b"), it.fences)
            await it.seat.remove(it.at("b"), it.fences)
            assert it.state["active"]["id"] == "bot-a-1"

    asyncio.run(play())


def test_one_that_has_ended_takes_a_start(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            await it.seat.drain(it.at("a"), it.fences)
            assert not await it.seat.recall(it.at("a"), it.fences)
            await it.seat.drain(it.at("a"), it.fences)  # as the way back does, before it starts it
            await it.seat.remove(it.at("a"), it.fences)
            await it.start("a")
            await it.seat.admit(it.at("a"), it.fences)
            await it.seat.drain(it.at("b"), it.fences)
            await it.seat.remove(it.at("b"), it.fences)
            assert it.state["active"] == {"id": "bot-a-3", "epoch": 3}
            await asyncio.sleep(0.2)
            assert it.lost_and_doubled() == ([], [])

    asyncio.run(play())


def test_the_old_copy_is_killed_while_the_new_one_waits(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            old = await it.begin()
            await it.start("b")
            await it.becomes("b", "STANDBY")
            old.kill()
            await it.seat.admit(it.at("b"), it.fences)
            assert it.status("b")["took_over"] is True
            drained = await it.seat.drain(it.at("a"), it.fences)
            assert drained.note == "copy a had died: failed"  # all that its runtime knows here
            assert drained.evidence is Evidence.TIMED
            await it.seat.remove(it.at("a"), it.fences)
            assert it.state["active"]["id"] == "bot-b-2"
            assert (it.state["phase"], it.state["lock"]) == ("done", False)

    asyncio.run(play())


def test_a_killed_old_copy_that_its_supervisor_starts_again_waits(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            old = await it.begin()
            await it.start("b")
            await it.becomes("b", "STANDBY")
            old.kill()
            await it.becomes("b", "ACTIVE")
            old.start()
            await it.becomes("a", "STANDBY")
            await it.seat.admit(it.at("b"), it.fences)
            await it.seat.drain(it.at("a"), it.fences)
            assert it.state["active"]["id"] == "bot-b-2"
            old.kill()
            await it.seat.remove(it.at("a"), it.fences)
            assert it.state["phase"] == "done"
            await asyncio.sleep(0.2)
            doubled = it.lost_and_doubled()[1]
            assert not doubled[1:]  # at most what was in work when it was killed

    asyncio.run(play())


def test_a_new_copy_that_dies_in_the_joint_phase_does_not_stay(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path, joint="2s") as it:
            await it.begin()
            new = await it.start("b")
            letting = asyncio.create_task(it.seat.admit(it.at("b"), it.fences))
            await it.becomes("b", "ACTIVE")
            new.kill()
            new.start()
            with pytest.raises(
                TrafficError, match=r"bot-b-2 (was started again: it died|does not become active)"
            ):
                await letting
            assert it.status("a")["state"] == "ACTIVE"

    asyncio.run(play())


def _spoilt(lock: Path) -> None:
    """A file where its folder was, before a copy that claims makes the folder anew."""
    for number in itertools.count():
        lock.rename(lock.with_name(f"gone-{number}"))
        try:
            lock.touch(exist_ok=False)
        except FileExistsError:
            continue
        return


@pytest.mark.parametrize("when", ["before the new one is started", "in the joint phase"])
def test_an_old_copy_whose_lock_has_no_answers_ends_the_handover(tmp_path: Path, when: str) -> None:
    """From the moment on at which its lock went on: what it had before is no matter of ours."""

    async def play() -> None:
        async with bench(tmp_path, joint="1s") as it:
            lock = tmp_path / "old"
            lock.mkdir()
            await it.seat.add(it.at("a"), it.fences)
            it.slots["a"].start(HANDOVER_LOCK=f"dir://{lock}")
            await it.seat.admit(it.at("a"), it.fences)
            await it.start("b")
            if when == "in the joint phase":
                letting = asyncio.create_task(it.seat.admit(it.at("b"), it.fences))
                await it.becomes("b", "ACTIVE")
            _spoilt(lock)
            if when != "in the joint phase":
                await _errors(it, "a")
                letting = asyncio.create_task(it.seat.admit(it.at("b"), it.fences))
            with pytest.raises(TrafficError, match=r"bot-a-1: \d+ claims had no answer") as caught:
                await letting
            await it.becomes("b", "ACTIVE" if when == "in the joint phase" else "STANDBY")
            assert "bot-a-1: ACTIVE" in caught.value.evidence

    asyncio.run(play())


def test_what_an_old_copy_had_before_the_handover_is_not_held_against_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path, when="always") as it:
            lock = tmp_path / "old"
            lock.touch()
            await it.seat.add(it.at("a"), it.fences)
            it.slots["a"].start(HANDOVER_LOCK=f"dir://{lock}")
            await it.seat.admit(it.at("a"), it.fences)
            await _errors(it, "a")
            lock.unlink()
            lock.mkdir()
            await asyncio.sleep(0.5)  # the last of those that had no answer
            await it.start("b")
            assert it.state["lock_on"]["lock_errors"] > 0
            await it.seat.admit(it.at("b"), it.fences)
            await it.seat.drain(it.at("a"), it.fences)
            it.slots["a"].ended()
            await it.seat.remove(it.at("a"), it.fences)
            assert it.state["lock_on"] is None

    asyncio.run(play())


async def _errors(it: Bench, slot: str) -> None:
    ends = time.monotonic() + 10
    while not it.status(slot)["lock_errors"]:
        assert time.monotonic() < ends, it.status(slot)
        await asyncio.sleep(0.05)


def test_a_new_copy_that_is_never_ready(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path, ready="4s") as it:
            await it.begin()
            it.slots["b"].program = _never_ready(it.slots["b"])
            await it.start("b")
            with pytest.raises(TrafficError, match="bot-b-2 is not ready after 4s") as found:
                await it.seat.admit(it.at("b"), it.fences)
            assert "0 of 1 units ready" in found.value.evidence
            it.slots["b"].kill()
            await it.seat.remove(it.at("b"), it.fences)
            assert (it.state["phase"], it.state["next"]) == ("done", None)
            assert it.status("a")["lock"] is False

    asyncio.run(play())


def test_back_from_a_copy_that_is_never_ready_though_it_holds_the_active_lock(
    tmp_path: Path,
) -> None:
    """The old one died while the new one boots: nobody handles anything until it is started again,
    and then it does at once."""

    async def play() -> None:
        async with bench(tmp_path, ready="3s") as it:
            old = await it.begin()
            it.slots["b"].program = _never_ready(it.slots["b"])
            await it.start("b")
            await it.becomes("b", "BOOTING")
            old.kill()
            await it.seat.drain(it.at("a"), it.fences)
            await it.seat.remove(it.at("a"), it.fences)
            await it.start("a")
            assert it.state["phase"] == "joint"
            await it.seat.admit(it.at("a"), it.fences)
            assert it.status("a")["state"] == "ACTIVE" and it.status("a")["lock"] is True
            await it.seat.drain(it.at("b"), it.fences)
            it.slots["b"].kill()
            await it.seat.remove(it.at("b"), it.fences)
            assert it.state["active"]["id"] == it.status("a")["id"]
            assert (it.state["phase"], it.state["lock"]) == ("done", False)

    asyncio.run(play())


def _never_ready(slot: Slot) -> tuple[str, ...]:
    waits = Path(__file__).with_name("never_ready.py")
    return (slot.program[0], str(waits))


def test_an_old_copy_that_hangs_is_waited_for_until_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossing, "_ANSWER", 1.0)

    async def play() -> None:
        async with bench(tmp_path, deadline="1s") as it:
            old = await it.begin()
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            assert old.popen is not None
            old.popen.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            drained = await it.seat.drain(it.at("a"), it.fences)
            assert (drained.evidence, drained.left) == (Evidence.TIMED, 1)
            assert time.monotonic() - began < 60
            assert it.state["active"]["id"] == "bot-b-2"
            assert not await it.seat.recall(it.at("a"), it.fences)  # it takes a start
            old.kill()
            await it.seat.remove(it.at("a"), it.fences)
            assert it.state["phase"] == "done"

    asyncio.run(play())


def test_a_copy_that_hangs_is_asked_for_as_long_as_a_busy_one_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has told it to end: it does not go on all the same, until it answers again."""

    async def play() -> None:
        async with bench(tmp_path) as it:
            old = await it.begin()
            assert old.popen is not None
            old.popen.send_signal(signal.SIGSTOP)
            asking = asyncio.create_task(it.seat.recall(it.at("a"), it.fences))
            await asyncio.sleep(1.0)
            assert not asking.done()
            old.popen.send_signal(signal.SIGCONT)
            assert await asking
            monkeypatch.setattr(crossing, "_ANSWER", 1.0)
            old.popen.send_signal(signal.SIGSTOP)
            assert not await it.seat.recall(it.at("a"), it.fences)

    asyncio.run(play())


@pytest.mark.parametrize("how", ["at its deadline", "killed"])
def test_what_was_cut_off_is_counted(tmp_path: Path, how: str) -> None:
    """A copy ends itself at its deadline: gone is not finished."""

    async def play() -> None:
        async with bench(tmp_path, deadline="2s" if how == "at its deadline" else "60s") as it:
            it.slots["a"].program = (*it.slots["a"].program, *_LONG)
            old = await it.begin()
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            draining = asyncio.create_task(it.seat.drain(it.at("a"), it.fences))
            if how == "killed":
                await it.becomes("a", "DRAINING")
                await asyncio.sleep(1.0)  # a look has seen what it has in work
                old.kill()
            drained = await draining
            assert drained.evidence is Evidence.TIMED
            assert drained.left > 0

    asyncio.run(play())


def test_what_is_finished_before_the_deadline_is_not_cut_off(tmp_path: Path) -> None:
    """Though it was seen with something in work a moment before its end."""

    async def play() -> None:
        async with bench(tmp_path, deadline="60s") as it:
            it.slots["a"].program = (*it.slots["a"].program, "at-least-once", "20", "0", "1000")
            await it.begin()
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            drained = await it.seat.drain(it.at("a"), it.fences)
            assert drained.seconds > 0.4
            assert (drained.evidence, drained.left) == (Evidence.COUNTED, 0)

    asyncio.run(play())


_LONG = ("at-least-once", "20", "0", "60000")
"""Words of the program: its events take a minute."""


def test_a_lock_that_was_turned_on_for_a_copy_that_never_came_goes_off(tmp_path: Path) -> None:
    """Whoever was about to start it died just then; the way back removes what there is of it."""

    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            seen = await it.folder.see(it.at("b"))
            assert seen.other is not None
            await it.folder.write(
                it.at("b"), it.fences, seen, to=seen.other, request="/lock?on=true&",
                phase="done", active=place(seen.other), next=None, latest=2, lock=True,
            )  # fmt: skip
            assert await _states(it) == ["up", "drained"]
            await it.seat.remove(it.at("b"), it.fences)
            assert await _states(it) == ["up", "missing"]
            assert it.state["lock"] is False and it.status("a")["lock"] is False

    asyncio.run(play())


def test_the_one_that_stays_may_take_its_time_to_answer(tmp_path: Path) -> None:
    """On the way back of a busy host: it lives, and silence is no death."""

    async def play() -> None:
        async with bench(tmp_path) as it:
            old = await it.begin()
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            assert old.popen is not None
            old.popen.send_signal(signal.SIGSTOP)
            draining = asyncio.create_task(it.seat.drain(it.at("b"), it.fences))
            assert (await it.seat.members(it.at("a")))[0].state is MemberState.DOWN
            await asyncio.sleep(1.0)  # a look that was begun with it has had no answer by then
            assert not draining.done()
            old.popen.send_signal(signal.SIGCONT)
            drained = await draining
            assert (drained.evidence, drained.left) == (Evidence.COUNTED, 0)
            assert it.state["active"]["id"] == "bot-a-1"

    asyncio.run(play())


def test_both_are_killed_and_one_is_started_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            it.slots["a"].kill()
            it.slots["b"].kill()
            assert [s for s in await _states(it) if s == MemberState.UP.value] == []
            await it.start("a")
            await it.seat.admit(it.at("a"), it.fences)
            assert it.state["active"] == {"id": "bot-a-3", "epoch": 3}
            it.slots["b"].start()
            assert it.slots["b"].ended() == 75

    asyncio.run(play())


def test_the_last_active_copy_is_never_deactivated(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            with pytest.raises(TrafficError, match="no other copy is active"):
                await it.seat.drain(it.at("a"), it.fences)
            await it.start("b")
            await it.becomes("b", "STANDBY")
            with pytest.raises(TrafficError, match="no other copy is active"):
                await it.seat.drain(it.at("a"), it.fences)
            assert it.status("a")["state"] == "ACTIVE"
            assert not it.slots["a"].disarmed.exists()

    asyncio.run(play())


def test_a_second_orchestrator_is_seen(tmp_path: Path) -> None:
    """Who wrote in between is neither overwritten nor told anything in our name."""

    async def play() -> None:
        async with bench(tmp_path) as it:
            await it.begin()
            seen = await it.folder.see(it.at("b"))
            (it.path / "state.json").write_text((it.path / "state.json").read_text() + "\n")
            with pytest.raises(TrafficError, match=r"somebody else has written state\.json"):
                await it.folder.write(it.at("b"), it.fences, seen, phase="standby")

    asyncio.run(play())


def test_the_lock_may_be_on_for_ever(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path, when="always") as it:
            await it.begin()
            assert it.status("a")["lock"] is True
            await it.start("b")
            await it.seat.admit(it.at("b"), it.fences)
            await it.seat.drain(it.at("a"), it.fences)
            await it.seat.remove(it.at("a"), it.fences)
            assert it.state["lock"] is True and it.status("b")["lock"] is True

    asyncio.run(play())


def test_the_first_copy_that_is_taken_away_leaves_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with bench(tmp_path) as it:
            first = await it.begin()
            first.kill()
            await it.seat.remove(it.at("a"), it.fences)
            assert it.state["active"] is None
            assert not first.file.exists()

    asyncio.run(play())
